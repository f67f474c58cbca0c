"""A backup that tells nothing of its key: which key on the device it is, the device itself says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from console.families.smartcardhsm import twins
from console.families.smartcardhsm.blob import KeyType
from console.families.smartcardhsm.client import SmartCardHsm
from console.families.smartcardhsm.description import Description
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.simulator import PIN, initialised, with_key
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_keys import Key
from tests.families.smartcardhsm.restoring import keys_of
from tests.families.smartcardhsm.sticks import (
    USER,
    backed_up,
    bench,
    card,
    of,
    quick,
    sealed,
)
from tests.families.smartcardhsm.test_hsm_others import Line
from tests.harness import workshop

CHECK, RESTORE = "smartcardhsm.check", "smartcardhsm.restore"
UNWRAP, DELETE = 0x74, 0xE4
FREE_TO_AGREE = b"\x73\x80\x92"
ONLY_SIGNS = b"\x73\x92"
__all__ = ["quick"]


def source(**options):
    return card(setup=lambda made: with_key(initialised(made), 1, "mail", **options))


def half(shop, number: int = 1) -> None:
    """As UNWRAP leaves it that nothing followed: the source's key, and nothing beside it."""
    applet = of(shop, "1-2").applet
    applet.keys[number] = of(shop, "1-1").applet.keys[1]
    applet.files.put(0xCC00 | number, b"")


def bare(shop, folder):
    """The backup without description and certificate, as other programs leave one."""
    files = backed_up(shop, folder)
    for path in files.iterdir():
        file = KeyFile.parse(path.name, path.read_bytes())
        path.write_bytes(replace(file, about=b"", certificate=b"").encode())
    return files


@pytest.mark.parametrize(
    "options",
    [{}, {"rsa_bits": 2048}, {"algorithms": FREE_TO_AGREE}],
    ids=["EC", "RSA", "EC that may agree"],
)
def test_a_half_restored_key_is_told_by_its_own_answers_and_described(tmp_path, options):
    """Not left half, and not there twice afterwards."""
    with workshop(tmp_path, bench(source(**options), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop)
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})
        applet = of(shop, "1-2").applet

        assert view.verdict == "repaired", view.ended
        assert "Proven by a signature" in view.ended.proof[0]
        assert keys_of(shop, "1-2") == {1}
        about = Description.parse(applet.files.content(0xC401))
        assert about.bits == applet.keys[1].private.key_size
        assert shop.run(CHECK, "1-2").verdict == "no fault found"


def test_the_same_restored_twice_is_there_once(tmp_path):
    with workshop(tmp_path, bench(source(), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        for _ in range(2):
            view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})
            assert view.verdict == "repaired", view.ended
            assert view.ended.proof
        assert keys_of(shop, "1-2") == {1}


def test_another_half_key_of_the_same_kind_is_left_alone(tmp_path):
    """Its own backup mends it; this one is imported beside it."""
    with workshop(tmp_path, bench(source(), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop)
        other = Key(ec.generate_private_key(ec.SECP256R1()))
        of(shop, "1-2").applet.keys[1] = other
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})
        applet = of(shop, "1-2").applet

        assert view.verdict == "repaired", view.ended
        mail = of(shop).applet.keys[1].private.public_key()
        assert applet.keys[1] is other
        assert applet.keys[2].private.public_key() == mail
        assert 0xC401 not in applet.files
        assert 0xC402 in applet.files


