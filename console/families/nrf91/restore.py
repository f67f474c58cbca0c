"""The restore: what the job sheet asks for and the modem lacks, put back and proven.

The rule: only what is missing is written; what is different only when somebody decided so; it is
done when the list says so, and proven when the list says so after a power cycle.
"""

from __future__ import annotations

from collections.abc import Sequence

from console.errors import DeviceError, Refused
from console.events import Damage, Verdict
from console.families.nrf91.approach import (
    FIND,
    IDENTIFY,
    NOTHING,
    PICTURE,
    READ,
    SHEET,
    SUPPLY,
    Patient,
    find_port,
    meet,
    modem_at,
    read_sheet,
    require_supply,
)
from console.families.nrf91.check import different, missing, names_of, unproven, warn_of_untold
from console.families.nrf91.cycle import STEPS as CYCLE
from console.families.nrf91.cycle import Work, pictures, proven, to_do_of
from console.families.nrf91.modem import Modem
from console.families.nrf91.sheet import Item, Sheet, require_passable
from console.families.nrf91.store import Picture, Type
from console.families.nrf91.writing import STEPS, Touch, broke_off, change_inactive, put
from console.flow import Flow, Kind, Outcome, Question
from console.guide import Guide

REWRITES = Question(
    "rewrites_at_start",
    Kind.CHOICE,
    "Does its application delete or write credentials at every start?",
    choices=("no", "yes"),
)
REPLACE = Question(
    "confirm_replace",
    Kind.CHOICE,
    "Replace what is different? What is there now cannot be read out and is gone then.",
    choices=("no", "yes"),
)


def restore(guide: Guide) -> Outcome:
    sheet = read_sheet(guide, guide.ask(SHEET) or "")
    rewrites = guide.ask(REWRITES) == "yes"
    port = guide.step(FIND, find_port, guide, found=str)
    with modem_at(guide, port) as modem:
        patient = meet(guide, modem, port)
        sheet = sheet.stored_by(modem.way)
        items, touches = _plan(guide, sheet, patient)
        if not touches:
            return _nothing_to_do(sheet, patient)
        require_passable(items, modem.way)
        require_supply(patient)
        written = change_inactive(guide, modem, patient, touches, stays_off=not rewrites)
        if written.error is None:
            _have_read(guide, modem, items)
    if written.error is not None or written.picture is None:
        return broke_off(patient, written, touches, "restore")
    if rewrites:
        return _cause_remains(items, patient, written.picture)
    advice = "The other entries are as they were. Both pictures are in the record."
    work = Work.by_sheet("Restored", items, written.picture, "restore", advice)
    return proven(guide, patient, written.picture, work, (item.pair for item in items))


def _plan(
    guide: Guide, sheet: Sheet, patient: Patient
) -> tuple[tuple[Item, ...], tuple[Touch, ...]]:
    lacking, other = missing(sheet, patient.picture), different(sheet, patient.picture)
    guide.tell(
        f"Missing: {names_of(lacking) or 'nothing'}. "
        f"Different from the sheet: {names_of(other) or 'nothing'}."
    )
    _tell_lonely(guide, sheet, patient)
    warn_of_untold(guide, sheet, patient.picture)
    if other and guide.ask(REPLACE, f"{names_of(other)}: {REPLACE.ask}") != "yes":
        guide.warn(f"Left as it is, and different from the sheet: {names_of(other)}.")
        other = ()
    touches = (*(put(item, False) for item in lacking), *(put(item, True) for item in other))
    return (*lacking, *other), touches


def _tell_lonely(guide: Guide, sheet: Sheet, patient: Patient) -> None:
    for item in sheet.items:
        pair = item.tag, Type.KEY
        if item.type is Type.CERT and sheet.find(*pair) is None:
            there = patient.picture.find(*pair)
            if there is None:
                guide.warn(
                    f"Tag {item.tag} has a certificate and neither sheet nor modem has its key.",
                    "A key that was made in the modem cannot come back: run rekey, and have a new "
                    "certificate made.",
                )


def _nothing_to_do(sheet: Sheet, patient: Patient) -> Outcome:
    other = different(sheet, patient.picture)
    if other:
        return Outcome(
            Verdict.UNFINISHED,
            f"{NOTHING} Nothing is missing, and {names_of(other)} was to stay as it is.",
            "Run it again with confirm_replace=yes to have the sheet's contents in.",
        )
    left_open = unproven(sheet.items, patient.picture)
    where = f"{'listed' if left_open else 'in the modem'} ({patient.picture}){left_open}"
    return Outcome(
        Verdict.NO_FAULT,
        f"Every credential of the sheet is {where}. {NOTHING}",
        "If it still does not connect, the cause is elsewhere: SIM, network, server, clock.",
    )


def _have_read(guide: Guide, modem: Modem, items: Sequence[Item]) -> None:
    """Whether the modem itself can read the certificates that were written."""
    for item in items:
        if item.type not in (Type.CA, Type.CERT):
            continue
        try:
            end = modem.parses(*item.pair)
        except Refused as error:
            guide.warn(f"It is stored, but: {error.sentence}", error.advice)
        except DeviceError:
            return
        else:
            if end:
                guide.tell(f"The modem reads {item.name} itself; it ends {end}.")


def _cause_remains(items: tuple[Item, ...], patient: Patient, written: Picture) -> Outcome:
    return Outcome(
        Verdict.REPAIRED,
        f"Restored, the cause remains: {names_of(items)} is in, and the application writes "
        f"credentials at every start{unproven(items, written)}.",
        "Each of those writes can cost an entry while the supply sags. Its application has to stop "
        "that; no power cycle was made here.",
        pictures(patient),
        (
            "Tell the customer: the application must write credentials only when they differ.",
            *to_do_of(items, written),
        ),
        Damage.NOTHING,
    )


RESTORE = Flow(
    name="restore",
    title="Put missing credentials back",
    about="Takes the picture of the store, compares it with the job sheet, and writes only what is "
    "missing, one entry at a time; lists and compares after each, and again after a power cycle.",
    plan=(READ, FIND, IDENTIFY, SUPPLY, PICTURE, *STEPS, *CYCLE),
    perform=restore,
    questions=(SHEET, REWRITES, REPLACE),
    ready=(
        "The customer's job sheet: credentials.toml and its files.",
        "A bench supply or a full battery.",
    ),
    hands="switch it off and on once, at the end",
    keeps="The pictures from before and after: digests, no content.",
)
