"""Keys out of the device, each wrapped under its DKEK, in files that sc-hsm-tool reads.

The rule: nothing on the device is changed. A file counts once it has been read back, its header
parsed, its check value compared with the device's, and its digest with what was kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from console.errors import BadUsage, GateClosed, Refused
from console.events import Verdict
from console.families.smartcardhsm.approach import (
    IDENTIFY,
    LOOK,
    PIN,
    UNLOCK,
    Unit,
    look,
    opened,
    unlock,
)
from console.families.smartcardhsm.blob import Blob
from console.families.smartcardhsm.check import keep_passport
from console.families.smartcardhsm.contents import Contents, HeldKey, torn
from console.families.smartcardhsm.dkek import NO_KCV
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.rehearsal import counted
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

ALL = "all"
LIST = ".backup.json"
"""How the list of a backup's files ends; it begins with the serial of the device."""
KEYS = Question(
    "keys", Kind.TEXT, "Which keys (their numbers, commas between them)? Empty: all.", optional=True
)
REASONS = {
    "6985": "It was made without the right to be wrapped.",
    "6982": "It was made without the right to be wrapped.",
    "6A88": "It is in no key domain that has its shares: run restore with them, then backup.",
}
"""Why a key does not come out, by the answer to WRAP (reference 2.3)."""
WRAP = Step(
    "wrap",
    "Wrap the keys and check the files",
    usual="under 10 s a key",
    safe="Nothing is changed on the device. You can pull it.",
)


@dataclass(frozen=True)
class Wrapped:
    """The files that were kept, and the keys that did not come out, each with its reason."""

    files: tuple[str, ...]
    refused: tuple[str, ...]
    kcvs: tuple[str, ...]
    """The check values that the files are under, one for each key domain."""
    digests: Mapping[str, str]
    """The SHA-256 of each file."""


def backup(guide: Guide) -> Outcome:
    wanted = guide.ask(KEYS)
    with opened(guide) as unit:
        wraps(unit)
        held = look(guide, unit)
        chosen = choose(held, wanted)
        unlock(guide, unit)
        kcvs = tuple(one.kcv for one in unit.hsm.key_domains() if one.ready)
        keep_passport(guide, unit, held)
        done = guide.step(WRAP, _wrap_all, guide, unit, chosen, kcvs, found=_found)
        if done.files:  # an empty list would stand before that of an earlier backup
            listed = json.dumps(done.digests, indent=1, sort_keys=True).encode()
            guide.keep(f"{unit.shelf}{LIST}", listed, "The list of this backup, for restore.")
    return _judged(done, unit.shelf)


def wraps(unit: Unit) -> None:
    """Raises GateClosed where the device exports no key."""
    if any(one.ready for one in unit.domains):
        return
    shares = unit.shares
    if shares.empty is not None:
        raise GateClosed(f"Nothing can be exported yet: {shares.emptiness}.", shares.way_out)
    if shares.total is None:
        raise GateClosed(
            "This device was initialised without key shares: its keys can never be exported.",
            "Nothing was changed. Keep it: there will be no second one like it.",
        )
    if shares.missing:
        raise GateClosed(
            f"{shares.missing} of {shares.total} key shares are missing on this device.",
            "Run restore with the shares: they are given to it there. Its keys are not touched.",
        )


def numbers(words: str) -> tuple[int, ...]:
    """Key numbers as they are typed: 1, 2, 0x1F. Raises BadUsage."""
    try:
        found = tuple(int(word, 0) for word in re.split(r"[\s,;]+", words.strip()) if word)
    except ValueError:
        found = ()
    if not found or any(not 1 <= number <= 255 for number in found):
        raise BadUsage(f'"{words[:40]}" is no list of key numbers.', "Write them as: 1, 2, 17")
    return tuple(dict.fromkeys(found))


def choose(held: Contents, wanted: str | None) -> tuple[HeldKey, ...]:
    """The keys that were asked for. Raises BadUsage, GateClosed."""
    if wanted and wanted.strip().lower() != ALL:
        found = []
        for number in numbers(wanted):
            key = held.key(number)
            if key is None or not key.present:
                raise GateClosed(f"There is no key {number} on it.", "Run check: it lists them.")
            found.append(key)
        return tuple(found)
    if not held.present:
        raise GateClosed("There is no key on this device.", "Nothing was changed.")
    return held.present


