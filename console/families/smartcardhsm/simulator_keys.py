"""The private keys of a SmartCard-HSM: made on the card, used by algorithm byte, never shown.

The rule: an algorithm that is not the key's kind, or not on its list, is refused before anything
is computed. Cryptography is the library's; only padding and raw RSA, which it does not offer
for a digest it has not made, are spelled out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from console.families.smartcardhsm import simulator_curves as curves
from console.families.smartcardhsm.simulator_apdu import Denied, Status

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

RSA_RAW, RSA_PKCS1, RSA_PSS = 0x20, 0x30, 0x40
DECIPHER_RAW, DECIPHER_PKCS1, DECIPHER_OAEP = 0x21, 0x22, 0x23
EC_RAW, ECDH, ECDH_X = 0x70, 0x80, 0x83
WRAP, UNWRAP = 0x92, 0x93

HASHES: Mapping[int, hashes.HashAlgorithm] = {
    1: hashes.SHA1(),  # noqa: S303 - an algorithm byte of the card
    2: hashes.SHA224(),
    3: hashes.SHA256(),
    4: hashes.SHA384(),
    5: hashes.SHA512(),
}
"""By the low digit of the algorithm byte."""
BY_SIZE = {algorithm.digest_size: algorithm for algorithm in HASHES.values()}


@dataclass(frozen=True)
class Key:
    """One key pair. `algorithms` is its list, raw (empty: no restriction); `domain` 0 to n.

    The key is in no repr.
    """

    private: Private = field(repr=False)
    algorithms: bytes = b""
    domain: int = 0

    @property
    def rsa_bits(self) -> int:
        return self.private.key_size if isinstance(self.private, rsa.RSAPrivateKey) else 0

    @property
    def size(self) -> int:
        """Bytes of memory it takes: by the vendor's figures about one a bit."""
        return self.private.key_size

    def require(self, algorithm: int) -> None:
        """Raises Denied (6985) if the key has a list and the algorithm is not on it."""
        if self.algorithms and algorithm not in self.algorithms:
            raise Denied(Status.CONDITIONS)

    def freeze(self) -> dict[str, Any]:
        der = self.private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {"key": der.hex(), "algorithms": self.algorithms.hex(), "domain": self.domain}


def thawed(frozen: Mapping[str, Any]) -> Key:
    private = serialization.load_der_private_key(bytes.fromhex(frozen["key"]), None)
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return Key(private, bytes.fromhex(frozen["algorithms"]), frozen["domain"])


# --- signatures ---------------------------------------------------------------------------


def sign(key: Key, algorithm: int, data: bytes) -> bytes:
    """SIGN: RSA signatures as long as the modulus, ECDSA as DER. Raises Denied."""
    key.require(algorithm)
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return _ecdsa(key.private, algorithm, data)
    family, digest = algorithm & 0xF0, HASHES.get(algorithm & 0x0F)
    if algorithm == RSA_RAW:
        return raw(key.private, data)
    if algorithm == RSA_PKCS1:
        return raw(key.private, _padded(data, key.private.key_size // 8))
    if algorithm == RSA_PSS:
        return _pss_of_digest(key.private, data)
    if digest is None or family not in (RSA_PKCS1, RSA_PSS):
        raise Denied(Status.CONDITIONS)
    if family == RSA_PKCS1:
        return key.private.sign(data, padding.PKCS1v15(), digest)
    return key.private.sign(data, _pss(digest), digest)


def _pss(digest: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


def _pss_of_digest(private: rsa.RSAPrivateKey, data: bytes) -> bytes:
    digest = BY_SIZE.get(len(data))
    if digest is None:
        raise Denied(Status.WRONG_LENGTH)
    return private.sign(data, _pss(digest), Prehashed(digest))


def _padded(data: bytes, size: int) -> bytes:
    """EMSA-PKCS1-v1_5 of a DigestInfo that came from the host (RFC 8017, 9.2)."""
    if len(data) > size - 11:
        raise Denied(Status.WRONG_LENGTH)
    return b"\0\1" + b"\xff" * (size - len(data) - 3) + b"\0" + data


def raw(private: rsa.RSAPrivateKey, data: bytes) -> bytes:
    """RSADP/RSASP1 (RFC 8017, 5): one number as long as the modulus. Raises Denied."""
    numbers = private.private_numbers()
    size = private.key_size // 8
    value = int.from_bytes(data, "big")
    if len(data) != size:
        raise Denied(Status.WRONG_LENGTH)
    if value >= numbers.public_numbers.n:
        raise Denied(Status.WRONG_DATA)
    return pow(value, numbers.d, numbers.public_numbers.n).to_bytes(size, "big")


def _ecdsa(private: ec.EllipticCurvePrivateKey, algorithm: int, data: bytes) -> bytes:
    if algorithm == EC_RAW:
        digest, data = _as_digest(data, (private.key_size + 7) // 8)
        return private.sign(data, ec.ECDSA(Prehashed(digest)))
    chosen = HASHES.get(algorithm & 0x0F)
    if algorithm & 0xF0 != EC_RAW or chosen is None:
        raise Denied(Status.CONDITIONS)
    return private.sign(data, ec.ECDSA(chosen))


def _as_digest(data: bytes, order: int) -> tuple[hashes.HashAlgorithm, bytes]:
    """A hash of any length as one of a length that the library signs, of the same number.

    The leftmost bits count (FIPS 186-4, 6.4): shorter ones are led by zeros, and zeros behind
    what fills the order are cut off again.
    """
    if not data:
        raise Denied(Status.WRONG_LENGTH)
    sizes = sorted(BY_SIZE)
    number = data[:order].rjust(min(order, sizes[-1]), b"\0")[: sizes[-1]]
    size = next(size for size in sizes if size >= len(number))
    return BY_SIZE[size], number.ljust(size, b"\0")


# --- decryption and key agreement ---------------------------------------------------------


def decipher(key: Key, algorithm: int, data: bytes) -> bytes:
    """DECIPHER: the plain text, or 04 and the shared coordinate for ECDH. Raises Denied."""
    key.require(algorithm)
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return _agree(key.private, algorithm, data)
    if algorithm == DECIPHER_RAW:
        return raw(key.private, data)
    chosen = {
        DECIPHER_PKCS1: padding.PKCS1v15(),
        DECIPHER_OAEP: padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
    }.get(algorithm)
    if chosen is None:
        raise Denied(Status.CONDITIONS)
    if len(data) != key.private.key_size // 8:
        raise Denied(Status.WRONG_LENGTH)
    try:
        return key.private.decrypt(data, chosen)
    except ValueError:
        raise Denied(Status.WRONG_DATA) from None


def _agree(private: ec.EllipticCurvePrivateKey, algorithm: int, data: bytes) -> bytes:
    if algorithm not in (ECDH, ECDH_X):
        raise Denied(Status.CONDITIONS)
    try:
        other = ec.EllipticCurvePublicKey.from_encoded_point(private.curve, data)
    except ValueError:
        raise Denied(Status.WRONG_DATA) from None
    return b"\x04" + private.exchange(ec.ECDH(), other)


# --- making them --------------------------------------------------------------------------


def make_rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def make_ec(curve: curves.Curve) -> ec.EllipticCurvePrivateKey:
    """Raises Denied (6A80) where the library lacks the curve."""
    try:
        return ec.generate_private_key(curve.named)
    except UnsupportedAlgorithm:
        raise Denied(Status.WRONG_DATA) from None
