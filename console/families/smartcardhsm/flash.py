"""Firmware: what can be had, where, what it deletes, and which export has to exist first.

The rule: nothing is written here, because nothing can be: updates go through the vendor's portal.
"""

from __future__ import annotations

from console.events import Verdict
from console.families.smartcardhsm.approach import IDENTIFY, LOOK, look, opened
from console.families.smartcardhsm.check import facts, keep_passport
from console.families.smartcardhsm.models import FIXED, PORTAL, TRAP
from console.flow import Flow, Outcome
from console.guide import Guide


def flash(guide: Guide) -> Outcome:
    with opened(guide) as unit:
        held = look(guide, unit)
    keep_passport(guide, unit, held)
    version, proof = unit.hsm.version, facts(unit, held)
    guide.tell(f"{version.line} {version.never}")
    if version.strange:
        return Outcome(
            Verdict.NO_FAULT,
            f"Firmware {version} is of another maker than the lines that are known here.",
            "Ask its own vendor for updates. Run backup first: most delete every key.",
            proof,
        )
    if version.major < 3:
        return Outcome(
            Verdict.NO_FAULT,
            f"Firmware {version} is on the line that has ended: there is no update for it.",
            "What needs 3.x needs a new HSM 2: run backup here, restore there.",
            proof,
        )
    need = (
        f"Before the update: run backup, then restore it onto a second device ({held.words} here).",
        "After it: run reset, then restore; the device certificate will be another.",
    )
    if version.pair < FIXED:
        return Outcome(
            Verdict.UNFINISHED,
            f"Firmware {version} should be updated. {TRAP}"
            if version.loses_listed_keys
            else f"Firmware {version} should be updated.",
            f"It is had at {PORTAL}, online only. It deletes every key and the device's identity. "
            "Replug cannot write it.",
            proof,
            need,
        )
    return Outcome(
        Verdict.NO_FAULT,
        f"Firmware {version} has no fault that is known here.",
        f"A later one, if any, is had at {PORTAL}; it deletes every key and the identity.",
        proof,
        need,
    )


FLASH = Flow(
    name="flash",
    title="Firmware: what can be updated, and how",
    about="Reads the version and says where an update is had, what it deletes and what has to be "
    "exported first. Replug itself writes no firmware to this device.",
    plan=(IDENTIFY, LOOK),
    perform=flash,
    keeps="The device passport, to compare with after the update.",
)
