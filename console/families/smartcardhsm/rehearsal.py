"""Before a device is wiped: are its keys proven to live on a second device?

The rule: the second device is named, confirmed by its own last four and held for this run; it is
read and signs, nothing on it is changed. Proven is what signs there and verifies with the
key that is here. What is not proven dies only by a sentence of its own, typed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from console.errors import GateClosed, Unanswered
from console.events import Device
from console.families.smartcardhsm import contents, proof
from console.families.smartcardhsm.approach import PIN_LENGTH, Unit, identify, unlock
from console.families.smartcardhsm.contents import Contents, HeldKey
from console.flow import Kind, Question, Step
from console.guide import Guide

NOBODY = "none"
SECOND = Question(
    "second",
    Kind.TEXT,
    "Restore proven on a second device? Its port, or none. Empty: not proven.",
    optional=True,
)
CONFIRM = Question("confirm_second", Kind.TYPED, "Is this the second device? Type its last four.")
SECOND_PIN = Question(
    "second_pin", Kind.SECRET, "The user PIN of the second device?", hint=PIN_LENGTH
)
SENTENCE = "these keys may die"
UNPROVEN = Question("confirm_unproven", Kind.TYPED, f'Type "{SENTENCE}" to delete unproven keys.')
QUESTIONS = (SECOND, CONFIRM, SECOND_PIN, UNPROVEN)

UNLOCK = Step(
    "unlock_second",
    "Give the PIN of the second device",
    usual="under 1 s",
    safe="Nothing is changed on either device.",
)
REHEARSE = Step(
    "rehearse",
    "Is the restore proven on a second device?",
    usual="under 10 s",
    safe="Nothing is changed on either device.",
)


@dataclass(frozen=True)
class Rehearsed:
    """Which keys live elsewhere, proven; which do not."""

    proven: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    where: str = ""

    @property
    def sentence(self) -> str:
        if not self.proven and not self.missing:
            return "There is no key on it."
        if not self.where:
            return f"NO RESTORE IS PROVEN: {counted(len(self.missing))} may be lost for ever."
        if self.missing:
            return f"NOT proven on {self.where}: {', '.join(self.missing)}."
        return f"Proven on {self.where}: {counted(len(self.proven))}, all of them."


def counted(number: int, what: str = "key") -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def may_be_wiped(rehearsed: Rehearsed, typed: str | None = None) -> bool:
    """May the device be initialised? The one place where that is decided.

    Yes, where no key is on it, where every key is proven on a named second device, or where the
    technician has typed the sentence that gives the others up.
    """
    if not rehearsed.missing and (rehearsed.where or not rehearsed.proven):
        return True
    return typed == SENTENCE


def must_be_given_up(guide: Guide, unit: Unit, rehearsed: Rehearsed) -> None:
    """Have the sentence typed where it is needed. Raises GateClosed.

    A script that does not bring it has written down the last four of this very device as its
    consent, and is told in the verdict what that may have cost.
    """
    if may_be_wiped(rehearsed):
        return
    text = (
        f"{unit.name}: {rehearsed.sentence} Never wipe a source before its restore is proven. "
        f'S stops; to give them up for ever, type "{SENTENCE}".'
    )
    try:
        typed = guide.ask(UNPROVEN, text, SENTENCE)
    except Unanswered:
        guide.warn("Nobody was there to give up keys that are proven nowhere else.")
        return
    if not may_be_wiped(rehearsed, typed):
        raise GateClosed(
            rehearsed.sentence, "Nothing was sent. Restore onto a second device first."
        )


def rehearse(guide: Guide, unit: Unit, held: Contents) -> Rehearsed:
    """Ask for the second device and have it sign. Raises GateClosed if it is no second one."""
    names = tuple(key.words for key in held.present)
    if not names:
        return guide.step(REHEARSE, Rehearsed, found=lambda it: it.sentence)
    ports = ", ".join(device.port for device in guide.neighbours) or "none"
    question = replace(SECOND, ask=f"{SECOND.ask} Here: {counted(len(names))}. Ports: {ports}")
    port = (guide.ask(question) or NOBODY).strip()
    if port == NOBODY:
        done = guide.step(REHEARSE, Rehearsed, (), names, found=lambda it: it.sentence)
        guide.warn(done.sentence, "Run backup, restore onto a second device, and come back.")
        return done
    device = _device(guide, port)
    with guide.second_card(device) as line:
        other = identify(guide, line)
        if other.chain.digest == unit.chain.digest:
            raise GateClosed("That is the same device.", "Nothing was changed on it.")
        guide.ask(CONFIRM, f"{other.name} on port {port}. {CONFIRM.ask}", other.last_four)
        unlock(guide, other, SECOND_PIN, UNLOCK)
        done = guide.step(REHEARSE, _signs, other, held, found=lambda it: it.sentence)
    if done.missing:
        guide.warn(done.sentence, "Restore those onto the second device first.")
    return done


def _device(guide: Guide, port: str) -> Device:
    found = next((device for device in guide.neighbours if device.port == port), None)
    if found is None:
        raise GateClosed(
            f"There is no second SmartCard-HSM on port {port} that is free.",
            "Nothing was changed. Plug it in, then run reset again.",
        )
    return found


def _signs(other: Unit, held: Contents) -> Rehearsed:
    there = contents.read(other.hsm)
    lives = {key.words: _lives(other, there, key) for key in held.present}
    proven = tuple(words for words, alive in lives.items() if alive)
    missing = tuple(words for words, alive in lives.items() if not alive)
    return Rehearsed(proven, missing, other.name)


def _lives(other: Unit, there: Contents, key: HeldKey) -> bool:
    public = key.public
    if public is None:
        return False
    twins = (twin for twin in there.present if twin.public in (public, None))
    return any(proof.proven(other.hsm, twin.number, public) for twin in twins)
