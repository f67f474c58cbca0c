"""A slot's public key: from the card's answer, to its OpenPGP fingerprint and to other formats.

The rule: the card computes no fingerprint; it is made here of the key and its creation time
(RFC 4880, 12.2), so the same key with another time is another key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.errors import Garbled
from console.families.openpgp.algorithms import CURVES, Algorithm, Kind
from console.protocols import tlv

PUBLIC_KEY = 0x7F49
MODULUS, EXPONENT, POINT = 0x81, 0x82, 0x86
NATIVE = 0x40
"""What OpenPGP writes before the 32 bytes of a 25519 point."""
KDFS = tuple(bytes((hashed, cipher)) for hashed in (8, 9, 10) for cipher in (7, 8, 9))
"""SHA-256 to SHA-512 with AES-128 to AES-256: all that a program may write (RFC 6637, 7)."""
LIBRARY_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "nistp256": ec.SECP256R1,
    "nistp384": ec.SECP384R1,
    "nistp521": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpoolp256r1": ec.BrainpoolP256R1,
    "brainpoolp384r1": ec.BrainpoolP384R1,
    "brainpoolp512r1": ec.BrainpoolP512R1,
}
Library = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
AnyLibrary = Library | x25519.X25519PublicKey


@dataclass(frozen=True)
class PublicKey:
    """A public key and its algorithm; `point` is 04 X Y, or the bare 32 bytes of a 25519 key."""

    algorithm: Algorithm
    modulus: int = 0
    exponent: int = 0
    point: bytes = b""

    @classmethod
    def parse(cls, answer: bytes, attributes: Algorithm) -> PublicKey:
        """The answer of READ PUBLIC KEY or GENERATE (7.2.14). Raises Garbled.

        The card says only the numbers: which curve they are of stands in the slot's attributes.
        """
        found = {known.tag: known.value for known in tlv.parse(tlv.bare(PUBLIC_KEY, answer))}
        if MODULUS in found and EXPONENT in found:
            modulus = int.from_bytes(found[MODULUS], "big")
            exponent = int.from_bytes(found[EXPONENT], "big")
            algorithm = Algorithm(Kind.RSA, modulus.bit_length())
            return cls(algorithm, modulus, exponent)
        if POINT in found and attributes.curve is not None:
            return cls(attributes, point=_point(found[POINT], attributes))
        raise Garbled("The card's public key is of another kind than its attributes say.")

    # --- OpenPGP ------------------------------------------------------------------------------

    def body(self, created: int, kdf: bytes = b"") -> bytes:
        """The body of its public key packet (RFC 4880, 5.5.2)."""
        head = b"\x04" + created.to_bytes(4, "big") + bytes((self.algorithm.kind.value,))
        return head + self._material(kdf)

    def _material(self, kdf: bytes) -> bytes:
        curve = self.algorithm.curve
        if curve is None:
            return mpi(self.modulus) + mpi(self.exponent)
        prefix = bytes((NATIVE,)) if len(self.point) == 32 else b""
        point = mpi(int.from_bytes(prefix + self.point, "big"))
        named = bytes((len(curve.oid),)) + curve.oid + point
        if self.algorithm.kind is Kind.ECDH:
            return named + bytes((3, 1)) + (kdf or curve.kdf)
        return named

    def fingerprint(self, created: int, kdf: bytes = b"") -> bytes:
        """The v4 fingerprint: 20 bytes."""
        body = self.body(created, kdf)
        whole = b"\x99" + len(body).to_bytes(2, "big") + body
        return hashlib.sha1(whole, usedforsecurity=False).digest()

    def is_of(self, fingerprint: bytes, created: int) -> bool:
        """Is it the key of that fingerprint, whatever program wrote its KDF parameters?"""
        return self.kdf_of(fingerprint, created) is not None

    def kdf_of(self, fingerprint: bytes, created: int) -> bytes | None:
        """The KDF parameters with which it has that fingerprint; None where none give it.

        b"" are those that GnuPG writes, and those of a key that has none.
        """
        others = KDFS if self.algorithm.kind is Kind.ECDH else ()
        fits = (kdf for kdf in (b"", *others) if self.fingerprint(created, kdf) == fingerprint)
        return next(fits, None)

    # --- the rest of the world ----------------------------------------------------------------

    def library(self) -> AnyLibrary:
        """As `cryptography` knows it. Raises Garbled (no such point, no such modulus)."""
        curve = self.algorithm.curve
        try:
            if curve is None:
                return rsa.RSAPublicNumbers(self.exponent, self.modulus).public_key()
            if self.algorithm.kind is Kind.EDDSA:
                return ed25519.Ed25519PublicKey.from_public_bytes(self.point)
            if curve.word == "x25519":
                return x25519.X25519PublicKey.from_public_bytes(self.point)
            named = LIBRARY_CURVES[curve.word]()
            return ec.EllipticCurvePublicKey.from_encoded_point(named, self.point)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Garbled("The public key that the card shows is none.") from error

    def pem(self) -> bytes:
        return self.library().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def ssh(self) -> bytes:
        """One line for authorized_keys; empty where SSH knows no such key."""
        key = self.library()
        if isinstance(key, x25519.X25519PublicKey):
            return b""
        try:
            return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        except (ValueError, UnsupportedAlgorithm):
            return b""

    @property
    def words(self) -> str:
        return self.algorithm.word


def _point(raw: bytes, attributes: Algorithm) -> bytes:
    curve = attributes.curve
    assert curve is not None
    if curve.word in ("ed25519", "x25519"):
        bare = raw[1:] if len(raw) == 33 and raw[0] == NATIVE else raw
        if len(bare) == 32:
            return bare
    elif len(raw) == 1 + 2 * curve.size and raw[0] == 4:
        return raw
    raise Garbled("The card's public key has not the length of its curve.")


def mpi(number: int) -> bytes:
    """A number as OpenPGP writes it (RFC 4880, 3.2)."""
    bits = number.bit_length()
    return bits.to_bytes(2, "big") + number.to_bytes((bits + 7) // 8, "big")


def of_library(key: AnyLibrary, decrypts: bool) -> PublicKey | None:
    """A key of `cryptography` in our words; None where no slot could hold it."""
    by_word = {curve.word: curve for curve in CURVES}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return PublicKey(Algorithm(Kind.RSA, key.key_size), numbers.n, numbers.e)
    raw = (Encoding.Raw, PublicFormat.Raw)
    if isinstance(key, ed25519.Ed25519PublicKey):
        algorithm = Algorithm(Kind.EDDSA, curve=by_word["ed25519"])
        return PublicKey(algorithm, point=key.public_bytes(*raw))
    if isinstance(key, x25519.X25519PublicKey):
        algorithm = Algorithm(Kind.ECDH, curve=by_word["x25519"])
        return PublicKey(algorithm, point=key.public_bytes(*raw))
    if isinstance(key, ec.EllipticCurvePublicKey):
        word = next((w for w, c in LIBRARY_CURVES.items() if c().name == key.curve.name), "")
        if word:
            algorithm = Algorithm(Kind.ECDH if decrypts else Kind.ECDSA, curve=by_word[word])
            point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return PublicKey(algorithm, point=point)
    return None
