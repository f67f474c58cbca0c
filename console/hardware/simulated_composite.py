"""A simulated USB device put together from functions: a card reader, HID interfaces, serial ports.

The rule: a function owns its interfaces and endpoints and nothing else; what the whole device
does when it is pressed, or when its power comes, its family says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from console.hardware.simulated import (
    BUS_POWERED,
    INTERFACE,
    Away,
    Descriptors,
    Hang,
    Setup,
    Stall,
    Standard,
    StandardRequests,
    configuration_descriptor,
    device_descriptor,
    interfaces_of,
    is_standard,
)
from console.hardware.simulated_card import Slot

ASSOCIATION = 11
ASSOCIATED = (0xEF, 0x02, 0x01)
"""The class of a device whose functions have several interfaces (ECN on associations, 2003)."""

RECIPIENT, TO_INTERFACE = 0x1F, 0x01


class Function(Protocol):
    """One function of a device: some interfaces and their endpoints."""

    @property
    def interfaces(self) -> tuple[int, ...]:
        """Their numbers."""

    @property
    def endpoints(self) -> tuple[int, ...]:
        """Their addresses; 0x80 is set in those into the host."""

    def descriptor(self) -> bytes:
        """Its part of the configuration: interfaces, class descriptors, endpoints."""

    def control(self, setup: Setup, data: bytes) -> bytes:
        """A request to one of its interfaces; standard ones only if about its own descriptors.

        Raises Stall.
        """

    def send(self, endpoint: int, data: bytes) -> None:
        """As SimulatedUsb.send(), to one of its endpoints."""

    def receive(self, endpoint: int, length: int) -> bytes | None:
        """As SimulatedUsb.receive(), from one of its endpoints."""

    def start(self) -> None:
        """Power has come, or the host has reset the port: nothing is under way."""

    def freeze(self) -> dict[str, Any]:
        """All that it is, as JSON values."""

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        """Become what freeze() described."""


@dataclass(frozen=True)
class Identity:
    """What a device says of itself. A text that is "" is not there at all."""

    vid: int
    pid: int
    release: int = 0x0100
    maker: str = ""
    product: str = ""
    serial: str = ""
    usb: int = 0x0200
    speed: str = "full"
    attributes: int = BUS_POWERED
    more: Mapping[int, str] = field(default_factory=dict)
    """Further texts by their index, from 4."""

    def texts(self) -> dict[int, str]:
        own = {1: self.maker, 2: self.product, 3: self.serial}
        return {index: text for index, text in own.items() if text} | dict(self.more)


class Composite:
    """A SimulatedUsb of several functions; presses are its family's, or none."""

    gentle: tuple[str, ...] = ()

    def __init__(self, identity: Identity, functions: tuple[Function, ...]) -> None:
        self.away: Away | None = None
        self.identity = identity
        self.functions = functions
        self._standard = StandardRequests()

    @property
    def speed(self) -> str:
        return self.identity.speed

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every card slot of its functions."""
        found = (getattr(function, "slot", None) for function in self.functions)
        return tuple(slot for slot in found if isinstance(slot, Slot))

    def descriptors(self) -> Descriptors:
        who, texts = self.identity, self.identity.texts()
        several = any(len(function.interfaces) > 1 for function in self.functions)
        device = device_descriptor(
            vid=who.vid,
            pid=who.pid,
            release=who.release,
            usb=who.usb,
            class_code=ASSOCIATED if several else (0, 0, 0),
            strings=(
                1 if 1 in texts else 0,
                2 if 2 in texts else 0,
                3 if 3 in texts else 0,
            ),
        )
        parts = tuple(function.descriptor() for function in self.functions)
        count = sum(len(function.interfaces) for function in self.functions)
        return Descriptors(
            device, configuration_descriptor(parts, count, who.attributes), dict(texts)
        )

    def control(self, setup: Setup, data: bytes) -> bytes:
        if self.away is not None:
            raise Hang
        owner = self._addressed(setup)
        if is_standard(setup) and not (owner and setup.request == Standard.GET_DESCRIPTOR):
            if setup.request == Standard.SET_CONFIGURATION:
                self._start_functions()
            return self._standard.answer(self.descriptors(), setup)
        if owner is None:
            raise Stall
        return owner.control(setup, data)[: setup.length]

    def _addressed(self, setup: Setup) -> Function | None:
        """The function whose interface the request is for (USB 2.0, 9.3.4)."""
        if setup.request_type & RECIPIENT != TO_INTERFACE:
            return None
        number = setup.index & 0xFF
        return next((each for each in self.functions if number in each.interfaces), None)

    def send(self, endpoint: int, data: bytes) -> None:
        self._behind(endpoint).send(endpoint, data)

    def receive(self, endpoint: int, length: int) -> bytes | None:
        return self._behind(endpoint).receive(endpoint, length)

    def _behind(self, endpoint: int) -> Function:
        if self.away is not None:
            raise Hang
        for function in self.functions:
            if endpoint in function.endpoints:
                return function
        raise Stall

    def power_on(self) -> None:
        self.away = None
        self._standard = StandardRequests()
        for slot in self.slots:
            if slot.card is not None:
                slot.card.reset()
        self._start_functions()

    def _start_functions(self) -> None:
        for function in self.functions:
            function.start()

    def press(self, buttons: str) -> None:
        raise ValueError(f'It has no "{buttons}": it has no button at all.')

    def freeze(self) -> dict[str, Any]:
        return {
            "away": [self.away.seconds] if self.away else [],
            "configuration": self._standard.configuration,
            "functions": [function.freeze() for function in self.functions],
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.away = Away(frozen["away"][0]) if frozen["away"] else None
        self._standard.configuration = int(frozen["configuration"])
        for function, kept in zip(self.functions, frozen["functions"], strict=True):
            function.thaw(kept)


def association_descriptor(first: int, count: int, class_code: tuple[int, int, int]) -> bytes:
    """Interfaces that belong together (ECN on interface associations, 2003)."""
    return bytes((8, ASSOCIATION, first, count, *class_code, 0))


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of one alternate setting: (address, attributes, packet size) each."""

    interface: int
    class_code: str
    found: tuple[tuple[int, int, int], ...]

    def first(self, *, into_host: bool, kind: int) -> int:
        """The first of that direction and transfer type (USB 2.0, 9.6.6), or 0."""
        for address, attributes, _ in self.found:
            if bool(address & 0x80) == into_host and attributes & 3 == kind:
                return address
        return 0

    def packet(self, address: int) -> int:
        return next((size for known, _, size in self.found if known == address), 64)


def endpoints_of(configuration: bytes) -> tuple[Endpoints, ...]:
    """Each interface's endpoints in its first setting, in the order of the descriptors."""
    kinds = interfaces_of(configuration)
    collected: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    here: list[tuple[int, int, int]] = []
    at = 0
    while at + 2 <= len(configuration) and configuration[at] >= 2:
        part = configuration[at : at + configuration[at]]
        if part[1] == INTERFACE:
            here = collected.setdefault((part[2], part[3]), [])
        elif part[1] == 5 and len(part) >= 7:
            here.append((part[2], part[3], int.from_bytes(part[4:6], "little") & 0x7FF))
        at += len(part)
    return tuple(
        Endpoints(number, kinds[number, alternate], tuple(found))
        for (number, alternate), found in collected.items()
        if alternate == 0
    )
