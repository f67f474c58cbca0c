"""Wrapped keys back onto a device: everything is checked first, each key is proven by a signature.

The rule: the header of every file and the device's version are read before anything else, so a
firmware that cannot take a key back is never given one. Nothing on the device is overwritten; a
source is never touched. A key that a broken-off run left half is found by listing, and mended.
"""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from console.errors import BadUsage, DeviceError, GateClosed
from console.events import Verdict
from console.families.smartcardhsm.approach import (
    IDENTIFY,
    LOOK,
    PIN,
    UNLOCK,
    Unit,
    look,
    mode,
    named_files,
    opened,
    read_file,
    unlock,
)
from console.families.smartcardhsm.backup import LIST, numbers
from console.families.smartcardhsm.dkek import NO_KCV, Dkek
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.models import TRAP, WAY_OUT
from console.families.smartcardhsm.placing import Placed, place, spread
from console.families.smartcardhsm.rehearsal import counted
from console.families.smartcardhsm.share import ShareFile
from console.families.smartcardhsm.sharing import (
    OPEN,
    PASSWORDS,
    SHARES,
    SUFFIX,
    Opened,
    open_shares,
    read_shares,
)
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

OTHERS = (SUFFIX, ".json", ".pem", ".txt")
"""What lies in a folder beside wrapped keys: shares, a passport, requests, notes."""
BACKUP = Question(
    "backup",
    Kind.FILE,
    "The files of the wrapped keys, commas between them, or their folder; or the serial (DENK...) "
    "of a device whose backup was made here? Empty: only key shares are given to the device.",
    optional=True,
)
NUMBERS = Question(
    "keys",
    Kind.TEXT,
    "Numbers for the keys on the device, in the order of the files? Empty: the next free ones.",
    optional=True,
)
DRY = Question(
    "dry_run",
    Kind.CHOICE,
    "Only a dry run: all checks, nothing written? Empty: no.",
    optional=True,
    choices=("yes", "no"),
)
REMOVE = Question(
    "remove_files",
    Kind.CHOICE,
    "Once all is proven: remove these files from the inbox? Empty: keep them.",
    optional=True,
    choices=("keep", "remove"),
)
_UNTOUCHED = "Nothing was written to the device, and the backup is unharmed."

READ = Step("read", "Read the files", usual="at once", safe="Nothing was sent to the device.")
FIT = Step("fit", "Compare the files with the device", usual="at once")
GIVE = Step(
    "give",
    "Give the device its key shares",
    usual="under 2 s",
    undoable=False,
    safe="Its keys are not touched. Leave it plugged in for a second.",
)
IMPORT = Step(
    "import",
    "Import the keys and prove each by a signature",
    usual="under 10 s a key",
    undoable=False,
    safe="What is on it stays. If it is pulled now, running again mends the key in hand.",
)


@dataclass(frozen=True)
class Wish:
    """What was brought, read and parsed; nothing is sent for it."""

    keys: tuple[KeyFile, ...]
    shares: tuple[ShareFile, ...]
    paths: tuple[Path, ...] = ()
    """Of the files that were read; of no others in their folders."""
    numbers: tuple[int, ...] = field(default=())
    dry: bool = False
    remove: bool = False
    made: bytes = NO_KCV
    """The check value of what the shares make, once they were opened and are enough for it."""

    @property
    def words(self) -> str:
        keys = counted(len(self.keys), "wrapped key")
        return f"{keys}, {counted(len(self.shares), 'key share')}"

    @property
    def kcv(self) -> bytes:
        """The check value that the keys are wrapped under, or else that the shares make."""
        wrapped = self.keys[0].blob.kcv if self.keys else NO_KCV
        return self.made if wrapped == NO_KCV else wrapped

    def agrees(self, kcv: bytes) -> bool:
        """May that be its check value? No value says nothing, on either side."""
        return NO_KCV in (kcv, self.kcv) or kcv == self.kcv


