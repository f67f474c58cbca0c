"""INITIALIZE: everything on the device is deleted, and it begins anew with new PINs and key shares.

The rule: the SO-PIN's tries are read before and after, and one that cannot be right is never sent.
What dies is said, whether its restore was proven on a second device is said, and consent is typed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from console.errors import BadUsage, DeviceError, GateClosed, Refused, Unplugged
from console.events import Damage, Verdict
from console.families.smartcardhsm import contents, rehearsal
from console.families.smartcardhsm.approach import (
    IDENTIFY,
    LOOK,
    NEW_PIN,
    SO_PIN,
    SO_PIN_FORMAT,
    Unit,
    ask_so_pin,
    look,
    opened,
    well_sized,
)
from console.families.smartcardhsm.check import keep_passport
from console.families.smartcardhsm.client import LABEL_FILE, SO, InitData, KeyShares, Pin
from console.families.smartcardhsm.contents import Contents
from console.families.smartcardhsm.rehearsal import Rehearsed, counted
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide
from console.protocols import tlv

MOST_SHARES = 255
NONE, RANDOM = "none", "0"
RETRIES = {6: 3, 7: 5}
MOST_RETRIES = 10
"""Tries of a user PIN by its length, as other programs for this card set them."""
TOKEN_LABEL, TOKEN = 0x80, 0x30
LONGEST_LABEL = 32
STATUS_WORDS = "69"
"""How every one begins (ISO 7816-4, 5.1.3); another beginning is an answer that was garbled."""

SHARES = Question(
    "shares",
    Kind.TEXT,
    "How many DKEK shares are planned (1 to 255)? 0: the device makes its own DKEK, no clone ever; "
    "none: no key can ever be exported.",
)
LABEL = Question("label", Kind.TEXT, "A name for the device? Empty: as it is.", optional=True)
CONFIRM = Question("confirm_reset", Kind.TYPED, "Type the last four of its serial (DENK...).")

ERASE = Step(
    "initialize",
    "Initialise: delete everything, set new PINs",
    usual="under 10 s",
    undoable=False,
    damage=Damage.CARD,
    safe="It is deleting everything. Leave it plugged in for some seconds.",
)
PROVE = Step(
    "prove",
    "Read what it says now, open it with the new PIN",
    usual="under 3 s",
    undoable=False,
    damage=Damage.CARD,
    safe="Leave it plugged in for some seconds.",
)
AFTER = Step("after", "Read it again", usual="under 3 s", safe="You can pull it.")


@dataclass(frozen=True)
class Said:
    """What came back from INITIALIZE: the status word that is no 9000, or why none came."""

    code: str = ""
    lost: str = ""

    @property
    def ok(self) -> bool:
        return not self.code and not self.lost


@dataclass(frozen=True)
class Proven:
    """What the device says after INITIALIZE.

    `refused` is why everything is still as it was, `open` why nobody can tell; then `advice`.
    """

    words: str
    refused: str = ""
    open: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Plan:
    """How it shall begin anew."""

    shares: int | None
    label: str

    @property
    def words(self) -> str:
        if self.shares is None:
            return "no key shares: no key of it can ever be exported"
        if self.shares == 0:
            return "a DKEK of its own: no other device ever takes its keys"
        return f"{counted(self.shares, 'key share')}, to be given to it by restore"


def reset(guide: Guide) -> Outcome:
    with opened(guide) as unit:
        held = look(guide, unit)
        keep_passport(guide, unit, held)
        rehearsed = rehearsal.rehearse(guide, unit, held)
        rehearsal.must_be_given_up(guide, unit, rehearsed)
        plan = _plan(guide)
        code = ask_so_pin(guide, unit)
        pin = well_sized(guide, NEW_PIN)
        consent = replace(CONFIRM, choices=(unit.whole_name_ends,))
        guide.ask(consent, _consent(unit, held, plan, rehearsed), unit.last_four)
        data = InitData(code, pin, RETRIES.get(len(pin), MOST_RETRIES), plan.shares)
        said = guide.step(ERASE, _initialize, unit, data)
        proven = guide.step(PROVE, _prove, unit, held, data, said, found=lambda it: it.words)
        after = guide.step(AFTER, _after, guide, unit, plan, proven, found=lambda it: it.words)
    if proven.open:
        return Outcome(Verdict.UNFINISHED, proven.open, proven.advice, (proven.words,))
    return _judged(unit, held, plan, after)


def _plan(guide: Guide) -> Plan:
    words = (guide.ask(SHARES) or "").strip().lower()
    label = (guide.ask(LABEL) or "").strip()
    if len(label.encode()) > LONGEST_LABEL:
        raise BadUsage(f"A device's name has at most {LONGEST_LABEL} bytes.", "Nothing was sent.")
    if words == NONE:
        return Plan(None, label)
    if not words.isdecimal() or int(words) > MOST_SHARES:
        raise BadUsage(
            f'"{words[:20]}" is no number of key shares.', "Nothing was sent. 1 to 255, 0, or none."
        )
    return Plan(int(words), label)


def _consent(unit: Unit, held: Contents, plan: Plan, rehearsed: Rehearsed) -> str:
    dkek = "" if all(one.none for one in unit.domains) else ", and its DKEK"
    if len(unit.domains) > 1:
        dkek = f", and the keys of its {len(unit.domains)} key domains"
    dies = f"What dies: {held.words}{dkek}."
    so = f"SO-PIN: {unit.so_pin.words}; a wrong one costs one for ever."
    if not unit.so_pin.initialised:
        so = "Its SO-PIN is set now, for life."
    stays = "Its device key and certificate stay."
    return (
        f"{unit.name}. {dies} {rehearsed.sentence} {stays} After it: {plan.words}. {so} "
        f"Type {unit.last_four} to delete everything."
    )


# --- the stretch that cannot be undone --------------------------------------------------------


def _initialize(unit: Unit, data: InitData) -> Said:
    """What the device answered, which proves nothing in either direction."""
    try:
        answer = unit.hsm.initialize(data)
    except Unplugged as error:
        raise Unplugged(
            f"{error.sentence} It was being initialised.",
            "Plug it in and run check: keys gone means that it was done. Then run reset again.",
        ) from error
    except DeviceError as error:
        return Said(lost=error.sentence)
    if answer.code[0] not in STATUS_WORDS:
        return Said(lost=f"It is no status word ({answer.code}).")
    return Said() if answer.ok else Said(answer.code)


def _prove(unit: Unit, held: Contents, data: InitData, said: Said) -> Proven:
    """What became of it. Raises GateClosed where it is neither as before nor as wanted."""
    pin, so_pin = unit.hsm.pin(), unit.hsm.pin(SO)
    kept = f"SO-PIN: {unit.so_pin.words} before, {so_pin.words} now."
    now = contents.read(unit.hsm)
    if not said.ok:
        if so_pin.tries is not None and so_pin.tries < (unit.so_pin.tries or 0):
            return _not_its_so_pin(kept)
        before = held.files, unit.domains, unit.pin, unit.so_pin
        if before == (now.files, unit.hsm.key_domains(), pin, so_pin):
            return _as_before(said, kept)
    if now.words != contents.NOTHING:
        raise GateClosed(
            f"The device still lists {now.words} after it was initialised. {kept}",
            "Run check before anything else.",
        )
    return _opened(unit, data, pin, kept)


def _not_its_so_pin(kept: str) -> Proven:
    return Proven(
        kept,
        f"The device did not take that SO-PIN. {kept}",
        advice="Everything on it is still there. Was it the other format: 8 characters, or hex?",
    )


def _as_before(said: Said, kept: str) -> Proven:
    """Nothing shows that it was done. The new PIN is not tried: it has the old one, it seems."""
    if said.code:
        return Proven(
            kept,
            f"The device refused to initialise ({said.code}). {kept}",
            advice="Everything on it is still there, its user PIN is the old one. "
            "Export the log for support.",
        )
    return Proven(
        kept,
        open=f"The answer to INITIALIZE was lost, and all is as before it. {said.lost} {kept}",
        advice="The new PIN was not tried: a wrong one costs a try. Run check, then reset again.",
    )


def _opened(unit: Unit, data: InitData, pin: Pin, kept: str) -> Proven:
    """Does the new PIN open it? Some are open already after INITIALIZE, and tell no tries then."""
    if not pin.verified and (pin.tries or 0) <= 1:
        return Proven(
            kept,
            open=f"The new PIN was not tried; user PIN {pin.words}. {kept}",
            advice="I stop at 1. Run check, then reset again with the same SO-PIN.",
        )
    opened_it = unit.hsm.verify(data.pin)
    if opened_it.verified:
        return Proven(f"{kept} The new PIN opens it.")
    raise GateClosed(
        f"No key is on it and the new PIN does not open it: {opened_it.words}. {kept}",
        "Run reset again with the same SO-PIN.",
    )


def _after(guide: Guide, unit: Unit, plan: Plan, proven: Proven) -> KeyShares:
    """Its key shares as it tells them; the name is written last, since nothing hangs on it."""
    if proven.refused:
        raise GateClosed(proven.refused, proven.advice)
    shares = unit.hsm.key_shares()
    if plan.label and not proven.open:
        try:
            unit.hsm.write(LABEL_FILE, renamed(unit.hsm.read(LABEL_FILE) or b"", plan.label))
        except Refused as error:
            guide.warn(f"The name was not written: {error.sentence}")
    return shares


def renamed(token: bytes, label: str) -> bytes:
    """EF.TokenInfo (PKCS#15, 6.9) with another label. Raises Garbled if it is none."""
    parts = tlv.parse(tlv.bare(TOKEN, token))
    new = tlv.encode(TOKEN_LABEL, label.encode())
    if not any(part.tag == TOKEN_LABEL for part in parts):
        flags = tlv.encode(0x03, b"\x04\x30")
        version = tlv.encode(0x02, b"\x01"), tlv.encode(0x04), tlv.encode(0x0C, b"CardContact")
        return tlv.encode(TOKEN, *version, new, flags)
    kept = (new if part.tag == TOKEN_LABEL else tlv.encode(part.tag, part.value) for part in parts)
    return tlv.encode(TOKEN, *kept)


def _judged(unit: Unit, held: Contents, plan: Plan, after: KeyShares) -> Outcome:
    promised = after.total == plan.shares and after.missing == (plan.shares or 0)
    promised = promised or (plan.shares is None and after.none)
    if not promised:
        return Outcome(
            Verdict.UNFINISHED,
            f"{unit.name} is initialised, and its key shares are not as planned: {after.words}.",
            "Run check; then reset again.",
        )
    to_do: tuple[str, ...] = ()
    if plan.shares:
        to_do = (f"Give it its {counted(plan.shares, 'key share')}: run restore.",)
    return Outcome(
        Verdict.REPAIRED,
        f"{unit.name} is initialised: {plan.words}. The new PIN opens it.",
        "The SO-PIN is the same as before. Keep it: it can never be replaced."
        if unit.so_pin.initialised
        else "The SO-PIN is the one that was chosen now. Keep it: it can never be replaced.",
        (
            f"deleted: {held.words}",
            *(f"deleted: {words}" for words in held.others),
            f"key shares: {after.words}",
        ),
        to_do,
    )


RESET = Flow(
    name="reset",
    title="Initialise it: delete everything, begin anew",
    about="Counts the SO-PIN's tries, says what dies and whether its restore was proven on a "
    "second device, and initialises with new PINs and the planned key shares.",
    plan=(IDENTIFY, LOOK, rehearsal.UNLOCK, rehearsal.REHEARSE, ERASE, PROVE, AFTER),
    perform=reset,
    questions=(*rehearsal.QUESTIONS, SHARES, LABEL, SO_PIN_FORMAT, SO_PIN, NEW_PIN, CONFIRM),
    ready=(
        "The SO-PIN, and whether it is 8 characters or 16 hex digits.",
        "A second device on which the backup was restored, if there are keys on this one.",
    ),
    keeps="The device passport from before. No PIN is kept.",
)
