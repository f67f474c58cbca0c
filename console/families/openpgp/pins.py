"""How a PIN is asked for and given: counted before and after, and never the last try unasked.

The rule: no try is spent that was not announced. What is too short for any card is not sent; a PIN
that was wrong is not sent again; with one try left the run stops unless it is told otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from console.errors import GateClosed
from console.families.openpgp.client import Session, Tried
from console.families.openpgp.kdf import Pin
from console.families.openpgp.objects import PinStatus
from console.families.openpgp.products import Traits
from console.flow import Kind, Question
from console.guide import Guide

DEFAULT_USER, DEFAULT_ADMIN = "123456", "12345678"
LAST_WORDS = "last try"
LAST_TRY = Question(
    "last_try",
    Kind.TYPED,
    "One try is left. To use it, type: last try. Empty: stop here.",
    optional=True,
)
SHORTEST = 6
"""Characters of the shortest PIN of any card; what more a card wants, it says itself (4.2.2)."""
_COST = "Nothing was written."


@dataclass(frozen=True)
class Secret:
    """A kind of PIN: its name, its counter, what to do when it is blocked, its shortest length.

    `counters`: where it is not known which of several counts, all that may; else its own.
    """

    name: str
    whose: Pin
    blocked: str
    shortest: int = SHORTEST
    counters: tuple[Pin, ...] = ()

    def left(self, pins: PinStatus) -> int:
        """Its tries; the fewest of those that may count, but one that is blocked counts nothing."""
        first, *others = (_count(pins, whose) for whose in self.counters or (self.whose,))
        return min((first, *filter(None, others))) if first else 0

    def longest(self, pins: PinStatus) -> int:
        place = {Pin.ADMIN: 2, Pin.RESET_CODE: 1}.get(self.whose, 0)
        return pins.longest[place]


def _count(pins: PinStatus, whose: Pin) -> int:
    match whose:
        case Pin.ADMIN:
            return pins.admin
        case Pin.RESET_CODE:
            return pins.reset_code
        case _:
            return pins.user


USER = Secret(
    "user PIN", Pin.USE, "Run unblock: the reset code or the admin PIN frees it. No key is lost."
)
ADMIN = Secret("admin PIN", Pin.ADMIN, "Only a reset helps, and it destroys the keys.")
GNUK_ADMIN = replace(ADMIN, counters=(Pin.ADMIN, Pin.USE))
"""On a Gnuk: while it has no admin PIN of its own, its user PIN does its work and counts."""
STAND_IN = Secret(
    USER.name,
    Pin.ADMIN,
    "With a reset code, run unblock. Otherwise only a reset helps, and it destroys the keys.",
    counters=(Pin.USE,),
)
CODE = Secret("reset code", Pin.RESET_CODE, "Use the admin PIN instead.", 8)


def admin_of(traits: Traits) -> Secret:
    """The admin PIN, as this card counts it."""
    return GNUK_ADMIN if traits.is_gnuk else ADMIN


def unlock(guide: Guide, session: Session, secret: Secret, question: Question) -> str:
    """Ask for a PIN and give it, until it is taken; the PIN. Raises GateClosed."""
    tried: set[str] = set()
    while True:
        before = session.pins()
        pin = ask(guide, session, secret, question, before, tried)
        tried.add(pin)
        answer = session.verify(secret.whose, pin)
        if answer.taken:
            return pin
        secret = say_wrong(guide, session, secret, answer, before)


def ask(
    guide: Guide,
    session: Session,
    secret: Secret,
    question: Question,
    before: PinStatus,
    tried: set[str],
) -> str:
    """A PIN that may be sent. Raises GateClosed (blocked, one try left, the same wrong one)."""
    left = secret.left(before)
    if not left:
        raise GateClosed(f"The {secret.name} is blocked. {_COST}", secret.blocked)
    if left == 1:
        last_try(guide, secret, before)
    short: set[str] = set()
    while True:
        pin = guide.ask(question, f"{question.ask} {_tries(left)}.") or ""
        if pin in tried or pin in short:
            raise GateClosed(
                f"The same {secret.name} again: it was not sent. {_tries(left)}. {_COST}",
                "Ask the customer; then run again.",
            )
        wrong = misfit(pin, secret, session)
        if not wrong:
            return pin
        short.add(pin)
        guide.tell(f"{wrong} It was not sent.", "No try was spent.")


def misfit(pin: str, secret: Secret, session: Session) -> str:
    """Why no card could take it; "" if one may."""
    if len(pin) < secret.shortest:
        return f"A {secret.name} has at least {secret.shortest} characters."
    longest = secret.longest(session.pins())
    if longest and not session.kdf.active and len(pin.encode()) > longest:
        return f"This card's {secret.name} has at most {longest} characters."
    return ""


def last_try(guide: Guide, secret: Secret, before: PinStatus) -> None:
    """Use the last one only if told so. Raises GateClosed."""
    one = f"One try of the {secret.name} is left"
    if secret is GNUK_ADMIN and before.user == 1:
        one = "One try of the user PIN is left, and it may count for the admin PIN"
    said = f"{one}. To use it, type: {LAST_WORDS}. Empty: stop here."
    if guide.ask(LAST_TRY, said, LAST_WORDS) is None:
        raise GateClosed(f"{one}; I stop here. {_COST}", secret.blocked)


def say_wrong(
    guide: Guide, session: Session, secret: Secret, answer: Tried, before: PinStatus
) -> Secret:
    """A PIN was not taken: what the card counts now, and as whose. Raises GateClosed."""
    counts = _counting(secret, before, answer)
    if counts is not secret and counts is STAND_IN:
        guide.tell("This Gnuk has no admin PIN of its own: its user PIN counts.")
    left, once = counts.left(answer.pins), counts.left(before)
    if not once:
        raise GateClosed(f"The {counts.name} is blocked. {_COST}", counts.blocked)
    if left >= once and not _says_wrong(answer):
        # Nothing was counted, so it was not the PIN that it objected to.
        raise objection(session, answer, f"the {secret.name}")
    if not left:
        raise GateClosed(f"Wrong. The {counts.name} is blocked now. {_COST}", counts.blocked)
    guide.tell(f"Wrong {secret.name}. {_tries(left)}; I stop at 1.")
    return counts


def _counting(secret: Secret, before: PinStatus, answer: Tried) -> Secret:
    """Whose counter it is, by which of them fell; one that is blocked cannot fall any more."""
    after, blocked = answer.pins, answer.response.status == 0x6983 or _says_wrong(answer)
    if secret.whose is not Pin.ADMIN:
        return secret
    if after.admin < before.admin:
        return ADMIN
    unmoved = secret is GNUK_ADMIN and not before.user and blocked
    return STAND_IN if unmoved or after.user < before.user else secret


def _says_wrong(answer: Tried) -> bool:
    status = answer.response.status
    return status in (0x6982, 0x6300) or status & 0xFFF0 == 0x63C0


def objection(session: Session, answer: Tried, what: str) -> GateClosed:
    """The card does not want this, and sending it again would change nothing."""
    error = session.exchange.refused(answer.response, what)
    cost = "" if broke(answer) else f" {_COST}"
    return GateClosed(f"{error.sentence} ({error.code}){cost}", error.advice)


def broke(answer: Tried) -> bool:
    """Did it fail inside while it was at it? Then its status word does not say what was written."""
    return answer.response.status >> 8 in (0x65, 0x6F)


def _tries(left: int) -> str:
    return f"{left} {'try' if left == 1 else 'tries'} left"
