"""The bench: devices, runs, answers, and the journals that keep what happened."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.bench import Bench
from console.errors import (
    BadUsage,
    BenchSilent,
    GateClosed,
    NoSuchDevice,
    NoSuchFlow,
    RecordError,
    Unplugged,
)
from console.events import (
    BenchStarted,
    BenchStopped,
    BusChanged,
    Damage,
    Device,
    DevicePlugged,
    DeviceUnplugged,
    Noted,
    RunClosed,
    RunOpened,
    ScreenBack,
    ScreenLost,
    StopAsked,
    Verdict,
)
from console.families import Family, Mode
from console.flow import Flow, Kind, Outcome, Question, Step
from console.hardware.kernel import KernelLog
from console.history import view_of
from console.journal import Journal, replay
from console.run import Request
from console.state import State
from console.views import bench_view, rows
from tests.harness import VirtualClock, workshop

LOOK = Step("look", "Look")
ERASE = Step("erase", "Erase", undoable=False, damage=Damage.HALF, safe="Do not unplug it.")
NAME = Question("name", Kind.TEXT, "Whose is it?")
DONE = Outcome(Verdict.REPAIRED, "It is.")


def ask(guide):
    guide.step(LOOK, lambda: None)
    guide.ask(NAME)
    return DONE


def wait(guide):
    with guide.expect("boot", what="it") as back:
        came = back.wait(limit=1e6)
    return DONE if came else Outcome(Verdict.UNFINISHED, "It did not come.")


def read(guide):
    guide.step(ERASE, lambda: guide.control().__enter__())
    return DONE


def stumble(guide):
    guide.step(LOOK, lambda: 1 / 0)


def flow(name, perform, *questions):
    return Flow(name, "T", "A", (LOOK, ERASE), perform, questions)


SCALE = Family(
    "scale",
    "Scale",
    (
        Mode("app", "0a0a", "0001", "Scale", "app", next="Check it."),
        Mode("boot", "0a0a", "0002", "Scale in its bootloader", "boot"),
    ),
    (
        flow("ask", ask, NAME),
        flow("wait", wait),
        flow("read", read),
        flow("quick", lambda guide: DONE),
        flow("stumble", stumble),
    ),
)

LEFT = Device("1-1", "v1", "0a0a", "0001", "A")
RIGHT = Device("1-2", "v2", "0a0a", "0001", "B")
MOUSE = Device("1-3", "v3", "046d", "c077", product="Mouse")


class Shelf:
    """A Bus: what stands on it is the truth; notices are told when the test says so."""

    practice = ""

    def __init__(self, *devices: Device) -> None:
        self.here = devices
        self.trouble = ""
        self.seen = None
        self.broken = None

    def scan(self):
        if self.broken is not None:
            raise self.broken
        return self.here

    guest = False

    def card_state(self):
        return ""

    def state(self):
        return self.trouble

    def watch(self, seen):
        self.seen = seen

    def notice(self):
        self.seen(self.here, self.trouble)

    def open_control(self, device):
        raise Unplugged(f"The device on port {device.port} is gone.")

    def kernel_log(self, port):
        return KernelLog()

    def close(self):
        pass


class Floor:
    """A bench over a shelf, and what it told."""

    def __init__(self, root: Path, *devices: Device) -> None:
        self.clock = VirtualClock()
        self.state = State(root)
        self.state.prepare()
        self.bus = Shelf(*devices)
        self.bench = Bench(self.state, self.bus, self.clock, (SCALE,))
        self.told: queue.Queue[dict] = queue.Queue()

    def start(self) -> None:
        self.bench.start()
        self.bench.listen(self.told.put)

    def hear(self, word: str) -> dict:
        """The next message with that word in it."""
        while True:
            message = self.told.get(timeout=20)
            if word in message:
                return message

    def ended(self, run: str):
        assert self.hear("ended")["ended"] == run
        return view_of(self.state, run)

    def asked(self, run: str):
        """Wait until the run asks; its view."""
        while True:
            view = self.bench.runs()[run]
            if view.question is not None:
                return view
            self.hear("run")

    def waiting(self, run: str):
        while True:
            view = self.bench.runs()[run]
            if view.wait is not None:
                return view
            self.hear("run")

    def run(self, name: str, device: str = "1-1", **words) -> str:
        wanted = {"attended": True} | words
        return self.bench.open_run(Request(f"scale.{name}", device, **wanted))

    def days(self) -> list[Path]:
        return sorted(self.state.days.iterdir())

    def happened(self) -> list:
        return [record.event for path in self.days() for record in replay(path).records]


@contextmanager
def floor(root: Path, *devices: Device) -> Iterator[Floor]:
    made = Floor(root, *devices)
    made.start()
    try:
        yield made
    finally:
        made.bench.stop("test over")


@pytest.fixture
def shop(tmp_path):
    with floor(tmp_path, LEFT, RIGHT) as made:
        yield made


# --- devices --------------------------------------------------------------------------------


def test_what_is_plugged_in_at_the_start_is_in_the_days_journal(shop):
    """With its names, after the start itself."""
    started, *plugged = shop.happened()

    assert isinstance(started, BenchStarted)
    assert [DevicePlugged] * 2 == [type(event) for event in plugged]
    assert [("Scale  A", "app"), ("Scale  B", "app")] == [(e.name, e.mode) for e in plugged]


def test_what_comes_and_goes_is_written_down_in_order(shop):
    """First who left, then who came: a swap is both."""
    swapped = Device("1-1", "v9", "0a0a", "0002", "C")
    shop.bus.here = (swapped, RIGHT, MOUSE)
    shop.bench.look_again()
    left, came, mouse = shop.happened()[-3:]

    assert DeviceUnplugged("1-1", "v1", "Scale  A") == left
    assert (swapped, MOUSE) == (came.device, mouse.device)
    assert ["v9", "v2", "v3"] == [device.visit for device in shop.bench.view().here]


def test_looking_again_at_the_same_changes_nothing(shop):
    """A doubled notice is no news."""
    before = shop.happened()
    for _ in range(3):
        shop.bus.notice()
        shop.bench.look_again()

    assert before == shop.happened()


def test_a_trouble_of_the_bus_is_written_down_once_and_when_it_is_over(shop):
    """In words."""
    for trouble in ("No USB.", "No USB.", ""):
        shop.bus.trouble = trouble
        shop.bench.look_again()

    assert [BusChanged("usb", "No USB."), BusChanged("usb", "")] == shop.happened()[-2:]


def test_a_bus_that_cannot_be_looked_at_blinds_nobody_for_good(shop):
    """It is said, what was seen last stays, and the next look counts."""
    shop.bus.broken = BenchSilent("The practice hardware does not answer.")
    view = shop.bench.view()
    shop.bus.broken = None
    shop.bus.here = (LEFT,)
    after = shop.bench.view()

    assert {"usb": "The practice hardware does not answer."} == view.troubles
    assert 2 == len(view.here)
    assert ({"usb": ""}, 1) == (after.troubles, len(after.here))


SHELVES = st.lists(
    st.lists(
        st.tuples(st.sampled_from("123"), st.sampled_from("abc")),
        unique_by=lambda slot: slot[0],
        max_size=3,
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, database=None)
@given(SHELVES, st.data())
def test_any_interleaving_of_notices_ends_with_the_truth(shelves, data):
    """Lost, doubled, early or late: after one look the bench knows who is there now."""
    with tempfile.TemporaryDirectory() as folder, floor(Path(folder)) as shop:
        for number, shelf in enumerate(shelves):
            for when in ("early", "late"):
                if when == "late":
                    shop.bus.here = tuple(
                        Device(f"1-{port}", f"{port}{visit}{number // 2}", "0a0a", "0001")
                        for port, visit in shelf
                    )
                for _ in range(data.draw(st.integers(0, 2))):
                    shop.bus.notice()
        shop.bench.look_again()
        truth = sorted((device.port, device.visit) for device in shop.bus.here)
        view = shop.bench.view()
        told = bench_view(replay(shop.days()[0]).records)

        assert truth == sorted((d.port, d.visit) for d in shop.bench.present())
        assert truth == [(device.port, device.visit) for device in view.here]
        assert view == told


def test_a_device_is_described_after_a_fresh_look(shop):
    """Also when its notice was lost; one that left a moment ago can still be named by its port."""
    shop.bus.here = (LEFT, MOUSE)
    card = shop.bench.describe("1-3")

    assert ("Mouse", ["generic.check"]) == (card.name, [flow.id for flow in card.flows])
    assert "Scale  B" == shop.bench.describe("1-2").name
    with pytest.raises(NoSuchDevice):
        shop.bench.describe("1-9")


# --- runs -----------------------------------------------------------------------------------


def test_a_run_is_opened_performed_and_closed(shop):
    """In its own journal and in the day's."""
    run = shop.run("quick", job="2243", by="an")
    view = shop.ended(run)
    opened, closed = shop.happened()[-2:]

    assert ("1", "repaired", "2243", "an") == (run, view.verdict, view.job, view.by)
    assert (RunOpened("1", "scale.quick", "1-1", "2243"), RunClosed("1", "repaired", "It is.")) == (
        opened,
        closed,
    )
    assert {} == shop.bench.runs()
    assert not shop.state.reserve(run).exists()


