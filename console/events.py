"""One frozen dataclass per fact, in the past tense. See console.codec for their JSON.

The rule: nothing here does anything. A journal is a list of these, a view is a fold of them.
A secret is never a field's value; an answer that was one reads "(given)".
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a run ended, in the technician's words."""

    REPAIRED = "repaired"
    NO_FAULT = "no fault found"
    ELSEWHERE = "cause elsewhere"
    BEYOND = "beyond repair"
    UNFINISHED = "unfinished"
    REFUSED = "refused"


class Damage(StrEnum):
    """What is lost if the device is pulled right now (or was, when the run died)."""

    NOTHING = "nothing written"
    WRITTEN = "what was written is there"
    HALF = "contents gone, bootloader alive"
    CARD = "keys may be gone, card alive"
    DEAD = "does not enumerate"


class Reason(StrEnum):
    """Why a run ended as it did; decides the exit code of the command that started it."""

    DONE = "done"
    FAULT = "fault found"
    FAILED = "failed"
    UNANSWERED = "unanswered"
    GATE = "gate"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Node:
    """One way to open a device: its path, its kind, and who may.

    Kinds: "usb", "tty", "hidraw", and "card", whose path is the reader's name.
    """

    path: str
    kind: str
    may_open: bool
    why: str = ""


@dataclass(frozen=True)
class Card:
    """One slot of a reader, as PC/SC tells it: its name, the card's answer to reset in hex.

    `atr` is "" without a card, `state` says in words what is wrong ("" when all is well), and
    `inserted` differs for every card that was put in, even for the same one.
    """

    reader: str
    atr: str = ""
    state: str = ""
    inserted: int = 0


@dataclass(frozen=True)
class Device:
    """One physical thing in one port, as the kernel describes it. Ids are four hex digits.

    `visit` differs for every arrival, even of the same device in the same port. `sibling` is
    the port path of the other half of the same socket: USB 2 and 3 count their ports apart.
    """

    port: str
    visit: str
    vid: str
    pid: str
    serial: str = ""
    product: str = ""
    maker: str = ""
    speed: str = ""
    driver: str = ""
    interfaces: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    cards: tuple[Card, ...] = ()
    sibling: str = ""


# --- the bench's own journal: one file a day ---------------------------------------------


@dataclass(frozen=True)
class BenchStarted:
    """A bench process took the state directory. Everything before it is past."""

    version: str
    pid: int
    practice: str = ""


@dataclass(frozen=True)
class DayTurned:
    """A new day's journal began while the bench went on; all that still holds is said again.

    `since` tells of each of `here`, then of each of `away`, from when that is (ISO 8601, UTC).
    """

    version: str
    pid: int
    practice: str
    here: tuple[DevicePlugged, ...]
    away: tuple[DevicePlugged, ...]
    since: tuple[str, ...]
    runs: tuple[RunOpened, ...]
    troubles: tuple[BusChanged, ...]


@dataclass(frozen=True)
class BenchStopped:
    reason: str


@dataclass(frozen=True)
class BusChanged:
    """The state of a whole bus in words; empty when all is well."""

    bus: str
    state: str


@dataclass(frozen=True)
class Introduction:
    """A device as it is shown: its facts, what they mean, and what was said of its port.

    `begun` says what was begun on this unit and is not finished; "" where nothing is known of it.
    `lines` are the kinds of nodes that its flows open; () where it may be any.
    """

    device: Device
    families: tuple[str, ...] = ()
    mode: str = ""
    name: str = ""
    shown: str = ""
    next: str = ""
    label: str = ""
    mark: str = ""
    job: str = ""
    begun: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class DevicePlugged(Introduction):
    """A device came."""


@dataclass(frozen=True)
class PortLabelled:
    """The technician named a port; "" takes its name away."""

    port: str
    label: str
    by: str = ""


@dataclass(frozen=True)
class PortMarked:
    """What sits in a port was marked "hands off", or that mark was taken away ("")."""

    port: str
    mark: str
    by: str = ""


@dataclass(frozen=True)
class JobOpened:
    """A work order was opened, or its customer's reference was told."""

    job: str
    customer: str = ""
    by: str = ""


@dataclass(frozen=True)
class DeviceAssigned:
    """What sits in a port belongs to a job from now on; to none where `job` is "".

    `unit` is what the job sticks to (console.ports.place); "" in records of older programs.
    """

    port: str
    job: str
    name: str = ""
    by: str = ""
    unit: str = ""


@dataclass(frozen=True)
class FileArrived:
    """A file was seen in a job's inbox; seen again with another size, it came anew."""

    job: str
    name: str
    size: int


@dataclass(frozen=True)
class DeviceChanged(Introduction):
    """A device that stayed, as it is now: permissions, drivers and cards come after the device.

    Where `name` is "" only the device's own facts are told.
    """


@dataclass(frozen=True)
class DeviceUnplugged:
    port: str
    visit: str
    name: str = ""


