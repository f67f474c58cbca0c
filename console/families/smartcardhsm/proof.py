"""A test signature: that a key on the device is the private half of a public key.

The rule: proven is what `cryptography` verifies, never what the card called done. A key that
refuses may be the right one, a key whose answer is wrong is another. A key may be
restricted to some algorithms, so several are offered; which one worked does not matter. A key that
may not sign at all is proven by deciphering what only it can.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.errors import Refused
from console.families.smartcardhsm.blob import PublicKey
from console.families.smartcardhsm.client import (
    EC_SHA256,
    ECDH,
    PKCS1_SHA256,
    RAW_DECIPHER,
    RAW_EC,
    RAW_RSA,
    SmartCardHsm,
)
from console.families.smartcardhsm.cvc import der_signature
from console.families.smartcardhsm.dkek import SIZE as SECRET_SIZE

PKCS1, PKCS1_SHA1, PSS_SHA1, PSS_SHA256 = 0x30, 0x31, 0x41, 0x43
EC_SHA1, EC_SHA224, EC_SHA384, EC_SHA512 = 0x71, 0x72, 0x74, 0x75
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 digest in a PKCS#1 v1.5 signature (RFC 8017, 9.2)."""
SHA1, SHA256 = hashes.SHA1(), hashes.SHA256()  # noqa: S303 - what the card can be restricted to
DIGEST_SIZE = 32


class Proof(StrEnum):
    """What a key's own answer says of it."""

    VERIFIED = "verified"
    REFUSED = "refused"
    """It does nothing that could be verified: of which pair it is stays open."""
    WRONG = "wrong"
    """It answered, and not as the private half of that public key."""


class _Way(NamedTuple):
    """An algorithm of the card, what it is given, and how its answer is verified."""

    algorithm: int
    data: bytes
    digest: hashes.HashAlgorithm = SHA256
    pss: bool = False


def _ways(key: PublicKey, message: bytes) -> Iterator[_Way]:
    """The first two, or three of RSA, make the same signature: SHA-256, PKCS#1 v1.5 or ECDSA."""
    digest = hashlib.sha256(message).digest()
    if isinstance(key, rsa.RSAPublicKey):
        info = SHA256_INFO + digest
        size = key.key_size // 8 - 3 - len(info)
        yield _Way(RAW_RSA, b"\0\1" + b"\xff" * size + b"\0" + info)
        yield _Way(PKCS1_SHA256, message)
        yield _Way(PKCS1, info)
        yield _Way(PSS_SHA256, message, pss=True)
        yield _Way(PKCS1_SHA1, message, SHA1)
        yield _Way(PSS_SHA1, message, SHA1, pss=True)
        return
    # A curve smaller than the digest takes its left part (FIPS 186-5, 6.4).
    yield _Way(RAW_EC, digest[: (key.key_size + 7) // 8])
    yield _Way(EC_SHA256, message)
    yield _Way(EC_SHA384, message, hashes.SHA384())
    yield _Way(EC_SHA512, message, hashes.SHA512())
    yield _Way(EC_SHA224, message, hashes.SHA224())
    yield _Way(EC_SHA1, message, SHA1)


def sign(hsm: SmartCardHsm, number: int, key: PublicKey, message: bytes) -> bytes:
    """The card's signature of the message (SHA-256; PKCS#1 v1.5, or ECDSA in DER).

    Raises Refused when the card makes none of that kind with this key.
    """
    ways = (way for way in _ways(key, message) if way.digest is SHA256 and not way.pss)
    signature, _ = _signed(hsm, number, key, ways)
    return signature


def _signed(
    hsm: SmartCardHsm, number: int, key: PublicKey, ways: Iterator[_Way]
) -> tuple[bytes, _Way]:
    """The first signature that the card makes, and of which kind. Raises Refused."""
    refused: Refused | None = None
    for way in ways:
        try:
            return _der(key, hsm.sign(number, way.algorithm, way.data)), way
        except Refused as error:
            if error.code == "reset":
                raise
            refused = error
    assert refused is not None
    raise refused


def _der(key: PublicKey, signature: bytes) -> bytes:
    """Some cards put r and s side by side; a signature in DER is longer than that, or begins 30."""
    if isinstance(key, rsa.RSAPublicKey):
        return signature
    joined = len(signature) == 2 * ((key.key_size + 7) // 8)
    return der_signature(signature) if joined and signature[1] != len(signature) - 2 else signature


def _verified(key: PublicKey, message: bytes, signature: bytes, way: _Way) -> Proof:
    """Is it a signature of the message by that very key?"""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            salted = padding.PSS(padding.MGF1(way.digest), padding.PSS.AUTO)
            key.verify(signature, message, salted if way.pss else padding.PKCS1v15(), way.digest)
        else:
            key.verify(signature, message, ec.ECDSA(way.digest))
    except UnsupportedAlgorithm:
        return Proof.REFUSED  # by the library here: nothing is told
    except (InvalidSignature, ValueError):
        return Proof.WRONG
    return Proof.VERIFIED


def proven(hsm: SmartCardHsm, number: int, key: PublicKey) -> bool:
    """Is key `number` of the device the private half of `key`? False too if it does nothing."""
    return tried(hsm, number, key) is Proof.VERIFIED


def tried(hsm: SmartCardHsm, number: int, key: PublicKey) -> Proof:
    """What key `number` of the device shows of being the private half of `key`."""
    message = b"Replug proves a key: " + hsm.random(16)
    try:
        signature, way = _signed(hsm, number, key, _ways(key, message))
    except Refused as error:
        if error.code == "reset":
            raise
        return _deciphers(hsm, number, key)
    return _verified(key, message, signature, way)


def _deciphers(hsm: SmartCardHsm, number: int, key: PublicKey) -> Proof:
    """Does it open what was made for that very key? For keys that are not for signing."""
    secret = hsm.random(SECRET_SIZE)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            sealed = key.encrypt(secret, padding.PKCS1v15())
            opened = hsm.decipher(number, RAW_DECIPHER, sealed)
            return _same(opened[-len(secret) :], secret)
        own = ec.generate_private_key(key.curve)
        point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        opened = hsm.decipher(number, ECDH, point)
    except Refused as error:
        if error.code == "reset":
            raise
        return Proof.REFUSED
    shared = own.exchange(ec.ECDH(), key)
    # The card answers with a point: 04, its x, and perhaps its y.
    return _same(opened[1 : 1 + len(shared)], shared)


def _same(opened: bytes, secret: bytes) -> Proof:
    return Proof.VERIFIED if hmac.compare_digest(opened, secret) else Proof.WRONG


def signer(hsm: SmartCardHsm, number: int, key: PublicKey) -> Callable[[bytes], bytes]:
    """The card as a maker of signatures."""
    return lambda message: sign(hsm, number, key, message)
