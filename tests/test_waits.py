"""Waits say who acts: touch it, leave it, bring it back; and what time the device gives."""

from __future__ import annotations

import queue
from dataclasses import replace

import pytest

from console.errors import GateClosed
from console.events import Card, Device, DeviceJudged, DeviceLeft, WaitEnded, WaitStarted
from console.flow import Flow
from console.guide import Acts, Guide
from console.host import Signal
from console.journal import Record
from console.views import RunView, fold_run
from console.wording import line

OURS = Device("1-1", "v1", "20a0", "42b2")
BACK = replace(OURS, visit="v2")


class Clock:
    """Time passes where somebody waits for it."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def take(self, box, timeout):
        self.now += timeout
        raise queue.Empty


class Bench:
    """A bench with one device. `comes` maps a time to what is there from then on."""

    guest = False

    def __init__(self, comes: dict[float, tuple[Device, ...]]) -> None:
        self.clock = Clock()
        self.device = OURS
        self.signals: queue.Queue = queue.Queue()
        self.comes = {0.0: (OURS,)} | comes
        self.view = RunView()
        self.events: list = []

    def present(self) -> tuple[Device, ...]:
        return self.comes[max(at for at in self.comes if at <= self.clock.now)]

    def look_again(self) -> None:
        """What is there is always looked up."""

    def name_of(self, device: Device) -> str:
        return ""

    def mode_of(self, device: Device) -> str:
        return "app" if device.vid == "20a0" else ""

    def stop_asked(self) -> bool:
        return False

    def moved(self, device: Device) -> None:
        self.device = device

    def post(self, event, durable: bool = False) -> None:
        self.events.append(event)
        number = len(self.events)
        self.view = fold_run(self.view, Record(number, "at", self.clock.now, "b", "", event, ""))

    def guide(self) -> Guide:
        return Guide(Flow("reset", "Reset", "", (), lambda guide: None), self)

    def of(self, kind):
        return [event for event in self.events if type(event) is kind]


def reconnect(bench: Bench, guide: Guide, **how) -> Device | None:
    with guide.expect("app", what="the key") as back:
        return back.wait(limit=60.0, **how)


def test_hands_mean_bring_it_back_and_no_hands_mean_leave_it():
    """The waits of flows that say nothing more."""
    bench = Bench({103.0: (), 105.0: (BACK,)})
    reconnect(bench, bench.guide(), hands=("Pull it out.", "Plug it in."))

    assert [(w.acts, w.who) for w in bench.of(WaitStarted)] == [("bring", "you")]

    bench = Bench({103.0: (), 105.0: (BACK,)})
    reconnect(bench, bench.guide())

    assert [(w.acts, w.who) for w in bench.of(WaitStarted)] == [("leave", "device")]


def test_a_window_of_the_device_begins_with_its_arrival_and_not_with_the_wait():
    """FIDO2 resets count ten seconds from the plug: nothing counts while it is out."""
    bench = Bench({103.0: (), 105.0: (BACK,)})
    guide = bench.guide()
    hands = ("Pull it out.", "Plug it in.", "Touch it.")
    counted = []
    post = bench.post
    bench.post = lambda *event: (post(*event), counted.append(bench.view.wait))[0]
    came = reconnect(bench, guide, hands=hands, window=10.0)

    assert came == BACK
    assert [w.window_since for w in counted if w] == [None, None, 105.0]

    bench.clock.now = 107.0
    with guide.touch("a touch", window=10.0):
        assert bench.view.wait.acts == "touch"
        assert bench.view.your_turn
        assert bench.view.wait.left(107.0) == 8.0
        assert bench.view.wait.left(200.0) == 0.0
    assert bench.view.wait is None


def test_a_window_begins_when_the_device_came_however_late_it_was_taken():
    """Another lay in the next port and had to be pulled first: the device counts all the same."""
    other = replace(OURS, port="1-3", visit="v3")
    bench = Bench({103.0: (), 108.0: (BACK, other), 116.0: (BACK,)})
    hands = ("Pull it out.", "Plug it in.", "Touch it.")
    assert reconnect(bench, bench.guide(), hands=hands, window=10.0) == BACK

    assert [(e.taken, e.since) for e in bench.of(DeviceJudged)] == [
        (False, 108.0),
        (False, 108.0),
        (True, 108.0),
    ]
    bench.clock.now = 117.0
    with bench.guide().touch("a touch", window=10.0):
        assert bench.view.wait.left(117.0) == 1.0


def test_a_record_that_does_not_say_since_when_counts_from_the_judgement():
    """Runs of an older bench are read, too."""
    wait = WaitStarted("the key", "you", acts="bring", window=10.0, window_from="plug")
    told = (wait, DeviceJudged("1-1", BACK, True, "It is.", "port"))
    view = RunView()
    for number, event in enumerate(told, start=1):
        view = fold_run(view, Record(number, "at", 100.0 + number, "b", "", event, ""))

    assert view.wait.window_since == 102.0


def test_a_window_that_counts_from_now_begins_with_the_wait():
    """A device that was never unplugged counts from its own question."""
    bench = Bench({})
    with bench.guide().touch("a touch", window=15.0, since="now"):
        assert bench.view.wait.left(101.0) == 14.0

    with bench.guide().touch("a touch"):
        assert bench.view.wait.left(101.0) is None


def test_a_touch_that_fails_ends_its_wait():
    """The screen must not go on asking for it."""
    bench = Bench({})
    with pytest.raises(ValueError, match="late"), bench.guide().touch("a touch"):
        raise ValueError("late")

    assert [e.outcome for e in bench.of(WaitEnded)] == ["did not answer"]


def test_a_wait_as_a_line_says_what_to_do_and_what_time_the_device_gives():
    """Three waits, three texts."""
    texts = [
        line(
            WaitStarted("a touch", "you", acts="touch", window=10.0, window_from="plug"), RunView()
        ),
        line(WaitStarted("the key", "device", acts="leave"), RunView()),
        line(WaitStarted("the key", "you", acts="bring"), RunView()),
        line(WaitStarted("the key", "you"), RunView()),
    ]

    assert texts == [
        " ~ Waiting for a touch. Touch it. It gives 10 s from plug-in.",
        " ~ Waiting for the key. Leave it plugged in: it acts by itself.",
        " ~ Waiting for the key. Bring it back.",
        " ~ Waiting for the key.",
    ]


READER = Device("1-1", "v1", "04e6", "5814", cards=(Card("Reader 00 00", "3b80800101", "", 3),))
EMPTY = replace(READER, cards=(Card("Reader 00 00", "", "", 4),))
AGAIN = replace(READER, cards=(Card("Reader 00 00", "3b80800101", "", 5),))
STRANGE = replace(READER, cards=(Card("Reader 00 00", "3b00", "", 5),))
AFTER = replace(READER, cards=(Card("Reader 00 00", "3b80800101", "", 7),))


class CardBench(Bench):
    """A bench with a reader; what is in it decides the mode."""

    def __init__(self, comes) -> None:
        super().__init__({0.0: (READER,)} | comes)
        self.device = READER

    def name_of(self, device: Device) -> str:
        return ""

    def mode_of(self, device: Device) -> str:
        return "card" if any(card.atr for card in device.cards) else ""


CARD_HANDS = ("Take the card out.", "Put it in again.")


def card_back(bench: Bench) -> Device | None:
    with bench.guide().expect("card", what="the card") as back:
        return back.wait(limit=60.0, hands=CARD_HANDS)


def test_a_card_leaves_and_comes_back_while_its_reader_stays():
    """Gone when it is out, back when it is in; the device is then the one with the new card."""
    bench = CardBench({103.0: (EMPTY,), 106.0: (AGAIN,)})

    assert card_back(bench) == AGAIN
    assert bench.device == AGAIN
    assert bench.clock.now == 106.0
    assert bench.of(DeviceLeft) == [DeviceLeft("1-1", "Reader 00 00")]
    assert [(e.taken, e.grade, e.since) for e in bench.of(DeviceJudged)] == [(True, "port", 0.0)]
    assert [said.sentence for said in bench.view.said] == [
        "The card left Reader 00 00.",
        "Taken: a card with the same answer to reset is in Reader 00 00 again.",
    ]


def test_hands_that_take_a_card_out_are_ticked_when_it_is_out():
    """As those that pull a device."""
    bench = CardBench({103.0: (EMPTY,)})
    marks = []
    post = bench.post
    bench.post = lambda *event: (post(*event), marks.append([h.mark for h in bench.view.checklist]))

    assert card_back(bench) is None
    assert marks[:2] == [["<", " "], ["x", "<"]]


def test_a_card_exchanged_between_two_looks_has_left_all_the_same():
    """Faster than anybody looked: the count of insertions tells."""
    bench = CardBench({103.0: (AGAIN,)})

    assert card_back(bench) == AGAIN
    assert len(bench.of(DeviceLeft)) == 1


def test_another_card_is_refused_and_ours_is_still_awaited():
    """One sentence; then the right one comes."""
    bench = CardBench({103.0: (EMPTY,), 105.0: (STRANGE,), 110.0: (EMPTY,), 112.0: (AFTER,)})

    assert card_back(bench) == AFTER
    assert [e.taken for e in bench.of(DeviceJudged)] == [False, True]


def test_a_card_that_was_changed_before_the_wait_is_not_back_at_once():
    """The device as the run knew it may be an older look."""
    bench = CardBench({0.0: (AGAIN,), 105.0: (EMPTY,), 107.0: (AFTER,)})
    bench.device = READER

    assert card_back(bench) == AFTER
    assert bench.clock.now == 107.0


def test_a_token_is_not_back_because_its_own_card_was_powered_anew():
    """Its ids make its mode: only unplugging it is leaving."""
    token = replace(OURS, cards=(Card("Key 00 00", "3b80800101", "", 1),))
    powered = replace(OURS, cards=(Card("Key 00 00", "3b80800101", "", 3),))
    bench = Bench({0.0: (token,), 102.0: (powered,), 110.0: (), 112.0: (BACK,)})
    bench.device = token

    assert reconnect(bench, bench.guide(), hands=("Pull it out.", "Plug it in.")) == BACK
    assert [e.card for e in bench.of(DeviceLeft)] == [""]


def test_what_was_refused_is_judged_anew_when_the_other_one_is_pulled():
    """Two have come; the technician pulls the one that is not ours."""
    other = replace(OURS, port="1-3", visit="v3")
    bench = Bench({103.0: (), 108.0: (BACK, other), 112.0: (BACK,)})
    came = reconnect(bench, bench.guide(), hands=("Pull it out.", "Plug it in."))

    assert came == BACK
    assert bench.clock.now == 112.0
    judged = [(e.port, e.taken, e.grade) for e in bench.of(DeviceJudged)]
    assert judged == [("1-1", False, ""), ("1-3", False, ""), ("1-1", True, "port")]
    assert [e.port for e in bench.of(DeviceLeft)] == ["1-1"]


class LateBench(Bench):
    """A bench that tells what it saw last: `wakes` are signals, those that tell it `tells`."""

    def __init__(self, comes, *wakes: float, tells: tuple[float, ...] = ()) -> None:
        super().__init__(comes)
        self.wakes = sorted((*wakes, *tells))
        self.tells = tells
        self.clock.take = self.take
        self.look_again()

    def present(self) -> tuple[Device, ...]:
        return self.told

    def look_again(self) -> None:
        self.told = super().present()

    def take(self, box, timeout):
        until = self.clock.now + timeout
        due = self.wakes and self.wakes[0] <= until
        self.clock.now = self.wakes.pop(0) if due else until
        if not due:
            raise queue.Empty
        if self.clock.now in self.tells:
            self.look_again()
        return Signal.BUS


def test_all_were_in_their_places_when_one_looked_and_not_when_one_was_told():
    """A signal that tells nothing new makes no look newer: hands had begun meanwhile."""
    twin = replace(OURS, port="1-2", visit="t1")
    moved = replace(OURS, visit="t2")
    here = {0.0: (OURS, twin), 100.7: (OURS,), 101.4: (), 102.1: (moved,)}
    bench = LateBench(here, 100.99, tells=(102.5,))

    assert reconnect(bench, bench.guide()) is None
    assert {e.why[:55] for e in bench.of(DeviceJudged)} == {
        "Not taken: another of its kind has left its place, and "
    }


def test_signals_that_tell_nothing_never_keep_it_from_looking():
    """Another device comes and goes all the time; the notice of ours was lost."""
    bench = LateBench({110.0: (), 112.0: (BACK,)}, *(100.0 + 0.4 * n for n in range(1, 200)))

    assert reconnect(bench, bench.guide()) == BACK
    assert bench.clock.now < 113.5


def test_the_id_that_the_device_answers_afterwards_proves_it_or_ends_the_run():
    """The surest rung: read before, read again, compared."""
    bench = Bench({})
    guide = bench.guide()
    guide.unique("4F9C")

    assert bench.events == []

    guide.unique("4F9C")
    assert [e.grade for e in bench.of(DeviceJudged)] == ["unique id"]

    with pytest.raises(GateClosed, match="This is another device: its id is 1111"):
        guide.unique("1111")


def test_each_kind_of_wait_names_who_acts():
    """Leaving, and being at work, are the device's part."""
    assert [(acts.value, acts.who) for acts in Acts] == [
        ("touch", "you"),
        ("leave", "device"),
        ("bring", "you"),
        ("busy", "device"),
    ]
