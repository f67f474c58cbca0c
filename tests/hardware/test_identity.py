"""Is what came back the same device? Tables of what is expected, what came, and the answer."""

from __future__ import annotations

import pytest

from console.events import Device
from console.hardware.identity import Expectation, judge

MODES = {"1d50:607f": "dfu", "1d50:607d": "app"}


def core(port="1-1", visit="new", pid="607f", serial="", vid="1d50") -> Device:
    return Device(port, visit, vid, pid, serial)


def expected(port="1-1", modes=("dfu",), **left) -> Expectation:
    facts = {"visit": "old", "vid": "1d50", "pid": "607d"} | left
    return Expectation(port, tuple(modes), **facts)


def judged(expectation: Expectation, came: Device, *others: Device):
    mode = MODES.get(f"{came.vid}:{came.pid}", "")
    return judge(expectation, came, mode, (came, *others))


TAKEN = {
    "the same port and the mode awaited": (
        expected(),
        core(),
        "Same device, because it came on the same port in the mode awaited.",
    ),
    "the same serial in the same mode": (
        expected(pid="607f", serial="A"),
        core(serial="A"),
        "Same device, because serial A came back.",
    ),
    "the same serial in another mode": (
        expected(serial="A"),
        core(serial="A"),
        "Same device, because serial A came back.",
    ),
    "another serial, but of another mode: a bootloader may write its own": (
        expected(serial="A"),
        core(serial="B"),
        "Same device, because it came on the same port in the mode awaited.",
    ),
    "a serial where there was none": (
        expected(pid="607f"),
        core(serial="B"),
        "Same device, because it came on the same port in the mode awaited.",
    ),
    "no serial where there was one": (
        expected(pid="607f", serial="A"),
        core(),
        "Same device, because it came on the same port in the mode awaited.",
    ),
    "one of several modes": (
        expected(modes=("app", "dfu")),
        core(),
        "Same device, because it came on the same port in the mode awaited.",
    ),
    "the only one, where no port is known": (
        expected(port="", visit="", vid="", pid=""),
        core(port="2-3"),
        "Taken: it is the only one of its kind that came.",
    ),
    "a port that was named for a device that was not shown": (
        expected(visit="", vid="", pid=""),
        core(),
        "Same device, because it came on the same port in the mode awaited.",
    ),
}

NOT_TAKEN = {
    "another serial of the same kind": (
        expected(pid="607f", serial="A"),
        core(serial="B"),
        "Not taken: serial B, but A left this port.",
    ),
    "one of its kind on another port": (
        expected(),
        core(port="1-2"),
        "Not taken: one came on port 1-2, ours belongs to port 1-1. "
        "It was not touched. If it is ours, plug it into our port.",
    ),
    "even with the right serial, on another port": (
        expected(serial="A"),
        core(port="1-2", serial="A"),
        "Not taken: one came on port 1-2, ours belongs to port 1-1. "
        "It was not touched. If it is ours, plug it into our port.",
    ),
    "back in another mode": (
        expected(),
        core(pid="607d"),
        "It is back as app, not as awaited. It was not touched.",
    ),
    "something else in our port": (
        expected(),
        core(vid="046d", pid="c31c"),
        "It is back as 046d:c31c, not as awaited. It was not touched.",
    ),
}

NOBODYS = {
    "it never left": (expected(), core(visit="old")),
    "another kind elsewhere": (expected(), core(port="1-2", vid="046d", pid="c31c")),
    "its kind in another mode elsewhere": (expected(), core(port="1-2", pid="607d")),
    "another mode, where no port is known": (expected(port=""), core(pid="607d")),
}


@pytest.mark.parametrize("why", TAKEN)
def test_what_is_taken_is_taken_for_a_reason(why):
    """The sentence says which."""
    expectation, came, sentence = TAKEN[why]
    judgement = judged(expectation, came)

    assert (True, sentence) == (judgement.taken, judgement.why)


@pytest.mark.parametrize("why", NOT_TAKEN)
def test_what_is_in_doubt_is_not_taken(why):
    """And not touched; the sentence says so."""
    expectation, came, sentence = NOT_TAKEN[why]
    judgement = judged(expectation, came)

    assert (False, sentence) == (judgement.taken, judgement.why)


@pytest.mark.parametrize("why", NOBODYS)
def test_what_concerns_nobody_is_passed_over(why):
    """A mouse plugged in next door is no news for a repair."""
    expectation, came = NOBODYS[why]

    assert judged(expectation, came) is None


def test_of_two_of_a_kind_neither_is_taken_where_no_port_is_known():
    """The dead device must be told from its neighbour by hand."""
    first, second = core(port="1-1", visit="a"), core(port="1-2", visit="b")
    anywhere = expected(port="", visit="", vid="", pid="")
    sentences = {judged(anywhere, first, second).why, judged(anywhere, second, first).why}

    assert {"Not taken: two of its kind are here. Pull the other one."} == sentences


def test_one_that_was_there_before_is_no_rival():
    """It was on the bench when the wait was armed, so it cannot be the one that comes."""
    came, before = core(port="1-1", visit="a"), core(port="1-2", visit="b")
    anywhere = Expectation("", ("dfu",), known=frozenset({"b"}))

    assert judged(anywhere, came, before).taken


def test_where_the_port_is_known_one_of_its_kind_elsewhere_is_no_rival():
    """The port decides."""
    came, other = core(visit="a"), core(port="1-2", visit="b")

    assert judged(expected(), came, other).taken
