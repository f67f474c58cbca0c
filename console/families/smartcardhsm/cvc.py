"""Card verifiable certificates and requests (BSI TR-03110, part 3, C), as this card has them.

The rule: pure; a signature is checked by `cryptography`, over the bytes as they came. A key of a
curve that is not known here is unknown, never wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from console.errors import Garbled
from console.families.smartcardhsm import curves
from console.families.smartcardhsm.blob import PublicKey
from console.protocols import tlv

CERTIFICATE, BODY, SIGNATURE = 0x7F21, 0x7F4E, 0x5F37
REQUEST = 0x67
CAR, CHR, KEY = 0x42, 0x5F20, 0x7F49
TEMPLATE, ROLE, RIGHTS = 0x7F4C, 0x06, 0x53
EFFECTIVE, EXPIRES = 0x5F25, 0x5F24
OID, MODULUS, EXPONENT, ORDER, POINT = 0x06, 0x81, 0x82, 0x85, 0x86
SEQUENCE_LENGTH = 5
"""Digits at the end of a holder's name that number its certificates."""

RSA_OID = bytes.fromhex("04007f000702020201")
EC_OID = bytes.fromhex("04007f000702020202")
RSA_HASHES: dict[int, hashes.HashAlgorithm] = {1: hashes.SHA1(), 2: hashes.SHA256()}  # noqa: S303
EC_HASHES: dict[int, hashes.HashAlgorithm] = {
    1: hashes.SHA1(),  # noqa: S303
    2: hashes.SHA224(),
    3: hashes.SHA256(),
    4: hashes.SHA384(),
    5: hashes.SHA512(),
}
"""By the last byte of the key's algorithm."""


@dataclass(frozen=True)
class Certificate:
    """One certificate or request. Names are without spaces; dates are None where not said."""

    raw: bytes = field(repr=False)
    car: str
    chr: str
    oid: bytes
    order: bytes = field(repr=False)
    key: PublicKey | None = field(repr=False)
    role: int | None
    effective: date | None
    expires: date | None
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def holder(self) -> str:
        """The holder's name without the number of the certificate."""
        return self.chr[:-SEQUENCE_LENGTH]

    def key_in(self, issuer: Certificate) -> PublicKey | None:
        """Its key; the curve is its issuer's where it carries none."""
        if self.key is not None or self.order:
            return self.key
        point = tlv.find(self.body, BODY, KEY, POINT)
        return curves.public_key(issuer.order, point) if point else None

    def signed(self, key: PublicKey | None, oid: bytes) -> bool:
        """Did `key`, whose algorithm is `oid`, sign it?"""
        return key is not None and verifies(key, oid, self.body, self.signature)


def parse(data: bytes) -> tuple[Certificate, ...]:
    """Every certificate or request in `data`; files may end in zeros. Raises Garbled."""
    found = []
    while data.strip(b"\0"):
        tag, start, length = tlv.header(data)
        if start + length > len(data):
            raise Garbled("A certificate of the card is cut off.")
        whole, data = data[: start + length], data[start + length :]
        inside = whole[start:]
        if tag == REQUEST:
            _, at, size = tlv.header(inside)
            whole, inside = inside[: at + size], inside[at : at + size]
        elif tag != CERTIFICATE:
            raise Garbled("What should be a certificate of the card is none.")
        found.append(_certificate(whole, inside))
    return tuple(found)


def _certificate(raw: bytes, inside: bytes) -> Certificate:
    tag, start, length = tlv.header(inside)
    body = inside[: start + length]
    content = body[start:]
    signature = tlv.find(inside[start + length :], SIGNATURE)
    oid = tlv.find(content, KEY, OID)
    if tag != BODY or signature is None or oid is None:
        raise Garbled("A certificate of the card lacks its key or its signature.")
    rights = tlv.find(content, TEMPLATE, RIGHTS)
    order = tlv.find(content, KEY, ORDER) or b"" if oid.startswith(EC_OID) else b""
    return Certificate(
        raw,
        _name(tlv.find(content, CAR)),
        _name(tlv.find(content, CHR)),
        oid,
        order,
        _key(content, oid, order),
        rights[0] if rights else None,
        _date(tlv.find(content, EFFECTIVE)),
        _date(tlv.find(content, EXPIRES)),
        body,
        signature,
    )


def _key(content: bytes, oid: bytes, order: bytes) -> PublicKey | None:
    if oid.startswith(EC_OID):
        point = tlv.find(content, KEY, POINT)
        return curves.public_key(order, point) if order and point else None
    n, e = tlv.find(content, KEY, MODULUS), tlv.find(content, KEY, EXPONENT)
    if not n or not e:
        return None
    try:
        numbers = rsa.RSAPublicNumbers(int.from_bytes(e, "big"), int.from_bytes(n, "big"))
        return numbers.public_key()
    except ValueError:
        return None


def _name(value: bytes | None) -> str:
    return (value or b"").decode("ascii", "replace").strip()


def _date(value: bytes | None) -> date | None:
    """Six digits, a byte each: YYMMDD of this century."""
    if value is None or len(value) != 6 or any(digit > 9 for digit in value):
        return None
    year, month, day = (10 * value[at] + value[at + 1] for at in (0, 2, 4))
    try:
        return date(2000 + year, month, day)
    except ValueError:
        return None


def verifies(key: PublicKey, oid: bytes, message: bytes, signature: bytes) -> bool:
    """Is it a signature of the message by that key? EC signatures are r and s, joined."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), RSA_HASHES[oid[-1]])
        else:
            key.verify(der_signature(signature), message, ec.ECDSA(EC_HASHES[oid[-1]]))
    except (InvalidSignature, KeyError, ValueError, UnsupportedAlgorithm):
        return False
    return True


def der_signature(joined: bytes) -> bytes:
    """r and s, joined, as X9.62 writes them."""
    half = len(joined) // 2
    r, s = int.from_bytes(joined[:half], "big"), int.from_bytes(joined[half:], "big")
    return encode_dss_signature(r, s)


def public_key_in(data: bytes) -> PublicKey | None:
    """The key of what stands in a CExx file: a request, a certificate of either kind; or None."""
    try:
        _, start, length = tlv.header(data)
        data = data[: start + length]  # files may end in zeros
        if data[0] in (REQUEST, CERTIFICATE >> 8):
            return parse(data)[0].key
        key = x509.load_der_x509_certificate(data).public_key()
    except (Garbled, IndexError, ValueError, UnsupportedAlgorithm):
        return None  # none at all, or of a curve that the library lacks
    return key if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None