def test_runs_are_numbered_on(shop):
    """Past those that are there already, in the order of numbers."""
    for name in ("9", "10"):
        shop.state.run(name).mkdir()

    assert "11" == shop.run("quick")


def test_a_port_has_one_run_and_other_ports_go_on(shop):
    """Two repairs of one device would be its end."""
    first = shop.run("ask")
    shop.asked(first)
    with pytest.raises(GateClosed) as caught:
        shop.run("quick")
    second = shop.run("ask", "1-2")

    assert f"Run {first} is going on on port 1-1." == caught.value.sentence
    assert f"See it: replug attach {first}" == caught.value.advice
    assert [first, second] == sorted(shop.bench.runs())
    assert ["1", "2"] == list(shop.state.run_ids())


def test_a_port_is_free_again_when_its_run_has_ended(shop):
    """However it ended."""
    shop.ended(shop.run("stumble"))

    assert "repaired" == shop.ended(shop.run("quick")).verdict


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"device": "1-9"}, NoSuchDevice),
        ({"device": "0a0a:0001"}, NoSuchDevice),
        ({"name": "burn"}, NoSuchFlow),
        ({"answers": {"nmae": "x"}}, BadUsage),
        ({"answers": {"name": "x", "job": "1"}}, BadUsage),
    ],
)
def test_what_cannot_be_meant_opens_no_run(shop, words, error):
    """No folder, no event, no number used up."""
    before = shop.happened()
    name = words.pop("name", "ask")
    with pytest.raises(error):
        shop.run(name, **words)

    assert (before, ()) == (shop.happened(), shop.state.run_ids())


