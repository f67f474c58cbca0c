"""The check: who the device is, what state it is in, what is on it. No PIN, nothing is changed.

The rule: versions come from the device's own answer; an unknown root or an expired issuer is
said and is no fault. The passport is the evidence to compare with later.
"""

from __future__ import annotations

from pathlib import Path

from console.events import Verdict
from console.families.smartcardhsm.approach import (
    FEWEST_SO_TRIES,
    IDENTIFY,
    LOOK,
    Unit,
    atr,
    both_blocked,
    look,
    opened,
    read_file,
)
from console.families.smartcardhsm.chain import Trust
from console.families.smartcardhsm.contents import Contents
from console.families.smartcardhsm.models import TRAP, WAY_OUT
from console.families.smartcardhsm.passport import NAME, Passport
from console.flow import Flow, Kind, Outcome, Question
from console.guide import Guide

EARLIER = Question(
    "passport",
    Kind.FILE,
    "An earlier passport of this unit to compare with? Empty: not compared.",
    optional=True,
)


def check(guide: Guide) -> Outcome:
    brought = guide.ask(EARLIER)
    earlier = Passport.parse(read_file(Path(brought))) if brought else None
    with opened(guide) as unit:
        held = look(guide, unit)
    say(guide, unit, held)
    passport = keep_passport(guide, unit, held)
    changed = passport.differs_from(earlier) if earlier else ()
    return _judged(unit, held, changed)


def keep_passport(guide: Guide, unit: Unit, held: Contents) -> Passport:
    """Keep the passport for the record."""
    passport = Passport.of(atr(guide), unit.hsm.application, unit.chain, unit.domains, held)
    guide.keep(NAME, passport.encode(), "The device passport: compare it after shipping.")
    return passport


def say(guide: Guide, unit: Unit, held: Contents) -> None:
    """What the device is and has, in words."""
    device = unit.chain.device
    version, application = unit.hsm.version, unit.hsm.application
    guide.tell(f"{version.line} {version.never}")
    guide.tell(f"Certificate holder {device.chr if device else 'unknown'}. {unit.chain.sentence}")
    for note in unit.chain.notes:
        guide.tell(note)
    guide.tell(f"{application.words} User PIN {unit.pin.words}; SO-PIN {unit.so_pin.words}.")
    guide.tell(f"Key shares: {unit.shares_words}.")
    for key in held.keys:
        guide.tell(f"On it: {key.words}.")
    for words in held.others:
        guide.tell(f"On it: {words}.")
    if version.loses_listed_keys:
        guide.warn(TRAP, WAY_OUT)


def facts(unit: Unit, held: Contents) -> tuple[str, ...]:
    """The evidence of a verdict."""
    return (
        unit.name,
        f"user PIN {unit.pin.words}",
        f"SO-PIN {unit.so_pin.words}",
        f"key shares: {unit.shares_words}",
        f"on it: {held.words}",
        *(key.words for key in held.keys),
        *held.others,
        unit.chain.sentence,
        *unit.chain.notes,
    )


def _judged(unit: Unit, held: Contents, changed: tuple[str, ...]) -> Outcome:
    proof = facts(unit, held)
    if changed:
        return _fault(
            "It is not what the passport says. " + " ".join(changed),
            "A firmware update gives another identity, too; else it is another unit.",
            proof,
        )
    if unit.chain.trust is Trust.BROKEN:
        return _fault(unit.chain.sentence, "Do not trust it with keys; ask the vendor.", proof)
    if unit.so_pin.blocked and unit.pin.blocked:
        raise both_blocked(unit)
    trouble = _trouble(unit, held)
    if trouble:
        return _fault(*trouble, proof)
    return _well(unit, held, proof)


def _trouble(unit: Unit, held: Contents) -> tuple[str, str] | None:
    if unit.pin.blocked:
        if unit.hsm.application.may_unblock:
            return "The user PIN is blocked; the keys are there.", "Run unblock with the SO-PIN."
        return (
            "The user PIN is blocked, and this device was set up so that only a reset helps.",
            "Restore the backup onto a second device first; then run reset.",
        )
    if unit.so_pin.blocked:
        return (
            "The SO-PIN is blocked for ever; the keys work as long as the user PIN does.",
            "Run backup now and restore it onto another device.",
        )
    if unit.pin.transport:
        return (
            "Its PIN is the transport PIN: it opens nothing until it is changed.",
            "Run unblock with the transport PIN: it sets a PIN of your own. Keys stay.",
        )
    half = tuple(key for key in held.keys if not key.whole)
    if half:
        words = "; ".join(key.words for key in half)
        return (
            f"Not whole: {words}.",
            "Run restore with the same backup: it mends that. None there? Run backup here first.",
        )
    return None


def _well(unit: Unit, held: Contents, proof: tuple[str, ...]) -> Outcome:
    if not unit.pin.initialised:
        return Outcome(
            Verdict.NO_FAULT,
            f"{unit.name} was never initialised; nothing is wrong with it.",
            "Run reset to initialise it.",
            proof,
        )
    advice = f"Compare {NAME} after shipping."
    if unit.shares.missing:
        advice = f"Run restore to give it its missing key shares ({unit.shares.missing})."
    elif unit.so_pin.tries is not None and unit.so_pin.tries < FEWEST_SO_TRIES:
        advice = "Its SO-PIN is nearly used up: keep a backup on another device."
    return Outcome(Verdict.NO_FAULT, f"{unit.name}: on it {held.words}.", advice, proof)


def _fault(sentence: str, advice: str, proof: tuple[str, ...]) -> Outcome:
    return Outcome(Verdict.UNFINISHED, f"Fault found: {sentence}", advice, proof)


CHECK = Flow(
    name="check",
    title="Check the device",
    about="Reads version, PIN tries, key shares, keys and the certificate chain, and exports a "
    "passport. No PIN is needed, nothing is changed.",
    plan=(IDENTIFY, LOOK),
    perform=check,
    questions=(EARLIER,),
    ready=("Optional: the passport of an earlier check.",),
    keeps="The device passport: identity, certificates, versions, names of keys.",
)
