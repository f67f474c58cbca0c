"""What passes between a guide and its host, the bench: answers, signals, what is recorded.

The rule: values only; an answer and a backup may be secrets, so they are in no repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from console.events import ArtefactKept


@dataclass(frozen=True)
class Reply:
    """Somebody answered a question."""

    question: str
    answer: str = field(repr=False)
    by: str = ""


@dataclass(frozen=True)
class Recorded:
    """A raw backup that some run recorded: its record, the unit's serial, its bytes.

    `ours` says whether that unit is this run's; the bytes are None where they are in the vault no
    more, or are not what the record says.
    """

    kept: ArtefactKept
    ours: bool
    serial: str
    data: bytes | None = field(default=None, repr=False)


class Signal(StrEnum):
    """What else can wake a run."""

    BUS = "the bus changed"
    STOP = "stop was asked for"
