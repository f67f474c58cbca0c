"""A run as text, over every moment of real runs on practice hardware."""

import pytest

from console.events import (
    Damage,
    Device,
    DeviceJudged,
    DeviceLeft,
    PlannedStep,
    RunStarted,
    StepDone,
    StepStarted,
    Told,
    WaitStarted,
    Warned,
)
from console.journal import replay
from console.picture import Progress
from console.views import RunView, fold_run, run_view
from screens.run_page import RunLook, counts, header, question_lines, run_lines
from screens.verdict_page import verdict_lines
from tests.harness import workshop
from tests.screens.showing import device, records

PLAN = (PlannedStep("out", "Pull it"), PlannedStep("write", "Write", "~15 s"))
STARTED = RunStarted("42", "nitrokey.reset", "Reset", device("1-2"), "Nitrokey 3", PLAN, "1")


def page(view, look=None, height=21):
    """The page as lines of plain text."""
    return [text.plain for text in run_lines(view, look or RunLook(now=1010.0), 80, height)]


@pytest.fixture(scope="module", params=["core-blank-key", "case-3", "core-unplug-mid-write"])
def moments(request, tmp_path_factory):
    """Every view that a screen could have had of a run."""
    with workshop(tmp_path_factory.mktemp("state"), request.param) as bench:
        ended = bench.run()
        journal = replay(bench.state.journal(ended.run)).records
    views = [RunView()]
    for record in journal:
        views.append(fold_run(views[-1], record))
    return views[1:]


def test_at_every_moment_it_fits_and_says_whether_it_may_be_pulled(moments):
    """80 by 24 leaves 20 lines for the page while something is asked."""
    for view in moments:
        if view.ended is not None:
            continue
        lines = page(view, height=20)

        assert len(lines) == 20
        assert max(map(len, lines)) <= 80
        assert ("SAFE: " in "\n".join(lines)) != ("DO NOT UNPLUG" in "\n".join(lines))


def test_a_question_is_whole_and_last(moments):
    """Nothing stands between it and the line on which it is answered."""
    for view in (view for view in moments if view.question is not None):
        asked = [text.plain for text in question_lines(view.question, 80)]

        assert asked == page(view, height=20)[-len(asked) :]


def test_the_step_that_goes_on_is_seen_at_every_moment(moments):
    """However long the plan is."""
    for view in (view for view in moments if view.ended is None and view.current is not None):
        number = view.steps.index(view.current) + 1

        assert any(text[3:].startswith(f"{number:>2} ") for text in page(view, height=20))


def test_the_verdict_is_large_and_everything_of_it_can_be_read(moments):
    """Sentence, advice, proof, warnings, what is left to do, what was kept."""
    view = moments[-1]
    lines = [text.plain for text in verdict_lines(view, 0, 80, 400)]
    text = " ".join(" ".join(lines).split())
    ended = view.ended

    assert " ".join(ended.verdict.upper().replace(" ", "")) in text.replace("  ", " ")
    for fact in (ended.sentence, ended.advice, *ended.proof, *ended.warnings, *ended.to_do):
        assert " ".join(fact.split()) in text
    assert all(kept.name in text for kept in view.artefacts)
    assert max(map(len, lines)) <= 80


def test_what_must_not_be_pulled_is_said_in_words_with_what_it_would_cost():
    """Mark, words and the damage."""
    step = StepStarted("write", 1, False, Damage.HALF.value, "All sent is not done.", "the end")
    text = "\n".join(page(run_view(records(STARTED, step))))

    assert "* *  DO NOT UNPLUG.  * *  All sent is not done." in text
    assert "IF IT IS PULLED NOW: contents gone, bootloader alive." in text


def waiting(*more, **told):
    """A run that waits for hands to replug a key."""
    hands = ("pull it out", "plug it back in, same port", "touch it while it blinks")
    hands = told.pop("hands", hands)
    wait = WaitStarted(
        "a Nitrokey 3", "you", hands, 5.0, 60.0, "Nothing is erased until you touch.", **told
    )
    step = StepStarted("out", 1, True, Damage.NOTHING.value, "")
    return run_view(records(STARTED, step, wait, *more))


