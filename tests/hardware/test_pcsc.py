"""The thread that knows readers and cards, over a PC/SC that is played call by call."""

from __future__ import annotations

import queue
import threading

import pytest

from console.hardware import pcsc
from console.hardware.readers import EMPTY, PRESENT

LIMIT = 10.0


class Played:
    """PC/SC as it shows itself; `mistakes` are raised by the next listings, one each."""

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.mistakes: list[Exception] = []
        self.contexts = 0
        self._news = threading.Event()

    def context(self) -> Played:
        self.contexts += 1
        return self

    def names(self) -> tuple[str, ...]:
        if self.mistakes:
            raise self.mistakes.pop(0)
        return tuple(self.slots)

    def states(self, known: dict[str, int], timeout: float) -> list[tuple[str, int, bytes]]:
        self._news.wait(timeout)
        self._news.clear()
        return [(name, self.slots.get(name, 0), b"") for name in known]

    def usb_of(self, name: str) -> None:
        """It does not tell."""

    def cancel(self) -> None:
        self._news.set()

    def close(self) -> None:
        pass


@pytest.fixture
def played(monkeypatch):
    """With one empty reader; tries follow each other soon."""
    made = Played()
    made.slots["Key 00 00"] = EMPTY
    monkeypatch.setattr(pcsc, "Context", made.context)
    monkeypatch.setattr(pcsc, "TRIES", (0.01, 0.02, 0.05))
    return made


class Watching:
    """The thread, and what it told in order. `fails` is raised by who is told next."""

    def __init__(self) -> None:
        self.fails: list[Exception] = []
        self.facts: queue.Queue[pcsc.Facts] = queue.Queue()
        self.thread = pcsc.Readers()
        self.thread.start(self._told)

    def _told(self) -> None:
        self.facts.put(self.thread.facts)
        if self.fails:
            raise self.fails.pop()

    def take(self) -> pcsc.Facts:
        return self.facts.get(timeout=LIMIT)


@pytest.fixture
def watching(played):
    made = Watching()
    assert [reader.name for reader in made.take().readers] == ["Key 00 00"]
    yield made
    made.thread.close()


MISTAKES = [ValueError("no name"), UnicodeDecodeError("utf-8", b"\xe4", 0, 1, "cut"), SystemError()]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda error: type(error).__name__)
def test_a_mistake_is_a_state_in_words_and_the_next_try_shows_the_readers_again(
    played, watching, mistake
):
    """Nothing that a library may raise ends the watching."""
    played.mistakes = [mistake]
    watching.thread.nudge()

    assert watching.take() == pcsc.Facts((), pcsc.MISTAKE.format(kind=type(mistake).__name__))
    assert [reader.name for reader in watching.take().readers] == ["Key 00 00"]

    played.slots["Key 00 00"] = PRESENT | 1 << 16
    watching.thread.nudge()
    assert watching.take().readers[0].state == PRESENT | 1 << 16


def test_one_look_says_a_mistake_in_words_too(played):
    """Who looks once gets the same sentence."""
    played.mistakes = [ValueError("no name")]

    assert pcsc.look() == pcsc.Facts((), pcsc.MISTAKE.format(kind="ValueError"))
    assert [reader.name for reader in pcsc.look().readers] == ["Key 00 00"]


def test_who_is_told_cannot_end_the_watching(played, watching):
    """Not even by a mistake in being told of the first."""
    watching.fails = [ValueError(), ValueError()]
    played.slots["Key 00 00"] = PRESENT | 1 << 16
    watching.thread.nudge()

    assert watching.take().readers[0].state == PRESENT | 1 << 16
    assert watching.take().state == pcsc.MISTAKE.format(kind="ValueError")
    assert watching.take().readers[0].state == PRESENT | 1 << 16


def test_mistakes_in_a_row_are_ever_rarer(played, monkeypatch):
    """No busy loop: what fails again and again, although PC/SC is reached, is left alone longer."""
    waits: list[float] = []
    thread = pcsc.Readers()
    played.mistakes = [ValueError()] * len(pcsc.TRIES)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        thread._closed = not played.mistakes

    monkeypatch.setattr(thread._nudged, "wait", wait)
    thread.start(lambda: None)
    thread._thread.join(LIMIT)

    assert waits == [*pcsc.TRIES[1:], pcsc.TRIES[-1]]
