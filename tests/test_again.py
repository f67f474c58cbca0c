"""The same again on the next unit: what is carried over, and what never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.again import same_again, still_asked
from console.errors import NoSuchFlow
from console.events import Answered
from console.families import found
from console.offers import DeviceCard, FlowCard, QuestionCard
from console.views import RunView

QUESTIONS = tuple(
    QuestionCard(name, kind, "?", True, (), name in ("device_id", "backup"))
    for name, kind in (
        ("device_id", "text"),
        ("job", "text"),
        ("image", "file"),
        ("address", "text"),
        ("backup", "file"),
        ("pin", "secret"),
        ("confirm_erase", "confirm"),
        ("confirm_unit", "typed"),
    )
)
FLOW = FlowCard("core.flash", "Flash", "", (), QUESTIONS, (), "", "")
CARD = DeviceCard("1-2", "Core", "DFU", "", "", (FLOW,))
GIVEN = {
    "device_id": "0123",
    "job": "2243",
    "image": "/tmp/a.bin",
    "address": "not checked",
    "backup": "/tmp/key-of-6D70.bin",
    "pin": "(given)",
    "confirm_erase": "yes",
    "confirm_unit": "6D75",
    "retry": "again",
}
DONE = RunView(
    run="7",
    flow="core.flash",
    job="2243",
    answers=tuple(Answered(name, text) for name, text in GIVEN.items()),
)


def test_only_what_every_unit_shares_is_carried_over():
    """No consent, no secret, no unit's own name, no answer of the guide's own question."""
    wish = same_again(DONE, CARD, "ann")

    assert {"job": "2243", "image": "/tmp/a.bin", "address": ""} == wish.answers
    assert ("core.flash", "1-2", "2243", "ann") == (wish.flow, wish.device, wish.job, wish.by)
    assert (False, True) == (wish.yes, wish.attended)


def test_what_differs_is_asked_and_told_before():
    """So that nobody starts it by mistake."""
    asked = ("device_id", "backup", "pin", "confirm_erase", "confirm_unit")

    assert asked == still_asked(DONE, CARD)
    # A job that was not asked for but named when the run was begun is carried, too.
    named = replace(DONE, answers=tuple(a for a in DONE.answers if a.question != "job"))
    assert asked == still_asked(named, CARD)
    assert same_again(named, CARD, "ann").job == "2243"


def test_a_device_with_a_job_of_its_own_keeps_that():
    """The last customer's number does not displace the one that was told."""
    wish = same_again(DONE, CARD, "ann", "9000")

    assert ("9000", False) == (wish.job, "job" in wish.answers)


def test_what_holds_one_units_own_keys_is_marked_so():
    """Another unit's backup must never be what the next run begins with."""
    marked = {
        (family.name, question.id)
        for family in found()
        for flow in family.flows
        for question in flow.questions
        if question.of_the_unit
    }

    assert {("particle", "backup"), ("particle", "device_id"), ("openpgp", "backup")} <= marked


def test_another_kind_of_device_has_nothing_to_do_again():
    """Its card lacks the flow."""
    with pytest.raises(NoSuchFlow, match="has no flow core"):
        same_again(DONE, DeviceCard("1-2", "Key", "app", "", "", ()), "ann")
