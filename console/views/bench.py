"""The view of the bench, its fold, and the rows of its table; made of records and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from console.events import (
    BenchStarted,
    BenchStopped,
    BusChanged,
    Card,
    DayTurned,
    DeviceAssigned,
    DeviceChanged,
    DevicePlugged,
    DeviceUnplugged,
    FileArrived,
    Introduction,
    JobOpened,
    Node,
    Noted,
    PortLabelled,
    PortMarked,
    RunClosed,
    RunOpened,
    ScreenBack,
    ScreenLost,
)
from console.journal import Record
from console.views.clock import clock_of
from console.views.run import RunView

LATELY = 40
"""How many past lines a bench view remembers."""


def closed(nodes: Iterable[Node], lines: Collection[str]) -> tuple[Node, ...]:
    """Those of the nodes that are needed, by their kinds, and may not be opened; () needs all."""
    needed = (node for node in nodes if not lines or node.kind in lines)
    return tuple(node for node in needed if not node.may_open)


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
    mark: str = ""
    job: str = ""
    cards: tuple[Card, ...] = ()
    begun: str = ""
    lines: tuple[str, ...] = ()

    @property
    def closed(self) -> tuple[Node, ...]:
        """The nodes that its flows need and that this user may not open."""
        return closed(self.nodes, self.lines)


@dataclass(frozen=True)
class Lately:
    """One past line of the bench."""

    at: str
    port: str
    text: str


@dataclass(frozen=True)
class BenchView:
    """All of the bench. `troubles` maps a bus to its state in words; `runs` are the open ones.

    `happened` counts every line that `lately` ever got; it only remembers the last ones.
    """

    started: str = ""
    at: str = ""
    practice: str = ""
    running: bool = False
    devices: tuple[DeviceView, ...] = ()
    runs: Mapping[str, RunOpened] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)
    lately: tuple[Lately, ...] = ()
    happened: int = 0
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
            past = BenchView(lately=view.lately, happened=view.happened, lost_at=view.lost_at)
            return replace(
                past, started=record.at, at=record.at, practice=event.practice, running=True
            )
        case DayTurned() as event:
            return _day_turned(view, record, event)
        case BenchStopped():
            return replace(view, running=False)
        case DevicePlugged() as event:
            return _plugged(view, record, event)
        case DeviceUnplugged() as event:
            return _unplugged(view, record, event)
        case DeviceChanged() as event:
            return _changed(view, record, event)
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
        case _:
            return _fold_said(view, record)


def _fold_said(view: BenchView, record: Record) -> BenchView:
    """What people said of the bench."""
    match record.event:
        case Noted() as event:
            return _lately(view, record, "", f"note: {event.text}")
        case PortLabelled(port, label):
            view = replace(view, devices=_with(view, port, label=label))
            text = f"port {port} is called {label}" if label else f"port {port} has no label now"
            return _lately(view, record, port, text)
        case PortMarked(port, mark):
            view = replace(view, devices=_with(view, port, mark=mark))
            return _lately(view, record, port, f"marked {mark}" if mark else "not hands off now")
        case _:
            return _fold_jobs(view, record)


def _fold_jobs(view: BenchView, record: Record) -> BenchView:
    match record.event:
        case JobOpened(job, customer):
            of = f" for {customer}" if customer else ""
            return _lately(view, record, "", f"job {job} opened{of}")
        case DeviceAssigned(port, job):
            view = replace(view, devices=_with(view, port, job=job))
            return _lately(view, record, port, f"belongs to {f'job {job}' if job else 'no job'}")
        case FileArrived(job, name, size):
            return _lately(view, record, "", f"file for job {job}: {name}, {size} bytes")
        case _:
            return view


def _with(view: BenchView, port: str, **said: str) -> tuple[DeviceView, ...]:
    return tuple(
        replace(known, **said) if known.port == port else known  # type: ignore[arg-type]  # by name
        for known in view.devices
    )


def _day_turned(view: BenchView, record: Record, event: DayTurned) -> BenchView:
    since = (*event.since, *([record.at] * len(event.here + event.away)))
    there = [device_view(seen, at) for seen, at in zip(event.here, since, strict=False)]
    gone = zip(event.away, since[len(event.here) :], strict=False)
    devices = there + [replace(device_view(seen, at), here=False, nodes=()) for seen, at in gone]
    return replace(
        view,
        started=view.started or record.at,
        practice=event.practice,
        running=True,
        devices=tuple(sorted(devices, key=lambda device: port_order(device.port))),
        runs={run.run: run for run in event.runs},
        troubles={trouble.bus: trouble.state for trouble in event.troubles},
    )


def _plugged(view: BenchView, record: Record, event: DevicePlugged) -> BenchView:
    device = device_view(event, record.at)
    rest = tuple(other for other in view.devices if other.port != device.port)
    before = view.at_port(device.port)
    devices = tuple(sorted((*rest, device), key=lambda known: port_order(known.port)))
    verb = "came back" if before is not None and not before.here else "plugged in"
    shown = f" as {device.shown}" if device.shown else ""
    text = f"{verb}{shown}: {device.name}"
    return _lately(replace(view, devices=devices), record, device.port, text)


def device_view(event: Introduction, since: str) -> DeviceView:
    """The view of a device that has just been seen."""
    device = event.device
    return DeviceView(
        device.port,
        event.label,
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
        event.mark,
        event.job,
        device.cards,
        event.begun,
        event.lines,
    )


def _unplugged(view: BenchView, record: Record, event: DeviceUnplugged) -> BenchView:
    devices = tuple(
        replace(device, here=False, since=record.at, nodes=())
        if device.port == event.port and device.visit == event.visit
        else device
        for device in view.devices
    )
    text = f"unplugged: {event.name or 'a device'}"
    return _lately(replace(view, devices=devices), record, event.port, text)


def _changed(view: BenchView, record: Record, event: DeviceChanged) -> BenchView:
    device = event.device
    known = view.at_port(device.port)
    if known is None or known.visit != device.visit:
        return view
    if event.name:
        now = replace(device_view(event, known.since), here=known.here)
    else:
        now = replace(known, nodes=device.nodes, serial=device.serial, product=device.product)
        now = replace(now, cards=device.cards)
    devices = tuple(now if other is known else other for other in view.devices)
    view = replace(view, devices=devices)
    before, after = (_inserted(seen.cards) for seen in (known, now))
    if after - before:
        return _lately(view, record, device.port, f"card in: {now.name}")
    return _lately(view, record, device.port, "card out") if before - after else view


def _inserted(cards: tuple[Card, ...]) -> set[tuple[str, int]]:
    """Which cards are in: the same one put in again is another."""
    return {(card.reader, card.inserted) for card in cards if card.atr}


def _run_closed(view: BenchView, record: Record, event: RunClosed) -> BenchView:
    opened = view.runs.get(event.run)
    runs = {run: known for run, known in view.runs.items() if run != event.run}
    port = opened.port if opened else ""
    text = f"run {event.run}: {event.verdict}. {event.sentence}"
    return _lately(replace(view, runs=runs), record, port, text)


def _lately(view: BenchView, record: Record, port: str, text: str) -> BenchView:
    lately = (*view.lately, Lately(record.at, port, text))[-LATELY:]
    return replace(view, lately=lately, happened=view.happened + 1)


def port_order(port: str) -> tuple[int, ...]:
    """Ports in the order a person counts them: 1-2 before 1-10."""
    return tuple(int(part) for part in port.replace("-", ".").split(".") if part.isdecimal())


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
    """The table of the bench: devices joined with the runs that are open on them.

    A run whose device is not shown (yet) has a line of its own, the last.
    """
    by_port = {run.port: run for run in runs.values() if run.run and run.ended is None}
    table = tuple(
        _row(number, device, by_port.pop(device.port, None))
        for number, device in enumerate(bench.devices, start=1)
    )
    absent = enumerate(by_port.values(), start=len(table) + 1)
    return (*table, *(_absent_row(number, run) for number, run in absent))


def matching(table: Iterable[Row], bench: BenchView, words: str) -> tuple[Row, ...]:
    """The rows that have every one of the words in their port, label, device, serial or job."""
    wanted = words.casefold().split()
    told = ((row, _told(row, bench.at_port(row.port))) for row in table)
    return tuple(row for row, text in told if all(word in text for word in wanted))


def _told(row: Row, device: DeviceView | None) -> str:
    facts = [row.port, row.label, row.name, row.job]
    if device is not None:
        facts += [device.serial, device.maker, device.product, f"{device.vid}:{device.pid}"]
    return "\n".join(facts).casefold()


def _absent_row(number: int, run: RunView) -> Row:
    mark, what = _next_of_run(run)
    shown = str(number) if number < 10 else ""
    return Row(shown, run.port, "", run.name, "not shown", run.job, mark, what, run.run, False)


def _row(number: int, device: DeviceView, run: RunView | None) -> Row:
    mark, what = _next(device, run)
    name = device.name if device.here else f"(empty since {clock_of(device.since)}: {device.name})"
    own = "m" if device.mark and device.here else ""
    return Row(
        own or (str(number) if number < 10 else ""),
        device.port,
        device.label,
        name,
        device.shown if device.here else "away",
        (run.job if run else "") or device.job,
        mark,
        what,
        run.run if run else "",
        device.here,
    )


def _next(device: DeviceView, run: RunView | None) -> tuple[str, str]:
    if run is not None:
        return _next_of_run(run)
    if not device.here:
        return ("!", "finish it") if device.begun else (".", "")
    if device.mark:
        return "-", device.mark
    if device.closed:
        return "!", "no access"
    if device.begun:
        return "!", "finish it"
    if not device.families:
        return "-", "not known"
    return "-", device.next


def _next_of_run(run: RunView) -> tuple[str, str]:
    if run.question is not None:
        return "?", f"asks {run.question.id}"
    if run.your_turn:
        return "!", "your hands"
    at = min(run.done + 1, len(run.steps))
    return "~", f"{run.flow.partition('.')[2]} {at}/{len(run.steps)}"
