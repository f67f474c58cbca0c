"""What our client wrote, read by yubikit's OpenPgpSession, which shares nothing with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.families.openpgp.bench import (
    ADMIN,
    BLOCKED,
    BY_NAME,
    KEYS,
    PASSPHRASE,
    SERIAL,
    bench,
    shop_with,
)
from tests.oracle import oracle, tell

HERE = Path(__file__).parent
YUBIKEY = BY_NAME["YubiKey 5"]
SLOTS = {"SIG": "sign", "DEC": "decrypt", "AUT": "auth"}


@pytest.fixture(autouse=True)
def _there():
    """Said before anything else is done."""
    oracle("hosts")


def read(shop, tmp_path: Path, pin: str = "123456") -> dict:
    """All that yubikit finds on the card of this shop."""
    frozen = tmp_path / "card.json"
    frozen.write_text(json.dumps(shop.bus.simulator("1-1").slot.card.freeze()))
    words = (YUBIKEY.name, str(frozen), pin, "12345678")
    return json.loads(tell("hosts", HERE / "oracle_yubikit.py", *words))


def raw(pem: bytes) -> str:
    """A public key of ours in the oracle's words."""
    key = serialization.load_pem_public_key(pem)
    if isinstance(key, rsa.RSAPublicKey):
        return f"{key.public_numbers().n:x}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    else:
        form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return key.public_bytes(*form).hex()


def assert_as_told(shop, view, found: dict) -> None:
    """The oracle's facts are those of our journal and of the files that we handed over."""
    told = "".join(view.ended.proof)
    kept = {s: (shop.state.artefacts(view.run) / f"{w}.pem").read_bytes() for s, w in SLOTS.items()}

    assert view.verdict == "repaired", view.ended
    assert found["serial"] == SERIAL
    assert found["proven"] == {"SIG": True, "DEC": True, "AUT": True}
    assert found["keys"] == {slot: raw(pem) for slot, pem in kept.items()}
    assert all(print_.upper() in told for print_ in found["fingerprints"].values())
    assert found["tries"] == [3, 0, 3]


@pytest.mark.parametrize("algorithm", ["rsa2048", "ed25519", "nistp256"])
def test_keys_that_were_made_are_read_and_used_by_yubikit(tmp_path, algorithm):
    """Public keys, fingerprints, times, tries; a signature, a decryption, an authentication."""
    with shop_with(tmp_path, bench(YUBIKEY), algorithm=algorithm) as shop:
        view = shop.run("openpgp.rekey")
        found = read(shop, tmp_path)

        assert_as_told(shop, view, found)
        now = shop.clock.wall().timestamp()
        assert all(now - 600 < made <= now for made in found["times"].values())


@pytest.mark.parametrize("backup", ["rsa2048.asc", "ed25519.asc"])
def test_keys_that_were_restored_are_read_and_used_by_yubikit(tmp_path, backup):
    """With the times of the backup."""
    given = {"backup": str(KEYS / backup), "passphrase": PASSPHRASE}
    with shop_with(tmp_path, bench(YUBIKEY), **given) as shop:
        view = shop.run("openpgp.restore")
        found = read(shop, tmp_path)

        assert_as_told(shop, view, found)
        assert all(1_700_000_000 < made < 1_800_000_000 for made in found["times"].values())


def test_a_card_that_was_reset_is_as_new_to_yubikit(tmp_path):
    """No fingerprint, no time, all tries, and the default PINs."""
    with shop_with(tmp_path, bench(YUBIKEY, ADMIN, "0047800002b60000", *BLOCKED)) as shop:
        assert shop.run("openpgp.reset").verdict == "repaired"
        found = read(shop, tmp_path)

        assert (found["keys"], found["tries"]) == ({}, [3, 0, 3])
        assert set(found["fingerprints"].values()) == {"00" * 20}
        assert set(found["times"].values()) == {0}


def test_a_pin_that_was_unblocked_is_taken_from_yubikit(tmp_path):
    """The new one, and the key is still there to be used with it."""
    past = (ADMIN, "0047800002b60000", "00da00c714" + "17" * 20, *BLOCKED[:3])
    with shop_with(tmp_path, bench(YUBIKEY, *past), new_pin="24681357") as shop:
        assert shop.run("openpgp.unblock").verdict == "repaired"
        found = read(shop, tmp_path, pin="24681357")

        assert (found["tries"], found["proven"]) == ([3, 0, 3], {"SIG": True})
