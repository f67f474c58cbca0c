"""Everything about a backup is known before a card changes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pysequoia.packet import PacketPile

from console.errors import BadUsage
from console.families.openpgp import backup
from console.families.openpgp.objects import Slot
from console.families.openpgp.packets import packet
from tests.families.openpgp.bench import KEYS, PASSPHRASE

NOW = 1_800_000_000


@pytest.mark.parametrize("name", ["rsa2048.asc", "ed25519.asc"])
def test_an_export_of_gpg_is_opened_with_its_passphrase(name):
    """Three keys for three slots; not with another passphrase."""
    found = backup.read(str(KEYS / name))
    keys = found.keys((), PASSPHRASE, 0)

    assert found.wants_passphrase and not found.wants_created
    assert list(keys) == list(Slot)
    assert all(key.created > 1_700_000_000 for key in keys.values())
    assert PASSPHRASE not in repr(found) + repr(keys)
    with pytest.raises(BadUsage, match="not the passphrase"):
        found.keys((), "falsch", 0)


def test_gpgs_own_card_backup_is_the_decryption_key():
    """sk_*.gpg: one bare packet, nothing that says what it is for."""
    pile = list(PacketPile.from_bytes((KEYS / "rsa2048.asc").read_bytes()))
    alone = packet(5, pile[3].body)
    keys = backup.parse("sk_2B07206A5AF36D85.gpg", alone).keys((), PASSPHRASE, 0)

    assert {slot: key.fingerprint.hex() for slot, key in keys.items()} == {
        Slot.DECRYPT: pile[3].fingerprint
    }
    with pytest.raises(BadUsage, match="does not say what its key is for"):
        backup.parse("other.gpg", alone).keys((), PASSPHRASE, 0)
    assert list(backup.parse("other.gpg", alone).keys((Slot.SIGN,), PASSPHRASE, 0)) == [Slot.SIGN]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ((KEYS / "public.gpg").read_bytes(), "public keys only"),
        (b"hello", "no key file"),
        (b"", "public keys only|no key file"),
        ((KEYS / "rsa2048.asc").read_bytes()[:900], "no key file|cut off"),
    ],
)
def test_what_holds_no_secret_is_refused_with_the_reason(data, why):
    """Public only, something else, nothing, cut off."""
    with pytest.raises(BadUsage, match=why):
        backup.parse("file.gpg", data).keys((), PASSPHRASE, 0)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_bare_key_wants_its_slot_its_time_and_its_passphrase(encoding):
    """PKCS#8 as OpenSSL writes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(encoding, PrivateFormat.PKCS8, BestAvailableEncryption(b"geheim"))
    found = backup.parse("key", locked)

    assert found.wants_passphrase and found.wants_created
    made = found.keys((Slot.DECRYPT,), PASSPHRASE, NOW)[Slot.DECRYPT]
    assert (made.created, made.public.algorithm.kind.name) == (NOW, "ECDH")
    with pytest.raises(BadUsage, match="not the passphrase"):
        found.keys((Slot.DECRYPT,), "falsch", NOW)
    with pytest.raises(BadUsage, match="what it is for"):
        found.keys((), PASSPHRASE, NOW)


def test_a_key_that_fits_no_such_slot_is_refused():
    """Ed25519 cannot decrypt."""
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BadUsage, match="does not fit"):
        backup.parse("key.pem", pem).keys((Slot.DECRYPT,), "", NOW)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(BadUsage, match="public key"):
        backup.parse("key.pem", public)


@pytest.mark.parametrize("text", ["2024-05-17T09:30:00Z", "1715938200", "2024-05-17 09:30:00"])
def test_a_creation_time_is_read_in_two_ways(text):
    """Where it says no zone, it is UTC."""
    assert backup.moment(text, NOW) == 1715938200


@pytest.mark.parametrize("text", ["", "yesterday", "2124-05-17", "12", "-5"])
def test_what_is_no_creation_time_is_refused(text):
    """Empty, words, the future, before there was OpenPGP."""
    with pytest.raises(BadUsage, match="no creation time"):
        backup.moment(text, NOW)
