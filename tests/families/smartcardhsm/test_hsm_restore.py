"""Keys come back onto an HSM: what works, and case 2."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.simulator import with_key
from console.families.smartcardhsm.simulator_rows import (
    HSM_2_6,
    HSM_3_1,
    HSM_3_4,
)
from tests.families.smartcardhsm.restoring import (
    RESTORE,
    UNWRAP,
    UPDATE,
    keys_of,
    three,
    waiting,
)
from tests.families.smartcardhsm.sticks import (
    KCV,
    USER,
    backed_up,
    bench,
    card,
    initialised,
    kept,
    of,
    with_ec,
)
from tests.harness import workshop
from tests.realdata import real

# --- what works -------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [HSM_2_6, HSM_3_4], ids=lambda row: row.name)
def test_a_backup_restored_elsewhere_signs_there(tmp_path, row):
    """Round trip between two devices, of several lines; the source is left as it was."""
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002", row))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        source = kept(shop, "1-1")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended
        assert "Proven by a signature" in view.ended.proof[0]
        assert keys_of(shop, "1-2") == {1}
        assert kept(shop, "1-1") == source
        again = KeyFile.parse("a", next(files.iterdir()).read_bytes())
        held = of(shop, "1-2").applet.files
        assert held.content(0xC401) == again.about
        assert held.content(0xCE01) == again.certificate


@pytest.mark.parametrize("name", ["p256", "rsa2048"])
def test_the_real_backup_comes_back_and_signs_for_its_public_key(tmp_path, name):
    """Share and wrapped keys by sc-hsm-tool; ten million rounds, in a process of its own."""
    with workshop(tmp_path, bench(card(setup=waiting(1)))) as shop:
        answers = {
            "backup": str(real(f"hsm/wrapped-{name}.bin")),
            "shares": str(real("hsm/dkek-share.pbe")),
            "share_passwords": "correct horse",
            "pin": USER,
        }
        view = shop.run(RESTORE, answers=answers)
        public = load_der_public_key(real(f"hsm/{name}.pub.der").read_bytes())

        assert view.verdict == "repaired", view.ended
        assert of(shop).applet.keys[1].private.public_key() == public
        assert of(shop).applet.domains[0].check_value.hex() == KCV


def test_the_folder_of_a_backup_run_is_restored_as_it_lies(tmp_path):
    """Its passport lies there, too, and what somebody noted; neither is taken for a key."""
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        run = shop.run("smartcardhsm.backup", answers={"pin": USER}).run
        folder = shop.state.artefacts(run)
        (folder / "note.txt").write_text("for the bank")
        answers = {"backup": str(folder), "pin": USER}
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert (folder / "device-passport.json").exists()
        assert view.verdict == "repaired", view.ended
        assert keys_of(shop, "1-2") == {1}


def test_the_backup_of_a_device_is_had_by_its_serial(tmp_path):
    """As its verdict says; the newest of that device, and only as it was made."""
    with workshop(tmp_path, bench(card(setup=three), card("DENK0109002"))) as shop:
        view = shop.run("smartcardhsm.backup", answers={"pin": USER})
        shop.run("smartcardhsm.backup", answers={"pin": USER, "keys": "1,2"})
        assert "by the name DENK0109001" in view.ended.advice
        answers = {"backup": "DENK0109001", "pin": USER}
        restored = shop.run(RESTORE, "1-2", answers=answers)
        assert restored.verdict == "repaired", restored.ended
        assert keys_of(shop, "1-2") == {1, 2}

        for path in shop.state.root.rglob("DENK0109001-key-02*"):
            path.write_bytes(b"changed")
        changed = shop.run(RESTORE, "1-2", answers=answers)
        assert (changed.verdict, "not here any more" in changed.ended.sentence) == ("refused", True)
        unknown = shop.run(RESTORE, "1-2", answers=answers | {"backup": "DENK0100000"})
        assert (unknown.verdict, "DENK0100000" in unknown.ended.sentence) == ("refused", True)


def test_a_restore_that_is_run_again_finds_its_keys_and_writes_nothing(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        answers = {"backup": str(files), "pin": USER}
        shop.run(RESTORE, "1-2", answers=answers)
        shop.bus.sent.clear()
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "repaired"
        assert keys_of(shop, "1-2") == {1}
        assert {apdu[1] for apdu in shop.bus.sent} & {UNWRAP, UPDATE} == set()


def test_a_dry_run_checks_everything_and_writes_nothing(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        before = kept(shop, "1-2")
        answers = {"backup": str(files), "pin": USER, "dry_run": "yes"}
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "no fault found"
        assert "Nothing was written" in view.ended.sentence
        assert kept(shop, "1-2") == before


def test_files_in_the_inbox_are_removed_at_the_end_and_no_others(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, shop.state.inbox / "2243")
        (sent,) = files.iterdir()
        elsewhere = backed_up(shop, tmp_path / "own") / sent.name
        answers = {"pin": USER, "remove_files": "remove"}
        shop.run(RESTORE, "1-2", answers={**answers, "backup": f"{elsewhere},{sent}"})

        assert elsewhere.exists()
        assert not sent.exists()


# --- case 2 -----------------------------------------------------------------------------------


def test_case_2_is_stopped_before_the_device_is_written_to_and_explained(tmp_path):
    """The blob's list and firmware 3.1: read first, said in words, and the key is not accused."""
    with workshop(tmp_path, "case-2") as shop:
        files = backed_up(shop, tmp_path / "backup")
        shop.bus.sent.clear()
        before = kept(shop, "1-2")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert (view.verdict, view.ended.reason) == ("refused", "gate")
        assert "algorithm list" in view.ended.sentence
        assert "keys and the backup are good" in view.ended.sentence
        assert "3.2" in view.ended.advice
        assert {apdu[1] for apdu in shop.bus.sent} <= {0xA4, 0xB1, 0x20, 0x52}
        assert kept(shop, "1-2") == before


@pytest.mark.parametrize("port", ["1-3", "1-4"])
def test_case_2_ends_on_a_device_that_takes_such_keys(tmp_path, port):
    """2.6 and 3.4 import what 3.1 exported; the source still has it."""
    with workshop(tmp_path, "case-2") as shop:
        files = backed_up(shop, tmp_path / "backup")
        shop.bus.plug(port)
        view = shop.run(RESTORE, port, answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended
        assert len(view.ended.proof) == 2
        assert of(shop).applet.keys.keys() == of(shop, port).applet.keys.keys()


def test_a_3_1_that_is_not_known_as_one_never_makes_the_key_bad(tmp_path):
    """Another version with the same fault: 6F00 is said as what it is."""
    odd = replace(HSM_3_1, minor=9)
    setup = lambda made: with_key(initialised(made), 1, "k", algorithms=b"\x73\x92")  # noqa: E731
    with workshop(tmp_path, bench(card(setup=setup), card("DENK0109002", odd))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "refused"
        assert "6F00" in view.ended.sentence
        assert "The key is not bad" in view.ended.advice
