"""The bench: devices, runs, answers."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.errors import (
    BadUsage,
    BenchSilent,
    GateClosed,
    NoSuchDevice,
    NoSuchFlow,
)
from console.events import (
    BenchStarted,
    BusChanged,
    Damage,
    Device,
    DevicePlugged,
    DeviceUnplugged,
    RunClosed,
    RunOpened,
    StopAsked,
)
from console.journal import replay
from console.views import bench_view, rows
from tests.floor import (
    LEFT,
    MOUSE,
    RIGHT,
    SCALE,
    floor,
    shop,
)

__all__ = ["shop"]

# --- devices --------------------------------------------------------------------------------


def test_what_is_plugged_in_at_the_start_is_in_the_days_journal(shop):
    """With its names, after the start itself."""
    started, *plugged = shop.happened()

    assert isinstance(started, BenchStarted)
    assert [DevicePlugged] * 2 == [type(event) for event in plugged]
    assert [("Scale  A", "app"), ("Scale  B", "app")] == [(e.name, e.mode) for e in plugged]


def test_what_comes_and_goes_is_written_down_in_order(shop):
    """First who left, then who came: a swap is both."""
    swapped = Device("1-1", "v9", "0a0a", "0002", "C")
    shop.bus.here = (swapped, RIGHT, MOUSE)
    shop.bench.look_again()
    left, came, mouse = shop.happened()[-3:]

    assert DeviceUnplugged("1-1", "v1", "Scale  A") == left
    assert (swapped, MOUSE) == (came.device, mouse.device)
    assert ["v9", "v2", "v3"] == [device.visit for device in shop.bench.view().here]


def test_looking_again_at_the_same_changes_nothing(shop):
    """A doubled notice is no news."""
    before = shop.happened()
    for _ in range(3):
        shop.bus.notice()
        shop.bench.look_again()

    assert before == shop.happened()


def test_a_trouble_of_the_bus_is_written_down_once_and_when_it_is_over(shop):
    """In words."""
    for trouble in ("No USB.", "No USB.", ""):
        shop.bus.trouble = trouble
        shop.bench.look_again()

    assert [BusChanged("usb", "No USB."), BusChanged("usb", "")] == shop.happened()[-2:]


def test_a_bus_that_cannot_be_looked_at_blinds_nobody_for_good(shop):
    """It is said, what was seen last stays, and the next look counts."""
    shop.bus.broken = BenchSilent("The practice hardware does not answer.")
    view = shop.bench.view()
    shop.bus.broken = None
    shop.bus.here = (LEFT,)
    after = shop.bench.view()

    assert {"usb": "The practice hardware does not answer."} == view.troubles
    assert 2 == len(view.here)
    assert ({"usb": ""}, 1) == (after.troubles, len(after.here))


SHELVES = st.lists(
    st.lists(
        st.tuples(st.sampled_from("123"), st.sampled_from("abc")),
        unique_by=lambda slot: slot[0],
        max_size=3,
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, database=None)
@given(SHELVES, st.data())
def test_any_interleaving_of_notices_ends_with_the_truth(shelves, data):
    """Lost, doubled, early or late: after one look the bench knows who is there now."""
    with tempfile.TemporaryDirectory() as folder, floor(Path(folder)) as shop:
        for number, shelf in enumerate(shelves):
            for when in ("early", "late"):
                if when == "late":
                    shop.bus.here = tuple(
                        Device(f"1-{port}", f"{port}{visit}{number // 2}", "0a0a", "0001")
                        for port, visit in shelf
                    )
                for _ in range(data.draw(st.integers(0, 2))):
                    shop.bus.notice()
        shop.bench.look_again()
        truth = sorted((device.port, device.visit) for device in shop.bus.here)
        view = shop.bench.view()
        told = bench_view(replay(shop.days()[0]).records)

        assert truth == sorted((d.port, d.visit) for d in shop.bench.present())
        assert truth == [(device.port, device.visit) for device in view.here]
        assert view == told


def test_a_device_is_described_after_a_fresh_look(shop):
    """Also when its notice was lost; one that left a moment ago can still be named by its port."""
    shop.bus.here = (LEFT, MOUSE)
    card = shop.bench.describe("1-3")

    assert ("Mouse", ["generic.check"]) == (card.name, [flow.id for flow in card.flows])
    assert "Scale  B" == shop.bench.describe("1-2").name
    with pytest.raises(NoSuchDevice):
        shop.bench.describe("1-9")


def test_a_device_that_turns_into_something_else_without_leaving_is_introduced_anew(shop):
    """As a reader does, whose card is told a second after it."""
    told = replace(MOUSE, vid="0a0a", pid="0001", serial="C")
    shop.bus.here = (LEFT, RIGHT, MOUSE)
    shop.bench.look_again()
    shop.bus.here = (LEFT, RIGHT, told)
    (seen,) = (device for device in shop.bench.view().devices if device.port == MOUSE.port)

    assert seen.families == (SCALE.name,)
    assert (seen.name, seen.visit) != (MOUSE.product, "")


# --- runs -----------------------------------------------------------------------------------


def test_a_run_is_opened_performed_and_closed(shop):
    """In its own journal and in the day's."""
    run = shop.run("quick", job="2243", by="an")
    view = shop.ended(run)
    opened, closed = shop.happened()[-2:]

    assert ("1", "repaired", "2243", "an") == (run, view.verdict, view.job, view.by)
    assert (RunOpened("1", "scale.quick", "1-1", "2243"), RunClosed("1", "repaired", "It is.")) == (
        opened,
        closed,
    )
    assert {} == shop.bench.runs()
    assert not shop.state.reserve(run).exists()


