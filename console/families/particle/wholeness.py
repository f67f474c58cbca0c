"""Is an image whole, and made for where it goes? Told by its vectors and its module's head.

The rule: all that can be known of the bytes is asked before a page is erased. What covers a place
of an application begins it and is one; what was made for another place or platform goes nowhere;
and bytes that nobody can judge are called a piece.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from console.errors import GateClosed
from console.families.particle.platforms import PLATFORMS, Place, Platform
from console.families.particle.typed import LARGEST
from console.protocols.dfufile import Element

PREFIX_EXTENSIONS = 0x10
"""The one flag of a module that lies in memory as it is; the others are for packages of updates."""
_UNTOUCHED = "Nothing is written."
_NAMES = {platform.number: platform.name for platform in PLATFORMS}
_VECTORS = struct.Struct("<16I")
_MODULE = struct.Struct("<IIBBHHBB")
"""Start, end, reserved, flags, version, platform, function, index (device-os, module_info.h)."""
_BEHIND_VECTORS = (0x10C, 0x184, 0x200)
"""Where a head stands behind vectors: of the Core, of the second generation, of the third."""
_REACH = 1 << 20
"""The vectors of one image point to no more than the flash of its chip."""


class Source(Enum):
    """What says where the bytes go: its own addresses with or without a checksum, or a person."""

    FILE = auto()
    LINES = auto()
    PERSON = auto()


# --- the head of a module -------------------------------------------------------------------


@dataclass(frozen=True)
class Module:
    """The head of a module; `end` is where its checksum stands."""

    start: int
    end: int
    flags: int
    number: int

    @classmethod
    def of(cls, data: bytes) -> Module | None:
        """None where the bytes have no head, neither first nor behind vectors."""
        first = cls._at(data, 0)
        # A Core's stands behind its vectors, so a number of 0 is here what zeros are: nothing.
        if first is not None and first.number:
            return first
        reset = int.from_bytes(data[4:8], "little")
        heads = (cls._at(data, at) for at in _BEHIND_VECTORS)
        return next((head for head in heads if head and head.start <= reset < head.end), None)

    @classmethod
    def _at(cls, data: bytes, at: int) -> Module | None:
        if len(data) < at + _MODULE.size:
            return None
        start, end, _, flags, _, number, _, _ = _MODULE.unpack_from(data, at)
        may_be = start > 0 and _MODULE.size <= end - start < LARGEST
        return cls(start, end, flags, number) if may_be else None

    @property
    def size(self) -> int:
        return self.end - self.start + 4

    def is_meant(self, home: int) -> bool:
        """Is it a head and no chance? It names a platform that there is, or this place."""
        return self.number in _NAMES or self.start == home

    def amiss(self, data: bytes, platform: Platform, home: int) -> str:
        """Why the module that `data` begins with is not whole, or not for here; empty if it is."""
        if self.number != platform.number:
            return f"It is for the {_NAMES.get(self.number, f'platform {self.number}')}."
        if self.flags & ~PREFIX_EXTENSIONS:
            return "It is an update package, not an image of memory."
        if self.start != home:
            return f"It is made for 0x{self.start:X}."
        if self.size > len(data):
            return f"It has {len(data)} of {self.size} bytes."
        kept = int.from_bytes(data[self.size - 4 : self.size], "big")
        return "" if kept == zlib.crc32(data[: self.size - 4]) else "Its own checksum is wrong."


# --- the application ------------------------------------------------------------------------


def application_size(data: bytes, platform: Platform) -> int:
    """The bytes of the application that `data` begins with. Raises GateClosed if it is none."""
    at = platform.application
    module = Module.of(data)
    if module is not None and module.is_meant(at):
        why = module.amiss(data, platform, at)
        if why:
            raise _none_such("application", at, why, platform)
        return module.size
    if platform.number:
        why = "It does not begin with the head of a module for there."
        raise _none_such("application", at, why, platform)
    why = _vectors_amiss(data, at)
    if why:
        raise _none_such("application", at, why, platform)
    return len(data.rstrip(b"\xff"))


def _vectors_amiss(data: bytes, at: int) -> str:
    """A Cortex-M3 image: the stack begins in RAM, and every vector points into the image."""
    size = len(data.rstrip(b"\xff"))
    if size < _VECTORS.size:
        return "It has not even its vectors."
    stack, reset, *others = _VECTORS.unpack_from(data)
    # The bootloader itself starts nothing whose stack is elsewhere.
    if stack & 0x2FFE_0000 != 0x2000_0000:
        return f"Its stack would begin at 0x{stack:08X}, not in RAM."
    for vector in (reset, *(vector for vector in others if vector)):
        if not at <= vector < at + size:
            return (
                f"It points to 0x{vector:08X}, and ends at 0x{at + size:08X}: cut off, or for "
                "another place."
            )
    return ""


def _has_vectors(data: bytes) -> bool:
    """Does it begin as code for a Cortex-M does: a stack in RAM, then odd addresses nearby?"""
    if len(data) < _VECTORS.size:
        return False
    stack, reset, *others = _VECTORS.unpack_from(data)
    vectors = [reset, *(vector for vector in others if vector)]
    near = max(vectors) - min(vectors) < _REACH
    return stack & 0x2FF8_0003 == 0x2000_0000 and near and all(vector & 1 for vector in vectors)


def _places(platform: Platform, alternate: int) -> Iterator[Place]:
    """Where the memory keeps an application: to be started, or to be copied back."""
    size = platform.application_end - platform.application
    if alternate == 0:
        yield Place("application", platform.application, size)
    if platform.factory is not None and platform.factory.alternate == alternate:
        yield Place("factory firmware", platform.factory.place.address, size)


# --- the stretches of an image --------------------------------------------------------------


def joined(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """The same bytes, one element for each contiguous stretch. They are in order already."""
    stretches: list[Element] = []
    for element in elements:
        if stretches and stretches[-1].end == element.address:
            before = stretches.pop()
            element = Element(before.address, before.data + element.data)
        stretches.append(element)
    return tuple(stretches)


def closed(
    stretches: tuple[Element, ...], platform: Platform, alternate: int
) -> tuple[Element, ...]:
    """Holes are blank where a module's own checksum says so; any others stay holes."""
    done: list[Element] = []
    rest = list(stretches)
    while rest:
        first = rest.pop(0)
        home = _home(first.address, platform, alternate)
        module = Module.of(first.data)
        if module is not None and module.is_meant(home) and module.size > len(first.data):
            inside = [part for part in rest if part.address < first.address + module.size]
            filled = _filled((first, *inside))
            if not module.amiss(filled, platform, home):
                first, rest = Element(first.address, filled), rest[len(inside) :]
        done.append(first)
    return tuple(done)


