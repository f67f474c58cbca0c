"""yubikit against a card that our client has written. Run by the oracles' own Python.

    oracle_yubikit.py ROW FROZEN.json PIN ADMIN_PIN

The card is thawed in this process. One JSON object is printed: what yubikit read of it, and
whether what the card calculates with each key is right by yubikit's own public keys.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))
# The family's own door brings its client along, whose libraries are not in this environment.
FAMILY = ModuleType("console.families.openpgp")
FAMILY.__path__ = [str(ROOT / "console" / "families" / "openpgp")]
sys.modules[FAMILY.__name__] = FAMILY

from cryptography.exceptions import InvalidSignature  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import (  # noqa: E402
    ec,
    ed25519,
    padding,
    rsa,
    x25519,
)
from yubikit.core import TRANSPORT  # noqa: E402
from yubikit.core.smartcard import SmartCardConnection  # noqa: E402
from yubikit.openpgp import KEY_REF, OpenPgpSession  # noqa: E402

from console.families.openpgp.simulator_card import OpenPgpCard  # noqa: E402
from console.families.openpgp.simulator_rows import ROWS  # noqa: E402
from console.hardware.simulated_card import exchange  # noqa: E402

MESSAGE = b"The quick brown fox."
EVER = 3600.0
SLOTS = (KEY_REF.SIG, KEY_REF.DEC, KEY_REF.AUT)


class Contacts(SmartCardConnection):
    """yubikit's idea of a reader, over the simulated card's contacts."""

    def __init__(self, card: OpenPgpCard) -> None:
        self._card = card

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        answer = exchange(self._card, bytes(apdu), lambda seconds: None, EVER)
        assert answer is not None, "the card is mute"
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None:
        pass


def thawed(row: str, frozen: str) -> OpenPgpCard:
    (wanted,) = (known for known in ROWS if known.name == row)
    card = OpenPgpCard(wanted, bytes(4))
    card.thaw(json.loads(Path(frozen).read_text()))
    card.reset()
    return card


def raw(key) -> str:
    """The public key as the card has it: the modulus, or the point."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"{key.public_numbers().n:x}"
    bare = isinstance(key, ed25519.Ed25519PublicKey | x25519.X25519PublicKey)
    form = (
        (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        if bare
        else (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )
    return key.public_bytes(*form).hex()


def signed(key, signature: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, MESSAGE)
        else:
            key.verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def decrypted(session: OpenPgpSession, key) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return session.decrypt(key.encrypt(MESSAGE, padding.PKCS1v15())) == MESSAGE
    if isinstance(key, x25519.X25519PublicKey):
        other = x25519.X25519PrivateKey.generate()
        return session.decrypt(other.public_key()) == other.exchange(key)
    other = ec.generate_private_key(key.curve)
    return session.decrypt(other.public_key()) == other.exchange(ec.ECDH(), key)


def proven(session: OpenPgpSession, pin: str, keys: dict) -> dict[str, bool]:
    """Each key that is there used once, as yubikit uses it."""
    found = {}
    if KEY_REF.SIG in keys:
        session.verify_pin(pin)
        found["SIG"] = signed(keys[KEY_REF.SIG], session.sign(MESSAGE, hashes.SHA256()))
    session.verify_pin(pin, extended=True)
    if KEY_REF.DEC in keys:
        found["DEC"] = decrypted(session, keys[KEY_REF.DEC])
    if KEY_REF.AUT in keys:
        found["AUT"] = signed(keys[KEY_REF.AUT], session.authenticate(MESSAGE, hashes.SHA256()))
    return found


def main(row: str, frozen: str, pin: str, admin_pin: str) -> None:
    session = OpenPgpSession(Contacts(thawed(row, frozen)))
    tries, prints = session.get_pin_status(), session.get_fingerprints()
    filled = [slot for slot in SLOTS if any(prints[slot])]
    keys = {slot: session.get_public_key(slot) for slot in filled}
    told = {
        # It takes the serial as decimal digits, and counts down where there are letters in it.
        "serial": f"{abs(session.aid.serial):08X}",
        "tries": [tries.attempts_user, tries.attempts_reset, tries.attempts_admin],
        "fingerprints": {slot.name: prints[slot].hex() for slot in SLOTS},
        "times": {slot.name: session.get_generation_times()[slot] for slot in SLOTS},
        "keys": {slot.name: raw(key) for slot, key in keys.items()},
        "proven": proven(session, pin, keys),
    }
    session.verify_admin(admin_pin)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
