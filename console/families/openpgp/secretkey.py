"""A private key on its way into a slot: from a backup's numbers, to the card's import template.

The rule: it lives in memory between reading the backup and the import, and is in no repr. Its
public half must follow from it, or it is no backup of that key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from console.errors import BadUsage
from console.families.openpgp.algorithms import Algorithm
from console.families.openpgp.objects import Slot
from console.families.openpgp.publickey import LIBRARY_CURVES, PublicKey, of_library
from console.protocols import tlv

EXTENDED_HEADER_LIST, KEY_TEMPLATE, KEY_VALUES = 0x4D, 0x7F48, 0x5F48
E, P, Q, Q_INVERSE, DP, DQ, N = 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97
PRIVATE, PUBLIC = 0x92, 0x99
Private = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
) | x25519.X25519PrivateKey


@dataclass(frozen=True)
class SecretKey:
    """A private key of a backup, and when it was made."""

    public: PublicKey
    created: int
    private: Private = field(repr=False)
    kdf: bytes = b""

    @property
    def fingerprint(self) -> bytes:
        return self.public.fingerprint(self.created, self.kdf)

    def template(self, slot: Slot, attributes: Algorithm) -> bytes:
        """The data of the import command (4.4.3.12), in the form that the slot's attributes ask."""
        values = self._values(attributes)
        lengths = b"".join(bytes((tag,)) + tlv.encode_length(len(v)) for tag, v in values)
        return tlv.encode(
            EXTENDED_HEADER_LIST,
            tlv.encode(slot.crt),
            tlv.encode(KEY_TEMPLATE, lengths),
            tlv.encode(KEY_VALUES, *(value for _, value in values)),
        )

    def _values(self, attributes: Algorithm) -> list[tuple[int, bytes]]:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return _rsa(self.private, attributes)
        values = [(PRIVATE, self.scalar())]
        if attributes.with_public:
            values.append((PUBLIC, self.public.point))
        return values

    def scalar(self) -> bytes:
        """The private number as the card and OpenPGP write it: X25519's bytes are reversed."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            size = (self.private.curve.key_size + 7) // 8
            return self.private.private_numbers().private_value.to_bytes(size, "big")
        assert not isinstance(self.private, rsa.RSAPrivateKey)
        raw = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return raw[::-1] if isinstance(self.private, x25519.X25519PrivateKey) else raw


def _rsa(key: rsa.RSAPrivateKey, attributes: Algorithm) -> list[tuple[int, bytes]]:
    numbers = key.private_numbers()
    half = key.key_size // 16
    exponent = numbers.public_numbers.e.to_bytes((attributes.exponent + 7) // 8 or 4, "big")
    values = [(E, exponent), (P, numbers.p.to_bytes(half, "big"))]
    values.append((Q, numbers.q.to_bytes(half, "big")))
    if attributes.form in (2, 3):
        values.append((Q_INVERSE, numbers.iqmp.to_bytes(half, "big")))
        values.append((DP, numbers.dmp1.to_bytes(half, "big")))
        values.append((DQ, numbers.dmq1.to_bytes(half, "big")))
    if attributes.form in (1, 3):
        values.append((N, numbers.public_numbers.n.to_bytes(2 * half, "big")))
    return values


def of_numbers(
    public: PublicKey, created: int, numbers: tuple[int, ...], kdf: bytes = b""
) -> SecretKey:
    """A key of OpenPGP's secret numbers (RFC 4880, 5.5.3). Raises BadUsage.

    For RSA they are d, p, q, u; for a curve the one private number.
    """
    try:
        private = _private(public, numbers)
    except (ValueError, OverflowError) as error:
        raise _mismatch() from error
    decrypts = public.algorithm.kind.name == "ECDH"
    if of_library(private.public_key(), decrypts) != public:
        raise _mismatch()
    return SecretKey(public, created, private, kdf)


def _private(public: PublicKey, numbers: tuple[int, ...]) -> Private:
    curve = public.algorithm.curve
    if curve is None:
        if len(numbers) != 4:
            raise ValueError
        d, p, q = numbers[:3]
        if p < q:
            p, q = q, p
        dp, dq, inverse = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
        outside = rsa.RSAPublicNumbers(public.exponent, public.modulus)
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, inverse, outside).private_key()
    if len(numbers) != 1:
        raise ValueError
    if curve.word == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(numbers[0].to_bytes(32, "big"))
    if curve.word == "x25519":
        return x25519.X25519PrivateKey.from_private_bytes(numbers[0].to_bytes(32, "little"))
    return ec.derive_private_key(numbers[0], LIBRARY_CURVES[curve.word]())


def _mismatch() -> BadUsage:
    return BadUsage(
        "The secret half of this backup is not the secret of its public half.",
        "The file is damaged. Take another copy of the backup. Nothing is written.",
    )
