"""A flow is a guided repair: one plain function with a declared plan, and its way to a verdict.

The rules, from which the rest follows:
- a flow can be run again from whatever state it finds;
- a step that cannot be undone is on disk before its first byte, and never retried blindly;
- everything that can be asked is asked before the first such step;
- a reconnect is armed before the act that causes it;
- "done" is said only from what the device itself answers afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from console.errors import (
    BadUsage,
    BeyondRepair,
    ConsoleError,
    GateClosed,
    NotPermitted,
    Stopped,
    Unanswered,
)
from console.events import Damage, PlannedStep, Reason, RunEnded, Verdict

if TYPE_CHECKING:
    from console.guide import Guide


class Kind(StrEnum):
    """How a question is answered."""

    CONFIRM = "confirm"
    TYPED = "typed"
    TEXT = "text"
    CHOICE = "choice"
    SECRET = "secret"  # noqa: S105 - the name of a kind of question
    FILE = "file"


@dataclass(frozen=True)
class Question:
    """One question of a flow. Consent (confirm, typed) is never given by Enter alone.

    `choices` are all answers of a choice; of a typed one, other spellings that mean the same.
    `hint` is what is wanted of a secret ("16 hex digits"), shown beside the count of what is typed.
    What is `of_the_unit` is never taken over from the run on another one. A secret that is new is
    asked for `twice` where a person types it: nobody sees what was typed.
    """

    id: str
    kind: Kind
    ask: str
    optional: bool = False
    choices: tuple[str, ...] = ()
    hint: str = ""
    of_the_unit: bool = False
    twice: bool = False

    def fits(self, answer: str, must_type: str = "") -> bool:
        """May this be its answer?"""
        match self.kind:
            case Kind.CONFIRM:
                return answer in ("yes", "no")
            case Kind.TYPED:
                return bool(must_type) and answer in (must_type, *self.choices)
            case Kind.CHOICE:
                return answer in self.choices
            case _:
                return bool(answer)

    def misfit(self, must_type: str = "") -> str:
        """What is said to an answer that does not fit."""
        match self.kind:
            case Kind.CONFIRM:
                return "Type yes or no."
            case Kind.TYPED:
                return f"That is not what has to be typed ({must_type})."
            case Kind.CHOICE:
                return f"One of: {', '.join(self.choices)}."
            case _:
                return "An empty answer does not answer it."


@dataclass(frozen=True)
class Step:
    """One step of a plan. `safe` is said while it runs; `damage` is what a pull costs then."""

    id: str
    title: str
    usual: str = ""
    undoable: bool = True
    damage: Damage = Damage.NOTHING
    safe: str = "Nothing is written. You can still pull it."


@dataclass(frozen=True)
class Outcome:
    """What a flow returns: the verdict and the evidence."""

    verdict: Verdict
    sentence: str
    advice: str = ""
    proof: tuple[str, ...] = ()
    to_do: tuple[str, ...] = ()
    damage: Damage | None = None
    """What the device is found to have lost; None: what its last step could cost."""


@dataclass(frozen=True)
class Flow:
    """A guided repair as data, and the function that performs it."""

    name: str
    title: str
    about: str
    plan: tuple[Step, ...]
    perform: Callable[[Guide], Outcome]
    questions: tuple[Question, ...] = ()
    ready: tuple[str, ...] = ()
    hands: str = "none"
    keeps: str = ""

    def planned(self) -> tuple[PlannedStep, ...]:
        return tuple(PlannedStep(step.id, step.title, step.usual) for step in self.plan)


RETRY = Question("retry", Kind.CHOICE, "Try this step again?", choices=("again", "stop"))
GUIDE_QUESTIONS: tuple[Question, ...] = (RETRY,)
"""Questions that the guide itself may ask in any flow."""


def perform(flow: Flow, guide: Guide) -> RunEnded:
    """Run the flow to its verdict; every error becomes one. Programming errors pass through."""
    try:
        outcome = flow.perform(guide)
    except BeyondRepair as error:
        return _ended(guide, Verdict.BEYOND, Reason.FAULT, error, error.proof)
    except Stopped as error:
        return _ended(guide, Verdict.UNFINISHED, Reason.STOPPED, error)
    except Unanswered as error:
        return _ended(guide, Verdict.UNFINISHED, Reason.UNANSWERED, error)
    except (GateClosed, BadUsage) as error:
        return _ended(guide, Verdict.REFUSED, Reason.GATE, error)
    except NotPermitted as error:
        verdict = Verdict.UNFINISHED if guide.committed else Verdict.REFUSED
        return _ended(guide, verdict, Reason.GATE, error)
    except ConsoleError as error:
        return _ended(guide, Verdict.UNFINISHED, Reason.FAILED, error)
    good = outcome.verdict in (Verdict.REPAIRED, Verdict.NO_FAULT, Verdict.ELSEWHERE)
    return RunEnded(
        outcome.verdict.value,
        (Reason.DONE if good else Reason.FAULT).value,
        outcome.sentence,
        outcome.advice,
        outcome.proof,
        outcome.to_do,
        guide.warnings,
        (outcome.damage or guide.damage).value,
    )


def _ended(
    guide: Guide, verdict: Verdict, reason: Reason, error: ConsoleError, proof: tuple[str, ...] = ()
) -> RunEnded:
    return RunEnded(
        verdict.value,
        reason.value,
        error.sentence,
        error.advice,
        proof,
        (),
        guide.warnings,
        guide.damage.value,
    )
