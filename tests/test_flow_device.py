"""Flows and their guide: the line, reconnects, and what is kept of a device."""

from __future__ import annotations

import dataclasses

import pytest

from console.errors import (
    NoLine,
    NotPermitted,
    Refused,
    Stopped,
)
from console.events import (
    ArtefactKept,
    Device,
    DeviceJudged,
    DeviceLeft,
    WaitEnded,
    WaitStarted,
)
from console.guide import Guide
from console.opening import DRIVER, SETTLE
from tests.flow_desk import (
    APP,
    CORE,
    ERASE,
    Desk,
    fails,
    flow,
    kinds,
)

# --- the line -------------------------------------------------------------------------------


def test_a_line_is_traced_and_closed_whatever_happens():
    """Also after an error."""
    desk = Desk()
    guide = Guide(flow(lambda g: None), desk)
    with pytest.raises(Refused), guide.control() as line:
        line.read(0x80, 6, 0, 0, 1, 1.0)
        raise Refused("No.")

    assert desk.lines[0].closed
    assert 1 == len(desk.traced)


def test_a_node_whose_permissions_come_late_is_waited_for():
    """udev needs its moment after an arrival."""
    desk = Desk()
    desk.closed_until = desk.clock.monotonic() + SETTLE - 1
    with Guide(flow(lambda g: None), desk).control():
        opened = desk.clock.monotonic()

    assert desk.closed_until <= opened < desk.closed_until + 1


def test_a_node_that_stays_closed_is_said_after_ten_seconds():
    """Not sooner, and not much later."""
    desk = Desk()
    began = desk.clock.monotonic()
    desk.closed_until = float("inf")
    with pytest.raises(NotPermitted), Guide(flow(lambda g: None), desk).control():
        pass

    assert 10.0 == SETTLE
    assert SETTLE <= desk.clock.monotonic() - began < SETTLE + 1


@pytest.mark.parametrize(("late", "said"), [(1.0, 0), (SETTLE + 5, 1)])
def test_a_line_that_no_driver_has_made_yet_is_waited_for_in_words(late, said):
    """Longer than for a right, and what a person would notice is said."""
    desk = Desk()
    desk.no_line_until = desk.clock.monotonic() + late
    with Guide(flow(lambda g: None), desk).control():
        opened = desk.clock.monotonic()

    assert desk.no_line_until <= opened < desk.no_line_until + 1
    waits = [event.what for event in desk.events if isinstance(event, WaitStarted)]
    assert waits == ["the system to make it ready for us"] * said


def test_a_line_that_no_driver_makes_is_said_in_the_end():
    """With what may be missing."""
    desk = Desk()
    began = desk.clock.monotonic()
    desk.no_line_until = float("inf")
    with pytest.raises(NoLine) as raised, Guide(flow(lambda g: None), desk).control():
        pass

    assert DRIVER <= desk.clock.monotonic() - began < DRIVER + 1
    assert "driver may be missing" in raised.value.advice


def test_a_stop_ends_the_patience_and_the_next_transfer():
    """But no transfer of a step that would be left half done."""
    desk = Desk()
    guide = Guide(flow(lambda g: None), desk)
    with guide.control() as line:
        desk.stopping = True
        with pytest.raises(Stopped):
            line.read(0x80, 6, 0, 0, 1, 1.0)
        desk.stopping = False
        guide.step(ERASE, fails())
        desk.stopping = True
        answer = line.read(0x80, 6, 0, 0, 1, 1.0)
    desk.closed_until = float("inf")
    fresh = Guide(flow(lambda g: None), desk)
    with pytest.raises(Stopped), fresh.control():
        pass

    assert b"!" == answer


# --- reconnects -----------------------------------------------------------------------------


def reconnected(desk: Desk, act=lambda: None, *, modes=("app",), limit=20.0, **words):
    """Arm, act, wait; the device that came."""
    guide = Guide(flow(lambda g: None), desk)
    with guide.expect(*modes, what="the Core") as back:
        act()
        return back.wait(limit=limit, **words)


def judgements(desk: Desk) -> list[tuple[str, bool, str]]:
    return [(e.port, e.taken, e.why) for e in desk.events if isinstance(e, DeviceJudged)]


def test_a_device_that_leaves_and_comes_back_is_taken():
    """Its leaving and coming are written down, and the run goes on with it."""
    desk = Desk()
    desk.at(2, desk.shows())
    desk.at(5, desk.shows(APP))
    came = reconnected(desk, usual=3.0, safe="You can.")

    assert (APP, APP) == (came, desk.device)
    assert [
        WaitStarted("the Core", "device", (), 3.0, 20.0, "You can.", "leave"),
        DeviceLeft("1-1"),
        DeviceJudged(
            "1-1", APP, True, "Same device, because serial A came back.", "serial", 1005.0
        ),
        WaitEnded("came back"),
    ] == desk.events
    assert desk.clock.monotonic() < 1007


def test_a_device_that_was_back_before_anybody_waited_is_taken():
    """The wait was armed before the act that causes it."""
    desk = Desk()

    assert APP == reconnected(desk, desk.shows(APP))
    assert 1000.0 == desk.clock.monotonic()


def test_a_device_that_left_and_came_back_unseen_is_told_by_its_visit():
    """The same ids in the same port: nothing else would show it."""
    again = dataclasses.replace(CORE, visit="v9")
    desk = Desk()

    assert again == reconnected(desk, desk.shows(again), modes=("dfu",))
    assert DeviceLeft("1-1") in desk.events


