"""Work in a process of its own: told how far, stopped at once, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.errors import GateClosed, Stopped
from console.toil import Toil, derive, performed

LONG = Toil(b"kanarienvogel-4711", b"salzsalz", 10_000_000, 48)


def quiet(done: int, total: int) -> None:
    """Nobody listens."""


def children() -> list[str]:
    """The command lines of this process's children."""
    tasks = Path("/proc/self/task").iterdir()
    pids = [pid for task in tasks for pid in (task / "children").read_text().split()]
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]


def test_a_process_of_its_own_makes_the_same():
    toil = Toil(b"secret", b"salzsalz", 1000, 48)

    assert performed(toil, quiet) == derive(toil, quiet)


def test_progress_rises_to_the_end():
    told: list[tuple[int, int]] = []
    performed(Toil(b"secret", b"salzsalz", 1000, 48), lambda *words: told.append(words))

    assert told == sorted(told)
    assert told[-1] == (3000, 3000)


def test_a_stop_ends_it_at_once_and_leaves_no_process():
    """Ten million rounds are begun, and given up at the first word of progress."""

    def stop(done: int, total: int) -> None:
        raise Stopped("You stopped the run.")

    with pytest.raises(Stopped):
        performed(LONG, stop)

    assert [line for line in children() if "toil" in line] == []


def test_the_secret_is_in_no_argument_and_no_environment():
    """It goes through the pipe."""
    seen: list[str] = []

    def look(done: int, total: int) -> None:
        for task in Path("/proc/self/task").iterdir():
            for pid in (task / "children").read_text().split():
                place = Path(f"/proc/{pid}")
                seen.append((place / "cmdline").read_text() + (place / "environ").read_text())
        raise Stopped("You stopped the run.")

    with pytest.raises(Stopped):
        performed(LONG, look)

    assert any("console.toil" in text for text in seen)
    secret = LONG.secret
    assert all(secret.decode() not in text and secret.hex() not in text for text in seen)


def test_a_process_that_dies_is_said_in_words(monkeypatch):
    monkeypatch.setattr("console.toil.sys.executable", "/bin/false")

    with pytest.raises(GateClosed) as caught:
        performed(LONG, quiet)

    assert caught.value.advice
