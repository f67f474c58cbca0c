"""A rehearsal: to the bootloader and back, nothing written; what a guest has to prove first."""

from __future__ import annotations

from console.errors import GateClosed, Silent
from console.events import Device, Verdict
from console.families.nitrokey3.approach import IDENTIFY, SAFE, identify
from console.families.nitrokey3.container import Chip
from console.families.nitrokey3.mboot import Mboot
from console.families.nitrokey3.rules import Found
from console.families.nitrokey3.walk import (
    STEADY,
    TO_LOADER,
    note_rehearsed,
    same_key,
    steady,
    to_loader,
    until_back,
)
from console.flow import Flow, Outcome, Step
from console.guide import Guide, Reconnect

RETURN = Step("return", "Back to its firmware", usual="under 10 s", safe=SAFE)
AGAIN = Step("again", "The same key, the same firmware?", usual="under 1 s")
WITHIN, BY_HAND = 30.0, 600.0


def rehearse(guide: Guide) -> Outcome:
    before = guide.step(IDENTIFY, identify, guide, found=lambda found: found.sentence)
    if before.loader:
        raise GateClosed(
            "It is in its bootloader already, and nobody knows whether it has a firmware.",
            "Run flash: it finishes what was begun. Rehearse with a key that works.",
        )
    to_loader(guide, before)
    loader = steady(guide)
    with guide.expect(before.product.mode_of_app(), what="its firmware") as back:
        came = guide.step(RETURN, _leave, guide, loader, back, found=_came)
    if came is None:
        raise Silent(
            "Its firmware did not come back. Nothing was written.",
            "Unplug it and plug it in. In a guest, have the host attach "
            f"{before.product.app_id} again.",
        )
    now = guide.step(AGAIN, identify, guide, found=lambda found: found.sentence)
    same_key(before, now)
    note_rehearsed(guide, loader)
    return Outcome(
        Verdict.NO_FAULT,
        "It went to its bootloader and came back, steady both times. Nothing was written.",
        "Flash may be run on this port now.",
        (f"before: {before.sentence}", f"bootloader: {loader.sentence}", f"now: {now.sentence}"),
    )


def _leave(guide: Guide, loader: Found, back: Reconnect) -> Device | None:
    if loader.chip is Chip.LPC55:
        with guide.hid() as line:
            guide.tell(Mboot(line, guide.pause).reset())
        return until_back(guide, back, loader.product, WITHIN, 3.0, SAFE)
    # The nRF52's bootloader knows no way back but its power.
    power = ("Pull it out.", "Plug it back in, same port.")
    return back.wait(limit=BY_HAND, usual=15.0, hands=power, safe=SAFE)


def _came(device: Device | None) -> str:
    return "its firmware is back" if device else "it did not come back"


REHEARSE = Flow(
    name="rehearse",
    title="Rehearse an update",
    about="To the bootloader and back, nothing written: shows that this machine does not lose the "
    "key on the way. In a guest, do it before the first flash on a port.",
    plan=(IDENTIFY, TO_LOADER, STEADY, RETURN, AGAIN),
    perform=rehearse,
    ready=("A key that works.",),
    hands="one touch; for the nRF52, pull it and plug it in",
    keeps="Everything: nothing is written.",
)
