"""What is wrong with a card, or with the machine that uses it, without spending a PIN try.

The rule: reads only; the verdict "no fault found, the cause is the host" is a result.
"""

from __future__ import annotations

from console.events import Verdict
from console.families.openpgp.approach import (
    IDENTIFY,
    TERMINATED_ADVICE,
    TERMINATED_WORDS,
    opened,
)
from console.families.openpgp.client import Seen
from console.families.openpgp.condition import faults, slot_words
from console.families.openpgp.objects import LifeCycle, Slot
from console.families.openpgp.products import Traits, span_words
from console.flow import Flow, Outcome, Step
from console.guide import Guide
from console.hardware.gnupg import GnuPG

KEYS = Step("keys", "Judge its keys and counters", usual="at once")
HOST = Step("host", "Look at this machine's gpg", usual="under 5 s")
LIFE = {
    LifeCycle.NONE: "it does not manage its life cycle, so it may not be resettable",
    LifeCycle.TERMINATED: "terminated",
    LifeCycle.OPERATIONAL: "operational",
    LifeCycle.UNKNOWN: "its life cycle is not told",
}
OLD_GPG = "gpg before 2.1.20 gives a card up after 5 s; from 2.1.20 on, or with disable-ccid, not."


def check(guide: Guide) -> Outcome:
    with opened(guide) as patient:
        if patient.seen is None:
            return Outcome(Verdict.UNFINISHED, TERMINATED_WORDS, TERMINATED_ADVICE)
        traits, seen = patient.alive(), patient.seen
        wrong = guide.step(KEYS, _judged, guide, traits, found=_count)
    host = guide.step(HOST, guide.gnupg, found=lambda found: found.sentence)
    if wrong:
        sentences = " ".join(sentence for sentence, _ in wrong)
        return Outcome(Verdict.UNFINISHED, sentences, wrong[0][1], proof=_facts(seen))
    return _no_fault(seen, traits, host)


def _judged(guide: Guide, traits: Traits) -> tuple[tuple[str, str], ...]:
    for fact in _facts(traits.seen):
        guide.tell(fact)
    if traits.is_gnuk and not traits.seen.empty:
        guide.tell("It is a Gnuk: whenever a key is written, its user PIN is 123456 again.")
    return tuple(faults(traits.seen))


def _count(wrong: tuple[tuple[str, str], ...]) -> str:
    return f"{len(wrong)} fault{'s' if len(wrong) > 1 else ''}" if wrong else "nothing wrong"


def _facts(seen: Seen) -> tuple[str, ...]:
    data = seen.data
    pins = f"Tries left: {seen.pins.words}."
    forced = "once for each signature" if seen.pins.forced else "once for several signatures"
    kdf = f"PINs cross the wire hashed ({seen.kdf.hash})" if seen.kdf.active else "no PIN hashing"
    signed = "It does not tell how often it has signed."
    if seen.signatures is not None:
        signed = f"It has signed {seen.signatures} times with its signature key."
    return (
        f"{data.aid}; {LIFE[data.historical.life]}.",
        f"{pins} The user PIN is asked {forced}; {kdf}.",
        *(f"{slot_words(seen, slot)}." for slot in Slot),
        signed,
    )


def _no_fault(seen: Seen, traits: Traits, host: GnuPG) -> Outcome:
    needs = _patience(seen, traits)
    if host.impatient:
        return Outcome(
            Verdict.ELSEWHERE,
            f"No fault found on the card. The cause is the host's gpg. {host.sentence} {needs}",
            "Update gpg there, or write disable-ccid into scdaemon.conf and use pcscd.",
            proof=_facts(seen),
        )
    return Outcome(
        Verdict.NO_FAULT,
        f"No fault found on the card. {needs}",
        f"If it fails at the customer's: look at the gpg there. {OLD_GPG}",
        proof=(*_facts(seen), host.sentence),
    )


def _patience(seen: Seen, traits: Traits) -> str:
    """How long it needs for the slowest of what it is set to."""
    known = [algorithm for slot in Slot if (algorithm := seen.algorithm(slot)) is not None]
    slowest = max(known, key=lambda algorithm: traits.usual(algorithm)[1], default=None)
    if slowest is None or traits.usual(slowest)[1] <= 10:
        return "It makes its keys at once."
    usual = span_words(traits.usual(slowest))
    return f"To make a key ({slowest.word}) it mostly takes {usual}."


CHECK = Flow(
    name="check",
    title="Check the card",
    about="Reads what the card tells without a PIN: versions, life cycle, tries left, keys and "
    "their fingerprints. Then looks at this machine's gpg. Writes nothing, spends no PIN try.",
    plan=(IDENTIFY, KEYS, HOST),
    perform=check,
    keeps="What the card told, in the report.",
)
