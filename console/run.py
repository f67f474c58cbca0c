"""A run: one flow performed on one device, in a thread of its own; the host of its guide.

The rule: a run owns nothing but its line. Every event goes through the bench's owner thread,
which writes the journal; what a person answered comes back as a signal.
"""

from __future__ import annotations

import hashlib
import queue
import sys
import threading
import traceback
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from console.arrivals import Attendance
from console.clock import Clock
from console.errors import BadUsage
from console.events import (
    ArtefactKept,
    Device,
    Event,
    Reason,
    RunEnded,
    Verdict,
)
from console.families import Family, scenarios
from console.flow import GUIDE_QUESTIONS, Flow, perform
from console.guide import Guide
from console.hardware.bus import Bus
from console.hardware.gnupg import GnuPG, gnupg
from console.hardware.kernel import KernelLog
from console.hardware.lines import ControlLine, Line
from console.history import first_backups, last_kept, passed, predecessor, recorded, same_unit
from console.host import Recorded, Reply, Signal
from console.owner import OwnerGone
from console.state import State, write_private
from console.toil import Progress, Toil, performed
from console.trace import Trace


@dataclass(frozen=True)
class Request:
    """What was asked for: the flow, the device's name, and the answers brought along.

    A device that is not shown has no name; `device` is then the port where it should come, or
    "" for any.
    """

    flow: str
    device: str
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    yes: bool = False
    not_shown: bool = False
    attended: bool = False
    job: str = ""
    by: str = ""


def check_answers(request: Request, flow: Flow) -> None:
    """Every answer brought along must be to a question of the flow. Raises BadUsage."""
    known = {question.id for question in (*flow.questions, *GUIDE_QUESTIONS)}
    unknown = sorted(set(request.answers) - known)
    if unknown:
        raise BadUsage(
            f"The flow {flow.name} has no question {', '.join(unknown)}.",
            f"Its questions: {', '.join(q.id for q in flow.questions) or 'none'}.",
        )


TOLD_EACH = 0.1
"""Seconds from one telling of progress to the next: nobody reads faster, and telling costs."""


class Pace:
    """Which progress is told: the first of each kind, the last, and ten a second between them."""

    def __init__(self) -> None:
        self._what = ""
        self._next = 0.0

    def lets(self, at: float, what: str, done: int, total: int) -> bool:
        """Is this one told? `at` is seconds on any scale."""
        if what == self._what and done < total and at < self._next:
            return False
        self._what, self._next = what, at + TOLD_EACH
        return True


class Owner(Protocol):
    """What a run needs of the bench; each call may come from the run's thread."""

    clock: Clock
    bus: Bus
    state: State

    def record(self, run: str, event: Event, durable: bool) -> None: ...

    def tell_progress(self, run: str, what: str, done: int, total: int) -> None: ...

    def present(self) -> tuple[Device, ...]: ...

    def ports_of_others(self, run: str) -> frozenset[str]: ...

    def look_again(self) -> None: ...

    def hold(self, run: str, device: Device) -> None: ...

    def ended(self, run: str, ended: RunEnded) -> None: ...


