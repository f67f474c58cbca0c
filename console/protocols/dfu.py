"""USB DFU 1.1 and ST's DfuSe 1.1a as data: states, statuses, descriptors, memory layouts.

The rule: pure but for describe(), which reads descriptors. The names are those of the
specification, so that they can be looked up in it. The client of DfuSe is in dfuse.py.
"""

# ruff: noqa: N815
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag

from console.errors import Garbled, Refused
from console.hardware.lines import ControlLine
from console.protocols import usb

TIMEOUT = 5.0
"""Seconds for one control transfer."""
LONGEST_POLL = 600.0
"""A longer announced wait is noise: the field has 24 bits of milliseconds, 4.6 hours."""
MOST_BYTES = 4096
"""Linux takes no longer control transfer from a program."""

DFU_CLASS = (0xFE, 0x01)


class Request(IntEnum):
    """DFU class requests (DFU 1.1, table 3.2)."""

    DETACH = 0
    DNLOAD = 1
    UPLOAD = 2
    GETSTATUS = 3
    CLRSTATUS = 4
    GETSTATE = 5
    ABORT = 6


class Command(IntEnum):
    """DfuSe commands: the first byte of a DNLOAD with wValue 0 (UM0424)."""

    GET_COMMANDS = 0x00
    SET_ADDRESS = 0x21
    ERASE = 0x41
    READ_UNPROTECT = 0x92


class State(IntEnum):
    """bState (DFU 1.1, 6.1.2). State 10 and status 10 are different things."""

    appIDLE = 0
    appDETACH = 1
    dfuIDLE = 2
    dfuDNLOAD_SYNC = 3
    dfuDNBUSY = 4
    dfuDNLOAD_IDLE = 5
    dfuMANIFEST_SYNC = 6
    dfuMANIFEST = 7
    dfuMANIFEST_WAIT_RESET = 8
    dfuUPLOAD_IDLE = 9
    dfuERROR = 10


class Status(IntEnum):
    """bStatus (DFU 1.1, 6.1.2)."""

    OK = 0
    errTARGET = 1
    errFILE = 2
    errWRITE = 3
    errERASE = 4
    errCHECK_ERASED = 5
    errPROG = 6
    errVERIFY = 7
    errADDRESS = 8
    errNOTDONE = 9
    errFIRMWARE = 10
    errVENDOR = 11
    errUSBR = 12
    errPOR = 13
    errUNKNOWN = 14
    errSTALLEDPKT = 15


_AREA = "It says that the memory area is wrong. Nothing was changed there."
_FAULT = "Its memory reports a write fault."
SENTENCES: dict[Status, str] = {
    Status.errTARGET: _AREA,
    Status.errFILE: "It says that the data is not for it.",
    Status.errWRITE: _FAULT,
    Status.errERASE: "Its memory reports an erase fault.",
    Status.errCHECK_ERASED: "Its memory is not empty after the erase.",
    Status.errPROG: _FAULT,
    Status.errVERIFY: "Its memory does not hold what was written.",
    Status.errADDRESS: _AREA,
    Status.errNOTDONE: "It expected more data.",
    Status.errFIRMWARE: "It says that its firmware is damaged.",
    Status.errVENDOR: "It is protected. Lifting the protection erases everything on it.",
    Status.errUSBR: "It saw an unexpected USB reset.",
    Status.errPOR: "It saw an unexpected power loss.",
    Status.errUNKNOWN: "It reports a fault that it cannot name.",
    Status.errSTALLEDPKT: "It did not expect this request in its present state.",
}

MEMORY_FAULTS = frozenset(
    status.name
    for status in (
        Status.errWRITE,
        Status.errERASE,
        Status.errCHECK_ERASED,
        Status.errPROG,
        Status.errVERIFY,
    )
)
"""The statuses that accuse the memory itself, as the first word of a refusal's code."""


@dataclass(frozen=True)
class StatusAnswer:
    """The answer to GETSTATUS (DFU 1.1, 6.1.2); `poll` in seconds."""

    status: Status
    poll: float
    state: State
    i_string: int = 0

    @classmethod
    def parse(cls, data: bytes) -> StatusAnswer:
        if len(data) < 6:
            raise Garbled(f"Its status answer has {len(data)} bytes instead of 6.")
        poll = int.from_bytes(data[1:4], "little") / 1000
        if poll > LONGEST_POLL:
            raise Garbled(f"It asks to be left alone for {poll:.0f} seconds.")
        try:
            return cls(Status(data[0]), poll, State(data[4]), data[5])
        except ValueError:
            raise Garbled(
                f"Its status answer has no meaning in DFU (status {data[0]}, state {data[4]})."
            ) from None

    @property
    def words(self) -> str:
        """For support."""
        return f"{self.status.name} in {self.state.name}"


