"""The bench: notes and screens, and the journals that keep what happened, from day to day."""

from __future__ import annotations

import queue
import threading
from datetime import timedelta

import pytest

from console.errors import (
    BadUsage,
    RecordError,
)
from console.events import (
    BenchStarted,
    BenchStopped,
    DevicePlugged,
    Noted,
    RunClosed,
    RunOpened,
    ScreenBack,
    ScreenLost,
)
from console.history import view_of
from console.journal import Journal, replay
from console.views import bench_view
from tests.floor import (
    LEFT,
    MOUSE,
    RIGHT,
    Floor,
    floor,
    shop,
)
from tests.harness import workshop

__all__ = ["shop"]

# --- notes and screens ----------------------------------------------------------------------


def test_notes_go_to_their_run_or_to_the_day(shop):
    """And to no run that has ended."""
    run = shop.run("ask")
    shop.asked(run)
    shop.bench.note(run, "LED is red", "an")
    shop.bench.note("", "new bulb", "an")

    assert Noted("LED is red", "an") == replay(shop.state.journal(run)).records[-1].event
    assert Noted("new bulb", "an") == shop.happened()[-1]
    with pytest.raises(BadUsage):
        shop.bench.note("77", "x", "an")


def test_a_screen_that_was_lost_and_one_that_came_back_are_written_down(shop):
    """One that comes without any lost before is no news."""
    shop.bench.screen_came("pts/1")
    shop.bench.screen_lost("pts/1")
    shop.bench.screen_came("pts/2")
    lost, back = shop.happened()[-2:]

    assert ScreenLost("pts/1") == lost
    assert isinstance(back, ScreenBack)
    assert 1 == sum(isinstance(event, ScreenBack) for event in shop.happened())


def test_listeners_are_told_what_grew_until_they_stop_listening(shop):
    """A nudge names a file and how far it can be read."""
    other: queue.Queue = queue.Queue()
    path = shop.bench.listen(other.put)
    shop.bench.note("", "a", "an")
    told = other.get(timeout=20)
    shop.bench.unlisten(other.put)
    shop.bench.unlisten(other.put)
    shop.bench.note("", "b", "an")
    shop.bench.runs()

    assert {"grew": path, "to": shop.hear("grew")["to"]} == told
    assert other.empty()


# --- beginning and end ----------------------------------------------------------------------


def test_runs_that_died_with_an_earlier_bench_are_closed_at_the_start(tmp_path):
    """In their own journals and in the day's."""
    made = Floor(tmp_path, LEFT)
    made.start()
    run = made.run("ask")
    made.asked(run)
    made.bench.stop("killed, as far as this run knows")
    with floor(tmp_path, LEFT) as again:
        view = view_of(again.state, run)
        closed = [event for event in again.happened() if isinstance(event, RunClosed)]

        assert ("interrupted", "unfinished") == (view.state, view.verdict)
        assert [(run, "interrupted")] == [(event.run, event.verdict) for event in closed]
        assert "2" == again.run("quick")


def test_a_bench_that_starts_again_goes_on_in_the_days_journal(tmp_path):
    """One file a day, one chain."""
    for _ in range(2):
        with floor(tmp_path, LEFT) as shop:
            pass
    kinds = [type(event) for event in shop.happened()]

    assert [BenchStarted, DevicePlugged, BenchStopped] * 2 == kinds
    assert "" == replay(shop.days()[0]).broken


def test_a_day_whose_journal_was_changed_is_not_written_on(tmp_path):
    """The file stays as it is, as evidence; the bench goes on in another of that day."""
    with floor(tmp_path, LEFT) as shop:
        path = shop.days()[0]
    changed = path.read_bytes().replace(b"Scale", b"Stale", 1)
    path.write_bytes(changed)
    with floor(tmp_path, LEFT) as shop:
        first, second = sorted(shop.days(), key=lambda path: len(path.name))

    assert changed == first.read_bytes()
    assert f"{path.stem}-2.jsonl" == second.name
    assert "" == replay(second).broken
    assert ["1-1"] == [device.port for device in bench_view(replay(second).records).here]


def past_midnight(shop: Floor) -> None:
    """The virtual clock, to the next day."""
    now = shop.clock.wall()
    night = (now + timedelta(days=1)).replace(hour=0, minute=0, second=1)
    shop.clock.pause((night - now).total_seconds())