def test_a_device_that_never_left_is_not_taken_for_one_that_came():
    """Although it is in the mode awaited."""
    desk = Desk()

    assert reconnected(desk, modes=("dfu",)) is None
    assert [] == judgements(desk)


def test_the_wait_ends_at_its_limit_and_says_so():
    """On the clock that the test owns; it looks on its own, because notices get lost."""
    desk = Desk()
    came = reconnected(desk, desk.shows(), limit=20.0)

    assert came is None
    assert 20.0 == desk.clock.monotonic() - 1000.0
    assert WaitEnded("did not come back") == desk.events[-1]
    assert 21 == desk.looks
    assert CORE == desk.device


def test_a_device_that_comes_with_the_last_look_is_taken():
    """The limit is no race."""
    desk = Desk()
    desk.at(20, desk.shows(APP))

    assert APP == reconnected(desk, desk.shows(), limit=20.0)


def test_one_on_another_port_is_said_once_and_not_touched():
    """The wait goes on for ours."""
    stranger = dataclasses.replace(APP, port="1-2", visit="v7", serial="B")
    desk = Desk()
    desk.at(2, desk.shows(stranger))
    desk.at(9, desk.shows(stranger, APP))
    came = reconnected(desk)

    assert APP == came
    assert [("1-2", False), ("1-1", True)] == [(p, t) for p, t, _ in judgements(desk)]
    assert "It was not touched. If it is ours, plug it into our port." in judgements(desk)[0][2]


def test_one_that_was_on_another_port_before_is_no_news():
    """It was there when the wait was armed."""
    neighbour = dataclasses.replace(APP, port="1-2", visit="v7")
    desk = Desk()
    desk.here = (CORE, neighbour)

    assert APP == reconnected(desk, desk.shows(neighbour, APP))
    assert ["1-1"] == [port for port, _, _ in judgements(desk)]


def test_another_serial_of_the_same_ids_in_our_port_is_not_taken():
    """Somebody plugged in the next customer's."""
    swapped = dataclasses.replace(CORE, visit="v8", serial="B")
    desk = Desk()

    assert reconnected(desk, desk.shows(swapped), modes=("dfu",)) is None
    assert [
        ("1-1", False, "Not taken: serial B, but A left this port. It was not touched.")
    ] == judgements(desk)
    assert CORE == desk.device


def test_a_device_back_in_another_mode_is_said_and_waited_past():
    """It may still be told by its buttons."""
    wrong = dataclasses.replace(CORE, visit="v8")
    desk = Desk()
    desk.at(3, desk.shows())
    desk.at(6, desk.shows(APP))

    assert APP == reconnected(desk, desk.shows(wrong))
    assert (False, "It is back as dfu, not as awaited. It was not touched.") == (
        judgements(desk)[0][1:]
    )


def test_two_that_come_where_no_port_is_known_are_sorted_out_by_pulling_one():
    """As the sentence asks for: the one that is left is looked at anew."""
    first = Device("1-1", "a", "1d50", "607f", "A")
    second = Device("1-2", "b", "1d50", "607f", "B")
    desk = Desk(device=Device("", "", "", ""))
    desk.at(3, desk.shows(first, second))
    desk.at(9, desk.shows(second))
    came = reconnected(desk, modes=("dfu",), limit=60.0)

    assert second == came
    assert [("1-1", False), ("1-2", False), ("1-2", True)] == [
        (port, taken) for port, taken, _ in judgements(desk)
    ]


def test_a_wait_for_hands_is_the_technicians_turn():
    """One for the device alone is not."""
    hands, alone = Desk(), Desk()
    reconnected(hands, hands.shows(APP), hands=("Pull it.",))
    reconnected(alone, alone.shows(APP))

    assert ["you", "device"] == [desk.events[0].who for desk in (hands, alone)]


def test_a_stop_ends_a_wait():
    """Unless something would be left half done."""
    desk = Desk()
    desk.stopping = True
    with pytest.raises(Stopped):
        reconnected(desk, desk.shows())

    half = Desk()
    guide = Guide(flow(lambda g: None), half)
    guide.step(ERASE, fails())
    half.stopping = True
    with guide.expect("app", what="the Core") as back:
        half.at(5, half.shows(APP))

        assert APP == back.wait(limit=20.0)


def test_the_mode_is_none_while_the_device_is_away():
    """What it was last is not what it is."""
    desk = Desk()
    guide = Guide(flow(lambda g: None), desk)
    here = guide.mode
    desk.here = (APP,)

    assert ("dfu", "") == (here, guide.mode)


# --- artefacts ------------------------------------------------------------------------------


def test_what_is_kept_is_on_disk_before_the_run_goes_on():
    """A backup that was only promised is none."""
    desk = Desk()
    guide = Guide(flow(lambda g: None), desk)
    guide.keep("a.pem", b"abc", "The key.")
    kept, data = guide.back_up("slot.bin", b"raw", "The slot.")

    assert [("a.pem", "run", 3, "The key."), ("slot.bin", "vault", 3, "The slot.")] == [
        (event.name, event.place, event.size, event.about) for event in desk.durable
    ]
    assert (desk.durable[1], b"raw") == (kept, data)


def test_the_first_backup_of_a_broken_off_repair_stays_the_backup():
    """What is read now may be what the first run left behind."""
    desk = Desk()
    desk.first = (ArtefactKept("1-slot.bin", "vault", "00", 3), b"raw")

    assert desk.first == Guide(flow(lambda g: None), desk).back_up("slot.bin", b"gone", "It.")
    assert ["Told"] == kinds(desk)