def _filled(parts: tuple[Element, ...]) -> bytes:
    data = b""
    for part in parts:
        data = data.ljust(part.address - parts[0].address, b"\xff") + part.data
    return data


def judge(
    stretches: tuple[Element, ...], platform: Platform, alternate: int, source: Source
) -> str:
    """What is to be said of the stretches before the consent. Raises GateClosed."""
    if source is Source.LINES and alternate:
        raise _lost_lines(f"The HEX file puts bytes at 0x{stretches[0].address:X}: not its flash.")
    remark = ""
    for number, stretch in enumerate(stretches):
        whole = _whole(stretch, platform, alternate)
        if source is Source.LINES and not whole:
            raise _unexplained(stretches, number)
        for place in _places(platform, alternate):
            if place.address < stretch.address < place.end and not whole:
                _require_start(stretches, place, platform, source)
                remark = f"It is a piece, not a whole {place.name}; the rest stays as it is."
    return remark if source is Source.PERSON else ""


def _home(address: int, platform: Platform, alternate: int) -> int:
    """The address for which bytes are made that lie there: factory firmware is copied."""
    starts = (place.address for place in _places(platform, alternate))
    return platform.application if address in starts else address


def _whole(stretch: Element, platform: Platform, alternate: int) -> bool:
    """Does it begin with a whole application or module for there? Raises GateClosed if torn."""
    at, data = stretch.address, stretch.data
    for place in _places(platform, alternate):
        if place.address == at:
            size = application_size(data, platform)
            _require_places_behind(stretch, size, platform, alternate)
            return True
    module = Module.of(data)
    if module is not None and module.is_meant(at):
        why = module.amiss(data, platform, at)
        if why:
            raise _none_such("module", at, why, platform)
        _require_places_behind(stretch, module.size, platform, alternate)
        return True
    if _has_vectors(data) and (not platform.number or _vectors_amiss(data, at)):
        why = "It begins with vectors for another place."
        raise _none_such("image", at, why, platform)
    _require_places_behind(stretch, 0, platform, alternate)
    return False


def _require_places_behind(
    stretch: Element, proven: int, platform: Platform, alternate: int
) -> None:
    """A place that begins inside the stretch, behind what is proven, gets an application.

    Behind one it may be blank: images of a whole memory are filled up so.
    """
    for place in _places(platform, alternate):
        inside = place.address - stretch.address
        if not max(proven, 1) <= inside < len(stretch.data):
            continue
        there = stretch.data[inside : inside + place.size]
        if not proven or there.strip(b"\xff"):
            application_size(there, platform)


def _require_start(
    stretches: tuple[Element, ...], place: Place, platform: Platform, source: Source
) -> None:
    """Raises GateClosed where the file leaves out how the place begins."""
    begun = any(part.address <= place.address < part.end for part in stretches)
    if begun or source is Source.PERSON:
        return
    why = "It leaves out how the application begins."
    raise _none_such("application", place.address, why, platform)


def _unexplained(stretches: tuple[Element, ...], number: int) -> GateClosed:
    """A stretch of lines that begins with nothing: lines before it are lost."""
    here = stretches[number].address
    if number:
        before = stretches[number - 1].end
        return _lost_lines(f"The HEX file has a hole from 0x{before:X} to 0x{here:X}.")
    return _lost_lines(f"The HEX file begins at 0x{here:X}, where no application begins.")


def _lost_lines(sentence: str) -> GateClosed:
    return GateClosed(
        sentence,
        f"{_UNTOUCHED} Lines of it may be lost: fetch it again, or take the .bin of its build.",
    )


def _none_such(what: str, address: int, why: str, platform: Platform) -> GateClosed:
    return GateClosed(
        f"This is no {what} for a {platform.name} at 0x{address:X}. {why}",
        f"{_UNTOUCHED} Take the image that is made for it, as its vendor's .bin.",
    )
