"""Which of a backup's keys is put back, where it holds more than one that might be meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from console.errors import BadUsage
from console.families.openpgp import backup
from console.families.openpgp.objects import Slot
from console.families.openpgp.packets import packet
from console.families.openpgp.publickey import mpi, of_library
from console.families.openpgp.unlock import Locked

MADE = 1_700_000_000
DAY = 86_400
C, S, E, A, SC = 0x01, 0x02, 0x0C, 0x20, 0x03
SELF, SUB, REVOKED_KEY, REVOKED_SUB = 0x13, 0x18, 0x20, 0x28
PRIMARY, SUBKEY = 5, 7
STUB = bytes.fromhex("ff006500474e5501")
"""What gpg leaves of a primary with --export-secret-subkeys."""


class Owner:
    """A primary and its subkeys, written as gpg writes them; the signatures' numbers are none."""

    def __init__(self, flags: int, *, stub: bool = False, made: int = MADE) -> None:
        self.body, self.primary = secret(made, decrypts=False, stub=stub)
        self.data = packet(PRIMARY, self.body) + packet(13, b"Owner <owner@example.org>")
        self.sign(SELF, made, flags)

    def sign(self, kind: int, made: int, flags: int = 0, valid: int = 0, by: bytes = b"") -> Owner:
        hashed = subpacket(2, made.to_bytes(4, "big"))
        hashed += subpacket(27, bytes((flags,))) if flags else b""
        hashed += subpacket(9, valid.to_bytes(4, "big")) if valid else b""
        hashed += subpacket(29, b"\x00") if kind in (REVOKED_KEY, REVOKED_SUB) else b""
        other = subpacket(16, by or self.primary[-8:])
        body = bytes((4, kind, 22, 8)) + len(hashed).to_bytes(2, "big") + hashed
        body += len(other).to_bytes(2, "big") + other + b"\x12\x34" + mpi(0x1234) * 2
        self.data += packet(2, body)
        return self

    def sub(self, flags: int, made: int, valid: int = 0) -> bytes:
        """Add a subkey; its fingerprint."""
        body, fingerprint = secret(made, decrypts=flags == E)
        self.data += packet(SUBKEY, body)
        self.sign(SUB, made, flags, valid)
        return fingerprint

    def chosen(self, *slots: Slot, now: int = 0) -> dict[Slot, bytes]:
        keys = backup.parse("keys.gpg", self.data).keys(slots, "", 0, now)
        return {slot: key.fingerprint for slot, key in keys.items()}


def subpacket(kind: int, value: bytes) -> bytes:
    return bytes((len(value) + 1, kind)) + value


def secret(made: int, *, decrypts: bool, stub: bool = False) -> tuple[bytes, bytes]:
    """The body of a secret key packet, and its fingerprint."""
    kind = x25519.X25519PrivateKey if decrypts else ed25519.Ed25519PrivateKey
    key = kind.generate()
    raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    plain = mpi(int.from_bytes(raw, "little" if decrypts else "big"))
    public = of_library(key.public_key(), decrypts)
    assert public is not None

    ending = b"\0" + plain + (sum(plain) & 0xFFFF).to_bytes(2, "big")
    body = public.body(made) + (STUB if stub else ending)
    return body, Locked.parse(body).fingerprint


def test_a_primary_that_only_certifies_is_no_signing_key_where_there_is_one():
    """[C] with [S] [E] [A], the first [E] expired: as careful owners keep them."""
    owner = Owner(C)
    sign = owner.sub(S, MADE + DAY)
    owner.sub(E, MADE + DAY, valid=DAY)
    decrypt = owner.sub(E, MADE + 9 * DAY)
    auth = owner.sub(A, MADE + 9 * DAY)
    assert owner.chosen() == {Slot.SIGN: sign, Slot.DECRYPT: decrypt, Slot.AUTH: auth}


def test_a_primary_that_only_certifies_signs_where_nothing_else_does():
    """[C] with [E]."""
    owner = Owner(C)
    decrypt = owner.sub(E, MADE)
    assert owner.chosen() == {Slot.SIGN: owner.primary, Slot.DECRYPT: decrypt}


def test_of_several_that_are_of_use_it_is_the_newest():
    """Whatever their order in the file."""
    owner = Owner(SC)
    newest = owner.sub(E, MADE + 2 * DAY)
    owner.sub(E, MADE + DAY)
    assert owner.chosen(Slot.DECRYPT) == {Slot.DECRYPT: newest}