def restore(guide: Guide) -> Outcome:
    backup, shares = guide.ask(BACKUP), guide.ask(SHARES)
    asked = (backup, shares, guide.ask(NUMBERS) if backup else None)
    dry, remove = guide.ask(DRY) == "yes", guide.ask(REMOVE) == "remove"
    wish = guide.step(READ, _read, guide, *asked, dry, remove, found=lambda it: it.words)
    with opened(guide) as device:
        unit = device.takes(wish.kcv)
        guide.step(FIT, fits, unit, wish, found=lambda words: words)
        held = look(guide, unit)
        spread(held, wish.keys, wish.numbers)
        opened_shares = open_shares(guide, wish.shares) if wish.shares else None
        dkek = _dkek(unit, wish, opened_shares)
        if dkek is not None:
            wish = replace(wish, made=dkek.kcv)
            unit = unit.takes(wish.kcv) if unit.shares.ready else unit
            _must_match(unit, wish)
        unlock(guide, unit)
        _kcv_now(unit, wish)
        if dry:
            return _dry(unit, wish)
        if unit.shares.missing and opened_shares:
            guide.step(GIVE, _give, unit, wish, opened_shares, found=lambda words: words)
        work = (guide, unit, held, wish.keys, wish.numbers, dkek)
        if not wish.keys:
            return _only_shares(guide, unit, wish)
        placed = guide.step(IMPORT, place, *work, found=lambda it: it.words)
        _tell(guide, placed)
    return _judged(guide, unit, wish, placed)


# --- before anything is written ---------------------------------------------------------------


def _read(
    guide: Guide,
    backup: str | None,
    shares: str | None,
    wanted: str | None,
    dry: bool,
    remove: bool,
) -> Wish:
    if not backup and not shares:
        raise BadUsage("Neither a wrapped key nor a key share was brought.", _UNTOUCHED)
    shelf = _kept(guide, backup.strip()) if backup else ()
    paths = named_files(backup) if backup and not shelf else ()
    if backup and stat.S_ISDIR(mode(Path(backup))):
        paths = tuple(path for path in paths if path.suffix.lower() not in OTHERS)
    keys: list[KeyFile] = []
    for name, data in (*shelf, *((path.name, read_file(path)) for path in paths)):
        key = KeyFile.parse(name, data)
        if all(key.digest != known.digest for known in keys):
            keys.append(key)
    if backup and not keys:
        raise BadUsage("There is no wrapped key in that folder.", "Name the files of the backup.")
    if len({key.blob.kcv for key in keys}) > 1:
        raise GateClosed(
            "The wrapped keys are of several DKEKs: "
            + ", ".join(f"{key.name} {key.blob.kcv.hex()}" for key in keys),
            f"{_UNTOUCHED} Restore those of one check value in one run.",
        )
    chosen = numbers(wanted) if wanted else ()
    if chosen and len(chosen) != len(keys):
        raise BadUsage(
            f"{len(chosen)} numbers for {len(keys)} keys.", "One number for each file, in order."
        )
    files, shares_at = read_shares(shares)
    return Wish(tuple(keys), files, (*paths, *shares_at), chosen, dry, remove)


def _kept(guide: Guide, shelf: str) -> tuple[tuple[str, bytes], ...]:
    """The files of the newest backup of that device that was made here; none if there is none."""
    listed = guide.last_kept(f"{shelf}{LIST}") if shelf and not mode(Path(shelf)) else None
    found = []
    for name, digest in (json.loads(listed) if listed else {}).items():
        data = guide.last_kept(name)
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            raise BadUsage(
                f"{name} of the backup of {shelf} is not here any more as it was made.",
                f"{_UNTOUCHED} Run backup again, or bring the files.",
            )
        found.append((name, data))
    return tuple(found)


