"""The same again on the next unit: the flow and the answers of a run, but for what differs.

The rule: pure. Consent, secrets and what names the unit are never carried over: they are asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from console.errors import NoSuchFlow
from console.offers import DeviceCard, FlowCard
from console.run import Request
from console.views import RunView

CARRIED = ("text", "choice", "file")
"""Kinds of answers that may be given again without asking."""


def same_again(view: RunView, card: DeviceCard, by: str, job: str = "") -> Request:
    """What starts the run's flow on the card's device; `job` is the device's own, if it has one.

    Raises NoSuchFlow if that device has no such flow.
    """
    flow = _flow(view, card)
    answers = _carried(view, flow)
    if job:
        answers.pop("job", None)
    job = job or answers.get("job", "") or view.job
    return Request(flow.id, card.port, answers, attended=True, job=job, by=by)


def still_asked(view: RunView, card: DeviceCard) -> tuple[str, ...]:
    """The questions that the next run asks all the same. Raises NoSuchFlow."""
    flow = _flow(view, card)
    carried = {*_carried(view, flow), *(("job",) if view.job else ())}
    return tuple(question.id for question in flow.questions if question.id not in carried)


def _flow(view: RunView, card: DeviceCard) -> FlowCard:
    for flow in card.flows:
        if flow.id == view.flow:
            return flow
    raise NoSuchFlow(f"The device on port {card.port} has no flow {view.flow}.")


def _carried(view: RunView, flow: FlowCard) -> dict[str, str]:
    given: Mapping[str, str] = {known.question: known.answer for known in view.answers}
    again = {
        question.id: given[question.id]
        for question in flow.questions
        if question.id in given and question.kind in CARRIED and not question.of_the_unit
    }
    # An optional question that was left out is left out again.
    return {name: "" if answer == "not checked" else answer for name, answer in again.items()}