class Run:
    """One run while it lives. See console.flow.Host for what a guide may call."""

    def __init__(
        self,
        run: str,
        request: Request,
        family: Family,
        flow: Flow,
        device: Device,
        owner: Owner,
    ) -> None:
        self.run = run
        self.request = request
        self.family = family
        self.flow = flow
        self.device = device
        self.clock = owner.clock
        self.guest = owner.bus.guest
        self.signals: queue.Queue[Reply | Signal] = queue.Queue()
        self._owner = owner
        self._stop = threading.Event()
        self._given = self._brought_along(request)
        self._trace = Trace(owner.state.trace(run))
        self._of_others: set[str] = set()
        self._pace = Pace()
        self._attendance = Attendance(self._of_others)
        self._attend()

    @staticmethod
    def _brought_along(request: Request) -> dict[str, Reply]:
        given = {name: Reply(name, text, "answers") for name, text in request.answers.items()}
        if request.job:
            given.setdefault("job", Reply("job", request.job, "--job"))
        if request.yes:
            given["--yes"] = Reply("--yes", "yes", "--yes")
        return given

    def start(self) -> None:
        # A daemon: a device that keeps its thread waiting never delays the bench's exit.
        threading.Thread(target=self._live, name=f"run-{self.run}", daemon=True).start()

    def _live(self) -> None:
        with suppress(OwnerGone):
            try:
                ended = self._perform()
            finally:
                self._trace.close()
            self._owner.ended(self.run, ended)

    def _perform(self) -> RunEnded:
        guide = Guide(self.flow, self, self._attendance)
        try:
            return perform(self.flow, guide)
        except Exception as error:  # noqa: BLE001 - our own mistake must still end the run in words
            # The message could quote what a device or a person gave us: only the places.
            traceback.print_tb(error.__traceback__, file=sys.stderr)
            print(type(error).__name__, file=sys.stderr, flush=True)  # noqa: T201 - the bench's log
            return RunEnded(
                Verdict.UNFINISHED.value,
                Reason.FAILED.value,
                "Replug itself made a mistake in this step and stopped.",
                "Leave the device as it is, run the repair again, and report this run.",
                warnings=guide.warnings,
                damage=guide.damage.value,
            )

    # --- from the bench ------------------------------------------------------------------

    def reply(self, reply: Reply) -> None:
        self.signals.put(reply)

    def ask_stop(self) -> None:
        self._stop.set()
        self.signals.put(Signal.STOP)

    def bus_changed(self) -> None:
        """Something came, left or changed (called by the owner, which has just seen it)."""
        self._attend()
        self.signals.put(Signal.BUS)

    def _attend(self) -> None:
        # Here and not where the run looks: it may be asking somebody, or writing, for an hour.
        self._attendance.note(self._there(), self.clock.monotonic())

    # --- for the guide -------------------------------------------------------------------

    def post(self, event: Event, durable: bool = False) -> None:
        self._owner.record(self.run, event, durable)

    def progress(self, what: str, done: int, total: int) -> None:
        if self._pace.lets(self.clock.monotonic(), what, done, total):
            self._owner.tell_progress(self.run, what, done, total)

    def trace(self, words: str) -> None:
        self._trace.add(self.clock.monotonic(), words)

    def given(self, question: str) -> Reply | None:
        return self._given.get(question)

    def attended(self) -> bool:
        return self.request.attended

    def present(self) -> tuple[Device, ...]:
        return self._there()

    def _there(self) -> tuple[Device, ...]:
        # What another run works on is none of ours: not now, and not once that run has ended.
        there = self._owner.present()
        theirs = self._owner.ports_of_others(self.run)
        known = (*there, *self._attendance.seen)
        self._of_others |= {device.visit for device in known if device.port in theirs}
        return tuple(device for device in there if device.visit not in self._of_others)

    def name_of(self, device: Device) -> str:
        return self.family.sure(device)

    def not_ours(self, visits: Set[str]) -> None:
        """What a run worked on that has just ended (called by the owner, before it is let go)."""
        self._of_others.update(visits)

    def look_again(self) -> None:
        self._owner.look_again()

    def mode_of(self, device: Device) -> str:
        mode = self.family.mode_of(device)
        return mode.name if mode else ""

    def kernel_log(self, port: str) -> KernelLog:
        return self._owner.bus.kernel_log(port)

    def passed(self, flow: str, port: str) -> bool:
        return passed(self._owner.state, flow, port)

    def gnupg(self) -> GnuPG:
        practice = self._owner.bus.practice
        if not practice:
            return gnupg()
        version = next((known.gpg for known in scenarios() if known.name == practice), "")
        trouble = "" if version else "Practice hardware has no gpg of its own."
        return GnuPG(version, version, trouble=trouble)

    def stop_asked(self) -> bool:
        return self._stop.is_set()

    def moved(self, device: Device) -> None:
        self.device = device

    def open_control(self, device: Device) -> ControlLine:
        return self._owner.bus.open_control(device)

    def open(self, device: Device, kind: str, name: str = "") -> Line:
        return self._owner.bus.open(device, kind, name)

    def hold(self, device: Device) -> None:
        self._owner.hold(self.run, device)

    def toil(self, work: Toil, told: Progress) -> bytes:
        return performed(work, told)

    def discard(self, path: str) -> bool:
        return self._owner.state.discard(path)

    def keep(self, name: str, data: bytes, place: str) -> ArtefactKept:
        state = self._owner.state
        in_vault = place == "vault"
        path = state.vault / f"{self.run}-{name}" if in_vault else self._artefact(name)
        write_private(path, data)
        return ArtefactKept(path.name, place, hashlib.sha256(data).hexdigest(), len(data))

    def _artefact(self, name: str) -> Path:
        return self._owner.state.artefacts(self.run) / name

    def first_backup(self, name: str) -> tuple[ArtefactKept, bytes] | None:
        # Asked late: only now is it sure which unit this is.
        state = self._owner.state
        before = predecessor(state, self.family.name, self.device, self.run, self.family.unit)
        kept = first_backups(state, before).get(name)
        data = self._from_vault(kept) if kept else None
        return (kept, data) if kept and data is not None else None

    def recorded(self, name: str, sha256: str) -> Recorded | None:
        state = self._owner.state
        known = recorded(state, self.device, name, sha256, self.family.unit)
        if known is None:
            return None
        view, kept = known
        ours = same_unit(view, self.device, self.family.unit)
        serial = next((seen.serial for seen in view.seen_as if seen.serial), "")
        return Recorded(kept, ours, serial, self._from_vault(kept))

    def last_kept(self, beginning: str) -> bytes | None:
        return last_kept(self._owner.state, beginning, self.run)

    def _from_vault(self, kept: ArtefactKept) -> bytes | None:
        """The bytes of a backup; None where they are gone or not what was recorded."""
        try:
            data = (self._owner.state.vault / kept.name).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == kept.sha256 else None
