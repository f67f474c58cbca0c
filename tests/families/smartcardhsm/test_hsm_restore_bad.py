"""Keys come back onto an HSM: bad input and interruptions; nothing is half done or lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.families.smartcardhsm import share
from console.families.smartcardhsm.simulator import OTHER_SHARE, SHARE, with_key
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_rows import (
    HSM_3_4,
)
from tests.families.smartcardhsm.restoring import (
    RESTORE,
    UNWRAP,
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
    quick,
    sealed,
    with_ec,
)
from tests.harness import workshop
from tests.realdata import real

__all__ = ["quick"]

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
