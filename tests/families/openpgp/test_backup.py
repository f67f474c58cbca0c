"""Everything about a backup is known before a card changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import CAST5, TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pysequoia.packet import PacketPile

from console.errors import BadUsage
from console.events import Told, Warned
from console.families.openpgp import backup
from console.families.openpgp.objects import Slot
from console.families.openpgp.packets import packet
from tests.families.openpgp.bench import (
    ADMIN,
    BY_NAME,
    KEYS,
    PASSPHRASE,
    bench,
    events,
    shop_with,
)

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


def sk_file(folder: Path, name: str) -> Path:
    """gpg's own card backup of the decryption key of the test export, under that name."""
    pile = list(PacketPile.from_bytes((KEYS / "rsa2048.asc").read_bytes()))
    folder.mkdir()
    (folder / name).write_bytes(packet(5, pile[3].body))
    return folder / name


def warned(tmp_path, name: str, *past: str) -> tuple[str, str]:
    """The verdict of a restore of that file, and all that it said."""
    given = {"backup": str(sk_file(tmp_path, name)), "passphrase": PASSPHRASE}
    with shop_with(tmp_path, bench(BY_NAME["ZeitControl 3.3"], *past), **given) as shop:
        view = shop.run("openpgp.restore")
        told = [*events(shop, view.run, Told), *events(shop, view.run, Warned)]
        return view.verdict, " ".join(each.sentence for each in told)


def test_a_card_backup_of_another_key_than_its_name_says_is_said(tmp_path):
    """gpg names it after the key's id; the card may name the key that was there before."""
    pile = list(PacketPile.from_bytes((KEYS / "rsa2048.asc").read_bytes()))
    own = pile[3].fingerprint[-16:].upper()
    verdict, said = warned(tmp_path / "1", f"sk_{own}.gpg")
    assert (verdict, "is named after" in said) == ("repaired", False)

    verdict, said = warned(tmp_path / "2", "sk_0123456789ABCDEF.gpg")
    assert verdict == "repaired"
    assert "The file is named after key 0123456789ABCDEF and holds " in said
    assert own in said

    old = "00da00c814" + "17" * 20
    verdict, said = warned(tmp_path / "3", f"sk_{own}.gpg", ADMIN, old)
    assert verdict == "repaired"
    assert f"decryption slot is named after another key: {'17' * 20}." in said


def locked(cipher, number: int, size: int, block: int, count: int = 96) -> bytes:
    """An Ed25519 key packet as an older host kept it: SHA-1, salted and iterated, with a digest."""
    key = ed25519.Ed25519PrivateKey.generate()
    point = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    oid = bytes.fromhex("092b06010401da470f01")
    public = b"\x04" + NOW.to_bytes(4, "big") + b"\x16" + oid + mpi(b"\x40" + point)
    plain = mpi(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    plain += hashlib.sha1(plain).digest()
    salt, start = b"saltsalt", b"\x5a" * block
    octets = (16 + (count & 15)) << ((count >> 4) + 6)
    endless = (salt + PASSPHRASE.encode()) * octets
    made = b"".join(hashlib.sha1(bytes(n) + endless[:octets]).digest() for n in range(2))
    hidden = b"\x77" * (len(plain))
    if cipher is not None:
        doing = Cipher(cipher(made[:size]), CFB(start)).encryptor()
        hidden = doing.update(plain) + doing.finalize()
    form = bytes((254, number, 3, 2)) + salt + bytes((count,))
    return packet(5, public + form + start + hidden)


def mpi(raw: bytes) -> bytes:
    number = int.from_bytes(raw, "big")
    return number.bit_length().to_bytes(2, "big") + number.to_bytes(
        (number.bit_length() + 7) // 8, "big"
    )


@pytest.mark.parametrize(
    ("cipher", "number", "size"), [(TripleDES, 2, 24), (CAST5, 3, 16)], ids=["3des", "cast5"]
)
def test_a_backup_under_an_old_cipher_is_opened(cipher, number, size):
    """As gpg 1.4 and 2.0 wrote them."""
    found = backup.parse("old.gpg", locked(cipher, number, size, 8))
    assert list(found.keys((Slot.SIGN,), PASSPHRASE, 0)) == [Slot.SIGN]
    with pytest.raises(BadUsage, match="not the passphrase"):
        found.keys((Slot.SIGN,), "falsch", 0)


@pytest.mark.parametrize(("number", "block"), [(1, 8), (4, 8), (10, 16), (13, 16)])
def test_a_backup_under_a_cipher_that_is_not_known_is_refused_in_words(number, block):
    """IDEA, Blowfish, Twofish, Camellia: not called a wrong passphrase."""
    with pytest.raises(BadUsage, match="in a form that is not known here") as refused:
        backup.parse("old.gpg", locked(None, number, 16, block)).keys((Slot.SIGN,), PASSPHRASE, 0)
    assert "gpg --export-secret-keys" in refused.value.advice


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