def _wrap_all(
    guide: Guide, unit: Unit, chosen: tuple[HeldKey, ...], kcvs: tuple[bytes, ...]
) -> Wrapped:
    digests: dict[str, str] = {}
    refused, under = [], {}
    for done, key in enumerate(chosen, start=1):
        try:
            file = _wrap(guide, unit, key, kcvs)
            digests[file.name] = file.digest
            under[file.blob.kcv.hex()] = True
        except (Refused, GateClosed) as error:
            code = error.code if isinstance(error, Refused) else ""
            if code == "reset":
                raise
            why = f"{key.words}: {error.sentence}"
            guide.warn(f"Not exported: {why}", REASONS.get(code, ""))
            refused.append(why)
        guide.progress("Wrapping keys", done, len(chosen))
    return Wrapped(tuple(digests), tuple(refused), tuple(under), digests)


def _wrap(guide: Guide, unit: Unit, key: HeldKey, kcvs: tuple[bytes, ...]) -> KeyFile:
    blob = Blob.parse(unit.hsm.wrap(key.number), f"Key {key.number}")
    if blob.kcv not in kcvs and NO_KCV not in kcvs:
        said = ", ".join(kcv.hex() for kcv in kcvs)
        raise GateClosed(
            f"Key {key.number} came out under check value {blob.kcv.hex()}, the device says "
            f"{said}.",
            "Do not rely on this backup. Nothing was changed on the device.",
        )
    name = f"{unit.shelf}-key-{key.number:02d}{_plain(key.label)}.wrapped.bin"
    file = KeyFile(name, blob, *_beside(guide, key))
    data = file.encode()
    again = KeyFile.parse(name, data)
    kept = guide.keep(name, data, f"Key {key.number}, wrapped: useless without the DKEK shares.")
    if again.blob != blob or kept.sha256 != file.digest:
        raise GateClosed(f"{name} did not read back as it was written.", "Run backup again.")
    if blob.algorithms:
        guide.tell(
            f"Key {key.number} has an algorithm list ({blob.algorithms.hex()}): firmware 3.1 "
            "cannot take such a key back, every other can."
        )
    return file


def _beside(guide: Guide, key: HeldKey) -> tuple[bytes, bytes]:
    """Its description and certificate. What was written in part would make the file unreadable."""
    kept = []
    for what, data in (("description", key.about), ("certificate", key.certificate)):
        if torn(data):
            guide.warn(
                f"Key {key.number}: its {what} was written in part only; the file is without it."
            )
        kept.append(b"" if torn(data) else data)
    if not key.about:
        guide.warn(f"Key {key.number} has no description; the file has none either.")
    return kept[0], kept[1]


def _plain(label: str) -> str:
    kept = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")[:30]
    return f"-{kept}" if kept else ""


def _found(done: Wrapped) -> str:
    return f"{len(done.files)} files, checked; {len(done.refused)} not exported"


def _judged(done: Wrapped, shelf: str) -> Outcome:
    kcvs = ", ".join(done.kcvs)
    need = (
        "Prove the backup: restore it onto a second device before anything is deleted here.",
        f"Keep the DKEK shares of check value {kcvs} elsewhere: without them it is useless.",
    )
    if done.refused:
        return Outcome(
            Verdict.UNFINISHED,
            f"In files: {counted(len(done.files))}; {len(done.refused)} did not come out.",
            "What did not come out dies with the device: do not reset it.",
            tuple(f"not exported: {why}" for why in done.refused),
            need if done.files else (),
        )
    return Outcome(
        Verdict.REPAIRED,
        f"In files: {counted(len(done.files))}, checked by header, check value and digest.",
        f"Restore takes them from here by the name {shelf}; log export hands them over.",
        (*done.files, f"check value {kcvs}"),
        need,
    )


BACKUP = Flow(
    name="backup",
    title="Back up keys, wrapped",
    about="Exports chosen keys under the device's DKEK, with description and certificate, into "
    "files that sc-hsm-tool reads. Nothing is changed on the device.",
    plan=(IDENTIFY, LOOK, UNLOCK, WRAP),
    perform=backup,
    questions=(KEYS, PIN),
    ready=("The user PIN.",),
    keeps="One file a key, wrapped: it opens only with the DKEK shares. No key in clear.",
)
