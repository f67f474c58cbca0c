"""What goes wrong with a card that is not the card's own doing, as data.

The rule: a fault names the command it strikes and what comes of it; nothing else misbehaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from console.hardware.simulated_command import Command


class Outcome(StrEnum):
    REFUSED = "refused"
    """Not done, and the card says `status` (6581, 6A84)."""
    MUTE = "mute"
    """Not done; no answer to this nor to anything until it is reset."""
    UNANSWERED = "unanswered"
    """Done, but the answer is lost, and the card mute until it is reset."""
    GARBLED = "garbled"
    """Done; the answer arrives with its bits turned over and its end missing."""
    PULLED = "pulled"
    """Not done: it loses its power, once, as if pulled out. Unlocked, selected: forgotten."""


@dataclass(frozen=True)
class Fault:
    """Strikes commands with `ins`, and that P1 where it matters, once `after` have gone well."""

    ins: int
    outcome: Outcome
    p1: int | None = None
    after: int = 0
    times: int = 1
    status: int = 0x6581

    def strikes(self, command: Command) -> bool:
        return command.ins == self.ins and self.p1 in (None, command.p1)


class Faults:
    """The faults of one card and how often each command they wait for has come."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = tuple(faults)
        self.seen = [0] * len(self._faults)

    def of(self, command: Command) -> Fault | None:
        """The fault that strikes now. The command is counted."""
        struck = None
        for number, fault in enumerate(self._faults):
            if not fault.strikes(command):
                continue
            self.seen[number] += 1
            if fault.after < self.seen[number] <= fault.after + fault.times:
                struck = struck or fault
        return struck


def garbled(answer: bytes) -> bytes:
    """An answer as a bad contact leaves it."""
    return bytes(byte ^ 0x55 for byte in answer[: max(2, len(answer) // 2)])
