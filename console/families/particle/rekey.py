"""The repair of a Core's identity: a new private key, written, read back and compared.

The rule: read before any erase; the backup is raw bytes and never has to parse; an erase that
hangs is the proof and is not repeated; done is said at the read-back, not at the reconnect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from console.errors import BeyondRepair, DeviceError, RecordError, Refused, Silent, Stopped
from console.events import ArtefactKept, Damage, Verdict
from console.families.particle import keys
from console.families.particle.approach import (
    IDENTIFY,
    NOT_THERE,
    PROBE,
    WALK,
    identify,
    in_dfu_mode,
    probe,
    same_unit,
    well_formed,
)
from console.families.particle.check import PEM, RESTORE_SERVER_KEY
from console.families.particle.client import KeyMemory, Place, Probe
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide, Reconnect
from console.protocols.dfu import MEMORY_FAULTS
from console.protocols.dfuse import WATCHDOG

T = TypeVar("T")

SLOT_BACKUP = "private-key-slot.bin"
REST_BACKUP = "private-key-page-rest.bin"
DIFFERS = "read-back differs"
TRIES = 2
BACK_USUAL, BACK_LIMIT = 3.0, 20.0

DEVICE_ID = Question(
    "device_id",
    Kind.TEXT,
    "The device id on the work order (24 digits of 0-9 and a-f)? Empty: not checked.",
    optional=True,
)
JOB = Question("job", Kind.TEXT, "The number of the job? Empty: not checked.", optional=True)
CONFIRM = Question(
    "confirm_erase", Kind.CONFIRM, "Erase the private-key slot and write a key into it?"
)

_ALIVE = "Its key is gone until it is read back; its bootloader stays alive. Do not unplug it."

UNIT = Step("unit", "Compare the serial with the work order", usual="at once")
BACKUP = Step("backup", "Back up the raw bytes of the slot", usual="at once")
TRIAL = Step(
    "trial",
    "Erase one unused page, to tell an erased memory from a dead one",
    usual="under 1 s; a dead memory shows within 10 s",
    undoable=False,
    damage=Damage.HALF,
    safe="Only a page that nobody uses is erased; its bootloader stays alive. Do not unplug it.",
)
ERASE = Step(
    "erase",
    "Erase the page of the private key",
    usual="under 1 s",
    undoable=False,
    damage=Damage.HALF,
    safe=_ALIVE,
)
WRITE = Step(
    "write",
    "Write the key",
    usual="under 1 s",
    undoable=False,
    damage=Damage.HALF,
    safe=_ALIVE,
)
COMPARE = Step(
    "compare",
    "Read the key back and compare",
    usual="under 1 s",
    undoable=False,
    damage=Damage.HALF,
    safe=_ALIVE,
)
LEAVE = Step(
    "leave",
    "Start its firmware",
    usual="3 s",
    safe="The key is written and compared. Nothing is lost if you pull it now.",
)


@dataclass(frozen=True)
class WorkOrder:
    """What the technician brought along; empty where it was not."""

    identity: str
    job: str


def _same_key(seen: Probe) -> bool:
    """Is the key there, and only its format wrong? Then the cloud may know it already."""
    found = seen.private_key
    return found.content is keys.Content.PKCS8 and keys.fits(found.key, len(seen.slot))


def _new_page(seen: Probe, rest: bytes) -> bytes:
    """The page as it has to read afterwards: the key put right, or a new one; then the rest."""
    key = seen.private_key.key if _same_key(seen) else keys.new_private_key()
    assert keys.fits(key, len(seen.slot))
    return key.ljust(len(seen.slot), b"\xff") + rest


def rekey(guide: Guide) -> Outcome:
    order = _ask(guide)
    if not in_dfu_mode(guide):
        return NOT_THERE
    _check_unit(guide, order)
    # Its firmware may show another serial; this is the one that the bootloader has.
    unit = order.identity or f"the Core with serial {guide.device.serial or 'unknown'}"
    with guide.control() as line:
        memory = identify(guide, line)
        seen = probe(guide, memory)
        saved = _back_up(guide, seen)
        guide.ask(CONFIRM, _consent(seen))
        # It may have been pulled while the question was open: better seen before the erase.
        memory.rest()
        if seen.suspicious:
            _tell_erased_from_dead(guide, memory, seen)
        pem = _replace(guide, memory, seen, saved.rest)
        _keep_public(guide, pem)
        with guide.expect("app", what="the Core with its firmware") as back:
            _leave(guide, memory)
    _see_it_back(guide, back)
    return _repaired(guide, seen, unit)


# --- before anything is written ------------------------------------------------------------


def _ask(guide: Guide) -> WorkOrder:
    identity = guide.ask(DEVICE_ID)
    cleaned = well_formed(identity) if identity else ""
    return WorkOrder(cleaned, guide.ask(JOB) or "")


def _check_unit(guide: Guide, order: WorkOrder) -> None:
    # Only the bootloader's serial derives from the device id, so this comes after the walk.
    if order.identity:
        serial = guide.device.serial
        guide.step(UNIT, same_unit, serial, order.identity, order.job, found=str)


@dataclass(frozen=True)
class Saved:
    """The backups: of the slot, and of the rest of its page as it was before any repair."""

    slot: ArtefactKept
    rest: bytes = field(repr=False)


def _back_up(guide: Guide, seen: Probe) -> Saved:
    return guide.step(BACKUP, _keep_raw, guide, seen, found=_kept_words)


def _keep_raw(guide: Guide, seen: Probe) -> Saved:
    kept, slot = guide.back_up(SLOT_BACKUP, seen.slot, "The raw private-key slot, as found.")
    # Another first backup means that an earlier run has been here and may have erased the page.
    if slot == seen.slot and keys.is_blank(seen.rest):
        return Saved(kept, seen.rest)
    about = "The rest of the page of the private key."
    return Saved(kept, guide.back_up(REST_BACKUP, seen.rest, about)[1])


def _kept_words(saved: Saved) -> str:
    kept = saved.slot
    return f"{kept.name} in the vault, {kept.size} bytes, SHA-256 {kept.sha256[:16]}..."


def _consent(seen: Probe) -> str:
    if _same_key(seen):
        after = "The same key is written again in the right format."
    else:
        after = "A new key is written, and the cloud will not know it until it is registered."
    return f"{seen.private_key.sentence} {CONFIRM.ask} {after} The raw bytes are backed up."


# --- the stretch that cannot be undone ------------------------------------------------------


def _tell_erased_from_dead(guide: Guide, memory: KeyMemory, seen: Probe) -> None:
    guide.tell(
        "The external memory reads the same everywhere: it is erased, or it does not answer.",
        "One erase of a page that nobody uses tells which. Leave it plugged in.",
    )
    guide.step(TRIAL, _trial, memory, seen, found=lambda _: "it erases, so it was only empty")


def _trial(memory: KeyMemory, seen: Probe) -> None:
    spare = seen.platform.spare
    try:
        _erase(memory, spare, seen)
    except Refused as error:
        if error.code.split(" ")[0] not in MEMORY_FAULTS:
            raise
        raise _dead(seen, f"Erase of the {spare}: {error.sentence} ({error.code}).") from error
    if not keys.is_blank(memory.read(spare)):
        raise _dead(seen, f"Erase of the {spare}: reported as done, but it does not read FF.")


def _erase(memory: KeyMemory, place: Place, seen: Probe) -> None:
    """One erase. One that was taken and never ended is the proof, and is not sent again."""
    memory.rest()
    try:
        memory.erase(place)
    except Silent as error:
        if error.waited < WATCHDOG:
            raise
        raise _dead(
            seen,
            f"Erase of the {place}: no end within {error.waited:.1f} s.",
            "No second erase was sent.",
        ) from error


def _dead(seen: Probe, *facts: str) -> BeyondRepair:
    return BeyondRepair(
        "The external memory does not answer: this is the hardware, not the key.",
        "You can unplug it. Replace the unit, and hand over this record as the evidence.",
        proof=(*seen.facts(), *facts),
    )


def _replace(guide: Guide, memory: KeyMemory, seen: Probe, rest: bytes) -> bytes:
    """Erase, write, read back, compare; once more if the memory errs. The public key's PEM."""
    new = _new_page(seen, rest)
    faults: list[str] = []
    while len(faults) < TRIES:
        try:
            return _replace_once(guide, memory, seen, new)
        except Refused as error:
            if error.code != DIFFERS and error.code.split(" ")[0] not in MEMORY_FAULTS:
                raise
            faults.append(f"Try {len(faults) + 1}: {error.sentence} ({error.code})")
    raise BeyondRepair(
        "The external memory does not keep what is written to it: this is the hardware.",
        "You can unplug it. Replace the unit, and hand over this record as the evidence.",
        proof=(*seen.facts(), *faults),
    )


