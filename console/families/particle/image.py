"""An image for a device: read from a file, and checked against the device before anything.

The rule: everything that can be known of an image is checked here, before a page is erased: its
own checksums, the device it is for, and that it lies in memory that may be written and holds no
keys.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from console.errors import BadUsage, GateClosed
from console.families.particle.platforms import PLATFORMS, Platform
from console.families.particle.rewrite import Change
from console.protocols.dfu import Layout, Segment
from console.protocols.dfufile import Element, ImageFile, Target, parse

LARGEST = 16 * 1024 * 1024
SMALLEST_PAGE = 16
"""Smaller pages exist nowhere; believing them would mean erases without end."""
_UNTOUCHED = "Nothing is written."
_NAMES = {platform.number: platform.name for platform in PLATFORMS if platform.number}
_VECTORS = struct.Struct("<16I")
_MODULE = struct.Struct("<IIBBHHBB")
"""Start, end, reserved, flags, version, platform, function, index (device-os, module_info.h)."""


@dataclass(frozen=True)
class Image:
    """A file that was read, and the address somebody typed for it, if one was."""

    name: str
    raw: bytes = field(repr=False)
    file: ImageFile
    address: int | None = None

    @classmethod
    def read(cls, path: str, address: str | None) -> Image:
        """Raises BadUsage where the file or the address cannot be meant."""
        raw = read_file(path)
        name = Path(path).name
        file = parse(raw, name)
        wanted = number(address) if address else None
        if wanted is not None and file.targets:
            raise BadUsage(
                f"The {file.kind} says itself where it belongs; the address is one too many.",
                f"{_UNTOUCHED} Run again without an address.",
            )
        return cls(name, raw, file, wanted)

    @classmethod
    def of_bytes(cls, name: str, data: bytes, address: int) -> Image:
        """An image that came from no file."""
        return cls(name, data, ImageFile("image", plain=data), address)

    def changes(self, platform: Platform, layouts: dict[int, Layout]) -> tuple[Change, ...]:
        """What is done to the device's memories. Raises GateClosed where it must not be."""
        self._for(platform)
        placed: dict[int, list[Element]] = {}
        for alternate, element in self._placed(platform, layouts):
            placed.setdefault(alternate, []).append(element)
        return tuple(
            _change(platform, number, layouts[number], sorted(parts, key=lambda e: e.address))
            for number, parts in sorted(placed.items())
        )

    def _for(self, platform: Platform) -> None:
        suffix = self.file.suffix
        modes = (platform.dfu, platform.app)
        if suffix and not any(suffix.is_for(int(i.vid, 16), int(i.pid, 16)) for i in modes):
            raise GateClosed(
                f"The file is for the device {suffix.ids}; this is a {platform.name}, "
                f"{platform.dfu.vid}:{platform.dfu.pid}.",
                f"{_UNTOUCHED} Take the file that is made for it.",
            )

    def _placed(
        self, platform: Platform, layouts: dict[int, Layout]
    ) -> Iterator[tuple[int, Element]]:
        for target in self.file.targets or (self._at_address(platform),):
            for element in target.elements:
                alternate = target.alternate
                if alternate is None:
                    alternate = _memory_at(element.address, platform, layouts)
                if alternate not in layouts:
                    raise GateClosed(
                        f"The file is for memory {alternate}, and the device declares none.",
                        f"{_UNTOUCHED} Take the file that is made for it.",
                    )
                yield alternate, element

    def _at_address(self, platform: Platform) -> Target:
        data = self.file.plain
        module = Module.of(data)
        default = module.start if module and module.number == platform.number else None
        address = self.address if self.address is not None else default or platform.application
        if address + len(data) > 1 << 32:
            raise BadUsage("The image would end behind the last address there is.", _UNTOUCHED)
        return Target(None, (Element(address, data),))


def read_file(path: str) -> bytes:
    """The bytes of a file that somebody named. Raises BadUsage."""
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise BadUsage(f"{path} cannot be read: {error.strerror}.", _UNTOUCHED) from None
    if len(data) > LARGEST:
        raise BadUsage(f"{path} is larger than any memory of these devices.", _UNTOUCHED)
    return data


