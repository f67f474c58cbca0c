"""Is what came back the same device? Graded, with its reason.

The rule: pure. An expectation, what was seen meanwhile and what is there now go in, a judgement
comes out; when in doubt the device is not taken and not touched. The ladder: a unique id, a
serial, the port it left together with the mode awaited and the order of removal.

What no bus can show is taken on the technician's word: who brings a device without a serial
into the very port that is awaited, says that it is ours. But one that was on the bench
while ours was there, or when the run began if ours was not shown, and has left its place since
may have been mistaken for ours. A unique id settles both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from console.events import Card, Device
from console.letters import telling

HANDS = 2.0
"""Seconds within which hands cannot pull two devices and plug one in where the other was."""
CARD_INTERFACE = "0b"


class Grade(StrEnum):
    """How sure it is that this is the device, surest first."""

    UNIQUE = "unique id"
    SERIAL = "serial"
    PORT = "port"
    ONLY = "only one"
    NOT = ""


@dataclass(frozen=True)
class Expectation:
    """What should come: its port ("" for any), the modes it may be in, and what leaves.

    `left` is the device that leaves (None: it was not shown). `others` is everything else that
    was there when the wait was armed, or while ours was, if that had gone before; or when the run
    began, if it was not shown. None of them can be the one that comes. `unique` is an
    id that only this device has. In a guest, a port is only what the host made of it. `was` is
    the mode in which it leaves; `card` is what may leave alone, where a card makes that mode.
    `name` is what surely names ours in each of its modes, as Scene.names; "" where nothing does.
    """

    port: str
    modes: tuple[str, ...]
    left: Device | None = None
    others: tuple[Device, ...] = ()
    unique: str = ""
    guest: bool = False
    was: str = ""
    card: Card | None = None
    name: str = ""

    @property
    def visit(self) -> str:
        return self.left.visit if self.left else ""

    @property
    def serial(self) -> str:
        """Our serial, unless another device on the bench says the same one, or none can read it."""
        ours = telling(self.left.serial) if self.left else ""
        return "" if any(other.serial == ours for other in self.others) else ours


@dataclass(frozen=True)
class Company:
    """Its kin: those of its family that were elsewhere while ours was still there.

    `at` is when all of them and ours were last seen in their places. `card_out` says that our
    reader was seen without a card.
    """

    kin: tuple[Device, ...] = ()
    at: float = -HANDS
    gone: bool = False
    card_out: bool = False

    @property
    def visits(self) -> frozenset[str]:
        return frozenset(device.visit for device in self.kin)


@dataclass(frozen=True)
class Scene:
    """What is on the bench now: everything, its modes in our family, who kept company, when.

    `modes` tells also of those that were there and are gone, by visit. `names` are by visit what
    each shows that our family knows in every mode: another name is another unit.
    """

    present: tuple[Device, ...]
    modes: Mapping[str, str]
    company: Company
    now: float
    names: Mapping[str, str] = field(default_factory=dict)

    def mode(self, device: Device) -> str:
        return self.modes.get(device.visit, "")

    def here(self, visit: str) -> bool:
        return any(device.visit == visit for device in self.present)

    def slot(self, expected: Expectation) -> Card | None:
        """The slot that our card was in, as it is now; None while PC/SC does not tell of it."""
        ours = expected.card
        readers = (device for device in self.present if device.visit == expected.visit)
        cards = (card for reader in readers for card in reader.cards)
        return next((card for card in cards if ours and card.reader == ours.reader), None)

    @property
    def stayed(self) -> bool:
        """Is everybody who kept ours company still in the same place?"""
        return all(self.here(visit) for visit in self.company.visits)

    @property
    def quick(self) -> bool:
        """Was all in its place so lately that hands cannot have exchanged anything?"""
        return self.now - self.company.at < HANDS


@dataclass(frozen=True)
class Judgement:
    """Taken or not, the sentence that says why, and how sure it is."""

    taken: bool
    why: str
    grade: Grade = Grade.NOT


def accompany(before: Company, expected: Expectation, scene: Scene) -> Company:
    """The company after one more look, taken at `scene.now`; settled once ours was seen gone.

    An older look that is delivered after a newer one changes nothing that the newer one told.
    """
    slot = scene.slot(expected)
    if slot is not None and not (slot.atr or slot.state):
        before = replace(before, card_out=True)
    gone = before.gone or not scene.here(expected.visit)
    seen = (*expected.others, *(() if gone else scene.present))
    kin = {device.visit: device for device in (*before.kin, *filter(scene.mode, seen))}
    kin.pop(expected.visit, None)
    company = replace(before, kin=tuple(kin.values()), gone=gone)
    if gone or not replace(scene, company=company).stayed:
        return company
    return replace(company, at=max(before.at, scene.now))


def judge(expected: Expectation, came: Device, scene: Scene) -> Judgement | None:
    """What to do with a device that is there; None if it concerns nobody (yet)."""
    if came.visit == expected.visit or _was_there(expected, came):
        return None
    mode = scene.mode(came)
    if not mode and _may_still_tell(came):
        return None
    if expected.visit and scene.here(expected.visit):
        return _ours_is_still_here(expected, came, mode)
    if came.visit in scene.company.visits:
        return None
    known = _by_what_it_says(expected, came, scene)
    if known is not None:
        return known
    if expected.port and not in_our_socket(expected, came):
        return _elsewhere(expected, came, mode)
    if mode not in expected.modes:
        return _unexpected(expected, came, mode)
    return (_by_port if expected.port else _by_being_alone)(expected, came, scene)


def same_unit(read_before: str, read_now: str) -> Judgement:
    """The top of the ladder: the unique id that the device itself answered, before and now."""
    if read_before == read_now:
        return Judgement(True, f"Same device, because its id {read_now} is the same.", Grade.UNIQUE)
    return Judgement(
        False, f"This is another device: its id is {read_now}, ours has {read_before}. Pull it."
    )


# --- what is nobody's concern ----------------------------------------------------------------


def _was_there(expected: Expectation, came: Device) -> bool:
    return any(other.visit == came.visit for other in expected.others)


def _may_still_tell(came: Device) -> bool:
    # A card names itself only after PC/SC has powered it, a second after the kernel saw the USB.
    return not came.cards and any(code.startswith(CARD_INTERFACE) for code in came.interfaces)


def _ours_is_still_here(expected: Expectation, came: Device, mode: str) -> Judgement | None:
    if mode not in expected.modes or came.port == expected.port:
        return None
    return Judgement(
        False,
        f"Not taken: one came on port {came.port}, and ours is still in port {expected.port}. "
        "It was not touched.",
    )


# --- unique id and serial ---------------------------------------------------------------------


def _by_what_it_says(expected: Expectation, came: Device, scene: Scene) -> Judgement | None:
    """Settled by an id or a serial, one way or the other; None where they say nothing."""
    if scene.mode(came) not in expected.modes:
        return None
    if expected.unique and came.serial.lower() == expected.unique.lower():
        proven = _sure(expected, came, f"its id {came.serial}", Grade.UNIQUE)
        return _also_said(expected, came, scene) or proven
    if came.serial and came.serial == _our_serial(expected, scene):
        proven = _sure(expected, came, f"serial {came.serial}", Grade.SERIAL)
        return _also_said(expected, came, scene) or proven
    name = scene.names.get(came.visit, "")
    if name and expected.name and name != expected.name:
        return _another_serial(expected, came)
    if name and name == _our_name(expected, scene):
        shown = f"serial {came.serial} (ours, as this mode shows it)"
        proven = _sure(expected, came, shown, Grade.SERIAL)
        return _also_said(expected, came, scene) or proven
    # Where no name is known, only the same ids make different serials a no: an application and
    # its bootloader may each write their own form of it.
    if expected.left is None or not same_kind(expected.left, came):
        return None
    if came.serial == expected.left.serial:
        return None
    return _another_serial(expected, came)


def _our_serial(expected: Expectation, scene: Scene) -> str:
    """Our serial, unless one that kept ours company since says the same one."""
    said = {kin.serial for kin in scene.company.kin}
    return "" if expected.serial in said else expected.serial


def _our_name(expected: Expectation, scene: Scene) -> str:
    """What names ours, unless one that was there with it shows the same."""
    others = (*expected.others, *scene.company.kin)
    said = {scene.names.get(other.visit, "") for other in others}
    return "" if expected.name in said else expected.name


def _also_said(expected: Expectation, came: Device, scene: Scene) -> Judgement | None:
    """Is another here that came as well and says the same? Serials are made alike, too."""
    rivals = _rivals(expected, came, scene)
    same = (rival for rival in rivals if rival.serial.lower() == came.serial.lower())
    return next((_two_have_come(came, rival) for rival in same), None)


def _sure(expected: Expectation, came: Device, proof: str, grade: Grade) -> Judgement:
    if came.port == expected.port or not expected.port:
        return Judgement(True, f"Same device, because {proof} came back.", grade)
    if in_our_socket(expected, came):
        why = f"port {came.port} is the other half of our socket (USB 2 and 3)"
        return Judgement(True, f"Same device, because {proof} came back; {why}.", grade)
    if expected.guest:
        why = f"the host gave it another path ({came.port})"
        return Judgement(True, f"Same device, because {proof} came back; {why}.", grade)
    return Judgement(
        False,
        f"Not taken yet: {proof} is ours, but it is in port {came.port}. "
        f"Pull it and plug it into our port {expected.port}.",
    )


def _another_serial(expected: Expectation, came: Device) -> Judgement | None:
    ours = expected.left.serial if expected.left else ""
    away = bool(expected.port) and not in_our_socket(expected, came)
    if away and not came.serial:
        return None
    if away:
        return Judgement(
            False, f"Not taken: serial {came.serial} on port {came.port} is not ours ({ours})."
        )
    if not came.serial:
        return Judgement(
            False,
            f"Not taken: ours says serial {ours}, this one says none. It was not touched. "
            "If it is ours, pull it and plug it in again.",
        )
    gone = f"{ours} left this port" if ours else "ours says none"
    return Judgement(False, f"Not taken: serial {came.serial}, but {gone}. It was not touched.")


# --- port -------------------------------------------------------------------------------------


def in_our_socket(expected: Expectation, came: Device) -> bool:
    """Is it in our port, or in the other half of the same socket?"""
    if came.port == expected.port:
        return True
    sibling = expected.left.sibling if expected.left else ""
    return bool(sibling) and came.port == sibling


def _elsewhere(expected: Expectation, came: Device, mode: str) -> Judgement | None:
    if mode not in expected.modes:
        return None
    if expected.guest:
        return Judgement(
            False,
            f"Not taken: one came on port {came.port}, ours left port {expected.port}. In a guest "
            "the path may change, but nothing it says tells that it is ours. It was not touched. "
            "Have the host attach it to the old path.",
        )
    return Judgement(
        False,
        f"Not taken: one came on port {came.port}, ours belongs to port {expected.port}. "
        "It was not touched. If it is ours, plug it into our port.",
    )


def _unexpected(expected: Expectation, came: Device, mode: str) -> Judgement | None:
    if not expected.port:
        return None
    if mode:
        return Judgement(False, f"It is back as {mode}, not as awaited. It was not touched.")
    what = f"{came.product} ({came.vid}:{came.pid})" if came.product else f"{came.vid}:{came.pid}"
    return Judgement(
        False,
        f"Not taken: a different device is in port {came.port}, {what}. It was not touched.",
    )


def _by_port(expected: Expectation, came: Device, scene: Scene) -> Judgement:
    rivals = () if scene.quick else _rivals(expected, came, scene)
    if rivals:
        return _two_have_come(came, rivals[0])
    if _another_speed(expected, came) and expected.left is not None:
        return Judgement(
            False,
            f"Not taken: ours ran at {expected.left.speed} speed, this one runs at {came.speed} "
            "speed. It was not touched. If it is ours, use the same cable and socket as before.",
        )
    if not scene.quick and _may_be_another(came, scene):
        return _which_is_which()
    where = "on the same port" if came.port == expected.port else "in the same socket"
    return Judgement(True, f"Same device, because it came {where} in the mode awaited.", Grade.PORT)


def _two_have_come(came: Device, rival: Device) -> Judgement:
    return Judgement(
        False,
        f"Not taken: two have come, on port {came.port} and on port {rival.port}, and nothing "
        "they say tells which is ours. Neither was touched. Pull the one that is not.",
    )


def _rivals(expected: Expectation, came: Device, scene: Scene) -> tuple[Device, ...]:
    """The others that came since ours left and may be ours as well."""
    return tuple(
        other
        for other in scene.present
        if other.visit != came.visit
        and other.visit not in scene.company.visits
        and not _was_there(expected, other)
        and scene.mode(other)
    )


def _may_be_another(came: Device, scene: Scene) -> bool:
    """May it be one of those that kept ours company and have left their places?"""
    left = (kin for kin in scene.company.kin if not scene.here(kin.visit))
    return any(not _told_apart(kin, came) for kin in left)


def _told_apart(one: Device, other: Device) -> bool:
    # As above: only the same ids make different serials a no, and none is no serial.
    serials = telling(one.serial), telling(other.serial)
    return same_kind(one, other) and all(serials) and serials[0] != serials[1]


def _which_is_which() -> Judgement:
    return Judgement(
        False,
        "Not taken: another of its kind has left its place, and nothing they say tells which is "
        "which. It was not touched. Stop, and run again on the one that you know.",
    )


def _another_speed(expected: Expectation, came: Device) -> bool:
    left = expected.left
    if left is None or not same_kind(left, came):
        return False
    return bool(left.speed and came.speed) and left.speed != came.speed


def _by_being_alone(expected: Expectation, came: Device, scene: Scene) -> Judgement:
    kin = (other for other in scene.present if same_kind(other, came))
    if sum(not _was_there(expected, other) for other in kin) > 1:
        return Judgement(False, "Not taken: two of its kind are here. Pull the other one.")
    if _may_be_another(came, scene):
        return _which_is_which()
    return Judgement(True, "Taken: it is the only one of its kind that came.", Grade.ONLY)


def same_kind(one: Device, other: Device) -> bool:
    """Have both the same ids?"""
    return (one.vid, one.pid) == (other.vid, other.pid)
