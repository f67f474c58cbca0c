"""The guide: all that a flow may do. Steps, questions, telling, the line, an armed reconnect.

The rule: it holds no state but its place in the flow; whatever lasts goes through its host, the
bench, which writes it down. See console.flow for the rules that a flow follows.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import TypeVar

from console.arrivals import Arrivals, Attendance
from console.errors import (
    ConsoleError,
    DeviceError,
    GateClosed,
    NotPermitted,
    Stopped,
    Unanswered,
    Unplugged,
)
from console.events import (
    Answered,
    ArtefactKept,
    Asked,
    Damage,
    Device,
    StepDone,
    StepFailed,
    StepStarted,
    Told,
    WaitEnded,
    WaitStarted,
    Warned,
)
from console.flow import RETRY, Flow, Kind, Question, Step
from console.hardware.gnupg import GnuPG
from console.hardware.identity import Expectation, Judgement, same_unit
from console.hardware.kernel import KernelLog
from console.hardware.lines import (
    CardLine,
    ControlLine,
    HidLine,
    SerialLine,
)
from console.host import Host, Recorded, Reply
from console.opening import Opening
from console.reconnect import Acts as Acts
from console.reconnect import Reconnect as Reconnect
from console.reconnect import judged
from console.toil import Toil

T = TypeVar("T")


class Guide:
    """All that a flow may do."""

    def __init__(self, flow: Flow, host: Host, attendance: Attendance | None = None) -> None:
        self._flow = flow
        self._host = host
        self._attendance = attendance or Attendance()
        self._step: Step | None = None
        self._unique = ""
        self._tidying = False
        self._opening = Opening(host, self._stop_line, self.safe_point, self.busy)
        self.committed = False
        self.warnings: tuple[str, ...] = ()

    # --- facts ---------------------------------------------------------------------------

    @property
    def device(self) -> Device:
        return self._host.device

    @property
    def present(self) -> tuple[Device, ...]:
        """Every device on the bench that no other run works on."""
        return self._host.present()

    @property
    def guest(self) -> bool:
        """Does this machine run in another, whose host attaches each device to it?"""
        return self._host.guest

    @property
    def job(self) -> str:
        """The work order that the run belongs to; "" if none."""
        return (self._host.given("job") or Reply("job", "")).answer

    def seconds(self) -> float:
        """Seconds from any beginning, to measure how long something takes."""
        return self._host.clock.monotonic()

    def passed(self, flow: str) -> bool:
        """Has a run of that flow ("family.flow") ended well on this port of this machine?"""
        return self._host.passed(flow, self.device.port)

    @property
    def mode(self) -> str:
        """The device's mode now; "" when it is away, or nothing of this family."""
        here = any(known.visit == self.device.visit for known in self._host.present())
        return self._host.mode_of(self.device) if here else ""

    @property
    def visits(self) -> tuple[str, ...]:
        """The visit of what sits in the device's port now; empty when nothing does."""
        present = self._host.present()
        return tuple(known.visit for known in present if known.port == self.device.port)

    def kernel_log(self) -> KernelLog:
        """What the kernel wrote about the device's port since the device came."""
        return self._host.kernel_log(self.device.port)

    def kernel_faults(self) -> KernelLog:
        """What the kernel wrote of trouble on any port."""
        return self._host.kernel_log("")

    def gnupg(self) -> GnuPG:
        """The GnuPG of this machine, which customers' machines may differ from."""
        return self._host.gnupg()

    def now(self) -> int:
        """Seconds since 1970, as keys are dated."""
        return int(self._host.clock.wall().timestamp())

    @property
    def today(self) -> date:
        """The day on this machine, UTC."""
        return self._host.clock.wall().date()

    @property
    def damage(self) -> Damage:
        """What is lost if the device is pulled now."""
        return self._step.damage if self._step else Damage.NOTHING

    def unique(self, read: str) -> None:
        """The unique id that the device has answered just now, in the same form every time.

        From the second time on it proves that this is still the same device. Raises GateClosed.
        """
        if not self._unique:
            self._unique = read
            return
        found = same_unit(self._unique, read)
        self.judged(self.device, found)
        if not found.taken:
            raise GateClosed(found.why, "Nothing more was sent to it.")

    def judged(self, device: Device, found: Judgement) -> None:
        """Write what came and what it was held to be; what is taken is the device from now on."""
        self._host.post(judged(device, found, self._attendance.since(device)))
        if found.taken:
            self._host.moved(device)

    # --- saying --------------------------------------------------------------------------

    def tell(self, sentence: str, advice: str = "") -> None:
        self._host.post(Told(sentence, advice))

    def warn(self, sentence: str, advice: str = "") -> None:
        """Say something that goes into the verdict and does not stop the run."""
        self.warnings += (sentence,)
        self._host.post(Warned(sentence, advice))

    def progress(self, what: str, done: int, total: int) -> None:
        self._host.progress(what, done, total)

    def pause(self, seconds: float) -> None:
        """Let a time pass that the device asked for (seconds)."""
        self._host.clock.pause(seconds)

    def toil(self, work: Toil, what: str) -> bytes:
        """What a process of its own makes of it, with progress. Raises Stopped, GateClosed."""

        def told(done: int, total: int) -> None:
            self.progress(what, done, total)
            self.safe_point()

        return self._host.toil(work, told)

    # --- steps ---------------------------------------------------------------------------

    def step(
        self,
        step: Step,
        work: Callable[..., T],
        *args: object,
        found: Callable[[T], str] | None = None,
        left_out: Callable[[T], bool] = lambda _: False,
    ) -> T:
        """Do one step of the plan: work(*args). `found` turns its result into what is shown.

        `left_out` says of the result that nothing was done. A failed step that can be undone is
        offered again; any other failure is raised.
        """
        assert step in self._flow.plan, f"{step.id} is not in the plan of {self._flow.name}"
        attempt = 1
        while True:
            self._begin(step, attempt)
            try:
                result = work(*args)
            except ConsoleError as error:
                self._host.post(StepFailed(step.id, error.sentence, error.advice))
                if not self._worth_retrying(step, error, attempt):
                    raise
                attempt += 1
                continue
            words = found(result) if found else ""
            self._host.post(StepDone(step.id, words, left_out(result)))
            return result

    def _begin(self, step: Step, attempt: int) -> None:
        self.safe_point()
        self._step = step
        self.committed = self.committed or not step.undoable
        self._host.post(
            StepStarted(
                step.id,
                attempt,
                step.undoable,
                step.damage.value,
                step.safe,
                "" if step.undoable else self._next_safe_step(step),
            ),
            durable=not step.undoable,
        )

    def _next_safe_step(self, step: Step) -> str:
        later = self._flow.plan[self._flow.plan.index(step) + 1 :]
        return next((after.title for after in later if after.undoable), "the end")

    def _worth_retrying(self, step: Step, error: ConsoleError, attempt: int) -> bool:
        if not step.undoable or isinstance(error, Unplugged | NotPermitted):
            return False
        brought = self._host.given(RETRY.id) is not None
        if not isinstance(error, DeviceError) or not (brought or self._host.attended()):
            return False
        if brought and attempt > 1:
            return False  # an answer brought along is good for once, or it would go on for ever
        return self.ask(RETRY, f"{error.sentence} {error.advice}") == "again"

    def safe_point(self) -> None:
        """Between steps the run may stop. Raises Stopped if the technician asked for it."""
        if self._stop_line():
            raise Stopped("You stopped the run.", "Nothing more is sent to the device.")

    @contextmanager
    def tidying(self) -> Iterator[None]:
        """Put back what was changed in passing: this is sent also once a stop was asked for."""
        before, self._tidying = self._tidying, True
        try:
            yield
        finally:
            self._tidying = before

    def _in_one_way_stretch(self) -> bool:
        return self._step is not None and self._step.damage is not Damage.NOTHING

    # --- questions -----------------------------------------------------------------------

    def ask(self, question: Question, text: str = "", must_type: str = "") -> str | None:
        """The answer; None if the question is optional and nobody gave one.

        Raises Unanswered (nobody there, nothing written yet), Stopped ("no"), GateClosed
        (scripted consent that does not match).
        """
        given = self._host.given(question.id)
        if given is None and question.kind is Kind.CONFIRM:
            given = self._host.given("--yes")
        waits = given is None and (self.committed or self._host.attended())
        asked = Asked(
            question.id,
            question.kind.value,
            text or question.ask,
            question.optional,
            must_type,
            question.choices,
            waits,
            question.hint,
            question.twice,
        )
        self._forget_replies()
        self._host.post(asked)
        if given is not None and not given.answer and question.optional:
            self._host.post(Answered(question.id, "not checked", given.by))
            return None
        if given is not None:
            return self._accept(question, given, must_type)
        if not waits and question.optional:
            self._host.post(Answered(question.id, "not checked"))
            return None
        if not waits:
            raise Unanswered(
                f"The question {question.id} had no answer: {asked.text}",
                f"Nothing is written. Bring the answer: --answer {question.id}=...",
                question=question.id,
            )
        return self._ask_person(question, must_type)

    def _forget_replies(self) -> None:
        # Two people may have answered one question; what came late is for none that follows.
        # A stop and a change of the bus are looked up, so their signals may go, too.
        with suppress(queue.Empty):
            while True:
                self._host.signals.get_nowait()

    def _ask_person(self, question: Question, must_type: str) -> str | None:
        while True:
            self.safe_point()
            signal = self._host.clock.take(self._host.signals, None)
            if not isinstance(signal, Reply) or signal.question != question.id:
                continue
            if not signal.answer and question.optional:
                self._host.post(Answered(question.id, "not checked", signal.by))
                return None
            if question.fits(signal.answer, must_type):
                return self._accept(question, signal, must_type)
            self._host.post(Told(question.misfit(must_type)))

    def _accept(self, question: Question, reply: Reply, must_type: str) -> str:
        shown = "(given)" if question.kind is Kind.SECRET else reply.answer
        if question.kind is Kind.CONFIRM and reply.answer == "no":
            self._host.post(Answered(question.id, "no", reply.by))
            raise Stopped("You said no.", "Nothing was written because of this question.")
        if not question.fits(reply.answer, must_type):
            raise GateClosed(f"{question.id}: {question.misfit(must_type)}", "Nothing is written.")
        self._host.post(Answered(question.id, shown, reply.by))
        return reply.answer

    # --- the device's line ---------------------------------------------------------------

    @contextmanager
    def control(self) -> Iterator[ControlLine]:
        """The device's control line, traced and stoppable; closed on leaving."""
        with self._opening.line(lambda: self._host.open_control(self._host.device)) as line:
            yield line

    @contextmanager
    def hid(self, path: str = "") -> Iterator[HidLine]:
        """The device's HID line, or that of its node at `path`, as control()."""
        with self._opening.line(lambda: self._host.open(self._host.device, "hid", path)) as line:
            yield line

    @contextmanager
    def serial(self, path: str = "") -> Iterator[SerialLine]:
        """The device's serial line, or that of its node at `path`, as control()."""
        with self._opening.line(lambda: self._host.open(self._host.device, "serial", path)) as line:
            yield line

    @contextmanager
    def card(self, reader: str = "") -> Iterator[CardLine]:
        """The line to the device's card, or to the one in that reader, as control().

        On leaving, the card is locked again.
        """
        with self._opening.line(
            lambda: self._host.open(self._host.device, "card", reader), locks=True
        ) as line:
            yield line

    @property
    def neighbours(self) -> tuple[Device, ...]:
        """Every other device of this family that no run works on."""
        there = (device for device in self._host.present() if device.visit != self.device.visit)
        return tuple(device for device in there if self._host.mode_of(device))

    @contextmanager
    def second_card(self, device: Device) -> Iterator[CardLine]:
        """The line to the card of another device, held for this run to its end. Raises GateClosed.

        Who it is has to be confirmed by itself.
        """
        self._host.hold(device)
        with self._opening.line(lambda: self._host.open(device, "card"), locks=True) as line:
            yield line

    def _stop_line(self) -> bool:
        if self._tidying or self._in_one_way_stretch():
            return False
        return self._host.stop_asked()

    # --- reconnects ----------------------------------------------------------------------

    @contextmanager
    def expect(self, *modes: str, what: str) -> Iterator[Reconnect]:
        """Arm the wait for the device to be back in one of `modes`, before the act.

        `what` completes "Waiting for ...". The reconnect's wait() is called inside or after.
        """
        # A fresh look: what else is in its place now is evidence later.
        looked = self.seconds()
        self._host.look_again()
        ours = self.device
        left = ours if ours.visit else None
        expectation = Expectation(
            ours.port, modes, left, self._others(ours), self._unique, guest=self._host.guest
        )
        yield Reconnect(self, self._host, expectation, what, self._attendance, looked)

    def _others(self, ours: Device) -> tuple[Device, ...]:
        """What is elsewhere; once ours has gone, what was elsewhere while it was there."""
        here = self._host.present()
        self._attendance.note(here, self.seconds())
        is_here = any(d.visit == ours.visit for d in here)
        there = here if is_here else self._attendance.company(ours)
        return tuple(d for d in there if d.port != ours.port)

    def arrivals(self) -> Arrivals:
        """What comes on the bus from now on, and questions that it may answer."""
        self._host.look_again()
        return Arrivals(self, self._host)

    @contextmanager
    def touch(
        self, what: str, *, window: float = 0.0, since: str = "plug", safe: str = ""
    ) -> Iterator[None]:
        """The technician must touch the device while the block runs; `what` as in expect().

        `window` is the time the device gives, counted from its arrival (`since` "plug") or from
        now ("now"). The block ends when the device has answered.
        """
        acts = Acts.TOUCH
        started = WaitStarted(
            what, acts.who, (), 0.0, 0.0, safe, acts.value, window, since if window else ""
        )
        with self._wait(started):
            yield

    @contextmanager
    def busy(self, what: str, safe: str = "") -> Iterator[None]:
        """The device works while the block runs, for as long as it takes; `what` as in expect()."""
        with self._wait(WaitStarted(what, Acts.BUSY.who, safe=safe, acts=Acts.BUSY.value)):
            yield

    @contextmanager
    def _wait(self, started: WaitStarted) -> Iterator[None]:
        self._host.post(started)
        outcome = "did not answer"
        try:
            yield
            outcome = "answered"
        finally:
            self._host.post(WaitEnded(outcome))

    # --- artefacts -----------------------------------------------------------------------

    def keep(self, name: str, data: bytes, about: str) -> ArtefactKept:
        """Keep an artefact that may be exported."""
        kept = self._host.keep(name, data, "run")
        return self._posted(kept, about)

    def back_up(self, name: str, data: bytes, about: str) -> tuple[ArtefactKept, bytes]:
        """Keep raw bytes in the vault, and what the backup holds.

        The first backup of a broken-off repair stays the one, so that may differ from `data`.
        """
        first = self._host.first_backup(name)
        if first is not None:
            self.tell(f"The backup {first[0].name} of the earlier run stays the backup.")
            return first
        return self._posted(self._host.keep(name, data, "vault"), about), data

    def recorded(self, name: str = "", sha256: str = "") -> Recorded | None:
        """What the journals know of a raw backup, by its name in the vault or by its digest."""
        return self._host.recorded(name, sha256)

    def last_kept(self, beginning: str) -> bytes | None:
        """The newest artefact of an earlier run whose name begins so; of any device."""
        return self._host.last_kept(beginning)

    def discard(self, path: str) -> bool:
        """Remove a file that somebody sent to the inbox; False if it lies elsewhere."""
        return self._host.discard(path)

    def _posted(self, kept: ArtefactKept, about: str) -> ArtefactKept:
        kept = ArtefactKept(kept.name, kept.place, kept.sha256, kept.size, about)
        self._host.post(kept, durable=True)
        return kept
