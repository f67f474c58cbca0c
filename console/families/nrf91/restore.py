"""The restore: what the job sheet asks for and the modem lacks, put back and proven.

The rule: only what is missing is written; what is different only when somebody decided so; it is
done when the list says so, and proven when the list says so after a power cycle.
"""

from __future__ import annotations

from collections.abc import Sequence

from console.errors import ConsoleError, DeviceError, Refused
from console.events import Damage, Device, Verdict
from console.families.nrf91.approach import (
    FIND,
    IDENTIFY,
    NOTHING,
    PICTURE,
    READ,
    RUNNING,
    SHEET,
    SUPPLY,
    Patient,
    find_port,
    keep,
    meet,
    modem_at,
    put_mode_back,
    read_sheet,
    require_supply,
)
from console.families.nrf91.check import different, missing, names_of
from console.families.nrf91.modem import OFF, Modem
from console.families.nrf91.sheet import Item, Sheet
from console.families.nrf91.store import Picture, Type, names
from console.families.nrf91.writing import STEPS, Touch, Written, broke_off, change, put
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Acts, Guide, Reconnect

BACK_LIMIT, BACK_USUAL = 180.0, 20.0
AWAKE_TRIES = 10
"""Tries to wake a line whose board has just started and may still talk of its boot."""

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

_IN = "The credentials are in. You can pull it."

FLUSH = Step("flush", "Have the modem close its memory (CFUN=0)", usual="under 10 s", safe=_IN)
POWER = Step(
    "power",
    "Switch it off and on",
    usual="under 1 min",
    safe="The credentials are in. Switching it off is what is asked for now.",
)
PROVE = Step(
    "prove",
    "List again after the power cycle and compare",
    usual="under 15 s",
    safe=_IN,
)
HANDS = (
    "Switch it off. No switch: pull the USB cable, and the battery if it has one.",
    "Wait 5 s.",
    "Switch it on, with the USB cable in the same port.",
)


def restore(guide: Guide) -> Outcome:
    sheet = read_sheet(guide, guide.ask(SHEET) or "")
    rewrites = guide.ask(REWRITES) == "yes"
    port = guide.step(FIND, find_port, guide, found=str)
    with modem_at(guide, port) as modem:
        patient = meet(guide, modem, port)
        items, touches = _plan(guide, sheet, patient)
        if not touches:
            return _nothing_to_do(sheet, patient)
        require_supply(patient)
        written = _written(guide, modem, patient, touches, stays_off=not rewrites)
        if written.error is None:
            _have_read(guide, modem, items)
    if written.error is not None or written.picture is None:
        return broke_off(patient, written, touches, "restore")
    if rewrites:
        return _cause_remains(items, patient)
    return _power_cycle(guide, patient, written.picture, items)


def _plan(
    guide: Guide, sheet: Sheet, patient: Patient
) -> tuple[tuple[Item, ...], tuple[Touch, ...]]:
    lacking, other = missing(sheet, patient.picture), different(sheet, patient.picture)
    guide.tell(
        f"Missing: {names_of(lacking) or 'nothing'}. "
        f"Different from the sheet: {names_of(other) or 'nothing'}."
    )
    _tell_lonely(guide, sheet, patient)
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
    return Outcome(
        Verdict.NO_FAULT,
        f"Every credential of the sheet is in the modem ({patient.picture}). {NOTHING}",
        "If it still does not connect, the cause is elsewhere: SIM, network, server, clock.",
    )


def _written(
    guide: Guide, modem: Modem, patient: Patient, touches: Sequence[Touch], stays_off: bool
) -> Written:
    """change(); the functional mode is put back, unless all is well and it goes off next."""
    well = False
    try:
        written = change(guide, modem, patient, touches)
        well = written.error is None and written.picture is not None
        return written
    finally:
        if not (well and stays_off):
            put_mode_back(guide, modem, patient.mode)


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


def _cause_remains(items: Sequence[Item], patient: Patient) -> Outcome:
    return Outcome(
        Verdict.REPAIRED,
        f"Restored, the cause remains: {names_of(tuple(items))} is in, and the application writes "
        "credentials at every start.",
        "Each of those writes can cost an entry while the supply sags. Its application has to stop "
        "that; no power cycle was made here.",
        _pictures(patient),
        ("Tell the customer: the application must write credentials only when they differ.",),
        Damage.NOTHING,
    )


