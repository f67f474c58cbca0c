"""What earlier runs left: which died, whose backup is the first, what a new run continues."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from console.events import (
    ArtefactKept,
    Damage,
    Device,
    DeviceJudged,
    Event,
    PlannedStep,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
    Told,
)
from console.history import (
    TAIL,
    as_interrupted,
    close_interrupted,
    first_backups,
    interruption,
    is_closed,
    last_ended,
    last_kept,
    last_on,
    passed,
    past_runs,
    predecessor,
    same_unit,
    view_of,
)
from console.journal import Journal, replay
from console.state import State, set_aside
from console.views import RunView
from tests.harness import VirtualClock

CORE = Device("1-1", "v1", "1d50", "607f", "A")
APP = Device("1-1", "v0", "1d50", "607d", "a-of-the-application")
OTHER = Device("1-1", "v2", "1d50", "607f", "B")
PLAN = (PlannedStep("look", "Look"), PlannedStep("erase", "Erase"), PlannedStep("write", "Write"))
ERASE = StepStarted("erase", 1, False, Damage.HALF.value, "Do not unplug it.")
LOOKED = (StepStarted("look", 1, True, Damage.NOTHING.value, "You can."), StepDone("look"))
REPAIRED = RunEnded("repaired", "done", "It is.")
UNFINISHED = RunEnded("unfinished", "failed", "It is not.")


def began(run: str, device: Device = CORE, flow: str = "core.rekey", continues: str = "") -> Event:
    return RunStarted(run, flow, "T", device, "Core", PLAN, "1", continues=continues)


def backup(state: State, run: str, data: bytes = b"raw", name: str = "slot.bin") -> ArtefactKept:
    (state.vault / f"{run}-{name}").write_bytes(data)
    return ArtefactKept(f"{run}-{name}", "vault", "00", len(data))


@pytest.fixture
def state(tmp_path) -> State:
    made = State(tmp_path / "state")
    made.prepare()
    return made


def past(state: State, run: str, *events: Event) -> Path:
    """A run's journal as an earlier bench left it."""
    state.run(run).mkdir(exist_ok=True)
    journal = Journal(state.journal(run), VirtualClock())
    for event in events:
        journal.append(event)
    journal.close()
    return journal.path


# --- which died -----------------------------------------------------------------------------


def test_a_serial_that_nobody_can_read_names_no_unit():
    """Two broken units would be taken for one, and one's backup for the other's."""
    broken = Device("1-1", "v1", "1d50", "607f", "\ufffd\ufffd")

    assert not same_unit(RunView(seen_as=(broken,)), broken)
    assert same_unit(RunView(seen_as=(CORE,)), CORE)


def test_a_run_with_its_verdict_is_closed_and_one_without_is_not(state):
    """The last line tells."""
    closed = past(state, "1", began("1"), REPAIRED)
    died = past(state, "2", began("2"), ERASE)
    empty = past(state, "3")

    assert [True, False, False] == [is_closed(path) for path in (closed, died, empty)]


def test_a_run_without_a_journal_needs_no_closing(state):
    """There is nothing that could be closed."""
    assert is_closed(state.journal("9"))


def test_a_verdict_that_was_torn_is_no_verdict(state):
    """Its last line never became whole."""
    path = past(state, "1", began("1"), REPAIRED)
    path.write_bytes(path.read_bytes()[:-1])

    assert not is_closed(path)


