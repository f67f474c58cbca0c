"""The same again on the next unit: what is carried over, and what never is."""

from __future__ import annotations

import pytest

from console.again import same_again, still_asked
from console.cards import DeviceCard, FlowCard, QuestionCard
from console.errors import NoSuchFlow
from console.events import Answered
from console.views import RunView

QUESTIONS = tuple(
    QuestionCard(name, kind, "?", True, ())
    for name, kind in (
        ("device_id", "text"),
        ("job", "text"),
        ("image", "file"),
        ("address", "text"),
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
    assert ("device_id", "pin", "confirm_erase", "confirm_unit") == still_asked(DONE, CARD)


def test_a_device_with_a_job_of_its_own_keeps_that():
    """The last customer's number does not displace the one that was told."""
    wish = same_again(DONE, CARD, "ann", "9000")

    assert ("9000", False) == (wish.job, "job" in wish.answers)


def test_another_kind_of_device_has_nothing_to_do_again():
    """Its card lacks the flow."""
    with pytest.raises(NoSuchFlow, match="has no flow core"):
        same_again(DONE, DeviceCard("1-2", "Key", "app", "", "", ()), "ann")