def test_runs_are_numbered_on(shop):
    """Past those that are there already, in the order of numbers."""
    for name in ("9", "10"):
        shop.state.run(name).mkdir()

    assert "11" == shop.run("quick")


def test_a_port_has_one_run_and_other_ports_go_on(shop):
    """Two repairs of one device would be its end."""
    first = shop.run("ask")
    shop.asked(first)
    with pytest.raises(GateClosed) as caught:
        shop.run("quick")
    second = shop.run("ask", "1-2")

    assert f"Run {first} is going on on port 1-1." == caught.value.sentence
    assert f"See it: replug attach {first}" == caught.value.advice
    assert [first, second] == sorted(shop.bench.runs())
    assert ["1", "2"] == list(shop.state.run_ids())


def test_a_port_is_free_again_when_its_run_has_ended(shop):
    """However it ended."""
    shop.ended(shop.run("stumble"))

    assert "repaired" == shop.ended(shop.run("quick")).verdict


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"device": "1-9"}, NoSuchDevice),
        ({"device": "0a0a:0001"}, NoSuchDevice),
        ({"name": "burn"}, NoSuchFlow),
        ({"answers": {"nmae": "x"}}, BadUsage),
        ({"answers": {"name": "x", "job": "1"}}, BadUsage),
    ],
)
def test_what_cannot_be_meant_opens_no_run(shop, words, error):
    """No folder, no event, no number used up."""
    before = shop.happened()
    name = words.pop("name", "ask")
    with pytest.raises(error):
        shop.run(name, **words)

    assert (before, ()) == (shop.happened(), shop.state.run_ids())


def test_an_unknown_answer_is_said_with_the_questions_there_are(shop):
    """An erase must not run past a typing error."""
    with pytest.raises(BadUsage) as caught:
        shop.run("ask", answers={"nmae": "x"})

    assert "The flow ask has no question nmae." == caught.value.sentence
    assert "Its questions: name." == caught.value.advice


def test_answers_brought_along_are_used(shop):
    """And the retry that the guide itself may ask for is known."""
    view = shop.ended(shop.run("ask", answers={"name": "anna", "retry": "stop"}, attended=False))

    assert ("repaired", "anna", "answers") == (
        view.verdict,
        view.answers[0].answer,
        view.answers[0].by,
    )


def test_a_question_is_answered_by_anybody_who_looks_at_the_run(shop):
    """Once; afterwards it is not open any more."""
    run = shop.run("ask")
    view = shop.asked(run)
    with pytest.raises(BadUsage, match="does not ask other now"):
        shop.bench.answer(run, "other", "x", "an")
    shop.bench.answer(run, view.question.id, "anna", "an")
    ended = shop.ended(run)

    assert [("name", "anna", "an")] == [(a.question, a.answer, a.by) for a in ended.answers]
    with pytest.raises(BadUsage, match="is not going on"):
        shop.bench.answer(run, "name", "x", "an")


def test_a_stop_is_written_down_and_ends_the_run_at_its_next_safe_point(shop):
    """Who asked for it is in the record."""
    run = shop.run("ask")
    shop.asked(run)
    where = shop.bench.stop_run(run, "an")
    view = shop.ended(run)

    assert "" == where
    assert ("unfinished", "stopped") == (view.verdict, view.ended.reason)
    assert StopAsked("an") in [r.event for r in replay(shop.state.journal(run)).records]