class Attribute(IntFlag):
    """bmAttributes of the functional descriptor (DFU 1.1, 4.1.3; bit 7 is ST's)."""

    CAN_DOWNLOAD = 0x01
    CAN_UPLOAD = 0x02
    MANIFESTATION_TOLERANT = 0x04
    WILL_DETACH = 0x08
    ACCELERATE = 0x80


@dataclass(frozen=True)
class FunctionalDescriptor:
    """What the device says of its DFU (DFU 1.1, 4.1.3); the timeout in seconds."""

    attributes: Attribute
    detach_timeout: float
    transfer_size: int
    version: int

    @classmethod
    def parse(cls, data: bytes) -> FunctionalDescriptor:
        if len(data) < 7 or data[1] != usb.DescriptorType.DFU_FUNCTIONAL:
            raise Garbled("Its DFU descriptor is not one.")
        # 7 bytes are DFU 1.0, which had no version field.
        version = int.from_bytes(data[7:9], "little") if len(data) >= 9 else 0x0100
        return cls(
            attributes=Attribute(data[2]),
            detach_timeout=int.from_bytes(data[3:5], "little") / 1000,
            transfer_size=int.from_bytes(data[5:7], "little"),
            version=version,
        )


@dataclass(frozen=True)
class Segment:
    """`count` pages of `page` bytes from `start`, alike in what may be done to them."""

    start: int
    count: int
    page: int
    readable: bool
    erasable: bool
    writable: bool

    @property
    def end(self) -> int:
        return self.start + self.count * self.page

    def page_of(self, address: int) -> int:
        """Where the page that holds the address begins."""
        return address - (address - self.start) % self.page


_GROUP = re.compile(r"/\s*0x([0-9a-fA-F]+)\s*(?:-\s*0x[0-9a-fA-F]+\s*)?/([^/]*)")
_SEGMENT = re.compile(r"\s*([0-9]+)\s*\*\s*([0-9]+)\s*([BKM]?)\s*([a-g]?)\s*")
_UNITS = {"": 1, "B": 1, "K": 1024, "M": 1024 * 1024}


@dataclass(frozen=True)
class Layout:
    """A memory as its alternate setting names it: "@name/0xADDRESS/count*size unit type,..."."""

    name: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Layout | None:
        """None where the text is no layout string."""
        if not text.startswith("@"):
            return None
        name = text[1:].partition("/")[0].strip()
        groups = _GROUP.finditer(text)
        found = (_segments(int(group[1], 16), group[2], name) for group in groups)
        return cls(name, tuple(segment for group in found for segment in group))

    def at(self, address: int) -> Segment | None:
        return next((part for part in self.segments if part.start <= address < part.end), None)

    def pages(self, start: int, end: int) -> Iterator[tuple[int, Segment | None]]:
        """Each page that the range touches with its segment; a gap ends it with None."""
        while start < end:
            segment = self.at(start)
            page = segment.page_of(start) if segment else start
            yield page, segment
            if segment is None:
                return
            start = page + segment.page


def _segments(start: int, text: str, name: str) -> Iterator[Segment]:
    """The segments of a group; one that cannot be read ends it, or the next would slide down."""
    for match in map(_SEGMENT.fullmatch, text.split(",")):
        if match is None or not int(match[1]) or not int(match[2]):
            return
        # ST's "Device Feature" may write a type that is not meant: "e", read and write, is.
        letter = "e" if name == "Device Feature" else match[4]
        may = ord(letter) & 7 if letter else 0
        page = int(match[2]) * _UNITS[match[3]]
        segment = Segment(start, int(match[1]), page, bool(may & 1), bool(may & 2), bool(may & 4))
        yield segment
        start = segment.end


@dataclass(frozen=True)
class Quirks:
    """How a device differs from the specification.

    `address_each_block`: its block numbers do not count; the address is set before each block.
    `pages_by_serial`: its layout says too much; pages have 1 KiB, and how many there are stands
    in the third character of its serial, whose descriptor is in UTF-8.
    `erase_points`: an erase leaves the address on its page, so a write that begins there needs
    no other. DfuSe 1.1a does not say so; it is taken only of a bootloader whose source does.
    """

    address_each_block: bool = False
    pages_by_serial: bool = False
    erase_points: bool = False


QUIRKS: dict[tuple[int, int], Quirks] = {
    # Spark Core: ST's DFU_Status_Out as its bootloader has it (device-os, core/usb_prop.c).
    (0x1D50, 0x607F): Quirks(erase_points=True),
    # GD32VF103's ROM: only the form that dfu-util uses is proven there.
    (0x28E9, 0x0189): Quirks(address_each_block=True, pages_by_serial=True),
}
_PAGES_BY_SERIAL = {"B": 128, "8": 64, "6": 32, "4": 16}


