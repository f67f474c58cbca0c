"""One frozen dataclass per fact, in the past tense, to and from JSON.

The rule: nothing here does anything. A journal is a list of these, a view is a fold of them.
A secret is never a field's value; an answer that was one reads "(given)".
"""

from __future__ import annotations

import dataclasses
import types
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
    HALF = "contents gone, bootloader alive"
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
    """One way to open a device: its path, its kind ("usb", "tty", "hidraw"), and who may."""

    path: str
    kind: str
    may_open: bool
    why: str = ""


@dataclass(frozen=True)
class Device:
    """One physical thing in one port, as the kernel describes it. Ids are four hex digits.

    `visit` differs for every arrival, even of the same device in the same port.
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
class DevicePlugged:
    device: Device
    families: tuple[str, ...] = ()
    mode: str = ""
    name: str = ""
    shown: str = ""
    next: str = ""
    label: str = ""
    mark: str = ""
    job: str = ""


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
    """What sits in a port belongs to a job from now on; to none where `job` is ""."""

    port: str
    job: str
    name: str = ""
    by: str = ""


@dataclass(frozen=True)
class FileArrived:
    """A file was seen in a job's inbox; seen again with another size, it came anew."""

    job: str
    name: str
    size: int


@dataclass(frozen=True)
class DeviceChanged:
    """Facts about a device that stayed: permissions arrive after the node, drivers bind."""

    device: Device


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
    step: str
    found: str = ""


@dataclass(frozen=True)
class StepFailed:
    step: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Asked:
    """A question was put. `must_type` is what consent reads, when it has to be typed.

    `waits` is true when a person must answer; else the answer was brought along, or is lacking.
    """

    question: str
    kind: str
    text: str
    optional: bool = False
    must_type: str = ""
    choices: tuple[str, ...] = ()
    waits: bool = False


@dataclass(frozen=True)
class Answered:
    """A secret's answer reads "(given)"; `by` is "answers", "--yes", or a person's login."""

    question: str
    answer: str
    by: str = ""


@dataclass(frozen=True)
class WaitStarted:
    """Somebody or something must act before the run goes on.

    `who` is "you" or "device"; usual and limit are seconds, 0 where there is none.
    """

    what: str
    who: str
    hands: tuple[str, ...] = ()
    usual: float = 0.0
    limit: float = 0.0
    safe: str = ""


@dataclass(frozen=True)
class WaitEnded:
    outcome: str


@dataclass(frozen=True)
class DeviceLeft:
    port: str


@dataclass(frozen=True)
class DeviceJudged:
    """Something arrived while we waited; taken or not, and why."""

    port: str
    device: Device
    taken: bool
    why: str


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

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in typing.get_args(Event) if kind is not Unknown
}


def to_json(event: Event) -> dict[str, Any]:
    """The event as a flat object: "event" names its kind, then its fields."""
    if isinstance(event, Unknown):
        return {"event": event.kind, **event.fields}
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def from_json(fields: typing.Mapping[str, Any]) -> Event:
    """The event back from its object; a kind or a shape not known here becomes Unknown."""
    rest = {name: value for name, value in fields.items() if name != "event"}
    name = str(fields.get("event", ""))
    kind = KINDS.get(name)
    if kind is None:
        return Unknown(name, rest)
    try:
        return typing.cast(Event, _build(kind, rest))
    except (KeyError, TypeError, ValueError, OverflowError):
        return Unknown(name, rest)


def _build(kind: type[Any], fields: typing.Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    known = {
        field.name: _value(hints[field.name], fields[field.name])
        for field in dataclasses.fields(kind)
        if field.name in fields
    }
    return kind(**known)


def _value(hint: Any, value: Any) -> Any:
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{hint} expected")
        return tuple(_value(typing.get_args(hint)[0], item) for item in value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value)
    if isinstance(hint, types.UnionType) or not isinstance(hint, type):
        return value
    if hint is float and type(value) is int:
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise TypeError(f"{hint} expected")
    return value