def _pictures(patient: Patient) -> tuple[str, ...]:
    return (str(patient.identity), f"Store before: {patient.picture}")


# --- the power cycle ---------------------------------------------------------------------------


def _power_cycle(
    guide: Guide, patient: Patient, written: Picture, items: Sequence[Item]
) -> Outcome:
    what = names_of(tuple(items))
    try:
        if _off_and_on(guide, patient) is None:
            _put_back_where_it_stayed(guide, patient)
            return _not_proven(patient, what, "it was not switched off and on")
        now = _listed_again(guide, patient)
    except ConsoleError as error:
        _put_back_where_it_stayed(guide, patient)
        return _not_proven(patient, what, error.sentence.rstrip("."))
    moved = now.since(written)
    if moved.vanished or moved.changed:
        return Outcome(
            Verdict.UNFINISHED,
            f"After the power cycle the store is not as it was written: {moved}.",
            "Run restore once more on a bench supply. If it happens again, the board goes to RMA "
            "with both pictures and the modem firmware's version.",
            (*_pictures(patient), f"Store after: {written}", f"After the power cycle: {now}"),
            damage=Damage.HALF,
        )
    if moved.new:
        guide.warn(f"Its application wrote something at its start: {names(moved.new)}.")
    return Outcome(
        Verdict.REPAIRED,
        f"Restored: {what}; listed with the right digests before and after a power cycle.",
        "The other entries are as they were. Both pictures are in the record.",
        (*_pictures(patient), f"After the power cycle: {now}"),
        damage=Damage.NOTHING,
    )


def _off_and_on(guide: Guide, patient: Patient) -> Device | None:
    with guide.expect(*RUNNING, what="the board, switched off and on again") as back:
        with modem_at(guide, patient.path) as modem:
            guide.step(FLUSH, modem.set_mode, OFF, found=lambda _: "closed")
        return guide.step(POWER, _wait, back, found=_arrival)


def _wait(back: Reconnect) -> Device | None:
    return back.wait(
        limit=BACK_LIMIT, usual=BACK_USUAL, hands=HANDS, safe=POWER.safe, acts=Acts.BRING
    )


def _arrival(came: Device | None) -> str:
    return "it is back" if came else "it did not go and come back"


def _listed_again(guide: Guide, patient: Patient) -> Picture:
    """What it holds now. Raises GateClosed where it is another modem, or answers no AT."""
    return guide.step(PROVE, _listed, guide, patient, found=str)


def _listed(guide: Guide, patient: Patient) -> Picture:
    port = find_port(guide, AWAKE_TRIES)
    with modem_at(guide, port) as modem:
        identity = modem.identify()
        guide.unique(identity.unit)
        picture = modem.picture(identity)
        keep(guide, picture, "after-power-cycle")
        put_mode_back(guide, modem, patient.mode)
        return picture


def _put_back_where_it_stayed(guide: Guide, patient: Patient) -> None:
    """The functional mode, where the board never went away."""
    with guide.tidying():
        try:
            with modem_at(guide, patient.path) as modem:
                put_mode_back(guide, modem, patient.mode)
        except DeviceError as error:
            guide.tell(f"Its functional mode could not be looked at: {error.sentence}")


def _not_proven(patient: Patient, what: str, why: str) -> Outcome:
    return Outcome(
        Verdict.REPAIRED,
        f"Restored, power-cycle not proven: {what} is in and listed with the right digests; {why}.",
        "Switch it off and on, then run check with the same sheet.",
        _pictures(patient),
        ("A power cycle, and check with the same sheet after it.",),
        Damage.NOTHING,
    )


RESTORE = Flow(
    name="restore",
    title="Put missing credentials back",
    about="Takes the picture of the store, compares it with the job sheet, and writes only what is "
    "missing, one entry at a time; lists and compares after each, and again after a power cycle.",
    plan=(READ, FIND, IDENTIFY, SUPPLY, PICTURE, *STEPS, FLUSH, POWER, PROVE),
    perform=restore,
    questions=(SHEET, REWRITES, REPLACE),
    ready=(
        "The customer's job sheet: credentials.toml and its files.",
        "A bench supply or a full battery.",
    ),
    hands="switch it off and on once, at the end",
    keeps="The pictures from before and after: digests, no content.",
)
