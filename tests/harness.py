"""What tests of flows share: a clock that a test owns, a bench in this process, a technician.

The rule: the real bench, the real flows and the shipped simulators; only time and the person
are ours. The technician acts at once, inside the event, so nothing here waits for real time.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.bench import Bench
from console.families import found
from console.hardware.lines import ControlLine, Faulty, Line, Wrapped
from console.hardware.simulated import Scenario
from console.history import view_of
from console.practice.local import InProcessBus
from console.run import Request
from console.state import State
from console.views import RunView

PATIENCE = 300.0
"""Real seconds until a test that waits for another thread gives up, on the slowest machine."""


class VirtualClock:
    """Time passes only where somebody lets it: a pause, or a wait that nobody ends."""

    boot = "test-boot"

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()
        self._later: list[tuple[float, Callable[[], None]]] = []

    def wall(self) -> datetime:
        return datetime(2026, 5, 4, 9, 0, tzinfo=UTC) + timedelta(seconds=self._now)

    def monotonic(self) -> float:
        return self._now

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds
            due = [act for at, act in self._later if at <= self._now]
            self._later = [(at, act) for at, act in self._later if at > self._now]
        for act in due:
            act()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Have it done once so much more time has passed, by whoever lets it pass."""
        with self._lock:
            self._later.append((self._now + seconds, act))

    def take(self, box, timeout):
        if timeout is None:
            return box.get(timeout=PATIENCE)
        try:
            return box.get_nowait()
        except queue.Empty:
            self.pause(timeout)
            raise


class Eavesdropper(Wrapped):
    """Keeps what was sent, for tests that count commands on the wire."""

    def __init__(self, below: Line, sent: list[bytes]) -> None:
        super().__init__(below)
        self._sent = sent

    def write(self, request_type, request, value, index, data, timeout) -> None:
        self._sent.append(bytes(data))
        self.below.write(request_type, request, value, index, data, timeout)

    def send(self, data) -> None:
        self._sent.append(bytes(data))
        self.below.send(data)

    def send_all(self, reports) -> None:
        for report in reports:
            self.send(report)

    def transmit(self, apdu) -> bytes:
        self._sent.append(bytes(apdu))
        return self.below.transmit(apdu)


class FaultyBus(InProcessBus):
    """The practice bus with a fault before the n-th transfer of all lines together."""

    def __init__(self, scenario, clock, fault: Callable[[int], None] = lambda n: None) -> None:
        super().__init__(scenario, clock)
        self.calls = 0
        self.sent: list[bytes] = []
        self.fault = fault

    def open_control(self, device) -> ControlLine:
        return Faulty(Eavesdropper(super().open_control(device), self.sent), self._count)

    def open(self, device, kind, name="") -> Line:
        return Faulty(Eavesdropper(super().open(device, kind, name), self.sent), self._count)

    def _count(self, _: int) -> None:
        self.calls += 1
        self.fault(self.calls)


Hands = Callable[[InProcessBus, RunView], None]
"""What a technician's hands do, once for each wait."""


def press_dfu(bus: InProcessBus, view: RunView) -> None:
    """The buttons of a Particle board, whenever hands are asked for."""
    if view.wait is not None and view.wait.hands:
        bus.press("dfu", view.port)


class Technician:
    """Answers what is asked and uses the buttons when told to; willing, and never late."""

    def __init__(
        self, bench: Bench, bus: InProcessBus, answers: dict[str, str], hands: Hands = press_dfu
    ) -> None:
        self._hands = hands
        self._bench = bench
        self._bus = bus
        self._answers = answers
        self._seen: set[tuple[str, int]] = set()
        self._pressed: set[tuple[str, str]] = set()
        self.ended: queue.Queue[str] = queue.Queue()
        self.willing = True

    def hear(self, message: dict) -> None:
        if "ended" in message:
            self.ended.put(message["ended"])
        if "run" in message and self.willing:
            self._act(self._bench.runs()[message["run"]])

    def _act(self, view: RunView) -> None:
        asked = view.question
        if asked is not None and (view.run, asked.number) not in self._seen:
            self._seen.add((view.run, asked.number))
            willing = "" if asked.optional else asked.must_type or "yes"
            answer = self._answers.get(asked.id, willing)
            self._bench.answer(view.run, asked.id, answer, "test technician")
        wait = view.wait
        if wait is not None and (wait.since, wait.what) not in self._pressed:
            self._pressed.add((wait.since, wait.what))
            self._hands(self._bus, view)


class Workshop:
    """A bench with practice hardware, a clock and a technician, all in this process."""

    def __init__(
        self,
        root: Path,
        scenario: str | Scenario,
        answers: dict[str, str] | None = None,
        hands: Hands = press_dfu,
    ) -> None:
        self.clock = VirtualClock()
        self.state = State(root, scenario if isinstance(scenario, str) else scenario.name)
        self.state.prepare()
        self.bus = FaultyBus(scenario, self.clock)
        self.bench = Bench(self.state, self.bus, self.clock, found())
        self.technician = Technician(self.bench, self.bus, answers or {}, hands)
        self.bench.start()
        self.bench.listen(self.technician.hear)

    def run(self, flow: str = "particle.rekey", device: str = "1-1", **request: object) -> RunView:
        """Perform a flow to its end; the view replayed from its journal."""
        wanted = {"attended": True, "job": "2243", "by": "test"} | request
        run = self.bench.open_run(Request(flow, device, **wanted))
        assert self.technician.ended.get(timeout=PATIENCE) == run
        return view_of(self.state, run)

    def back_to_dfu(self, port: str = "1-1") -> None:
        """Plug the unit in, if it is out, and use its buttons."""
        if not any(device.port == port for device in self.bus.scan()):
            self.bus.plug(port)
        self.bus.press("dfu", port)


@contextmanager
def workshop(root: Path, scenario: str | Scenario, **kwargs) -> Iterator[Workshop]:
    """A workshop that is closed in the end."""
    made = Workshop(root, scenario, **kwargs)
    try:
        yield made
    finally:
        made.bench.stop("test over")
