"""A bench on paper: what a guide needs, with time that passes only when somebody waits."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from console.events import ArtefactKept, Device, RunEnded, StepStarted, WaitStarted
from console.families.particle import FAMILY
from console.flow import perform
from console.guide import Guide
from console.host import Recorded, Reply, Signal
from tests.families.particle.paper_core import PaperCore

DFU = Device("1-1", "v1", "1d50", "607f", serial="6D7524674852")
APP = Device("1-1", "v2", "1d50", "607d", serial="")


class PaperClock:
    boot = "boot"

    def __init__(self) -> None:
        self.now = 0.0

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def take(self, box: queue.Queue[Any], timeout: float | None) -> Any:
        try:
            return box.get_nowait()
        except queue.Empty:
            assert timeout is not None, "a person would wait here for ever"
            self.now += timeout
            raise


class PaperHost:
    """One device, answers brought along, nobody there. `comes` is what a look at the bus finds."""

    guest = False

    def __init__(self, core: PaperCore, device: Device = DFU, **answers: str) -> None:
        self.clock = PaperClock()
        self.device = device
        self.signals: queue.Queue[Reply | Signal] = queue.Queue()
        self.core = core
        self.answers = answers
        self.there: tuple[Device, ...] = (device,)
        self.comes: Device | None = None
        self.stops_at = ""
        self.events: list[Any] = []
        self.kept: dict[str, bytes] = {}
        self.first: dict[str, tuple[ArtefactKept, bytes]] = {}
        self.known: dict[str, Recorded] = {}
        self.broken: Callable[[str], None] = lambda step: None

    def post(self, event: Any, durable: bool = False) -> None:
        self.events.append(event)
        if isinstance(event, StepStarted):
            self.broken(event.step)

    def progress(self, what: str, done: int, total: int) -> None:
        assert 0 <= done <= total

    def trace(self, words: str) -> None:
        pass

    def given(self, question: str) -> Reply | None:
        answer = self.answers.get(question)
        return Reply(question, answer, "answers") if answer is not None else None

    def attended(self) -> bool:
        return False

    def present(self) -> tuple[Device, ...]:
        return self.there

    def look_again(self) -> None:
        if self.comes and self.of(WaitStarted):
            self.there = (self.comes,)

    def name_of(self, device: Device) -> str:
        return FAMILY.sure(device)

    def mode_of(self, device: Device) -> str:
        mode = FAMILY.mode_of(device)
        return mode.name if mode else ""

    def stop_asked(self) -> bool:
        return bool(self.stops_at) and self.stops_at in self.steps()

    def moved(self, device: Device) -> None:
        self.device = device

    def open_control(self, device: Device) -> PaperCore:
        return self.core

    def keep(self, name: str, data: bytes, place: str) -> ArtefactKept:
        self.kept[name] = data
        return ArtefactKept(name, place, hashlib.sha256(data).hexdigest(), len(data))

    def first_backup(self, name: str) -> tuple[ArtefactKept, bytes] | None:
        return self.first.get(name)

    def recorded(self, name: str, sha256: str) -> Recorded | None:
        return self.known.get(name or sha256)

    # --- what the tests ask ------------------------------------------------------------------

    def run(self, flow: str) -> RunEnded:
        found = FAMILY.flow(flow)
        return perform(found, Guide(found, self))

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    def steps(self) -> list[str]:
        return [event.step for event in self.of(StepStarted)]