def test_an_unknown_answer_is_said_with_the_questions_there_are(shop):
    """An erase must not run past a typing error."""
    with pytest.raises(BadUsage) as caught:
        shop.run("ask", answers={"nmae": "x"})

    assert "The flow ask has no question nmae." == caught.value.sentence
    assert "Its questions: name." == caught.value.advice


def test_answers_brought_along_are_used(shop):
    """And the retry that the guide itself may ask for is known."""
    view = shop.ended(shop.run("ask", answers={"name": "anna", "retry": "stop"}, attended=False))

    assert ("repaired", "anna", "answers") == (
        view.verdict,
        view.answers[0].answer,
        view.answers[0].by,
    )


def test_a_question_is_answered_by_anybody_who_looks_at_the_run(shop):
    """Once; afterwards it is not open any more."""
    run = shop.run("ask")
    view = shop.asked(run)
    with pytest.raises(BadUsage, match="does not ask other now"):
        shop.bench.answer(run, "other", "x", "an")
    shop.bench.answer(run, view.question.id, "anna", "an")
    ended = shop.ended(run)

    assert [("name", "anna", "an")] == [(a.question, a.answer, a.by) for a in ended.answers]
    with pytest.raises(BadUsage, match="is not going on"):
        shop.bench.answer(run, "name", "x", "an")


