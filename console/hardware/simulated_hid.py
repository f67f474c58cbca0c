"""A simulated HID function: reports over its endpoints or its control requests (HID 1.11).

The rule: it carries reports and knows nothing of what is in them; numbered reports (those of a
report descriptor with report ids) carry their number as their first byte on the wire.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Protocol

from console.hardware.simulated import (
    Setup,
    Stall,
    Standard,
    endpoint_descriptor,
    interface_descriptor,
)

HID_CLASS = 0x03
INTERRUPT = 3
HID, REPORT = 0x21, 0x22  # descriptor types (7.1)
OUTPUT = 2


class Request(IntEnum):
    """Requests to the interface (7.2)."""

    GET_REPORT = 0x01
    GET_IDLE = 0x02
    GET_PROTOCOL = 0x03
    SET_REPORT = 0x09
    SET_IDLE = 0x0A
    SET_PROTOCOL = 0x0B


class Reports(Protocol):
    """What is behind the interface. Reports are as on the wire."""

    def take(self, report: bytes, kind: int) -> None:
        """The host has sent an output report (kind 2) or set a feature report (3).

        May take time, through the device's own pause. Raises Stall.
        """

    def give(self) -> bytes | None:
        """The next input report, once there is one."""

    def show(self, kind: int, number: int) -> bytes:
        """GET_REPORT: input (kind 1) or feature (3). Raises Stall."""


class OnlyInterrupts:
    """The rest of a Reports that speaks through its interrupt endpoints alone."""

    def show(self, kind: int, number: int) -> bytes:
        """It shows nothing: Stall."""
        raise Stall


def vendor_reports(page: int, usage: int, size: int = 64) -> bytes:
    """A report descriptor: one input and one output report of `size` bytes, unnumbered (6.2.2)."""
    items = b"\x06" + struct.pack("<H", page) + bytes((0x09, usage, 0xA1, 0x01))
    for own, main in ((0x20, 0x81), (0x21, 0x91)):
        items += bytes((0x09, own, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, size))
        items += bytes((main, 0x02))
    return items + b"\xc0"


class HidFunction:
    """The function: one interface, an interrupt IN endpoint, and an OUT one unless `out` is 0."""

    def __init__(
        self,
        reports: Reports,
        report_descriptor: bytes,
        *,
        interface: int = 0,
        into: int = 0x81,
        out: int = 0x01,
        packet: int = 64,
        boot: tuple[int, int] = (0, 0),
        string: int = 0,
    ) -> None:
        """`boot` are subclass and protocol, (1, 1) for a boot keyboard (4.2, 4.3)."""
        self.reports = reports
        self.interfaces = (interface,)
        self.endpoints: tuple[int, ...] = (into, out) if out else (into,)
        self._report_descriptor = report_descriptor
        self._packet = packet
        self._class = (HID_CLASS, *boot)
        self._string = string
        self._idle, self._protocol = 0, 1

    def descriptor(self) -> bytes:
        number, count = self.interfaces[0], len(self.endpoints)
        parts = [interface_descriptor(number, 0, self._class, count, self._string), self._own()]
        parts += [endpoint_descriptor(at, INTERRUPT, self._packet, 2) for at in self.endpoints]
        return b"".join(parts)

    def _own(self) -> bytes:
        """Version 1.11, no country, one report descriptor (6.2.1)."""
        size = len(self._report_descriptor)
        return struct.pack("<BBHBBBH", 9, HID, 0x0111, 0, 1, REPORT, size)

    def control(self, setup: Setup, data: bytes) -> bytes:
        match setup.request_type, setup.request:
            case 0x81, Standard.GET_DESCRIPTOR:
                return self._described(setup.value >> 8)
            case 0x21, Request.SET_REPORT:
                self.reports.take(data, setup.value >> 8)
            case 0xA1, Request.GET_REPORT:
                return self.reports.show(setup.value >> 8, setup.value & 0xFF)
            case 0x21, Request.SET_IDLE:
                self._idle = setup.value >> 8
            case 0xA1, Request.GET_IDLE:
                return bytes((self._idle,))
            case 0x21, Request.SET_PROTOCOL if self._class[1]:
                self._protocol = setup.value
            case 0xA1, Request.GET_PROTOCOL if self._class[1]:
                return bytes((self._protocol,))
            case _:
                raise Stall
        return b""

    def _described(self, kind: int) -> bytes:
        if kind not in (HID, REPORT):
            raise Stall
        return self._own() if kind == HID else self._report_descriptor

    def send(self, endpoint: int, data: bytes) -> None:
        self.reports.take(data, OUTPUT)

    def receive(self, endpoint: int, length: int) -> bytes | None:
        report = self.reports.give()
        return None if report is None else report[:length]

    def start(self) -> None:
        self._idle, self._protocol = 0, 1

    def freeze(self) -> dict[str, Any]:
        return {"idle": self._idle, "protocol": self._protocol}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._idle, self._protocol = int(frozen["idle"]), int(frozen["protocol"])
