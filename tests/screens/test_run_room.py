"""A run where there is little room: what gives way, and what never does."""

from __future__ import annotations

import pytest

from console.events import (
    Asked,
    Damage,
    Device,
    PlannedStep,
    RunStarted,
    StepDone,
    StepStarted,
    Told,
    WaitStarted,
)
from console.ladder import ladder_of
from console.rungs import KERNEL, KNOWN_GOOD, LOOK, QUESTIONS
from console.views import run_view
from screens.run_page import RunLook, how_to_answer, question_lines, run_lines
from tests.screens.showing import records
from tests.test_rungs import SCALE

LADDER = ladder_of(SCALE)
STARTED = RunStarted("3", "scale.check", "T", Device("1-1", "", "", ""), "?", LADDER.planned(), "1")
SAFE = "Nothing is sent to any device. You can plug and pull as you like."
TEXT = (
    "Does a device that works show on port 1-1, with the cable of the dead one? I see it come "
    "myself; answer nothing if it is in and does not."
)
HANDS = (
    "Take the dead one out of port 1-1; leave the cable in.",
    "Put a device that works on that cable, best of another kind.",
)


def begun(step):
    """A step of the ladder."""
    return StepStarted(step.id, 1, True, Damage.NOTHING.value, SAFE)


def on_the_third_rung():
    """The known-good device is asked for; the kernel's lines were told."""
    good = QUESTIONS["known_good"]
    return run_view(
        records(
            *(STARTED, begun(LOOK.step), StepDone("look", "it is not shown on any port")),
            *(begun(KERNEL.step), Told("-71: nonsense.")),
            StepDone("kernel", "4 lines tell of trouble on port 1-1"),
            begun(KNOWN_GOOD.step),
            WaitStarted("a known-good device", "you", HANDS, 60, 600, SAFE, "bring"),
            Asked(good.id, "choice", TEXT, good.optional, "", good.choices, True),
        )
    )


def page(view, width=80, height=20):
    """The page as lines of plain text."""
    return [text.plain for text in run_lines(view, RunLook(now=1010.0), width, height)]


@pytest.mark.parametrize(("width", "height"), [(80, 20), (60, 16), (60, 12), (40, 8), (80, 3)])
def test_the_question_is_whole_and_last_on_any_screen(width, height):
    """At 60x20 the steps give way, then what the hands do."""
    view = on_the_third_rung()
    asked = [text.plain for text in question_lines(view.question, width)]
    lines = page(view, width, height)

    assert len(lines) == height
    assert asked[-height:] == lines[-len(asked) :]
    assert max(map(len, lines)) <= width


def test_at_60_by_20_it_still_says_whether_it_may_be_pulled_and_what_hands_do():
    """And which step it is, where no step has a line."""
    lines = page(on_the_third_rung(), 60, 16)

    assert any(text.startswith(" SAFE: ") for text in lines)
    assert any("Put a device that works on that cable" in text for text in lines)
    assert any("step 3 of 8" in text or text.startswith(" ?  3") for text in lines)


def test_a_plan_that_is_cut_says_how_much_of_it():
    """On the rule below it, so it costs no line."""
    lines = page(on_the_third_rung(), height=18)
    (said,) = [text for text in lines if "more steps" in text]

    shown = sum(text[3:5].strip().isdecimal() for text in lines[1 : lines.index(said)])
    assert said.startswith(f"- .. {8 - shown} more steps")
    assert not any("more steps" in text for text in page(on_the_third_rung(), height=40))


def test_what_a_step_found_is_whole_beside_its_title():
    """The title gives way where both have no room."""
    long = "USB Optical Mouse (046d:c077) shows on port 1-1"
    found = run_view(records(STARTED, begun(KNOWN_GOOD.step), StepDone("known_good", long)))
    lines = page(on_the_third_rung(), height=40)

    assert " x  1 What is there now                       it is not shown on any port" in lines
    assert any(text.endswith("port      4 lines tell of trouble on port 1-1") for text in lines)
    assert f" x  3 A known-good device in ..  {long}" in page(found, height=40)


def test_what_has_no_room_beside_any_title_is_cut_and_not_the_title():
    """A finding of a whole line would leave nothing of either."""
    long = "Spark Core, SPI Flash : SST25x, blocks of 1024 bytes, and a good deal more of it"
    found = run_view(records(STARTED, begun(KERNEL.step), StepDone("kernel", long)))
    (text,) = [text for text in page(found, height=40) if text.startswith(" x")]

    assert text.startswith(" x  2 What the kernel wrote of its port")
    assert text.endswith("..")


def test_a_short_title_with_a_short_finding_stays_in_its_column():
    """Only what needs more room leaves it."""
    plan = (PlannedStep("a", "Look", "at once"), PlannedStep("b", "A long title of a step"))
    started = RunStarted("1", "a.b", "T", Device("1-1", "", "", ""), "?", plan, "1")
    lines = page(run_view(records(started, StepDone("a", "well"))))

    assert " x  1 Look                    well" in lines


def test_a_choice_that_may_be_left_out_says_so():
    """Enter alone is an answer too."""
    asked = on_the_third_rung().question

    assert how_to_answer(asked) == (
        "1 shows, 2 nothing, 3 skip (number or word). Enter alone: not checked."
        if asked.optional
        else "1 shows, 2 nothing, 3 skip (number or word)."
    )
    must = run_view(records(STARTED, Asked("a", "choice", "?", False, "", ("b",), True))).question
    assert "1 b (number or word)." == how_to_answer(must)