def test_a_revoked_key_is_left_out_and_told():
    """The newer of two; then the one that is left, too."""
    owner = Owner(SC)
    older = owner.sub(E, MADE)
    newer = owner.sub(E, MADE + DAY)
    owner.sign(REVOKED_SUB, MADE + 2 * DAY)
    assert owner.chosen(Slot.DECRYPT) == {Slot.DECRYPT: older}
    told = backup.parse("keys.gpg", owner.data).left_out(())
    assert told == (f"{newer.hex().upper()} was revoked",)


def test_an_expired_key_that_is_taken_is_not_said_to_be_left_out():
    """It is the only one, and its slot was named."""
    owner = Owner(SC)
    only = owner.sub(E, MADE, valid=DAY)
    ends = datetime.fromtimestamp(MADE + DAY, UTC).date()
    found, now = backup.parse("keys.gpg", owner.data), MADE + 9 * DAY
    taken = found.keys((Slot.DECRYPT,), "", 0, now)
    assert [key.fingerprint for key in taken.values()] == [only]
    assert found.left_out(taken.values(), now) == ()
    assert found.left_out((), now) == (f"{only.hex().upper()} expired on {ends}",)


def test_a_key_of_a_revoked_primary_is_not_put_back():
    """Not even where its slot is named."""
    owner = Owner(SC).sign(REVOKED_KEY, MADE + DAY)
    owner.sub(E, MADE)
    for slots in ((), (Slot.DECRYPT,)):
        with pytest.raises(BadUsage, match=r"of the backup, [0-9A-F]{40}, was revoked\."):
            owner.chosen(*slots)


def test_a_strangers_revocation_and_certification_mean_nothing():
    """Anybody may add one."""
    owner = Owner(SC).sign(REVOKED_KEY, MADE + DAY, by=b"stranger")
    owner.sign(SELF, MADE + DAY, E, by=b"stranger")
    assert owner.chosen() == {Slot.SIGN: owner.primary}


def test_expiry_is_measured_against_the_time_that_is_given():
    """By the newest self-signature, which may have moved it."""
    owner = Owner(SC)
    older = owner.sub(E, MADE)
    newer = owner.sub(E, MADE + DAY, valid=10 * DAY)
    assert owner.chosen(Slot.DECRYPT, now=MADE + 2 * DAY) == {Slot.DECRYPT: newer}
    assert owner.chosen(Slot.DECRYPT, now=MADE + 20 * DAY) == {Slot.DECRYPT: older}
    owner.sign(SUB, MADE + 5 * DAY, E, valid=100 * DAY)
    assert owner.chosen(Slot.DECRYPT, now=MADE + 20 * DAY) == {Slot.DECRYPT: newer}


def test_where_the_only_key_has_expired_it_is_taken_only_by_name():
    """Its owner may have moved the expiry since, in a certificate that is not in the backup."""
    owner = Owner(SC)
    decrypt = owner.sub(E, MADE, valid=DAY)
    late = MADE + 9 * DAY
    with pytest.raises(BadUsage, match="expired on 2023-11-15") as refused:
        owner.chosen(now=late)
    assert decrypt.hex().upper() in refused.value.sentence
    assert "with decrypt among them" in refused.value.advice
    assert owner.chosen(Slot.DECRYPT, now=late) == {Slot.DECRYPT: decrypt}


def test_a_primary_that_was_left_out_of_the_file_is_no_hindrance():
    """gpg --export-secret-subkeys, and no slots named."""
    owner = Owner(SC, stub=True)
    decrypt = owner.sub(E, MADE)
    assert owner.chosen() == {Slot.DECRYPT: decrypt}
    with pytest.raises(BadUsage, match="Its secret is left out of the file"):
        owner.chosen(Slot.SIGN)


def test_a_file_with_the_keys_of_two_owners_is_refused_with_their_names():
    """Which of them is this card's, nobody said."""
    first, second = Owner(SC), Owner(SC)
    with pytest.raises(BadUsage, match="keys of several owners") as refused:
        backup.parse("both.gpg", first.data + second.data)
    for owner in (first, second):
        assert owner.primary.hex().upper() in refused.value.sentence
    assert backup.parse("twice.gpg", first.data + first.data).keys((), "", 0)