def _replace_once(guide: Guide, memory: KeyMemory, seen: Probe, new: bytes) -> bytes:
    page = seen.platform.page
    told = partial(guide.progress, "Writing the key")
    # The rest of the page was erased with the slot; where it was blank it is right already.
    size = len(seen.slot)
    part = new[:size] if keys.is_blank(new[size:]) else new
    guide.step(ERASE, _guarded, _erase, memory, page, seen)
    guide.step(WRITE, _guarded, memory.write, page, part, told)
    pem: bytes = guide.step(COMPARE, _guarded, _compare, memory, new, found=_identical)
    return pem


def _identical(_: bytes) -> str:
    return "identical"


def _guarded(work: Callable[..., T], *args: object) -> T:
    """Do the work; whatever ends it, the advice is how to go on from a slot that may be empty."""
    try:
        return work(*args)
    except DeviceError as error:
        error.advice = (
            "The slot may be empty now; its bootloader is alive and the backup is safe. Plug it "
            "in, hold MODE, tap RESET, let go of MODE at yellow, and run rekey again."
        )
        raise


def _compare(memory: KeyMemory, new: bytes) -> bytes:
    """The PEM of the key read back. Raises Refused if one byte of the page is another."""
    page = memory.platform.page
    back = memory.read(page)
    wrong = [at for at, (a, b) in enumerate(zip(back, new, strict=True)) if a != b]
    if wrong:
        raise Refused(
            f"{len(wrong)} of {len(back)} bytes read back are not what was written, the first "
            f"at 0x{page.address + wrong[0]:X}.",
            "Leave it plugged in.",
            code=DIFFERS,
        )
    return keys.public_pem(keys.private_slot(back[: memory.platform.private.size]).key)


