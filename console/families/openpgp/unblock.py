"""A new user PIN for a card that blocked it, by the reset code or by the admin PIN.

The rule: no key is touched; done is said when the counter is full and the new PIN was taken.
"""

from __future__ import annotations

from console.errors import GateClosed
from console.events import Verdict
from console.families.openpgp.approach import ADMIN_PIN, IDENTIFY, opened, same_card
from console.families.openpgp.client import Seen, Session, Tried
from console.families.openpgp.kdf import Pin
from console.families.openpgp.objects import PinStatus
from console.families.openpgp.pins import (
    CODE,
    DEFAULT_USER,
    LAST_TRY,
    USER,
    admin_of,
    ask,
    broke,
    last_try,
    misfit,
    objection,
    say_wrong,
    unlock,
)
from console.families.openpgp.products import Traits
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

RESET_CODE = Question(
    "reset_code", Kind.SECRET, "The reset code? Empty: use the admin PIN.", optional=True
)
NEW_PIN = Question("new_pin", Kind.SECRET, "The new user PIN (at least 6 characters)?", twice=True)
UNBLOCK = Step(
    "unblock",
    "Give it the new user PIN",
    usual="under 5 s",
    safe="No key is touched. A wrong reset code or admin PIN costs one of its tries.",
)
PROVE = Step("prove", "Give the new PIN, and count", usual="under 5 s", safe=UNBLOCK.safe)


def unblock(guide: Guide) -> Outcome:
    with opened(guide) as patient:
        traits, session = patient.alive(), patient.session
        seen = traits.seen
        _must_be_possible(traits)
        guide.tell(f"Tries left: {seen.pins.words}.")
        code = _reset_code(guide, session, seen)
        new = _new_pin(guide, session)
        same_card(guide, session)
        with session.alone():
            guide.step(UNBLOCK, _unblock, guide, traits, session, code, new)
            pins = guide.step(PROVE, _prove, session, new, found=lambda now: now.words)
    return Outcome(
        Verdict.REPAIRED,
        "The card took the new user PIN, and its counter is full. No key was touched.",
        "Tell the customer the new PIN in person; it is in no record.",
        proof=(f"Tries left: {pins.words}.",),
        to_do=("The customer changes the PIN to one of their own.",),
    )


def _must_be_possible(traits: Traits) -> None:
    seen = traits.seen
    if traits.is_gnuk and not any(seen.keys):
        raise GateClosed(
            f"It is a Gnuk without a key: its user PIN is {DEFAULT_USER} and cannot be changed.",
            "Make keys first (rekey), or reset it. Nothing was changed.",
        )
    if seen.pins.admin or seen.pins.reset_code:
        return
    raise GateClosed(
        "The admin PIN is blocked and there is no reset code: the user PIN stays blocked.",
        "Only a reset helps, and it destroys the keys. Nothing was changed.",
    )


def _reset_code(guide: Guide, session: Session, seen: Seen) -> str | None:
    """The reset code; None where there is none, or the admin PIN is to be used."""
    if not seen.pins.reset_code:
        return None
    code = guide.ask(RESET_CODE)
    if not code:
        return None
    wrong = misfit(code, CODE, session)
    if wrong:
        raise GateClosed(f"{wrong} It was not sent.", "No try was spent.")
    return code


def _new_pin(guide: Guide, session: Session) -> str:
    short: set[str] = set()
    while True:
        new = guide.ask(NEW_PIN) or ""
        wrong = misfit(new, USER, session)
        if not wrong:
            return new
        if new in short:
            raise GateClosed(f"{wrong} Nothing was changed.", "Choose another one.")
        short.add(new)
        guide.tell(wrong, "No try was spent. Choose another one.")


def _unblock(guide: Guide, traits: Traits, session: Session, code: str | None, new: str) -> None:
    if code is None:
        unlock(guide, session, admin_of(traits), ADMIN_PIN)
        before = session.pins()
        answer = session.unblock(new)
        if not _taken(session, before, answer):
            raise objection(session, answer, "the new PIN")
        return
    tried: set[str] = set()
    while True:
        before = session.pins()
        if tried:
            code = ask(guide, session, CODE, RESET_CODE, before, tried)
        elif CODE.left(before) == 1:
            last_try(guide, CODE, before)
        tried.add(code)
        answer = session.unblock(new, code)
        if _taken(session, before, answer):
            return
        say_wrong(guide, session, CODE, answer, before)


def _taken(session: Session, before: PinStatus, answer: Tried) -> bool:
    """Has it the new PIN? Where it failed inside, its counter tells: it is full again, or not.

    Raises Refused (it failed, and nothing shows that the new PIN is in it).
    """
    if not broke(answer) or answer.pins.user > before.user:
        return answer.taken or broke(answer)
    raise session.exchange.refused(answer.response, "the new PIN")


def _prove(session: Session, new: str) -> PinStatus:
    """Raises Refused."""
    answer = session.verify(Pin.USE, new)
    if not answer.taken:
        raise session.exchange.refused(answer.response, "the new PIN that it took before")
    return answer.pins


FLOW = Flow(
    name="unblock",
    title="Unblock the user PIN",
    about="Gives the card a new user PIN, by the reset code or by the admin PIN. No key is "
    "touched. A blocked admin PIN cannot be unblocked by anything.",
    plan=(IDENTIFY, UNBLOCK, PROVE),
    perform=unblock,
    questions=(RESET_CODE, NEW_PIN, ADMIN_PIN, LAST_TRY),
    ready=("The reset code, or the admin PIN.", "A new user PIN."),
    keeps="No PIN, anywhere.",
)
