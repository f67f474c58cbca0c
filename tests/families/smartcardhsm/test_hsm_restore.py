"""Backup and restore, with everything that may be wrong with what was brought."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from console.families.smartcardhsm import share
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.simulator import OTHER_SHARE, SHARE, with_key
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_rows import (
    HSM_2_6,
    HSM_3_1,
    HSM_3_4,
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
    quick,
    sealed,
    with_ec,
)
from tests.harness import workshop
from tests.realdata import real

RESTORE = "smartcardhsm.restore"
UNWRAP, UPDATE = 0x74, 0xD7
DESCRIPTIONS = 0xC4
__all__ = ["quick"]


def empty(made):
    return initialised(made)


def waiting(count: int, got: int = 0):
    """Initialised for so many shares, of which some are in."""

    def setup(made):
        from console.families.smartcardhsm.simulator_blob import Domain

        made = initialised(made, None)
        made.applet.domains = [Domain(count, count)]
        for at in range(got):
            made.applet.domains[0].add(bytes([at + 1]) * 32)
        return made

    return setup


def keys_of(shop, port: str) -> set[int]:
    return set(of(shop, port).applet.keys)


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


# --- bad input --------------------------------------------------------------------------------


def shares_answers(files, *paths, words="geheim"):
    return {
        "backup": str(files),
        "shares": ",".join(map(str, paths)),
        "share_passwords": words,
        "pin": USER,
    }


def stands(shop, view, before, *words: str) -> None:
    """Refused in words, nothing written, no PIN spent."""
    text = f"{view.ended.sentence} {view.ended.advice}"
    assert view.verdict == "refused", view.ended
    assert [word for word in words if word not in text] == []
    assert kept(shop, "1-2") == before


@pytest.fixture
def pair(tmp_path, quick):
    """A source with a key, and a device that waits for one share of the same DKEK."""
    scenario = bench(card(setup=with_ec), card("DENK0109002", setup=waiting(1)))
    with workshop(tmp_path / "shop", scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        yield shop, files, kept(shop, "1-2"), tmp_path


def test_the_wrong_share_password_is_said_and_nothing_happened(pair):
    shop, files, before, root = pair
    path = sealed(root / "a.pbe", b"geheim")
    view = shop.run(RESTORE, "1-2", answers=shares_answers(files, path, words="falsch!"))

    stands(shop, view, before, "a.pbe", "does not open")


def test_a_share_of_another_set_is_found_by_its_check_value(pair):
    shop, files, before, root = pair
    path = sealed(root / "a.pbe", b"geheim", OTHER_SHARE)
    view = shop.run(RESTORE, "1-2", answers=shares_answers(files, path))

    stands(shop, view, before, KCV, "another set")


@pytest.mark.parametrize("salt", [b"salzsalz", b"zuckerzu"])
def test_a_share_given_twice_is_noticed(tmp_path, quick, salt):
    """As the same file, and as the same share in two files."""
    scenario = bench(card(setup=with_ec), card("DENK0109002", setup=waiting(2)))
    with workshop(tmp_path / "shop", scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        before = kept(shop, "1-2")
        one = sealed(tmp_path / "a.pbe", b"geheim")
        two = sealed(tmp_path / "b.pbe", b"geheim", salt=salt)
        view = shop.run(RESTORE, "1-2", answers=shares_answers(files, one, two))

        stands(shop, view, before, "the same share", "cancel")


def test_two_shares_with_a_password_each_make_the_dkek(tmp_path, quick):
    """In any order; one line a share; names relative to the first one's folder."""
    other = bytes(a ^ b for a, b in zip(SHARE, OTHER_SHARE, strict=True))
    scenario = bench(card(setup=with_ec), card("DENK0109002", setup=waiting(2)))
    with workshop(tmp_path / "shop", scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        one = sealed(tmp_path / "a.pbe", b"eins", OTHER_SHARE)
        sealed(tmp_path / "b.pbe", b"zwei", other)
        answers = shares_answers(files, one, "b.pbe", words="eins\nzwei")
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "repaired", view.ended
        assert of(shop, "1-2").applet.domains[0].check_value.hex() == KCV


def test_shares_alone_are_given_to_a_device_that_waits_for_them(tmp_path, quick):
    """After a reset, before there is any key to restore."""
    with workshop(tmp_path / "shop", bench(card(setup=waiting(1)))) as shop:
        answers = shares_answers("", sealed(tmp_path / "a.pbe", b"geheim"))
        view = shop.run(RESTORE, answers=answers)
        neither = shop.run(RESTORE, answers={"pin": USER})

        assert view.verdict == "repaired", view.ended
        assert KCV in view.ended.sentence
        assert neither.verdict == "refused"


def test_shares_that_were_begun_cannot_be_guessed(tmp_path, quick):
    """One of two is in and the device does not say which: asked for, never tried out."""
    scenario = bench(card(setup=with_ec), card("DENK0109002", setup=waiting(2, got=1)))
    with workshop(tmp_path / "shop", scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        before = kept(shop, "1-2")
        paths = (sealed(tmp_path / f"{n}.pbe", b"geheim", bytes([n]) * 32) for n in (1, 2))
        view = shop.run(RESTORE, "1-2", answers=shares_answers(files, *paths))

        stands(shop, view, before, "1 of 2 key shares were given", "which")


@pytest.mark.parametrize("size", [0, 40, 200, -1])
def test_a_cut_backup_is_refused_before_the_device_hears_of_it(pair, size):
    shop, files, before, _ = pair
    (path,) = files.iterdir()
    path.write_bytes(path.read_bytes()[:size])
    shop.bus.sent.clear()
    view = shop.run(RESTORE, "1-2", answers={"backup": str(path), "pin": USER})

    stands(shop, view, before, "cut off")
    assert shop.bus.sent == []


def test_an_edited_backup_is_found_where_the_dkek_is_known(pair):
    shop, files, before, root = pair
    (path,) = files.iterdir()
    data = bytearray(path.read_bytes())
    data[120] ^= 1
    path.write_bytes(bytes(data))
    share_path = sealed(root / "a.pbe", b"geheim")
    view = shop.run(RESTORE, "1-2", answers=shares_answers(files, share_path))

    stands(shop, view, before, "was changed")


def test_an_edited_backup_is_refused_by_the_device_where_the_dkek_is_not_known(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        (path,) = files.iterdir()
        data = bytearray(path.read_bytes())
        data[120] ^= 1
        path.write_bytes(bytes(data))
        view = shop.run(RESTORE, "1-2", answers={"backup": str(path), "pin": USER})

        assert view.verdict == "refused"
        assert "the file was changed" in view.ended.advice
        assert keys_of(shop, "1-2") == set()


def test_a_taken_number_is_said_and_a_free_one_offered(tmp_path):
    other = lambda made: with_key(initialised(made), 1, "other")  # noqa: E731
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002", setup=other))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        before = kept(shop, "1-2")
        answers = {"backup": str(files), "pin": USER, "keys": "1"}
        view = shop.run(RESTORE, "1-2", answers=answers)
        stands(shop, view, before, "taken", "other", "2")

        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})
        assert view.verdict == "repaired"
        assert keys_of(shop, "1-2") == {1, 2}


def three(made):
    made = initialised(made)
    for number in (1, 2, 3):
        made = with_key(made, number, f"key {number}")
    return made


def test_memory_full_at_the_third_key_names_what_is_there(tmp_path):
    """Two keys are proven, the third is said; the same on a larger one works."""
    full = Fault(UNWRAP, Outcome.REFUSED, after=2, times=99, status=0x6A84)
    scenario = bench(card(setup=three), card("DENK0109002", faults=(full,)), card("DENK0109003"))
    with workshop(tmp_path, scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        source = kept(shop, "1-1")
        answers = {"backup": str(files), "pin": USER}
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "unfinished"
        assert "full at key 3" in view.ended.sentence
        assert "2 of 3 keys" in view.ended.sentence
        assert keys_of(shop, "1-2") == {1, 2}
        assert kept(shop, "1-1") == source
        assert shop.run(RESTORE, "1-3", answers=answers).verdict == "repaired"


def test_a_memory_that_ends_anywhere_is_named_and_a_larger_one_finishes(tmp_path):
    """In the transfer file, in UNWRAP, in a description or a certificate: byte by some bytes."""
    with workshop(tmp_path / "source", bench(card(setup=three))) as shop:
        files = backed_up(shop, tmp_path / "backup")
    answers, stopped = {"backup": str(files), "pin": USER}, set()
    for memory in range(1400, 5000, 150):
        small = card("DENK0109002", replace(HSM_3_4, memory=memory))
        with workshop(tmp_path / str(memory), bench(small)) as shop:
            view = shop.run(RESTORE, answers=answers)
            if view.verdict == "repaired":
                break
            assert view.verdict == "unfinished", (memory, view.ended)
            assert "memory of the device is full at key" in view.ended.sentence, memory
            whole = len(view.ended.proof)
            assert f"{whole} of 3 keys" in view.ended.sentence, memory
            there = len(keys_of(shop, "1-1"))
            assert there - whole in (0, 1), memory
            stopped.add((whole, there))
            of(shop).applet.firmware = HSM_3_4
            assert shop.run(RESTORE, answers=answers).verdict == "repaired", memory
            assert keys_of(shop, "1-1") == {1, 2, 3}
    # None, one and two were whole when it ended; with another half there, and without.
    assert {(0, 0), (1, 1), (2, 2)} <= stopped
    assert {(0, 1), (1, 2), (2, 3)} & stopped
    assert view.verdict == "repaired"


def test_a_device_without_key_shares_takes_nothing(tmp_path):
    none = lambda made: initialised(made, None)  # noqa: E731
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002", setup=none))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        before = kept(shop, "1-2")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        stands(shop, view, before, "without key shares")


def test_a_device_with_another_dkek_takes_nothing(tmp_path):
    with workshop(tmp_path, "hsm-wrong-dkek") as shop:
        files = backed_up(shop, tmp_path / "backup")
        before = kept(shop, "1-2")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        stands(shop, view, before, KCV)


def test_a_wrong_pin_is_tried_once_and_the_last_one_never(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        answers = {"backup": str(files), "pin": "999999"}
        said = [shop.run(RESTORE, "1-2", answers=answers).ended.sentence for _ in range(4)]

        assert "2 tries left" in said[0]
        assert all("1 try left" in sentence for sentence in said[1:])
        verify = [apdu for apdu in shop.bus.sent if apdu[:4] == bytes.fromhex("00200081")]
        assert sum(len(apdu) > 4 and b"999999" in apdu for apdu in verify) == 2


# --- interruptions ----------------------------------------------------------------------------


def test_the_reader_pulled_between_unwrap_and_description_is_named_and_mended(tmp_path):
    """No program sees the key; the next run finds it by listing and imports nothing."""
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        answers = {"backup": str(files), "pin": USER}

        def pull(_):
            if shop.bus.sent and shop.bus.sent[-1][1] == UNWRAP:
                shop.bus.fault = lambda n: None
                shop.bus.pull("1-2")

        shop.bus.fault = pull
        first = shop.run(RESTORE, "1-2", answers=answers)
        shop.bus.plug("1-2")
        assert first.verdict == "unfinished"
        assert "without its description" in first.ended.advice
        assert keys_of(shop, "1-2") == {1}
        assert 0xC401 not in of(shop, "1-2").applet.files

        shop.bus.sent.clear()
        second = shop.run(RESTORE, "1-2", answers=answers)
        assert second.verdict == "repaired"
        assert keys_of(shop, "1-2") == {1}
        assert 0xC401 in of(shop, "1-2").applet.files
        assert [apdu for apdu in shop.bus.sent if apdu[1] == UNWRAP] == []


def test_an_unplug_at_every_transfer_ends_named_and_the_next_run_finishes(tmp_path):
    """The cable may go at any moment of a restore."""
    scenario = bench(card(setup=with_ec), card("DENK0109002"))
    with workshop(tmp_path / "count", scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        before = shop.bus.calls
        shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})
        transfers = shop.bus.calls - before
    assert transfers > 20
    for at in range(1, transfers + 1):
        with workshop(tmp_path / str(at), bench(card("DENK0109002"))) as shop:
            shop.bus.fault = lambda n, at=at, shop=shop: shop.bus.pull("1-1") if n == at else None
            answers = {"backup": str(files), "pin": USER}
            first = shop.run(RESTORE, answers=answers)
            shop.bus.fault = lambda n: None
            assert first.verdict in ("unfinished", "repaired"), (at, first.ended)
            assert first.ended.advice, at
            if not shop.bus.scan():
                shop.bus.plug("1-1")
            second = shop.run(RESTORE, answers=answers)

            assert second.verdict == "repaired", (at, second.ended)
            assert keys_of(shop, "1-1") == {1}, at


def test_an_error_after_a_success_is_no_failure(tmp_path):
    """The answer to UNWRAP is lost on the way; what the device lists decides."""
    lost = Fault(UNWRAP, Outcome.GARBLED)
    with workshop(
        tmp_path, bench(card(setup=with_ec), card("DENK0109002", faults=(lost,)))
    ) as shop:
        files = backed_up(shop, tmp_path / "backup")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended


def test_a_success_that_was_none_is_no_success(tmp_path, monkeypatch):
    """It says 9000 and imports nothing."""
    scenario = bench(card(setup=with_ec), card("DENK0109002"))
    with workshop(tmp_path, scenario) as shop:
        files = backed_up(shop, tmp_path / "backup")
        applet = of(shop, "1-2").applet
        monkeypatch.setattr(applet, "_unwrap", lambda command: b"")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "refused"
        assert "does not list it" in view.ended.sentence


def test_a_stop_in_the_middle_of_the_rounds_ends_it_at_once(tmp_path):
    """Ten million rounds are under way in a process of their own."""
    with workshop(tmp_path, bench(card(setup=waiting(1)))) as shop:

        def stop(message):
            if "progress" in message and "share" in message["what"]:
                shop.bench.stop_run(message["progress"], "test")

        shop.bench.listen(stop)
        path = real("hsm/dkek-share.pbe")
        answers = {
            "backup": str(real("hsm/wrapped-p256.bin")),
            "shares": str(path),
            "share_passwords": "wrong",
            "pin": USER,
        }
        view = shop.run(RESTORE, answers=answers)

        assert (view.verdict, view.ended.reason) == ("unfinished", "stopped")
        assert share.ROUNDS == 10_000_000
