"""In what condition a card's keys are, and the sentences for it: pure.

The rule: a key is there when the card shows it; a fingerprint is right when it follows from that
key and its time. What the card notes of its keys (DE) is only a hint.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from console.families.openpgp import algorithms, objects
from console.families.openpgp.client import Foreign, Seen
from console.families.openpgp.objects import NO_FINGERPRINT, PinStatus, Slot


class State(Enum):
    """One slot."""

    EMPTY = "empty"
    SOUND = "a key with its fingerprint"
    ORPHAN = "a key without a fingerprint"
    OTHER = "a key whose fingerprint is of another"
    GONE = "a fingerprint without a key"
    UNKNOWN = "what cannot be read here"


def state(seen: Seen, slot: Slot) -> State:
    """The condition of a slot."""
    key, noted = seen.key(slot), seen.data.fingerprints[slot.place]
    if key is None:
        return State.EMPTY if noted == NO_FINGERPRINT else State.GONE
    if isinstance(key, Foreign):
        return State.UNKNOWN
    if noted == NO_FINGERPRINT:
        return State.ORPHAN
    return State.SOUND if key.is_of(noted, seen.data.times[slot.place]) else State.OTHER


def slot_words(seen: Seen, slot: Slot) -> str:
    """One slot in a line."""
    key, found = seen.key(slot), state(seen, slot)
    touch = objects.touch_words(seen.data.touch[slot.place])
    if key is None:
        now = algorithms.words(seen.data.attributes[slot.place])
        return f"{slot.title}: {found.value}, set to {now}, {touch}"
    origin = {1: "made on it", 2: "imported"}.get(seen.data.key_info[slot.place] or 0, "")
    noted = seen.data.fingerprints[slot.place].hex().upper()
    parts = [f"{slot.title}: {key.words}", origin]
    parts.append(f"fingerprint {noted}" if any(bytes.fromhex(noted)) else "no fingerprint")
    if found is State.OTHER:
        parts.append("which is not of this key")
    return ", ".join(filter(None, (*parts, touch)))


def faults(seen: Seen) -> Iterator[tuple[str, str]]:
    """What is wrong with it, each with its cure; worst first."""
    if seen.broken:
        yield "It cannot read its own memory and shows placeholders.", "Run reset. Keys are lost."
    yield from _pin_faults(seen.pins)
    for slot in Slot:
        yield from _slot_faults(slot, state(seen, slot))


def _pin_faults(pins: PinStatus) -> Iterator[tuple[str, str]]:
    if not pins.admin and not pins.user:
        cure = "Run unblock, if the customer has a reset code." if pins.reset_code else ""
        sentence = "Both its PINs are blocked: its keys cannot be used."
        yield sentence, f"{cure} Otherwise run reset, which destroys its keys.".strip()
    elif not pins.admin:
        yield (
            "The admin PIN is blocked, and nothing but a reset helps. What the user PIN unlocks "
            "still works.",
            "Have what is needed decrypted first; then run reset, which destroys its keys.",
        )
    elif not pins.user:
        cure = "Run unblock with the reset code or the admin PIN. No key is lost."
        yield "The user PIN is blocked.", cure


def _slot_faults(slot: Slot, found: State) -> Iterator[tuple[str, str]]:
    if found is State.ORPHAN:
        yield (
            f"The {slot.title} slot holds a key that was never given its fingerprint: the host "
            "died, or gave up, while the card made it.",
            "Run rekey: it adopts that key instead of making another.",
        )
    if found is State.OTHER:
        yield (
            f"The fingerprint of the {slot.title} slot is not of the key in it: a new key may "
            "have been made and not been noted.",
            "Compare with the customer's certificate; run restore, or rekey.",
        )
    if found is State.GONE:
        yield (
            f"The {slot.title} slot has a fingerprint and no key.",
            "Run restore from the customer's backup, or rekey.",
        )


def dies(seen: Seen, slots: tuple[Slot, ...]) -> tuple[str, ...]:
    """The keys in these slots, as what would be lost."""
    return tuple(slot_words(seen, slot) for slot in slots if seen.key(slot) is not None)
