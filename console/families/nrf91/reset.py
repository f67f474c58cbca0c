"""The reset: the credentials under chosen tags are deleted, each listed and compared.

The rule: never everything, only tags that were named; the modem's own entries are never touched;
the picture is in the record first, and consent is typed.
"""

from __future__ import annotations

import re

from console.errors import GateClosed
from console.events import Verdict
from console.families.nrf91.approach import (
    FIND,
    IDENTIFY,
    NOTHING,
    PICTURE,
    SUPPLY,
    find_port,
    meet,
    modem_at,
    require_supply,
)
from console.families.nrf91.cycle import STEPS as CYCLE
from console.families.nrf91.cycle import Work, proven
from console.families.nrf91.store import TAG_LIMIT, Entry, Picture, names
from console.families.nrf91.writing import STEPS, broke_off, change_inactive, removal
from console.flow import Flow, Kind, Outcome, Question
from console.guide import Guide

TAGS = Question("tags", Kind.TEXT, "Which to delete, with commas between?")
CONFIRM = Question("confirm_reset", Kind.TYPED, "Type the modem's IMEI (15 digits) to delete them.")


def tags_of(answer: str) -> tuple[int, ...]:
    """The tags as typed. Raises GateClosed."""
    parts = [part for part in re.split(r"[,\s]+", answer.strip()) if part]
    if not parts or not all(re.fullmatch(r"\d{1,10}", part) for part in parts):
        raise GateClosed(
            "Tags are numbers with commas between them.", f"{NOTHING} Run check: it lists them."
        )
    tags = tuple(dict.fromkeys(int(part) for part in parts))
    if max(tags) > TAG_LIMIT:
        raise GateClosed(
            f"Tags above {TAG_LIMIT} are the modem's own and are never deleted.", NOTHING
        )
    return tags


def _are_gone(picture: Picture, tags: tuple[int, ...]) -> bool:
    """So it is when a reset is run again whose end nobody saw."""
    return not any(entry.tag in tags for entry in picture.entries)


def _nothing_there(picture: Picture, tags: tuple[int, ...]) -> Outcome:
    return Outcome(
        Verdict.NO_FAULT,
        f"The modem holds nothing under tag {', '.join(map(str, tags))}. {NOTHING}",
        f"It holds: {picture.users_tags or 'nothing'}. If another tag was meant, run reset again.",
    )


def _chosen(picture: Picture, tags: tuple[int, ...]) -> tuple[Entry, ...]:
    """What a person wrote under these tags. Raises GateClosed for a tag that holds nothing."""
    empty = [tag for tag in tags if not any(entry.tag == tag for entry in picture.entries)]
    if empty:
        raise GateClosed(
            f"The modem holds nothing under tag {', '.join(map(str, empty))}.",
            f"{NOTHING} It holds: {picture.users_tags or 'nothing'}.",
        )
    chosen = tuple(entry for entry in picture.entries if entry.tag in tags and entry.is_users)
    if not chosen:
        raise GateClosed("Under these tags lie only the modem's own entries.", NOTHING)
    return chosen


def reset(guide: Guide) -> Outcome:
    port = guide.step(FIND, find_port, guide, found=str)
    with modem_at(guide, port) as modem:
        patient = meet(guide, modem, port)
        there = patient.picture.users_tags or "none"
        tags = tags_of(guide.ask(TAGS, f"It holds tags: {there}. {TAGS.ask}") or "")
        if _are_gone(patient.picture, tags):
            return _nothing_there(patient.picture, tags)
        chosen = _chosen(patient.picture, tags)
        require_supply(patient)
        text = f"This deletes {names(chosen)} for good; keys cannot be read out before. "
        guide.ask(CONFIRM, text + CONFIRM.ask, must_type=patient.identity.imei)
        touches = tuple(removal(entry) for entry in chosen)
        written = change_inactive(guide, modem, patient, touches)
    if written.error is not None or written.picture is None:
        return broke_off(patient, written, touches, "reset")
    work = Work(
        "Deleted",
        names(chosen),
        "listed no more",
        "reset",
        "The other entries are as they were. The pictures are in the record.",
    )
    return proven(guide, patient, written.picture, work, (entry.pair for entry in chosen))


RESET = Flow(
    name="reset",
    title="Delete the credentials under chosen tags",
    about="Takes the picture of the store first, deletes what lies under the tags that you name, "
    "one entry at a time, and compares the list after each. Never everything.",
    plan=(FIND, IDENTIFY, SUPPLY, PICTURE, *STEPS, *CYCLE),
    perform=reset,
    questions=(TAGS, CONFIRM),
    ready=("The tags to delete, and the IMEI on the label.",),
    hands="switch it off and on once, at the end",
    keeps="The pictures from before and after: digests, no content.",
)
