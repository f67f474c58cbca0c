"""Check, re-key, reset and flash against the simulated modem, through the bench."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from cryptography import x509

from console.families import found
from console.families.nrf91.simulator_contents import client
from console.families.nrf91.simulator_image import build
from console.families.nrf91.simulator_rows import (
    MFW_1_2_3,
    OLDEST,
    PLAIN,
    SILENT,
    TRACKER,
    Faults,
    Keeps,
    Supply,
)
from console.history import view_of
from tests.families.nrf91.modem_bench import CONTENTS, LOST, RESTORE, bench, digest_of, sheet
from tests.families.nrf91.test_nrf91_faults import IMEI, PSK, answers, held, pictures, unit

NRF91 = next(family for family in found() if family.name == "nrf91")
ECHOES = replace(TRACKER, name="echoes", echoes=True)
SHELL = replace(TRACKER, name="shell", shell=True)
OTHERS = "The other entries are as they were."


# --- check -----------------------------------------------------------------------------------


def test_a_check_changes_nothing_and_keeps_the_picture(tmp_path):
    """The functional mode is left as it was."""
    with bench(tmp_path, unit(application=TRACKER), sheet="") as shop:
        before = held(shop)
        view = shop.run("nrf91.check")

        assert (view.verdict, view.ended.damage) == ("no fault found", "nothing written")
        assert before == held(shop)
        assert pictures(shop, view) == {"before": set(before)}
        assert shop.bus.simulator("1-1").modem.mode == 1
        assert not any(b"CFUN=" in data or b"CMNG=0" in data for data in shop.bus.sent)


def test_what_vanished_since_the_last_picture_here_is_a_fault_found(tmp_path):
    """Nobody had the two pictures in the field; here the second look finds it."""
    with bench(tmp_path, unit(contents=CONTENTS), sheet="") as shop:
        assert shop.run("nrf91.check").verdict == "no fault found"
        store = shop.bus.simulator("1-1").modem.store
        store.entries[:] = [entry for entry in store.entries if entry.pair != LOST]
        view = shop.run("nrf91.check")

        assert (view.verdict, view.ended.reason) == ("unfinished", "fault found")
        assert "vanished since: tag 3 client certificate" in view.ended.sentence
        assert "vanished: tag 3 client certificate" in view.ended.warnings[0]


def test_a_check_with_a_sheet_names_what_is_missing_and_what_is_different(tmp_path):
    """And a sheet whose credentials are all there finds no fault."""
    contents = {p: t for p, t in CONTENTS.items() if p != LOST} | {(2, 0): CONTENTS[1, 0]}
    path = sheet(tmp_path / "sheet", LOST, (1, 0), (2, 0))
    with bench(tmp_path, unit(contents=contents), sheet=path) as shop:
        ended = shop.run("nrf91.check").ended
        assert "missing: tag 3 client certificate" in ended.sentence
        assert "different from the sheet: tag 2 root CA" in ended.sentence
    with bench(tmp_path, unit(contents=CONTENTS), sheet=path) as shop:
        assert shop.run("nrf91.check").verdict == "no fault found"


def test_a_line_left_inside_quotes_is_brought_back_into_step(tmp_path):
    """Somebody's tool died in the middle of a key: the board only looks dead."""
    with bench(tmp_path, unit(), sheet="") as shop:
        (device,) = shop.bus.scan()
        line = shop.bus.open(device, "serial", "")
        line.send(b'AT%CMNG=0,7,2,"-----BEGIN EC PRIV')
        line.close()
        view = shop.run("nrf91.check")

        assert view.verdict == "no fault found"
        assert (7, 2) not in held(shop)


def test_firmware_that_passes_no_at_and_a_bootloader_are_told_apart(tmp_path):
    """The one needs service firmware, the other only its switch."""
    with bench(tmp_path, unit(application=SILENT), sheet="") as shop:
        ended = shop.run("nrf91.check").ended
        assert ended.sentence == "No AT command was answered on any of its 2 ports."
        assert "customer's image in hand" in ended.advice
        shop.bus.press("bootloader", "1-1")
        shop.clock.pause(10)
        ended = shop.run("nrf91.check").ended
        assert ended.sentence.startswith("It is in its bootloader")


def test_a_port_that_another_program_holds_is_told_with_its_holder(tmp_path):
    """Nothing is sent past it."""
    with bench(tmp_path, unit(), sheet="") as shop:
        (device,) = shop.bus.scan()
        line = shop.bus.open(device, "serial", "")
        view = shop.run("nrf91.check")
        line.close()

        assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        assert "in use by line 1 of this test" in view.ended.sentence
        assert shop.run("nrf91.check").verdict == "no fault found"


