"""Private keys among other bytes, found by how they are built: DER of RSA and EC keys, and PEM.

The rule: pure, and suspicious. A key is told by its structure (RFC 8017 A.1.2, RFC 5915, RFC
5958, RFC 7468), of any size, and also where its end is cut off: half a key is a secret, too.
"""

from __future__ import annotations

import re

_HEAD = re.compile(
    rb"\x30(?=(?:[\x00-\x7f]|\x81.|\x82..|\x83...)\x02\x01[\x00\x01][\x02\x04\x30])", re.DOTALL
)
"""A SEQUENCE that begins with a version of 0 or 1, then an INTEGER, an OCTET STRING, a SEQUENCE."""
_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=:,\s-]{32}")
"""With some of its body: the line alone stands in every program that reads PEM."""
_SHORTEST_MODULUS, _LONGEST_EXPONENT = 32, 9
_SCALARS = range(14, 73)
"""Bytes of an EC key's private number, from the 112 bits of secp112r1 to 571 of sect571r1."""
INTEGER, OCTETS, OID, SEQUENCE = 0x02, 0x04, 0x06, 0x30


def holds_private(data: bytes) -> bool:
    """Does a private key lie in these bytes?"""
    if _PEM.search(data):
        return True
    return any(_is_key(data, found.start()) for found in _HEAD.finditer(data))


def _is_key(data: bytes, at: int) -> bool:
    _, first, _ = _value(data, at)
    version = data[first + 2]
    tag, begin, size = _value(data, first + 3)
    if tag == INTEGER:
        return version == 0 and size >= _SHORTEST_MODULUS and _has_exponents(data, begin + size)
    if tag == OCTETS:
        return version == 1 and size in _SCALARS
    return data[begin : begin + 1] == bytes((OID,)) and _tag(data, begin + size) == OCTETS


def _has_exponents(data: bytes, at: int) -> bool:
    """A small public exponent, and the beginning of the private one."""
    tag, begin, size = _value(data, at)
    small = tag == INTEGER and 0 < size <= _LONGEST_EXPONENT
    return small and _tag(data, begin + size) == INTEGER


def _tag(data: bytes, at: int) -> int:
    return data[at] if at < len(data) else -1


def _value(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, where the value begins, and its length (X.690, 8.1.3); a tag of -1: there is none."""
    first = _tag(data, at + 1)
    if first < 0x80:
        return _tag(data, at) if first >= 0 else -1, at + 2, max(first, 0)
    more = first & 0x7F
    return _tag(data, at), at + 2 + more, int.from_bytes(data[at + 2 : at + 2 + more], "big")
