"""What goes wrong with a simulated OpenPGP card, as data.

The rule: a fault says which command it strikes and how often; nothing else breaks. How often each
has been met is the card's memory of it, and is frozen with the card.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    SLOW = "it works for `seconds` before it answers"
    MUTE = "it does nothing and never answers"
    LOST = "it does it and never answers"
    GARBLED = "it does it and answers something else"
    REFUSED = "it does nothing and answers `word`"
    POWER_LOST = "after `seconds` of its work it has no power, and is silent until reset"
    PULLED = "it is taken out before it answers; nothing is done"
    WRONG_LENGTH = "it wants the exact length first (6Cxx)"


class Half(StrEnum):
    """What a key generation leaves that was cut off."""

    NOTHING = "the slot as it was"
    ORPHAN = "the new key, without a fingerprint of its own"
    ERASED = "no key: the old one went first"


@dataclass(frozen=True)
class Fault:
    """`ins` and `parameters` (P1 P2) None: any. `nth`: the first that is struck, from 1."""

    kind: Kind
    ins: int | None = None
    parameters: int | None = None
    nth: int = 1
    times: int = 1
    seconds: float = 0.0
    word: int = 0

    def meets(self, ins: int, parameters: int) -> bool:
        return self.ins in (None, ins) and self.parameters in (None, parameters)

    def strikes(self, met: int) -> bool:
        """Does it strike now, having been met so often, this time included?"""
        return self.nth <= met < self.nth + self.times
