"""The check: who the modem is, how it is supplied, what it holds; nothing is changed.

The rule: the picture is taken first; what vanished since the last one here is a fault found, and
so is what the job sheet asks for and the modem does not have.
"""

from __future__ import annotations

from collections.abc import Iterable

from console.events import Verdict
from console.families.nrf91.approach import (
    ASKED_SHEET,
    FIND,
    IDENTIFY,
    PICTURE,
    READ,
    SUPPLY,
    Patient,
    find_port,
    last_known,
    meet,
    modem_at,
    read_sheet,
)
from console.families.nrf91.sheet import Item, Sheet
from console.families.nrf91.store import Picture, Type, counted, names
from console.flow import Flow, Outcome, Step
from console.guide import Guide

MOST_TAGS = 20
"""Lines of a verdict that list what there is; the picture lists all."""
COMPARE = Step("compare", "Compare with last picture and sheet", usual="at once")


def check(guide: Guide) -> Outcome:
    path = guide.ask(ASKED_SHEET)
    sheet = read_sheet(guide, path) if path else None
    port = guide.step(FIND, find_port, guide, found=str)
    with modem_at(guide, port) as modem:
        patient = meet(guide, modem, port)
        own = modem.own_store()
        sheet = sheet.stored_by(modem.way) if sheet else None
        modem.put_numbers_back()
    if own is not None:
        guide.warn(
            f"Its firmware is a serial modem with a TLS store of its own: {counted(own)} there.",
            "They are not in this picture, and no flow here changes them: AT#XCMNG does.",
        )
    if sheet is not None:
        warn_of_untold(guide, sheet, patient.picture)
    before = last_known(guide, patient.identity)
    return guide.step(COMPARE, _judged, patient, before, sheet, found=lambda it: it.sentence)


def warn_of_untold(guide: Guide, sheet: Sheet, picture: Picture) -> None:
    """Say what is listed without a digest, so that nobody takes it for compared."""
    if found := untold(sheet.items, picture):
        guide.warn(
            f"Of {names_of(found)} the modem tells no digest: it is there, and whether it is the "
            "sheet's is not known.",
            "Old modem firmware does so. To be sure, replace it by rekey with the sheet.",
        )


def untold(items: Iterable[Item], picture: Picture) -> tuple[Item, ...]:
    """What the modem lists without a digest: it may hold anything there."""
    there = ((item, picture.find(*item.pair)) for item in items)
    return tuple(item for item, entry in there if entry and not entry.digest)


def unproven(items: Iterable[Item], picture: Picture) -> str:
    """What the list leaves open of these, to go on a sentence with; "" where nothing."""
    found = names_of(untold(items, picture))
    its = f"; of {found} the modem tells no digest, so its content is not proven"
    return its if found else ""


def missing(sheet: Sheet, picture: Picture) -> tuple[Item, ...]:
    """What the sheet asks for and the modem lacks."""
    return tuple(item for item in sheet.items if picture.find(*item.pair) is None)


def different(sheet: Sheet, picture: Picture) -> tuple[Item, ...]:
    """What the modem holds under the sheet's tag and type, with another content.

    A key without a digest counts as different where its certificate is: they go in together.
    """
    there = [(item, entry) for item in sheet.items if (entry := picture.find(*item.pair))]
    sure = {item.pair for item, entry in there if not item.is_in(entry)}
    mates = {item.pair for item, entry in there if not entry.digest and _mate(item) in sure}
    return tuple(item for item in sheet.items if item.pair in sure | mates)


def _mate(item: Item) -> tuple[int, int]:
    return item.tag, {Type.KEY: Type.CERT, Type.PSK: Type.IDENTITY}.get(item.type, item.type)


def _judged(patient: Patient, before: Picture | None, sheet: Sheet | None) -> Outcome:
    picture = patient.picture
    supply = f"Supply: {patient.supply}"
    facts = (str(patient.identity), supply, f"Store: {picture}", *_listed(picture))
    vanished = picture.since(before).vanished if before else ()
    problems = []
    if sheet is not None:
        lacking, other = missing(sheet, picture), different(sheet, picture)
        problems += [f"missing: {names_of(lacking)}"] if lacking else []
        problems += [f"different from the sheet: {names_of(other)}"] if other else []
        known = {item.pair for item in sheet.items}
        vanished = tuple(entry for entry in vanished if entry.pair not in known)
    if vanished:
        problems.append(f"vanished since: {names(vanished)}")
    if patient.supply.low:
        problems.append(f"its supply is too low ({patient.supply})")
    if problems:
        more = "Charge it or use a bench supply first. " if patient.supply.low else ""
        return Outcome(
            Verdict.UNFINISHED,
            f"Fault found: {'; '.join(problems)}.",
            f"{more}What is missing comes back by restore, with the customer's job sheet; a key "
            "that was made in the modem only by rekey.",
            facts,
        )
    return Outcome(Verdict.NO_FAULT, _well(patient, before, sheet), _lonely(picture), facts)


def _listed(picture: Picture) -> tuple[str, ...]:
    lines = picture.by_tag
    more = len(lines) - MOST_TAGS
    return (*lines[:MOST_TAGS], *((f"and {more} tags more, in the picture",) if more > 0 else ()))


def names_of(items: tuple[Item, ...]) -> str:
    return ", ".join(item.name for item in items)


def _well(patient: Patient, before: Picture | None, sheet: Sheet | None) -> str:
    left_open = unproven(sheet.items, patient.picture) if sheet else ""
    proofs = (
        [f"every credential of the sheet is {'listed' if left_open else 'there'}"] if sheet else []
    )
    proofs += ["nothing has vanished since the last picture here"] if before else []
    if not proofs:
        return f"The modem answers; its store holds {patient.picture}. There is nothing to compare."
    return f"The modem answers; {' and '.join(proofs)}{left_open}."


def _lonely(picture: Picture) -> str:
    """Advice about certificates whose key is not there: a connection fails with -95 then."""
    alone = [
        str(entry.tag)
        for entry in picture.entries
        if entry.type == Type.CERT and picture.find(entry.tag, Type.KEY) is None
    ]
    if alone:
        return f"Tag {', '.join(alone)} has a client certificate and no private key: run rekey."
    return "A connect() that ends in -95 means a tag that is not there: compare with a job sheet."


CHECK = Flow(
    name="check",
    title="Check the modem and its credentials",
    about="Finds the AT port, asks for identity, supply and functional mode, and takes the picture "
    "of the credential store. Compares it with the last one here and with a job sheet.",
    plan=(READ, FIND, IDENTIFY, SUPPLY, PICTURE, COMPARE),
    perform=check,
    questions=(ASKED_SHEET,),
    ready=("The job sheet (credentials.toml), if there is one.",),
    keeps="The picture: every tag and type with its digest, and no content.",
)
