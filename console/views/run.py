"""The view of one run and its fold; the rule: made of records and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from console.events import (
    Answered,
    ArtefactKept,
    Asked,
    Damage,
    Device,
    DeviceJudged,
    DeviceLeft,
    Noted,
    Reason,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
    StopAsked,
    Told,
    Unknown,
    WaitEnded,
    WaitStarted,
    Warned,
)
from console.journal import Record

LEFT_OUT = "left out"
"""What is said of a step that the run went past."""
NOT_DONE = "not done"
"""What is said of a step that the run ended before."""


@dataclass(frozen=True)
class StepView:
    """One line of the plan.

    `mark` is " " to come, "~" going on, "?" asks, "x" done, "!" failed, "-" not done: left out,
    not needed, or never begun.
    """

    id: str
    title: str
    usual: str
    mark: str = " "
    found: str = ""
    began: str = ""
    began_mono: float = 0.0
    ended: str = ""


@dataclass(frozen=True)
class QuestionView:
    """The open question. It may be answered by anybody who looks at the run."""

    id: str
    kind: str
    text: str
    optional: bool
    must_type: str
    choices: tuple[str, ...]
    number: int
    hint: str = ""
    twice: bool = False


@dataclass(frozen=True)
class WaitView:
    """The open wait: what for, who acts how, and since when on the monotonic clock.

    `window` is the time the device gives, `window_since` when that began (None: not yet).
    """

    what: str
    who: str
    hands: tuple[str, ...]
    usual: float
    limit: float
    safe: str
    since: str
    since_mono: float
    acts: str = ""
    window: float = 0.0
    window_since: float | None = None

    def left(self, now: float) -> float | None:
        """Seconds that the device still gives (at monotonic `now`); None while none are counted."""
        if self.window_since is None:
            return None
        return max(0.0, self.window_since + self.window - now)


@dataclass(frozen=True)
class Said:
    """One sentence of the run with its time.

    `kind` is told, warned, failed, judged, not taken or noted.
    """

    at: str
    kind: str
    sentence: str
    advice: str = ""

    @property
    def mark(self) -> str:
        """ "!" for what a technician must not miss; the same as any colour says."""
        return "!" if self.kind in ("warned", "failed", "not taken") else " "


@dataclass(frozen=True)
class Hand:
    """One line for the technician's hands. `mark` is "x" done, "<" now, " " later, or a number
    where the bus cannot show what hands did."""

    text: str
    mark: str


@dataclass(frozen=True)
class RunView:
    """All of one run. `state` is running, waiting, ended or interrupted; `at` the last event."""

    run: str = ""
    flow: str = ""
    title: str = ""
    name: str = ""
    port: str = ""
    job: str = ""
    practice: str = ""
    continues: str = ""
    version: str = ""
    by: str = ""
    device: Device | None = None
    seen_as: tuple[Device, ...] = ()
    started: str = ""
    at: str = ""
    boot: str = ""
    steps: tuple[StepView, ...] = ()
    question: QuestionView | None = None
    wait: WaitView | None = None
    damage: str = Damage.NOTHING.value
    safe: str = "Nothing is written. You can still pull it."
    stop_at: str = ""
    committed: bool = False
    stopping: bool = False
    left: bool = False
    came_mono: float | None = None
    said: tuple[Said, ...] = ()
    artefacts: tuple[ArtefactKept, ...] = ()
    answers: tuple[Answered, ...] = ()
    ended: RunEnded | None = None
    unknown: int = 0

    @property
    def state(self) -> str:
        if self.ended is not None:
            interrupted = self.ended.reason == Reason.INTERRUPTED
            return "interrupted" if interrupted else "ended"
        return "waiting" if self.your_turn else "running"

    @property
    def verdict(self) -> str:
        return self.ended.verdict if self.ended else ""

    @property
    def your_turn(self) -> bool:
        """Is it a person who must act now?"""
        if self.ended is not None:
            return False
        return self.question is not None or (self.wait is not None and self.wait.who == "you")

    @property
    def may_pull(self) -> bool:
        """Does pulling the device now cost nothing?"""
        return self.damage in (Damage.NOTHING, Damage.WRITTEN) or self.ended is not None

    @property
    def may_stop_now(self) -> bool:
        """Does a stop take effect before anything more is written?"""
        return self.may_pull or not self.stop_at

    @property
    def current(self) -> StepView | None:
        """The step that goes on, asks or failed last."""
        open_steps = (step for step in reversed(self.steps) if step.mark in "~?!")
        return max(open_steps, key=lambda step: (step.mark != "!", step.began_mono), default=None)

    @property
    def done(self) -> int:
        """How many steps are behind us."""
        return sum(step.mark in ("x", "-") for step in self.steps)

    @property
    def plan(self) -> tuple[StepView, ...]:
        """The steps as shown: "?" on the one that a question holds up, "-" on those not done."""
        last = max((at for at, step in enumerate(self.steps) if step.mark != " "), default=-1)
        going = self.current
        # A step that failed last is asked about: is it done again?
        holds = going is not None and (going.mark == "~" or going == self.steps[last])
        held = going.id if going is not None and holds else self._id_after(last)
        asking = held if self.question is not None and last >= 0 else ""
        return tuple(
            replace(step, mark="?") if step.id == asking else self._told(step, passed=at < last)
            for at, step in enumerate(self.steps)
        )

    def _told(self, step: StepView, passed: bool) -> StepView:
        """A step that never began says so once it will not: its device may well have needed it."""
        if step.mark != " " or not (passed or self.ended):
            return step
        return replace(step, mark="-", found=LEFT_OUT if passed else NOT_DONE)

    def _id_after(self, at: int) -> str:
        return self.steps[at + 1].id if at + 1 < len(self.steps) else ""

    @property
    def checklist(self) -> tuple[Hand, ...]:
        """What the technician's hands do now; ticked as far as the bus shows what they did."""
        hands = self.wait.hands if self.wait else ()
        pulls = [at for at, text in enumerate(hands) if _is_a_pull(text)]
        if not pulls:
            return tuple(Hand(text, str(at)) for at, text in enumerate(hands, start=1))
        done = pulls[0] + 1 if self.left else 0
        marks = ("x" if at < done else "<" if at == done else " " for at in range(len(hands)))
        return tuple(Hand(text, mark) for text, mark in zip(hands, marks, strict=True))

    @property
    def turn(self) -> str:
        """Differs for every time it becomes the technician's turn; "" while it is not."""
        if self.question is not None:
            return f"question {self.question.number}"
        if self.wait is not None and self.your_turn:
            return f"wait {self.wait.since}"
        return self.verdict