# --- after the read-back: the repair is done, whatever happens now ---------------------------


def _keep_public(guide: Guide, pem: bytes) -> None:
    try:
        guide.keep(PEM, pem, "The public key, still to be registered by the customer.")
    except RecordError as error:
        guide.warn(
            f"The key is in, but its public half could not be kept: {error.sentence}",
            "Make room and run check: it reads the public key from the Core again.",
        )


def _leave(guide: Guide, memory: KeyMemory) -> None:
    try:
        guide.step(LEAVE, memory.leave, found=str)
    except (DeviceError, Stopped) as error:
        guide.tell(f"The key is in. Starting the firmware ended early: {error.sentence}")


def _see_it_back(guide: Guide, back: Reconnect) -> None:
    try:
        came = back.wait(limit=BACK_LIMIT, usual=BACK_USUAL, safe=LEAVE.safe)
    except Stopped:
        came = None
    if came is None:
        guide.warn(
            "It was not seen on USB with its firmware; the key is written and compared.",
            "Many firmwares show nothing on USB. Look at the LED: breathing cyan is well, "
            "flashing yellow is still DFU (tap RESET), fast cyan then red is a key that the "
            "cloud does not know yet.",
        )


def _repaired(guide: Guide, seen: Probe, unit: str) -> Outcome:
    same_key = _same_key(seen)
    register = f"{PEM} is still to be registered by the customer for {unit}."
    if same_key:
        register = f"If the key was never registered: {register}"
    to_do = [register]
    if seen.server_key.content is not keys.Content.VALID:
        guide.warn(seen.server_key.sentence, RESTORE_SERVER_KEY)
        to_do.append(RESTORE_SERVER_KEY)
    what = "its key in the format that the firmware reads" if same_key else "a new private key"
    return Outcome(
        Verdict.REPAIRED,
        f"The Core has {what}, read back byte for byte.",
        "Breathing cyan on the LED is well. Fast cyan then red: the key is not registered yet.",
        to_do=tuple(to_do),
    )


REKEY = Flow(
    name="rekey",
    title="Give it a new private key",
    about="Backs up the key slot, erases it, writes an RSA-1024 key that the firmware can read, "
    "and compares what it wrote. The public key still has to be registered.",
    plan=(WALK, UNIT, IDENTIFY, PROBE, BACKUP, TRIAL, ERASE, WRITE, COMPARE, LEAVE),
    perform=rekey,
    questions=(DEVICE_ID, JOB, CONFIRM),
    ready=(
        "The work order with the 24-digit device id.",
        "The Core in reach: its buttons may be needed.",
    ),
    hands="buttons, if it is not in DFU mode yet",
    keeps="The raw key slot in the vault, never exported; the public key in the report.",
)
