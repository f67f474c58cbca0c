"""An image for a device: read from a file, and checked against the device before anything.

The rule: everything that can be known of an image is checked before a page is erased: here its
own checksums, the device it is for, and that it lies in memory that may be written and holds no
keys; in wholeness.py that it is whole and made for there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from console.errors import BadUsage, GateClosed
from console.families.particle.platforms import Platform
from console.families.particle.rewrite import Change
from console.families.particle.typed import number, read_file
from console.families.particle.wholeness import Module, Source, closed, joined, judge
from console.protocols.dfu import Layout, Segment
from console.protocols.dfufile import INTEL_HEX, Element, ImageFile, Target, parse

SMALLEST_PAGE = 16
"""Smaller pages exist nowhere; believing them would mean erases without end."""
_UNTOUCHED = "Nothing is written."


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
        _require_order(platform, layouts)
        placed: dict[int, list[Element]] = {}
        for alternate, element in self._placed(platform, layouts):
            placed.setdefault(alternate, []).append(element)
        return tuple(
            self._change(platform, number, layouts[number], sorted(parts, key=lambda e: e.address))
            for number, parts in sorted(placed.items())
        )

    def _change(
        self, platform: Platform, alternate: int, layout: Layout, elements: list[Element]
    ) -> Change:
        _require_once(elements)
        parts = closed(joined(tuple(elements)), platform, alternate)
        pages = _pages(parts, platform, alternate, layout)
        remark = judge(parts, platform, alternate, self._source)
        memory = "external memory" if alternate else "internal memory"
        return Change(alternate, memory, pages, parts, parts, remark)

    @property
    def _source(self) -> Source:
        if self.address is not None:
            return Source.PERSON
        return Source.LINES if self.file.kind == INTEL_HEX else Source.FILE

    def stretches(self) -> Iterator[bytes]:
        """Its bytes as they will lie in memory, each contiguous stretch of them whole."""
        for target in self.file.targets:
            elements = sorted(target.elements, key=lambda element: element.address)
            yield from (part.data for part in joined(tuple(elements)))

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


# --- where it belongs -----------------------------------------------------------------------


def _require_order(platform: Platform, layouts: dict[int, Layout]) -> None:
    """Raises GateClosed unless application and keys lie in the memories that the row says."""
    for alternate, address in (
        (0, platform.application),
        (platform.alternate, platform.page.address),
    ):
        layout = layouts.get(alternate)
        if layout is None or layout.at(address) is None:
            raise GateClosed(
                f"As memory {alternate} it declares no memory at 0x{address:X}, as a "
                f"{platform.name} has it.",
                f"{_UNTOUCHED} Reconnect it in DFU mode; if it stays so, export the log.",
            )


def _memory_at(address: int, platform: Platform, layouts: dict[int, Layout]) -> int:
    """The memory that holds the address; the settings store is never meant."""
    for alternate, layout in sorted(layouts.items()):
        store = alternate == platform.alternate and not platform.erases
        if layout.at(address) and not store:
            return alternate
    raise GateClosed(
        f"The device declares no memory at 0x{address:X}.",
        f"{_UNTOUCHED} Check the address, and that the image is for a {platform.name}.",
    )


def _require_once(elements: list[Element]) -> None:
    end = -1
    for element in elements:
        if element.address < end:
            raise BadUsage(f"The file holds 0x{element.address:X} twice.", _UNTOUCHED)
        end = element.end


def _pages(
    parts: tuple[Element, ...], platform: Platform, alternate: int, layout: Layout
) -> tuple[int, ...]:
    """The pages to be erased, each once. Raises GateClosed where one must not be touched."""
    pages: dict[int, None] = {}
    for element in parts:
        for page, segment in layout.pages(element.address, element.end):
            segment = _writable(page, segment, element, layout)
            # Its row says so, whatever the device declares after a fault.
            if alternate == 0 and page < platform.floor:
                raise _read_only(page, layout)
            _no_keys(page, segment, platform, alternate)
            if segment.erasable:
                pages[page] = None
    return tuple(pages)


def _writable(page: int, segment: Segment | None, element: Element, layout: Layout) -> Segment:
    if segment is None and page == element.address:
        raise GateClosed(
            f"{layout.name} has no memory at 0x{page:X}.",
            f"{_UNTOUCHED} Check the address, and that the image is for this device.",
        )
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
