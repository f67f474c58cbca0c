"""A practice bus in this very process, for tests that own time.

The rule: nothing happens by itself. A device that resets itself is back with the first scan(),
open or deed after the clock has passed its time; `seen` is called from the thread that caused
the change; a transfer that hangs lets its timeout pass on the clock, then raises Silent.
"""

from __future__ import annotations

from collections.abc import Iterable

from console.clock import Clock
from console.errors import BadUsage
from console.events import Device
from console.families import scenarios
from console.hardware.bus import Seen
from console.hardware.kernel import KernelLog
from console.hardware.lines import ControlLine, Line
from console.hardware.simulated import Hang, Scenario, Setup, SimulatedUsb, Stall
from console.practice.board import Board, gone
from console.practice.line import PracticeLine, line_over, refused, silent
from console.practice.opened import Opened


def scenario_named(name: str, among: Iterable[Scenario] = ()) -> Scenario:
    """The scenario of that name. Raises BadUsage, naming all there are."""
    known = {scenario.name: scenario for scenario in among or scenarios()}
    if name not in known:
        raise BadUsage(
            f'There is no practice scenario "{name}".', f"There are: {', '.join(sorted(known))}."
        )
    return known[name]


class InProcessBus:
    """A Bus over a board of its own."""

    def __init__(self, scenario: Scenario | str, clock: Clock, pace: float = 1.0) -> None:
        chosen = scenario_named(scenario) if isinstance(scenario, str) else scenario
        self.practice = chosen.name
        self.guest = chosen.guest
        self._clock = clock
        self._seen: Seen | None = None
        self._opened = 0
        self.board = Board(chosen, clock, self._tell, pace)

    def scan(self) -> tuple[Device, ...]:
        return self.board.devices()

    def state(self) -> str:
        return ""

    def card_state(self) -> str:
        return ""

    def watch(self, seen: Seen) -> None:
        self._seen = seen
        self._tell()

    def open_control(self, device: Device) -> ControlLine:
        return PracticeLine(_Direct(self.board, self._clock, self._open(device, "control")))

    def open(self, device: Device, kind: str, name: str = "") -> Line:
        return line_over(self._open(device, kind, name), kind)

    def _open(self, device: Device, kind: str, name: str = "") -> Opened:
        self._opened += 1
        who = f"line {self._opened} of this test"
        return Opened(self.board, device.port, device.visit, who, kind, name)

    def kernel_log(self, port: str) -> KernelLog:
        return self.board.kernel_log(port)

    def close(self) -> None:
        self._seen = None

    def plug(self, port: str = "", of: str = "") -> None:
        self.board.plug(port, of)

    def pull(self, port: str = "") -> None:
        self.board.pull(port)

    def press(self, buttons: str, port: str = "") -> None:
        self.board.press(buttons, port)

    def simulator(self, port: str = "1-1") -> SimulatedUsb:
        return self.board.simulator(port)

    def _tell(self) -> None:
        if self._seen is not None:
            self._seen(self.board.devices(), self.state())


class _Direct:
    """The wire of a control line in this process."""

    def __init__(self, board: Board, clock: Clock, opened: Opened) -> None:
        self._board = board
        self._clock = clock
        self._opened = opened

    def transfer(self, setup: Setup, data: bytes, timeout: float) -> bytes:
        opened = self._opened
        try:
            return self._board.transfer(opened.port, opened.visit, setup, data)
        except Stall:
            raise refused() from None
        except Hang:
            self._clock.pause(timeout)
            if not self._board.is_here(opened.port, opened.visit):
                raise gone(opened.port) from None
            raise silent(timeout) from None

    def reset(self) -> None:
        self._board.reset(self._opened.port, self._opened.visit)

    def close(self) -> None:
        self._opened.close()
