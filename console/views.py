"""What a screen, a command or a report looks at: frozen views, and the pure folds that make them.

The rule: a view is made of records and nothing else, so the live screen, a screen that came
back, the report and a test see the same. If a screen needs an `if` about a device, a field is
missing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from console.events import (
    Answered,
    ArtefactKept,
    Asked,
    BenchStarted,
    BenchStopped,
    BusChanged,
    Damage,
    Device,
    DeviceChanged,
    DeviceJudged,
    DeviceLeft,
    DevicePlugged,
    DeviceUnplugged,
    Node,
    Noted,
    Reason,
    RunClosed,
    RunEnded,
    RunOpened,
    RunStarted,
    ScreenBack,
    ScreenLost,
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

LATELY = 40
"""How many past lines a bench view remembers."""


# --- one run ------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepView:
    """One line of the plan. `mark` is " " to come, "~" going on, "?" asks, "x" done, "!" failed."""

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
    """One line of a checklist for the technician's hands. `mark` is "x", "<" (now) or " "."""

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
        return self.damage == Damage.NOTHING or self.ended is not None

    @property
    def current(self) -> StepView | None:
        """The step that goes on, asks or failed last."""
        return next((step for step in reversed(self.steps) if step.mark in "~?!"), None)

    @property
    def done(self) -> int:
        return sum(step.mark == "x" for step in self.steps)

    @property
    def plan(self) -> tuple[StepView, ...]:
        """The steps as shown: the one that goes on, or else comes next, carries the question."""
        asking = self.current
        if asking is None or asking.mark != "~":
            asking = next((step for step in self.steps if step.mark == " "), None)
        if self.question is None or asking is None:
            return self.steps
        return tuple(replace(step, mark="?") if step is asking else step for step in self.steps)

    @property
    def checklist(self) -> tuple[Hand, ...]:
        """What the technician's hands do now. A device that left has been pulled or reset."""
        hands = self.wait.hands if self.wait else ()
        leaving = (at for at, text in enumerate(hands, start=1) if _makes_it_leave(text))
        done = next(leaving, 0) if self.left else 0
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
            view = _mark(view, event.step, mark="x", found=event.found, ended=record.at)
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
        case DeviceLeft(port):
            view = replace(view, left=True, came_mono=None)
            return _say(view, record, "judged", f"It left port {port}.")
        case DeviceJudged() as event:
            view = _say(view, record, "judged" if event.taken else "not taken", event.why)
            if event.taken:
                seen_as = (*view.seen_as, event.device)
                view = replace(view, device=event.device, port=event.device.port, seen_as=seen_as)
                view = _came(view, record.mono)
            return view
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


def _makes_it_leave(hand: str) -> bool:
    words = hand.lower()
    return any(word in words for word in ("pull", "unplug", "reset"))


def meanwhile(view: RunView, since: str, until: str) -> tuple[str, ...]:
    """What a run came to between two times, newest last."""
    steps = ((s.ended, f"{s.title}: {s.found or 'done'}") for s in view.steps if s.mark in "x!")
    said = ((said.at, said.sentence) for said in view.said)
    verdict = ((view.at, f"{view.verdict}."),) if view.verdict else ()
    happened = sorted(line for line in (*steps, *said, *verdict) if since <= line[0] <= until)
    return tuple(text for _, text in happened)


def _settled(step: StepView) -> StepView:
    return replace(step, mark="!") if step.mark in "~?" else step


def _say(view: RunView, record: Record, kind: str, sentence: str, advice: str = "") -> RunView:
    return replace(view, said=(*view.said, Said(record.at, kind, sentence, advice)))


# --- the bench ----------------------------------------------------------------------------


@dataclass(frozen=True)
class DeviceView:
    """One port of the bench: what is in it, or what was in it last."""

    port: str
    label: str
    vid: str
    pid: str
    serial: str
    product: str
    maker: str
    speed: str
    name: str
    shown: str
    mode: str
    families: tuple[str, ...]
    nodes: tuple[Node, ...]
    next: str
    since: str
    here: bool
    visit: str

    @property
    def may_open(self) -> bool:
        return all(node.may_open for node in self.nodes)


@dataclass(frozen=True)
class Lately:
    """One past line of the bench."""

    at: str
    port: str
    text: str


@dataclass(frozen=True)
class BenchView:
    """All of the bench. `troubles` maps a bus to its state in words; `runs` are the open ones."""

    started: str = ""
    at: str = ""
    practice: str = ""
    running: bool = False
    devices: tuple[DeviceView, ...] = ()
    runs: Mapping[str, RunOpened] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)
    lately: tuple[Lately, ...] = ()
    lost_at: str = ""
    away: tuple[str, str] = ("", "")

    @property
    def here(self) -> tuple[DeviceView, ...]:
        return tuple(device for device in self.devices if device.here)

    def at_port(self, port: str) -> DeviceView | None:
        return next((device for device in self.devices if device.port == port), None)


def bench_view(records: Iterable[Record]) -> BenchView:
    """The whole fold."""
    view = BenchView()
    for record in records:
        view = fold_bench(view, record)
    return view


