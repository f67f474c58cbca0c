"""The arithmetic of a simulated OpenPGP card: keys made, taken in, shown and used.

The rule: real cryptography, by the library; only the forms on the wire are ours (OpenPGP card
3.4, 4.4.3.9 to 4.4.3.12 and 7.2.10 to 7.2.14). What does not fit is Denied (6A80).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
    x448,
    x25519,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    NoDigestInfo,
    Prehashed,
    decode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from console.families.openpgp.simulator_rows import (
    BRAINPOOL,
    ECDH,
    ECDSA,
    ED448,
    ED25519,
    EDDSA,
    K256,
    P256,
    P384,
    P521,
    X448,
    X25519,
)
from console.families.openpgp.simulator_words import Denied, Sw
from console.protocols import tlv

RSA = 0x01
PUBLIC_TOO = 0xFF
"""Last byte of a curve's attributes: an import brings the public point along."""
PREFIX = 0x40
"""Stands before a native point where a host took it from an OpenPGP packet."""
MODULUS, EXPONENT, POINT = 0x81, 0x82, 0x86

_WEIERSTRASS: dict[str, ec.EllipticCurve] = {
    P256: ec.SECP256R1(),
    P384: ec.SECP384R1(),
    P521: ec.SECP521R1(),
    K256: ec.SECP256K1(),
    BRAINPOOL[0]: ec.BrainpoolP256R1(),
    BRAINPOOL[1]: ec.BrainpoolP384R1(),
    BRAINPOOL[2]: ec.BrainpoolP512R1(),
}
_NATIVE: dict[str, tuple[int, Callable[[], Private], Callable[[bytes], Private]]] = {
    ED25519: (
        32,
        ed25519.Ed25519PrivateKey.generate,
        ed25519.Ed25519PrivateKey.from_private_bytes,
    ),
    ED448: (57, ed448.Ed448PrivateKey.generate, ed448.Ed448PrivateKey.from_private_bytes),
    X25519: (32, x25519.X25519PrivateKey.generate, x25519.X25519PrivateKey.from_private_bytes),
    X448: (56, x448.X448PrivateKey.generate, x448.X448PrivateKey.from_private_bytes),
}
_DIGESTS: dict[int, hashes.HashAlgorithm] = {
    20: hashes.SHA1(),  # noqa: S303 - a card signs whatever hash it is given
    28: hashes.SHA224(),
    32: hashes.SHA256(),
    48: hashes.SHA384(),
    64: hashes.SHA512(),
}

Private = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | x25519.X25519PrivateKey
    | x448.X448PrivateKey
)


@dataclass(frozen=True)
class Algorithm:
    """Attributes, taken apart. `bits` is for RSA only, `oid` (hex) for curves only."""

    kind: int
    bits: int = 0
    exponent_bits: int = 0
    form: int = 0
    oid: str = ""
    public_too: bool = False

    @property
    def name(self) -> str:
        """As the rows name a pace: rsa2048, or the curve's identifier."""
        return f"rsa{self.bits}" if self.kind == RSA else self.oid


def algorithm(attributes: bytes) -> Algorithm:
    """Raises Denied (6A80) for what is no known form."""
    if len(attributes) in (5, 6) and attributes[0] == RSA:
        bits = int.from_bytes(attributes[1:3], "big")
        form = attributes[5] if len(attributes) == 6 else 0
        return Algorithm(RSA, bits, int.from_bytes(attributes[3:5], "big"), form)
    if len(attributes) > 2 and attributes[0] in (ECDH, ECDSA, EDDSA):
        public_too = attributes[-1] == PUBLIC_TOO
        oid = attributes[1 : -1 if public_too else None].hex()
        return Algorithm(attributes[0], oid=oid, public_too=public_too)
    raise Denied(Sw.DATA)


def same_algorithm(one: bytes, other: bytes) -> bool:
    """Do both name one algorithm, whatever form a key is imported in?

    A curve is one curve, be it called ECDSA or ECDH: the slot decides what it is for.
    """
    first, second = algorithm(one), algorithm(other)
    if first.kind == RSA or second.kind == RSA:
        return (first.kind, first.bits) == (second.kind, second.bits)
    return first.oid == second.oid


# --- from and to what the card stores -----------------------------------------------------


def stored(private: Private) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def loaded(stored_key: bytes) -> Private:
    private = load_der_private_key(stored_key, None)
    assert isinstance(private, Private)
    return private


def generated(attributes: bytes) -> bytes:
    """A new private key, as stored."""
    wanted = algorithm(attributes)
    if wanted.kind == RSA:
        return stored(rsa.generate_private_key(65537, wanted.bits))
    if wanted.oid in _NATIVE:
        return stored(_NATIVE[wanted.oid][1]())
    return stored(ec.generate_private_key(_WEIERSTRASS[wanted.oid]))


def public_object(stored_key: bytes) -> bytes:
    """Object 7F49: modulus and exponent, or the point."""
    return tlv.encode(0x7F49, *public_parts(loaded(stored_key)))


