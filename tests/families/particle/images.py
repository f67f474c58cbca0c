"""Images as tests need them: applications of a Core, modules, HEX and DfuSe files.

Built from the tables (UM0391, DFU 1.1 appendix B, device-os' module_info.h), not by the product.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

from intelhex import IntelHex

from console.families.particle.image import Image
from console.families.particle.platforms import named
from console.families.particle.rewrite import Change
from console.families.particle.simulator_rows import CORE, Personality
from console.protocols.dfu import Layout
from console.protocols.dfufile import parse

K = 1024
APPLICATION = 0x08005000
CORE_LAYOUTS = (
    "@Internal Flash  /0x08000000/20*001Ka,108*001Kg",
    "@SPI Flash : SST25x/0x00000000/512*04Kg",
)


def vectors(size: int) -> bytes:
    """A small application: stack in RAM, every vector inside the image."""
    head = struct.pack("<16I", 0x20005000, *[APPLICATION + 0x101] * 15)
    return head + hashlib.shake_256(b"app").digest(size - len(head))


def module(start: int, number: int, size: int, function: int = 4, flags: int = 0) -> bytes:
    """A module: head, body, and the CRC-32 of both, big-endian."""
    head = struct.pack("<IIBBHHBB", start, start + size - 4, 0, flags, 3001, number, function, 1)
    body = head + hashlib.shake_256(b"module").digest(size - 4 - len(head))
    return body + struct.pack(">I", zlib.crc32(body))


def core_module(size: int, blank: range = range(0), flags: int = 0) -> bytes:
    """A Core's application with the head of its module behind the vectors, and its CRC."""
    end = APPLICATION + size - 4
    body = bytearray(vectors(size - 4))
    body[0x10C : 0x10C + 16] = struct.pack("<IIBBHHBB", APPLICATION, end, 0, flags, 207, 0, 3, 0)
    body[blank.start : blank.stop] = b"\xff" * len(blank)
    return bytes(body) + struct.pack(">I", zlib.crc32(body))


def hex_lines(*elements: tuple[int, bytes]) -> list[bytes]:
    """The lines of a HEX file of these bytes."""
    made, text = IntelHex(), io.StringIO()
    for at, data in elements:
        made.puts(at, data)
    made.write_hex_file(text)
    return text.getvalue().encode().splitlines(keepends=True)


def suffixed(body: bytes, pid: int = 0x607F, version: int = 0x011A) -> bytes:
    whole = body + struct.pack("<HHHH3sB", 0xFFFF, pid, 0x1D50, version, b"UFD", 16)
    return whole + struct.pack("<I", ~zlib.crc32(whole) & 0xFFFFFFFF)


def dfuse(*elements: tuple[int, bytes], alternate: int = 0, pid: int = 0x607F) -> bytes:
    """A DfuSe file for a Core."""
    packed = b"".join(struct.pack("<II", at, len(data)) + data for at, data in elements)
    target = struct.pack("<6sBI255sII", b"Target", alternate, 0, b"", len(packed), len(elements))
    body = struct.pack("<5sBIB", b"DfuSe", 1, 11 + 274 + len(packed), 1) + target + packed
    return suffixed(body, pid)


def changes(row: Personality, name: str, data: bytes, at: int | None = None) -> tuple[Change, ...]:
    """What a flash of this file would do to a board that is well."""
    texts = CORE_LAYOUTS if row is CORE else row.manners.layouts
    layouts = {number: Layout.parse(text) for number, text in enumerate(texts)}
    return Image(name, data, parse(data, name), at).changes(named(row.name), layouts)


def written(change: Change) -> tuple[tuple[int, bytes], ...]:
    return tuple((element.address, element.data) for element in change.written)
