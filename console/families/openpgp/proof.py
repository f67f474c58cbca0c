"""The proof that a slot's private key is the one of its public key: used once, checked on the host.

The rule: the card's part is one command; whether it was right is decided by `cryptography`.
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.errors import BeyondRepair, Garbled
from console.families.openpgp.client import Session
from console.families.openpgp.objects import Slot
from console.families.openpgp.publickey import PublicKey
from console.protocols import tlv

DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300D060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300D060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300D060960864801650304020305000440"),
}
"""What stands before a digest that RSA signs (RFC 8017, 9.2, note 1)."""
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
CIPHER_OBJECT, POINT_OBJECT, POINT = 0xA6, 0x7F49, 0x86
PADDED = b"\x00"
"""The padding indicator of an RSA cryptogram (7.2.11)."""


def prove(session: Session, slot: Slot, public: PublicKey) -> str:
    """Use the key once; what was proven, in words. Raises BeyondRepair where it is not the key."""
    if slot is Slot.DECRYPT:
        _prove_decryption(session, public)
        return "decrypted what was encrypted to it here"
    name, challenge = hash_for(public), secrets.token_bytes(32)
    digest = hashlib.new(name, challenge).digest()
    use = session.sign if slot is Slot.SIGN else session.authenticate
    if not verifies(public, name, digest, use(to_sign(public, name, digest))):
        raise wrong(slot)
    return "signed, and the signature verifies here"


def wrong(slot: Slot) -> BeyondRepair:
    """The card used another key, or calculates wrongly."""
    return BeyondRepair(
        f"What the card calculates with its {slot.title} key is wrong.",
        "Do not use this card. Replace it.",
        proof=(f"The public key read from the {slot.title} slot does not fit what it calculated.",),
    )


def hash_for(public: PublicKey) -> str:
    """The digest that fits the key's size."""
    curve = public.algorithm.curve
    return f"sha{curve.hash}" if curve else "sha256"


def to_sign(public: PublicKey, name: str, digest: bytes) -> bytes:
    """What the card wants to be given for a digest: RSA signs it with its name."""
    return (DIGEST_INFO[name] if public.algorithm.curve is None else b"") + digest


def verifies(public: PublicKey, name: str, digest: bytes, signature: bytes) -> bool:
    """Is this the key's signature over the digest?"""
    key, known = public.library(), Prehashed(HASHES[name])
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), known)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            first, second = signature[:half], signature[half:]
            der = encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))
            key.verify(der, digest, ec.ECDSA(known))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _prove_decryption(session: Session, public: PublicKey) -> None:
    key = public.library()
    if isinstance(key, rsa.RSAPublicKey):
        secret = secrets.token_bytes(32)
        found = session.decipher(PADDED + key.encrypt(secret, padding.PKCS1v15()))
        if found != secret:
            raise wrong(Slot.DECRYPT)
        return
    ours, secret = _agree(key)
    inner = tlv.encode(CIPHER_OBJECT, tlv.encode(POINT_OBJECT, tlv.encode(POINT, ours)))
    if not _same_secret(session.decipher(inner), secret):
        raise wrong(Slot.DECRYPT)


def _agree(key: object) -> tuple[bytes, bytes]:
    """A key of a moment's: its public half, and the secret that both sides come to."""
    if isinstance(key, x25519.X25519PublicKey):
        once = x25519.X25519PrivateKey.generate()
        return once.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), once.exchange(key)
    if isinstance(key, ec.EllipticCurvePublicKey):
        other = ec.generate_private_key(key.curve)
        point = other.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return point, other.exchange(ec.ECDH(), key)
    raise Garbled("The decryption slot holds a key that cannot decrypt.")


def _same_secret(found: bytes, secret: bytes) -> bool:
    """Some cards give the whole point, with its leading byte, instead of its first half."""
    size = len(secret)
    whole = found[1 : 1 + size] if found[:1] in (b"\x04", b"\x40") and len(found) > size else found
    return whole == secret
