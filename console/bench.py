"""Devices, runs and answers: the one owner of state.

The rule: one thread owns it all and writes every journal. Others hand work to it with do();
runs have a thread each and touch nothing here but through it. Who listens must not block.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from console import __version__
from console.cards import card, flow_named, introduce, pick_device, pick_flow
from console.clock import Clock
from console.desk import Desk
from console.errors import (
    BadUsage,
    ConsoleError,
    GateClosed,
    NoSuchDevice,
    RecordError,
    TornJournal,
)
from console.events import (
    BenchStarted,
    BenchStopped,
    BusChanged,
    DayTurned,
    Device,
    DeviceChanged,
    DeviceUnplugged,
    Event,
    Noted,
    RunClosed,
    RunEnded,
    RunOpened,
    RunStarted,
    ScreenBack,
    ScreenLost,
    StopAsked,
)
from console.families import Family
from console.hardware.bus import Bus
from console.hardware.changes import changes
from console.history import close_interrupted, predecessor
from console.host import Reply
from console.jobs import must_be_job
from console.journal import Journal
from console.offers import DeviceCard
from console.owner import Owner, OwnerGone
from console.ports import PORT
from console.run import Request, Run, check_answers
from console.state import State, give_back, set_aside, storing
from console.views import BenchView, RunView, fold_bench, fold_run

T = TypeVar("T")

LONGEST_LOOK = 10.0
"""Seconds after which who asked for a look goes on without it."""
_LAST_LOOK = threading.Event()

Listener = Callable[[dict[str, Any]], None]
"""Told of what passes, from the owner thread: journals that grew, progress."""


@dataclass
class Live:
    """A run that goes on: the run, its journal, the view of it, and what else it holds."""

    run: Run
    journal: Journal
    view: RunView
    held: tuple[str, ...] = ()


class Bench:
    """See the module. Public methods may be called from any thread unless they say otherwise."""

    def __init__(self, state: State, bus: Bus, clock: Clock, families: tuple[Family, ...]) -> None:
        self.state = state
        self.bus = bus
        self.clock = clock
        self.families = families
        self._looks: queue.Queue[threading.Event | None] = queue.Queue()
        self._owner = Owner()
        self._devices: tuple[Device, ...] = ()
        self._gone: dict[str, Device] = {}
        self._live: dict[str, Live] = {}
        self._listeners: list[Listener] = []
        self._journal: Journal | None = None
        self._day = ""
        self._view = BenchView()
        self.desk = Desk(self)

    # --- the owner thread ----------------------------------------------------------------

    def start(self) -> None:
        """Close what an earlier bench left open, then begin to look. Raises RecordError."""
        interrupted = close_interrupted(self.state, self.clock)
        self._open_day()
        for run, ended in interrupted:
            self.log(RunClosed(run, "interrupted", ended.sentence))
        try:
            self.desk.open()
        except RecordError as error:
            self.log(BusChanged("ports", f"{error.sentence} {error.advice}"))
        self.desk.remember()
        self._owner.start()
        threading.Thread(target=self._look, name="eyes", daemon=True).start()
        self.bus.watch(lambda _devices, _trouble: self._looks.put(None))
        self.look_again()

    def stop(self, reason: str) -> None:
        """End the bench; runs that go on are left as they are (they end as interrupted)."""
        self.bus.close()
        self._looks.put(_LAST_LOOK)
        self.do(lambda: self._close_day(reason))
        self._owner.let_go()

    def _close_day(self, reason: str) -> None:
        self.log(BenchStopped(reason))
        if self._journal is not None:
            self._journal.close()

    def do(self, work: Callable[[], T]) -> T:
        """Have the owner thread do it, and wait for what comes of it."""
        return self._owner.do(work)

    # --- journals (owner thread) ---------------------------------------------------------

    def _open_day(self) -> None:
        today = self._today()
        opened = self._journal_of(today)
        turned = self._journal is not None
        if self._journal is not None:
            self._journal.close()
        self._day, self._journal = today, opened
        if turned:
            self._write(self._day_turned())
        else:
            self._write(BenchStarted(__version__, os.getpid(), self.state.practice))

    def _today(self) -> str:
        return self.clock.wall().astimezone().date().isoformat()

    def _journal_of(self, day: str) -> Journal:
        """The day's journal; one that was changed is left as it is, and another is begun."""
        for name in (day, *(f"{day}-{number}" for number in range(2, 10))):
            path = self.state.days / f"{name}.jsonl"
            try:
                return Journal(path, self.clock)
            except TornJournal as error:
                if not path.is_file():
                    raise
                print(error.sentence, file=sys.stderr, flush=True)  # noqa: T201 - the bench's log
        raise TornJournal(f"No journal of {day} can be read or begun.")

    def _day_turned(self) -> DayTurned:
        runs = (live.view for live in self._live.values())
        here = tuple(map(self.desk.introduce, self._devices))
        away = tuple(map(self.desk.introduce, self._gone.values()))
        known = {device.port: device.since for device in self._view.devices}
        return DayTurned(
            __version__,
            os.getpid(),
            self.state.practice,
            here,
            away,
            tuple(known.get(seen.device.port, "") for seen in (*here, *away)),
            tuple(RunOpened(view.run, view.flow, view.port, view.job) for view in runs),
            tuple(BusChanged(bus, state) for bus, state in self._view.troubles.items()),
        )

    def log(self, event: Event) -> None:
        """Write into the day's journal (owner thread)."""
        if self._today() != self._day:
            try:
                self._open_day()
            except RecordError as error:
                # It goes on in the journal of the day before, and tries again.
                self._tell({"trouble": error.sentence, "advice": error.advice})
        self._write(event)

    def _write(self, event: Event) -> None:
        assert self._journal is not None
        try:
            self._view = fold_bench(self._view, self._journal.append(event))
        except RecordError as error:
            # The day's journal is worth less than a run that goes on: say it and carry on.
            self._tell({"trouble": error.sentence, "advice": error.advice})
            return
        self._tell({"grew": str(self._journal.path), "to": self._journal.size})

    def record(self, run: str, event: Event, durable: bool) -> None:
        """Write an event of a run; on disk when it returns."""
        self.do(lambda: self._record(run, event, durable))

    def _record(self, run: str, event: Event, durable: bool) -> None:
        live = self._live[run]
        before, live.view = live.view, fold_run(live.view, live.journal.append(event, durable))
        if live.view.job != before.job:
            self.desk.open_named(live.view.job, live.view.by)
        self._tell({"grew": str(live.journal.path), "to": live.journal.size, "run": run})

    def tell_progress(self, run: str, what: str, done: int, total: int) -> None:
        """Pass on progress without waiting for anybody."""
        message = {"progress": run, "what": what, "done": done, "total": total}
        self._owner.soon(lambda: self._tell(message))

    def _tell(self, message: dict[str, Any]) -> None:
        for listener in tuple(self._listeners):
            listener(message)

    # --- who listens ---------------------------------------------------------------------

    def listen(self, listener: Listener) -> str:
        """Tell it from now on; the path of today's journal."""
        self.do(lambda: self._listeners.append(listener))
        return self.journal_path

    @property
    def journal_path(self) -> str:
        """The journal that is written now."""
        assert self._journal is not None
        return str(self._journal.path)

    def unlisten(self, listener: Listener) -> None:
        self.do(lambda: self._listeners.remove(listener) if listener in self._listeners else None)

    def screen_came(self, screen: str) -> None:
        """A screen looks at the bench; if one was lost before, this is noted."""

        def came() -> None:
            if self._view.lost_at:
                self.log(ScreenBack(screen, self._view.lost_at))

        self.do(came)

    def screen_lost(self, screen: str) -> None:
        """A screen's connection broke without a goodbye."""
        self.do(lambda: self.log(ScreenLost(screen)))

    # --- devices -------------------------------------------------------------------------

    def present(self, *, and_gone: bool = False) -> tuple[Device, ...]:
        """Every device that is there now, or the last of its port."""
        return (*self._devices, *self._gone.values()) if and_gone else self._devices

    def ports_of_others(self, run: str) -> frozenset[str]:
        """The ports that other runs than this one work on, and those marked hands off."""
        return self.do(lambda: self._ports_of_others(run))

    def _ports_of_others(self, run: str) -> frozenset[str]:
        theirs = (live for other, live in self._live.items() if other != run)
        return self.desk.marked_ports().union(*({it.view.port, *it.held} for it in theirs))

    def hold(self, run: str, device: Device) -> None:
        """A second device is that run's until it ends. Raises GateClosed."""
        self.do(lambda: self._hold(self._live[run], device))

    def _hold(self, live: Live, device: Device) -> None:
        if device.port not in live.held:
            self.desk.must_be_ours(device)
            self.must_be_free(device.port)
            live.held += (device.port,)

    def look_again(self) -> None:
        """Have the bus scanned; returns when what was missed is settled."""
        seen = threading.Event()
        self._looks.put(seen)
        seen.wait(LONGEST_LOOK)

    def _look(self) -> None:
        """The eyes: one thread scans, so that an older look can never settle after a newer one."""
        with suppress(OwnerGone):
            while (wanted := self._looks.get()) is not _LAST_LOOK:
                self._look_once(wanted)

    def _look_once(self, wanted: threading.Event | None) -> None:
        try:
            devices = self.bus.scan()
            troubles = {"usb": self.bus.state(), "pcsc": self.bus.card_state()}
        except ConsoleError as error:
            # What was seen last may still be there; only the bus does not say so.
            devices, troubles = self._devices, {"usb": error.sentence}
        self.do(partial(self._settle_devices, devices, troubles))
        if wanted is not None:
            wanted.set()

    def _settle_devices(self, devices: tuple[Device, ...], troubles: Mapping[str, str]) -> None:
        found = changes(self._devices, devices)
        for bus, state in troubles.items():
            if state != self._view.troubles.get(bus, ""):
                self.log(BusChanged(bus, state))
        self._devices = devices
        for device in found.left:
            self._gone[device.port] = device
            name = introduce(device, self.families).name
            self.log(DeviceUnplugged(device.port, device.visit, name))
        for device in found.came:
            self._gone.pop(device.port, None)
            self.log(self.desk.introduce(device))
        for device in found.changed:
            self.log(DeviceChanged(**vars(self.desk.introduce(device))))
        self.desk.look_at_inboxes()
        if found.any:
            for live in self._live.values():
                live.run.bus_changed()

    def view(self) -> BenchView:
        """The bench as it is now, after a fresh look."""
        self.look_again()
        return self.do(lambda: self._view)

    def describe(self, words: str) -> DeviceCard:
        """The card of one device. Raises NoSuchDevice."""
        self.look_again()
        return self.do(lambda: card(self._pick(words), self.families, self.desk.book))

    def _pick(self, words: str) -> Device:
        try:
            return pick_device(words, self._devices, self.desk.book)
        except NoSuchDevice:
            port = self.desk.book.port_named(words)
            if port in self._gone:
                return self._gone[port]
            raise

    # --- runs ----------------------------------------------------------------------------

    def runs(self) -> Mapping[str, RunView]:
        """The runs that go on now."""
        return self.do(lambda: {run: live.view for run, live in self._live.items()})

    def open_run(self, request: Request) -> str:
        """Start a run; its id. Raises NoSuchDevice, NoSuchFlow, BadUsage, GateClosed, NoRoom."""
        self.look_again()
        return self.do(lambda: self._open_run(request))

    def _open_run(self, request: Request) -> str:
        if request.not_shown:
            device = Device(self._port_of(request.device), "", "", "")
            family, flow = flow_named(request.flow, self.families)
        else:
            device = self._pick(request.device)
            self.desk.must_be_ours(device)
            family, flow = pick_flow(request.flow, device, self.families)
        check_answers(request, flow)
        request = replace(request, job=self.desk.job_for(request, device))
        self.must_be_free(device.port)
        before = predecessor(self.state, family.name, device, unit=family.unit)
        run = self._new_run_folder()
        performed = Run(run, request, family, flow, device, self)
        journal = Journal(self.state.journal(run), self.clock, self.state.reserve(run))
        self._live[run] = Live(performed, journal, RunView())
        started = self._started(run, performed, before.run if before else "")
        try:
            self._record(run, started, True)
        except RecordError:
            self._let_go(run)
            raise
        self.log(RunOpened(run, started.flow, device.port, request.job))
        performed.start()
        return run

    def _port_of(self, words: str) -> str:
        """The port (path or label) at which something is not shown; "" for none in particular."""
        port = self.desk.book.port_named(words)
        if port and not PORT.fullmatch(port):
            raise BadUsage(f"There is no port {port} here.", "Name its path (1-1.4) or its label.")
        for known in self._devices:
            if known.port == port:
                self.desk.must_be_ours(known)
        return port

    def must_be_free(self, port: str) -> None:
        """Raises GateClosed if a run goes on on that port (owner thread)."""
        for live in self._live.values():
            if port in (live.view.port, *live.held):
                where = f"port {port}" if port else "a device that is not shown"
                raise GateClosed(
                    f"Run {live.view.run} is going on on {where}.",
                    f"See it: replug attach {live.view.run}",
                )

    def _new_run_folder(self) -> str:
        last = self.state.run_ids()[-1:] or ("0",)
        run = str(int(last[0]) + 1)
        with storing(self.state.root):
            self.state.run(run).mkdir(mode=0o700, parents=True)
        try:
            set_aside(self.state.reserve(run))
        except RecordError:
            give_back(self.state.reserve(run))
            self.state.run(run).rmdir()
            raise
        return run

    def _started(self, run: str, performed: Run, continues: str) -> RunStarted:
        family, flow, request = performed.family, performed.flow, performed.request
        return RunStarted(
            run,
            f"{family.name}.{flow.name}",
            flow.title,
            performed.device,
            introduce(performed.device, self.families).name,
            flow.planned(),
            __version__,
            request.job,
            self.state.practice,
            continues,
            request.by,
        )

    def answer(self, run: str, question: str, answer: str, by: str) -> None:
        """Answer the open question of a run. Raises BadUsage if it is not open."""

        def give() -> None:
            live = self._live_run(run)
            asked = live.view.question
            if asked is None or asked.id != question:
                raise BadUsage(f"Run {run} does not ask {question} now.", "Look at it again.")
            if question == "job" and answer:
                must_be_job(answer)
            live.run.reply(Reply(question, answer, by))

        self.do(give)

    def stop_run(self, run: str, by: str) -> str:
        """Ask a run to stop at its next safe point; says where that is."""

        def ask() -> str:
            live = self._live_run(run)
            self._record(run, StopAsked(by), False)
            live.run.ask_stop()
            return live.view.stop_at

        return self.do(ask)

    def note(self, run: str, text: str, by: str) -> None:
        """Write a note into a run's journal, ended or not, or into the day's if `run` is empty."""

        def write() -> None:
            if run in self._live:
                self._record(run, Noted(text, by), False)
            elif run:
                self._note_later(run, Noted(text, by))
            else:
                self.log(Noted(text, by))

        self.do(write)

    def _note_later(self, run: str, noted: Noted) -> None:
        if run not in self.state.run_ids():
            raise BadUsage(f"There is no run {run} here.", "See the runs: replug runs")
        journal = Journal(self.state.journal(run), self.clock)
        try:
            journal.append(noted, durable=True)
        finally:
            journal.close()
        self._tell({"grew": str(journal.path), "to": journal.size, "run": run})

    def _live_run(self, run: str) -> Live:
        if run not in self._live:
            raise BadUsage(f"Run {run} is not going on.", "See the runs: replug runs")
        return self._live[run]

    def ended(self, run: str, ended: RunEnded) -> None:
        """A run came to its end (called by its thread)."""
        self.do(lambda: self._ended(run, ended))

    def _ended(self, run: str, ended: RunEnded) -> None:
        try:
            self._record(run, ended, True)
        except ConsoleError as error:
            print(f"run {run}: {error.sentence}", file=sys.stderr, flush=True)  # noqa: T201 - its log
        view = self._live[run].view
        self._let_go(run)
        self.log(RunClosed(run, ended.verdict, ended.sentence))
        self.desk.run_ended(view)
        self._tell({"ended": run})

    def _let_go(self, run: str) -> None:
        live = self._live.pop(run)
        ports = {live.view.port, *live.held}
        visits = {device.visit for device in self._devices if device.port in ports}
        for other in self._live.values():
            # It may not have looked since they came, and would find them nobody's.
            other.run.not_ours(visits)
        live.journal.close()
        give_back(self.state.reserve(run))
        for answer in live.run.request.answers.values():
            self.state.drop_spooled(answer)
