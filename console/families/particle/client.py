"""A platform's key memory as named places, and the client that reads and writes them.

The rule: addresses are said here and nowhere else; a platform is a row of a table. What was
read is never shown: it may be a private key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from console.errors import DeviceError, Garbled, GateClosed, Refused
from console.families.particle import keys
from console.hardware.lines import ControlLine
from console.protocols.dfu import Command, Layout, describe
from console.protocols.dfuse import DfuSe, Pause, Progress, unseen


@dataclass(frozen=True)
class Place:
    """A named range of a memory."""

    name: str
    address: int
    size: int

    def __str__(self) -> str:
        return f"{self.name} (0x{self.address:X})"


@dataclass(frozen=True)
class Platform:
    """Where one platform keeps its keys.

    `page` holds the private-key slot from its first byte on; `spare` is a page nobody uses.
    """

    name: str
    alternate: int
    private: Place
    server: Place
    factory: Place
    page: Place
    spare: Place
    application: int


CORE = Platform(
    name="Spark Core",
    alternate=1,
    private=Place("private-key slot", 0x2000, 1024),
    server=Place("server-key slot", 0x1000, 2048),
    factory=Place("factory firmware", 0x20000, 1024),
    page=Place("page of the private key", 0x2000, 4096),
    spare=Place("unused page", 0x1FF000, 4096),
    application=0x0800_5000,
)


@dataclass(frozen=True)
class Probe:
    """What the external memory answered at four places before anything was erased."""

    platform: Platform
    page: bytes = field(repr=False)
    server: bytes = field(repr=False)
    factory: bytes = field(repr=False)
    spare: bytes = field(repr=False)

    @property
    def slot(self) -> bytes:
        return self.page[: self.platform.private.size]

    @property
    def rest(self) -> bytes:
        """What else lies on the page of the private key and would be erased with it."""
        return self.page[self.platform.private.size :]

    @cached_property
    def private_key(self) -> keys.Finding:
        return keys.private_slot(self.slot)

    @cached_property
    def server_key(self) -> keys.Finding:
        return keys.server_slot(self.server)

    @property
    def suspicious(self) -> bool:
        """The same few bytes everywhere: an erased memory, or one that does not answer."""
        return all(keys.pattern_of(data) for _, data in self._parts())

    def facts(self) -> tuple[str, ...]:
        """What was read where, without a byte of what may be a key."""
        return tuple(f"Read at {place}: {_seen(data)}." for place, data in self._parts())

    def _parts(self) -> Iterator[tuple[Place, bytes]]:
        yield self.platform.server, self.server
        yield self.platform.page, self.page
        yield self.platform.factory, self.factory
        yield self.platform.spare, self.spare


def _seen(data: bytes) -> str:
    run = keys.pattern_of(data)
    if run:
        return f"{len(data)} bytes, all {run.hex(' ').upper()}"
    return f"{len(data)} bytes of data"


class KeyMemory:
    """The memory that holds a device's keys, over DfuSe."""

    def __init__(self, dfu: DfuSe, platform: Platform = CORE) -> None:
        self.platform = platform
        self._dfu = dfu

    @classmethod
    def open(cls, line: ControlLine, pause: Pause, platform: Platform = CORE) -> KeyMemory:
        """Choose the memory and bring the device to rest. Raises GateClosed if it is another."""
        dfu = DfuSe(line, pause, describe(line))
        dfu.select(platform.alternate)
        dfu.normalise()
        for place in (platform.page, platform.spare):
            _require(dfu.facts.layout(platform.alternate), place)
        if Command.ERASE not in dfu.get_commands():
            raise GateClosed(
                "It does not know the erase command, so its keys cannot be written here.",
                "Nothing is written. Export the log and ask support about this bootloader.",
            )
        return cls(dfu, platform)

    @property
    def about(self) -> str:
        """What it is, in words."""
        layout = self._dfu.facts.layout(self.platform.alternate)
        name = layout.name if layout else "a memory without a name"
        return f"{self.platform.name}, {name}, blocks of {self._dfu.facts.block} bytes"

    def rest(self) -> None:
        """Bring the device to rest, so that what fails next fails for its own reason."""
        self._dfu.normalise()

    def probe(self, progress: Progress = unseen) -> Probe:
        """Read the four places. Reading never hangs, even where erasing does."""
        at = self.platform
        places = (at.page, at.server, at.factory, at.spare)
        total = sum(place.size for place in places)
        read: list[bytes] = []
        for place in places:
            read.append(self.read(place))
            progress(sum(len(data) for data in read), total)
        return Probe(at, *read)

    def read(self, place: Place, progress: Progress = unseen) -> bytes:
        """Read a place; asked twice, because the first upload after entry may be refused."""
        try:
            return self._dfu.read(place.address, place.size, progress)
        except (Refused, Garbled):
            return self._dfu.read(place.address, place.size, progress)

    def erase(self, place: Place) -> None:
        """Erase the one page of the place. Raises as DfuSe.erase_page()."""
        self._dfu.erase_page(place.address)

    def write(self, place: Place, data: bytes, progress: Progress = unseen) -> None:
        """Write to the erased place, from its first byte on."""
        assert len(data) <= place.size
        self._dfu.write(place.address, data, progress)

    def leave(self) -> str:
        """Start the firmware; what was seen of the device, whatever that was."""
        try:
            return self._dfu.leave(self.platform.application)
        except DeviceError as error:
            return f"It did not take the request to start. ({error.sentence})"


def _require(layout: Layout | None, place: Place) -> None:
    """Raises GateClosed unless the layout declares the place as one page that may be rewritten."""
    segment = layout.at(place.address) if layout else None
    if segment is None or segment.page != place.size:
        raise GateClosed(
            f"It declares no such page as the {place}. I erase nothing that I do not know.",
            "Nothing is written. Check that this is the device you meant, and export the log.",
        )
    if not (segment.readable and segment.erasable and segment.writable):
        raise GateClosed(
            f"It declares the {place} as protected.",
            "Nothing is written. Its owner has to unlock it first.",
        )
