"""Whole processes: no secret is left by any of them, and one that is killed is made up for."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from console.families.smartcardhsm.dkek import Dkek
from console.families.smartcardhsm.simulator import SHARE, SO_PIN
from console.practice import bus
from tests.families.smartcardhsm.desk import Desk
from tests.processes import place, until
from tests.realdata import real

PIN, SO_HEX = "648219", SO_PIN.hex()
FORMAT = "16 hex digits"
OURS, THEIRS, WRONG = "kanari-eins-47", "kanari-zwei-48", "kanari-falsch-49"
PASSWORD = "correct horse"
KILL = "import os; from console.families.smartcardhsm import {module}\n{module}.{name} = "
KILL += "lambda *given: os.kill(os.getpid(), 9)"


def spelled(*secrets: bytes) -> tuple[bytes, ...]:
    """Each as it stands, in hex, and in base64 where that does not depend on its end."""
    spellings: list[bytes] = []
    for secret in secrets:
        whole = secret[: len(secret) // 3 * 3]
        spellings += [secret, secret.hex().encode(), base64.b64encode(whole)]
    return tuple(spellings)


SECRETS = spelled(
    *(word.encode() for word in (OURS, THEIRS, WRONG, PASSWORD, SO_HEX)),
    SO_PIN,
    SHARE,
    Dkek(SHARE).cipher_key,
    Dkek(SHARE).mac_key,
)


@pytest.fixture
def desk(tmp_path):
    with place(tmp_path / "state", "hsm-healthy", pace=0.05) as made:
        yield Desk(made, *SECRETS)


def backed_up(desk: Desk, pin: str) -> Path:
    assert desk.run("backup", "1-1", pin=pin) == 0, desk.said
    (folder, *_) = {path.parent for path in desk.root.rglob("*.wrapped.bin")}
    return folder


def silicon(desk: Desk) -> None:
    """Have the practice hardware keep what it holds, and end."""
    bus.stop(desk.place.state.root)
    until(lambda: desk.place.state.root.joinpath("practice.json").exists(), "the silicon")


def test_no_secret_is_left_by_any_process(desk):
    """PINs, SO-PIN, share password, share, DKEK's keys, private keys: done, and refused."""
    by_so_pin = {"so_pin_format": FORMAT, "so_pin": SO_HEX}
    codes = {"unblock": desk.run("unblock", "1-1", new_pin=OURS, **by_so_pin)}
    folder = backed_up(desk, OURS)
    made = by_so_pin | {"new_pin": THEIRS, "confirm_reset": "2418", "shares": "1"}
    codes["reset"] = desk.run("reset", "1-2", **made)
    brought = {"backup": str(folder), "shares": str(real("hsm/dkek-share.pbe"))}
    secret = {"share_passwords": PASSWORD, "pin": THEIRS}
    codes["restore"] = desk.run("restore", "1-2", **brought, **secret)
    codes["rekey"] = desk.run("rekey", "1-2", algorithm="ec-p256", label="k", pin=THEIRS)
    refused = desk.run("backup", "1-2", pin=WRONG)
    desk.look()
    silicon(desk)
    private = [each for port in ("1-1", "1-2") for each in desk.private_numbers(port)]
    wanted = (*SECRETS, *spelled(*private))
    files = desk.files()

    assert set(codes.values()) == {0}, (codes, desk.said)
    assert refused != 0
    # Everybody was seen at work: commands, the bench, the practice hardware, the rounds.
    started = " ".join(desk.seen.values())
    everybody = ("console.cli", "--scenario", "console.toil")
    assert [part for part in everybody if part not in started] == []
    assert len(desk.seen) >= 8
    assert desk.found == []
    # Two keys on one, those and a new one on the other: three numbers, and four.
    assert len(private) == 7
    assert any(b"apdu 80 50" in data for data in files.values()), sorted(files)
    leaks = [path for path, data in files.items() if any(word in data for word in wanted)]
    assert leaks == []
    assert not any(word in desk.said.encode() for word in wanted)


