"""A user PIN made usable again: a blocked one by the SO-PIN, a transport PIN by one of its own.

The rule: it is done when the new PIN opens the device, which is tried only once the device has
taken it: a wrong one would cost a try. No key is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from console.errors import DeviceError, GateClosed, Unplugged
from console.events import Verdict
from console.families.smartcardhsm.approach import (
    IDENTIFY,
    NEW_PIN,
    PIN,
    SO_PIN,
    SO_PIN_FORMAT,
    UNTOUCHED,
    Unit,
    ask_so_pin,
    opened,
    well_sized,
)
from console.families.smartcardhsm.client import SO, Pin
from console.flow import Flow, Outcome, Step
from console.guide import Guide
from console.protocols.apdu import Response

SET = Step(
    "set",
    "Set the new PIN",
    usual="under 1 s",
    undoable=False,
    safe="The keys are not touched. Leave it plugged in for a second.",
)
PROVE = Step("prove", "Open it with the new PIN", usual="under 1 s", safe="Nothing can be lost.")
TRANSPORT = replace(
    PIN, ask="The transport PIN, from its letter? It tells no tries: read it twice. Sent once."
)


@dataclass(frozen=True)
class Said:
    """What the device answered, and how its PINs stand then; `code` is "" where it was lost."""

    code: str
    pin: Pin
    so_pin: Pin

    @property
    def ok(self) -> bool:
        return self.code == "9000"

    @property
    def words(self) -> str:
        answered = f"refused ({self.code})" if self.code else "the answer was lost"
        answered = "done" if self.ok else answered
        return f"{answered}; user PIN {self.pin.words}, SO-PIN {self.so_pin.words}"


def unblock(guide: Guide) -> Outcome:
    with opened(guide) as unit:
        _may(unit)
        if unit.pin.transport:
            pin, said = _from_transport(guide, unit)
        else:
            pin, said = _by_so_pin(guide, unit)
        guide.step(PROVE, _prove, unit, pin, said, found=lambda words: words)
    return Outcome(
        Verdict.REPAIRED,
        f"{unit.name} opens with the new PIN; its keys are as they were.",
        f"SO-PIN: {said.so_pin.words}.",
    )


def _may(unit: Unit) -> None:
    if not unit.pin.initialised:
        raise GateClosed("This device was never initialised.", "Run reset to initialise it.")
    if not unit.hsm.application.may_unblock and not unit.pin.transport:
        raise GateClosed(
            "This device was set up so that the SO-PIN cannot reset the user PIN.",
            f"{UNTOUCHED} Only reset makes it usable again, and that deletes its keys.",
        )


def _by_so_pin(guide: Guide, unit: Unit) -> tuple[bytes, Said]:
    code = ask_so_pin(guide, unit)
    pin = well_sized(guide, NEW_PIN)
    said = guide.step(SET, _set, unit, lambda: unit.hsm.unblock(code, pin), found=_words)
    spent = (said.so_pin.tries or 0) < (unit.so_pin.tries or 0)
    if not said.ok and (spent or said.so_pin.blocked):
        raise GateClosed(
            f"The device did not take that SO-PIN; {said.so_pin.words}.",
            f"User PIN: {said.pin.words}, as before; the keys are there. Was it the other format?",
        )
    _taken(said, unit.pin.blocked and not said.pin.blocked)
    return pin, said


def _from_transport(guide: Guide, unit: Unit) -> tuple[bytes, Said]:
    """CHANGE REFERENCE DATA, which is all that a PIN in that state allows (reference 2.3)."""
    old = well_sized(guide, TRANSPORT)
    pin = well_sized(guide, NEW_PIN)
    said = guide.step(SET, _set, unit, lambda: unit.hsm.change(old, pin), found=_words)
    if said.code.startswith("63C"):
        raise GateClosed(
            f"That is not the transport PIN; {int(said.code[3], 16)} tries left.",
            "The PIN is as before, the keys are there. Read the letter again before another try.",
        )
    _taken(said, not said.pin.transport and not said.pin.blocked)
    return pin, said


def _set(unit: Unit, send: Callable[[], Response]) -> Said:
    """A lost answer proves nothing in either direction: how the PINs stand afterwards is read."""
    try:
        code = send().code
    except Unplugged:
        raise
    except DeviceError:
        code = ""
    return Said(code, unit.hsm.pin(), unit.hsm.pin(SO))


def _words(said: Said) -> str:
    return said.words


def _taken(said: Said, changed: bool) -> None:
    """Raises GateClosed unless the device has taken the new PIN."""
    if not said.ok and not changed:
        raise GateClosed(
            f"The device did not set the new PIN: {said.words}.",
            "The keys are there. The new PIN was not tried, since a wrong one costs a try.",
        )


def _prove(unit: Unit, pin: bytes, said: Said) -> str:
    state = unit.hsm.verify(pin)
    if not state.verified:
        raise GateClosed(
            f"The new PIN does not open it; user PIN {state.words}, SO-PIN {said.so_pin.words}.",
            "The keys are there. Export the log before anybody tries again.",
        )
    return "it opens"


UNBLOCK = Flow(
    name="unblock",
    title="Set a new user PIN",
    about="By the SO-PIN, whose tries are counted first, where the device was initialised to "
    "allow it; or by its transport PIN. Opens the device with the new PIN. Keys stay.",
    plan=(IDENTIFY, SET, PROVE),
    perform=unblock,
    questions=(SO_PIN_FORMAT, SO_PIN, PIN, NEW_PIN),
    ready=("The SO-PIN, and whether it is 8 characters or 16 hex digits; or the transport PIN.",),
)
