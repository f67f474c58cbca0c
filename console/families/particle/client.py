"""The client of a device's memories: what lies where keys lie, and firmware, over DfuSe.

The rule: a platform's row says where; the layout that the device declares has to agree before
anything is erased. What was read is never shown: it may be a private key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from console.errors import DeviceError, Garbled, GateClosed, Refused
from console.families.particle import keys
from console.families.particle.platforms import CORE, Place, Platform
from console.hardware.lines import ControlLine
from console.protocols.dfu import Command, Facts, Layout, describe
from console.protocols.dfuse import DfuSe, Pause, Progress, unseen


@dataclass(frozen=True)
class Probe:
    """What the key memory answered at some places before anything was erased.

    `factory` and `spare` are None where the platform has no such place in this memory.
    """

    platform: Platform
    page: bytes = field(repr=False)
    server: bytes = field(repr=False)
    factory: bytes | None = field(default=None, repr=False)
    spare: bytes | None = field(default=None, repr=False)

    @property
    def slot(self) -> bytes:
        return self.page[: self.platform.private.size]

    @property
    def rest(self) -> bytes:
        """What else lies on the page of the private key and would be erased with it."""
        return self.page[self.platform.private.size :]

    @cached_property
    def private_key(self) -> keys.Finding:
        return keys.private_slot(self.slot, self.platform.form, self.rest)

    @cached_property
    def server_key(self) -> keys.Finding:
        return keys.server_slot(self.server, self.platform.form)

    @property
    def left_behind(self) -> int:
        """Bytes behind the slot of a settings store that a key too long for it has left."""
        return 0 if self.platform.erases else len(self.rest.rstrip(b"\xff"))

    @property
    def suspicious(self) -> bool:
        """The same few bytes everywhere: an erased memory, or one that does not answer."""
        return all(keys.pattern_of(data) for _, data in self._parts())

    def facts(self) -> tuple[str, ...]:
        """What was read where, without a byte of what may be a key."""
        return tuple(f"Read at {place}: {seen_as(data)}." for place, data in self._parts())

    def _parts(self) -> Iterator[tuple[Place, bytes]]:
        yield self.platform.server, self.server
        yield self.platform.page, self.page
        if self.factory is not None and self.platform.factory is not None:
            yield self.platform.factory.place, self.factory
        if self.spare is not None and self.platform.spare is not None:
            yield self.platform.spare, self.spare


def seen_as(data: bytes) -> str:
    """Bytes in words that give none of them away, unless they are all the same."""
    run = keys.pattern_of(data)
    if run:
        return f"{len(data)} bytes, all {run.hex(' ').upper()}"
    return f"{len(data)} bytes of data"


class Memories:
    """All memories of a device in DFU mode; an alternate setting is chosen, then used."""

    def __init__(self, dfu: DfuSe, platform: Platform) -> None:
        self.platform = platform
        self.touched = False
        """It has taken an erase or a block: what is there may be another thing than before."""
        self._dfu = dfu
        self._chosen = -1

    @classmethod
    def begin(cls, line: ControlLine, pause: Pause, platform: Platform) -> Memories:
        """Describe the device and bring it to rest."""
        memories = cls(DfuSe(line, pause, _facts(line)), platform)
        memories.choose(0)
        memories.rest()
        return memories

    def choose(self, alternate: int) -> None:
        """Turn to one memory; nothing is sent where it is the one already."""
        if alternate != self._chosen:
            self._dfu.select(alternate)
            self._chosen = alternate

    @property
    def layouts(self) -> dict[int, Layout]:
        """The memories the device declares, by alternate setting."""
        declared = {alt.number: alt.layout for alt in self._dfu.facts.alternates}
        return {number: layout for number, layout in declared.items() if layout is not None}

    @property
    def about(self) -> str:
        """What it is, in words."""
        layout = self._dfu.facts.layout(self._chosen)
        name = layout.name if layout else "a memory without a name"
        return f"{self.platform.name}, {name}, blocks of {self._dfu.facts.block} bytes"

    def rest(self) -> None:
        """Bring the device to rest, so that what fails next fails for its own reason."""
        self._dfu.normalise()

    def erases(self) -> bool:
        """Does it know the erase command?"""
        return Command.ERASE in self._dfu.get_commands()

    def read(self, place: Place, progress: Progress = unseen) -> bytes:
        """Read a place; asked twice, because the first upload after entry may be refused."""
        try:
            return self._dfu.read(place.address, place.size, progress)
        except (Refused, Garbled):
            return self._dfu.read(place.address, place.size, progress)

    def erase(self, address: int) -> None:
        """Erase the one page that holds the address. Raises as DfuSe.erase_page()."""
        self._dfu.erase_page(address)
        self.touched = True

    def erasing_order(self, pages: tuple[int, ...]) -> tuple[int, ...]:
        """The pages of one change in the order in which they are erased."""
        return self._dfu.erasing_order(pages)

    def set_every_address(self) -> None:
        """Write by the letter of DfuSe from now on, one request more for each range."""
        self._dfu.set_every_address()

    def write(self, address: int, data: bytes, progress: Progress = unseen) -> None:
        """Write to what was erased; one address for the whole range."""

        def told(done: int, total: int) -> None:
            self.touched = True
            progress(done, total)

        self._dfu.write(address, data, told)

    def leave(self) -> str:
        """Start the firmware; what was seen of the device, whatever that was."""
        try:
            return self._dfu.leave(self.platform.application)
        except DeviceError as error:
            return f"It did not take the request to start. ({error.sentence})"


class KeyMemory(Memories):
    """The memory that holds a device's keys."""

    @classmethod
    def open(cls, line: ControlLine, pause: Pause, platform: Platform = CORE) -> KeyMemory:
        """Choose the memory and bring the device to rest. Raises GateClosed if it is another."""
        memory = cls(DfuSe(line, pause, _facts(line)), platform)
        memory.choose(platform.alternate)
        memory.rest()
        layout = memory.layouts.get(platform.alternate)
        if not platform.erases:
            _require_store(layout, platform)
            return memory
        for place in (platform.page, platform.server_page, platform.spare):
            _require_page(layout, place or platform.page)
        if not memory.erases():
            raise GateClosed(
                "It does not know the erase command, so its keys cannot be written here.",
                "Nothing is written. Export the log and ask support about this bootloader.",
            )
        return memory

    def probe(self, progress: Progress = unseen) -> Probe:
        """Read some places. Reading never hangs, even where erasing does."""
        at = self.platform
        here = at.factory is not None and at.factory.alternate == at.alternate
        factory = at.factory.place if here and at.factory else None
        places = (at.page, at.server, factory, at.spare)
        total = sum(place.size for place in places if place)
        read: list[bytes | None] = []
        for place in places:
            read.append(self.read(place) if place else None)
            progress(sum(len(data) for data in read if data), total)
        page, server, first, spare = read
        assert page is not None and server is not None
        return Probe(at, page, server, first, spare)


