"""New keys, made on the card: named, proven one by one, their public halves handed over.

The rule: a key that the card made and nobody named is adopted, not burnt. A wait for the card has
no limit of ours: it is at work, and only it knows for how long.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.errors import DeviceError, Garbled, GateClosed, Unplugged
from console.events import Verdict
from console.families.openpgp.algorithms import CHOICES, Algorithm, named
from console.families.openpgp.approach import (
    ADMIN_PIN,
    ALGORITHM,
    CONFIRM_REPLACE,
    IDENTIFY,
    PIN,
    SLOTS,
    UNLOCK,
    one_way,
    opened,
    same_card,
    slots_of,
)
from console.families.openpgp.client import Session
from console.families.openpgp.condition import State, dies, state
from console.families.openpgp.objects import Slot
from console.families.openpgp.packets import Dated
from console.families.openpgp.pins import LAST_TRY, USER, admin_of, unlock
from console.families.openpgp.products import Traits, span_words
from console.families.openpgp.publickey import PublicKey
from console.families.openpgp.writing import (
    EXPORT,
    PROVE,
    SAFE,
    Hands,
    UserPin,
    export,
    fingerprint_words,
    may_hold,
    must_write,
    pins_said,
    pins_to_do,
    prove_all,
)
from console.flow import Flow, Outcome, Question
from console.guide import Guide

MAKE = {
    slot: one_way(f"make-{slot.word}", f"Make the {slot.title} key", "seconds to minutes", SAFE)
    for slot in Slot
}


@dataclass(frozen=True)
class Task:
    """One slot: what its key shall be, and whether the one that is in it is adopted."""

    slot: Slot
    algorithm: Algorithm
    adopt: bool


def rekey(guide: Guide) -> Outcome:
    with opened(guide) as patient:
        traits, session = patient.alive(), patient.session
        must_write(traits)
        tasks = _tasks(guide, traits)
        _consent(guide, traits, tasks)
        same_card(guide, session)
        with session.alone():
            hands = guide.step(UNLOCK, give_pins, guide, session, traits)
            made = {
                task.slot: guide.step(MAKE[task.slot], _make, hands, task, found=_named)
                for task in tasks
            }
            proven = guide.step(PROVE, prove_all, hands, made, found=" ".join)
            guide.step(EXPORT, export, hands, made, found=str)
    return _done(hands, tasks, made, proven)


def give_pins(guide: Guide, session: Session, traits: Traits) -> Hands:
    """Both PINs, asked for, given and taken."""
    admin = unlock(guide, session, admin_of(traits), ADMIN_PIN)
    user = unlock(guide, session, USER, PIN)
    return Hands(guide, session, traits, admin, UserPin(user))


# --- before --------------------------------------------------------------------------------


def _tasks(guide: Guide, traits: Traits) -> tuple[Task, ...]:
    slots = slots_of(guide.ask(SLOTS)) or tuple(Slot)
    choices = tuple(word for word in CHOICES if all(_can(traits, s, named(word, s)) for s in slots))
    asked = Question(ALGORITHM.id, ALGORITHM.kind, ALGORITHM.ask, True, choices)
    word = guide.ask(asked, f"{ALGORITHM.ask} This card has: {', '.join(choices)}.")
    return tuple(_task(traits, slot, word) for slot in slots)


def _can(traits: Traits, slot: Slot, algorithm: Algorithm) -> bool:
    return may_hold(traits, slot, algorithm) and traits.can_make(algorithm)


def _task(traits: Traits, slot: Slot, word: str | None) -> Task:
    now = traits.seen.algorithm(slot)
    algorithm = named(word, slot) if word else now
    if algorithm is None or not traits.can_make(algorithm):
        raise GateClosed(
            f"The {slot.title} slot is set to what cannot be made on this card.",
            "Choose an algorithm. Nothing is written.",
        )
    orphan = state(traits.seen, slot) is State.ORPHAN
    key = traits.seen.key(slot)
    fits = key is not None and (not word or algorithm == key.algorithm)
    return Task(slot, algorithm, orphan and fits)


def _consent(guide: Guide, traits: Traits, tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        if task.adopt:
            guide.tell(
                f"The {task.slot.title} key was made and never named: it is adopted as it is.",
                "It gets its time and its fingerprint now.",
            )
    pins_said(guide, traits, not all(task.adopt for task in tasks))
    lost = dies(traits.seen, tuple(task.slot for task in tasks if not task.adopt))
    if lost:
        text = f"These keys die, for good: {'; '.join(lost)}. {CONFIRM_REPLACE.ask}"
        guide.ask(CONFIRM_REPLACE, text)


# --- the stretch that cannot be undone ------------------------------------------------------


def _make(hands: Hands, task: Task) -> Dated:
    slot, before = task.slot, hands.before.key(task.slot)
    if task.adopt and before is not None:
        # Its time may have been written before the host died.
        created = hands.before.data.times[slot.place] or hands.guide.now()
        return hands.name(slot, Dated(before, created))
    hands.set_algorithm(slot, task.algorithm)
    before = hands.key_now(slot)
    _generate(hands, task, before)
    key = hands.key_now(slot)
    if key is None or key == before or task.algorithm != key.algorithm:
        raise Garbled(
            f"The card says that it made a {slot.title} key and shows none that is new.",
            "Run check: it says what is in the slot.",
        )
    return hands.name(slot, Dated(key, hands.guide.now()))


def _generate(hands: Hands, task: Task, before: PublicKey | None) -> None:
    """Let the card work, for as long as it takes; an error after the key was made is none."""
    slot, usual = task.slot, span_words(hands.traits.usual(task.algorithm))
    what = f"the card to make its {task.algorithm.word} key (mostly {usual} on this card)"
    try:
        with hands.guide.busy(what, SAFE):
            hands.write_key(lambda: hands.session.generate(slot))
    except Unplugged:
        raise
    except DeviceError:
        hands.session.again()
        if hands.key_now(slot) in (None, before):
            raise
        hands.guide.tell(f"The answer was an error, but the {slot.title} key was made.")


def _named(key: Dated) -> str:
    return f"{key.public.words}, fingerprint {key.fingerprint.hex().upper()}"


def _done(
    hands: Hands, tasks: tuple[Task, ...], made: dict[Slot, Dated], proven: tuple[str, ...]
) -> Outcome:
    adopted = sum(task.adopt for task in tasks)
    new = len(tasks) - adopted
    counted = [f"{new} new" if new else "", f"{adopted} adopted" if adopted else ""]
    return Outcome(
        Verdict.REPAIRED,
        f"Keys on the card: {' and '.join(filter(None, counted))}. Each was used and checked here.",
        "The public keys are with the report. The private ones never left the card.",
        proof=(*fingerprint_words(made), *proven),
        to_do=("The customer publishes the new public keys.", *pins_to_do(hands)),
    )


REKEY = Flow(
    name="rekey",
    title="Make new keys on the card",
    about="Makes keys on the card in the slots and the algorithm you choose, writes their time "
    "and fingerprint, uses each one once and checks it here. Hands over the public keys.",
    plan=(IDENTIFY, UNLOCK, *MAKE.values(), PROVE, EXPORT),
    perform=rekey,
    questions=(SLOTS, ALGORITHM, CONFIRM_REPLACE, ADMIN_PIN, PIN, LAST_TRY),
    ready=("The admin PIN and the user PIN.", "Time: an RSA key takes a card up to 15 min."),
    keeps="The public keys: OpenPGP certificate, PEM, SSH.",
)
