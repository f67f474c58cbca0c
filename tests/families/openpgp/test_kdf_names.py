"""A decryption key has one fingerprint everywhere, whatever KDF parameters its program wrote."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from pysequoia.packet import PacketPile, Tag

from console.families.openpgp import packets
from console.families.openpgp.publickey import KDFS, of_library
from console.families.openpgp.secretkey import SecretKey
from tests.families.openpgp.bench import BY_NAME, bench, sent, shop_with

CARD = BY_NAME["opcard (Nitrokey 3)"]
MADE = 1700000000
SECRET_KEY = 5
PUT = 0xDA


def key_with(private, kdf: bytes) -> SecretKey:
    public = of_library(private.public_key(), decrypts=True)
    assert public is not None
    return SecretKey(public, MADE, private, kdf)


def backup_of(key: SecretKey) -> bytes:
    """An OpenPGP secret key packet without a passphrase (RFC 4880, 5.5.3)."""
    number = int.from_bytes(key.scalar(), "big")
    secret = number.bit_length().to_bytes(2, "big")
    secret += number.to_bytes((number.bit_length() + 7) // 8, "big")
    body = key.public.body(MADE, key.kdf) + b"\0" + secret
    return packets.packet(SECRET_KEY, body + (sum(secret) & 0xFFFF).to_bytes(2, "big"))


KEYS_OF_OTHERS = [
    (ec.generate_private_key(ec.SECP384R1()), bytes((9, 9))),
    (ec.generate_private_key(ec.SECP256R1()), bytes((8, 9))),
    (x25519.X25519PrivateKey.generate(), bytes((10, 9))),
]


@pytest.mark.parametrize(("private", "kdf"), KEYS_OF_OTHERS, ids=["p384", "p256", "x25519"])
def test_a_decryption_key_of_another_program_keeps_its_fingerprint(tmp_path, private, kdf):
    """In the report, on the card, to a check, and in a certificate that is made later."""
    key = key_with(private, kdf)
    name, backup = key.fingerprint.hex().upper(), tmp_path / "key.gpg"
    backup.write_bytes(backup_of(key))
    given = {"backup": str(backup), "passphrase": "", "retry": "stop"}
    with shop_with(tmp_path / "shop", bench(CARD), **given) as shop:
        view = shop.run("openpgp.restore")
        checked = shop.run("openpgp.check")
        shop.technician._answers |= {"slots": "sign", "algorithm": "ed25519"}
        made = shop.run("openpgp.rekey")
        parts = PacketPile.from_bytes(
            (shop.state.artefacts(made.run) / "certificate.asc").read_bytes()
        )

        assert (view.verdict, made.verdict) == ("repaired", "repaired"), view.ended
        assert name in view.ended.proof[0]
        assert [a[5:25].hex().upper() for a in sent(shop, PUT) if a[3] == 0xC8] == [name]
        assert checked.verdict == "no fault found", checked.ended
        subkeys = [part.fingerprint.upper() for part in parts if part.tag == Tag.PublicSubkey]
        assert subkeys == [name]


@pytest.mark.parametrize("kdf", KDFS, ids=bytes.hex)
def test_every_kdf_is_tried(kdf):
    """And another creation time is another key."""
    key = key_with(KEYS_OF_OTHERS[0][0], kdf)
    assert key.public.is_of(key.fingerprint, MADE)
    assert key.public.kdf_of(key.fingerprint, MADE) in (kdf, b"")
    assert not key.public.is_of(key.fingerprint, MADE + 1)