def test_a_supply_that_is_too_low_is_found_and_forbids_a_write(tmp_path):
    """Nothing is written, and the next step is said."""
    scenario = unit(MFW_1_2_3, supply=Supply(battery=3100))
    with bench(tmp_path, scenario, **answers(tmp_path)) as shop:
        before = held(shop)
        view = shop.run(RESTORE)
        assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        assert "bench supply" in view.ended.advice
        assert before == held(shop)
        assert "supply is too low" in shop.run("nrf91.check").ended.sentence


def test_a_sheet_that_is_all_there_is_no_fault_and_writes_nothing(tmp_path):
    """No fault found is a result."""
    with bench(tmp_path, unit(contents=CONTENTS), **answers(tmp_path)) as shop:
        view = shop.run(RESTORE)
        assert (view.verdict, view.committed) == ("no fault found", False)


STOPS = [step.id for step in NRF91.flow("restore").plan]


@pytest.mark.parametrize("step", STOPS)
def test_a_stop_asked_for_in_any_step_leaves_the_mode_as_it_was(tmp_path, step):
    """In the one-way stretch it goes on to the comparison."""
    scenario = unit(application=TRACKER)
    with bench(tmp_path, scenario, **answers(tmp_path)) as shop:

        def stop_in_step(message):
            if "run" in message and message["run"] in shop.bench.runs():
                view = shop.bench.runs()[message["run"]]
                if view.current is not None and view.current.id == step and not view.stopping:
                    shop.bench.stop_run(view.run, "test")

        shop.bench.listen(stop_in_step)
        view = shop.run(RESTORE)

        # In "power" the board is off when the stop comes: its own start sets the mode.
        assert shop.bus.simulator("1-1").modem.mode == 1 or step == "power"
        if view.committed:
            assert view.verdict == "repaired"
            assert held(shop)[LOST] == digest_of(CONTENTS[LOST])
        else:
            assert (view.verdict, view.ended.damage) == ("unfinished", "nothing written")


# --- rekey -----------------------------------------------------------------------------------


def test_a_key_made_in_the_modem_leaves_its_request_and_never_itself(tmp_path):
    """The request is one that OpenSSL's library takes, signed by the key that is in."""
    given = {"sheet": "", "tags": "3", "confirm_replace": "yes"}
    with bench(tmp_path, unit(application=TRACKER, contents=CONTENTS), **given) as shop:
        before = held(shop)
        view = shop.run("nrf91.rekey")
        request = (shop.state.artefacts(view.run) / "request-3.pem").read_bytes()

        assert view.verdict == "repaired"
        assert x509.load_pem_x509_csr(request).is_signature_valid
        assert before[3, 2] != held(shop)[3, 2]
        assert {p: d for p, d in before.items() if p != (3, 2)} == {
            p: d for p, d in held(shop).items() if p != (3, 2)
        }
        assert "certificate now under tag 3 is of the old key" in view.ended.to_do[1]
        assert shop.bus.simulator("1-1").modem.mode == 1


def test_a_modem_that_makes_no_key_is_said_with_what_is_lost(tmp_path):
    """The old key had to go first: that is named."""
    given = {"sheet": "", "tags": "3", "confirm_replace": "yes"}
    scenario = unit(contents=CONTENTS, faults=Faults(fails_keygen=True))
    with bench(tmp_path, scenario, **given) as shop:
        view = shop.run("nrf91.rekey")

        assert (view.verdict, view.ended.damage) == (
            "unfinished",
            "contents gone, bootloader alive",
        )
        assert "could not make a key" in view.ended.sentence
        assert pictures(shop, view)["after"] == set(CONTENTS) - {(3, 2)}


def test_a_new_pair_from_a_sheet_replaces_the_old_one(tmp_path):
    """Both halves, and only with consent."""
    key, certificate = sorted(client("new client", "new root"), key=lambda text: "CERT" in text)
    new = {(3, 1): certificate, (3, 2): key}
    given = {"sheet": sheet(tmp_path / "new", *new, contents=new), "confirm_replace": "no"}
    with bench(tmp_path, unit(contents=CONTENTS), **given) as shop:
        assert shop.run("nrf91.rekey").verdict == "unfinished"
        assert held(shop) == {pair: digest_of(text) for pair, text in CONTENTS.items()}
    with bench(tmp_path, unit(contents=CONTENTS), **given | {"confirm_replace": "yes"}) as shop:
        view = shop.run("nrf91.rekey")
        assert view.verdict == "repaired"
        assert held(shop) == {pair: digest_of(text) for pair, text in (CONTENTS | new).items()}


