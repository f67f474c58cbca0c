"""The open wires to a device, as the few verbs a client may use, and the wrappers of a line.

The rule: a line moves bytes and turns every failure into an error of console.errors. It knows
no protocol. Real lines, practice lines and the wrappers below are interchangeable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

    def __init__(self, below: Line, now: Callable[[], float] = lambda: 0.0) -> None:
        self.below: Any = below
        self._now = now

    def before(self, words: str) -> None:
        """Called before each transfer with its description (never its data)."""

    def after(self, words: str, seconds: float) -> None:
        """Called after each transfer that succeeded."""

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        words = f"in  {request_type:02x} {request:02x} value {value:04x} index {index} ask {length}"
        self.before(words)
        began = self._now()
        answer: bytes = self.below.read(request_type, request, value, index, length, timeout)
        self.after(f"{words} got {len(answer)}", self._now() - began)
        return answer

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        words = f"out {request_type:02x} {request:02x} value {value:04x} index {index} "
        words += f"sent {len(data)}"
        self.before(words)
        began = self._now()
        self.below.write(request_type, request, value, index, data, timeout)
        self.after(words, self._now() - began)

    def send(self, data: bytes) -> None:
        words = f"out sent {len(data)}"
        self.before(words)
        began = self._now()
        self.below.send(data)
        self.after(words, self._now() - began)

    def receive(self, timeout: float, most: int = 64) -> bytes:
        self.before("in ")
        began = self._now()
        data: bytes = self.below.receive(timeout, most)
        self.after(f"in  got {len(data)}", self._now() - began)
        return data

    def transmit(self, apdu: bytes) -> bytes:
        words = f"apdu {apdu[:4].hex(' ')} sent {len(apdu)}"
        self.before(words)
        began = self._now()
        answer: bytes = self.below.transmit(apdu)
        words += f" got {len(answer)} status {answer[-2:].hex()}"
        self.after(words, self._now() - began)
        return answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.before("transaction")
        with self.below.transaction():
            yield

    def select(self, interface: int, alternate: int) -> None:
        words = f"select interface {interface} alternate {alternate}"
        self.before(words)
        self.below.select(interface, alternate)
        self.after(words, 0.0)

    def reset(self) -> None:
        self.before("reset")
        self.below.reset()
        self.after("reset", 0.0)

    def close(self) -> None:
        self.below.close()


class Traced(Wrapped):
    """Tells every transfer's header and length to `tell`; never a byte of what was carried."""

    def __init__(self, below: Line, tell: Callable[[str], None], now: Callable[[], float]) -> None:
        super().__init__(below, now)
        self._tell = tell

    def after(self, words: str, seconds: float) -> None:
        self._tell(f"{words}  {seconds * 1000:.1f} ms")


class Stoppable(Wrapped):
    """Raises Stopped before a transfer, when the technician asked and the step allows it."""

    def __init__(self, below: Line, stop_now: Callable[[], bool]) -> None:
        super().__init__(below)
        self._stop_now = stop_now

    def before(self, words: str) -> None:
        if self._stop_now():
            raise Stopped("You stopped the run.")


class Faulty(Wrapped):
    """Calls `fault(n)` before the n-th transfer (from 1); the fault raises, or does nothing."""

    def __init__(self, below: Line, fault: Callable[[int], None]) -> None:
        super().__init__(below)
        self._fault = fault
        self.calls = 0

    def before(self, words: str) -> None:
        self.calls += 1
        self._fault(self.calls)
