"""The folds that make a screen, a command and a report see the same: the bench and its rows."""

from __future__ import annotations

import dataclasses
import time

import pytest

from console.events import (
    BenchStarted,
    BenchStopped,
    BusChanged,
    Card,
    Device,
    DeviceChanged,
    DevicePlugged,
    DeviceUnplugged,
    Node,
    Noted,
    RunClosed,
    RunEnded,
    RunOpened,
    RunStarted,
    ScreenBack,
    ScreenLost,
    StepDone,
    WaitStarted,
)
from console.views import (
    LATELY,
    BenchView,
    RunView,
    clock_of,
    fold_bench,
    port_order,
    rows,
    run_view,
)
from tests.told import ASKED, ERASE, HANDS, PLAN, bench, records, run, step

# --- the bench ------------------------------------------------------------------------------


def plugged(port="1-1", visit="v1", name="Core A", mode="DFU", **facts) -> DevicePlugged:
    device = Device(port, visit, "1d50", "607f", **facts)
    return DevicePlugged(device, ("core",), "dfu", name, mode, "Check it.")


def test_devices_stand_in_the_order_of_their_ports():
    """As a person counts: 1-2 before 1-10, hub ports after their hub's."""
    view = bench(*(plugged(port, port) for port in ("1-10", "2-1", "1-2.4", "1-2", "1-2.10")))

    assert ["1-2", "1-2.4", "1-2.10", "1-10", "2-1"] == [device.port for device in view.devices]
    assert (1, 2, 10) == port_order("1-2.10")


def test_a_device_that_left_stays_as_away_until_something_else_comes():
    """So that the technician sees which port is meant."""
    gone = bench(plugged(), DeviceUnplugged("1-1", "v1", "Core A"))
    back = bench(plugged(), DeviceUnplugged("1-1", "v1", "Core A"), plugged(visit="v2"))

    assert (False, (), "2026-05-04T09:00:03.000Z") == (
        gone.devices[0].here,
        gone.here,
        gone.devices[0].since,
    )
    assert [True] == [device.here for device in back.devices]
    for line, words in zip(
        back.lately, ("plugged in as DFU", "unplugged", "came back as DFU"), strict=True
    ):
        assert words in line.text
        assert "Core A" in line.text


def test_a_late_notice_of_an_earlier_visit_takes_nobody_away():
    """Visits differ even in one port."""
    view = bench(plugged(visit="v1"), plugged(visit="v2"), DeviceUnplugged("1-1", "v1"))

    assert [("v2", True)] == [(device.visit, device.here) for device in view.devices]


def test_facts_that_arrive_late_are_taken_over():
    """Permissions come after the node."""
    closed = Node("/dev/a", "usb", False, "This user may not.")
    opened = Node("/dev/a", "usb", True)
    first = bench(plugged(nodes=(closed,)))
    device = Device("1-1", "v1", "1d50", "607f", "6D70", "Core", nodes=(opened,))
    then = fold_bench(first, records(DeviceChanged(device), since=3)[0])
    stale = Device("1-1", "v0", "1d50", "607f", "OLD", nodes=(closed,))

    assert first.devices[0].closed
    assert ((), "6D70") == (then.devices[0].closed, then.devices[0].serial)
    assert then.devices == fold_bench(then, records(DeviceChanged(stale), since=4)[0]).devices


def test_a_card_that_is_told_after_its_reader_makes_it_what_it_is():
    """PC/SC powers a card after USB has shown the reader; and it may be taken out again."""
    empty = Device("1-1", "v1", "076b", "3031", product="Reader", cards=(Card("Reader 00"),))
    full = dataclasses.replace(empty, cards=(Card("Reader 00", "3b80800101", inserted=1),))
    first = bench(DevicePlugged(empty, name="Reader"))
    told = DeviceChanged(full, ("openpgp",), "card", "OpenPGP card", "card", "Check it.", job="7")
    then = fold_bench(first, records(told, since=3)[0])
    other = dataclasses.replace(full, cards=(Card("Reader 00", "3b80800101", inserted=2),))
    swapped = fold_bench(then, records(dataclasses.replace(told, device=other), since=4)[0])
    last = fold_bench(then, records(DeviceChanged(empty, name="Reader"), since=4)[0])

    (seen,) = then.devices
    assert (seen.families, seen.name, seen.next) == (("openpgp",), "OpenPGP card", "Check it.")
    assert (seen.since, seen.job) == (first.devices[0].since, "7")
    assert [card.atr for card in seen.cards] == ["3b80800101"]
    assert [line.text for line in last.lately[-2:]] == ["card in: OpenPGP card", "card out"]
    assert [line.text for line in swapped.lately[-2:]] == ["card in: OpenPGP card"] * 2
    assert (last.devices[0].families, last.devices[0].name) == ((), "Reader")


def test_runs_are_open_between_their_two_events():
    """And leave a line behind."""
    opened = RunOpened("7", "core.rekey", "1-1", "2243")
    going = bench(plugged(), opened)
    over = bench(plugged(), opened, RunClosed("7", "repaired", "It is."))

    assert {"7": opened} == going.runs
    assert {} == over.runs
    assert ("1-1", "run 7: repaired. It is.") == (over.lately[-1].port, over.lately[-1].text)
    assert ("", "run 9: interrupted. It was.") == (
        (line := bench(RunClosed("9", "interrupted", "It was.")).lately[-1]).port,
        line.text,
    )


