"""The files of a SmartCard-HSM: found by number, written by offset, listed as they were made.

The rule: reading is free but for protected data (CDxx); writing needs the user PIN; what belongs
to the device itself is never written, and memory ends.
"""

from __future__ import annotations

from typing import Any

from console.families.smartcardhsm.simulator_apdu import Denied, Status
from console.protocols import tlv

DEVICE_CERTIFICATES = 0x2F02
TOKEN_INFO = 0x2F03
TRANSFER = 0x2F10
DEVICE_KEY = 0xCC00
DEVICE_DESCRIPTION = 0xC400
KEYS, DESCRIPTIONS, PROTECTED, CERTIFICATES = 0xCC, 0xC4, 0xCD, 0xCE
WRITABLE = (0xC4, 0xC8, 0xC9, 0xCA, 0xCD, 0xCE, 0xCF)
OWN = (DEVICE_CERTIFICATES, DEVICE_DESCRIPTION, DEVICE_KEY)
OVERHEAD = 32
"""Bytes that a file takes beside its contents."""
LARGEST = 0x7FFF


class Files:
    """Contents by number, in the order in which they came to be."""

    def __init__(self, certificates: bytes) -> None:
        """The device's own key is listed, but nothing describes it (card-sc-hsm says so too)."""
        self._contents: dict[int, bytes] = {
            DEVICE_CERTIFICATES: certificates,
            DEVICE_DESCRIPTION: b"",
            DEVICE_KEY: b"",
        }

    def __contains__(self, number: int) -> bool:
        return number in self._contents

    @property
    def used(self) -> int:
        """Bytes of memory taken."""
        return sum(len(content) + OVERHEAD for content in self._contents.values())

    def listed(self) -> list[int]:
        """The numbers that ENUMERATE OBJECTS shows; those of the system (2Fxx) it does not."""
        return [number for number in self._contents if number >> 8 != 0x2F]

    def content(self, number: int) -> bytes:
        """All of it. Raises Denied (6A82)."""
        if number not in self._contents:
            raise Denied(Status.NO_SUCH_FILE)
        return self._contents[number]

    def read(self, number: int, offset: int, expected: int) -> tuple[bytes, int]:
        """At most `expected` bytes, and 6282 where the end came first. Raises Denied."""
        content = self.content(number)
        if offset > len(content):
            raise Denied(Status.OUTSIDE)
        data = content[offset : offset + expected]
        return data, Status.DONE if len(data) == expected else Status.END_REACHED

    def write(self, number: int, offset: int, data: bytes, room: int) -> None:
        """Create or grow it, or write over a part of it. `room` bytes are left. Raises Denied."""
        if number in OWN or number >> 8 == KEYS:
            raise Denied(Status.NOT_VERIFIED)
        if number >> 8 not in WRITABLE and number not in (TOKEN_INFO, TRANSFER):
            raise Denied(Status.NO_SUCH_FILE)
        old = self._contents.get(number)
        if offset > len(old or b"") or offset + len(data) > LARGEST:
            raise Denied(Status.OUTSIDE)
        # Hosts write blob after blob over the transfer file and never delete it.
        content = b"" if number == TRANSFER and offset == 0 else old or b""
        content = content[:offset] + data + content[offset + len(data) :]
        grows = len(content) - len(old) if old is not None else len(content) + OVERHEAD
        if grows > room:
            raise Denied(Status.FULL)
        self._contents[number] = content

    def put(self, number: int, content: bytes) -> None:
        """What the card itself writes."""
        self._contents[number] = content

    def delete(self, number: int) -> None:
        """Raises Denied: it is the device's own, or is not there."""
        if number in OWN:
            raise Denied(Status.NOT_VERIFIED)
        self.content(number)
        del self._contents[number]

    def clear(self) -> None:
        """INITIALIZE: only what is the device's own stays."""
        self._contents = {
            number: content for number, content in self._contents.items() if number in OWN
        }

    def freeze(self) -> list[list[Any]]:
        return [[number, content.hex()] for number, content in self._contents.items()]

    def thaw(self, frozen: list[list[Any]]) -> None:
        self._contents = {number: bytes.fromhex(content) for number, content in frozen}


def fcp(number: int, size: int) -> bytes:
    """The answer to SELECT of one file."""
    return tlv.encode(
        0x62,
        tlv.encode(0x81, size.to_bytes(2, "big")),
        tlv.encode(0x82, b"\x01"),
        tlv.encode(0x83, number.to_bytes(2, "big")),
    )


def label(name: str, serial: str) -> bytes:
    """EF.TokenInfo (PKCS#15, 6.9): version, serial, maker, label, flags."""
    return tlv.encode(
        0x30,
        tlv.encode(0x02, b"\0"),
        tlv.encode(0x04, serial.encode()),
        tlv.encode(0x0C, b"CardContact"),
        tlv.encode(0x80, name.encode()),
        tlv.encode(0x03, bytes((0x04, 0x30))),
    )


def description(name: str, reference: int, rsa_bits: int, ec_bits: int) -> bytes:
    """A private key description (PKCS#15, 7.2), as hosts write one beside a key."""
    kind, bits, usage = (0x30, rsa_bits, "0274") if rsa_bits else (0xA0, ec_bits, "072080")
    use = bytes.fromhex(usage)
    return tlv.encode(
        kind,
        tlv.encode(0x30, tlv.encode(0x0C, name.encode())),
        tlv.encode(0x30, tlv.encode(0x04, bytes((reference,))), tlv.encode(0x03, use)),
        tlv.encode(
            0xA1,
            tlv.encode(
                0x30,
                tlv.encode(0x30, tlv.encode(0x04, b"")),
                tlv.encode(0x02, bits.to_bytes(2, "big")),
            ),
        ),
    )
