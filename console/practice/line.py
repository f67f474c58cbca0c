"""A control line to a practice device; how it exchanges a transfer is given to it.

The rule: it raises what a real line raises, in the same cases.
"""

from __future__ import annotations

from typing import Protocol

from console.errors import NotPermitted, Refused, Silent
from console.events import Device
from console.hardware.simulated import Setup

SELECT_TIMEOUT = 5.0


class Wire(Protocol):
    """The way to the board, in this process or through a socket."""

    def transfer(self, setup: Setup, data: bytes, timeout: float) -> bytes:
        """Raises Refused, Silent, Unplugged."""

    def reset(self) -> None: ...

    def close(self) -> None: ...


class PracticeLine:
    """A ControlLine over a Wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        setup = Setup(request_type, request, value, index, length)
        return self._wire.transfer(setup, b"", timeout)

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        setup = Setup(request_type, request, value, index, len(data))
        self._wire.transfer(setup, data, timeout)

    def select(self, interface: int, alternate: int) -> None:
        self.write(0x01, 11, alternate, interface, b"", SELECT_TIMEOUT)  # SET_INTERFACE

    def reset(self) -> None:
        self._wire.reset()

    def close(self) -> None:
        self._wire.close()


def no_such_line(device: Device, kind: str) -> NotPermitted:
    sentence = f"The practice device on port {device.port} has no {kind} line."
    return NotPermitted(sentence, "Practice hardware is opened through USB control transfers.")


def refused() -> Refused:
    return Refused("The device refused a request.", code="stall")


def silent(waited: float) -> Silent:
    return Silent(f"The device did not answer within {waited:g} s.", waited=waited)
