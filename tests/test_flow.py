"""Flows and their guide: steps, retries, questions and consent, the line, and reconnects."""

from __future__ import annotations

import dataclasses
import hashlib
import queue
from collections.abc import Callable

import pytest

from console.errors import (
    BeyondRepair,
    GateClosed,
    NoLine,
    NotPermitted,
    Refused,
    Silent,
    Stopped,
    Unanswered,
    Unplugged,
)
from console.events import (
    Answered,
    ArtefactKept,
    Asked,
    Damage,
    Device,
    DeviceJudged,
    DeviceLeft,
    StepDone,
    StepFailed,
    StepStarted,
    Told,
    Verdict,
    WaitEnded,
    WaitStarted,
    Warned,
)
from console.flow import RETRY, Flow, Kind, Outcome, Question, Step, perform
from console.guide import Guide
from console.host import Reply, Signal
from console.opening import DRIVER, SETTLE
from tests.harness import VirtualClock

LOOK = Step("look", "Look")
ERASE = Step("erase", "Erase", undoable=False, damage=Damage.HALF, safe="Do not unplug it.")
WRITE = Step("write", "Write", undoable=False, damage=Damage.HALF, safe="Do not unplug it.")
END = Step("end", "Start it")
JOB = Question("job", Kind.TEXT, "Which job?", optional=True)
NAME = Question("name", Kind.TEXT, "Whose is it?")
SURE = Question("sure", Kind.CONFIRM, "Erase it?")
TYPED = Question("typed", Kind.TYPED, "Type its serial.")
PIN = Question("pin", Kind.SECRET, "The PIN?")
SLOT = Question("slot", Kind.CHOICE, "Which slot?", choices=("left", "right"))

CORE = Device("1-1", "v1", "1d50", "607f", "A")
APP = Device("1-1", "v2", "1d50", "607d", "A")
MODES = {"607f": "dfu", "607d": "app"}
DONE = Outcome(Verdict.REPAIRED, "It is.")


class Line:
    """A control line that only remembers that it was closed."""

    closed = False

    def read(self, *words):
        return b"!"

    def close(self):
        self.closed = True