@dataclass(frozen=True)
class Alternate:
    """One alternate setting: its number, its string, and the layout if the string is one."""

    number: int
    text: str
    layout: Layout | None


@dataclass(frozen=True)
class Facts:
    """What a device's descriptors say of its DFU interface."""

    interface: int
    alternates: tuple[Alternate, ...]
    functional: FunctionalDescriptor
    max_packet_0: int
    quirks: Quirks = Quirks()

    @property
    def block(self) -> int:
        """Bytes of one transfer. Raises Garbled where the device names none."""
        if not self.functional.transfer_size:
            raise Garbled("It says that it takes blocks of 0 bytes.")
        return max(min(self.functional.transfer_size, MOST_BYTES), self.max_packet_0)

    @property
    def address_each_block(self) -> bool:
        """The device multiplies block numbers by its own size; another size breaks that sum."""
        return self.quirks.address_each_block or self.block != self.functional.transfer_size

    def layout(self, alternate: int) -> Layout | None:
        return next((alt.layout for alt in self.alternates if alt.number == alternate), None)


def describe(line: ControlLine) -> Facts:
    """Read the descriptors over the line. Raises Garbled where there is no DFU interface."""
    device = usb.DeviceDescriptor.parse(_descriptor(line, usb.DescriptorType.DEVICE, 18))
    head = _descriptor(line, usb.DescriptorType.CONFIGURATION, 9)
    whole = _descriptor(line, usb.DescriptorType.CONFIGURATION, usb.total_length(head))
    interfaces, functional = _dfu_parts(whole)
    if not interfaces or functional is None:
        raise Garbled("It has no DFU interface although it enumerates as if it had.")
    number = interfaces[0].number
    alternates = tuple(_alternate(line, part) for part in interfaces if part.number == number)
    quirks = QUIRKS.get((device.vid, device.pid), Quirks())
    if quirks.pages_by_serial:
        count = _pages_by_serial(line, device.i_serial)
        alternates = tuple(_with_pages(alternate, count) for alternate in alternates)
    return Facts(number, alternates, functional, device.max_packet_0, quirks)


def _pages_by_serial(line: ControlLine, at: int) -> int:
    """0 where the serial does not say."""
    try:
        raw = _descriptor(line, usb.DescriptorType.STRING, 255, at)
    except (Refused, Garbled):
        return 0
    return _PAGES_BY_SERIAL.get(raw[2:].replace(b"\0", b"").decode("ascii", "replace")[2:3], 0)


def _with_pages(alternate: Alternate, count: int) -> Alternate:
    """The flash with that many pages of 1 KiB; with none where the count is not known."""
    layout = alternate.layout
    if layout is None or not layout.segments or layout.name != "Internal Flash":
        return alternate
    segment = replace(layout.segments[0], count=count, page=1024)
    return replace(alternate, layout=Layout(layout.name, (segment,)))


def _dfu_parts(
    configuration: bytes,
) -> tuple[list[usb.InterfaceDescriptor], FunctionalDescriptor | None]:
    interfaces: list[usb.InterfaceDescriptor] = []
    functional = None
    inside = False
    for descriptor in usb.split(configuration):
        if descriptor[1] == usb.DescriptorType.INTERFACE:
            part = usb.InterfaceDescriptor.parse(descriptor)
            inside = (part.class_code, part.subclass) == DFU_CLASS
            interfaces += [part] if inside else []
        elif inside and descriptor[1] == usb.DescriptorType.DFU_FUNCTIONAL:
            # It may follow the last alternate setting only, and counts for all of them.
            functional = FunctionalDescriptor.parse(descriptor)
    return interfaces, functional


def _alternate(line: ControlLine, part: usb.InterfaceDescriptor) -> Alternate:
    text = string(line, part.i_interface)
    return Alternate(part.alternate, text, Layout.parse(text))


def _descriptor(line: ControlLine, kind: usb.DescriptorType, length: int, at: int = 0) -> bytes:
    index = usb.ENGLISH if kind is usb.DescriptorType.STRING else 0
    value = kind << 8 | at
    request = usb.Request.GET_DESCRIPTOR
    return line.read(usb.STANDARD_IN_DEVICE, request, value, index, length, TIMEOUT)


def string(line: ControlLine, at: int) -> str:
    """The string, or "" where the device has none or does not give it."""
    if not at:
        return ""
    try:
        return usb.text_of(_descriptor(line, usb.DescriptorType.STRING, 255, at))
    except (Refused, Garbled):
        return ""
