"""What a simulated USB device is, for whoever exports it: practice, tests, the virtual bench.

The rule: a simulator sits at the wire. It is given setup packets and answers bytes, stalls,
hangs or leaves; it is stateful; time passes only through the `pause` it was made with.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol


class Stall(Exception):
    """The device answered with a STALL handshake (USB 2.0, 8.5.3.4)."""


class Hang(Exception):
    """The device does not answer this transfer, nor any other until a button or power resets it.

    Raised while `away` is set, it says that the device left in the middle of this transfer.
    """


@dataclass(frozen=True)
class Setup:
    """A setup packet (USB 2.0, table 9-2)."""

    request_type: int
    request: int
    value: int
    index: int
    length: int


@dataclass(frozen=True)
class Descriptors:
    """Raw descriptors; `strings` maps an index from 1 to its text."""

    device: bytes
    configuration: bytes
    strings: Mapping[int, str]


@dataclass(frozen=True)
class Away:
    """The device has left the bus; it is back by itself after `seconds`, or never (None).

    With `fails` it pulls its data line, and each attempt of a host to enumerate it ends in this
    errno (71: protocol error, 110: no answer in time).
    """

    seconds: float | None
    fails: int = 0


class SimulatedUsb(Protocol):
    """One simulated device. Whoever exports it looks at `away` after every transfer and press."""

    away: Away | None
    """Whoever pulls the plug sets Away(None): a reset that was under way is then lost too."""

    def descriptors(self) -> Descriptors:
        """As it enumerates now; may differ after each power_on()."""

    def control(self, setup: Setup, data: bytes) -> bytes:
        """One control transfer, standard requests included. Raises Stall or Hang."""

    def send(self, endpoint: int, data: bytes) -> None:
        """One transfer to an OUT endpoint (1 to 15). Raises Stall; Hang: it takes it never."""

    def receive(self, endpoint: int, length: int) -> bytes | None:
        """One transfer from an IN endpoint (0x81 to 0x8F), at most `length` bytes.

        None while it has nothing to say (NAK): whoever exports it asks again after whatever
        else has happened to it. It may let a little time pass first, as a device does that
        says every 100 ms that it is still busy. Raises Stall, Hang.
        """

    def power_on(self) -> None:
        """After Away(seconds): its own reset is over. Otherwise it was plugged in.

        `away` is None afterwards, unless what now runs does not show itself on USB.
        """

    def press(self, buttons: str) -> None:
        """A person used its buttons; words it has no button for raise ValueError.

        "" is what a hand would do with it first: its touch, its way into a bootloader.
        """

    def freeze(self) -> dict[str, Any]:
        """All that it is, as JSON values: another process may go on with it."""

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        """Become what freeze() described."""


class OnlyControl:
    """The endpoints of a device that has none but endpoint 0, or nothing to say on them."""

    def send(self, endpoint: int, data: bytes) -> None:
        """What is sent there is taken, and nothing comes of it."""

    def receive(self, endpoint: int, length: int) -> bytes | None:
        """Nothing, ever."""
        return None


Pause = Callable[[float], None]
Now = Callable[[], float]
"""Seconds on any scale that runs on by itself."""


@dataclass(frozen=True)
class Unit:
    """One simulated device of a scenario and the port it sits in (such as "1-1")."""

    port: str
    make: Callable[[Pause], SimulatedUsb]
    plugged: bool = True
    timed: Callable[[Pause, Now], SimulatedUsb] | None = None
    """Used instead of `make` by whoever has a clock: for a device that counts from plug-in."""

    def made(self, pause: Pause, now: Now) -> SimulatedUsb:
        return self.timed(pause, now) if self.timed else self.make(pause)


@dataclass(frozen=True)
class Scenario:
    """A named practice bench; `about` is one sentence for the technician.

    In a port of `bad_ports` nothing enumerates: each attempt ends in this errno. `gpg` is the
    version that the machine of the story has, where that is part of it. A bench that is a
    `guest` counts as a virtual machine.
    """

    name: str
    about: str
    units: tuple[Unit, ...]
    bad_ports: Mapping[str, int] = field(default_factory=dict)
    gpg: str = ""
    guest: bool = False


# --- descriptors (USB 2.0, 9.6) -----------------------------------------------------------

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT = 1, 2, 3, 4, 5
US_ENGLISH = 0x0409
SELF_POWERED = 0xC0
BUS_POWERED = 0x80


def device_descriptor(
    *,
    vid: int,
    pid: int,
    release: int,
    usb: int = 0x0200,
    class_code: tuple[int, int, int] = (0, 0, 0),
    strings: tuple[int, int, int] = (1, 2, 3),
) -> bytes:
    """One configuration, 64-byte endpoint 0; `strings` index maker, product and serial."""
    ids = struct.pack("<HHH", vid, pid, release)
    return (
        bytes((18, DEVICE))
        + struct.pack("<H", usb)
        + bytes((*class_code, 64))
        + ids
        + bytes((*strings, 1))
    )


def interface_descriptor(
    number: int, alternate: int, class_code: tuple[int, int, int], endpoints: int, string: int = 0
) -> bytes:
    return bytes((9, INTERFACE, number, alternate, endpoints, *class_code, string))


def endpoint_descriptor(address: int, attributes: int, packet: int, interval: int = 0) -> bytes:
    return struct.pack("<BBBBHB", 7, ENDPOINT, address, attributes, packet, interval)


def configuration_descriptor(
    parts: tuple[bytes, ...], interfaces: int, attributes: int = BUS_POWERED, milliamps: int = 100
) -> bytes:
    """The whole of configuration 1: its header, then every part as it stands."""
    body = b"".join(parts)
    header = struct.pack(
        "<BBHBBBBB", 9, CONFIGURATION, 9 + len(body), interfaces, 1, 0, attributes, milliamps // 2
    )
    return header + body


def string_descriptor(text: str) -> bytes:
    body = text.encode("utf-16-le")
    return bytes((2 + len(body), STRING)) + body


# --- standard requests (USB 2.0, 9.4) -----------------------------------------------------


class Standard(IntEnum):
    """USB 2.0, table 9-4; what is not here, no device of ours answers."""

    GET_STATUS = 0
    CLEAR_FEATURE = 1
    SET_FEATURE = 3
    SET_ADDRESS = 5
    GET_DESCRIPTOR = 6
    GET_CONFIGURATION = 8
    SET_CONFIGURATION = 9
    GET_INTERFACE = 10
    SET_INTERFACE = 11


def is_standard(setup: Setup) -> bool:
    """Is it a standard request, and not one of a class or a vendor (USB 2.0, table 9-2)?"""
    return setup.request_type & 0x60 == 0


class StandardRequests:
    """Answers what every USB device answers, and remembers what those requests have set."""

    def __init__(self) -> None:
        self.configuration = 0
        self.alternates: dict[int, int] = {}

    def answer(self, descriptors: Descriptors, setup: Setup) -> bytes:
        """The answer, cut to what was asked for. Raises Stall for what the device lacks."""
        return self._whole(descriptors, setup)[: setup.length]

    def _whole(self, descriptors: Descriptors, setup: Setup) -> bytes:
        match setup.request:
            case Standard.GET_STATUS:  # neither halted nor able to wake the host up
                return b"\0\0"
            case Standard.CLEAR_FEATURE | Standard.SET_FEATURE | Standard.SET_ADDRESS:
                return b""
            case Standard.GET_DESCRIPTOR:
                return _descriptor(descriptors, setup.value >> 8, setup.value & 0xFF)
            case Standard.GET_CONFIGURATION:
                return bytes((self.configuration,))
            case Standard.SET_CONFIGURATION:
                return self._configure(setup.value)
            case Standard.GET_INTERFACE:
                return bytes((self.alternates.get(setup.index, 0),))
            case Standard.SET_INTERFACE:
                return self._choose(descriptors, setup.index, setup.value)
            case _:
                raise Stall

    def _configure(self, value: int) -> bytes:
        if value > 1:
            raise Stall
        self.configuration = value
        self.alternates.clear()
        return b""

    def _choose(self, descriptors: Descriptors, interface: int, alternate: int) -> bytes:
        if (interface, alternate) not in interfaces_of(descriptors.configuration):
            raise Stall
        self.alternates[interface] = alternate
        return b""


def _descriptor(descriptors: Descriptors, kind: int, index: int) -> bytes:
    if kind == DEVICE:
        return descriptors.device
    if kind == CONFIGURATION and index == 0:
        return descriptors.configuration
    if kind == STRING and index == 0:
        return struct.pack("<BBH", 4, STRING, US_ENGLISH)
    if kind == STRING and index in descriptors.strings:
        return string_descriptor(descriptors.strings[index])
    raise Stall


def interfaces_of(configuration: bytes) -> dict[tuple[int, int], str]:
    """(interface, alternate) -> its class, subclass and protocol as six hex digits."""
    found = {}
    at = 0
    while at + 2 <= len(configuration) and configuration[at] >= 2:
        length, kind = configuration[at], configuration[at + 1]
        if kind == INTERFACE:
            number, alternate = configuration[at + 2], configuration[at + 3]
            found[number, alternate] = configuration[at + 5 : at + 8].hex()
        at += length
    return found


# --- devices that do nothing but be there -------------------------------------------------


class PlainDevice(OnlyControl):
    """A device that answers what every device answers; or, with `fails`, not even that.

    Its buttons do nothing that a host could see.
    """

    def __init__(
        self, descriptors: Descriptors, *, fails: int = 0, buttons: tuple[str, ...] = ()
    ) -> None:
        self._descriptors = descriptors
        self._fails = fails
        self._buttons = buttons
        self._standard = StandardRequests()
        self.away: Away | None = None
        self.power_on()

    def descriptors(self) -> Descriptors:
        return self._descriptors

    def control(self, setup: Setup, data: bytes) -> bytes:
        if self.away is not None:
            raise Hang
        if not is_standard(setup):
            raise Stall
        return self._standard.answer(self._descriptors, setup)

    def power_on(self) -> None:
        self._standard = StandardRequests()
        self.away = Away(None, self._fails) if self._fails else None

    def press(self, buttons: str) -> None:
        if buttons not in self._buttons:
            has = ", ".join(self._buttons) or "nothing to press"
            raise ValueError(f'It has no "{buttons}"; it has: {has}.')

    def freeze(self) -> dict[str, Any]:
        return {}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.power_on()


def plain_mouse(_pause: Pause) -> SimulatedUsb:
    """A mouse: something that is known to work, to try a port and a cable with."""
    hid = bytes.fromhex("092111010001222e00")  # HID 1.11, one report descriptor of 46 bytes
    parts = (
        interface_descriptor(0, 0, (0x03, 0x01, 0x02), 1),
        hid,
        endpoint_descriptor(0x81, 3, 4, 10),
    )
    return PlainDevice(
        Descriptors(
            device_descriptor(vid=0x046D, pid=0xC077, release=0x7200, strings=(1, 2, 0)),
            configuration_descriptor(parts, 1),
            {1: "Logitech", 2: "USB Optical Mouse"},
        )
    )