def fold_bench(view: BenchView, record: Record) -> BenchView:
    """The view after one more record."""
    view = replace(view, at=record.at)
    match record.event:
        case BenchStarted() as event:
            return BenchView(
                record.at, record.at, event.practice, True, lately=view.lately, lost_at=view.lost_at
            )
        case BenchStopped():
            return replace(view, running=False)
        case DevicePlugged() as event:
            return _plugged(view, record, event)
        case DeviceUnplugged() as event:
            return _unplugged(view, record, event)
        case DeviceChanged() as event:
            return _changed(view, event.device)
        case BusChanged() as event:
            return replace(view, troubles={**view.troubles, event.bus: event.state})
        case RunOpened() as event:
            view = replace(view, runs={**view.runs, event.run: event})
            return _lately(view, record, event.port, f"run {event.run} began: {event.flow}")
        case RunClosed() as event:
            return _run_closed(view, record, event)
        case ScreenLost():
            return _lately(replace(view, lost_at=record.at), record, "", "a screen's line dropped")
        case ScreenBack() as event:
            return replace(view, lost_at="", away=(event.since, record.at))
        case Noted() as event:
            return _lately(view, record, "", f"note: {event.text}")
        case _:
            return view


def _plugged(view: BenchView, record: Record, event: DevicePlugged) -> BenchView:
    device = device_view(event, record.at)
    rest = tuple(other for other in view.devices if other.port != device.port)
    before = view.at_port(device.port)
    devices = tuple(sorted((*rest, device), key=lambda known: port_order(known.port)))
    verb = "came back" if before is not None and not before.here else "plugged in"
    shown = f" as {device.shown}" if device.shown else ""
    text = f"{device.name} {verb}{shown}"
    return _lately(replace(view, devices=devices), record, device.port, text)


def device_view(event: DevicePlugged, since: str) -> DeviceView:
    """The view of a device that has just been seen."""
    device = event.device
    return DeviceView(
        device.port,
        "",
        device.vid,
        device.pid,
        device.serial,
        device.product,
        device.maker,
        device.speed,
        event.name,
        event.shown,
        event.mode,
        event.families,
        device.nodes,
        event.next,
        since,
        True,
        device.visit,
    )


def _unplugged(view: BenchView, record: Record, event: DeviceUnplugged) -> BenchView:
    devices = tuple(
        replace(device, here=False, since=record.at, nodes=())
        if device.port == event.port and device.visit == event.visit
        else device
        for device in view.devices
    )
    text = f"{event.name or 'a device'} unplugged"
    return _lately(replace(view, devices=devices), record, event.port, text)


def _changed(view: BenchView, device: Device) -> BenchView:
    devices = tuple(
        replace(known, nodes=device.nodes, serial=device.serial, product=device.product)
        if known.visit == device.visit and known.port == device.port
        else known
        for known in view.devices
    )
    return replace(view, devices=devices)


def _run_closed(view: BenchView, record: Record, event: RunClosed) -> BenchView:
    opened = view.runs.get(event.run)
    runs = {run: known for run, known in view.runs.items() if run != event.run}
    port = opened.port if opened else ""
    text = f"run {event.run}: {event.verdict}. {event.sentence}"
    return _lately(replace(view, runs=runs), record, port, text)


def _lately(view: BenchView, record: Record, port: str, text: str) -> BenchView:
    return replace(view, lately=(*view.lately, Lately(record.at, port, text))[-LATELY:])


def port_order(port: str) -> tuple[int, ...]:
    """Ports in the order a person counts them: 1-2 before 1-10."""
    return tuple(int(part) for part in port.replace("-", ".").split(".") if part.isdigit())


@dataclass(frozen=True)
class Row:
    """One line of the bench's table. `mark` and `next` say the same as any colour does."""

    number: str
    port: str
    label: str
    name: str
    shown: str
    job: str
    mark: str
    next: str
    run: str
    here: bool


def rows(bench: BenchView, runs: Mapping[str, RunView]) -> tuple[Row, ...]:
    """The table of the bench: devices joined with the runs that are open on them."""
    by_port = {run.port: run for run in runs.values() if run.ended is None}
    return tuple(
        _row(number, device, by_port.get(device.port))
        for number, device in enumerate(bench.devices, start=1)
    )


def _row(number: int, device: DeviceView, run: RunView | None) -> Row:
    mark, what = _next(device, run)
    name = device.name if device.here else f"(empty since {clock_of(device.since)}: {device.name})"
    return Row(
        str(number) if number < 10 else "",
        device.port,
        device.label,
        name,
        device.shown if device.here else "away",
        run.job if run else "",
        mark,
        what,
        run.run if run else "",
        device.here,
    )


def _next(device: DeviceView, run: RunView | None) -> tuple[str, str]:
    if run is not None and run.question is not None:
        return "?", f"asks {run.question.id}"
    if run is not None and run.your_turn:
        return "!", "your hands"
    if run is not None:
        return "~", f"{run.flow.partition('.')[2]} {run.done + 1}/{len(run.steps)}"
    if not device.here:
        return ".", ""
    if not device.may_open:
        return "!", "not permitted"
    if not device.families:
        return "-", "not known"
    return "-", device.next


def clock_of(at: str, seconds: bool = False) -> str:
    """Hours and minutes (and seconds) of an ISO time, in the time zone of who looks at it."""
    if not at:
        return ""
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S" if seconds else "%H:%M")
