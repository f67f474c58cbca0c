"""What is offered for a device, as values: a screen shows these and knows no more.

The rule: nothing here does anything, and it imports no family: a first picture waits for it.
console.cards makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.events import PlannedStep

ANY_DEVICE = "generic"
"""The name of the family whose flows fit any device."""


@dataclass(frozen=True)
class QuestionCard:
    id: str
    kind: str
    ask: str
    optional: bool
    choices: tuple[str, ...]
    of_the_unit: bool = False


@dataclass(frozen=True)
class FlowCard:
    """A flow as it is offered: `id` is family.flow."""

    id: str
    title: str
    about: str
    plan: tuple[PlannedStep, ...]
    questions: tuple[QuestionCard, ...]
    ready: tuple[str, ...]
    hands: str
    keeps: str
    ladder: bool = False
    """Is it for a device that does not appear, and finds out why?"""


@dataclass(frozen=True)
class DeviceCard:
    """A device in words, and the flows offered for it."""

    port: str
    name: str
    shown: str
    about: str
    next: str
    flows: tuple[FlowCard, ...]
    mark: str = ""
