"""Files that hold an image: the DFU suffix, ST's DfuSe container, Intel HEX, and plain bytes.

The rule: pure. Bytes go in, elements with their addresses come out; what is torn, or does not
add up, raises BadUsage and never half an image (DFU 1.1, appendix B; UM0391).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from intelhex import IntelHex, IntelHexError

from console.errors import BadUsage

ANY = 0xFFFF
"""A wild card among the ids of a suffix (DFU 1.1, table B.1)."""
DFUSE_VERSION = 0x011A
INTEL_HEX = "Intel HEX"
_END_RECORD = ":00000001FF"
_SUFFIX = struct.Struct("<HHHH3sBI")
_PREFIX = struct.Struct("<5sBIB")
_TARGET = struct.Struct("<6sBI255sII")
_ELEMENT = struct.Struct("<II")
_GET_ANOTHER = "Nothing is written. Fetch the file again from where it came from."


@dataclass(frozen=True)
class Element:
    """Bytes and where they belong."""

    address: int
    data: bytes = field(repr=False)

    @property
    def end(self) -> int:
        return self.address + len(self.data)


@dataclass(frozen=True)
class Target:
    """What belongs into one alternate setting; None where the file does not name one."""

    alternate: int | None
    elements: tuple[Element, ...]


@dataclass(frozen=True)
class Suffix:
    """The last 16 bytes of a DFU file (DFU 1.1, table B.1)."""

    release: int
    pid: int
    vid: int
    version: int

    def is_for(self, vid: int, pid: int) -> bool:
        return self.vid in (vid, ANY) and self.pid in (pid, ANY)

    @property
    def ids(self) -> str:
        return f"{self.vid:04x}:{self.pid:04x}"


@dataclass(frozen=True)
class ImageFile:
    """What a file says: either targets with addresses, or `plain` bytes without one."""

    kind: str
    suffix: Suffix | None = None
    targets: tuple[Target, ...] = ()
    plain: bytes = field(default=b"", repr=False)


def parse(data: bytes, name: str = "") -> ImageFile:
    """The file's content; the name only tells what it was meant to be. Raises BadUsage."""
    if not data:
        raise BadUsage("The image file is empty.", _GET_ANOTHER)
    ending = name.rpartition(".")[2].lower()
    if ending == "hex" or (data[:1] == b":" and ending != "bin"):
        return ImageFile(INTEL_HEX, targets=(Target(None, _hex_elements(data)),))
    suffix = _suffix(data)
    if suffix is None:
        if ending == "dfu" or data[:5] == b"DfuSe":
            raise BadUsage("The DFU file ends without its suffix: it is torn.", _GET_ANOTHER)
        return ImageFile("plain image", plain=data)
    body = data[: -_SUFFIX.size]
    if body[:5] == b"DfuSe":
        return ImageFile("DfuSe file", suffix, tuple(_targets(body)))
    if suffix.version == DFUSE_VERSION:
        raise BadUsage("The file says it is DfuSe, but has no DfuSe prefix.", _GET_ANOTHER)
    if not body:
        raise BadUsage("The DFU file holds nothing but its suffix.", _GET_ANOTHER)
    return ImageFile("DFU file", suffix, plain=body)


def _suffix(data: bytes) -> Suffix | None:
    """None where there is none. Raises BadUsage where its checksum is wrong."""
    if len(data) < _SUFFIX.size:
        return None
    release, pid, vid, version, mark, length, crc = _SUFFIX.unpack(data[-_SUFFIX.size :])
    if mark != b"UFD" or length != _SUFFIX.size:
        return None
    # CRC-32 as everywhere, but without the final inversion (DFU 1.1, appendix B).
    expected = ~zlib.crc32(data[:-4]) & 0xFFFF_FFFF
    if crc != expected:
        raise BadUsage(
            f"The file's checksum is wrong: it says {crc:08X}, its bytes give {expected:08X}.",
            _GET_ANOTHER,
        )
    return Suffix(release, pid, vid, version)


def _targets(body: bytes) -> Iterator[Target]:
    reader = _Reader(body)
    _, version, size, count = reader.take(_PREFIX)
    if version != 1 or size != len(body):
        raise BadUsage(
            f"The DfuSe file says it has {size} bytes and has {len(body)}.", _GET_ANOTHER
        )
    if not count:
        raise BadUsage("The DfuSe file holds nothing: it has no target.", _GET_ANOTHER)
    for _ in range(count):
        mark, alternate, _, _, size, elements = reader.take(_TARGET)
        began = reader.at
        if mark != b"Target":
            raise BadUsage("The DfuSe file has no target where one should begin.", _GET_ANOTHER)
        if not elements:
            raise BadUsage("A target of the DfuSe file holds nothing.", _GET_ANOTHER)
        yield Target(alternate, tuple(reader.element() for _ in range(elements)))
        if reader.at - began != size:
            raise BadUsage("A target of the DfuSe file is not as long as it says.", _GET_ANOTHER)
    if reader.at != len(body):
        raise BadUsage("The DfuSe file has bytes that belong to no target.", _GET_ANOTHER)


class _Reader:
    """Takes one thing after the other out of a DfuSe file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, kind: struct.Struct) -> tuple[Any, ...]:
        return kind.unpack(self._bytes(kind.size))

    def element(self) -> Element:
        address, size = _ELEMENT.unpack(self._bytes(_ELEMENT.size))
        if not size:
            raise BadUsage(
                f"The element at 0x{address:X} of the DfuSe file holds nothing.", _GET_ANOTHER
            )
        return Element(address, self._bytes(size))

    def _bytes(self, size: int) -> bytes:
        part = self._data[self.at : self.at + size]
        if len(part) != size:
            raise BadUsage("The DfuSe file ends in the middle of an element.", _GET_ANOTHER)
        self.at += size
        return part


def _hex_elements(data: bytes) -> tuple[Element, ...]:
    # The library takes a file without its end record, which is a torn one.
    lines = data.decode("ascii", errors="replace").split()
    if not lines or lines[-1].upper() != _END_RECORD:
        raise BadUsage("The HEX file has no end record: it is torn.", _GET_ANOTHER)
    # And it passes over whatever follows the first one.
    if _END_RECORD in map(str.upper, lines[:-1]):
        raise BadUsage("The HEX file goes on behind its end record.", _GET_ANOTHER)
    image = IntelHex()
    try:
        image.loadhex(io.StringIO("\n".join(lines)))
    except IntelHexError as error:
        raise BadUsage(f"The HEX file cannot be read: {error}.", _GET_ANOTHER) from None
    elements = tuple(
        Element(start, image.tobinstr(start=start, size=end - start))
        for start, end in image.segments()
    )
    if not elements:
        raise BadUsage("The HEX file holds no data.", _GET_ANOTHER)
    return elements