def number(text: str) -> int:
    """An address as it is typed: hex with 0x, or decimal. Raises BadUsage."""
    try:
        value = int(text.replace("_", ""), 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 32:
        raise BadUsage(
            f'"{text}" is no address: write 0x08005000, or a decimal number.', _UNTOUCHED
        )
    return value


# --- where it belongs -----------------------------------------------------------------------


def _memory_at(address: int, platform: Platform, layouts: dict[int, Layout]) -> int:
    """The memory that holds the address; the settings store is never meant."""
    for number, layout in sorted(layouts.items()):
        store = number == platform.alternate and not platform.erases
        if layout.at(address) and not store:
            return number
    raise GateClosed(
        f"The device declares no memory at 0x{address:X}.",
        f"{_UNTOUCHED} Check the address, and that the image is for a {platform.name}.",
    )


def _change(platform: Platform, alternate: int, layout: Layout, elements: list[Element]) -> Change:
    pages: dict[int, None] = {}
    end = -1
    for element in elements:
        if element.address < end:
            raise BadUsage(f"The file holds 0x{element.address:X} twice.", _UNTOUCHED)
        end = element.end
        _sound(element, platform, alternate)
        for page, segment in layout.pages(element.address, element.end):
            segment = _writable(page, segment, element, layout)
            # Its row says so, whatever the device declares after a fault.
            if alternate == 0 and page < platform.floor:
                raise _read_only(page, layout)
            _no_keys(page, segment, platform, alternate)
            if segment.erasable:
                pages[page] = None
    parts = tuple(elements)
    memory = "external memory" if alternate else "internal memory"
    return Change(alternate, memory, tuple(pages), parts, parts)


def _writable(page: int, segment: Segment | None, element: Element, layout: Layout) -> Segment:
    if segment is None:
        raise GateClosed(
            f"The image is too long: it ends at 0x{element.end:X}, and {layout.name} at "
            f"0x{page:X}.",
            f"{_UNTOUCHED} Check the address, and that the image is for this device.",
        )
    if segment.page < SMALLEST_PAGE or segment.end > 1 << 32:
        raise GateClosed(
            f"It declares pages of {segment.page} bytes up to 0x{segment.end:X}: nonsense.",
            f"{_UNTOUCHED} Reconnect it in DFU mode; if it stays so, export the log.",
        )
    if not segment.writable or not segment.readable:
        raise _read_only(page, layout)
    return segment


def _read_only(page: int, layout: Layout) -> GateClosed:
    return GateClosed(
        f"The image would go into {layout.name} at 0x{page:X}, which is read-only.",
        f"{_UNTOUCHED} That is where the bootloader lies. Check the address.",
    )


def _no_keys(page: int, segment: Segment, platform: Platform, alternate: int) -> None:
    if alternate != platform.alternate:
        return
    for place in (platform.page, platform.server_page):
        if not platform.erases or (page < place.end and place.address < page + segment.page):
            raise GateClosed(
                f"The image would overwrite the {place}.",
                f"{_UNTOUCHED} Keys are written by rekey and restore, which back them up.",
            )


# --- is it whole? ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Module:
    """The head of a module of the later generations; `end` is where its checksum stands."""

    start: int
    end: int
    number: int

    @classmethod
    def of(cls, data: bytes) -> Module | None:
        """None where the bytes do not begin with one."""
        if len(data) < _MODULE.size:
            return None
        start, end, _, _, _, number, _, _ = _MODULE.unpack_from(data)
        return cls(start, end, number) if 0 < start < end < start + LARGEST else None

    @property
    def size(self) -> int:
        return self.end - self.start + 4


def _sound(element: Element, platform: Platform, alternate: int) -> None:
    """Raises GateClosed where an application, or another module, cannot be one for this place."""
    if alternate == 0 and element.address == platform.application:
        application_size(element.data, platform)
        return
    # A system part, or the second place of an application: its own head says what it must be.
    module = Module.of(element.data)
    if platform.number and module and module.start == element.address:
        why = _amiss(element.data, module, platform)
        if why:
            raise _none_such("module", element.address, why, platform)


def application_size(data: bytes, platform: Platform) -> int:
    """The bytes of the application that `data` begins with. Raises GateClosed if it is none."""
    module = Module.of(data)
    if platform.number:
        return _module(data, module, platform)
    if module and module.number in _NAMES:
        raise _no_application(f"It is for the {_NAMES[module.number]}.", platform)
    return _vectors_fit(data, platform)


def _vectors_fit(data: bytes, platform: Platform) -> int:
    """A Cortex-M3 image: the stack begins in RAM, and every vector points into the image."""
    at = platform.application
    size = len(data.rstrip(b"\xff"))
    if size < _VECTORS.size:
        raise _no_application("It has not even its vectors.", platform)
    stack, reset, *others = _VECTORS.unpack_from(data)
    # The bootloader itself starts nothing whose stack is elsewhere.
    if stack & 0x2FFE_0000 != 0x2000_0000:
        raise _no_application(f"Its stack would begin at 0x{stack:08X}, not in RAM.", platform)
    for vector in (reset, *(vector for vector in others if vector)):
        if not at <= vector < at + size:
            raise _no_application(
                f"It points to 0x{vector:08X}, and ends at 0x{at + size:08X}: cut off, or for "
                "another place.",
                platform,
            )
    return size


def _module(data: bytes, module: Module | None, platform: Platform) -> int:
    if module is None or module.start != platform.application:
        raise _no_application("It does not begin with the head of a module for there.", platform)
    why = _amiss(data, module, platform)
    if why:
        raise _no_application(why, platform)
    return module.size


def _amiss(data: bytes, module: Module, platform: Platform) -> str:
    """Why the module that `data` begins with is not whole, or not for here; empty if it is."""
    if module.number != platform.number:
        return f"It is for the {_NAMES.get(module.number, f'platform {module.number}')}."
    if module.size > len(data):
        return f"It has {len(data)} of {module.size} bytes."
    kept = int.from_bytes(data[module.size - 4 : module.size], "big")
    return "" if kept == zlib.crc32(data[: module.size - 4]) else "Its own checksum is wrong."


def _no_application(why: str, platform: Platform) -> GateClosed:
    return _none_such("application", platform.application, why, platform)


def _none_such(what: str, address: int, why: str, platform: Platform) -> GateClosed:
    return GateClosed(
        f"This is no {what} for a {platform.name} at 0x{address:X}. {why}",
        f"{_UNTOUCHED} Fetch the image again, or name another address.",
    )
