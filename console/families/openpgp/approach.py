"""What every flow begins with: the questions, and a look at the card that spends no PIN try.

The rule: nothing here writes. Before the first PIN goes out it is made sure that the card is still
the one that was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from console.errors import GateClosed, Refused
from console.events import Damage
from console.families.openpgp.algorithms import CHOICES
from console.families.openpgp.client import Seen, Session
from console.families.openpgp.objects import Slot
from console.families.openpgp.products import Product, Traits, card_in, product_of
from console.flow import Kind, Question, Step
from console.guide import Guide
from console.hardware.lines import CardLine

SLOTS = Question(
    "slots",
    Kind.TEXT,
    "Which slots: sign, decrypt, auth (with commas between)? Empty: all that apply.",
    optional=True,
)
ALGORITHM = Question(
    "algorithm",
    Kind.CHOICE,
    "Which algorithm? Empty: as the card is set now.",
    optional=True,
    choices=CHOICES,
)
PIN = Question("pin", Kind.SECRET, "The user PIN?")
ADMIN_PIN = Question("admin_pin", Kind.SECRET, "The admin PIN?")
CONFIRM_REPLACE = Question("confirm_replace", Kind.CONFIRM, "Replace these keys?")

IDENTIFY = Step("identify", "Look at the card, without a PIN", usual="under 5 s")
UNLOCK = Step(
    "unlock",
    "Give the PINs, counting the tries",
    usual="under 5 s",
    safe="Nothing is written. A wrong PIN costs one of its tries; right ones cost nothing.",
)
TERMINATED_WORDS = "It is terminated: a reset was begun and not finished. All its keys are gone."
TERMINATED_ADVICE = "Run reset: it needs no PIN now and finishes it."

UNTOUCHED = ("6600", "6982", "6985")
"""What cards answer when nobody touched them: a YubiKey and a Gnuk the first, opcard the second."""

_ALIASES = {
    **dict.fromkeys(("sign", "sig", "signature", "1"), Slot.SIGN),
    **dict.fromkeys(("decrypt", "dec", "decryption", "encrypt", "2"), Slot.DECRYPT),
    **dict.fromkeys(("auth", "aut", "authentication", "authenticate", "3"), Slot.AUTH),
}


def one_way(id_: str, title: str, usual: str, safe: str) -> Step:
    """A step that changes the card."""
    return Step(id_, title, usual, undoable=False, damage=Damage.CARD, safe=safe)


@dataclass(frozen=True)
class Patient:
    """The card of this run. `seen` is None while it is terminated and says nothing."""

    session: Session
    product: Product
    seen: Seen | None

    def alive(self) -> Traits:
        """What is special about it. Raises GateClosed while it is terminated."""
        if self.seen is None:
            raise GateClosed(f"{TERMINATED_WORDS} Nothing was changed.", TERMINATED_ADVICE)
        return Traits(self.product, self.seen)


@contextmanager
def opened(guide: Guide) -> Iterator[Patient]:
    """The card, looked at; its line is held until the flow ends."""
    with guide.card(card_in(guide.device)) as line:
        yield guide.step(IDENTIFY, look, guide, line, found=_found)


def look(guide: Guide, line: CardLine) -> Patient:
    """Select the application and read all that it tells."""
    session = Session.begin(line)
    seen = None if session.terminated else session.look()
    if seen is not None:
        guide.unique(seen.data.aid.raw.hex())
    return Patient(session, product_of(guide.device), seen)


def _found(patient: Patient) -> str:
    if patient.seen is None:
        return TERMINATED_WORDS
    return f"{patient.seen.data.aid}; tries: {patient.seen.pins.words}"


def same_card(guide: Guide, session: Session) -> None:
    """It may have been swapped while a question was open. Raises GateClosed, and as the line."""
    session.select()
    if session.terminated:
        raise GateClosed(f"{TERMINATED_WORDS} It was not so before.", TERMINATED_ADVICE)
    guide.unique(session.application().aid.raw.hex())


def slots_of(answer: str | None) -> tuple[Slot, ...]:
    """The slots that were asked for; empty where none were named. Raises GateClosed."""
    words = (answer or "").replace(",", " ").replace("+", " ").lower().split()
    if words == ["all"]:
        return tuple(Slot)
    unknown = [word for word in words if word not in _ALIASES]
    if unknown:
        raise GateClosed(
            f"There is no slot {unknown[0]}.", "Name sign, decrypt or auth. Nothing is written."
        )
    named = {_ALIASES[word] for word in words}
    return tuple(slot for slot in Slot if slot in named)


@contextmanager
def touched(guide: Guide, seen: Seen, slot: Slot) -> Iterator[None]:
    """Where the slot wants a touch, it is said before the command goes out.

    Raises Refused where nobody touched it: the PIN was taken just before, so 6982, which some
    cards answer then, does not mean the PIN.
    """
    if not seen.data.touch[slot.place]:
        yield
        return
    try:
        with guide.touch(f"your touch, for its {slot.title} key"):
            yield
    except Refused as error:
        if error.code not in UNTOUCHED:
            raise
        raise Refused(
            f"Nobody touched it in time, so it did not use its {slot.title} key.",
            "Run again and touch it while it blinks.",
            code=error.code,
        ) from None
