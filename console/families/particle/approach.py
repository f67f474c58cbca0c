"""What every flow begins with: into DFU mode by hand, identify, read before anything else.

The rule: nothing here writes. Every step can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from console.errors import GateClosed
from console.events import Device, Verdict
from console.families.particle import keys
from console.families.particle.client import KeyMemory, Probe
from console.families.particle.platforms import CORE, PLATFORMS, Platform, of_ids
from console.families.particle.typed import said_back
from console.flow import Kind, Outcome, Question, Step
from console.guide import Acts, Guide, Reconnect
from console.hardware.lines import ControlLine

WALK_LIMIT = 600.0

DEVICE_ID = Question(
    "device_id",
    Kind.TEXT,
    "The device id on the work order (24 digits of 0-9 and a-f)? Empty: not checked.",
    optional=True,
    of_the_unit=True,
)
JOB = Question("job", Kind.TEXT, "The number of the job? Empty: not checked.", optional=True)

WALK = Step("walk", "Bring it into DFU mode with its buttons", usual="under 10 s")
UNIT = Step("unit", "Compare the serial with the work order", usual="at once")
IDENTIFY = Step("identify", "Identify the bootloader and its memory", usual="under 1 s")
PROBE = Step("probe", "Read the memory that holds its keys", usual="under 2 s")


def hands(platform: Platform) -> tuple[str, ...]:
    """What the technician's hands do to bring it into DFU mode."""
    return (
        f"Hold {platform.button}.",
        f"Tap RESET and keep holding {platform.button}.",
        f"Let go of {platform.button} when the LED flashes yellow, after about 3 s.",
        "White is too far (factory reset): then tap RESET and begin again.",
    )


def platform_of(guide: Guide) -> Platform:
    """The row of the device; while it is not shown, a Core is what the words are for."""
    return _known(guide) or CORE


def _known(guide: Guide) -> Platform | None:
    return of_ids(guide.device.vid, guide.device.pid)


def not_there(platform: Platform) -> Outcome:
    return Outcome(
        Verdict.UNFINISHED,
        f"The {platform.short} did not appear in DFU mode within 10 minutes.",
        "Nothing is written. Try another cable and the port itself with another device, then run "
        f"again: hold {platform.button}, tap RESET, let go of {platform.button} at yellow.",
    )


def in_dfu_mode(guide: Guide) -> bool:
    """True once it is in DFU mode, walked there by its buttons if need be."""
    platform = _known(guide)
    if platform and guide.mode == platform.dfu.mode:
        return True
    wanted = (platform,) if platform else PLATFORMS
    short = platform.short if platform else "device"
    modes = (row.dfu.mode for row in wanted)
    with guide.expect(*modes, what=f"the {short} in DFU mode") as back:
        walk = hands(platform or CORE)
        return guide.step(WALK, _wait_for_hands, back, walk, found=_arrival) is not None


def _wait_for_hands(back: Reconnect, walk: tuple[str, ...]) -> Device | None:
    safe = "Nothing is written. You can pull it and plug it in again."
    return back.wait(limit=WALK_LIMIT, usual=10.0, hands=walk, safe=safe, acts=Acts.TOUCH)


def _arrival(came: Device | None) -> str:
    return f"in DFU mode, serial {came.serial or 'none'}" if came else "it did not appear"


@dataclass(frozen=True)
class WorkOrder:
    """What the technician brought along; empty where it was not."""

    identity: str
    job: str


def ask_order(guide: Guide) -> WorkOrder:
    """The work order, before anything else."""
    identity = guide.ask(DEVICE_ID)
    cleaned = well_formed(identity) if identity else ""
    return WorkOrder(cleaned, guide.ask(JOB) or "")


def check_unit(guide: Guide, order: WorkOrder) -> None:
    # Only the bootloader's serial tells the device id for sure, so this comes after the walk.
    if order.identity:
        serial = guide.device.serial
        guide.step(
            UNIT, same_unit, serial, order.identity, order.job, platform_of(guide), found=str
        )


def unit_name(guide: Guide, order: WorkOrder) -> str:
    """How the unit is named in what is handed over."""
    short = platform_of(guide).short
    return order.identity or f"the {short} with serial {guide.device.serial or 'unknown'}"


def identify(guide: Guide, line: ControlLine) -> KeyMemory:
    """The key memory of the device behind the line, at rest."""
    platform = platform_of(guide)
    return guide.step(
        IDENTIFY, KeyMemory.open, line, guide.pause, platform, found=lambda core: core.about
    )


def probe(guide: Guide, memory: KeyMemory) -> Probe:
    """Read before any erase: reading never hangs, and it tells blank from dead."""
    told = partial(guide.progress, f"Reading the {memory.platform.memory}")
    seen = guide.step(PROBE, memory.probe, told, found=lambda read: "; ".join(read.facts()))
    guide.tell(seen.private_key.sentence)
    guide.tell(seen.server_key.sentence)
    if seen.left_behind:
        guide.tell(
            f"{seen.left_behind} bytes behind the private-key slot are not blank.",
            "The firmware does not read them; a longer key was once written there.",
        )
    if not seen.suspicious and seen.factory is not None and keys.is_blank(seen.factory):
        guide.tell("The factory firmware is missing: a factory reset would find nothing.")
    return seen


OLD_SERIAL = "00000000010C"
"""What early bootloaders of the second generation show, all of them."""


def same_unit(serial: str, identity: str, job: str, platform: Platform = CORE) -> str:
    """That the serial belongs to the device id, as a sentence. Raises GateClosed if not."""
    whose = f"job {job}" if job else "the work order"
    if not serial or serial == OLD_SERIAL:
        raise GateClosed(
            "It shows no serial number of its own, so I cannot tell whether it is the unit of "
            f"{whose}.",
            "Nothing is written. Run again without a device id to go on unchecked.",
        )
    derived = platform.derives_serial
    expected = keys.serial_of(identity) if derived else identity.upper()
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
            f'"{said_back(answer)}" is not a device id: that has 24 digits of 0-9 and a-f.',
            "Nothing is written. Copy it from the work order; the serial number is another thing.",
        )
    return identity
