"""A command that is advised works when it is typed as it was printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from console.cli import parser
from console.commands.words import COMMANDS, complete
from console.errors import ConsoleError
from console.state import State, state_directory
from tests.places import app, bench, blank

__all__ = ["app", "bench", "blank"]


def known_words() -> set[str]:
    """The first word of every command."""
    (subs,) = (action for action in parser()._actions if isinstance(action.choices, dict))
    return set(subs.choices)


def advised(text: str) -> list[list[str]]:
    """The words behind each `replug` of the text."""
    return [shlex.split(said) for said in re.findall(r"\breplug (--[^;\n]+)", text)]


def test_every_command_of_a_state_directory_is_completed():
    """The others mean the same wherever they are typed."""
    assert known_words() == {*COMMANDS, "udev", "scenarios"}


def test_at_the_usual_place_nothing_has_to_be_said(monkeypatch, tmp_path):
    """Nor is a word that is no command touched."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert "See: replug runs" == complete("See: replug runs", state_directory(None, None))


def test_practice_at_the_usual_place_needs_its_scenario_alone(monkeypatch, tmp_path):
    """As the README has it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state = state_directory(None, "core-dead")

    assert "replug --practice core-dead stop 1" == complete("replug stop 1", state)


@pytest.mark.parametrize("folder", ["state", "a folder", "a\\1b"])
def test_another_place_is_named_as_a_shell_takes_it(tmp_path, folder):
    """Once: what is complete stays as it is."""
    for practice in (None, "core-dead"):
        state = state_directory(str(tmp_path / folder), practice)
        told = complete("See it: replug attach 3; stop it: replug stop 3", state)
        assert complete(told, state) == told
        for part in told.split("; "):
            given = parser().parse_args(shlex.split(part.partition(": ")[2])[1:])
            assert state == state_directory(given.state, getattr(given, "practice", None))


@pytest.mark.parametrize(
    "text",
    ["replug brings you back", "please replug it", "replug udev", "replug scenarios", "", "replug"],
)
def test_what_is_no_command_of_a_place_is_left_as_it_is(text):
    """The word is also a verb."""
    assert text == complete(text, State(Path("/x/practice/core-app"), "core-app"))


def test_a_bench_with_a_run_says_what_ends_it_and_that_works(app):
    """Typed as it was printed: a practice run is stopped, not somebody's real one."""
    app.replug("run", "particle.rekey", "1-1", "--detach")
    told = app.replug("bench", "stop")
    (words,) = advised(told.stderr)

    assert (5, ["stop", "1"]) == (told.returncode, words[-2:])
    assert app.words()[3:] == words[:-2]
    assert app.replug(*words[-2:]).returncode == 0


def test_a_run_that_is_left_or_refused_names_whole_commands(bench):
    """From an error, and from the bench."""
    told = bench.replug("attach", "77").stderr + bench.replug("flows", "9-9").stderr

    assert ["runs", "devices"] == [words[-1] for words in advised(told)]
    assert all(words[:-1] == bench.words()[3:] for words in advised(told))


def test_no_advice_of_an_error_names_a_command_that_is_none():
    """By default; what is completed is what the parser knows."""
    kinds = [ConsoleError, *below(ConsoleError)]
    for kind in kinds:
        for word in re.findall(r"replug (\w+)", kind.advice_by_default):
            assert word in known_words(), kind


def below(kind: type[ConsoleError]) -> list[type[ConsoleError]]:
    return [found for one in kind.__subclasses__() for found in (one, *below(one))]
