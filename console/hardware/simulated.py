"""What a simulated USB device is, for whoever exports it: practice, tests, the virtual bench.

The rule: a simulator sits at the wire. It is given setup packets and answers bytes, stalls,
hangs or leaves; it is stateful; time passes only through the `pause` it was made with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Stall(Exception):
    """The device answered with a STALL handshake (USB 2.0, 8.5.3.4)."""


class Hang(Exception):
    """The device does not answer this transfer, nor any other until reset or replugged."""


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
    """The device has left the bus; it is back by itself after `seconds`, or never (None)."""

    seconds: float | None


class SimulatedUsb(Protocol):
    """One simulated device. Whoever exports it looks at `away` after every transfer."""

    away: Away | None

    def descriptors(self) -> Descriptors:
        """As it enumerates now; may differ after each power_on()."""

    def control(self, setup: Setup, data: bytes) -> bytes:
        """One control transfer, standard requests included. Raises Stall or Hang."""

    def power_on(self) -> None:
        """It was plugged in, or reset itself: `away` is None afterwards."""

    def press(self, buttons: str) -> None:
        """A person used its buttons; unknown words raise ValueError."""

    def freeze(self) -> dict[str, Any]:
        """All that survives a power loss, as JSON values."""

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        """Become what freeze() described."""


Pause = Callable[[float], None]


@dataclass(frozen=True)
class Unit:
    """One simulated device of a scenario and the port it sits in (such as "1-1")."""

    port: str
    make: Callable[[Pause], SimulatedUsb]
    plugged: bool = True


@dataclass(frozen=True)
class Scenario:
    """A named practice bench; `about` is one sentence for the technician."""

    name: str
    about: str
    units: tuple[Unit, ...]
