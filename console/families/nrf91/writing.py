"""Changing the store: one entry at a time, the whole list compared after each.

The rule: what the list shows decides, not the answer to the write, in either direction. Nothing
that was not touched may differ; where it does, nothing more is written. The picture afterwards is
kept whatever became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from console.errors import ConsoleError, DeviceError, RecordError, Refused, Silent
from console.events import Damage, Verdict
from console.families.nrf91 import at
from console.families.nrf91.approach import NOTHING, Patient, keep, put_mode_back
from console.families.nrf91.modem import FLIGHT, INACTIVE, Modem
from console.families.nrf91.sheet import Item
from console.families.nrf91.store import Entry, Picture, names
from console.flow import Outcome, Step
from console.guide import Guide

T = TypeVar("T")

EXISTS = ("CME 519", "CME 520")
"""Firmware that does not replace an entry says so; others replace it at once."""
UNTOUCHED = (*(f"CME {n}" for n in (515, 518, 519, 520, 527, 528)), "length", "shell")
"""Refusals that come before anything is changed: of room, mode, content, supply, or here."""
_BUSY = "The entry that is being changed may be missing until it is listed. Do not switch it off."

REST = Step("rest", "Switch its radio off and list again", usual="under 10 s")
WRITE = Step(
    "write",
    "Change one entry",
    usual="under 5 s each",
    undoable=False,
    damage=Damage.HALF,
    safe=_BUSY,
)
COMPARE = Step(
    "compare",
    "List the store and compare",
    usual="under 2 s each",
    undoable=False,
    damage=Damage.HALF,
    safe=_BUSY,
)
STEPS = (REST, WRITE, COMPARE)


@dataclass(frozen=True)
class Touch:
    """One entry that is changed: how, and how the list must show it afterwards."""

    pair: tuple[int, int]
    name: str
    act: Callable[[Modem], None]
    shows: Callable[[Entry | None], bool]
    tries: int = 1


def put(item: Item, replaces: bool) -> Touch:
    """Write an item; what is there under its tag and type is deleted first, if it replaces."""
    return Touch(item.pair, item.name, partial(_write, item, replaces), item.is_in, tries=2)


def removal(entry: Entry) -> Touch:
    return Touch(entry.pair, entry.name, partial(_delete, entry), lambda found: found is None)


def _delete(entry: Entry, modem: Modem) -> None:
    offline(modem, partial(modem.delete, *entry.pair))


def _write(item: Item, replaces: bool, modem: Modem) -> None:
    there = modem.find(*item.pair)
    if item.is_proven_by(there):
        return  # an attempt before this one has put it in
    try:
        _put(item, replaces or there is not None, modem)
    except (Refused, Silent) as error:
        # An error after success is no failure: the list decides.
        now = modem.find(*item.pair)
        if item.is_proven_by(now) or (there is None and item.is_in(now)):
            return
        if there is None or now is not None:
            raise
        code = error.code if isinstance(error, Refused) else "silent"
        raise Refused(
            f"The old {item.name} is deleted and the new one is not in. {error.sentence}",
            error.advice,
            code=code,
        ) from error


def _put(item: Item, replaces: bool, modem: Modem) -> None:
    write = partial(_sent, item, modem)
    try:
        write()
    except Refused as error:
        if not replaces or error.code not in EXISTS:
            raise
    else:
        if not replaces or item.is_in(modem.find(*item.pair)):
            return
    # What is there is deleted only now: content that is refused as invalid has cost nothing.
    offline(modem, partial(modem.delete, *item.pair))
    write()


def _sent(item: Item, modem: Modem) -> None:
    """The write itself; once more where no answer came and the list does not show it."""
    write = partial(modem.write, *item.pair, item.content)
    try:
        offline(modem, write)
    except Silent:
        # What was lost may have been "it exists already", which decides how it goes on.
        if not item.is_proven_by(modem.find(*item.pair)):
            offline(modem, write)


def offline(modem: Modem, act: Callable[[], T]) -> T:
    """act(), once more with the radio off where its application has switched it on meanwhile."""
    try:
        return act()
    except Refused as error:
        if error.code != "CME 518":
            raise
        modem.set_mode(FLIGHT)
        return act()


# --- the stretch -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """How it ended: what the store holds now (None: not known), and what went wrong.

    `sent` are the changes that may be in: those that were begun, unless refused outright.
    """

    picture: Picture | None
    error: ConsoleError | None = None
    sent: tuple[Touch, ...] = ()


def change(guide: Guide, modem: Modem, patient: Patient, touches: Sequence[Touch]) -> Written:
    """Make every change, one after the other. The modem must be inactive."""
    now, error = patient.picture, None
    sent: list[Touch] = []
    guide.step(REST, _require_same, modem, patient, found=str)
    try:
        for touch in touches:
            sent.append(touch)
            now = _one(guide, modem, patient, now, touch)
    except DeviceError as failed:
        error = failed
        if isinstance(failed, Refused) and failed.code in UNTOUCHED:
            sent.pop()
    return Written(_afterwards(guide, modem, patient), error, tuple(sent))


def change_inactive(
    guide: Guide, modem: Modem, patient: Patient, touches: Sequence[Touch], stays_off: bool = True
) -> Written:
    """change() with the radio off.

    The functional mode is put back, unless all is well and the modem is switched off next.
    """
    well = False
    try:
        written = change(guide, modem, patient, touches)
        well = written.error is None and written.picture is not None
        return written
    finally:
        if not (well and stays_off):
            put_mode_back(guide, modem, patient.mode)


def _require_same(modem: Modem, patient: Patient) -> str:
    """Raises Refused where the store has changed since its picture was taken."""
    if modem.mode() not in INACTIVE:
        modem.set_mode(FLIGHT)
    moved = modem.picture(patient.identity).since(patient.picture)
    if moved:
        raise Refused(
            f"The store changed while I looked: {moved}.",
            f"{NOTHING} Its application works on it; stop that first.",
            code="moving",
        )
    return "radio off, the store is as in the picture"


def _one(guide: Guide, modem: Modem, patient: Patient, before: Picture, touch: Touch) -> Picture:
    for _ in range(touch.tries):
        if modem.warned and not patient.supply.warning:
            raise at.refusal("528", f"Before {touch.name}")
        guide.step(WRITE, touch.act, modem, found=lambda _: touch.name)
        now: Picture = guide.step(
            COMPARE, _compared, modem, patient, before, touch, found=partial(_seen, touch)
        )
        entry = now.find(*touch.pair)
        if touch.shows(entry):
            if entry is not None and not entry.digest:
                guide.warn(f"The modem tells no digest of {touch.name}: it is listed, no more.")
            return now
    raise Refused(
        f"The modem took {touch.name}, but does not list it as it was sent.",
        "A byte was lost on the way, or its store is worn. Run again; if it stays so, the board "
        "goes to RMA with this record.",
        code="digest",
    )


def _compared(modem: Modem, patient: Patient, before: Picture, touch: Touch) -> Picture:
    """The store now. Raises Refused where anything but the touched entry is different."""
    now = modem.picture(patient.identity)
    if now.without([touch.pair]) != before.without([touch.pair]):
        lost = before.without([touch.pair]) - now.without([touch.pair])
        raise Refused(
            f"While {touch.name} was changed, another entry did not stay as it was: "
            f"{names(sorted(lost)) or 'something new appeared'}.",
            "Write nothing more to it on this supply. Take a bench supply, power-cycle it, and "
            "run restore with a sheet that holds what is missing now.",
            code="untouched",
        )
    return now


def _seen(touch: Touch, now: Picture) -> str:
    entry = now.find(*touch.pair)
    if touch.shows(entry):
        return f"{'as sent' if entry else 'gone'}; the others unchanged"
    return "NOT as it was sent"


def _afterwards(guide: Guide, modem: Modem, patient: Patient) -> Picture | None:
    """The picture after it all, kept; None where the modem gives none any more."""
    with guide.tidying():
        try:
            picture = modem.picture(patient.identity)
            keep(guide, picture, "after")
        except DeviceError as error:
            guide.tell(f"There is no picture from after the write: {error.sentence}")
            return None
        except RecordError as error:
            guide.warn(f"The picture from after the write could not be kept: {error.sentence}")
            return None
    return picture


# --- the state it was left in -------------------------------------------------------------------


def broke_off(patient: Patient, written: Written, touches: Sequence[Touch], flow: str) -> Outcome:
    """The verdict of a change that did not end well: what is in, what is not, what is lost."""
    error, now = written.error, written.picture
    assert error is not None
    advice = f"{error.advice} Then run {flow} again: it goes on from what it finds.".strip()
    if now is None:
        state = "What its store holds now is not known; the picture from before is in the record."
        return Outcome(Verdict.UNFINISHED, f"{error.sentence} {state}", advice, damage=Damage.HALF)
    # Not by the list alone: one that was not sent yet and has no digest looks like one that was.
    shown = [touch for touch in written.sent if touch.shows(now.find(*touch.pair))]
    untold = [touch for touch in shown if _is_untold(now.find(*touch.pair))]
    moved = now.since(patient.picture)
    if not moved and not untold:
        state, damage = "The store is as it was before.", Damage.NOTHING
    else:
        done = ", ".join(touch.name for touch in shown if touch not in untold)
        state = f"Done: {done or 'nothing'}; {len(touches) - len(shown)} still to do."
        state += _not_known(untold)
        touched = {touch.pair for touch in touches}
        lost = [entry for entry in moved.vanished if entry.pair not in touched]
        state += f" LOST: {names(lost)}." if lost else ""
        damage = Damage.HALF
    proof = (f"Before: {patient.picture}", f"After: {now}", f"Difference: {moved}")
    return Outcome(Verdict.UNFINISHED, f"{error.sentence} {state}", advice, proof, damage=damage)


def _is_untold(entry: Entry | None) -> bool:
    return entry is not None and not entry.digest


def _not_known(untold: Sequence[Touch]) -> str:
    if not untold:
        return ""
    listed = ", ".join(touch.name for touch in untold)
    return f" {listed} was sent; the modem tells no digest, so what is there now is not known."
