"""The ladder as scripts and terminals see it: real processes, practice hardware."""

from __future__ import annotations

import json

import pytest

from tests.processes import Terminal, place

ALL_IN_VAIN = [
    word
    for name in ("known_good=shows", "other_port=nothing", "buttons=nothing", "other_host=nothing")
    for word in ("--answer", name)
]
CLIMB = ("run", "particle.check", "--not-shown")


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    """A bench with a dead Core at 1-1; runs leave it as it is."""
    with place(tmp_path_factory.mktemp("dead"), "core-dead") as made:
        yield made


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*CLIMB, "--port", "1-1"), 1, "Not every rung was done"),
        (("run", "particle.check", "1-1", "--not-shown"), 1, "Not every rung was done"),
        (CLIMB, 1, "4 lines tell of trouble on port 1-1"),
        ((*CLIMB, "--port", "1-1", *ALL_IN_VAIN), 1, "It does not enumerate"),
        ((*CLIMB, "--port", "1-1", "--answer", "other_host=shows"), 0, "CAUSE ELSEWHERE"),
        (("run", "generic.check", "--not-shown"), 1, "UNFINISHED"),
        ((*CLIMB, "--answer", "known_good=perhaps"), 5, "One of: shows, nothing, skip."),
    ],
    ids=lambda words: " ".join(words)[:60] if isinstance(words, tuple) else "",
)
def test_a_script_climbs_with_the_answers_it_brings(dead, words, code, said):
    """What it does not bring is not done; nobody is waited for."""
    told = dead.replug(*words)

    assert (code, "") == (told.returncode, told.stderr)
    assert said in told.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "particle.check", "--port", "1-1"), "--port is for a device that does not appear"),
        (
            ("run", "particle.check", "1-1", "--not-shown", "--port", "1-2"),
            "Two ports are named: 1-1 and 1-2.",
        ),
        ((*CLIMB, "--port", "banana"), "There is no port banana here."),
        ((*CLIMB, "--answer", "pin=1"), "no question pin"),
    ],
)
def test_what_cannot_be_meant_is_said_before_a_run(dead, words, said):
    """Usage: exit code 2, and no run."""
    before = len(dead.json("runs"))
    told = dead.replug(*words)

    assert 2 == told.returncode
    assert said in told.stderr
    assert before == len(dead.json("runs"))


def test_a_port_is_named_by_its_label(dead):
    """As everywhere."""
    dead.replug("label", "1-4", "back left")
    told = dead.replug(*CLIMB, "--port", "back left", "--json")
    started = json.loads(told.stdout.splitlines()[0])

    assert "1-4" == started["device"]["port"]


def test_hands_plug_and_pull_and_the_bus_answers_the_terminal(tmp_path):
    """The question on the terminal is settled by what was plugged in elsewhere."""
    with place(tmp_path, "core-bad-port") as made, Terminal(made, *CLIMB, "--port", "1-1") as tty:
        assert "[ ] Take the dead one out of port 1-1" in tty.expect("known_good (shows")
        made.replug("pull", "1-1")
        made.replug("plug", "1-1", "1-2")
        tty.type("nothing\n")
        tty.expect("other_cable (shows or nothing or skip) > ")
        tty.type("nothing\n")
        tty.expect("other_port (shows or nothing or skip) > ")
        made.replug("pull", "1-1")
        made.replug("plug", "1-2")
        tty.expect("The cause was port 1-1, or what is behind it.")

        assert 0 == tty.wait()
        assert made.seen("Answered", question="other_port", answer="shows", by="the bus")


def test_a_bare_check_is_no_ones_where_several_families_have_one(dead):
    """The port is empty, so nothing tells whose check is meant."""
    told = dead.replug("run", "check", "--not-shown")
    assert told.returncode == 2
    assert "in full" in told.stderr