@dataclass(frozen=True)
class RunOpened:
    run: str
    flow: str
    port: str
    job: str = ""


@dataclass(frozen=True)
class RunClosed:
    run: str
    verdict: str
    sentence: str


@dataclass(frozen=True)
class ScreenLost:
    """A screen went without saying goodbye: its line dropped."""

    screen: str


@dataclass(frozen=True)
class ScreenBack:
    """A screen came after one was lost; `since` is when that was (ISO 8601, UTC)."""

    screen: str
    since: str


# --- a run's journal ----------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedStep:
    """A step as it was promised before the run began."""

    id: str
    title: str
    usual: str = ""


@dataclass(frozen=True)
class RunStarted:
    run: str
    flow: str
    title: str
    device: Device
    name: str
    plan: tuple[PlannedStep, ...]
    version: str
    job: str = ""
    practice: str = ""
    continues: str = ""
    by: str = ""


@dataclass(frozen=True)
class Told:
    """A sentence for the technician that stays true for the rest of the run."""

    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Warned:
    """Something that does not stop the run and must be in its record."""

    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class StepStarted:
    """A step began; on disk before its first byte goes out if it cannot be undone."""

    step: str
    attempt: int
    undoable: bool
    damage: str
    safe: str
    stop_at: str = ""


@dataclass(frozen=True)
class StepDone:
    """A step is over. `left_out`: nothing was done in it, by choice or for want of need."""

    step: str
    found: str = ""
    left_out: bool = False


@dataclass(frozen=True)
class StepFailed:
    step: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Asked:
    """A question was put. `must_type` is what consent reads, when it has to be typed.

    `waits` is true when a person must answer; else the answer was brought along, or is lacking.
    `hint` says what is wanted of a secret, beside the count of what is typed. A secret that is
    asked for `twice` is typed two times by a person before it is an answer.
    """

    question: str
    kind: str
    text: str
    optional: bool = False
    must_type: str = ""
    choices: tuple[str, ...] = ()
    waits: bool = False
    hint: str = ""
    twice: bool = False


@dataclass(frozen=True)
class Answered:
    """A secret's answer reads "(given)"; `by` is "answers", "--yes", or a person's login."""

    question: str
    answer: str
    by: str = ""


@dataclass(frozen=True)
class WaitStarted:
    """Somebody or something must act before the run goes on.

    `who` is "you" or "device"; usual and limit are seconds, 0 where there is none. `acts` says
    what is done: touch, leave (it acts by itself) or bring; "" in records of older programs.
    Where the device enforces a time, `window` is its seconds, counted from `window_from`: "plug"
    (the device's arrival) or "now" (this event).
    """

    what: str
    who: str
    hands: tuple[str, ...] = ()
    usual: float = 0.0
    limit: float = 0.0
    safe: str = ""
    acts: str = ""
    window: float = 0.0
    window_from: str = ""


@dataclass(frozen=True)
class WaitEnded:
    outcome: str


@dataclass(frozen=True)
class DeviceLeft:
    """It left its port; or the card left a reader that stays (`card` is the reader's name)."""

    port: str
    card: str = ""


@dataclass(frozen=True)
class DeviceJudged:
    """Something arrived while we waited; taken or not, why, and what made that sure.

    `grade` is "unique id", "serial", "port", "only one"; "" when it was not taken. `since` is when
    it was first seen, on the monotonic clock (0.0: not known).
    """

    port: str
    device: Device
    taken: bool
    why: str
    grade: str = ""
    since: float = 0.0


@dataclass(frozen=True)
class ArtefactKept:
    """A file of this run. `place` is "run" (exported) or "vault" (never exported)."""

    name: str
    place: str
    sha256: str
    size: int
    about: str = ""


@dataclass(frozen=True)
class Noted:
    text: str
    by: str = ""


@dataclass(frozen=True)
class StopAsked:
    by: str = ""


@dataclass(frozen=True)
class RunEnded:
    """The verdict. `proof` is evidence, `to_do` what remains for somebody else."""

    verdict: str
    reason: str
    sentence: str
    advice: str = ""
    proof: tuple[str, ...] = ()
    to_do: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    damage: str = Damage.NOTHING.value


@dataclass(frozen=True)
class Unknown:
    """An event of a newer program: kept, never dropped."""

    kind: str
    fields: typing.Mapping[str, Any]


Event = (
    BenchStarted
    | BenchStopped
    | DayTurned
    | BusChanged
    | DevicePlugged
    | DeviceChanged
    | DeviceUnplugged
    | PortLabelled
    | PortMarked
    | JobOpened
    | DeviceAssigned
    | FileArrived
    | RunOpened
    | RunClosed
    | ScreenLost
    | ScreenBack
    | RunStarted
    | Told
    | Warned
    | StepStarted
    | StepDone
    | StepFailed
    | Asked
    | Answered
    | WaitStarted
    | WaitEnded
    | DeviceLeft
    | DeviceJudged
    | ArtefactKept
    | Noted
    | StopAsked
    | RunEnded
    | Unknown
)