def run_view(records: Iterable[Record]) -> RunView:
    """The whole fold."""
    view = RunView()
    for record in records:
        view = fold_run(view, record)
    return view


def fold_run(view: RunView, record: Record) -> RunView:
    """The view after one more record."""
    view = replace(view, at=record.at, boot=record.boot)
    match record.event:
        case RunStarted() as event:
            return _started(view, record, event)
        case StepStarted() as event:
            return _step_started(view, record, event)
        case StepDone() as event:
            mark = "-" if event.left_out else "x"
            view = _mark(view, event.step, mark=mark, found=event.found, ended=record.at)
            return replace(view, question=None)
        case StepFailed() as event:
            view = _mark(view, event.step, mark="!", found=event.sentence, ended=record.at)
            return _say(view, record, "failed", event.sentence, event.advice)
        case RunEnded() as event:
            steps = tuple(_settled(step) for step in view.steps)
            return replace(view, ended=event, question=None, wait=None, steps=steps)
        case _:
            return _fold_dialogue(view, record)


def _fold_dialogue(view: RunView, record: Record) -> RunView:
    match record.event:
        case Asked() as event if event.waits:
            asked = QuestionView(
                event.question,
                event.kind,
                event.text,
                event.optional,
                event.must_type,
                event.choices,
                record.number,
                event.hint,
                event.twice,
            )
            return replace(view, question=asked)
        case Answered() as event:
            job = event.answer if event.question == "job" else view.job
            job = view.job if job == "not checked" else job
            return replace(view, question=None, job=job, answers=(*view.answers, event))
        case WaitStarted() as event:
            wait = WaitView(
                event.what,
                event.who,
                event.hands,
                event.usual,
                event.limit,
                event.safe,
                record.at,
                record.mono,
                event.acts,
                event.window,
                _window_since(view, record, event),
            )
            return replace(view, wait=wait, left=False)
        case WaitEnded():
            return replace(view, wait=None)
        case ArtefactKept() as event:
            return replace(view, artefacts=(*view.artefacts, event))
        case StopAsked():
            return replace(view, stopping=True)
        case _:
            return _fold_said(view, record)


