"""Memory is rewritten: erase, write, read back, compare; the stretch that cannot be undone.

The rule: each touched page is erased once; an erase that was taken and never ends is the proof
and is not repeated; what the device itself refuses is not called lost, nor sent again; done is
said at the read-back, never at the last transfer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import TypeVar

from console.errors import BeyondRepair, DeviceError, Refused, Silent
from console.events import Damage, Verdict
from console.families.particle.client import UNLOCK, Memories
from console.families.particle.platforms import Place, Platform
from console.flow import Outcome, Step
from console.guide import Guide
from console.protocols.dfu import MEMORY_FAULTS, Status
from console.protocols.dfufile import Element
from console.protocols.dfuse import WATCHDOG, Progress

T = TypeVar("T")

Perform = Callable[[Guide], Outcome]

DIFFERS = "read-back differs"
TRIES = 2


def one_way(step: str, title: str, usual: str, safe: str) -> Step:
    """A step that cannot be undone: pulled now, contents are gone and the bootloader lives."""
    return Step(step, title, usual, undoable=False, damage=Damage.HALF, safe=safe)


def leaving(what: str) -> Step:
    """The step after the read-back, when nothing can be lost any more."""
    safe = f"{what} is written and compared. Nothing is lost if you pull it now."
    return Step("leave", "Start its firmware", usual="3 s", safe=safe)


@dataclass(frozen=True)
class Stretch:
    """The one-way steps of a plan and the words that go with them."""

    erase: Step
    write: Step
    compare: Step
    doing: str
    lost: str
    flow: str


@dataclass(frozen=True)
class Change:
    """What is done to one memory: pages erased, elements written, and how it reads then.

    `remark` is what has to be said of it before the consent, if anything.
    """

    alternate: int
    memory: str
    pages: tuple[int, ...]
    written: tuple[Element, ...] = field(repr=False)
    expected: tuple[Element, ...] = field(repr=False)
    remark: str = ""

    @property
    def size(self) -> int:
        return sum(len(element.data) for element in self.written)


# --- what the device itself refuses ---------------------------------------------------------

_WISH_REFUSED = frozenset(
    status.name for status in (Status.errTARGET, Status.errADDRESS, Status.errVENDOR)
)
"""The statuses that accuse what was asked for; it was not done (DfuSe 1.1a: errVENDOR, locked)."""


class _Untouched(Refused):
    """The first change of all was refused, so nothing is lost."""


def says_what_is_lost(perform: Perform) -> Perform:
    """The flow, whose end says that nothing is lost where the device refused the first change."""

    @wraps(perform)
    def performed(guide: Guide) -> Outcome:
        try:
            return perform(guide)
        except _Untouched as error:
            # The step was one that could have cost the contents; this once it did not.
            damage = Damage.NOTHING
            return Outcome(Verdict.UNFINISHED, error.sentence, error.advice, damage=damage)

    return performed


def _refuses_wish(error: Refused) -> bool:
    return error.code.split(" ")[0] in _WISH_REFUSED


def _way_on(error: Refused) -> str:
    locked = error.code.startswith(Status.errVENDOR.name)
    return UNLOCK if locked else Refused.advice_by_default


def _untouched(error: Refused) -> _Untouched:
    advice = f"Nothing is written. {_way_on(error)}"
    return _Untouched(error.sentence, advice, code=error.code)


# --- the stretch ----------------------------------------------------------------------------


def rewrite(
    guide: Guide,
    memory: Memories,
    stretch: Stretch,
    changes: tuple[Change, ...],
    facts: tuple[str, ...] = (),
) -> None:
    """Make the memories read as they should; once more if one errs. Raises BeyondRepair."""
    faults: list[str] = []
    while len(faults) < TRIES:
        try:
            return _once(guide, memory, stretch, changes, facts)
        except Refused as error:
            if not accuses_memory(error):
                raise
            faults.append(f"Try {len(faults) + 1}: {error.sentence} ({error.code})")
            memory.set_every_address()
    raise BeyondRepair(
        f"The {changes[0].memory} does not keep what is written to it: this is the hardware.",
        "You can unplug it. Replace the unit, and hand over this record as the evidence.",
        proof=(*facts, *faults),
    )


def accuses_memory(error: Refused) -> bool:
    return error.code == DIFFERS or error.code.split(" ")[0] in MEMORY_FAULTS


def _once(
    guide: Guide,
    memory: Memories,
    stretch: Stretch,
    changes: tuple[Change, ...],
    facts: tuple[str, ...],
) -> None:
    advice = how_to_go_on(memory.platform, stretch.lost, stretch.flow)
    told = partial(guide.progress, stretch.doing)
    do = partial(_guarded, memory, advice, stretch.lost)
    if any(change.pages for change in changes):
        guide.step(stretch.erase, do, _erase_all, memory, changes, facts, guide)
    guide.step(stretch.write, do, _write_all, memory, changes, told)
    guide.step(stretch.compare, do, _compare_all, memory, changes, guide, found=_identical)


def _identical(size: int) -> str:
    return "identical" if size < 0x10000 else f"identical, {size} bytes"


def how_to_go_on(platform: Platform, lost: str, flow: str) -> str:
    return (
        f"{lost} Plug it in, hold {platform.button}, tap RESET, let go of {platform.button} at "
        f"yellow, and run {flow} again."
    )


def _guarded(memory: Memories, advice: str, lost: str, work: Callable[..., T], *args: object) -> T:
    """Do the work; whatever ends it, the advice is how to go on from what it left."""
    try:
        return work(*args)
    except _Untouched:
        raise
    except Refused as error:
        if not _refuses_wish(error):
            error.advice = advice
        elif memory.touched:
            error.advice = f"{_way_on(error)} {lost}"
        else:
            raise _untouched(error) from error
        raise
    except DeviceError as error:
        error.advice = advice
        raise


def _erase_all(
    memory: Memories, changes: tuple[Change, ...], facts: tuple[str, ...], guide: Guide
) -> None:
    total = sum(len(change.pages) for change in changes)
    done = 0
    for change in changes:
        memory.choose(change.alternate)
        memory.rest()
        for page in memory.erasing_order(change.pages):
            erase_once(memory, page, f"page at 0x{page:X}", change.memory, facts)
            done += 1
            guide.progress("Erasing", done, total)


def erase_once(
    memory: Memories, address: int, what: str, where: str, facts: tuple[str, ...]
) -> None:
    """One erase. One that was taken and never ended is the proof, and is not sent again."""
    try:
        memory.erase(address)
    except Silent as error:
        if error.waited < WATCHDOG:
            raise
        waited = f"Erase of the {what}: no end within {error.waited:.1f} s."
        raise dead(where, *facts, waited, "No second erase was sent.") from error
    except Refused as error:
        if _refuses_wish(error) and not memory.touched:
            raise _untouched(error) from error
        raise


def dead(where: str, *proof: str) -> BeyondRepair:
    return BeyondRepair(
        f"The {where} does not answer: this is the hardware, not what it holds.",
        "You can unplug it. Replace the unit, and hand over this record as the evidence.",
        proof=proof,
    )


def _write_all(memory: Memories, changes: tuple[Change, ...], told: Progress) -> None:
    total = sum(change.size for change in changes)
    before = 0
    for change in changes:
        memory.choose(change.alternate)
        for element in change.written:
            memory.write(element.address, element.data, _offset(told, before, total))
            before += len(element.data)


def _offset(told: Progress, before: int, total: int) -> Progress:
    return lambda done, _: told(before + done, total)


def _compare_all(memory: Memories, changes: tuple[Change, ...], guide: Guide) -> int:
    """The bytes compared. Raises Refused if one of them is another."""
    total = sum(len(element.data) for change in changes for element in change.expected)
    told = partial(guide.progress, "Reading back")
    before = 0
    for change in changes:
        memory.choose(change.alternate)
        for element in change.expected:
            place = Place("range", element.address, len(element.data))
            _same(memory.read(place, _offset(told, before, total)), element)
            before += len(element.data)
    return total


def _same(back: bytes, element: Element) -> None:
    if back == element.data:
        return
    wrong = [at for at, (a, b) in enumerate(zip(back, element.data, strict=True)) if a != b]
    raise Refused(
        f"{len(wrong)} of {len(back)} bytes read back are not what was written, the first "
        f"at 0x{element.address + wrong[0]:X}.",
        "Leave it plugged in.",
        code=DIFFERS,
    )