class Desk:
    """A Host: one device, a clock, and a person who follows a script."""

    def __init__(self, *, given=None, attended=True, replies=(), device=CORE) -> None:
        self.clock = VirtualClock()
        self.guest = False
        self.device = device
        self.here: tuple[Device, ...] = (device,) if device.visit else ()
        self.signals: queue.Queue = queue.Queue()
        self.events: list = []
        self.durable: list = []
        self.lines: list[Line] = []
        self.traced: list[str] = []
        self.looks = 0
        self.agenda: list[tuple[float, Callable[[], None]]] = []
        self.closed_until = 0.0
        self.no_line_until = 0.0
        self.first: tuple[ArtefactKept, bytes] | None = None
        self.stopping = False
        self._given = {name: Reply(name, text, "answers") for name, text in (given or {}).items()}
        self._attended = attended
        self._replies = list(replies)

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Let it happen so many seconds from now, with the first look after that."""
        self.agenda.append((self.clock.monotonic() + seconds, act))

    def _happen(self) -> None:
        due = [act for when, act in self.agenda if when <= self.clock.monotonic()]
        self.agenda = [item for item in self.agenda if item[0] > self.clock.monotonic()]
        for act in due:
            act()

    def shows(self, *devices: Device) -> Callable[[], None]:
        def show() -> None:
            self.here = devices

        return show

    # --- what a guide calls ---------------------------------------------------------------

    def post(self, event, durable=False):
        self.events.append(event)
        if durable:
            self.durable.append(event)
        if isinstance(event, Asked | Told) and self._waits(event) and self._replies:
            reply = self._replies.pop(0)
            self.signals.put(reply if not isinstance(reply, str) else self._reply(reply))

    def _waits(self, event) -> bool:
        if isinstance(event, Asked):
            self.asked = event
        return getattr(self, "asked", None) is not None and self.asked.waits

    def _reply(self, text: str) -> Reply:
        return Reply(self.asked.question, text, "an")

    def progress(self, what, done, total): ...

    def trace(self, words):
        self.traced.append(words)

    def given(self, question):
        return self._given.get(question)

    def attended(self):
        return self._attended

    def present(self):
        self._happen()
        return self.here

    def look_again(self):
        self.looks += 1

    def mode_of(self, device):
        return MODES.get(device.pid, "")

    def stop_asked(self):
        return self.stopping

    def moved(self, device):
        self.device = device

    def open_control(self, device):
        if self.clock.monotonic() < self.no_line_until:
            raise NoLine("It offers no line.")
        if self.clock.monotonic() < self.closed_until:
            raise NotPermitted("This user may not open it.")
        self.lines.append(Line())
        return self.lines[-1]

    def keep(self, name, data, place):
        return ArtefactKept(name, place, hashlib.sha256(data).hexdigest(), len(data))

    def first_backup(self, name):
        return self.first


def flow(work: Callable[[Guide], Outcome | None], *plan: Step) -> Flow:
    def run(guide: Guide) -> Outcome:
        return work(guide) or DONE

    return Flow("rekey", "T", "A", plan or (LOOK, ERASE, WRITE, END), run)


def performed(desk: Desk, work: Callable[[Guide], Outcome | None]):
    made = flow(work)
    return perform(made, Guide(made, desk))


def asked(desk: Desk, question: Question, **words):
    """The answer that a flow gets; whatever is raised passes."""
    return Guide(flow(lambda guide: None), desk).ask(question, **words)


def kinds(desk: Desk) -> list[str]:
    return [type(event).__name__ for event in desk.events]


def fails(*errors: Exception) -> Callable[[], str]:
    """Work that fails with each error in turn, then is done."""
    rest = list(errors)

    def work() -> str:
        if rest:
            raise rest.pop(0)
        return "done"

    return work


# --- the way to a verdict -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "verdict", "reason"),
    [
        (BeyondRepair("It is dead.", proof=("p",)), "beyond repair", "fault found"),
        (Stopped("You did."), "unfinished", "stopped"),
        (Unanswered("Nobody."), "unfinished", "unanswered"),
        (GateClosed("Wrong unit."), "refused", "gate"),
        (NotPermitted("No right."), "refused", "gate"),
        (Silent("Silent."), "unfinished", "failed"),
        (Unplugged("Gone."), "unfinished", "failed"),
    ],
)
def test_every_error_becomes_a_verdict_with_its_words(error, verdict, reason):
    """Sentence, advice and proof go into the end."""

    def work(guide):
        raise error

    ended = performed(Desk(), work)

    assert (verdict, reason) == (ended.verdict, ended.reason)
    assert (error.sentence, error.advice) == (ended.sentence, ended.advice)
    assert getattr(error, "proof", ()) == ended.proof


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict.REPAIRED, "done"),
        (Verdict.NO_FAULT, "done"),
        (Verdict.ELSEWHERE, "done"),
        (Verdict.BEYOND, "fault found"),
        (Verdict.UNFINISHED, "fault found"),
    ],
)
def test_an_outcome_is_done_only_if_nothing_is_left_to_repair(verdict, reason):
    """ "No fault found" is a repair too."""
    ended = performed(Desk(), lambda guide: Outcome(verdict, "S", "A", ("p",), ("t",)))

    assert (verdict.value, reason, ("p",), ("t",)) == (
        ended.verdict,
        ended.reason,
        ended.proof,
        ended.to_do,
    )


def test_a_refusal_after_something_was_written_is_no_refusal():
    """The device is half done, whoever holds it now."""

    def work(guide):
        guide.step(ERASE, fails())
        guide.step(WRITE, fails(NotPermitted("Held.")))

    ended = performed(Desk(), work)

    assert ("unfinished", Damage.HALF) == (ended.verdict, ended.damage)


def test_a_mistake_of_our_own_is_not_dressed_up_as_a_verdict_of_the_flow():
    """It passes through, to be told as what it is."""
    with pytest.raises(ZeroDivisionError):
        performed(Desk(), lambda guide: 1 / 0)


def test_warnings_are_in_the_verdict_however_it_ends():
    """What did not stop the run must be in its record."""

    def work(guide):
        guide.warn("It is worn.", "Replace it soon.")
        raise Silent("Silent.")

    desk = Desk()
    ended = performed(desk, work)

    assert ("It is worn.",) == ended.warnings
    assert [Warned("It is worn.", "Replace it soon.")] == desk.events


# --- steps ----------------------------------------------------------------------------------


def test_a_step_is_written_down_before_and_after_its_work():
    """With what was found, in words."""
    desk = Desk()
    seen = []
    Guide(flow(lambda g: None), desk).step(
        LOOK, lambda n: seen.append(kinds(desk)) or n, 5, found=lambda n: f"found {n}"
    )

    assert [["StepStarted"]] == seen
    assert [
        StepStarted("look", 1, True, Damage.NOTHING, LOOK.safe),
        StepDone("look", "found 5"),
    ] == (desk.events)


def test_a_step_that_cannot_be_undone_is_on_disk_before_its_work():
    """Only such a step is worth the wait for the disk."""
    desk = Desk()
    guide = Guide(flow(lambda g: None), desk)
    guide.step(LOOK, fails())
    before = list(desk.durable)
    guide.step(ERASE, lambda: before.extend(desk.durable))

    assert [StepStarted("erase", 1, False, Damage.HALF, ERASE.safe, "Start it")] == before
    assert guide.committed


def test_a_step_outside_the_plan_is_our_own_mistake():
    """What was promised is what happens."""
    with pytest.raises(AssertionError, match="secret is not in the plan"):
        Guide(flow(lambda g: None), Desk()).step(Step("secret", "S"), fails())


def test_a_failed_step_is_offered_again():
    """The error is the question; an answer tries again from the top of the step."""
    desk = Desk(replies=["again"])
    result = Guide(flow(lambda g: None), desk).step(LOOK, fails(Silent("Silent.", "Wait.")))

    assert "done" == result
    assert [1, 2] == [e.attempt for e in desk.events if isinstance(e, StepStarted)]
    assert ["Silent. Wait."] == [e.text for e in desk.events if isinstance(e, Asked)]
    assert StepFailed("look", "Silent.", "Wait.") in desk.events


def test_stop_at_a_failed_step_ends_with_its_error():
    """Not with another one."""
    desk = Desk(replies=["stop"])
    with pytest.raises(Silent):
        Guide(flow(lambda g: None), desk).step(LOOK, fails(Silent("Silent.")))


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (ERASE, Silent("Silent.")),
        (LOOK, Unplugged("Gone.")),
        (LOOK, NotPermitted("No right.")),
        (LOOK, GateClosed("Wrong unit.")),
        (LOOK, Stopped("You did.")),
        (LOOK, BeyondRepair("Dead.")),
    ],
)
def test_a_retry_is_not_offered_where_it_is_blind_or_vain(step, error):
    """A step that cannot be undone, a device that is gone, a gate, a proof, a wish to stop."""
    desk = Desk(replies=["again"])
    with pytest.raises(type(error)):
        Guide(flow(lambda g: None), desk).step(step, fails(error))

    assert "Asked" not in kinds(desk)


def test_where_nobody_is_there_a_failed_step_ends_the_run():
    """Unless the script brought an answer, which is good for one more try and no more."""
    alone, scripted = Desk(attended=False), Desk(attended=False, given={"retry": "again"})
    with pytest.raises(Silent):
        Guide(flow(lambda g: None), alone).step(LOOK, fails(Silent("Silent.")))
    with pytest.raises(Silent):
        Guide(flow(lambda g: None), scripted).step(LOOK, fails(*[Silent("Silent.")] * 9))
    helped = Guide(flow(lambda g: None), scripted).step(LOOK, fails(Silent("Silent.")))

    assert ["StepStarted", "StepFailed"] == kinds(alone)
    assert [1, 2, 1, 2] == [e.attempt for e in scripted.events if isinstance(e, StepStarted)]
    assert "done" == helped


# --- stopping -------------------------------------------------------------------------------


def test_a_stop_takes_effect_between_two_steps():
    """Nothing of the next one happens."""
    desk = Desk()
    guide = Guide(flow(lambda g: None), desk)
    guide.step(LOOK, fails())
    desk.stopping = True

    with pytest.raises(Stopped, match="You stopped the run"):
        guide.step(ERASE, fails())
    assert ["StepStarted", "StepDone"] == kinds(desk)
    assert not guide.committed


def test_a_stop_waits_for_the_end_of_what_would_be_left_half_done():
    """The first step after it is where it stops."""
    desk = Desk()
    guide = Guide(flow(lambda g: None), desk)
    guide.step(ERASE, fails())
    desk.stopping = True
    guide.step(WRITE, fails())
    guide.step(END, fails())

    with pytest.raises(Stopped):
        guide.step(LOOK, fails())


def test_a_stop_ends_an_open_question():
    """It was asked of the person who now wants to stop."""
    desk = Desk(replies=[Signal.STOP])
    desk.at(0, lambda: None)
    original = desk.post

    def post(event, durable=False):
        original(event, durable)
        desk.stopping = isinstance(event, Asked)

    desk.post = post
    with pytest.raises(Stopped):
        asked(desk, NAME)


# --- questions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer", "must_type"),
    [
        (NAME, "anna", ""),
        (SURE, "yes", ""),
        (TYPED, "6D70", "6D70"),
        (SLOT, "left", ""),
        (JOB, "5", ""),
    ],
)
@pytest.mark.parametrize("brought", [True, False])
def test_an_answer_counts_the_same_from_a_person_and_from_a_script(
    question, answer, must_type, brought
):
    """And both are written down."""
    given = {question.id: answer} if brought else None
    desk = Desk(given=given, attended=not brought, replies=[answer])

    assert answer == asked(desk, question, must_type=must_type)
    assert [
        ("Asked", not brought),
        ("Answered", Answered(question.id, answer, "answers" if brought else "an")),
    ] == [
        (type(event).__name__, event if isinstance(event, Answered) else event.waits)
        for event in desk.events
    ]


def test_a_secret_is_given_to_the_flow_and_never_written_down():
    """Neither typed nor brought along."""
    desks = [Desk(given={"pin": "123456"}, attended=False), Desk(replies=["", "123456"])]

    assert ["123456"] * 2 == [asked(desk, PIN) for desk in desks]
    assert all("123456" not in repr(desk.events) for desk in desks)
    assert all(desk.events[-1].answer == "(given)" for desk in desks)


@pytest.mark.parametrize(
    ("question", "must_type", "vain", "right"),
    [
        (SURE, "", ["", "y", "YES", " yes"], "yes"),
        (TYPED, "6D70", ["", "yes", "6d70"], "6D70"),
        (SLOT, "", ["", "middle"], "right"),
        (NAME, "", [""], "anna"),
    ],
)
def test_enter_alone_or_anything_near_it_never_consents(question, must_type, vain, right):
    """The person is told what is missing, and asked on."""
    desk = Desk(replies=[*vain, right])

    assert right == asked(desk, question, must_type=must_type)
    assert len(vain) == kinds(desk).count("Told")
    assert 1 == kinds(desk).count("Answered")


def test_nothing_is_typed_where_nothing_must_be():
    """Consent that has no words cannot be given by leaving it empty."""
    desk = Desk(given={"typed": ""}, attended=False)
    with pytest.raises(GateClosed):
        asked(desk, TYPED, must_type="")


def test_no_ends_the_run_as_stopped():
    """From a person, and from a script."""
    for desk in (Desk(replies=["no"]), Desk(given={"sure": "no"}, attended=False)):
        with pytest.raises(Stopped, match="You said no"):
            asked(desk, SURE)
        assert "no" == desk.events[-1].answer


@pytest.mark.parametrize(
    ("question", "answer"), [(TYPED, "6D71"), (SURE, "y"), (SLOT, "middle"), (NAME, "")]
)
def test_an_answer_brought_along_that_does_not_fit_closes_the_gate(question, answer):
    """The script was written for another unit."""
    desk = Desk(given={question.id: answer}, attended=True)
    with pytest.raises(GateClosed) as caught:
        asked(desk, question, must_type="6D70")

    assert caught.value.sentence.startswith(f"{question.id}: ")
    assert ["Asked"] == kinds(desk)


def test_yes_on_the_command_line_answers_plain_confirmations_only():
    """What has to be typed is not among them."""
    desk = Desk(given={"--yes": "yes"}, attended=False)

    assert "yes" == asked(desk, SURE)
    for question in (TYPED, NAME, SLOT, PIN):
        with pytest.raises(Unanswered):
            asked(desk, question, must_type="6D70")


def test_an_optional_question_that_nobody_answers_is_not_checked():
    """Nobody there, an empty line of a person, or an empty answer of a script."""
    desks = [Desk(attended=False), Desk(replies=[""]), Desk(given={"job": ""}, attended=False)]

    assert [None] * 3 == [asked(desk, JOB) for desk in desks]
    assert ["not checked"] * 3 == [desk.events[-1].answer for desk in desks]


def test_a_question_that_nobody_can_answer_ends_the_run_with_the_way_to_answer_it():
    """Nothing was written yet."""
    with pytest.raises(Unanswered) as caught:
        asked(Desk(attended=False), NAME)

    assert "name" == caught.value.question
    assert "--answer name=" in caught.value.advice


def test_once_something_is_written_a_question_waits_for_somebody_to_come():
    """Ending the run there would leave it half done."""
    desk = Desk(attended=False, replies=["left"])
    guide = Guide(flow(lambda g: None), desk)
    guide.step(ERASE, fails())

    assert "left" == guide.ask(SLOT)


def test_a_late_answer_to_an_earlier_question_is_none_to_a_later_one():
    """Two people answered the same retry; the second one must not stand for the next."""
    desk = Desk(replies=["again", "stop"])
    late = []
    original = desk.post

    def post(event, durable=False):
        original(event, durable)
        if isinstance(event, Answered) and not late:
            late.append(event)
            desk.signals.put(Reply(RETRY.id, "again", "somebody else"))

    desk.post = post
    with pytest.raises(Silent):
        Guide(flow(lambda g: None), desk).step(LOOK, fails(*[Silent("Silent.")] * 3))

    assert ["again", "stop"] == [e.answer for e in desk.events if isinstance(e, Answered)]


def test_signals_and_answers_to_other_questions_do_not_answer_a_question():
    """They wake the run, and it waits on."""
    desk = Desk()
    original = desk.post

    def post(event, durable=False):
        original(event, durable)
        if isinstance(event, Asked):
            for signal in (Signal.BUS, Reply("other", "yes"), Reply("sure", "yes", "an")):
                desk.signals.put(signal)

    desk.post = post

    assert "yes" == asked(desk, SURE)
    assert "Told" not in kinds(desk)


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
        DeviceJudged("1-1", APP, True, "Same device, because serial A came back.", "serial"),
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
