"""A bench over a shelf of made-up devices, for tests of the bench itself."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.bench import Bench
from console.errors import (
    Unplugged,
)
from console.events import (
    Damage,
    Device,
    Verdict,
)
from console.families import Family, Mode
from console.flow import Flow, Kind, Outcome, Question, Step
from console.hardware.kernel import KernelLog
from console.history import view_of
from console.journal import replay
from console.run import Request
from console.state import State
from tests.harness import VirtualClock

LOOK = Step("look", "Look")
ERASE = Step("erase", "Erase", undoable=False, damage=Damage.HALF, safe="Do not unplug it.")
NAME = Question("name", Kind.TEXT, "Whose is it?")
JOB = Question("job", Kind.TEXT, "Its job?", optional=True)
DONE = Outcome(Verdict.REPAIRED, "It is.")


def ask(guide):
    guide.step(LOOK, lambda: None)
    guide.ask(NAME)
    return DONE


def order(guide):
    guide.step(LOOK, lambda: None)
    guide.ask(JOB)
    return DONE


def wait(guide):
    with guide.expect("boot", what="it") as back:
        came = back.wait(limit=1e6)
    return DONE if came else Outcome(Verdict.UNFINISHED, "It did not come.")


def read(guide):
    guide.step(ERASE, lambda: guide.control().__enter__())
    return DONE


def erase(guide):
    guide.step(ERASE, lambda: None)
    return DONE


def stumble(guide):
    guide.step(LOOK, lambda: 1 / 0)


def flow(name, perform, *questions):
    return Flow(name, "T", "A", (LOOK, ERASE), perform, questions)


SCALE = Family(
    "scale",
    "Scale",
    (
        Mode("app", "0a0a", "0001", "Scale", "app", next="Check it."),
        Mode("boot", "0a0a", "0002", "Scale in its bootloader", "boot"),
        Mode("torn", "0a0a", "0003", "Scale, torn", "torn", begun="An update, most often."),
    ),
    (
        flow("ask", ask, NAME),
        flow("order", order, JOB),
        flow("wait", wait),
        flow("read", read),
        flow("erase", erase),
        flow("quick", lambda guide: DONE),
        flow("stumble", stumble),
    ),
)

LEFT = Device("1-1", "v1", "0a0a", "0001", "A")
RIGHT = Device("1-2", "v2", "0a0a", "0001", "B")
MOUSE = Device("1-3", "v3", "046d", "c077", product="Mouse")


class Shelf:
    """A Bus: what stands on it is the truth; notices are told when the test says so."""

    practice = ""

    def __init__(self, *devices: Device) -> None:
        self.here = devices
        self.trouble = ""
        self.seen = None
        self.broken = None

    def scan(self):
        if self.broken is not None:
            raise self.broken
        return self.here

    guest = False

    def card_state(self):
        return ""

    def state(self):
        return self.trouble

    def watch(self, seen):
        self.seen = seen

    def notice(self):
        self.seen(self.here, self.trouble)

    def open_control(self, device):
        raise Unplugged(f"The device on port {device.port} is gone.")

    def kernel_log(self, port):
        return KernelLog()

    def close(self):
        pass


class Floor:
    """A bench over a shelf, and what it told."""

    def __init__(self, root: Path, *devices: Device) -> None:
        self.clock = VirtualClock()
        self.state = State(root)
        self.state.prepare()
        self.bus = Shelf(*devices)
        self.bench = Bench(self.state, self.bus, self.clock, (SCALE,))
        self.told: queue.Queue[dict] = queue.Queue()

    def start(self) -> None:
        self.bench.start()
        self.bench.listen(self.told.put)

    def hear(self, word: str) -> dict:
        """The next message with that word in it."""
        while True:
            message = self.told.get(timeout=20)
            if word in message:
                return message

    def ended(self, run: str):
        assert self.hear("ended")["ended"] == run
        return view_of(self.state, run)

    def asked(self, run: str):
        """Wait until the run asks; its view."""
        while True:
            view = self.bench.runs()[run]
            if view.question is not None:
                return view
            self.hear("run")

    def waiting(self, run: str):
        while True:
            view = self.bench.runs()[run]
            if view.wait is not None:
                return view
            self.hear("run")

    def run(self, name: str, device: str = "1-1", **words) -> str:
        wanted = {"attended": True} | words
        return self.bench.open_run(Request(f"scale.{name}", device, **wanted))

    def days(self) -> list[Path]:
        return sorted(self.state.days.iterdir())

    def happened(self) -> list:
        return [record.event for path in self.days() for record in replay(path).records]


@contextmanager
def floor(root: Path, *devices: Device) -> Iterator[Floor]:
    made = Floor(root, *devices)
    made.start()
    try:
        yield made
    finally:
        made.bench.stop("test over")


@pytest.fixture
def shop(tmp_path):
    with floor(tmp_path, LEFT, RIGHT) as made:
        yield made