def test_what_cannot_be_told_is_said_and_nothing_is_written(tmp_path):
    """The key may only sign, so it shows nothing of itself; a free number is a way on."""
    with workshop(tmp_path, bench(source(algorithms=ONLY_SIGNS), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop)
        answers = {"backup": str(files), "pin": USER}
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "refused"
        assert "cannot be told" in view.ended.sentence
        assert "key shares" in view.ended.advice
        assert "number, such as 2" in view.ended.advice
        assert keys_of(shop, "1-2") == {1}
        again = shop.run(RESTORE, "1-2", answers=answers | {"keys": "2"})
        assert again.verdict == "unfinished", again.ended
        assert "not proven by a signature: key 2" in again.ended.sentence
        assert keys_of(shop, "1-2") == {1, 2}


def test_with_the_shares_it_is_told_whatever_the_key_may_do(tmp_path, quick):
    """The device wraps the key it has, and what is inside is compared."""
    with workshop(tmp_path, bench(source(algorithms=ONLY_SIGNS), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop)
        share = sealed(tmp_path / "a.pbe", b"geheim")
        answers = {"backup": str(files), "shares": str(share), "share_passwords": "geheim"}
        view = shop.run(RESTORE, "1-2", answers=answers | {"pin": USER})

        assert view.verdict == "repaired", view.ended
        assert keys_of(shop, "1-2") == {1}
        assert 0xC401 in of(shop, "1-2").applet.files


def test_the_shares_tell_keys_of_no_known_curve_apart(tmp_path, quick, monkeypatch):
    """No public half at all: as AES, or a curve that the library lacks."""
    from console.families.smartcardhsm import curves

    monkeypatch.setattr(curves, "CURVES", ())
    monkeypatch.setattr(curves, "OLDER", ())
    with workshop(tmp_path, bench(source(), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop, 7)
        share = sealed(tmp_path / "a.pbe", b"geheim")
        answers = {"backup": str(files), "shares": str(share), "share_passwords": "geheim"}
        view = shop.run(RESTORE, "1-2", answers=answers | {"pin": USER})

        assert keys_of(shop, "1-2") == {7}, view.ended
        assert ("Proven by what the device wraps of it: key 7",) == tuple(
            proof.partition(",")[0] for proof in view.ended.proof
        )
        assert [apdu for apdu in shop.bus.sent if apdu[1] == UNWRAP] == []


def test_a_number_that_is_named_for_the_half_key_is_its_own(tmp_path):
    with workshop(tmp_path, bench(source(), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop, 4)
        answers = {"backup": str(files), "pin": USER, "keys": "4"}
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "repaired", view.ended
        assert keys_of(shop, "1-2") == {4}


def test_a_number_that_another_half_key_has_stays_taken(tmp_path):
    """What was imported to compare is taken off again."""
    with workshop(tmp_path, bench(source(), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop, 4)
        of(shop, "1-2").applet.keys[4] = Key(ec.generate_private_key(ec.SECP256R1()))
        answers = {"backup": str(files), "pin": USER, "keys": "4"}
        view = shop.run(RESTORE, "1-2", answers=answers)

        assert view.verdict == "refused"
        assert "Number 4 is taken" in view.ended.sentence
        assert keys_of(shop, "1-2") == {4}


def test_what_a_broken_off_comparison_left_is_described_as_well(tmp_path):
    """Killed between the import and the comparison: the key is there twice, half both times."""
    with workshop(tmp_path, bench(source(), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop, 1)
        half(shop, 2)
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended
        assert "Key 2 is key 1 once more" in str(view.ended.warnings)
        assert shop.run(CHECK, "1-2").verdict == "no fault found"


def test_a_copy_that_does_not_go_away_is_said(tmp_path):
    stuck = Fault(DELETE, Outcome.REFUSED, status=0x6982, times=99)
    with workshop(tmp_path, bench(source(), card("DENK0109002", faults=(stuck,)))) as shop:
        files = bare(shop, tmp_path / "backup")
        half(shop)
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended
        assert "key 1 once more" in str(view.ended.warnings)
        assert 0xC401 in of(shop, "1-2").applet.files


@pytest.mark.parametrize(
    ("kind", "rsa_bits"), [(KeyType.EC, 0), (KeyType.RSA, 2048), (KeyType.RSA_CRT, 1024)]
)
def test_a_public_half_is_what_the_key_is(kind, rsa_bits):
    made = with_key(card()(), 1, "k", rsa_bits=rsa_bits)
    hsm = SmartCardHsm.open(Line(made))
    assert twins.public_half(hsm, 1, kind) is None  # the PIN is not given
    hsm.verify(PIN)

    assert twins.public_half(hsm, 1, kind) == made.applet.keys[1].private.public_key()
    assert twins.public_half(hsm, 1, KeyType.AES) is None


def test_an_unplug_at_every_transfer_of_a_comparison_leaves_nothing_half(tmp_path):
    """A copy may stay; whatever is there is described by the next run, and works."""
    with workshop(tmp_path / "source", bench(source(), card("DENK0109002"))) as shop:
        files = bare(shop, tmp_path / "backup")
        mail = of(shop).applet.keys[1]
        half(shop)
        before = shop.bus.calls
        answers = {"backup": str(files), "pin": USER}
        assert shop.run(RESTORE, "1-2", answers=answers).verdict == "repaired"
        transfers = shop.bus.calls - before
    assert transfers > 30
    for at in range(10, transfers + 1):
        with workshop(tmp_path / str(at), bench(card("DENK0109002"))) as shop:
            of(shop).applet.keys[1] = mail
            of(shop).applet.files.put(0xCC01, b"")
            shop.bus.fault = lambda n, at=at, shop=shop: shop.bus.pull("1-1") if n == at else None
            first = shop.run(RESTORE, answers=answers)
            shop.bus.fault = lambda n: None
            assert first.verdict in ("unfinished", "repaired"), (at, first.ended)
            if not shop.bus.scan():
                shop.bus.plug("1-1")
            second = shop.run(RESTORE, answers=answers)

            assert second.verdict == "repaired", (at, second.ended)
            assert keys_of(shop, "1-1") in ({1}, {1, 2}), at
            assert 0xC401 in of(shop).applet.files, at
            assert shop.run(CHECK).verdict == "no fault found", at
