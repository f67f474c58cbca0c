"""Who was on the bench, and since when, also where nobody looked: a question was open."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tests.floor
from console.arrivals import Attendance
from console.events import Device, DeviceJudged
from console.flow import Outcome, Verdict
from console.journal import replay
from tests.floor import DONE, NAME, SCALE, floor, flow

OURS = Device("1-1", "v1", "0a0a", "0001")
TWIN = Device("1-2", "t1", "0a0a", "0001")
BACK = replace(OURS, visit="v2")
MOVED = replace(TWIN, port="1-1", visit="t2")


def test_an_attendance_knows_since_when_each_visit_was_there():
    """The first look that showed it, however often it is seen."""
    seen = Attendance()
    seen.note((OURS,), 5.0)
    seen.note((OURS, TWIN), 7.0)
    seen.note((TWIN, OURS), 6.0)

    assert (seen.since(OURS), seen.since(TWIN), seen.since(BACK)) == (5.0, 7.0, 0.0)


def test_an_attendance_knows_who_was_ever_there_together_with_one():
    """Also those that left before it did; with one that never came, those of the first look."""
    seen = Attendance()
    assert seen.company(OURS) == ()
    seen.note((TWIN,), 1.0)
    seen.note((TWIN, OURS), 2.0)
    seen.note((OURS,), 3.0)
    seen.note((), 4.0)
    seen.note((BACK,), 5.0)

    assert seen.company(OURS) == (TWIN, OURS)
    assert seen.company(BACK) == (BACK,)
    assert seen.company(Device("1-1", "", "", "")) == (TWIN,)
    assert seen.seen == (TWIN, OURS, BACK)


def ask_and_wait(guide):
    guide.ask(NAME)
    with guide.expect("app", what="it") as back:
        came = back.wait(limit=30.0)
    return DONE if came else Outcome(Verdict.UNFINISHED, "It did not come.")


@pytest.fixture
def shop(tmp_path, monkeypatch):
    late = replace(SCALE, flows=(*SCALE.flows, flow("late", ask_and_wait, NAME)))
    monkeypatch.setattr(tests.floor, "SCALE", late)
    with floor(tmp_path, OURS, TWIN) as made:
        yield made


def happen(shop, *looks: tuple[Device, ...]) -> None:
    """What comes and goes while the question is open."""
    for here in looks:
        shop.clock.pause(10.0)
        shop.bus.here = here
        shop.bench.look_again()


@pytest.mark.parametrize(
    "looks",
    [
        ((TWIN,), (), (MOVED,)),
        ((OURS,), (), (MOVED,)),
        ((TWIN,), ()),
    ],
)
def test_a_twin_moved_into_our_port_while_a_question_is_open_is_not_taken(shop, looks):
    """The wait begins when ours has gone, and the twin may have been put there already."""
    run = shop.run("late")
    shop.asked(run)
    happen(shop, *looks)
    shop.clock.later(5.0, lambda: setattr(shop.bus, "here", (MOVED,)))
    shop.bench.answer(run, "name", "me", "an")
    view = shop.ended(run)

    assert view.verdict == "unfinished"
    assert [said.sentence[:57] for said in view.said if said.kind == "not taken"] == [
        "Not taken: another of its kind has left its place, and no"
    ]


def test_ours_pulled_and_plugged_in_again_while_a_question_is_open_is_taken(shop):
    """The twin lies where it lay."""
    run = shop.run("late")
    shop.asked(run)
    happen(shop, (TWIN,), (BACK, TWIN))
    shop.bench.answer(run, "name", "me", "an")
    view = shop.ended(run)

    assert (view.verdict, view.device) == ("repaired", BACK)


def test_a_twin_that_left_before_a_wait_that_is_armed_in_time_is_no_doubt(shop):
    """It lay there when the run began; ours left and came back long after that."""
    run = shop.run("late")
    shop.asked(run)
    happen(shop, (OURS,))
    shop.clock.later(5.0, lambda: setattr(shop.bus, "here", ()))
    shop.clock.later(9.0, lambda: setattr(shop.bus, "here", (BACK,)))
    shop.bench.answer(run, "name", "me", "an")
    view = shop.ended(run)

    assert (view.verdict, view.device) == ("repaired", BACK)


def test_what_another_run_works_on_is_a_doubt_where_ours_has_a_port(shop):
    """It restarts, or was put into our port: our run cannot tell."""
    run = shop.run("late")
    shop.asked(run)
    theirs = shop.run("ask", "1-2")
    shop.asked(theirs)
    happen(shop, (TWIN,), (MOVED,))
    shop.bench.answer(run, "name", "me", "an")

    assert shop.ended(run).verdict == "unfinished"


def test_what_comes_while_a_question_is_open_is_there_since_it_came_and_not_since_one_looked(shop):
    """A device counts its seconds from its own arrival."""
    run = shop.run("late")
    shop.asked(run)
    began = shop.clock.monotonic()
    happen(shop, (TWIN,), (BACK, TWIN), (BACK,), (BACK, TWIN))
    shop.bench.answer(run, "name", "me", "an")
    shop.ended(run)
    judged = [r.event for r in replay(shop.state.journal(run)).records]

    assert [e.since - began for e in judged if isinstance(e, DeviceJudged)] == [20.0]


def test_a_run_for_what_is_not_shown_takes_what_came_while_a_question_was_open(shop):
    """It came since the run began; the twin that was there lies where it lay."""
    shop.bus.here = (TWIN,)
    run = shop.run("late", "", not_shown=True)
    shop.asked(run)
    happen(shop, (TWIN, replace(BACK, port="1-3")))
    shop.bench.answer(run, "name", "me", "an")
    view = shop.ended(run)

    assert (view.verdict, view.port) == ("repaired", "1-3")


@pytest.mark.parametrize("port", ["", "1-1"])
def test_a_run_for_what_is_not_shown_does_not_take_what_lay_elsewhere_when_it_began(shop, port):
    """It was moved while the question was open."""
    shop.bus.here = (TWIN,)
    run = shop.run("late", port, not_shown=True)
    shop.asked(run)
    happen(shop, (), (MOVED,))
    shop.bench.answer(run, "name", "me", "an")

    assert shop.ended(run).verdict == "unfinished"