def test_hands_are_a_checklist_with_the_one_thing_to_do_now():
    """Ticked as far as the bus shows what they did."""
    before, after = page(waiting()), page(waiting(DeviceLeft("1-2")))

    assert any("[ ] pull it out <--- NOW" in text for text in before)
    assert any("[x] pull it out" in text for text in after)
    assert any("[ ] plug it back in, same port <--- NOW" in text for text in after)


def test_a_time_that_the_device_gives_is_counted_down_from_its_arrival():
    """Ten seconds to touch it, and they count from plug-in, not from when it was seen."""
    window = {"acts": "bring", "window": 10.0, "window_from": "plug"}
    key = Device("1-2", "v2", "20a0", "42b2")
    came = DeviceJudged("1-2", key, True, "Same device.")
    before = "\n".join(page(waiting(**window), RunLook(now=1003.0)))
    view = waiting(came, **window)
    counting = "\n".join(page(view, RunLook(now=view.wait.window_since + 4.0)))
    over = "\n".join(page(view, RunLook(now=view.wait.window_since + 11.0)))

    assert "It gives 10 s, counted from plug-in." in " ".join(before.split())
    assert "IT COUNTS: 6 s LEFT." in " ".join(counting.split())
    assert "Its time is over." in " ".join(over.split())


def test_a_wait_without_hands_says_that_the_device_acts_by_itself():
    """Nobody has to guess whether to touch it."""
    text = " ".join("\n".join(page(waiting(hands=(), acts="leave"))).split())

    assert "Leave it plugged in: it acts by itself." in text


def test_a_wait_shows_elapsed_against_usual_and_limit():
    """So that nobody pulls it out of impatience."""
    text = "\n".join(page(waiting(), RunLook(now=1017.0)))

    assert "Waiting 14 s for a Nitrokey 3." in text
    assert "(mostly 5 s; I wait 60 s)" in text
    assert "SAFE: Nothing is erased until you touch." in text


def test_another_one_that_came_is_told_and_marked():
    """Not taken, with the reason."""
    other = DeviceJudged("1-3", device("1-3"), False, "Not taken: one came on port 1-3.")

    assert any(" ! Not taken: one came on port 1-3." in text for text in page(waiting(other)))


def test_progress_is_one_line_and_ends_with_its_step():
    """Redrawn in place."""
    view = run_view(records(STARTED, StepStarted("write", 1, False, "nothing written", "Safe.")))
    look = RunLook(Progress("Writing", 64, 128), now=1005.0)

    assert any("Writing: 64 of 128" in text for text in page(view, look))
    assert not any("128 of 128" in t for t in page(view, RunLook(Progress("Writing", 128, 128))))


def test_who_was_away_is_told_what_happened_meanwhile():
    """From the journal, with both times."""
    view = run_view(
        records(STARTED, StepStarted("out", 1, True, "", ""), StepDone("out", "it left"))
    )
    away = ("2026-05-04T14:00:02.500Z", "2026-05-04T14:00:09.000Z")

    text = " ".join(" ".join(page(view, RunLook(away=away))).split())

    assert "You were away 14:00:02 - 14:00:09 (line dropped). Meanwhile: Pull it: it left" in text


def test_the_newest_sentence_is_never_pushed_off_the_page():
    """Old ones give way."""
    many = [Told(f"Sentence {n} of many, long enough to need a line.") for n in range(50)]
    text = "\n".join(page(run_view(records(STARTED, *many, Warned("The last one.", "Do this.")))))

    assert " ! The last one. Do this." in text
    assert "Sentence 3 " not in text


def test_a_tick_is_wanted_only_while_time_passes_that_matters():
    """Neither for a question nor after the end."""
    asks = run_view(records(STARTED))

    assert counts(waiting())
    assert not counts(asks)


def test_practice_and_job_stand_in_the_header():
    """With flow and device."""
    view = run_view(
        records(
            RunStarted("1", "particle.rekey", "T", device(), "Core", PLAN, "1", "2243", "case-3")
        )
    )

    assert header(view, "port 1-1", 64).plain.strip() == "PRACTICE  port 1-1  REKEY  job 2243  Core"