def test_a_trouble_of_the_bus_is_shown_until_it_is_over():
    """In words."""
    assert {"usb": "No USB."} == bench(BusChanged("usb", "No USB.")).troubles
    assert {"usb": ""} == bench(BusChanged("usb", "No USB."), BusChanged("usb", "")).troubles


def test_a_screen_that_was_lost_and_is_back_knows_how_long_it_was_away():
    """From the line's drop to the return."""
    lost = bench(ScreenLost("pts/1"))
    back = bench(ScreenLost("pts/1"), ScreenBack("pts/2", lost.lost_at))

    assert "2026-05-04T09:00:02.000Z" == lost.lost_at
    assert ("", ("2026-05-04T09:00:02.000Z", "2026-05-04T09:00:03.000Z")) == (
        back.lost_at,
        back.away,
    )


def test_a_bench_that_started_forgets_what_was_plugged_in_before_but_not_what_happened():
    """After a crash, and in a new day's journal."""
    before = bench(plugged(), RunOpened("7", "f", "1-1"), BusChanged("usb", "x"), ScreenLost("s"))
    view = fold_bench(before, records(BenchStarted("0.2", 2, "case-3"), since=9)[0])

    assert ((), {}, {}) == (view.devices, view.runs, view.troubles)
    assert (before.lately, before.lost_at) == (view.lately, view.lost_at)
    assert (True, "case-3", "2026-05-04T09:00:09.000Z") == (
        view.running,
        view.practice,
        view.started,
    )


def test_a_bench_that_stopped_is_not_running():
    """What it saw last stays."""
    view = bench(plugged(), BenchStopped("nothing to do"))

    assert (False, 1) == (view.running, len(view.devices))


def test_notes_are_remembered_and_only_so_many_lines():
    """A day can be long."""
    view = bench(*(Noted(str(number)) for number in range(LATELY + 5)))

    assert LATELY == len(view.lately)
    assert f"note: {LATELY + 4}" == view.lately[-1].text


# --- rows -----------------------------------------------------------------------------------


def row(seen: BenchView, *runs: RunView):
    return rows(seen, {view.run: view for view in runs})[0]


def test_a_row_says_what_comes_next_in_a_mark_and_a_word():
    """The same as any colour does."""
    closed = (Node("/dev/a", "usb", False, "This user may not."),)
    stranger = DevicePlugged(Device("1-1", "v", "046d", "c077"), (), "", "Mouse")
    here, away = bench(plugged()), bench(plugged(), DeviceUnplugged("1-1", "v1"))
    ended = RunEnded("repaired", "done", "It is.")
    seen = {
        "idle": row(here),
        "closed": row(bench(plugged(nodes=closed))),
        "stranger": row(bench(stranger)),
        "away": row(away),
        "step": row(here, run(step("look"), StepDone("look"), ERASE)),
        "asks": row(here, run(ASKED)),
        "hands": row(away, run(WaitStarted("it", "you", HANDS))),
        "ended": row(here, run(ended)),
    }

    assert {name: (known.mark, known.next) for name, known in seen.items()} == {
        "idle": ("-", "Check it."),
        "closed": ("!", "no access"),
        "stranger": ("-", "not known"),
        "away": (".", ""),
        "step": ("~", "rekey 2/3"),
        "asks": ("?", "asks job"),
        "hands": ("!", "your hands"),
        "ended": ("-", "Check it."),
    }
    assert ("7", "2243") == (seen["step"].run, seen["step"].job)
    assert ("", "") == (seen["ended"].run, seen["ended"].job)


def test_a_row_of_an_empty_port_says_since_when_and_what_it_held():
    """In the technician's own time."""
    empty = row(bench(plugged(), DeviceUnplugged("1-1", "v1")))

    assert ("(empty since 09:00: Core A)", "away", False) == (empty.name, empty.shown, empty.here)


def test_a_run_whose_device_is_not_shown_has_a_row_of_its_own():
    """Its questions must be found, too."""
    absent = RunStarted("8", "core.rekey", "T", Device("", "", "", ""), "not shown", PLAN, "1")
    view = run_view(records(absent, ASKED))
    table = rows(bench(plugged()), {"8": view})

    assert [("1", "1-1", ""), ("2", "", "8")] == [(r.number, r.port, r.run) for r in table]
    assert ("?", "asks job") == (table[1].mark, table[1].next)


def test_only_nine_rows_have_a_key():
    """A digit is one keystroke."""
    view = bench(*(plugged(f"1-{n}", f"v{n}") for n in range(1, 12)))

    assert [*"123456789", "", ""] == [known.number for known in rows(view, {})]


def test_a_last_step_is_not_counted_past_the_end():
    """While the verdict is on its way, all steps are done."""
    steps = [event for name in ("look", "erase", "end") for event in (step(name), StepDone(name))]

    assert "rekey 3/3" == row(bench(plugged()), run(*steps)).next


@pytest.fixture
def berlin(monkeypatch):
    """A technician's time zone."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_times_are_shown_in_the_time_zone_of_who_looks(berlin):
    """The journal keeps UTC."""
    assert ("11:00", "11:00:01", "") == (
        clock_of("2026-05-04T09:00:01.500Z"),
        clock_of("2026-05-04T09:00:01.500Z", True),
        clock_of(""),
    )