# --- reset -----------------------------------------------------------------------------------


def test_chosen_tags_are_deleted_and_nothing_else(tmp_path):
    """The picture first; consent typed."""
    with bench(tmp_path, unit(contents=CONTENTS | PSK), tags="3, 9") as shop:
        view = shop.run("nrf91.reset")

        assert (view.verdict, OTHERS in view.ended.advice) == ("repaired", True)
        assert set(held(shop)) == {pair for pair in CONTENTS if pair[0] != 3}
        assert pictures(shop, view)["before"] == set(CONTENTS | PSK)


@pytest.mark.parametrize("tags", ["4294967292", "all", "3;9", "3, 77"])
def test_tags_that_cannot_be_meant_delete_nothing(tmp_path, tags):
    """Not there, the modem's own, or no numbers."""
    with bench(tmp_path, unit(contents=CONTENTS), tags=tags) as shop:
        view = shop.run("nrf91.reset")
        assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        assert set(held(shop)) == set(CONTENTS)


def test_a_reset_without_the_typed_imei_deletes_nothing(tmp_path):
    """--yes is not consent to this, and another modem's IMEI is none."""
    with bench(tmp_path, unit(contents=CONTENTS)) as shop:
        first = shop.run("nrf91.reset", attended=False, yes=True, answers={"tags": "3"})
        other = {"tags": "3", "confirm_reset": "352656100000017"}
        second = shop.run("nrf91.reset", attended=False, answers=other)
        assert (first.ended.reason, second.verdict) == ("unanswered", "refused")
        assert set(held(shop)) == set(CONTENTS)


# --- proven ------------------------------------------------------------------------------------


def new_pair(root) -> tuple[dict[tuple[int, int], str], str]:
    key, certificate = sorted(client("new client", "new root"), key=lambda text: "CERT" in text)
    new = {(3, 1): certificate, (3, 2): key}
    return new, sheet(root / "new", *new, contents=new)


def changes(root) -> dict[str, tuple[str, dict[str, str]]]:
    """Every flow that changes the store, with its answers."""
    return {
        "key": ("nrf91.rekey", {"sheet": "", "tags": "3", "confirm_replace": "yes"}),
        "pair": ("nrf91.rekey", {"sheet": new_pair(root)[1], "confirm_replace": "yes"}),
        "reset": ("nrf91.reset", {"tags": "3"}),
    }


@pytest.mark.parametrize("change", ["key", "pair", "reset"])
@pytest.mark.parametrize(
    ("keeps", "hands", "verdict", "words"),
    [
        (Keeps.AT_ONCE, True, "repaired", "before and after a power cycle"),
        (Keeps.FLUSHED, True, "repaired", "before and after a power cycle"),
        (Keeps.NEVER, True, "unfinished", "After the power cycle the store is not as it was"),
        (Keeps.AT_ONCE, False, "repaired", "power-cycle not proven"),
    ],
)
def test_every_change_is_proven_across_a_power_cycle_or_says_that_it_is_not(
    tmp_path, change, keeps, hands, verdict, words
):
    """A worn store shows only then; what was deleted may come back."""
    flow, given = changes(tmp_path)[change]
    scenario = unit(application=TRACKER, contents=CONTENTS, faults=Faults(keeps=keeps))
    with bench(tmp_path / "state", scenario, hands=hands, **given) as shop:
        typed = {"confirm_reset": IMEI} if change == "reset" else {}
        how = {} if hands else {"attended": False, "answers": given | typed}
        view = shop.run(flow, **how)

        assert (view.verdict, words in view.ended.sentence) == (verdict, True), view.ended
        assert ("after-power-cycle" in pictures(shop, view)) == hands
        assert shop.bus.simulator("1-1").modem.mode == 1


# --- flash -----------------------------------------------------------------------------------


def image(root, size: int = 6000) -> dict[str, str]:
    root.mkdir(parents=True, exist_ok=True)
    path = root / "app_update.bin"
    path.write_bytes(build("tracker", (2, 0, 0), size))
    return {"image": str(path)}


@pytest.mark.parametrize(
    ("recovery", "faults"),
    [
        ({}, Faults()),
        ({"recovery": PLAIN}, Faults()),
        ({"recovery": OLDEST}, Faults()),
        ({}, Faults(loses_answer=30)),
    ],
)
def test_an_application_is_written_and_proven(tmp_path, recovery, faults):
    """By the bootloader's own digest, or by the application's answer where it tells none."""
    scenario = unit(faults=faults, **recovery)
    with bench(tmp_path, scenario, **image(tmp_path / "image")) as shop:
        view = shop.run("nrf91.flash")
        assert (view.verdict, view.ended.damage) == ("repaired", "nothing written"), view.ended


