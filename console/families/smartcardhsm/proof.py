"""A test signature: that a key on the device is the private half of a public key.

The rule: proven is what `cryptography` verifies, never what the card called done. A key may be
restricted to some algorithms, so several are offered; which one worked does not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from console.errors import Refused
from console.families.smartcardhsm.blob import PublicKey
from console.families.smartcardhsm.client import (
    EC_SHA256,
    PKCS1_SHA256,
    RAW_EC,
    RAW_RSA,
    SmartCardHsm,
)

SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 digest in a PKCS#1 v1.5 signature (RFC 8017, 9.2)."""
DIGEST_SIZE = 32


def sign(hsm: SmartCardHsm, number: int, key: PublicKey, message: bytes) -> bytes:
    """The card's signature of the message (SHA-256; PKCS#1 v1.5, or ECDSA in DER).

    Raises Refused when the card signs with none of the algorithms.
    """
    refused: Refused | None = None
    for algorithm, data in _ways(key, message):
        try:
            return hsm.sign(number, algorithm, data)
        except Refused as error:
            if error.code == "reset":
                raise
            refused = error
    assert refused is not None
    raise refused


def _ways(key: PublicKey, message: bytes) -> Iterator[tuple[int, bytes]]:
    digest = hashlib.sha256(message).digest()
    if isinstance(key, rsa.RSAPublicKey):
        size = key.key_size // 8 - 3 - len(SHA256_INFO) - DIGEST_SIZE
        yield RAW_RSA, b"\0\1" + b"\xff" * size + b"\0" + SHA256_INFO + digest
        yield PKCS1_SHA256, message
        return
    # A curve smaller than the digest takes its left part (FIPS 186-5, 6.4).
    yield RAW_EC, digest[: (key.key_size + 7) // 8]
    yield EC_SHA256, message


def verifies(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Is it a signature of the message by that very key?"""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def proven(hsm: SmartCardHsm, number: int, key: PublicKey) -> bool:
    """Is key `number` of the device the private half of `key`? False too if it signs nothing."""
    message = b"Replug proves a key: " + hsm.random(16)
    try:
        return verifies(key, message, sign(hsm, number, key, message))
    except Refused as error:
        if error.code == "reset":
            raise
        return False


def signer(hsm: SmartCardHsm, number: int, key: PublicKey) -> Callable[[bytes], bytes]:
    """The card as a maker of signatures."""
    return lambda message: sign(hsm, number, key, message)
