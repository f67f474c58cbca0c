"""A blocked user PIN, made usable again by the SO-PIN, where the device was set up to allow it.

The rule: it is done when the new PIN opens the device. No key is touched.
"""

from __future__ import annotations

from console.errors import GateClosed
from console.events import Verdict
from console.families.smartcardhsm.approach import (
    IDENTIFY,
    NEW_PIN,
    SO_PIN,
    SO_PIN_FORMAT,
    UNTOUCHED,
    Unit,
    ask_so_pin,
    opened,
    well_sized,
)
from console.families.smartcardhsm.client import SO
from console.flow import Flow, Outcome, Step
from console.guide import Guide

SET = Step(
    "set",
    "Set the new PIN by the SO-PIN",
    usual="under 1 s",
    undoable=False,
    safe="The keys are not touched. Leave it plugged in for a second.",
)
PROVE = Step("prove", "Open it with the new PIN", usual="under 1 s", safe="Nothing can be lost.")


def unblock(guide: Guide) -> Outcome:
    with opened(guide) as unit:
        _may(unit)
        code = ask_so_pin(guide, unit)
        pin = well_sized(guide, NEW_PIN)
        said = guide.step(SET, unit.hsm.unblock, code, pin, found=lambda answer: answer.code)
        tries = unit.hsm.pin(SO).words
        if not said.ok and unit.hsm.pin().blocked:
            raise GateClosed(
                f"The device did not take that SO-PIN; {tries}.",
                "The user PIN is still blocked, the keys are there. Was it the other format?",
            )
        guide.step(PROVE, _prove, unit, pin, tries, found=lambda words: words)
    return Outcome(
        Verdict.REPAIRED,
        f"{unit.name} opens with the new PIN; its keys are as they were.",
        f"SO-PIN: {tries}.",
    )


def _may(unit: Unit) -> None:
    if not unit.hsm.application.may_unblock:
        raise GateClosed(
            "This device was set up so that the SO-PIN cannot reset the user PIN.",
            f"{UNTOUCHED} Only reset makes it usable again, and that deletes its keys.",
        )
    if not unit.pin.initialised:
        raise GateClosed("This device was never initialised.", "Run reset to initialise it.")


def _prove(unit: Unit, pin: bytes, tries: str) -> str:
    state = unit.hsm.verify(pin)
    if not state.verified:
        raise GateClosed(
            f"The new PIN does not open it; user PIN {state.words}, SO-PIN {tries}.",
            "The keys are there. Export the log before anybody tries again.",
        )
    return "it opens"


UNBLOCK = Flow(
    name="unblock",
    title="Set a new PIN by the SO-PIN",
    about="Counts the SO-PIN's tries first, sets a new user PIN, and opens the device with it. "
    "Keys stay. Only where the device was initialised to allow it.",
    plan=(IDENTIFY, SET, PROVE),
    perform=unblock,
    questions=(SO_PIN_FORMAT, SO_PIN, NEW_PIN),
    ready=("The SO-PIN, and whether it is 8 characters or 16 hex digits.",),
)
