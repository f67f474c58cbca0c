"""What check and rekey begin with: into DFU mode by hand, identify, read before anything else.

The rule: nothing here writes. Every step can be repeated.
"""

from __future__ import annotations

from functools import partial

from console.errors import GateClosed
from console.events import Device, Verdict
from console.families.particle import keys
from console.families.particle.client import KeyMemory, Probe
from console.flow import Outcome, Step
from console.guide import Acts, Guide, Reconnect
from console.hardware.lines import ControlLine

HANDS = (
    "Hold MODE.",
    "Tap RESET and keep holding MODE.",
    "Let go of MODE when the LED flashes yellow, after about 3 s.",
    "White is too far (factory reset): then tap RESET and begin again.",
)
WALK_LIMIT = 600.0

WALK = Step("walk", "Bring it into DFU mode with its buttons", usual="under 10 s")
IDENTIFY = Step("identify", "Identify the bootloader and its memory", usual="under 1 s")
PROBE = Step("probe", "Read the external memory at four places", usual="under 2 s")

NOT_THERE = Outcome(
    Verdict.UNFINISHED,
    "The Core did not appear in DFU mode within 10 minutes.",
    "Nothing is written. Try another cable and the port itself with another device, then run "
    "again: hold MODE, tap RESET, let go of MODE at yellow.",
)


def in_dfu_mode(guide: Guide) -> bool:
    """True once the Core is in DFU mode, walked there by its buttons if need be."""
    if guide.mode == "dfu":
        return True
    with guide.expect("dfu", what="the Core in DFU mode") as back:
        return guide.step(WALK, _wait_for_hands, back, found=_arrival) is not None


def _wait_for_hands(back: Reconnect) -> Device | None:
    safe = "Nothing is written. You can pull it and plug it in again."
    return back.wait(limit=WALK_LIMIT, usual=10.0, hands=HANDS, safe=safe, acts=Acts.TOUCH)


def _arrival(came: Device | None) -> str:
    return f"in DFU mode, serial {came.serial or 'none'}" if came else "it did not appear"


def identify(guide: Guide, line: ControlLine) -> KeyMemory:
    """The key memory of the Core behind the line, at rest."""
    return guide.step(IDENTIFY, KeyMemory.open, line, guide.pause, found=lambda core: core.about)


def probe(guide: Guide, memory: KeyMemory) -> Probe:
    """Read before any erase: reading never hangs, and it tells blank from dead."""
    told = partial(guide.progress, "Reading the external memory")
    seen = guide.step(PROBE, memory.probe, told, found=lambda read: "; ".join(read.facts()))
    guide.tell(seen.private_key.sentence)
    guide.tell(seen.server_key.sentence)
    if not seen.suspicious and keys.is_blank(seen.factory):
        guide.tell("The factory firmware is missing: a factory reset would find nothing.")
    return seen


def same_unit(serial: str, identity: str, job: str) -> str:
    """That the serial belongs to the device id, as a sentence. Raises GateClosed if not."""
    whose = f"job {job}" if job else "the work order"
    if not serial:
        raise GateClosed(
            f"It shows no serial number, so I cannot tell whether it is the unit of {whose}.",
            "Nothing is written. Run again without a device id to go on unchecked.",
        )
    expected = keys.serial_of(identity)
    if serial.upper() not in (expected, identity.upper()):
        raise GateClosed(
            f"This is not the unit of {whose}: it has serial {serial}, and device id {identity} "
            f"would have {expected}.",
            "Nothing is written. Compare the label with the work order, and take the right unit.",
        )
    return f"Serial {serial} belongs to device id {identity}."


def well_formed(answer: str) -> str:
    """The device id as typed, cleaned. Raises GateClosed if it cannot be one."""
    identity = keys.device_id(answer)
    if not identity:
        raise GateClosed(
            f'"{answer}" is not a device id: that has 24 digits of 0-9 and a-f.',
            "Nothing is written. Copy it from the work order; the serial number is another thing.",
        )
    return identity
