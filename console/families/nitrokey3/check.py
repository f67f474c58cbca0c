"""The check: what the key says of itself, in words; it writes and resets nothing.

The rule: the chip is known before any advice is given.
"""

from __future__ import annotations

from console.events import Verdict
from console.families.nitrokey3.admin import Trouble
from console.families.nitrokey3.approach import IDENTIFY, identify
from console.families.nitrokey3.products import CHIP_NAMES
from console.families.nitrokey3.rules import Found
from console.flow import Flow, Outcome
from console.guide import Guide

REPAIRED_BY_RESET = Trouble.EXTERNAL_STORE | Trouble.EXTERNAL_FORMAT
RETURN_IT = "Return it to the vendor with this record: replug ticket last"


def check(guide: Guide) -> Outcome:
    found = guide.step(IDENTIFY, identify, guide, found=lambda found: found.sentence)
    if found.loader:
        return _in_bootloader(found)
    if found.status is None:
        guide.tell("Its firmware is too old to tell its status; that is no fault.")
    elif found.status.trouble:
        return _trouble(found)
    return Outcome(
        Verdict.NO_FAULT,
        f"The {found.product.short} runs {found.full_version} and says that all of it started.",
        "To see whether an application on it is at fault, check that: its card has a flow.",
        _facts(found),
    )


def _facts(found: Found) -> tuple[str, ...]:
    told = [found.sentence, *([found.told] if found.told else [])]
    if found.status and found.status.free_internal is not None:
        told.append(f"{found.status.free_internal} internal blocks free")
    if found.status and found.status.free_external is not None:
        told.append(f"{found.status.free_external} external blocks free")
    return tuple(told)


def _in_bootloader(found: Found) -> Outcome:
    chip = CHIP_NAMES[found.chip] if found.chip else ""
    return Outcome(
        Verdict.UNFINISHED,
        f"Fault found: it is in its {chip} bootloader, which answers. An update was begun and not "
        "finished, or somebody started the bootloader.",
        "Pull it and plug it in. If it is a bootloader again, its firmware is gone: run flash with "
        f"the file for the {chip}.",
        _facts(found),
    )


def _trouble(found: Found) -> Outcome:
    assert found.status is not None
    trouble = found.status.trouble
    advice = RETURN_IT
    if not trouble & ~REPAIRED_BY_RESET:
        advice = "A reset of the whole key formats that store anew; it erases everything on it."
    elif trouble == Trouble.MIGRATION:
        advice = "Flash the same version again and leave it plugged in while its light is on."
    return Outcome(
        Verdict.UNFINISHED,
        f"Fault found: {'; '.join(found.status.sentences)}.",
        advice,
        _facts(found),
    )


CHECK = Flow(
    name="check",
    title="Ask it how it is",
    about="Reads version, chip, UUID and status; in its bootloader, what that tells. Writes "
    "nothing.",
    plan=(IDENTIFY,),
    perform=check,
    hands="none",
    keeps="Everything: nothing on the key is changed.",
)
