"""The open wires to a device, as the few verbs a client may use, and the wrappers of a line.

The rule: a line moves bytes and turns every failure into an error of console.errors. It knows
no protocol. Real lines, practice lines and the wrappers below are interchangeable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from console.errors import Stopped


class ControlLine(Protocol):
    """USB control transfers to one device (USB 2.0, 9.3). Timeouts are seconds."""

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        """A device-to-host transfer; a shorter answer than `length` is legal.

        Raises Refused (code "stall"), Silent, Unplugged, NotPermitted.
        """

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        """A host-to-device transfer. Raises as read()."""

    def select(self, interface: int, alternate: int) -> None:
        """Claim the interface and choose its alternate setting."""

    def reset(self) -> None:
        """A USB port reset; afterwards the device may be gone."""

    def close(self) -> None:
        """Let the device go; never raises."""


class HidLine(Protocol):
    """Reports of one HID interface (HID 1.11, 8.1), its number first (0 where it has none).

    A timeout of 0 asks for what is there already, and waits for nothing.
    """

    def send(self, report: bytes) -> None:
        """An output report. Raises Unplugged, Garbled."""

    def send_all(self, reports: Sequence[bytes]) -> None:
        """One after the other, as send() would; for streams, where a report is worth little."""

    def receive(self, timeout: float, most: int = 64) -> bytes:
        """The next input report. Raises Silent, Unplugged."""

    def close(self) -> None:
        """Let the device go; never raises."""


class SerialLine(Protocol):
    """A byte stream in both directions. A timeout of 0 asks for what is there already."""

    def send(self, data: bytes) -> None:
        """All of it. Raises Silent (the device takes nothing), Unplugged."""

    def receive(self, timeout: float, most: int = 4096) -> bytes:
        """What has come, at least one byte. Raises Silent, Unplugged."""

    def close(self) -> None:
        """Let the device go; never raises."""


class CardLine(Protocol):
    """Commands to one card (ISO 7816-4, 5.1)."""

    def transmit(self, apdu: bytes) -> bytes:
        """The answer, status word included.

        Raises Unplugged (card, reader or PC/SC gone), Refused (code "reset": another program
        reset the card, so what was unlocked is locked again), Silent, Garbled.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """No other program gets a word in while it is open. Raises as transmit()."""

    def reset(self) -> None:
        """A warm reset: nothing is selected or unlocked afterwards. Raises as transmit()."""

    def close(self) -> None:
        """Let the card go; never raises."""


Line = ControlLine | HidLine | SerialLine | CardLine


class Wrapped:
    """A line of any kind below another: passes every verb through; the base of the wrappers.

    It has the verbs of all lines; those that the line below lacks cannot be used.
    """

    def __init__(self, below: Line) -> None:
        self.below: Any = below

    def before(self) -> None:
        """Called before each transfer."""

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        self.before()
        answer: bytes = self.below.read(request_type, request, value, index, length, timeout)
        return answer

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        self.before()
        self.below.write(request_type, request, value, index, data, timeout)

    def send(self, data: bytes) -> None:
        self.before()
        self.below.send(data)

    def send_all(self, reports: Sequence[bytes]) -> None:
        self.before()
        self.below.send_all(reports)

    def receive(self, timeout: float, most: int = 64) -> bytes:
        self.before()
        data: bytes = self.below.receive(timeout, most)
        return data

    def transmit(self, apdu: bytes) -> bytes:
        self.before()
        answer: bytes = self.below.transmit(apdu)
        return answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.before()
        with self.below.transaction():
            yield

    def select(self, interface: int, alternate: int) -> None:
        self.before()
        self.below.select(interface, alternate)

    def reset(self) -> None:
        self.before()
        self.below.reset()

    def close(self) -> None:
        self.below.close()


class Traced(Wrapped):
    """Tells every transfer's header and length to `tell`; never a byte of what was carried."""

    def __init__(self, below: Line, tell: Callable[[str], None], now: Callable[[], float]) -> None:
        super().__init__(below)
        self._tell = tell
        self._now = now

    def _took(self, words: str, began: float) -> None:
        self._tell(f"{words}  {(self._now() - began) * 1000:.1f} ms")

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        began = self._now()
        answer: bytes = self.below.read(request_type, request, value, index, length, timeout)
        words = f"in  {request_type:02x} {request:02x} value {value:04x} index {index} ask {length}"
        self._took(f"{words} got {len(answer)}", began)
        return answer

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        began = self._now()
        self.below.write(request_type, request, value, index, data, timeout)
        words = f"out {request_type:02x} {request:02x} value {value:04x} index {index}"
        self._took(f"{words} sent {len(data)}", began)

    def send(self, data: bytes) -> None:
        began = self._now()
        self.below.send(data)
        self._took(f"out sent {len(data)}", began)

    def send_all(self, reports: Sequence[bytes]) -> None:
        began = self._now()
        self.below.send_all(reports)
        self._took(f"out sent {sum(map(len, reports))} in {len(reports)} reports", began)

    def receive(self, timeout: float, most: int = 64) -> bytes:
        began = self._now()
        data: bytes = self.below.receive(timeout, most)
        self._took(f"in  got {len(data)}", began)
        return data

    def transmit(self, apdu: bytes) -> bytes:
        began = self._now()
        answer: bytes = self.below.transmit(apdu)
        words = f"apdu {apdu[:4].hex(' ')} sent {len(apdu)}"
        self._took(f"{words} got {len(answer)} status {answer[-2:].hex()}", began)
        return answer

    def select(self, interface: int, alternate: int) -> None:
        began = self._now()
        self.below.select(interface, alternate)
        self._took(f"select interface {interface} alternate {alternate}", began)

    def reset(self) -> None:
        began = self._now()
        self.below.reset()
        self._took("reset", began)


class Stoppable(Wrapped):
    """Raises Stopped before a transfer, when the technician asked and the step allows it."""

    def __init__(self, below: Line, stop_now: Callable[[], bool]) -> None:
        super().__init__(below)
        self._stop_now = stop_now

    def before(self) -> None:
        if self._stop_now():
            raise Stopped("You stopped the run.")


class Faulty(Wrapped):
    """Calls `fault(n)` before the n-th transfer (from 1); the fault raises, or does nothing."""

    def __init__(self, below: Line, fault: Callable[[int], None]) -> None:
        super().__init__(below)
        self._fault = fault
        self.calls = 0

    def before(self) -> None:
        self.calls += 1
        self._fault(self.calls)

    def send_all(self, reports: Sequence[bytes]) -> None:
        for report in reports:
            self.send(report)