def _fold_said(view: RunView, record: Record) -> RunView:
    match record.event:
        case Told(sentence, advice):
            return _say(view, record, "told", sentence, advice)
        case Warned(sentence, advice):
            return _say(view, record, "warned", sentence, advice)
        case Noted(text, by):
            return _say(view, record, "noted", f"{by}: {text}" if by else text)
        case DeviceLeft(port, card):
            left = replace(view, left=True, came_mono=None)
            words = f"The card left {card}." if card else f"It left port {port}."
            return _say(left, record, "judged", words) if port else left
        case DeviceJudged() as event:
            view = _say(view, record, "judged" if event.taken else "not taken", event.why)
            since = event.since or record.mono
            return _came(_taken(view, event.device), since) if event.taken else view
        case Unknown():
            return replace(view, unknown=view.unknown + 1)
        case _:
            return view


def _window_since(view: RunView, record: Record, event: WaitStarted) -> float | None:
    """When the device began to count: with its arrival, if that was seen, or with the wait."""
    if not event.window:
        return None
    if event.window_from == "now" or event.acts == "touch":
        came = view.came_mono if event.window_from == "plug" else None
        return record.mono if came is None else came
    return None


def _came(view: RunView, mono: float) -> RunView:
    """The device's own arrival starts what it counts, whoever is still to be told of it."""
    wait = view.wait
    if wait is None:
        return view
    if wait.window and wait.window_since is None:
        wait = replace(wait, window_since=mono)
    return replace(view, wait=wait, came_mono=mono)


def _taken(view: RunView, device: Device) -> RunView:
    was_shown = view.device is not None and bool(view.device.visit)
    name = view.name if was_shown else f"{device.product}  {device.serial}".strip()
    seen_as = (*view.seen_as, device)
    return replace(view, device=device, port=device.port, name=name, seen_as=seen_as)


def _started(view: RunView, record: Record, event: RunStarted) -> RunView:
    return replace(
        view,
        run=event.run,
        flow=event.flow,
        title=event.title,
        name=event.name,
        port=event.device.port,
        job=event.job,
        practice=event.practice,
        continues=event.continues,
        version=event.version,
        by=event.by,
        device=event.device,
        seen_as=(event.device,),
        started=record.at,
        steps=tuple(StepView(step.id, step.title, step.usual) for step in event.plan),
    )


def _step_started(view: RunView, record: Record, event: StepStarted) -> RunView:
    view = _mark(
        view,
        event.step,
        mark="~",
        found="" if event.attempt == 1 else f"attempt {event.attempt}",
        began=record.at,
        began_mono=record.mono,
    )
    return replace(
        view,
        damage=event.damage,
        safe=event.safe,
        stop_at=event.stop_at,
        committed=view.committed or not event.undoable,
    )


def _mark(view: RunView, step: str, **changes: str | float) -> RunView:
    steps = tuple(
        replace(known, **changes) if known.id == step else known  # type: ignore[arg-type]  # checked by name
        for known in view.steps
    )
    return replace(view, steps=steps)


def _is_a_pull(hand: str) -> bool:
    return any(words in hand.lower() for words in ("pull", "unplug", "take the card out"))


def meanwhile(view: RunView, since: str, until: str) -> tuple[str, ...]:
    """What a run came to between two times, newest last."""
    steps = ((s.ended, f"{s.title}: {s.found or 'done'}") for s in view.steps if s.mark in "x-!")
    said = ((said.at, said.sentence) for said in view.said)
    verdict = ((view.at, f"{view.verdict}."),) if view.verdict else ()
    happened = [line for line in (*steps, *said, *verdict) if since <= line[0] <= until]
    return tuple(text for _, text in sorted(happened, key=lambda line: line[0]))


def _settled(step: StepView) -> StepView:
    return replace(step, mark="!") if step.mark in "~?" else step


def _say(view: RunView, record: Record, kind: str, sentence: str, advice: str = "") -> RunView:
    return replace(view, said=(*view.said, Said(record.at, kind, sentence, advice)))