@pytest.mark.parametrize("offset", [0, 256, 4096])
def test_an_upload_that_broke_off_is_mended_by_running_again(tmp_path, offset):
    """The cable slips in the middle of it; the bootloader stays alive."""
    scenario = unit(faults=Faults(unplugged_at=offset))
    with bench(tmp_path, scenario, **image(tmp_path / "image")) as shop:
        first = shop.run("nrf91.flash")
        assert (first.verdict, first.ended.damage) == (
            "unfinished",
            "contents gone, bootloader alive",
        )
        shop.bus.plug("1-1")
        second = shop.run("nrf91.flash")
        assert (second.verdict, second.continues) == ("repaired", first.run)


@pytest.mark.parametrize("faults", [Faults(flips_image_byte=3000), Faults(fails_upload_with=1)])
def test_all_bytes_sent_is_not_done(tmp_path, faults):
    """A byte that changed on the way, and a refusal in the middle."""
    with bench(tmp_path, unit(faults=faults), **image(tmp_path / "image")) as shop:
        view = shop.run("nrf91.flash")
        assert (view.verdict, view.ended.damage) == (
            "unfinished",
            "contents gone, bootloader alive",
        )


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("mfw_nrf9160_1.3.6.zip", lambda data: b"PK" + data, "modem firmware"),
        ("dfu_application.zip", lambda data: b"PK" + data, "archive"),
        ("merged.bin", lambda data: b"\0" * 512 + data, "no image for MCUboot"),
        ("app.bin", lambda data: data[:3000], "trailer is not there"),
        ("app.bin", lambda data: data[:900] + b"x" + data[901:], "another digest"),
        ("app.hex", lambda data: data, "not valid Intel HEX"),
        ("gone.bin", None, "is not there"),
    ],
)
def test_an_image_that_cannot_be_meant_is_refused_first(tmp_path, name, change, words):
    """Modem firmware is told where it must go."""
    path = tmp_path / name
    if change is not None:
        path.write_bytes(change(build("tracker", (2, 0, 0), 6000)))
    with bench(tmp_path, unit(), image=str(path)) as shop:
        ended = shop.run("nrf91.flash").ended
        assert (ended.verdict, words in ended.sentence, shop.bus.calls) == ("refused", True, 0)
        if "modem firmware" in words:
            assert "debug probe" in ended.advice
            assert "keeps the credentials" in ended.advice


# --- what is in no file ----------------------------------------------------------------------


def spellings(secret: str) -> tuple[bytes, ...]:
    raw = secret.encode()
    return raw, base64.b64encode(raw)[4:-4], raw.hex().encode(), raw.hex().upper().encode()


@pytest.mark.parametrize("application", [TRACKER, ECHOES, SHELL], ids=lambda it: it.name)
@pytest.mark.parametrize("fault", [{}, {"refuses_with": 527}, {"mute_after": 14}], ids=str)
def test_no_key_and_no_psk_is_in_any_file_whatever_becomes_of_the_run(
    tmp_path, capfd, fault, application
):
    """The canary, the AT line that carries it included: journal, trace, artefacts, our output."""
    secrets = {(3, 2): CONTENTS[3, 2], (9, 3): hashlib.sha256(b"canary").hexdigest()}
    left = {p: t for p, t in CONTENTS.items() if p != (3, 2)}
    given = answers(tmp_path / "given", *secrets, contents=CONTENTS | secrets)
    scenario = unit(application=application, contents=left, faults=Faults(**fault))
    told = []
    with bench(tmp_path / "state", scenario, **given) as shop:
        shop.bench.listen(lambda message: told.append(repr(message)))
        view = shop.run(RESTORE)
        assert (view.verdict == "repaired") == (not fault), view.ended
        written = any(b"AT%CMNG=0" in data for data in shop.bus.sent)
        assert written or "mute_after" in fault
        whole = repr(view) + repr(view_of(shop.state, view.run))
    middle = [CONTENTS[3, 2].splitlines()[1][:40], secrets[9, 3]]
    words = [spelled for secret in middle for spelled in spellings(secret)]
    files = {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()}
    heard = ("".join(capfd.readouterr()) + "".join(told) + whole).encode()

    assert files
    assert [path for path, data in files.items() if any(word in data for word in words)] == []
    assert not any(word in heard for word in words)
    assert IMEI.encode() in b"".join(files.values())
