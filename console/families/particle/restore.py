"""What a device had, put back: a raw backup of its keys, or the vendor's server-key block.

The rule: a backup is checked by its digest and by the serial of the unit it was made of, before
anything is written; what is there now is backed up first. Bytes that are no key are put back as
they were, and are called no repair.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from console.errors import BadUsage, GateClosed
from console.events import Verdict
from console.families.particle import keys, serverkey
from console.families.particle.approach import (
    DEVICE_ID,
    IDENTIFY,
    JOB,
    OLD_SERIAL,
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
)
from console.families.particle.check import RESTORE_SERVER_KEY, RUN_REKEY
from console.families.particle.client import KeyMemory, Probe
from console.families.particle.platforms import Place, Platform
from console.families.particle.rekey import (
    BACKUP,
    REST_BACKUP,
    SLOT_BACKUP,
    TRIAL,
    back_up_slot,
    keep_public,
    leave,
    page_change,
    put,
    see_it_back,
    with_firmware,
)
from console.families.particle.rewrite import Stretch, leaving, one_way, says_what_is_lost
from console.families.particle.typed import is_file, read_file, said_back
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide
from console.host import Recorded

FROM_BACKUP, FROM_VENDOR = "backup", "server_key"
SERVER_BACKUP = "server-key-page.bin"
_UNTOUCHED = "Nothing is written."

SOURCE = Question(
    "source",
    Kind.CHOICE,
    "Restore what: a raw backup, or the vendor's server key?",
    choices=(FROM_BACKUP, FROM_VENDOR),
)
FILE = Question(
    "backup", Kind.FILE, "The backup: its name in the vault, or a file?", of_the_unit=True
)
ADDRESS = Question(
    "server_address",
    Kind.TEXT,
    "The server's name or IPv4 address? Empty: the vendor's.",
    optional=True,
)
PORT = Question("server_port", Kind.TEXT, "The server's port? Empty: the vendor's.", optional=True)
CONFIRM_UNIT = Question(
    "confirm_unit", Kind.TYPED, "Type the serial of the unit that this backup is of."
)
CONFIRM = Question("confirm_erase", Kind.CONFIRM, "Overwrite what is there now?")

_ALIVE = "This place is empty until it is read back; its bootloader stays alive. Do not unplug it."
_LOST = "That place may be empty now; its bootloader is alive and the backup is safe."

PROVE = Step("prove", "Check what is to be restored, by digest and serial", usual="at once")
ERASE = one_way("erase", "Erase the page that it belongs to", "under 1 s", _ALIVE)
WRITE = one_way("write", "Write it back", "under 1 s", _ALIVE)
COMPARE = one_way("compare", "Read it back and compare", "under 1 s", _ALIVE)
LEAVE = leaving("It")
STRETCH = Stretch(ERASE, WRITE, COMPARE, "Writing it back", _LOST, "restore")


@dataclass(frozen=True)
class Wish:
    """What the technician wants back, as asked; files are read, names are looked up later."""

    source: str
    file: str = ""
    address: str | None = None
    port: str | None = None


@dataclass(frozen=True)
class Content:
    """What is put back, under the bare name of its backup, and what it is in a sentence."""

    name: str
    data: bytes = field(repr=False)
    sentence: str = ""


@says_what_is_lost
def restore(guide: Guide) -> Outcome:
    order = ask_order(guide)
    wish = _ask(guide)
    if not in_dfu_mode(guide):
        return not_there(platform_of(guide))
    platform = platform_of(guide)
    check_unit(guide, order)
    content = guide.step(PROVE, _content, guide, wish, platform, found=lambda it: it.sentence)
    with guide.control() as line:
        memory = identify(guide, line)
        seen = probe(guide, memory)
        held = _put_back(guide, memory, seen, content)
        with guide.expect(platform.app.mode, what=with_firmware(platform)) as back:
            leave(guide, memory, "It is written back.", LEAVE)
    see_it_back(guide, back, "what was restored is written and compared", LEAVE)
    return _ended(content, held)


def _ended(content: Content, held: keys.Finding) -> Outcome:
    """The verdict on the slot as it reads now, whatever the backup was called."""
    if held.content is not keys.Content.VALID:
        return Outcome(
            Verdict.UNFINISHED,
            f"Written back as it was; the slot holds no key the firmware can use. {held.sentence}",
            RESTORE_SERVER_KEY if content.name == SERVER_BACKUP else RUN_REKEY,
        )
    return Outcome(
        Verdict.REPAIRED,
        f"Written back and read back byte for byte: {content.sentence}",
        "Breathing cyan on the LED is well. If it does not connect, run check.",
    )


def _ask(guide: Guide) -> Wish:
    source = guide.ask(SOURCE) or ""
    if source == FROM_BACKUP:
        return Wish(source, guide.ask(FILE) or "")
    return Wish(source, address=guide.ask(ADDRESS), port=guide.ask(PORT))


# --- what is to be restored -----------------------------------------------------------------


def _content(guide: Guide, wish: Wish, platform: Platform) -> Content:
    if wish.source == FROM_VENDOR:
        data = serverkey.block(platform, wish.address, wish.port)
        where = serverkey.described(data, platform)
        return Content(SERVER_BACKUP, data, f"the vendor's server key ({where}).")
    known, data = _proven(guide, wish.file)
    bare = known.kept.name if known else Path(wish.file).name
    name = _meant(bare, data, platform)
    return Content(name, data, _what(name, data, platform))


def _proven(guide: Guide, wanted: str) -> tuple[Recorded | None, bytes]:
    """The backup's bytes and its record. Raises GateClosed where they do not fit together."""
    name = Path(wanted).name
    known = guide.recorded(name=name)
    if is_file(wanted):
        data = read_file(wanted)
        digest = hashlib.sha256(data).hexdigest()
        if known is not None and known.kept.sha256 != digest:
            raise GateClosed(
                f"{name} is not what its run recorded: its digest is another.",
                f"{_UNTOUCHED} Take the backup from the vault itself: replug vault list",
            )
        known = known or guide.recorded(sha256=digest)
    elif known is None:
        raise BadUsage(
            f"There is no file and no backup in the vault that is called {said_back(name)}.",
            f"{_UNTOUCHED} See what there is: replug vault list",
        )
    elif known.data is None:
        raise GateClosed(
            f"The backup {name} is gone from the vault, or is not what its run recorded.",
            f"{_UNTOUCHED} Without the right bytes there is nothing to restore.",
        )
    else:
        data = known.data
    _of_this_unit(guide, known, name)
    return known, data