def test_a_new_day_has_a_journal_that_can_be_read_alone(shop):
    """Who is there and what goes on is said again at its beginning."""
    run = shop.run("ask", job="5")
    shop.asked(run)
    shop.bus.here = (LEFT, RIGHT, MOUSE)
    shop.bench.look_again()
    past_midnight(shop)
    shop.bench.note("", "good morning", "an")
    yesterday, today = shop.days()
    alone = bench_view(replay(today).records)

    assert yesterday.name < today.name
    assert ["1-1", "1-2", "1-3"] == [device.port for device in alone.here]
    assert {run: RunOpened(run, "scale.ask", "1-1", "5")} == alone.runs
    assert (alone.devices, alone.runs) == (
        (view := shop.bench.view()).devices,
        view.runs,
    )
    assert Noted("good morning", "an") == replay(today).records[-1].event


def test_what_comes_and_goes_just_at_midnight_is_right_in_the_new_day(shop):
    """The first event of a day may be the change itself."""
    shop.bus.here = (RIGHT, MOUSE)
    past_midnight(shop)
    shop.bench.look_again()
    run = shop.run("quick", "1-2")
    shop.ended(run)
    today = bench_view(replay(shop.days()[1]).records)

    assert ["1-2", "1-3"] == [device.port for device in today.here]
    assert {} == today.runs
    assert today.devices == shop.bench.view().devices


def test_a_new_day_that_cannot_be_written_stops_nothing(shop):
    """It is said; the bench goes on in the old one, and tries again."""
    tomorrow = (shop.clock.wall() + timedelta(days=1)).date().isoformat()
    in_the_way = shop.state.days / f"{tomorrow}.jsonl"
    in_the_way.mkdir()
    past_midnight(shop)
    shop.bench.note("", "first", "an")
    said = shop.hear("trouble")
    shop.bus.here = (LEFT,)
    shop.bench.look_again()
    run = shop.run("quick")
    verdict = shop.ended(run).verdict
    in_the_way.rmdir()
    shop.bench.note("", "second", "an")
    yesterday, today = shop.days()

    assert said["trouble"]
    assert "repaired" == verdict
    assert "" == replay(yesterday).broken
    assert Noted("first", "an") in [record.event for record in replay(yesterday).records]
    assert Noted("second", "an") == replay(today).records[-1].event
    assert ["1-1"] == [device.port for device in bench_view(replay(today).records).here]


def test_a_run_whose_journal_cannot_be_begun_leaves_its_port_free(shop, monkeypatch):
    """The disk fails just then; the next run must not find a ghost."""
    calls = []
    real = Journal.append

    def fails_once(journal, event, durable=False):
        if type(event).__name__ == "RunStarted" and not calls:
            calls.append(event)
            raise RecordError("The record failed.")
        return real(journal, event, durable)

    monkeypatch.setattr(Journal, "append", fails_once)
    with pytest.raises(RecordError):
        shop.run("quick")

    assert {} == shop.bench.runs()
    assert not shop.state.reserve("1").exists()
    assert "repaired" == shop.ended(shop.run("quick")).verdict


def test_work_that_fails_fails_where_it_was_asked_for(shop):
    """The owner thread lives on."""
    with pytest.raises(ZeroDivisionError):
        shop.bench.do(lambda: 1 / 0)

    assert 2 == len(shop.bench.view().here)


def test_many_hands_at_once_leave_one_chain(shop):
    """Everything goes through one thread."""
    threads = [
        threading.Thread(
            target=lambda n=n: [shop.bench.note("", f"{n}.{i}", "") for i in range(20)]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes = [event.text for event in shop.happened() if isinstance(event, Noted)]

    assert sorted(f"{n}.{i}" for n in range(4) for i in range(20)) == sorted(notes)
    assert all(
        [f"{n}.{i}" for i in range(20)] == [text for text in notes if text.startswith(f"{n}.")]
        for n in range(4)
    )
    assert "" == replay(shop.days()[0]).broken


# --- with the shipped simulators ------------------------------------------------------------


def test_a_pull_and_a_plug_on_practice_hardware_are_seen(tmp_path):
    """The bench and the practice board agree on visits."""
    with workshop(tmp_path, "core-blank-key") as shop:
        shop.bus.pull("1-1")
        away = shop.bench.view()
        shop.bus.plug("1-1")
        back = shop.bench.view()

    assert ((), [False]) == (away.here, [device.here for device in away.devices])
    assert ["1-1"] == [device.port for device in back.here]