def test_a_device_that_leaves_during_its_run_ends_it_in_words(shop):
    """The run says what is lost; the day's journal says when it left."""
    shop.bus.here = (RIGHT,)
    view = shop.ended(shop.run("read"))
    shop.bench.look_again()

    assert ("unfinished", "failed") == (view.verdict, view.ended.reason)
    assert "The device on port 1-1 is gone." == view.ended.sentence
    assert Damage.HALF == view.ended.damage
    assert "1-1" not in [device.port for device in shop.bench.view().here]


def test_a_run_that_waits_hears_of_what_comes(shop):
    """Through a look of the bench's, not by luck."""
    back = Device("1-1", "v9", "0a0a", "0002", "A")
    run = shop.run("wait")
    shop.waiting(run)
    shop.bus.here = (back, RIGHT)
    shop.bus.notice()
    view = shop.ended(run)

    assert ("repaired", back) == (view.verdict, view.device)


def test_a_mistake_of_our_own_ends_the_run_in_words_and_stays_out_of_its_journal(shop, capfd):
    """The bench's log has the places; the message could quote a secret."""
    view = shop.ended(shop.run("stumble"))
    log = capfd.readouterr().err

    assert ("unfinished", "failed") == (view.verdict, view.ended.reason)
    assert "Replug itself made a mistake" in view.ended.sentence
    assert "ZeroDivisionError" in log
    assert "division by zero" not in log


def test_a_run_for_a_device_that_is_not_shown_waits_for_it(shop):
    """With a port to come to; what is there already is not it."""
    came = Device("2-1", "v9", "0a0a", "0002", "Z")
    run = shop.run("wait", "", not_shown=True)
    shop.waiting(run)
    with pytest.raises(GateClosed, match="a device that is not shown"):
        shop.run("wait", "", not_shown=True)
    shop.bus.here = (LEFT, RIGHT, came)
    shop.bus.notice()
    view = shop.ended(run)

    assert ("repaired", "2-1", came) == (view.verdict, view.port, view.device)


def test_a_run_without_a_device_never_takes_the_one_another_run_works_on(shop):
    """Not when that one reconnects, and not when its run has ended: it is another customer's."""
    theirs = Device("1-1", "v8", "0a0a", "0002", "A")
    ours = Device("2-1", "v9", "0a0a", "0002", "Z")
    lost = shop.run("wait", "", not_shown=True)
    shop.waiting(lost)
    working = shop.run("wait", "1-1")
    shop.waiting(working)
    shop.bus.here = (theirs, RIGHT)
    shop.bus.notice()
    first = shop.ended(working)
    shop.bench.look_again()
    still = shop.bench.runs()[lost]
    shop.bus.here = (theirs, RIGHT, ours)
    shop.bus.notice()
    second = shop.ended(lost)

    assert ("repaired", theirs) == (first.verdict, first.device)
    assert ((), True) == (still.said, still.wait is not None)
    assert ("repaired", ours) == (second.verdict, second.device)
    assert ["Taken: it is the only one of its kind that came."] == [s.sentence for s in second.said]


def test_a_run_that_looks_late_does_not_take_what_another_run_has_just_left(shop):
    """It was another customer's, although nobody works on it any more."""
    theirs = Device("1-1", "v8", "0a0a", "0002", "A")
    ours = Device("2-1", "v9", "0a0a", "0002", "Z")
    lost = shop.run("wait", "", not_shown=True)
    shop.waiting(lost)
    late, look = shop.bench._live[lost].run, threading.Event()
    present = late.present
    late.present = lambda: present() if look.wait(20) else ()
    working = shop.run("wait", "1-1")
    shop.waiting(working)
    shop.bus.here = (theirs, RIGHT)
    shop.bus.notice()
    first = shop.ended(working)
    look.set()
    shop.bus.here = (theirs, RIGHT, ours)
    shop.bus.notice()
    second = shop.ended(lost)

    assert (theirs, ours) == (first.device, second.device)


def test_the_table_of_the_bench_shows_the_run_on_its_device(shop):
    """Views of both journals, joined."""
    run = shop.run("ask", job="5")
    shop.asked(run)
    table = rows(shop.bench.view(), shop.bench.runs())

    assert [("1-1", "?", run), ("1-2", "-", "")] == [(r.port, r.mark, r.run) for r in table]
