"""The thread that knows readers and cards, over a PC/SC that is played call by call."""

from __future__ import annotations

import queue
import threading

import pytest

from console.events import Device
from console.hardware import pcsc
from console.hardware.readers import EMPTY, PRESENT

LIMIT = 10.0


class Played:
    """PC/SC as it shows itself; `mistakes` are raised by the next listings, one each."""

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.mistakes: list[Exception] = []
        self.told: dict[str, tuple[int, int]] = {}
        self.asked: queue.Queue[str] = queue.Queue()
        self.bus: tuple[Device, ...] = ()
        self._news = threading.Event()
        self._changed = False

    def names(self) -> tuple[str, ...]:
        if self.mistakes:
            raise self.mistakes.pop(0)
        return tuple(self.slots)

    def states(self, known: dict[str, int], timeout: float) -> list[tuple[str, int, bytes]]:
        return [(name, self.slots.get(name, 0), b"") for name in known]

    def differs(self, known: dict[str, int], timeout: float) -> bool:
        self._news.wait(timeout)
        self._news.clear()
        changed, self._changed = self._changed, False
        return changed

    def change(self, name: str, state: int) -> None:
        """A card comes or goes: that ends the wait."""
        self.slots[name] = state
        self._changed = True
        self._news.set()

    def usb_of(self, name: str) -> tuple[int, int] | None:
        self.asked.put(name)
        return self.told.get(name)

    def cancel(self) -> None:
        self._news.set()

    def close(self) -> None:
        pass


@pytest.fixture
def played(monkeypatch):
    """With one empty reader; tries follow each other soon."""
    made = Played()
    made.slots["Key 00 00"] = EMPTY
    monkeypatch.setattr(pcsc, "Context", lambda: made)
    monkeypatch.setattr(pcsc, "TRIES", (0.01, 0.02, 0.05))
    return made


class Watching:
    """The thread, and what it told in order. `fails` is raised by who is told next."""

    def __init__(self, played: Played) -> None:
        self.fails: list[Exception] = []
        self.facts: queue.Queue[pcsc.Facts] = queue.Queue()
        self.thread = pcsc.Readers(lambda: played.bus)
        self.thread.start(self._told)

    def _told(self) -> None:
        self.facts.put(self.thread.facts)
        if self.fails:
            raise self.fails.pop()

    def take(self) -> pcsc.Facts:
        return self.facts.get(timeout=LIMIT)


@pytest.fixture
def watching(played):
    made = Watching(played)
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


# --- where a reader is ------------------------------------------------------------------------


def at(address: int) -> Device:
    return Device("1-1", f"1:{address}:900", "20a0", "42b2")


@pytest.fixture
def token(played):
    """The reader is that of a token at 1:4, and says so; somebody watches."""
    played.bus, played.told = (at(4),), {"Key 00 00": (1, 4)}
    made = Watching(played)
    assert [reader.usb for reader in made.take().readers] == [(1, 4)]
    assert played.asked.get(timeout=LIMIT) == "Key 00 00"
    yield made
    made.thread.close()


def test_a_reader_is_asked_once_where_it_is_while_its_device_is_there(played, token):
    """Asking is itself a change of state, and another program might be kept out by it."""
    for count in (1, 2, 3):
        played.slots["Key 00 00"] = PRESENT | count << 16
        token.thread.nudge()
        assert token.take().readers[0].usb == (1, 4)

    assert played.asked.empty()


def test_an_address_at_which_nothing_is_does_not_count(played):
    """Other drivers fill it as they like."""
    played.told = {"Key 00 00": (9, 9)}

    (reader,) = pcsc.look(lambda: (at(4),)).readers

    assert (reader.usb, reader.asked) == (None, True)


def test_a_reader_that_left_and_came_again_between_two_looks_is_found_at_its_new_place(
    played, token
):
    """It was listed all the time, under the same name: nothing tells of it but the bus."""
    played.bus = ()
    token.thread.nudge()
    for _ in range(3):
        assert played.asked.get(timeout=LIMIT) == "Key 00 00"
    assert token.thread.facts.readers[0].usb == (1, 4)

    played.bus, played.told = (at(6),), {"Key 00 00": (1, 6)}
    assert token.take().readers[0].usb == (1, 6)


def test_asking_anew_is_no_answer_to_every_change_for_it_is_one_itself(played, monkeypatch, token):
    """What is plugged is a reason to ask where such a reader is; a card is none."""
    monkeypatch.setattr(pcsc, "TRIES", (60 * LIMIT,))
    played.bus = ()
    token.thread.nudge()
    assert played.asked.get(timeout=LIMIT) == "Key 00 00"

    played.change("Key 00 00", PRESENT | 1 << 16)
    assert token.take().readers[0].state == PRESENT | 1 << 16
    assert played.asked.empty()

    token.thread._nudged.set()
    played.change("Key 00 00", EMPTY | 1 << 16)
    assert played.asked.get(timeout=LIMIT) == "Key 00 00"


def test_a_reader_that_is_listed_although_its_device_has_left_is_asked_ever_more_rarely(played):
    """A service that never notices it costs no more than one that does not run."""
    thread = pcsc.Readers(lambda: played.bus)
    waits: list[float] = []

    def differs(known: dict[str, int], timeout: float) -> bool:
        played.bus = ()
        waits.append(timeout)
        thread._closed = len(waits) == 6
        return False

    played.bus, played.told, played.differs = (at(4),), {"Key 00 00": (1, 4)}, differs
    thread.start(lambda: None)
    thread._thread.join(LIMIT)

    assert waits == [pcsc.RELIST, *pcsc.TRIES, pcsc.TRIES[-1], pcsc.TRIES[-1]]
    assert played.asked.qsize() == len(waits)