def _of_this_unit(guide: Guide, known: Recorded | None, name: str) -> None:
    serial = guide.device.serial
    if known is not None and known.ours:
        return
    if known is not None and serial != OLD_SERIAL:
        raise GateClosed(
            # The other unit's serial is another customer's: this record may be exported.
            f"The backup {name} is of another unit; this one has serial {serial or 'none'}.",
            f"{_UNTOUCHED} A key belongs to one unit. Take the right one.",
        )
    text = f"No record here proves which unit {name} is of. {CONFIRM_UNIT.ask}"
    guide.ask(CONFIRM_UNIT, text, must_type=serial or "no serial")


def _places(platform: Platform) -> dict[str, int]:
    """The bytes of each kind of backup."""
    return {
        SLOT_BACKUP: platform.private.size,
        REST_BACKUP: platform.page.size - platform.private.size,
        SERVER_BACKUP: platform.server_page.size,
    }


def _meant(bare: str, data: bytes, platform: Platform) -> str:
    """The kind of backup, by its name or else by its size. Raises BadUsage."""
    sizes = _places(platform)
    named = next((name for name in sizes if bare.endswith(name)), "")
    if not named and len(data) == sizes[SLOT_BACKUP]:
        named = SLOT_BACKUP
    if not named or len(data) != sizes[named]:
        wanted = sizes[named or SLOT_BACKUP]
        raise BadUsage(
            f"The backup has {len(data)} bytes; the {platform.short} needs {wanted} there.",
            f"{_UNTOUCHED} It is torn, or of another kind of device.",
        )
    return named


def _what(name: str, data: bytes, platform: Platform) -> str:
    if name == REST_BACKUP:
        return "the rest of the page of the private key."
    if name == SLOT_BACKUP:
        kind, held = "private-key", keys.private_slot(data, platform.form)
    else:
        kind, held = "server-key", keys.server_slot(data, platform.form)
    useless = "" if held.content is keys.Content.VALID else " That is no key the firmware can use."
    return f"a raw {kind} slot. {held.sentence}{useless}"


# --- putting it back ------------------------------------------------------------------------


def _put_back(guide: Guide, memory: KeyMemory, seen: Probe, content: Content) -> keys.Finding:
    """What the slot holds now, by what was read back."""
    if content.name == SERVER_BACKUP:
        return _put_server(guide, memory, seen, content)
    platform = seen.platform
    saved = back_up_slot(guide, seen)
    _consent(guide, memory, content)
    slot, rest = seen.slot, saved.rest
    if content.name == SLOT_BACKUP:
        slot = content.data
    else:
        rest = content.data
    change = page_change(platform, platform.page, len(slot), slot + rest, seen.page)
    put(guide, memory, seen, STRETCH, change)
    if keys.private_slot(slot, platform.form).key:
        keep_public(guide, slot, platform)
    return keys.private_slot(slot, platform.form, rest)


def _put_server(guide: Guide, memory: KeyMemory, seen: Probe, content: Content) -> keys.Finding:
    platform = seen.platform
    place, size = platform.server_page, platform.server.size
    before = guide.step(
        BACKUP, _back_up_server, guide, memory, place, found=lambda page: f"{len(page)} bytes"
    )
    _consent(guide, memory, content)
    page = content.data + before[len(content.data) :]
    guide.keep("server-key-block.bin", page[:size], "The server key that this run wrote.")
    put(guide, memory, seen, STRETCH, page_change(platform, place, size, page, before))
    return keys.server_slot(page[:size], platform.form)


def _back_up_server(guide: Guide, memory: KeyMemory, place: Place) -> bytes:
    page = memory.read(place)
    return guide.back_up(SERVER_BACKUP, page, "The raw page of the server key, as found.")[1]


def _consent(guide: Guide, memory: KeyMemory, content: Content) -> None:
    guide.ask(CONFIRM, f"To be written: {content.sentence} {CONFIRM.ask}")
    # It may have been pulled while the question was open: better seen before the erase.
    memory.rest()


RESTORE = Flow(
    name="restore",
    title="Put back a backup, or the vendor's server key",
    about="Takes a raw backup whose digest and unit are proven, or the vendor's server-key block "
    "with an address and a port of your choice; backs up what is there; writes, reads back, "
    "compares.",
    plan=(WALK, UNIT, PROVE, IDENTIFY, PROBE, BACKUP, TRIAL, ERASE, WRITE, COMPARE, LEAVE),
    perform=restore,
    questions=(DEVICE_ID, JOB, SOURCE, FILE, ADDRESS, PORT, CONFIRM_UNIT, CONFIRM),
    ready=(
        "The work order with the 24-digit device id.",
        "For a backup: its name (replug vault list), or the file.",
        "The device in reach: its buttons may be needed.",
    ),
    hands="buttons, if it is not in DFU mode yet",
    keeps="What was there before in the vault; the server key or the public key in the report.",
)