def test_a_stop_is_written_down_and_ends_the_run_at_its_next_safe_point(shop):
    """Who asked for it is in the record."""
    run = shop.run("ask")
    shop.asked(run)
    where = shop.bench.stop_run(run, "an")
    view = shop.ended(run)

    assert "" == where
    assert ("unfinished", "stopped") == (view.verdict, view.ended.reason)
    assert StopAsked("an") in [r.event for r in replay(shop.state.journal(run)).records]


def test_a_device_that_leaves_during_its_run_ends_it_in_words(shop):
    """The run says what is lost; the day's journal says when it left."""
    shop.bus.here = (RIGHT,)
    view = shop.ended(shop.run("read"))
    shop.bench.look_again()

    assert ("unfinished", "failed") == (view.verdict, view.ended.reason)
    assert "The device on port 1-1 is gone." == view.ended.sentence
    assert Damage.HALF == view.ended.damage
    assert "1-1" not in [device.port for device in shop.bench.view().here]


def test_a_run_that_waits_hears_of_what_comes(shop):
    """Through a look of the bench's, not by luck."""
    back = Device("1-1", "v9", "0a0a", "0002", "A")
    run = shop.run("wait")
    shop.waiting(run)
    shop.bus.here = (back, RIGHT)
    shop.bus.notice()
    view = shop.ended(run)

    assert ("repaired", back) == (view.verdict, view.device)


def test_a_mistake_of_our_own_ends_the_run_in_words_and_stays_out_of_its_journal(shop, capfd):
    """The bench's log has the places; the message could quote a secret."""
    view = shop.ended(shop.run("stumble"))
    log = capfd.readouterr().err

    assert ("unfinished", "failed") == (view.verdict, view.ended.reason)
    assert "Replug itself made a mistake" in view.ended.sentence
    assert "ZeroDivisionError" in log
    assert "division by zero" not in log


def test_a_run_for_a_device_that_is_not_shown_waits_for_it(shop):
    """With a port to come to; what is there already is not it."""
    came = Device("2-1", "v9", "0a0a", "0002", "Z")
    run = shop.run("wait", "", not_shown=True)
    shop.waiting(run)
    with pytest.raises(GateClosed, match="a device that is not shown"):
        shop.run("wait", "", not_shown=True)
    shop.bus.here = (LEFT, RIGHT, came)
    shop.bus.notice()
    view = shop.ended(run)

    assert ("repaired", "2-1", came) == (view.verdict, view.port, view.device)


def test_a_run_without_a_device_never_takes_the_one_another_run_works_on(shop):
    """Not when that one reconnects, and not when its run has ended: it is another customer's."""
    theirs = Device("1-1", "v8", "0a0a", "0002", "A")
    ours = Device("2-1", "v9", "0a0a", "0002", "Z")
    lost = shop.run("wait", "", not_shown=True)
    shop.waiting(lost)
    working = shop.run("wait", "1-1")
    shop.waiting(working)
    shop.bus.here = (theirs, RIGHT)
    shop.bus.notice()
    first = shop.ended(working)
    shop.bench.look_again()
    still = shop.bench.runs()[lost]
    shop.bus.here = (theirs, RIGHT, ours)
    shop.bus.notice()
    second = shop.ended(lost)

    assert ("repaired", theirs) == (first.verdict, first.device)
    assert ((), True) == (still.said, still.wait is not None)
    assert ("repaired", ours) == (second.verdict, second.device)
    assert ["Taken: it is the only one of its kind that came."] == [s.sentence for s in second.said]


def test_the_table_of_the_bench_shows_the_run_on_its_device(shop):
    """Views of both journals, joined."""
    run = shop.run("ask", job="5")
    shop.asked(run)
    table = rows(shop.bench.view(), shop.bench.runs())

    assert [("1-1", "?", run), ("1-2", "-", "")] == [(r.port, r.mark, r.run) for r in table]


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