def public_parts(private: Private) -> tuple[bytes, ...]:
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        size = public.key_size // 8
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        return (
            tlv.encode(MODULUS, numbers.n.to_bytes(size, "big")),
            tlv.encode(EXPONENT, exponent),
        )
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return (tlv.encode(POINT, point),)
    return (tlv.encode(POINT, public.public_bytes_raw()),)


# --- import (OpenPGP card 3.4, 4.4.3.12) --------------------------------------------------


def imported(attributes: bytes, parts: dict[int, bytes]) -> bytes:
    """The private key made of the parts 91 to 99, as stored. Raises Denied (6A80)."""
    wanted = algorithm(attributes)
    try:
        if wanted.kind == RSA:
            return stored(_rsa(wanted, parts))
        return stored(_curve(wanted, parts))
    except (KeyError, ValueError, UnsupportedAlgorithm, OverflowError):
        raise Denied(Sw.DATA) from None


def _rsa(wanted: Algorithm, parts: dict[int, bytes]) -> rsa.RSAPrivateKey:
    e, p, q = (int.from_bytes(parts[tag], "big") for tag in (0x91, 0x92, 0x93))
    if (p * q).bit_length() != wanted.bits:
        raise Denied(Sw.DATA)
    d = rsa.rsa_recover_private_exponent(e, p, q)
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(e, p * q),
    ).private_key()


def _curve(wanted: Algorithm, parts: dict[int, bytes]) -> Private:
    if wanted.oid in _NATIVE:
        size, _, load = _NATIVE[wanted.oid]
        secret = parts[0x92].rjust(size, b"\0")
        # As a number in a packet it is big-endian, as the curve has it little-endian.
        private = load(secret[::-1] if wanted.oid in (X25519, X448) else secret)
    else:
        scalar = int.from_bytes(parts[0x92], "big")
        private = ec.derive_private_key(scalar, _WEIERSTRASS[wanted.oid])
    told = parts.get(0x99)
    if told is not None and tlv.encode(POINT, _bare_point(told)) not in public_parts(private):
        raise Denied(Sw.DATA)
    return private


def _bare_point(point: bytes) -> bytes:
    return point[1:] if len(point) % 2 and point[:1] == bytes((PREFIX,)) else point


# --- use ----------------------------------------------------------------------------------


def signature(stored_key: bytes, data: bytes) -> bytes:
    """RSA: PKCS#1 around a DigestInfo. ECDSA: r and s of a hash. EdDSA: of the data itself."""
    private = loaded(stored_key)
    if isinstance(private, rsa.RSAPrivateKey):
        # A card takes what fits into 40 % of the modulus (OpenPGP card 3.4, 7.2.13).
        if not data or len(data) * 5 > private.key_size // 8 * 2:
            raise Denied(Sw.LENGTH)
        return private.sign(data, padding.PKCS1v15(), NoDigestInfo())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return _ecdsa(private, data)
    if isinstance(private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return private.sign(data)
    raise Denied(Sw.CONDITIONS)


def _ecdsa(private: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    if len(data) not in _DIGESTS:
        raise Denied(Sw.DATA)
    r, s = decode_dss_signature(private.sign(data, ec.ECDSA(Prehashed(_DIGESTS[len(data)]))))
    size = (private.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def opened(stored_key: bytes, data: bytes) -> bytes:
    """The message of an RSA cryptogram (00 before it), or what is agreed with the point in A6."""
    private = loaded(stored_key)
    if isinstance(private, rsa.RSAPrivateKey):
        return _rsa_opened(private, data)
    point = tlv.find(_agreement(data), 0x7F49, POINT)
    if point is None:
        raise Denied(Sw.DATA)
    try:
        return _agreed(private, _bare_point(point))
    except ValueError:
        raise Denied(Sw.DATA) from None


def _agreement(data: bytes) -> bytes:
    template = tlv.find(data, 0xA6)
    if template is None:
        raise Denied(Sw.DATA)
    return template


def _agreed(private: Private, point: bytes) -> bytes:
    if isinstance(private, ec.EllipticCurvePrivateKey):
        other = ec.EllipticCurvePublicKey.from_encoded_point(private.curve, point)
        return private.exchange(ec.ECDH(), other)
    if isinstance(private, x25519.X25519PrivateKey):
        return private.exchange(x25519.X25519PublicKey.from_public_bytes(point))
    if isinstance(private, x448.X448PrivateKey):
        return private.exchange(x448.X448PublicKey.from_public_bytes(point))
    raise Denied(Sw.CONDITIONS)


def _rsa_opened(private: rsa.RSAPrivateKey, data: bytes) -> bytes:
    size = private.key_size // 8
    if len(data) != size + 1 or data[0]:
        raise Denied(Sw.DATA)
    numbers = private.private_numbers()
    value = int.from_bytes(data[1:], "big")
    if value >= numbers.public_numbers.n:
        raise Denied(Sw.DATA)
    # The library answers a wrongly padded block with a random message; a card refuses it.
    block = pow(value, numbers.d, numbers.public_numbers.n).to_bytes(size, "big")
    if block[:2] != b"\0\2" or 0 not in block[10:]:
        raise Denied(Sw.DATA)
    return private.decrypt(data[1:], padding.PKCS1v15())
