"""The folds that make a screen, a command and a report see the same: one run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.codec import KINDS
from console.events import (
    Answered,
    ArtefactKept,
    Asked,
    BenchStarted,
    BenchStopped,
    BusChanged,
    Device,
    DeviceChanged,
    DeviceJudged,
    DeviceLeft,
    DevicePlugged,
    DeviceUnplugged,
    Noted,
    RunClosed,
    RunEnded,
    RunOpened,
    RunStarted,
    ScreenBack,
    ScreenLost,
    StepDone,
    StepFailed,
    StopAsked,
    Told,
    Unknown,
    WaitEnded,
    WaitStarted,
    Warned,
)
from console.journal import Record
from console.views import (
    LATELY,
    BenchView,
    Row,
    RunView,
    bench_view,
    device_view,
    fold_bench,
    fold_run,
    matching,
    meanwhile,
    rows,
    run_view,
)
from tests.test_events import made
from tests.told import ASKED, CORE, ERASE, HANDS, PLAN, QUICK, STARTED, marks, records, run, step

# --- one run --------------------------------------------------------------------------------


def test_a_run_shows_its_header_and_its_plan_before_it_begins():
    """What was promised."""
    view = run()

    assert ("7", "core.rekey", "New key", "Core A") == (view.run, view.flow, view.title, view.name)
    assert ("1-1", "2243", "5", "an") == (view.port, view.job, view.continues, view.by)
    assert [("look", "Look", "1 s"), ("erase", "Erase", ""), ("end", "End", "")] == [
        (known.id, known.title, known.usual) for known in view.steps
    ]
    assert ("   ", "running", 0, None) == (marks(view), view.state, view.done, view.current)
    assert (True, "", "") == (view.may_pull, view.verdict, view.turn)


def test_steps_are_marked_as_they_go():
    """To come, going on, done, failed."""
    assert [" ", "~", "x"] == [
        run(*events).steps[0].mark
        for events in ([], [step("look")], [step("look"), StepDone("look", "A")])
    ]
    assert "x! " == marks(run(step("look"), StepDone("look"), ERASE, StepFailed("erase", "No.")))
    assert ("x~ ", 1) == (
        marks(view := run(step("look"), StepDone("look"), ERASE)),
        view.done,
    )


def test_what_a_step_found_and_when_stands_beside_it():
    """An attempt is counted, a failure says why."""
    again = run(step("look"), StepFailed("look", "Silent."), step("look", 2))
    done = run(step("look"), StepDone("look", "451 kB")).steps[0]

    assert "attempt 2" == again.steps[0].found
    assert ("451 kB", "2026-05-04T09:00:02.000Z", 1002.0, "2026-05-04T09:00:03.000Z") == (
        done.found,
        done.began,
        done.began_mono,
        done.ended,
    )
    assert "Silent." == run(step("look"), StepFailed("look", "Silent.")).steps[0].found


def test_the_current_step_is_the_one_that_goes_on_not_a_later_one_that_failed_before():
    """A second try begins further up in the plan."""
    view = run(step("end"), StepFailed("end", "No."), ERASE)

    assert "erase" == view.current.id
    assert "end" == run(ERASE, StepDone("erase"), step("end"), StepFailed("end", "No.")).current.id


def test_while_something_is_half_done_it_may_not_be_pulled():
    """The damage is that of the step that began last."""
    view = run(step("look"), StepDone("look"), ERASE)

    assert (False, True, "safe erase", "End") == (
        view.may_pull,
        view.committed,
        view.safe,
        view.stop_at,
    )
    assert not run(ERASE, StepDone("erase")).may_pull
    assert run(ERASE, StepDone("erase"), step("end")).may_pull
    assert run(ERASE, RunEnded("unfinished", "failed", "No.")).may_pull
    assert run(ERASE, step("end")).committed


def test_a_question_is_open_only_when_it_waits_for_a_person():
    """One that was answered beforehand is history."""
    waits = run(step("look"), ASKED)
    brought = run(step("look"), Asked("job", "text", "Which job?"))

    assert ("job", "Which job?", True, 3) == (
        waits.question.id,
        waits.question.text,
        waits.question.optional,
        waits.question.number,
    )
    assert (True, "waiting", "question 3") == (waits.your_turn, waits.state, waits.turn)
    assert (None, False, "running") == (brought.question, brought.your_turn, brought.state)


@pytest.mark.parametrize(
    "after",
    [Answered("job", "5"), StepDone("look"), RunEnded("unfinished", "stopped", "You did.")],
)
def test_a_question_is_closed_by_its_answer_by_its_step_and_by_the_end(after):
    """Nobody is asked in vain."""
    assert run(step("look"), ASKED, after).question is None


@pytest.mark.parametrize(
    ("answered", "job"),
    [
        (Answered("job", "99"), "99"),
        (Answered("job", "not checked"), "2243"),
        (Answered("device_id", "54ff"), "2243"),
    ],
)
def test_the_job_comes_from_the_answer_to_it(answered, job):
    """Or from the command that started the run."""
    view = run(answered)

    assert (job, (answered,)) == (view.job, view.answers)


def test_the_step_that_goes_on_carries_the_question():
    """Else the one that comes next; before the first step none does."""
    within = run(step("look"), StepDone("look"), step("erase"), ASKED)
    between = run(step("look"), StepDone("look"), ASKED)
    before = run(ASKED)

    assert ["x", "?", " "] == [known.mark for known in within.plan]
    assert ["x", "?", " "] == [known.mark for known in between.plan]
    failed = run(step("look"), StepFailed("look", "It did not.", ""), ASKED)
    assert ["?", " ", " "] == [known.mark for known in failed.plan]
    assert [" ", " ", " "] == [known.mark for known in before.plan]
    assert "~" == within.steps[1].mark


def test_a_step_that_was_passed_over_is_shown_as_left_out():
    """Only once a later one has begun; whether the device needed it, the run does not know."""
    view = run(step("look"), StepDone("look"), step("end"))

    assert [("x", ""), ("-", "left out"), ("~", "")] == [
        (known.mark, known.found) for known in view.plan
    ]
    assert ["x", " ", " "] == [known.mark for known in run(step("look"), StepDone("look")).plan]
    assert [" ", " ", " "] == [known.mark for known in run().plan]


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        ("", ["1-1", "1-2"]),
        ("core", ["1-1", "1-2"]),
        ("FRONT", ["1-2"]),
        ("6d75", ["1-1"]),
        ("1-2", ["1-2"]),
        ("2243", ["1-1"]),
        ("core front", ["1-2"]),
        ("front 2243", []),
        ("1d50:607f", ["1-1", "1-2"]),
        ("frontcore", []),
    ],
)
def test_rows_are_found_by_any_of_their_words(words, ports):
    """Each word in port, label, device, serial or job; case is nothing."""
    table = (
        Row("1", "1-1", "", "Core", "DFU", "2243", "-", "", "", True),
        Row("2", "1-2", "front left", "Core", "DFU", "", "-", "", "", True),
    )
    one = DevicePlugged(Device("1-1", "v", "1d50", "607f", "6D75"))
    two = DevicePlugged(Device("1-2", "v", "1d50", "607f", "AB"))
    bench = BenchView(devices=(device_view(one, ""), device_view(two, "")))

    assert [row.port for row in matching(table, bench, words)] == ports


def test_a_step_that_an_ended_run_never_came_to_is_shown_as_not_done():
    """Neither as one to come nor as one that was not needed: the run stopped before it."""
    stopped = RunEnded("unfinished", "stopped", "You stopped the run.")
    view = run(step("look"), StepDone("look"), step("erase"), stopped)
    refused = run(stopped)

    assert [("x", ""), ("!", ""), ("-", "not done")] == [(s.mark, s.found) for s in view.plan]
    assert ["not done"] * 3 == [known.found for known in refused.plan]


def test_a_wait_for_hands_is_the_technicians_turn_and_one_for_the_device_is_not():
    """Both say how long."""
    mine = run(WaitStarted("the Core", "you", HANDS, 10, 600, "You can."))
    its = run(WaitStarted("the Core", "device", (), 3, 20))

    assert (True, "wait 2026-05-04T09:00:02.000Z") == (mine.your_turn, mine.turn)
    assert (600, 1002.0, "you") == (mine.wait.limit, mine.wait.since_mono, mine.wait.who)
    assert (False, "", "running") == (its.your_turn, its.turn, its.state)
    assert run(WaitStarted("it", "you"), WaitEnded("came back")).wait is None


def test_the_checklist_follows_the_device_because_nobody_can_see_hands():
    """Once it has left, whatever makes it leave has been done."""
    asked = WaitStarted("the Core", "you", HANDS)

    assert ["<", " ", " ", " "] == [hand.mark for hand in run(asked).checklist]
    assert ["x", "x", "<", " "] == [hand.mark for hand in run(asked, DeviceLeft("1-1")).checklist]
    assert ["<", " ", " ", " "] == [
        hand.mark for hand in run(asked, DeviceLeft("1-1"), WaitEnded("-"), asked).checklist
    ]
    assert () == run().checklist


def test_hands_that_the_bus_cannot_see_are_numbered():
    """Buttons leave no trace until the device is there."""
    view = run(WaitStarted("the Core", "you", ("Hold MODE.", "Tap RESET.")), DeviceLeft("1-1"))

    assert ["1", "2"] == [hand.mark for hand in view.checklist]


def test_the_device_is_the_one_that_was_taken_and_all_it_was_seen_as_is_kept():
    """One that was not taken changes nothing but what is said."""
    came = Device("1-1", "v2", "1d50", "607d", "B")
    other = Device("1-2", "v3", "1d50", "607d", "C")
    view = run(
        DeviceLeft("1-1"),
        DeviceJudged("1-2", other, False, "Not taken."),
        DeviceJudged("1-1", came, True, "Same device."),
    )

    assert (came, "1-1", (CORE, came)) == (view.device, view.port, view.seen_as)
    assert [("judged", " "), ("not taken", "!"), ("judged", " ")] == [
        (said.kind, said.mark) for said in view.said
    ]


def test_a_run_that_began_on_no_device_has_the_port_of_the_one_that_came():
    """The dead device that was walked to where it can be seen."""
    absent = Device("", "", "", "")
    started = RunStarted("7", "core.rekey", "T", absent, "not shown", PLAN, "1")
    view = run_view(records(started, DeviceJudged("1-1", CORE, True, "It is the only one.")))

    assert ("1-1", (absent, CORE)) == (view.port, view.seen_as)


def test_everything_said_stays_in_its_order():
    """With its kind and its mark."""
    view = run(
        Told("a", "b"), Warned("c"), step("look"), StepFailed("look", "d", "e"), Noted("f", "an")
    )

    assert [
        ("told", " ", "a", "b"),
        ("warned", "!", "c", ""),
        ("failed", "!", "d", "e"),
        ("noted", " ", "an: f", ""),
    ] == [(said.kind, said.mark, said.sentence, said.advice) for said in view.said]


def test_the_end_settles_what_was_open():
    """A step that went on has failed, a wait is over; the verdict is the last turn."""
    ended = RunEnded("unfinished", "failed", "No.")
    view = run(step("look"), StepDone("look"), ERASE, WaitStarted("it", "you", HANDS), ended)

    assert ("x! ", None, None) == (marks(view), view.wait, view.question)
    assert ("ended", "unfinished", "unfinished", False) == (
        view.state,
        view.verdict,
        view.turn,
        view.your_turn,
    )
    assert "interrupted" == run(RunEnded("unfinished", "interrupted", "No.")).state


def test_a_stop_that_was_asked_for_and_an_event_not_known_here_are_in_the_view():
    """The one is shown, the other counted."""
    view = run(StopAsked("an"), Unknown("Weighed", {}), Unknown("Weighed", {}))

    assert (True, 2) == (view.stopping, view.unknown)


def test_artefacts_are_listed():
    """In the order in which they were kept."""
    kept = [ArtefactKept(name, "run", "00", 1) for name in "ab"]

    assert tuple(kept) == run(*kept).artefacts


def test_meanwhile_tells_what_a_run_came_to_between_two_times_in_order():
    """For a screen that was lost and is back; also where two things share a moment."""
    view = run(
        step("look"), Told("b"), StepDone("look", "451 kB"), RunEnded("repaired", "done", "It is.")
    )

    def lines(since, until):
        return meanwhile(view, f"2026-05-04T09:00:{since}", f"2026-05-04T09:00:{until}")

    assert ("b", "Look: 451 kB", "repaired.") == lines("00", "59")
    assert ("Look: 451 kB",) == lines("04", "04.5")
    at_once = [Record(r.number, "T", 0.0, "", "", r.event, "") for r in records(
        STARTED, Told("zebra"), Told("ape")
    )]  # fmt: skip
    assert ("zebra", "ape") == meanwhile(run_view(at_once), "T", "T")


# --- folding --------------------------------------------------------------------------------

ANY_EVENT = st.one_of([made(kind) for kind in KINDS.values()])
SCRIPT = st.lists(
    st.sampled_from(
        [
            *(STARTED, step("look"), StepDone("look", "x"), StepFailed("look", "No."), ERASE),
            *(ASKED, Answered("job", "5"), WaitStarted("it", "you", HANDS), WaitEnded("came back")),
            *(DeviceLeft("1-1"), Told("a"), Noted("b"), StopAsked(), step("look", 2)),
            *(BenchStarted("1", 1), BenchStopped("x"), RunOpened("7", "f", "1-1"), ScreenLost("s")),
            *(RunClosed("7", "repaired", "It is."), BusChanged("usb", "no"), ScreenBack("s", "x")),
            *(DevicePlugged(CORE), DeviceUnplugged("1-1", "v1"), DeviceChanged(CORE)),
            RunEnded("repaired", "done", "It is."),
        ]
    )
    | ANY_EVENT,
    max_size=12,
)


@QUICK
@given(SCRIPT, st.integers(0, 12))
def test_a_screen_that_came_later_sees_what_one_that_watched_sees(events, cut):
    """Folding record by record, or in two goes, is folding all."""
    told = records(*events)
    watched, seen = RunView(), BenchView()
    for record in told[:cut]:
        watched, seen = fold_run(watched, record), fold_bench(seen, record)
    for record in told[cut:]:
        watched, seen = fold_run(watched, record), fold_bench(seen, record)

    assert run_view(told) == watched
    assert bench_view(told) == seen


@QUICK
@given(SCRIPT)
def test_no_order_of_events_breaks_a_view(events):
    """Every property has an answer, whatever a journal holds."""
    told = records(*events)
    view, seen = run_view(told), bench_view(told)

    assert view.state in ("running", "waiting", "ended", "interrupted")
    assert all(known.mark in " ~?x!-" for known in view.plan)
    assert len(view.plan) == len(view.steps)
    assert sum(hand.mark == "<" for hand in view.checklist) <= 1
    assert view.may_pull in (True, False)
    assert isinstance(view.turn + view.verdict + view.port, str)
    assert 0 <= len(rows(seen, {view.run: view})) - len(seen.devices) <= 1
    assert len(seen.lately) <= LATELY


@QUICK
@given(SCRIPT)
def test_folding_changes_no_view_that_somebody_holds(events):
    """A view is a value: what a screen drew stays what it drew."""
    view, seen, before = RunView(), BenchView(), []
    for record in records(*events):
        before.append((view, seen, repr(view), repr(seen)))
        view, seen = fold_run(view, record), fold_bench(seen, record)

    assert all((repr(v), repr(s)) == (rv, rs) for v, s, rv, rs in before)
