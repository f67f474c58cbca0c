"""The lines to a practice device; how they reach it is given to them.

The rule: they raise what real lines raise, in the same cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from console.errors import Refused, Silent
from console.hardware.lines import Line
from console.hardware.simulated import Setup

SELECT_TIMEOUT = 5.0


class Wire(Protocol):
    """The way to the board, in this process or through a socket."""

    def transfer(self, setup: Setup, data: bytes, timeout: float) -> bytes:
        """Raises Refused, Silent, Unplugged."""

    def reset(self) -> None: ...

    def close(self) -> None: ...


class OpenWire(Protocol):
    """The way to a line that is no control line: console.practice.opened, or a socket to it."""

    def send(self, data: bytes) -> None: ...

    def receive(self, timeout: float, most: int) -> bytes: ...

    def transmit(self, apdu: bytes) -> bytes: ...

    def begin_transaction(self) -> None: ...

    def end_transaction(self) -> None: ...

    def reset_card(self) -> None: ...

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


class PracticeHid:
    """A HidLine over an OpenWire."""

    def __init__(self, wire: OpenWire) -> None:
        self._wire = wire

    def send(self, report: bytes) -> None:
        self._wire.send(report)

    def send_all(self, reports: Sequence[bytes]) -> None:
        for report in reports:
            self._wire.send(report)

    def receive(self, timeout: float, most: int = 64) -> bytes:
        return self._wire.receive(timeout, most)

    def close(self) -> None:
        self._wire.close()


class PracticeSerial:
    """A SerialLine over an OpenWire."""

    def __init__(self, wire: OpenWire) -> None:
        self._wire = wire

    def send(self, data: bytes) -> None:
        self._wire.send(data)

    def receive(self, timeout: float, most: int = 4096) -> bytes:
        return self._wire.receive(timeout, most)

    def close(self) -> None:
        self._wire.close()


class PracticeCard:
    """A CardLine over an OpenWire."""

    def __init__(self, wire: OpenWire) -> None:
        self._wire = wire

    def transmit(self, apdu: bytes) -> bytes:
        return self._wire.transmit(apdu)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._wire.begin_transaction()
        try:
            yield
        finally:
            self._wire.end_transaction()

    def reset(self) -> None:
        self._wire.reset_card()

    def close(self) -> None:
        self._wire.close()


def line_over(wire: OpenWire, kind: str) -> Line:
    """The line of that kind ("hid", "serial", "card", "shared card")."""
    match kind:
        case "hid":
            return PracticeHid(wire)
        case "serial":
            return PracticeSerial(wire)
        case _:
            return PracticeCard(wire)


def refused() -> Refused:
    return Refused("The device refused a request.", code="stall")


def silent(waited: float) -> Silent:
    return Silent(f"The device did not answer within {waited:g} s.", waited=waited)
