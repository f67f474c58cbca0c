"""The canary: no PIN, password, share or private key is in any file, message or repr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console import toil
from console.families.smartcardhsm.dkek import Dkek
from console.families.smartcardhsm.simulator import SHARE
from tests.families.smartcardhsm.restoring import waiting
from tests.families.smartcardhsm.sticks import (
    NEW,
    SO,
    SO_TEXT,
    USER,
    backed_up,
    bench,
    card,
    of,
    quick,
    sealed,
    spellings,
    with_ec,
)
from tests.harness import Workshop, workshop

__all__ = ["quick"]
WRITES = os.O_WRONLY | os.O_RDWR
PASSWORD = "kanarienvogel-4711"
PART = (
    "Prime ed:55:c5:dd:60:e2:68:1b; Share 1 value 19:63:40:ce:f3:91:70:75; "
    "Share 2 value ec:d5:99:c2:37:76:4f:fb"
)


def private(shop: Workshop, port: str, number: int = 1) -> bytes:
    key = of(shop, port).applet.keys[number].private
    return key.private_numbers().private_value.to_bytes(32, "big")


def leaks(root, told: str, secrets: dict[str, bytes], brought: set) -> list[tuple[str, str]]:
    """Where a secret is found; what the test itself brought along is left out."""
    files = {
        str(path): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path not in brought
    }
    files["what was told"] = told.encode()
    return [
        (name, place)
        for name, secret in secrets.items()
        for place, data in files.items()
        if any(spelled in data for spelled in spellings(secret))
    ]


class Watch:
    """Every process that is started here, as the kernel shows it to others; every file written."""

    def __init__(self) -> None:
        self.on = False
        self.processes: list[str] = []
        self.files: set[Path] = set()
        self._popen = subprocess.Popen

    def hear(self, event: str, given: tuple[Any, ...]) -> None:
        if self.on and event == "open" and isinstance(given[0], str) and given[2] & WRITES:
            self.files.add(Path(given[0]))

    def start(self, *given: Any, **options: Any) -> subprocess.Popen[str]:
        """As Popen; the child waits for its order in the pipe while it is looked at."""
        made = self._popen(*given, **options)
        place = Path(f"/proc/{made.pid}")
        while not (place / "cmdline").read_bytes() and made.poll() is None:
            os.sched_yield()  # it is becoming that program
        self.processes.append(
            (place / "cmdline").read_bytes().decode("latin-1")
            + (place / "environ").read_bytes().decode("latin-1")
        )
        return made


@pytest.fixture
def watch(monkeypatch):
    """An audit hook cannot be taken away: afterwards it hears nothing."""
    made = Watch()
    sys.addaudithook(made.hear)
    monkeypatch.setattr(toil.subprocess, "Popen", made.start)
    made.on = True
    yield made
    made.on = False


@pytest.mark.parametrize("fails", [False, True])
def test_no_secret_of_a_whole_repair_is_anywhere(tmp_path, quick, capfd, watch, fails):
    """Backup, reset, shares, restore, a new key, unblock: done, or refused by wrong secrets."""
    told: list[str] = []
    scenario = bench(card(setup=with_ec), card("DENK0109002", setup=waiting(1)))
    with workshop(tmp_path / "shop", scenario) as shop:
        shop.bench.listen(lambda message: told.append(repr(message)))
        files = backed_up(shop, tmp_path / "shop" / "inbox" / "2243")
        share = sealed(tmp_path / "a.pbe", PASSWORD.encode())
        secrets = {"private key": private(shop, "1-1")}
        wrong = "x" if fails else ""
        runs = [
            shop.run(
                "smartcardhsm.restore",
                "1-2",
                answers={
                    "backup": str(files),
                    "shares": str(share),
                    "share_passwords": PASSWORD + wrong,
                    "pin": USER + wrong,
                },
            ),
            shop.run(
                "smartcardhsm.reset",
                answers={
                    "shares": "1",
                    "so_pin_format": "16 hex digits",
                    "so_pin": ("f" + SO[1:]) if fails else SO,
                    "new_pin": NEW,
                    "second": "1-2",
                    "second_pin": USER,
                },
            ),
            shop.run(
                "smartcardhsm.rekey",
                "1-2",
                answers={"algorithm": "ec-p256", "label": "k", "pin": USER + wrong},
            ),
            shop.run(
                "smartcardhsm.unblock",
                "1-2",
                answers={"so_pin_format": "8 characters", "so_pin": SO_TEXT, "new_pin": NEW},
            ),
        ]
        verdicts = {view.verdict for view in runs[:3]}
        assert verdicts == ({"refused"} if fails else {"repaired"}), [v.ended for v in runs]
        reprs = repr(shop.bench.__dict__)
    said = "".join(capfd.readouterr()) + "".join(told) + reprs
    secrets |= {
        "password": PASSWORD.encode(),
        "share": SHARE,
        "PIN": USER.encode(),
        "new PIN": NEW.encode(),
        "SO-PIN": SO_TEXT.encode(),
        "SO-PIN in hex": SO.encode(),
        "cipher key": Dkek(SHARE).cipher_key,
        "MAC key": Dkek(SHARE).mac_key,
    }

    watch.on = False
    said += "".join(watch.processes)
    strays = [
        path for path in watch.files if path.is_file() and tmp_path.parent not in path.parents
    ]

    assert any("console.toil" in process for process in watch.processes), watch.processes
    assert any(path.name == "journal.jsonl" for path in watch.files), watch.files
    assert leaks(tmp_path, said, secrets, {share}) == []
    written = [path.read_bytes() for path in strays]
    spelled = [each for secret in secrets.values() for each in spellings(secret)]
    assert not any(each in data for data in written for each in spelled), strays


def test_the_canary_would_be_found(tmp_path):
    """A test of the test: each spelling of a secret in a file is seen."""
    for at, spelled in enumerate(spellings(SHARE)):
        (tmp_path / str(at)).write_bytes(b"..." + spelled + b"...")

    assert len(leaks(tmp_path, "", {"share": SHARE}, set())) == len(spellings(SHARE))


def test_the_parts_of_a_password_are_nowhere(tmp_path, quick):
    from console.families.smartcardhsm.threshold import parse, passwords

    (secret, *_) = passwords(parse(PART))
    scenario = bench(card(setup=with_ec), card("DENK0109002", setup=waiting(1)))
    with workshop(tmp_path / "shop", scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        share = sealed(tmp_path / "a.pbe", secret)
        answers = {"backup": str(files), "shares": str(share), "pin": USER}
        view = shop.run("smartcardhsm.restore", "1-2", answers={**answers, "share_passwords": PART})

        assert view.verdict == "repaired", view.ended
    secrets = {"rebuilt": secret, "value": b"19:63:40:ce", "other": b"ec:d5:99:c2"}
    assert leaks(tmp_path, "", secrets, {share}) == []
