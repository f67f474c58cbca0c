"""Flows and their guide: verdicts, steps, stops, questions and consent."""

from __future__ import annotations

import pytest

from console.errors import (
    BeyondRepair,
    GateClosed,
    NotPermitted,
    Silent,
    Stopped,
    Unanswered,
    Unplugged,
)
from console.events import (
    Answered,
    Asked,
    Damage,
    StepDone,
    StepFailed,
    StepStarted,
    Verdict,
    Warned,
)
from console.flow import RETRY, Kind, Outcome, Question, Step
from console.guide import Guide
from console.host import Reply, Signal
from tests.flow_desk import (
    END,
    ERASE,
    JOB,
    LOOK,
    NAME,
    PIN,
    SLOT,
    SURE,
    TYPED,
    WRITE,
    Desk,
    asked,
    fails,
    flow,
    kinds,
    performed,
)

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


def test_a_secret_that_is_new_is_asked_for_twice_wherever_it_is_typed():
    """The screen is told so; the flow gets one answer."""
    new = Question("new_pin", Kind.SECRET, "The new PIN?", hint="6 to 15", twice=True)
    desk = Desk(replies=["123456"])

    assert "123456" == asked(desk, new)
    (put,) = [event for event in desk.events if isinstance(event, Asked)]
    assert (True, "6 to 15") == (put.twice, put.hint)


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
