"""A restore calls repaired what is proven; what is on the device and is not, it says by name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from console.families.smartcardhsm import proof, twins
from console.families.smartcardhsm.client import SmartCardHsm
from console.families.smartcardhsm.dkek import Dkek
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.proof import Proof
from console.families.smartcardhsm.simulator import PIN, initialised, with_key
from tests.families.smartcardhsm.restoring import RESTORE
from tests.families.smartcardhsm.sticks import (
    SHARE,
    USER,
    backed_up,
    bench,
    card,
    quick,
    sealed,
    with_ec,
)
from tests.families.smartcardhsm.test_hsm_others import Line
from tests.harness import workshop

__all__ = ["quick"]
ONLY_WRAPPED = b"\x92"
OTHER_EC = ec.generate_private_key(ec.SECP256R1()).public_key()
OTHER_RSA = rsa.generate_private_key(65537, 2048).public_key()


def answers(files, **more: str) -> dict[str, str]:
    return {"backup": str(files), "pin": USER, **more}


# --- what a key shows of itself ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "rsa_bits", "right", "other"),
    [
        (b"", 0, Proof.VERIFIED, Proof.WRONG),
        (b"\x73\x92", 0, Proof.VERIFIED, Proof.WRONG),
        (b"\x80\x92", 0, Proof.VERIFIED, Proof.WRONG),
        (b"", 2048, Proof.VERIFIED, Proof.WRONG),
        (ONLY_WRAPPED, 0, Proof.REFUSED, Proof.REFUSED),
        (ONLY_WRAPPED, 2048, Proof.REFUSED, Proof.REFUSED),
    ],
    ids=["EC", "EC that signs", "EC that agrees", "RSA", "EC that is wrapped", "RSA that is"],
)
def test_a_key_is_the_one_or_another_or_says_nothing(listed, rsa_bits, right, other):
    made = with_key(card()(), 1, "k", algorithms=listed, rsa_bits=rsa_bits)
    hsm = SmartCardHsm.open(Line(made))
    hsm.verify(PIN)

    assert proof.tried(hsm, 1, made.applet.keys[1].private.public_key()) is right
    assert proof.tried(hsm, 1, OTHER_RSA if rsa_bits else OTHER_EC) is other


def test_what_the_library_cannot_verify_is_not_called_wrong():
    hsm = SmartCardHsm.open(Line(with_ec(card()())))
    hsm.verify(PIN)

    def lacks(*_):
        raise UnsupportedAlgorithm("no such digest")

    key = SimpleNamespace(key_size=256, verify=lacks)
    assert proof.tried(hsm, 1, key) is Proof.REFUSED


# --- a verdict by what was proven -------------------------------------------------------------


@pytest.mark.parametrize("listed", [b"", b"\x73\x92"], ids=["any", "only signs"])
def test_a_key_under_the_certificate_of_another_is_never_repaired(tmp_path, listed):
    """The card signs, and what it signs does not verify, whatever the key is restricted to."""
    setup = lambda made: with_key(initialised(made), 1, "k", algorithms=listed)  # noqa: E731
    sticks = (card(setup=setup), card("DENK0109002"), card("DENK0109003", setup=setup))
    with workshop(tmp_path / "shop", bench(*sticks)) as shop:
        (one,) = backed_up(shop, tmp_path / "one").iterdir()
        (other,) = backed_up(shop, tmp_path / "other", "1-3").iterdir()
        whose = KeyFile.parse("other", other.read_bytes()).certificate
        mixed = replace(KeyFile.parse("one", one.read_bytes()), certificate=whose)
        one.write_bytes(mixed.encode())
        view = shop.run(RESTORE, "1-2", answers=answers(one))

        assert view.verdict == "unfinished", view.ended
        assert "key 1, k, and its signature does not verify" in view.ended.sentence
        assert "0 of 1 key" in view.ended.sentence
        assert "Do not use it" in view.ended.advice
        assert view.ended.proof == ()


def test_a_key_that_does_nothing_is_named_and_its_files_stay(tmp_path):
    """One that is proven beside it is said to be."""

    def two(made):
        return with_key(with_ec(made), 2, "silent", algorithms=ONLY_WRAPPED)

    with workshop(tmp_path / "shop", bench(card(setup=two), card("DENK0109002"))) as shop:
        files = backed_up(shop, shop.state.inbox / "2243")
        view = shop.run(RESTORE, "1-2", answers=answers(files, remove_files="remove"))

        assert view.verdict == "unfinished", view.ended
        assert "1 of 2 keys" in view.ended.sentence
        assert "not proven by a signature: key 2, silent" in view.ended.sentence
        assert len(view.ended.proof) == 1
        assert len(list(files.iterdir())) == 2
        assert any("stay in the inbox" in said.sentence for said in view.said)


def test_with_the_shares_a_key_that_does_nothing_is_proven_by_its_own_copy(tmp_path, quick):
    """The device wraps what it has, and inside is the file's secret; each proof is named."""

    def two(made):
        return with_key(with_ec(made), 2, "silent", algorithms=ONLY_WRAPPED)

    with workshop(tmp_path / "shop", bench(card(setup=two), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        share = sealed(tmp_path / "a.pbe", b"geheim")
        given = answers(files, shares=str(share), share_passwords="geheim")
        view = shop.run(RESTORE, "1-2", answers=given)

        assert view.verdict == "repaired", view.ended
        assert "1 proven by a signature, 1 proven by what the device wraps" in view.ended.sentence
        assert len(view.ended.proof) == 2


def test_a_silent_key_of_another_secret_is_not_proven_by_its_copy(tmp_path):
    """One at the number that the file names, put there by somebody else."""
    setup = lambda made: with_key(initialised(made), 1, "k", algorithms=ONLY_WRAPPED)  # noqa: E731
    with workshop(tmp_path / "shop", bench(card(setup=setup), card("DENK0109002"))) as shop:
        (file,) = backed_up(shop, tmp_path / "backup").iterdir()
        parsed = KeyFile.parse("k", file.read_bytes())
        unit = SimpleNamespace(hsm=SmartCardHsm.open(Line(card(setup=setup)())))
        unit.hsm.verify(PIN)
        dkek = Dkek.of_shares((SHARE,))

        assert parsed.blob.genuine(dkek)
        assert not twins.holds(unit, 1, parsed, dkek)
