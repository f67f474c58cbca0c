"""A desk for one flow: it keeps what the guide posts, and gives what the guide asks for."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Callable

from console.errors import (
    NoLine,
    NotPermitted,
)
from console.events import (
    ArtefactKept,
    Asked,
    Damage,
    Device,
    Told,
    Verdict,
)
from console.flow import Flow, Kind, Outcome, Question, Step, perform
from console.guide import Guide
from console.host import Reply
from tests.harness import VirtualClock

LOOK = Step("look", "Look")
ERASE = Step("erase", "Erase", undoable=False, damage=Damage.HALF, safe="Do not unplug it.")
WRITE = Step("write", "Write", undoable=False, damage=Damage.HALF, safe="Do not unplug it.")
END = Step("end", "Start it")
JOB = Question("job", Kind.TEXT, "Which job?", optional=True)
NAME = Question("name", Kind.TEXT, "Whose is it?")
SURE = Question("sure", Kind.CONFIRM, "Erase it?")
TYPED = Question("typed", Kind.TYPED, "Type its serial.")
PIN = Question("pin", Kind.SECRET, "The PIN?")
SLOT = Question("slot", Kind.CHOICE, "Which slot?", choices=("left", "right"))

CORE = Device("1-1", "v1", "1d50", "607f", "A")
APP = Device("1-1", "v2", "1d50", "607d", "A")
MODES = {"607f": "dfu", "607d": "app"}
DONE = Outcome(Verdict.REPAIRED, "It is.")


class Line:
    """A control line that only remembers that it was closed."""

    closed = False

    def read(self, *words):
        return b"!"

    def close(self):
        self.closed = True


class Desk:
    """A Host: one device, a clock, and a person who follows a script."""

    def __init__(self, *, given=None, attended=True, replies=(), device=CORE) -> None:
        self.clock = VirtualClock()
        self.guest = False
        self.device = device
        self.here: tuple[Device, ...] = (device,) if device.visit else ()
        self.signals: queue.Queue = queue.Queue()
        self.events: list = []
        self.durable: list = []
        self.lines: list[Line] = []
        self.traced: list[str] = []
        self.looks = 0
        self.agenda: list[tuple[float, Callable[[], None]]] = []
        self.closed_until = 0.0
        self.no_line_until = 0.0
        self.first: tuple[ArtefactKept, bytes] | None = None
        self.stopping = False
        self._given = {name: Reply(name, text, "answers") for name, text in (given or {}).items()}
        self._attended = attended
        self._replies = list(replies)

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Let it happen so many seconds from now, with the first look after that."""
        self.agenda.append((self.clock.monotonic() + seconds, act))

    def _happen(self) -> None:
        due = [act for when, act in self.agenda if when <= self.clock.monotonic()]
        self.agenda = [item for item in self.agenda if item[0] > self.clock.monotonic()]
        for act in due:
            act()

    def shows(self, *devices: Device) -> Callable[[], None]:
        def show() -> None:
            self.here = devices

        return show

    # --- what a guide calls ---------------------------------------------------------------

    def post(self, event, durable=False):
        self.events.append(event)
        if durable:
            self.durable.append(event)
        if isinstance(event, Asked | Told) and self._waits(event) and self._replies:
            reply = self._replies.pop(0)
            self.signals.put(reply if not isinstance(reply, str) else self._reply(reply))

    def _waits(self, event) -> bool:
        if isinstance(event, Asked):
            self.asked = event
        return getattr(self, "asked", None) is not None and self.asked.waits

    def _reply(self, text: str) -> Reply:
        return Reply(self.asked.question, text, "an")

    def progress(self, what, done, total): ...

    def trace(self, words):
        self.traced.append(words)

    def given(self, question):
        return self._given.get(question)

    def attended(self):
        return self._attended

    def present(self):
        self._happen()
        return self.here

    def look_again(self):
        self.looks += 1

    def name_of(self, device):
        return ""

    def mode_of(self, device):
        return MODES.get(device.pid, "")

    def stop_asked(self):
        return self.stopping

    def moved(self, device):
        self.device = device

    def open_control(self, device):
        if self.clock.monotonic() < self.no_line_until:
            raise NoLine("It offers no line.")
        if self.clock.monotonic() < self.closed_until:
            raise NotPermitted("This user may not open it.")
        self.lines.append(Line())
        return self.lines[-1]

    def keep(self, name, data, place):
        return ArtefactKept(name, place, hashlib.sha256(data).hexdigest(), len(data))

    def first_backup(self, name):
        return self.first


def flow(work: Callable[[Guide], Outcome | None], *plan: Step) -> Flow:
    def run(guide: Guide) -> Outcome:
        return work(guide) or DONE

    return Flow("rekey", "T", "A", plan or (LOOK, ERASE, WRITE, END), run)


def performed(desk: Desk, work: Callable[[Guide], Outcome | None]):
    made = flow(work)
    return perform(made, Guide(made, desk))


def asked(desk: Desk, question: Question, **words):
    """The answer that a flow gets; whatever is raised passes."""
    return Guide(flow(lambda guide: None), desk).ask(question, **words)


def kinds(desk: Desk) -> list[str]:
    return [type(event).__name__ for event in desk.events]


def fails(*errors: Exception) -> Callable[[], str]:
    """Work that fails with each error in turn, then is done."""
    rest = list(errors)

    def work() -> str:
        if rest:
            raise rest.pop(0)
        return "done"

    return work
