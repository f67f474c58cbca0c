"""Private key descriptions (PKCS#15 PrKD), as they stand in the card's C4xx files.

The rule: pure. A description names a key to other programs; it holds no secret. Without one the key
is there and PKCS#11 does not see it (reference 2.5).
"""

from __future__ import annotations

from dataclasses import dataclass

from console.errors import Garbled
from console.protocols import tlv

RSA, EC, AES = "RSA", "EC", "AES"
TAGS = {0x30: RSA, 0xA0: EC, 0xA8: AES}
SEQUENCE, OCTETS, TEXT, BITS, INTEGER = 0x30, 0x04, 0x0C, 0x03, 0x02
ATTRIBUTES = 0xA1
USAGE = {RSA: b"\x02\x74", EC: b"\x07\x20\x80"}
"""What the key may do (PKCS#15, 6.3.2): decrypt, sign, unwrap; EC: sign, derive, its own bits."""


@dataclass(frozen=True)
class Description:
    """A key as others see it: its kind, label, id, and size in bits (0: not said)."""

    kind: str
    label: str
    id: bytes
    bits: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Description:
        """Raises Garbled if it is none. A label may be missing: PKCS#15 makes it optional.

        It is told from a certificate, which begins with the same tag, by its last part.
        """
        try:
            tag, start, length = tlv.header(data)
            named, classed, *more = tlv.parse(data[start : start + length])
            kind = TAGS[tag]
        except (ValueError, KeyError):
            raise Garbled("A key description on the card is not one.") from None
        attributes = [part.value for part in more if part.tag == ATTRIBUTES]
        sequences = named.tag == classed.tag == SEQUENCE
        if not sequences or not attributes or start + length > len(data):
            raise Garbled("What should be a key description on the card is none.")
        name = (tlv.find(named.value, TEXT) or b"").decode("utf-8", "replace")
        return cls(kind, name, tlv.find(classed.value, OCTETS) or b"", _bits(attributes[0]))

    def encode(self) -> bytes:
        """The shortest form that other programs read."""
        tag = next(tag for tag, kind in TAGS.items() if kind == self.kind)
        size = self.bits.to_bytes((self.bits.bit_length() + 8) // 8, "big")
        path = tlv.encode(SEQUENCE, tlv.encode(OCTETS))
        return tlv.encode(
            tag,
            tlv.encode(SEQUENCE, tlv.encode(TEXT, self.label.encode())),
            tlv.encode(SEQUENCE, tlv.encode(OCTETS, self.id), tlv.encode(BITS, USAGE[self.kind])),
            tlv.encode(ATTRIBUTES, tlv.encode(SEQUENCE, path, tlv.encode(INTEGER, size))),
        )


def _bits(attributes: bytes) -> int:
    try:
        found = tlv.find(attributes, SEQUENCE, INTEGER)
    except Garbled:
        return 0
    return int.from_bytes(found or b"", "big")


def label_in(data: bytes) -> str:
    """The label of any PKCS#15 object's description; "" where there is none."""
    try:
        found = tlv.find(tlv.parse(data)[0].value, SEQUENCE, TEXT)
    except (Garbled, IndexError):
        return ""
    return (found or b"").decode("utf-8", "replace")


def is_description(data: bytes) -> bool:
    """Does it read as a key description?"""
    try:
        Description.parse(data)
    except Garbled:
        return False
    return True