def fits(unit: Unit, wish: Wish) -> str:
    """That this device can take these keys, as a sentence. Raises GateClosed."""
    listed = tuple(key for key in wish.keys if key.blob.algorithms)
    if listed and unit.hsm.version.loses_listed_keys:
        named = ", ".join(f"{key.label} ({key.blob.algorithms.hex()})" for key in listed)
        raise GateClosed(
            f"This device has firmware 3.1 and these keys have an algorithm list: {named}. {TRAP}",
            f"{_UNTOUCHED} {WAY_OUT}",
        )
    if not unit.pin.initialised:
        raise GateClosed("This device was never initialised.", "Run reset, with key shares.")
    shares, count = unit.shares, len(wish.shares)
    own = shares.total == 0 and shares.kcv == wish.kcv != NO_KCV
    if shares.empty is not None:
        yet = f"Nothing can be restored yet: {shares.emptiness}."
        raise GateClosed(yet, f"{_UNTOUCHED} {shares.way_out}")
    if not shares.total and not own:
        raise GateClosed(
            "This device takes no keys of others: it was initialised without key shares.",
            f"{_UNTOUCHED} Only a reset with key shares changes that, and deletes what is on it.",
        )
    if shares.missing and count not in (shares.total, shares.missing):
        raise GateClosed(
            f"The device waits for {shares.missing} of {shares.total} key shares; {count} were "
            "brought.",
            f"{_UNTOUCHED} Bring every share file of check value {wish.kcv.hex()}.",
        )
    before = (shares.total or 0) - shares.missing
    if shares.missing and before and count != shares.missing:
        raise GateClosed(
            f"{before} of {shares.total} key shares were given to it "
            "before, and it does not say which.",
            f"{_UNTOUCHED} Bring the {shares.missing} that were not, or reset it and begin again.",
        )
    if not wish.keys and shares.ready and count != shares.total:
        raise GateClosed(
            f"The device has its {counted(shares.total or 0, 'key share')} already; {count} alone "
            "cannot be compared with it.",
            f"{_UNTOUCHED} Bring all {shares.total} to compare them.",
        )
    _must_match(unit, wish)
    listed_words = f"; {len(listed)} with an algorithm list" if listed else ""
    value = f"check value {wish.kcv.hex()}" if wish.keys else "key shares only"
    return f"firmware {unit.hsm.version}, {value}{listed_words}"


def _must_match(unit: Unit, wish: Wish) -> None:
    kcv = unit.shares.kcv
    if unit.shares.ready and not wish.agrees(kcv):
        other = "keys are wrapped under" if wish.keys else "shares make"
        what = "backup" if wish.keys else "shares"
        raise GateClosed(
            f"The device has the DKEK of check value {kcv.hex()}, the {other} {wish.kcv.hex()}.",
            f"{_UNTOUCHED} Take the {what} of that DKEK, or a device with the other one.",
        )


def _dkek(unit: Unit, wish: Wish, opened_shares: Opened | None) -> Dkek | None:
    """The DKEK where the host can know it; every blob is proven by its MAC then."""
    if opened_shares is None or len(opened_shares.shares) < (unit.shares.total or 0):
        return None
    dkek = opened_shares.dkek
    if not wish.agrees(dkek.kcv):
        raise GateClosed(
            f"The shares make a DKEK of check value {dkek.kcv.hex()}; the keys are wrapped under "
            f"{wish.kcv.hex()}.",
            f"{_UNTOUCHED} A share is of another set, or one is missing.",
        )
    for key in wish.keys:
        if not key.blob.genuine(dkek):
            raise GateClosed(
                f"{key.name} was changed since it was made: its seal does not hold.",
                f"{_UNTOUCHED} Take another copy of that file.",
            )
    return dkek


def _kcv_now(unit: Unit, wish: Wish) -> None:
    """Some devices tell their check value only once the PIN was given."""
    now = unit.hsm.key_shares(unit.domain)
    if now.ready and not wish.agrees(now.kcv):
        _must_match(replace(unit, domains=(now,), domain=0), wish)


def _dry(unit: Unit, wish: Wish) -> Outcome:
    return Outcome(
        Verdict.NO_FAULT,
        f"Dry run: {wish.words} fit {unit.name}. Nothing was written.",
        "Run restore again without the dry run.",
        tuple(f"{key.label}: {key.blob.type.words}, SHA-256 {key.digest}" for key in wish.keys),
    )


# --- what is written --------------------------------------------------------------------------


def _give(unit: Unit, wish: Wish, opened_shares: Opened) -> str:
    waits = unit.shares.missing
    for share in opened_shares.shares:
        waits -= 1
        _put(unit, share, waits)
    now = unit.hsm.key_shares(unit.domain)
    if now.missing or not wish.agrees(now.kcv):
        raise GateClosed(
            f"The device now says of its key shares: {now.words}; wanted is {wish.kcv.hex()}.",
            "No key was imported. One of the shares was of another set: reset it, begin again.",
        )
    return now.words


