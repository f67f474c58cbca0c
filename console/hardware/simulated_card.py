"""What a simulated card is, for whoever offers it: practice, a virtual reader, a CCID device.

The rule: a card is given commands and time, nothing else. What a command changes is changed when
its time has passed, so a card that loses its power before has not done it; what half a command
leaves behind, its simulator says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from console.hardware.simulated import Pause

SLICE = 0.05
"""Seconds that a card works before whoever offers it looks at anything else."""

LONGEST = 65544
"""Bytes of the longest command there is: extended, with data and Le (ISO 7816-4, 5.1)."""


class Doing(Enum):
    """What a card does that has not answered yet, as its reader can tell."""

    WORKING = "it asks for more time"
    TOUCH = "it waits for a person's touch, and asks for more time"
    MUTE = "it neither answers nor asks for more time"


class SimulatedCard(Protocol):
    """One card: ISO 7816-4 commands in, answers out, as they cross the reader's contacts."""

    @property
    def atr(self) -> bytes:
        """The answer to reset; may differ after each reset()."""

    def begin(self, command: bytes) -> None:
        """A whole command APDU has come in. What was still under way is forgotten."""

    def work(self, seconds: float) -> bytes | None:
        """So much time has passed: the answer, status word included, once it is there.

        Asked with 0 first, so that what takes no time takes none. A card that never answers
        (None for ever) is mute until reset().
        """

    def reset(self) -> None:
        """It had no power, or its reset line was pulled: nothing is selected, unlocked, begun."""

    def press(self, buttons: str) -> None:
        """A person touched it ("" or "touch"); words it has no button for raise ValueError."""

    def freeze(self) -> dict[str, Any]:
        """All that it is, as JSON values: another process may go on with it."""

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        """Become what freeze() described."""


@dataclass
class Slot:
    """One slot of a reader: its name as PC/SC would show it, and the card in it, if any.

    `inserted` counts the cards that were put in, as PC/SC does; `longest` is the bytes of a
    command that the reader takes (261 where it knows short ones only).
    """

    name: str
    card: SimulatedCard | None
    inserted: int = 1
    longest: int = LONGEST


@runtime_checkable
class HasSlots(Protocol):
    """A device with cards in it, or slots for them."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Always the same ones, in the order in which PC/SC names them."""


def doing(card: SimulatedCard) -> Doing:
    """As its attribute `doing` says; a card that has none just works."""
    said = getattr(card, "doing", Doing.WORKING)
    return said if isinstance(said, Doing) else Doing.WORKING


def exchange(card: SimulatedCard, command: bytes, pause: Pause, patience: float) -> bytes | None:
    """The answer, after the time it takes; None if it had none within `patience` seconds."""
    card.begin(command)
    answer = card.work(0.0)
    waited = 0.0
    while answer is None and waited < patience:
        pause(SLICE)
        waited += SLICE
        answer = card.work(SLICE)
    return answer
