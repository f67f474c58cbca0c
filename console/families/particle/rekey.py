"""The repair of a Core's identity: a new private key, written, read back and compared.

The rule: read before any erase; the backup is raw bytes and never has to parse; an erase that
hangs is the proof and is not repeated; done is said at the read-back, not at the reconnect.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from console.errors import DeviceError, RecordError, Refused, Stopped
from console.events import ArtefactKept, Verdict
from console.families.particle import keys
from console.families.particle.approach import (
    DEVICE_ID,
    IDENTIFY,
    JOB,
    PROBE,
    UNIT,
    WALK,
    ask_order,
    check_unit,
    identify,
    in_dfu_mode,
    not_there,
    platform_of,
    probe,
    unit_name,
)
from console.families.particle.check import PEM, RESTORE_SERVER_KEY
from console.families.particle.client import KeyMemory, Memories, Probe
from console.families.particle.platforms import Place, Platform
from console.families.particle.rewrite import (
    Change,
    Stretch,
    accuses_memory,
    dead,
    erase_once,
    leaving,
    one_way,
    rewrite,
    says_what_is_lost,
)
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide, Reconnect
from console.protocols.dfufile import Element

SLOT_BACKUP = "private-key-slot.bin"
REST_BACKUP = "private-key-page-rest.bin"
BACK_USUAL, BACK_LIMIT = 3.0, 20.0

CONFIRM = Question(
    "confirm_erase", Kind.CONFIRM, "Erase the private-key slot and write a key into it?"
)

_ALIVE = "Its key is gone until it is read back; its bootloader stays alive. Do not unplug it."
_LOST = "The slot may be empty now; its bootloader is alive and the backup is safe."

BACKUP = Step("backup", "Back up the raw bytes of the slot", usual="at once")
TRIAL = one_way(
    "trial",
    "Erase one unused page, to tell an erased memory from a dead one",
    "under 1 s; a dead memory shows within 10 s",
    "Only a page that nobody uses is erased; its bootloader stays alive. Do not unplug it.",
)
ERASE = one_way("erase", "Erase the page of the private key", "under 1 s", _ALIVE)
WRITE = one_way("write", "Write the key", "under 1 s", _ALIVE)
COMPARE = one_way("compare", "Read the key back and compare", "under 1 s", _ALIVE)
LEAVE = leaving("The key")
STRETCH = Stretch(ERASE, WRITE, COMPARE, "Writing the key", _LOST, "rekey")


@dataclass(frozen=True)
class Chosen:
    """The key that goes into the slot (none: a new one), as the consent and the verdict say it."""

    after: str
    what: str
    key: bytes = field(default=b"", repr=False)

    def slot(self, platform: Platform) -> bytes:
        """The key, new if need be, as it fills the slot."""
        key = self.key or keys.new_private_key(platform.form)
        assert keys.fits(key, platform.private.size, platform.form)
        return key.ljust(platform.private.size, b"\xff")


NEW = Chosen(
    "A new key is written, and the cloud will not know it until it is registered.",
    "a new private key",
)


def choose(seen: Probe, first: keys.Finding) -> Chosen:
    """A good key stays the key, for the cloud may know it: in the slot, or in the first backup.

    An earlier run that broke off may have erased the slot, so the backup is looked at first.
    """
    for found in (first, seen.private_key):
        if found.content is keys.Content.PKCS8 and _fits(found, seen.platform):
            return Chosen(
                "The same key is written again in the right format.",
                "its key in the format that the firmware reads",
                found.key,
            )
    lost = seen.private_key.content is not keys.Content.VALID
    if lost and first.content is keys.Content.VALID and _fits(first, seen.platform):
        return Chosen(
            "The valid key of the backup is written again; for a new one run rekey once more.",
            "the key of its backup",
            first.key,
        )
    return NEW


def _fits(found: keys.Finding, platform: Platform) -> bool:
    return keys.fits(found.key, platform.private.size, platform.form)


@says_what_is_lost
def rekey(guide: Guide) -> Outcome:
    order = ask_order(guide)
    if not in_dfu_mode(guide):
        return not_there(platform_of(guide))
    platform = platform_of(guide)
    check_unit(guide, order)
    # Its firmware may show another serial; this is the one that the bootloader has.
    unit = unit_name(guide, order)
    with guide.control() as line:
        memory = identify(guide, line)
        seen = probe(guide, memory)
        saved = back_up_slot(guide, seen)
        chosen = choose(seen, saved.found)
        guide.ask(CONFIRM, _consent(seen, chosen))
        # It may have been pulled while the question was open: better seen before the erase.
        memory.rest()
        new = chosen.slot(platform)
        put_key(guide, memory, seen, STRETCH, new + saved.rest)
        keep_public(guide, new, platform)
        with guide.expect(platform.app.mode, what=with_firmware(platform)) as back:
            leave(guide, memory, "The key is in.", LEAVE)
    see_it_back(guide, back, "the key is written and compared", LEAVE)
    return _repaired(guide, seen, unit, chosen)


def with_firmware(platform: Platform) -> str:
    return f"the {platform.short} with its firmware"


# --- before anything is written ------------------------------------------------------------


@dataclass(frozen=True)
class Saved:
    """The backup of the slot, the rest of its page as it shall be again, and what it holds."""

    slot: ArtefactKept
    rest: bytes = field(repr=False)
    found: keys.Finding


def back_up_slot(guide: Guide, seen: Probe) -> Saved:
    return guide.step(BACKUP, _keep_raw, guide, seen, found=_kept_words)


def _keep_raw(guide: Guide, seen: Probe) -> Saved:
    about = "The raw private-key slot, as found."
    kept, slot = guide.back_up(SLOT_BACKUP, seen.slot, about)
    # Another first backup means that an earlier run has been here and may have erased the page.
    if slot == seen.slot and keys.is_blank(seen.rest):
        return Saved(kept, seen.rest, seen.private_key)
    about = "The rest of the page of the private key."
    rest = guide.back_up(REST_BACKUP, seen.rest, about)[1]
    found = keys.private_slot(slot, seen.platform.form, rest)
    return Saved(kept, _tidied(found, slot, rest), found)


def _tidied(found: keys.Finding, slot: bytes, rest: bytes) -> bytes:
    """The rest of the page, without the end of a key that was longer than its slot."""
    over = max(0, found.spread - len(slot))
    return b"\xff" * over + rest[over:]


def _kept_words(saved: Saved) -> str:
    kept = saved.slot
    return f"{kept.name} in the vault, {kept.size} bytes, SHA-256 {kept.sha256[:16]}..."


def _consent(seen: Probe, chosen: Chosen) -> str:
    return f"{seen.private_key.sentence} {CONFIRM.ask} {chosen.after} The raw bytes are backed up."


# --- the stretch that cannot be undone ------------------------------------------------------


def put_key(guide: Guide, memory: KeyMemory, seen: Probe, stretch: Stretch, page: bytes) -> None:
    """Make the page of the private key read as `page`."""
    platform = seen.platform
    change = page_change(platform, platform.page, platform.private.size, page, seen.page)
    put(guide, memory, seen, stretch, change)


def put(guide: Guide, memory: KeyMemory, seen: Probe, stretch: Stretch, change: Change) -> None:
    """Make the change; where everything reads alike, a dead memory is told from a blank one."""
    if seen.suspicious and seen.platform.spare is not None:
        _tell_erased_from_dead(guide, memory, seen)
    rewrite(guide, memory, stretch, (change,), seen.facts())


def page_change(platform: Platform, at: Place, size: int, page: bytes, before: bytes) -> Change:
    """The page as it shall read; its first `size` bytes are written, the rest if it differs."""
    rest = b"\xff" * (len(page) - size) if platform.erases else before[size:]
    part = page[:size] if page[size:] == rest else page
    return Change(
        platform.alternate,
        platform.memory,
        (at.address,) if platform.erases else (),
        (Element(at.address, part),),
        (Element(at.address, page),),
    )


def _tell_erased_from_dead(guide: Guide, memory: KeyMemory, seen: Probe) -> None:
    guide.tell(
        f"The {seen.platform.memory} reads the same everywhere: it is erased, or does not answer.",
        "One erase of a page that nobody uses tells which. Leave it plugged in.",
    )
    guide.step(TRIAL, _trial, memory, seen, found=lambda _: "it erases, so it was only empty")


def _trial(memory: KeyMemory, seen: Probe) -> None:
    spare, where = seen.platform.spare, seen.platform.memory
    assert spare is not None
    memory.rest()
    try:
        erase_once(memory, spare.address, str(spare), where, seen.facts())
    except Refused as error:
        if not accuses_memory(error):
            raise
        fact = f"Erase of the {spare}: {error.sentence} ({error.code})."
        raise dead(where, *seen.facts(), fact) from error
    if not keys.is_blank(memory.read(spare)):
        fact = f"Erase of the {spare}: reported as done, but it does not read FF."
        raise dead(where, *seen.facts(), fact)


# --- after the read-back: the repair is done, whatever happens now ---------------------------


def keep_public(guide: Guide, slot: bytes, platform: Platform) -> None:
    """Keep the public half of the key that is in the slot now."""
    pem = keys.public_pem(keys.private_slot(slot, platform.form).key)
    try:
        guide.keep(PEM, pem, "The public key, still to be registered by the customer.")
    except RecordError as error:
        guide.warn(
            f"The key is in, but its public half could not be kept: {error.sentence}",
            "Make room and run check: it reads the public key from the device again.",
        )


def leave(guide: Guide, memory: Memories, done: str, step: Step) -> None:
    """Start the firmware; what goes wrong here undoes nothing."""
    try:
        guide.step(step, memory.leave, found=str)
    except (DeviceError, Stopped) as error:
        guide.tell(f"{done} Starting the firmware ended early: {error.sentence}")


def see_it_back(guide: Guide, back: Reconnect, done: str, step: Step) -> bool:
    """Was it seen with its firmware? Where not, a warning and no failure.

    `step` is the flow's own last one: what it says of safety holds while this waits.
    """
    try:
        came = back.wait(limit=BACK_LIMIT, usual=BACK_USUAL, safe=step.safe)
    except Stopped:
        came = None
    if came is None:
        guide.warn(
            f"It was not seen on USB with its firmware; {done}.",
            "Many firmwares show nothing on USB. Look at the LED: breathing cyan is well, "
            "flashing yellow is still DFU (tap RESET), fast cyan then red is a key that the "
            "cloud does not know yet.",
        )
    return came is not None


def _repaired(guide: Guide, seen: Probe, unit: str, chosen: Chosen) -> Outcome:
    register = f"{PEM} is still to be registered by the customer for {unit}."
    if chosen is not NEW:
        register = f"If the key was never registered: {register}"
    to_do = [register]
    if seen.server_key.content is not keys.Content.VALID:
        guide.warn(seen.server_key.sentence, RESTORE_SERVER_KEY)
        to_do.append(RESTORE_SERVER_KEY)
    return Outcome(
        Verdict.REPAIRED,
        f"The {seen.platform.short} has {chosen.what}, read back byte for byte.",
        "Breathing cyan on the LED is well. Fast cyan then red: the key is not registered yet.",
        to_do=tuple(to_do),
    )


REKEY = Flow(
    name="rekey",
    title="Give it a new private key",
    about="Backs up the key slot, erases it, writes a key that the firmware can read (RSA-1024, "
    "or EC P-256 where the device speaks UDP), and compares what it wrote. The public key still "
    "has to be registered.",
    plan=(WALK, UNIT, IDENTIFY, PROBE, BACKUP, TRIAL, ERASE, WRITE, COMPARE, LEAVE),
    perform=rekey,
    questions=(DEVICE_ID, JOB, CONFIRM),
    ready=(
        "The work order with the 24-digit device id.",
        "The device in reach: its buttons may be needed.",
    ),
    hands="buttons, if it is not in DFU mode yet",
    keeps="The raw key slot in the vault, never exported; the public key in the report.",
)