def _put(unit: Unit, share: bytes, waits: int) -> None:
    """Once only: given twice it cancels itself out. A lost answer is made up for by the count."""
    try:
        unit.hsm.put_share(share, unit.domain)
    except DeviceError:
        if unit.hsm.key_shares(unit.domain).missing != waits:
            raise


def _only_shares(guide: Guide, unit: Unit, wish: Wish) -> Outcome:
    """What the device says it has now. A repair is only what was given in this run."""
    now, given = unit.hsm.key_shares(unit.domain), bool(unit.shares.missing)
    compared = now.ready and now.kcv == wish.kcv != NO_KCV
    if wish.remove:
        _remove(guide, wish, proven=compared)
    advice = "It wraps and takes keys of that check value now."
    if not compared:
        advice = "Before you rely on it: compare that check value with your backup's."
    unchanged = Verdict.NO_FAULT if compared else Verdict.UNFINISHED
    return Outcome(
        Verdict.REPAIRED if given else unchanged,
        f"{unit.name} has its key shares{'' if given else ' already'}: {now.words}.",
        advice,
        (f"key shares: {now.words}",),
    )


def _remove(guide: Guide, wish: Wish, *, proven: bool) -> None:
    if not proven:
        guide.tell("The files stay in the inbox: not all is proven.")
        return
    gone = [path.name for path in wish.paths if guide.discard(str(path))]
    guide.tell(f"Removed from the inbox: {', '.join(gone) or 'nothing'}.")


def _tell(guide: Guide, placed: Placed) -> None:
    for words in placed.done:
        guide.tell(words)
    for words in placed.unproven:
        guide.warn(words, "Try it with the program that uses it.")
    for words in placed.left:
        guide.warn(words, "Delete it with the owner's own program, if it is in the way.")


def _how(placed: Placed) -> str:
    """By what they were proven: each by a signature, or by its own wrapped copy."""
    signed = len(placed.done) - placed.compared
    told = {"by a signature": signed, "by what the device wraps of it": placed.compared}
    return ", ".join(f"{count} proven {by}" for by, count in told.items() if count)


def _judged(guide: Guide, unit: Unit, wish: Wish, placed: Placed) -> Outcome:
    if wish.remove:
        _remove(guide, wish, proven=not (placed.stopped or placed.unproven))
    if placed.stopped:
        return Outcome(
            Verdict.UNFINISHED,
            f"{placed.stopped} {len(placed.done)} of {counted(len(wish.keys))} on {unit.name}, "
            "proven.",
            f"The backup is unharmed. {placed.advice}",
            placed.done,
        )
    if placed.unproven:
        return Outcome(
            Verdict.UNFINISHED,
            f"{len(placed.done)} of {counted(len(wish.keys))} on {unit.name}, proven. "
            f"{' '.join(placed.unproven)}",
            "Keep the backup. Bring the key shares and run restore again: with them it is told. Or "
            "try that key with the program that uses it.",
            placed.done,
        )
    return Outcome(
        Verdict.REPAIRED,
        f"On {unit.name}: {counted(len(wish.keys))}; {_how(placed)}.",
        "The source still has them: delete nothing there until this device has been used.",
        placed.done,
    )


RESTORE = Flow(
    name="restore",
    title="Restore keys from a backup",
    about="Checks files, shares, firmware and check value before the device is written to; then "
    "imports each key with its description and certificate, and proves it by a signature. "
    "A half-restored key is mended.",
    plan=(READ, IDENTIFY, FIT, LOOK, OPEN, UNLOCK, GIVE, IMPORT),
    perform=restore,
    questions=(BACKUP, SHARES, NUMBERS, DRY, REMOVE, PASSWORDS, PIN),
    ready=(
        "The files of the wrapped keys.",
        "The DKEK share files (.pbe) and their passwords, if the device lacks its DKEK.",
        "The user PIN of the device.",
    ),
    keeps="Nothing of a key. Names, check values and digests stand in the journal.",
)
