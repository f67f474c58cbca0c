"""What people say of the bench, and where it is written: labels, hands-off marks, jobs.

The rule: it is the bench's own, so everything here is done by the bench's owner thread (do());
what is said of a port is kept in its file before the day's journal tells of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from console.cards import introduce, name_of_unit, pick_device, unit_of
from console.clock import Clock
from console.errors import GateClosed, NoSuchDevice, RecordError
from console.events import (
    BusChanged,
    Device,
    DeviceAssigned,
    DeviceChanged,
    DevicePlugged,
    Event,
    FileArrived,
    JobOpened,
    Noted,
    PortLabelled,
    PortMarked,
)
from console.families import Family
from console.history import begun, left_by
from console.jobs import arrivals, job_of, must_be_job
from console.journal import Journal
from console.ports import HANDS_OFF, NOTHING_SAID, PortBook, place, read_ports, write_ports
from console.state import State, private_folder, storing
from console.views import RunView

if TYPE_CHECKING:
    from console.run import Request

T = TypeVar("T")

REMEMBERED = 200
"""How many runs are looked through when a bench starts: what is older is said by no row."""


class Room(Protocol):
    """What the desk needs of the bench it stands in."""

    state: State
    clock: Clock
    families: tuple[Family, ...]

    def do(self, work: Callable[[], T]) -> T: ...

    def log(self, event: Event) -> None: ...

    def present(self, *, and_gone: bool = False) -> tuple[Device, ...]: ...

    def look_again(self) -> None: ...

    def must_be_free(self, port: str) -> None: ...


class Desk:
    """See the module."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.book: PortBook = NOTHING_SAID
        self._is_read = False
        self._arrived: set[FileArrived] = set()
        self._begun: dict[str, str] = {}
        """By a unit's name what the newest run that wrote to it left to be finished."""

    def open(self) -> None:
        """Read what was said before; never written over unread. Raises RecordError."""
        if not self._is_read:
            self.book = read_ports(self._room.state)
            self._is_read = True

    def remember(self) -> None:
        """What earlier runs have begun on which unit; before the first device is introduced."""
        self._begun = begun(self._room.state, REMEMBERED, self._name)

    def _name(self, device: Device) -> str:
        return name_of_unit(device, self._room.families)

    def introduce(self, device: Device) -> DevicePlugged:
        seen = introduce(device, self._room.families, self.book)
        return replace(seen, begun=self._begun.get(self._name(device)) or seen.begun)

    def run_ended(self, view: RunView) -> None:
        """A run has ended: what sits on the bench is shown as it has left it."""
        there = self._room.present(and_gone=True)
        before = {device: self.introduce(device) for device in there}
        self._begun |= left_by(view, self._name)
        for device, seen in before.items():
            if self.introduce(device) != seen:
                self._room.log(DeviceChanged(**vars(self.introduce(device))))

    def marked_ports(self) -> frozenset[str]:
        """The ports in which something sits that is marked hands off."""
        there = self._room.present()
        return frozenset(device.port for device in there if self.introduce(device).mark)

    def must_be_ours(self, device: Device) -> None:
        """Raises GateClosed for a device that is marked hands off."""
        seen = self.introduce(device)
        if seen.mark:
            raise GateClosed(
                f"The device on port {device.port} is marked {seen.mark}.",
                f"Nothing was sent to it. If it may be touched: replug mark {device.port} clear",
            )

    def _keep(self, book: PortBook, event: Event) -> None:
        write_ports(self._room.state, book)
        self.book = book
        self._room.log(event)

    def label(self, words: str, label: str, by: str) -> str:
        """Name a port, or take its name away (""); the port. Raises RecordError."""

        def name() -> str:
            self.open()
            port = self.book.port_named(words)
            self._keep(self.book.labelled(port, label), PortLabelled(port, label, by))
            return port

        return self._room.do(name)

    def mark(self, words: str, *, hands_off: bool, by: str) -> str:
        """Mark what sits in a port hands off, or clear that; the port.

        Raises NoSuchDevice, GateClosed (a run goes on there), RecordError.
        """
        self._room.look_again()
        return self._room.do(lambda: self._mark(self.book.port_named(words), hands_off, by))

    def _mark(self, port: str, hands_off: bool, by: str) -> str:
        self.open()
        here = [known for known in self._room.present() if known.port == port]
        unit = unit_of(here[0], self._room.families) if here else ""
        if not hands_off:
            self._keep(self.book.cleared(port, unit), PortMarked(port, "", by))
            return port
        if not unit:
            raise NoSuchDevice(f"Nothing sits in port {port} that could be marked.")
        self._room.must_be_free(port)
        self._keep(self.book.marked(port, unit), PortMarked(port, HANDS_OFF, by))
        return port

    # --- jobs ----------------------------------------------------------------------------

    def open_job(self, job: str, customer: str, by: str) -> None:
        """Open a job, or tell its customer's reference. Raises BadUsage, RecordError."""
        must_be_job(job)
        self._room.do(lambda: self._open_job(job, customer, by))

    def _open_job(self, job: str, customer: str, by: str) -> None:
        with storing(self._room.state.root):
            private_folder(self._room.state.job_inbox(job))
        known = job_of(self._room.state, job)
        if not known.opened or customer not in ("", known.customer):
            self._tell_job(job, JobOpened(job, customer, by))

    def _tell_job(self, job: str, event: Event, *, of_the_day: bool = True) -> None:
        state = self._room.state
        with storing(state.jobs):
            private_folder(state.jobs)
        journal = Journal(state.job(job), self._room.clock)
        try:
            journal.append(event, durable=True)
        finally:
            journal.close()
        if of_the_day:
            self._room.log(event)

    def assign(self, words: str, job: str, by: str) -> str:
        """What sits in a port belongs to the job, opened if need be; "" takes it out of any.

        The port. Raises BadUsage, NoSuchDevice, RecordError.
        """
        if job:
            must_be_job(job)
        self._room.look_again()
        return self._room.do(lambda: self._assign(words, job, by))

    def _assign(self, words: str, job: str, by: str) -> str:
        self.open()
        device = pick_device(words, self._room.present(), self.book)
        unit = unit_of(device, self._room.families)
        name, sits = self.introduce(device).name, place(device.port, unit)
        event = DeviceAssigned(device.port, job, name, by, sits)
        before = self.book.job(device.port, unit)
        if before not in ("", job):
            # Its record names no other job: that may be another customer's.
            self._tell_job(before, replace(event, job=""), of_the_day=False)
        if job:
            self._open_job(job, "", by)
            self._tell_job(job, event, of_the_day=False)
        self._keep(self.book.assigned(device.port, unit, job), event)
        return device.port

    def job_for(self, request: Request, device: Device) -> str:
        """The job that a run on the device belongs to; "" if none. Raises BadUsage."""
        named = request.job or request.answers.get("job", "")
        if named:
            must_be_job(named)
        return named or self.introduce(device).job

    def open_named(self, job: str, by: str) -> None:
        """A job that a run names is open from then on; what hinders that ends no run."""
        try:
            self._open_job(job, "", by)
        except RecordError as error:
            self._room.log(BusChanged("inbox", f"{error.sentence} {error.advice}"))

    def note_job(self, job: str, text: str, by: str) -> None:
        """A note in a job's record. Raises BadUsage, RecordError."""
        must_be_job(job)

        def write() -> None:
            self._open_job(job, "", by)
            self._tell_job(job, Noted(text, by))

        self._room.do(write)

    def look_at_inboxes(self) -> None:
        """Announce what came for the jobs; called whenever the bench looks at all."""
        for folder in self._inboxes():
            for file in arrivals(self._room.state, folder):
                if file not in self._arrived:
                    self._announce(file)

    def _inboxes(self) -> tuple[str, ...]:
        try:
            entries = tuple(self._room.state.inbox.iterdir())
        except OSError:
            return ()
        return tuple(entry.name for entry in entries if entry.is_dir())

    def _announce(self, file: FileArrived) -> None:
        self._arrived.add(file)
        try:
            if file not in job_of(self._room.state, file.job).files:
                self._tell_job(file.job, file)
        except RecordError as error:
            self._room.log(BusChanged("inbox", f"{error.sentence} {error.advice}"))