def _facts(line: ControlLine) -> Facts:
    """What it says of itself. Raises GateClosed where no block could be sent as it wants it."""
    facts = describe(line)
    size = facts.functional.transfer_size
    if 0 < size < facts.max_packet_0:
        raise GateClosed(
            f"It says that it takes blocks of {size} bytes, which is less than one packet.",
            "Nothing is written. Reconnect it in DFU mode; if it stays so, export the log.",
        )
    return facts


def _require_page(layout: Layout | None, place: Place) -> None:
    """Raises GateClosed unless the layout declares the place as one page that may be rewritten."""
    segment = layout.at(place.address) if layout else None
    if segment is None or segment.page != place.size:
        raise GateClosed(
            f"It declares no such page as the {place}. I erase nothing that I do not know.",
            "Nothing is written. Check that this is the device you meant, and export the log.",
        )
    if not (segment.readable and segment.erasable and segment.writable):
        raise _protected(place)


def _require_store(layout: Layout | None, platform: Platform) -> None:
    """Raises GateClosed unless the layout declares a settings store around both keys."""
    for place in (platform.page, platform.server):
        segment = layout.at(place.address) if layout else None
        if segment is None or place.end > segment.end:
            raise GateClosed(
                f"It declares no memory that holds the {place}. I write nothing there.",
                "Nothing is written. Check that this is the device you meant, and export the log.",
            )
        if not (segment.readable and segment.writable):
            raise _protected(place)


UNLOCK = "Its owner has to unlock it first."


def _protected(place: Place) -> GateClosed:
    return GateClosed(f"It declares the {place} as protected.", f"Nothing is written. {UNLOCK}")