def test_the_canary_of_the_processes_would_be_found(desk):
    """A test of the test: in a file, in an argument, in an environment, in the silicon."""
    for at, word in enumerate(SECRETS):
        (desk.root / f"{at}.txt").write_bytes(b"..." + word + b"...")
    found = desk.files()
    assert all(any(word in data for data in found.values()) for word in SECRETS)

    desk.place.environ["HIDDEN"] = OURS
    sleeper = desk.place.python("import signal; print(1, flush=True); signal.pause()", PASSWORD)
    assert sleeper.stdout is not None
    sleeper.stdout.readline()
    desk.look()
    sleeper.kill()
    assert set(desk.found) == {"cmdline", "environ"}

    silicon(desk)
    assert len(desk.private_numbers("1-1")) == 3


# --- killed in the middle ---------------------------------------------------------------------


def killed(desk: Desk, module: str, name: str, flow: str, port: str, **answers: str) -> None:
    """The bench is killed (-9) where it would call that function."""
    desk.place.replug("bench", "stop")
    desk.place.begin_bench(before=KILL.format(module=module, name=name))
    assert desk.run(flow, port, **answers) != 0
    until(lambda: not desk.place.benches(), "the bench to be gone")


def ended(desk: Desk) -> dict[str, str]:
    """How the last run is told by the next bench."""
    return desk.place.json("runs")[-1]


def on_it(desk: Desk, port: str) -> set[int]:
    """Every file and key that the card in a port has."""
    silicon(desk)
    return {number for number, _ in desk.card(port)["files"]}


@pytest.fixture
def case_2(tmp_path):
    """The device of case 2 that takes everything back is plugged in as well."""
    with place(tmp_path / "state", "case-2", pace=0.05) as made:
        assert made.replug("plug", "1-4").returncode == 0
        yield Desk(made, *SECRETS)


def test_a_bench_killed_between_unwrap_and_description_is_made_up_for(case_2):
    """The key is there and nothing beside it; the next run finds it and imports nothing."""
    desk, opens = case_2, {"pin": PIN}
    folder = backed_up(desk, PIN)
    killed(desk, "placing", "_beside", "restore", "1-4", backup=str(folder), **opens)
    dead = ended(desk)
    half = on_it(desk, "1-4")

    assert (dead["state"], dead["flow"]) == ("interrupted", "smartcardhsm.restore")
    assert {0xCC01, 0xC401, 0xCE01} & half == {0xCC01}
    assert desk.run("check", "1-4") != 0
    assert "without its description" in desk.said
    assert desk.run("restore", "1-4", backup=str(folder), **opens) == 0, desk.said
    again = ended(desk)
    whole = on_it(desk, "1-4")
    assert (again["verdict"], again["continues"] != "") == ("repaired", True)
    assert {number for number in whole if number >> 8 == 0xCC} == {0xCC00, 0xCC01, 0xCC02}
    assert {0xC401, 0xCE01, 0xC402, 0xCE02} <= whole


def test_a_bench_killed_after_initialize_is_made_up_for(desk):
    """Nothing read it back: the record says what may be lost, the next run finishes."""
    made = {"so_pin_format": FORMAT, "so_pin": SO_HEX, "new_pin": THEIRS}
    wishes = made | {"shares": "1", "confirm_reset": "2417"}
    killed(desk, "reset", "_prove", "reset", "1-1", **wishes)
    dead = ended(desk)

    assert (dead["state"], dead["damage"] != "nothing written") == ("interrupted", True)
    assert {number for number in on_it(desk, "1-1") if number >> 8 == 0xCC} == {0xCC00}
    assert desk.run("reset", "1-1", **wishes) == 0, desk.said
    assert ended(desk)["verdict"] == "repaired"
    silicon(desk)
    assert desk.card("1-1")["pins"]["so"]["tries"] == 15


def test_a_bench_killed_before_initialize_has_deleted_nothing(desk):
    made = {"so_pin_format": FORMAT, "so_pin": SO_HEX, "new_pin": THEIRS}
    killed(desk, "reset", "_initialize", "reset", "1-1", shares="1", confirm_reset="2417", **made)

    assert ended(desk)["state"] == "interrupted"
    assert {0xCC01, 0xCC02} <= on_it(desk, "1-1")
    assert desk.run("check", "1-1") == 0, desk.said