def test_a_verdict_longer_than_what_is_read_of_a_file_is_one(state):
    """A proof can be long; the run must not be closed a second time."""
    proof = tuple("x" * 100 for _ in range(TAIL // 50))
    path = past(state, "1", began("1"), RunEnded("beyond repair", "fault", "No.", proof=proof))
    before = path.read_bytes()

    assert is_closed(path)
    assert () == close_interrupted(state, VirtualClock())
    assert before == path.read_bytes()


def test_every_run_that_died_is_closed_once(state):
    """Its journal gets the verdict that it lacked, and its reserve is given back."""
    past(state, "1", began("1"), REPAIRED)
    died = past(state, "2", began("2"), *LOOKED, ERASE)
    set_aside(state.reserve("2"))
    closed = close_interrupted(state, VirtualClock())
    view = view_of(state, "2")

    assert ["2"] == [run for run, _ in closed]
    assert ("interrupted", "unfinished") == (view.state, view.verdict)
    assert "" == replay(died).broken
    assert not state.reserve("2").exists()
    assert () == close_interrupted(state, VirtualClock())


def test_a_run_torn_in_the_middle_of_a_line_is_closed_after_the_last_whole_one(state):
    """kill -9 does not choose its moment."""
    path = past(state, "1", began("1"), *LOOKED, ERASE, Told("half"))
    path.write_bytes(path.read_bytes()[:-9])
    ((_, ended),) = close_interrupted(state, VirtualClock())

    assert "Replug was ended in the step 'Erase'." in ended.sentence
    assert ended == replay(path).records[-1].event


def test_a_run_whose_journal_was_changed_is_left_as_it_is(state):
    """It is evidence; the others are closed all the same."""
    path = past(state, "1", began("1"), *LOOKED, ERASE)
    path.write_bytes(path.read_bytes().replace(b"Look", b"Hook", 1))
    changed = path.read_bytes()
    past(state, "2", began("2"))

    assert ["2"] == [run for run, _ in close_interrupted(state, VirtualClock())]
    assert changed == path.read_bytes()


# --- the sentence of an interruption --------------------------------------------------------


def interrupted(state: State, *events: Event) -> RunEnded:
    past(state, "1", began("1"), *events)
    return interruption(view_of(state, "1"))


def test_a_run_that_died_before_it_wrote_says_that_nothing_is_lost(state):
    """Damage class and advice agree."""
    ended = interrupted(state, LOOKED[0])

    assert "Replug was ended in the step 'Look'. Damage class: nothing written." == ended.sentence
    assert "Nothing half done is left on the device. Run the repair again." == ended.advice
    assert ("unfinished", "interrupted") == (ended.verdict, ended.reason)


def test_a_run_that_died_while_it_wrote_says_what_to_leave_plugged_in(state):
    """The class of the step that went on."""
    ended = interrupted(state, *LOOKED, ERASE)

    assert ended.sentence.endswith(
        "in the step 'Erase'. Damage class: contents gone, bootloader alive."
    )
    assert ended.advice.startswith("Leave the device plugged in and run the repair again")
    assert Damage.HALF == ended.damage


def test_a_run_that_died_between_two_steps_names_none(state):
    """But it keeps the damage of the step that was done last."""
    ended = interrupted(state, *LOOKED, ERASE, StepDone("erase"))

    assert "Replug was ended. Damage class: contents gone, bootloader alive." == ended.sentence


def test_a_run_that_died_in_a_second_try_names_the_step_that_went_on(state):
    """Not the later one that had failed before."""
    write = StepStarted("write", 1, False, Damage.HALF.value, "Do not.")
    ended = interrupted(
        state, *LOOKED, ERASE, StepDone("erase"), write, StepFailed("write", "No."), ERASE
    )

    assert "in the step 'Erase'" in ended.sentence


def test_a_run_that_died_before_its_first_step_is_untouched(state):
    """Its header was all there is."""
    ended = interrupted(state)

    assert "Replug was ended. Damage class: nothing written." == ended.sentence


def test_a_run_whose_bench_is_gone_reads_as_interrupted_without_being_written_to(state):
    """A list of runs looks, and touches nothing."""
    path = past(state, "1", began("1"), ERASE)
    before = path.read_bytes()
    view = as_interrupted(view_of(state, "1"))

    assert ("interrupted", None, None) == (view.state, view.question, view.wait)
    assert before == path.read_bytes()
    assert view == as_interrupted(view)


# --- the same unit --------------------------------------------------------------------------


def seen_as(*devices: Device) -> RunView:
    return RunView(run="1", seen_as=devices)


@pytest.mark.parametrize(
    ("view", "device", "same"),
    [
        (seen_as(CORE), CORE, True),
        (seen_as(CORE), OTHER, False),
        (seen_as(APP, CORE), CORE, True),
        (seen_as(APP), CORE, False),
        (seen_as(Device("1-1", "v", "1d50", "607d")), CORE, False),
        (seen_as(Device("1-2", "v", "1d50", "607d")), CORE, False),
        (seen_as(Device("1-1", "v", "046d", "607d")), CORE, False),
        (seen_as(CORE), Device("1-1", "v", "1d50", "607f"), False),
        (seen_as(CORE), Device("2-1", "v", "1d50", "607f", "A"), True),
        (seen_as(Device("1-1", "", "", "")), CORE, False),
        (seen_as(Device("1-1", "", "", "")), Device("1-1", "", "", ""), False),
        (seen_as(Device("", "", "", ""), CORE), CORE, True),
        (seen_as(), CORE, False),
    ],
)
def test_a_unit_is_known_by_any_serial_it_was_seen_under(view, device, same):
    """Never by its port: the next customer's unit sits there."""
    assert same == same_unit(view, device)


# --- what a new run continues ---------------------------------------------------------------


def continued(state: State, device: Device = CORE, but_not: str = "") -> str:
    before = predecessor(state, "core", device, but_not)
    return before.run if before else ""


def test_nothing_is_continued_where_nothing_was_run(state):
    """The first run of a unit."""
    assert "" == continued(state)


def test_the_last_run_that_wrote_and_did_not_finish_is_continued(state):
    """Not an older one, and not one that only looked."""
    past(state, "1", began("1"), ERASE, UNFINISHED)
    past(state, "2", began("2"), ERASE, UNFINISHED)
    past(state, "3", began("3"), *LOOKED, UNFINISHED)

    assert "2" == continued(state)
    assert "1" == continued(state, but_not="2")


@pytest.mark.parametrize("verdict", ["repaired", "beyond repair"])
def test_a_run_that_finished_its_work_ends_the_chain(state, verdict):
    """What is wrong with the unit today is another story."""
    past(state, "1", began("1"), ERASE, UNFINISHED)
    past(state, "2", began("2"), ERASE, RunEnded(verdict, "done", "It is."))
    past(state, "3", began("3"), *LOOKED, RunEnded("no fault found", "done", "Well."))

    assert "" == continued(state)


def test_a_verdict_of_a_run_that_wrote_nothing_ends_no_chain(state):
    """ "Repaired" needs something that was done."""
    past(state, "1", began("1"), ERASE, UNFINISHED)
    past(state, "2", began("2"), *LOOKED, RunEnded("beyond repair", "fault", "No."))

    assert "1" == continued(state)


def test_a_run_that_has_no_end_yet_is_continued(state):
    """It died, and nobody has closed it."""
    past(state, "1", began("1"), ERASE)

    assert "1" == continued(state)


def test_another_unit_and_another_family_are_passed_over(state):
    """The port says nothing where serials differ."""
    past(state, "1", began("1"), ERASE, UNFINISHED)
    past(state, "2", began("2", OTHER), ERASE, UNFINISHED)
    past(state, "3", began("3", flow="corely.rekey"), ERASE, UNFINISHED)

    assert ("1", "2") == (continued(state), continued(state, OTHER))


def test_a_unit_is_found_by_the_serial_it_had_in_the_mode_that_was_written(state):
    """It began under its application's serial and was seen in its bootloader on the way."""
    judged = DeviceJudged("1-1", CORE, True, "Same device.")
    past(state, "1", began("1", APP), judged, ERASE, UNFINISHED)
    elsewhere = Device("3-1", "v", "1d50", "607f", "A")

    assert "1" == continued(state, elsewhere)


def test_a_device_that_was_judged_and_not_taken_is_not_the_unit(state):
    """It was not touched."""
    judged = DeviceJudged("1-2", OTHER, False, "Not taken.")
    past(state, "1", began("1"), judged, ERASE, UNFINISHED)

    assert "" == continued(state, Device("1-2", "v", "1d50", "607f", "B"))


def test_runs_that_cannot_be_read_are_passed_over(state):
    """A folder without a journal, an empty journal, a journal that is a folder."""
    past(state, "1", began("1"), ERASE, UNFINISHED)
    past(state, "2")
    state.run("3").mkdir()
    state.journal("4").mkdir(parents=True)

    assert ["1"] == [view.run for view in past_runs(state)]
    assert "1" == continued(state)


# --- the first backup -----------------------------------------------------------------------


def chain(state: State) -> RunView:
    """Three broken-off runs of one unit, each continuing the one before; the last one's view."""
    past(state, "1", began("1"), backup(state, "1", b"first"), ERASE, UNFINISHED)
    past(state, "2", began("2", continues="1"), backup(state, "2", b"second"), ERASE, UNFINISHED)
    rest = backup(state, "3", b"rest", "rest-of-page.bin")
    past(state, "3", began("3", continues="2"), backup(state, "3"), rest, ERASE, UNFINISHED)
    return view_of(state, "3")


def test_the_first_backup_of_a_chain_stays_the_backup(state):
    """What a later run saved is what an earlier one left behind."""
    backups = first_backups(state, chain(state))

    assert {"slot.bin": "1-slot.bin", "rest-of-page.bin": "3-rest-of-page.bin"} == {
        name: kept.name for name, kept in backups.items()
    }


def test_a_backup_deleted_from_the_vault_is_none(state):
    """Then the oldest that is left."""
    last = chain(state)
    (state.vault / "1-slot.bin").unlink()

    assert "2-slot.bin" == first_backups(state, last)["slot.bin"].name


def test_a_run_of_the_chain_that_cannot_be_read_ends_it(state):
    """What is known is used."""
    last = chain(state)
    state.journal("1").unlink()

    assert "2-slot.bin" == first_backups(state, last)["slot.bin"].name


def test_artefacts_outside_the_vault_are_no_backups(state):
    """A public key is made anew."""
    kept = ArtefactKept("public-key.pem", "run", "00", 5)
    past(state, "1", began("1"), kept, ERASE, UNFINISHED)

    assert {} == first_backups(state, view_of(state, "1"))
    assert {} == first_backups(state, None)


# --- what went well before -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flow", "end", "asked", "expected"),
    [
        ("core.rekey", REPAIRED, ("core.rekey", "1-1"), True),
        ("core.rekey", UNFINISHED, ("core.rekey", "1-1"), False),
        ("core.check", REPAIRED, ("core.rekey", "1-1"), False),
        ("core.rekey", REPAIRED, ("core.rekey", "1-2"), False),
    ],
)
def test_a_flow_has_passed_on_the_port_where_it_ended_well(
    state, flow: str, end: RunEnded, asked: tuple[str, str], expected: bool
) -> None:
    past(state, "1", began("1", flow=flow), end)
    assert passed(state, *asked) is expected


def test_the_last_run_is_found_in_the_journals_whoever_looked(state):
    """Any port for the one that is done again; the port's own for the one that is exported."""
    assert (last_ended(state), last_on(state, "1-1")) == (None, None)

    past(state, "9", began("9"), UNFINISHED)
    past(state, "10", began("10", replace(OTHER, port="1-2")), REPAIRED)
    past(state, "11", began("11", replace(OTHER, port="1-3")))

    assert last_ended(state).run == "10"
    assert [last_on(state, port).run for port in ("1-1", "1-2", "1-3")] == ["9", "10", "11"]


# --- the last artefact of a name ------------------------------------------------------------


def artefact(state: State, run: str, name: str, data: bytes) -> ArtefactKept:
    path = state.artefacts(run) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return ArtefactKept(name, "run", hashlib.sha256(data).hexdigest(), len(data))


def test_the_last_artefact_whose_name_begins_so_is_found_in_the_newest_run(state):
    """The last of a run, and one that was changed on the disk since is passed by."""
    first, second = artefact(state, "1", "p-1.json", b"1"), artefact(state, "1", "p-2.json", b"2")
    past(state, "1", began("1"), first, second, REPAIRED)
    past(state, "2", began("2"), artefact(state, "2", "q-1.json", b"3"), REPAIRED)

    assert last_kept(state, "p-") == b"2"
    assert last_kept(state, "q-") == b"3"
    assert last_kept(state, "q-", but_not="2") is None
    (state.artefacts("1") / "p-2.json").write_bytes(b"changed")
    assert last_kept(state, "p-") == b"1"
