"""A factory reset from whatever state the card is in, proven by what it says afterwards.

The rule: status words prove nothing here. Both PINs are blocked with what is no PIN, then the
application is ended and begun again; done is said when its counters are full and its slots empty.
"""

from __future__ import annotations

from contextlib import suppress

from console.errors import BeyondRepair, DeviceError, GateClosed, Refused, Unplugged
from console.events import Verdict
from console.families.openpgp.approach import IDENTIFY, Patient, one_way, opened, same_card
from console.families.openpgp.client import Seen, Session
from console.families.openpgp.condition import dies
from console.families.openpgp.kdf import Pin
from console.families.openpgp.objects import LifeCycle, PinStatus, Slot
from console.families.openpgp.pins import ADMIN, DEFAULT_ADMIN, DEFAULT_USER, USER, Secret
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

CONFIRM_RESET = Question(
    "confirm_reset", Kind.TYPED, "Type the last four characters of the card's serial to reset it."
)
DUMMY = 32
"""Bytes of what is no PIN: a card that takes digests counts nothing of another length."""
ABSENT = (0x6D00, 0x6A81, 0x6E00)
FULL = 3
"""Tries of a fresh card."""

_GONE = "Its keys are being erased. The card itself stays alive; if it is pulled, run this again."
BLOCK = one_way(
    "block",
    "Block both PINs with what is no PIN",
    "under 10 s",
    "Its keys are locked away from now on. If it is pulled, run this again.",
)
RESET = one_way("reset", "End the application and begin it anew", "under 10 s", _GONE)
PROVE = one_way("prove", "Read it back: counters and slots", "under 5 s", _GONE)
PINS = Step(
    "pins",
    "Say which PINs it has now",
    usual="at once",
    safe="The reset is done and read back. You can pull it.",
)


def reset(guide: Guide) -> Outcome:
    with opened(guide) as patient:
        session, seen = patient.session, patient.seen
        if seen is not None:
            _consent(guide, patient, seen)
            same_card(guide, session)
            if seen.data.historical.life is LifeCycle.NONE:
                _must_have_life_cycle(session, seen)
            guide.step(BLOCK, _block, session, found=lambda pins: f"tries left: {pins.words}")
        else:
            guide.tell("A reset was begun and not finished. There is nothing left to lose on it.")
        guide.step(RESET, _reset, session, seen)
        after = guide.step(PROVE, _proven, session, found=lambda now: now.pins.words)
    return guide.step(PINS, _done, patient, after, found=lambda done: done.advice)


# --- before --------------------------------------------------------------------------------


def _consent(guide: Guide, patient: Patient, seen: Seen) -> None:
    aid = seen.data.aid
    if aid.version < (2, 0):
        raise GateClosed(
            "A card of version 1 has no reset. Nothing was changed.", "It can only be replaced."
        )
    lost = dies(seen, tuple(Slot))
    guide.tell(
        "This dies: " + ("; ".join(lost) if lost else "no key, there is none") + ".",
        "Also its names, its texts, its reset code and both PINs.",
    )
    stays = patient.product.stays
    if stays:
        guide.tell(f"This stays: {stays}")
    text = f"{CONFIRM_RESET.ask} {aid}. Keys that die: {len(lost)}. Not undone by anything."
    guide.ask(CONFIRM_RESET, f"{text} Type {aid.last_four}.", aid.last_four)


def _must_have_life_cycle(session: Session, seen: Seen) -> None:
    """Before its PINs are blocked for good: has it a reset at all? On a live card it does nothing.

    Raises BeyondRepair, GateClosed.
    """
    response = session.activate()
    if response.status not in ABSENT:
        session.select()
        return
    sentence = "This card has no command for a reset: its firmware was built without it."
    advice = "It can only be written anew with its maker's program, or replaced."
    if not seen.pins.admin:
        proof = (f"Tries left: {seen.pins.words}.", f"ACTIVATE FILE answers {response.code}.")
        raise BeyondRepair(f"{sentence} Its admin PIN is blocked.", advice, proof=proof)
    raise GateClosed(f"{sentence} Nothing was changed.", advice)


# --- the stretch that cannot be undone ------------------------------------------------------


def _block(session: Session) -> PinStatus:
    """Both, since on some cards the one and on some the other decides."""
    for secret in (USER, ADMIN):
        _spend(session, secret)
    return session.pins()


def _spend(session: Session, secret: Secret) -> None:
    """Spend every try. One that does not count (placeholders, another length) ends it early."""
    whose = Pin.SIGN if secret.whose is Pin.USE else secret.whose
    before = session.pins()
    for size in dict.fromkeys((session.kdf.size or DUMMY, secret.longest(before), 8)):
        while size and secret.left(before):
            after = session.spoil(whose, size)
            if secret.left(after) >= secret.left(before):
                break
            before = after


def _reset(session: Session, seen: Seen | None) -> None:
    """TERMINATE and ACTIVATE. What they answer decides nothing, unless there is no such thing."""
    if seen is not None:
        response = session.terminate()
        if response.status in ABSENT:
            raise session.exchange.refused(response, "to be reset")
    # An error after success is no failure: the next look decides.
    with suppress(Refused):
        session.activate()
    _anew(session)
    if session.terminated:
        session.activate()
        _anew(session)


def _anew(session: Session) -> None:
    try:
        session.again()
    except Unplugged:
        raise
    except DeviceError:
        # Some need a moment's second reset before they answer as what they are now.
        session.again()


def _proven(session: Session) -> Seen:
    """Full counters and three empty slots. Raises Refused."""
    if session.terminated:
        raise Refused(
            "The card is still terminated after two attempts to begin it anew.",
            "Pull it, put it in, and run reset again.",
            code="6285",
        )
    seen = session.look()
    if min(seen.pins.user, seen.pins.admin) < FULL or not seen.empty:
        raise Refused(
            f"The card says that it was reset, and was not: tries left {seen.pins.words}; "
            f"keys in it: {sum(key is not None for key in seen.keys)}.",
            "Run reset again. On a Nitrokey 3 its own reset of the application may still work.",
            code="not reset",
        )
    return seen


# --- after ---------------------------------------------------------------------------------


def _done(patient: Patient, after: Seen) -> Outcome:
    stays = (f"Look after what a reset leaves: {patient.product.stays}",)
    return Outcome(
        Verdict.REPAIRED,
        f"The card is as new: {after.data.aid}. Its slots are empty and its counters full.",
        f"Its PINs are the default ones now: user {DEFAULT_USER}, admin {DEFAULT_ADMIN}.",
        proof=(f"Tries left: {after.pins.words}.", "No slot shows a key or has a fingerprint."),
        to_do=(
            "Change both PINs.",
            "Make new keys (rekey), or restore the customer's backup.",
            *(stays if patient.product.stays else ()),
        ),
    )


FLOW = Flow(
    name="reset",
    title="Put the card back as it was made",
    about="Destroys all its keys. Works from any state: PINs blocked or forgotten, a reset begun "
    "and not finished. Blocks both PINs, ends the application, begins it anew, and reads it back.",
    plan=(IDENTIFY, BLOCK, RESET, PROVE, PINS),
    perform=reset,
    questions=(CONFIRM_RESET,),
    ready=("The customer's word that the keys on it may die.",),
    keeps="Nothing of the keys: a card gives none away.",
)
