"""A simulated serial port on USB: a CDC-ACM function over a stream of bytes (USB CDC, PSTN 1.20).

The rule: it carries bytes and remembers what the host set; what the bytes mean is its stream's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Protocol

from console.hardware.simulated import (
    Setup,
    Stall,
    endpoint_descriptor,
    interface_descriptor,
)
from console.hardware.simulated_composite import association_descriptor

ACM = (0x02, 0x02, 0x01)
DATA = (0x0A, 0x00, 0x00)
BULK, INTERRUPT = 2, 3


class Request(IntEnum):
    """Requests to the communications interface (PSTN 1.20, table 13)."""

    SET_LINE_CODING = 0x20
    GET_LINE_CODING = 0x21
    SET_CONTROL_LINE_STATE = 0x22
    SEND_BREAK = 0x23


CODING_115200_8N1 = bytes.fromhex("00c201000000 08")
DTR = 0x0001


class ByteStream(Protocol):
    """What is behind the port."""

    def feed(self, data: bytes) -> None:
        """The host has sent this. May take time, through the device's own pause."""

    def drain(self) -> bytes:
        """All that it has to say by now; b"" if that is nothing."""


class CdcAcm:
    """The function: interfaces `first` and `first` + 1.

    `endpoints` are interrupt IN, bulk OUT and bulk IN. It listens whether or not DTR is set;
    `dtr` tells a stream that cares.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        first: int = 0,
        endpoints: tuple[int, int, int] = (0x82, 0x01, 0x81),
        string: int = 0,
        packet: int = 64,
    ) -> None:
        self.stream = stream
        self.interfaces = (first, first + 1)
        self.endpoints: tuple[int, ...] = endpoints
        self.coding = CODING_115200_8N1
        self.dtr = False
        self._string = string
        self._packet = packet
        self._outgoing = b""

    @property
    def baud(self) -> int:
        return int.from_bytes(self.coding[:4], "little")

    def descriptor(self) -> bytes:
        """Association, communications with its functional descriptors (CDC 5.2.3), data."""
        own, data = self.interfaces
        notices, out, into = self.endpoints
        return b"".join(
            (
                association_descriptor(own, 2, ACM),
                interface_descriptor(own, 0, ACM, 1, self._string),
                bytes.fromhex("0524001001"),  # header, CDC 1.10
                bytes((5, 0x24, 0x01, 0x00, data)),  # call management: none
                bytes.fromhex("04240202"),  # line coding and control line state
                bytes((5, 0x24, 0x06, own, data)),  # union
                endpoint_descriptor(notices, INTERRUPT, 16, 16),
                interface_descriptor(data, 0, DATA, 2),
                endpoint_descriptor(out, BULK, self._packet),
                endpoint_descriptor(into, BULK, self._packet),
            )
        )

    def control(self, setup: Setup, data: bytes) -> bytes:
        match setup.request_type, setup.request:
            case 0xA1, Request.GET_LINE_CODING:
                return self.coding
            case 0x21, Request.SET_LINE_CODING if len(data) == len(self.coding):
                self.coding = data
            case 0x21, Request.SET_CONTROL_LINE_STATE:
                self.dtr = bool(setup.value & DTR)
            case 0x21, Request.SEND_BREAK:
                pass
            case _:
                raise Stall
        return b""

    def send(self, endpoint: int, data: bytes) -> None:
        self.stream.feed(data)

    def receive(self, endpoint: int, length: int) -> bytes | None:
        if endpoint != self.endpoints[2]:
            return None
        self._outgoing += self.stream.drain()
        piece, self._outgoing = self._outgoing[:length], self._outgoing[length:]
        return piece or None

    def start(self) -> None:
        """What nobody has fetched is lost."""
        self.coding, self.dtr, self._outgoing = CODING_115200_8N1, False, b""

    def freeze(self) -> dict[str, Any]:
        return {"coding": self.coding.hex(), "dtr": self.dtr, "outgoing": self._outgoing.hex()}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.coding = bytes.fromhex(frozen["coding"])
        self.dtr = bool(frozen["dtr"])
        self._outgoing = bytes.fromhex(frozen["outgoing"])
