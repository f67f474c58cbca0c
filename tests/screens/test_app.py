"""The screens in hand: keys in, wishes out, over a real bench with practice hardware."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from console.families import found
from console.history import view_of
from screens.app import Replug
from screens.bench import BenchPage
from screens.flows import FlowPage, FlowsPage
from screens.run import RunPage
from screens.snapshot import Snapshot
from screens.text import TextPage
from tests.harness import VirtualClock, workshop
from tests.screens.showing import PATIENCE, BenchFeed, seen, sees, types, until


@asynccontextmanager
async def shown(tmp_path, scenario="core-blank-key", first="Spark Core"):
    """The program over a practice bench: pilot, feed and workshop."""
    with workshop(tmp_path, scenario) as bench:
        bench.technician.willing = False
        feed = BenchFeed(bench.bench, bench.state)
        async with Replug(feed).run_test(size=(80, 24)) as pilot:
            await sees(pilot, first)
            yield pilot, feed, bench
        feed.end()
        for run in bench.bench.runs():
            bench.bench.stop_run(run, "test over")
            bench.technician.ended.get(timeout=PATIENCE)


async def start_rekey(pilot):
    """From the bench into the run, up to the first question."""
    await pilot.press("f", "2", "s")
    await sees(pilot, "device_id >")


async def to_consent(pilot):
    """On to the question before the erase."""
    await start_rekey(pilot)
    await types(pilot, "")
    await sees(pilot, "job >")
    await types(pilot, "2243")
    await sees(pilot, "confirm_erase >")


async def test_a_port_is_named_on_the_bench(tmp_path):
    """l, a name, Enter; the table and the pane have it. Esc names nothing."""
    async with shown(tmp_path) as (pilot, feed, _):
        await pilot.press("l", "escape")
        assert not feed.asked
        await pilot.press("l")
        await types(pilot, "front left")
        await sees(pilot, "front left (port 1-1)")
        await pilot.press("f")
        await sees(pilot, "front left  WHAT CAN BE DONE")


async def test_a_device_is_marked_hands_off_on_the_bench(tmp_path):
    """m; the row says it, no flow is offered; m again clears it."""
    async with shown(tmp_path) as (pilot, _, _):
        await pilot.press("m")
        await sees(pilot, "- hands off")
        assert ">m" in seen(pilot.app)
        await pilot.press("f")
        await sees(pilot, "No flow is offered")
        await pilot.press("escape", "m")
        await sees(pilot, ">1")


async def test_the_same_again_says_what_it_will_ask_and_starts_at_the_second_time(tmp_path):
    """One stray key starts nothing; what was answered for the unit before is not asked again."""
    async with shown(tmp_path, "core-healthy") as (pilot, feed, _):
        await pilot.press("full_stop")
        await sees(pilot, "Nothing to do again")
        await pilot.press("f", "1", "s")
        await sees(pilot, "N O")
        await pilot.press("escape", "full_stop")
        await sees(pilot, "Check the keys again on port 1-1? It asks nothing.")
        await pilot.press("full_stop")
        await sees(pilot, "run 2")
        await sees(pilot, "N O")

        assert [do for do, _ in feed.asked] == ["run", "run"]


async def test_the_same_again_and_the_export_know_runs_of_before_this_screen(tmp_path):
    """The journals remember what no screen saw; another port has none of its own."""
    with workshop(tmp_path, "core-healthy") as bench:
        bench.run("particle.check")
        feed = BenchFeed(bench.bench, bench.state)
        async with Replug(feed).run_test(size=(80, 24)) as pilot:
            await sees(pilot, "Spark Core")
            assert not feed.snapshot().runs
            await pilot.press("e")
            await sees(pilot, "Exported: run-1.jsonl")
            await pilot.press("full_stop")
            await sees(pilot, "Check the keys again on port 1-1, job 2243? It asks nothing.")
            bench.bus.pull("1-1")
            await sees(pilot, "AWAY since")
            await pilot.press("full_stop")
            await sees(pilot, "Nothing sits in this port that could be done again.")
        feed.end()


async def test_find_keeps_the_rows_that_have_the_letters(tmp_path):
    """With each letter; Enter keeps them and gives the keys back, Esc shows all again."""
    async with shown(tmp_path) as (pilot, feed, _):
        bare = feed.snapshot()
        first = bare.bench.devices[0]
        others = (
            replace(first, port="1-2", name="Nitrokey Pro", serial="0AB", label="front left"),
            replace(first, port="1-3", name="Thingy:91", serial="", job="2231"),
        )
        many = replace(bare, bench=replace(bare.bench, devices=(first, *others)))
        feed._show(many)
        await sees(pilot, "Thingy:91")
        await pilot.press("slash")
        await until(pilot, lambda: pilot.app.screen.answer.field.was_seen)
        await pilot.press("f", "r", "o", "n")
        await sees(pilot, "1 of 3 with: fron (Esc shows all)")
        assert "Thingy:91" not in seen(pilot.app)
        assert ">2 front left" in seen(pilot.app)
        await pilot.press("enter", "1", "3", "down")
        assert pilot.app.screen.look.port == "1-2"
        await pilot.press("slash")
        await types(pilot, "2231")
        await sees(pilot, "- port 1-3 ---")
        await pilot.press("slash")
        await types(pilot, "nothing of that kind")
        await sees(pilot, 'Nothing here has "nothing of that kind"')
        assert pilot.app.screen.look.port == ""
        await pilot.press("f")
        await sees(pilot, "Nothing is plugged in, so there is nothing to do")
        await pilot.press("escape")
        await sees(pilot, ">1 port 1-1")
        assert "Thingy:91" in seen(pilot.app)
        await pilot.press("slash")
        await until(pilot, lambda: pilot.app.screen.answer.field.was_seen)
        await pilot.press("q", "escape", "escape")
        await sees(pilot, "Thingy:91")
        assert not pilot.app.screen.answer.is_open


async def test_the_inbox_of_a_job_is_told_where_its_device_is_in_hand(tmp_path):
    """How many files came, the last one's name, and the line that sends another."""
    async with shown(tmp_path) as (pilot, feed, bench):
        feed.ask("assign", port="1-1", job="2243", by="test")
        await sees(pilot, "its inbox has no files.")
        inbox = bench.state.job_inbox("2243")
        (inbox / "a.bin").write_bytes(b"123")
        feed.ask("look")
        await sees(pilot, "its inbox has 1 file, last a.bin, 3 bytes.")
        (inbox / "b.bin").write_bytes(b"1")
        feed.ask("look")
        await sees(pilot, "its inbox has 2 files, last b.bin, 1 bytes.")
        text = "".join(seen(pilot.app).split())
        assert f"scpFILEtest@repair-2:{inbox}/" in text


async def test_a_whole_job_is_exported_from_its_page(tmp_path):
    """j, Enter, e."""
    async with shown(tmp_path) as (pilot, feed, bench):
        await pilot.press("e")
        await sees(pilot, "No run was made on this port yet. A whole job: j, Enter, then e.")
        feed.ask("assign", port="1-1", job="2243", by="test")
        await sees(pilot, "2243")
        await pilot.press("j")
        await types(pilot, "")
        await sees(pilot, "e export the whole job")
        await pilot.press("e")
        await sees(pilot, "Exported: job-2243.jsonl, job-2243.html, job-2243.md")

        files = sorted(path.suffix for path in bench.state.exports.iterdir())
        assert files == [".html", ".jsonl", ".md"]


async def test_a_device_gets_its_job_on_the_bench(tmp_path):
    """j and a number; then j and Enter shows the job, with the line that sends it a file."""
    async with shown(tmp_path) as (pilot, _, bench):
        await pilot.press("j")
        await types(pilot, "2243")
        await sees(pilot, "belongs to job 2243 now")
        (bench.state.job_inbox("2243") / "image.bin").write_bytes(b"123")
        await pilot.press("j")
        await types(pilot, "")
        await sees(pilot, "File image.bin, 3 bytes")
        assert "scpFILEtest@repair-2:" in "".join(seen(pilot.app).split())
        await pilot.press("escape")
        await sees(pilot, "file for job 2243: image.bin")
        await pilot.press("j")
        await types(pilot, "-")
        await sees(pilot, "belongs to no job now")


async def test_a_core_is_repaired_from_the_keyboard_alone(tmp_path):
    """From plugged in to the verdict, and the record is exported."""
    async with shown(tmp_path) as (pilot, feed, bench):
        await to_consent(pilot)
        await types(pilot, "yes")
        await sees(pilot, "R E P A I R E D")
        await pilot.press("e")
        await sees(pilot, "Exported: run-1.jsonl, run-1.html, run-1.md in")
        await pilot.press("c")
        await sees(pilot, "REPAIRED.")
        await sees(pilot, "Ticket of run 1")

        assert feed.answers() == ["", "2243", "yes"]
        assert (bench.state.exports / "run-1.html").exists()
        assert (bench.state.exports / "run-1.jsonl").exists()
        assert (bench.state.exports / "run-1.md").exists()
        assert "PRACTICE" in seen(pilot.app)


async def test_reading_a_flow_starts_nothing(tmp_path):
    """Have ready, hands, the plan and the questions come before the start; Enter starts nothing."""
    async with shown(tmp_path) as (pilot, feed, _):
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, FlowsPage)
        await pilot.press("down", "enter")
        assert isinstance(pilot.app.screen, FlowPage)
        await pilot.press("enter", "escape", "escape")
        await pilot.pause()

        assert isinstance(pilot.app.screen, BenchPage)
        assert feed.asked == []


async def test_neither_enter_nor_a_wrong_word_nor_escape_consents(tmp_path):
    """Only the word that the question names does."""
    async with shown(tmp_path) as (pilot, feed, _):
        await to_consent(pilot)
        await types(pilot, "")
        await sees(pilot, "Enter alone consents to nothing. Type: yes")
        await types(pilot, "y")
        await sees(pilot, "That is not what has to be typed")
        await pilot.press("escape", "enter", "y", "e", "s", "escape", "escape")
        await pilot.pause()

        assert feed.answers() == ["", "2243"]
        assert feed.snapshot().runs["1"].question.id == "confirm_erase"


async def test_a_wrong_word_is_typed_anew_and_not_added_to(tmp_path):
    """The field is empty again, and the right word is taken."""
    async with shown(tmp_path) as (pilot, feed, _):
        await to_consent(pilot)
        await types(pilot, "y")
        await sees(pilot, "That is not what has to be typed")
        assert pilot.app.screen.answer.field.value == ""
        await types(pilot, "yes")
        await until(pilot, lambda: len(feed.answers()) == 3)

        assert feed.answers() == ["", "2243", "yes"]


async def test_in_a_text_field_letters_are_text(tmp_path):
    """q does not leave, S does not stop, n opens no note."""
    async with shown(tmp_path) as (pilot, _feed, _):
        await start_rekey(pilot)
        await until(pilot, lambda: pilot.app.screen.answer.field.was_seen)
        await pilot.press("q", "S", "n", "?", "x")

        assert pilot.app.screen.answer.field.value == "qSn?x"


async def test_stop_names_where_and_is_asked_for_twice(tmp_path):
    """The first S only says it."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        await pilot.press("escape", "S")
        await sees(pilot, "S again: it stops before its next step")
        assert feed.asked[1:] == []
        await pilot.press("S")
        await sees(pilot, "U N F I N I S H E D")

        assert feed.asked[-1][0] == "stop_run"


async def test_a_note_goes_into_the_record_of_the_run(tmp_path):
    """And the question is still there afterwards."""
    async with shown(tmp_path) as (pilot, _feed, bench):
        await start_rekey(pilot)
        await pilot.press("escape", "n")
        await sees(pilot, "note, run 1 >")
        await types(pilot, "customer rings at 14:15")
        await sees(pilot, "device_id >")

        said = [said.sentence for said in view_of(bench.state, "1").said]
        assert said == ["test: customer rings at 14:15"]


async def test_it_rings_when_it_becomes_the_technicians_turn_unless_switched_off(
    tmp_path, monkeypatch
):
    """Their eyes are on the device."""
    rung = []
    monkeypatch.setattr(Replug, "bell", lambda app: rung.append(seen(app)))
    async with shown(tmp_path) as (pilot, _feed, _):
        await start_rekey(pilot)
        assert len(rung) == 1
        await pilot.press("escape", "b")
        await sees(pilot, "The bell is off")
        await pilot.press("tab")
        await types(pilot, "")
        await sees(pilot, "job >")

        assert len(rung) == 1


async def test_control_c_and_q_leave_the_run_going(tmp_path):
    """Ctrl-C only says so; q goes."""
    async with shown(tmp_path) as (pilot, feed, bench):
        await start_rekey(pilot)
        await pilot.press("ctrl+c")
        await sees(pilot, "A run goes on without this screen; S stops it, q leaves")
        await pilot.press("escape", "q")
        await pilot.pause()

        assert not pilot.app.is_running or pilot.app._exit
        assert list(bench.bench.runs()) == ["1"]
        assert [do for do, _ in feed.asked] == ["run"]


async def test_a_bench_that_has_gone_is_said_with_the_next_step(tmp_path):
    """No crash, and what was seen last stays."""
    async with shown(tmp_path) as (pilot, feed, _):
        gone = replace(feed.snapshot(), gone="The bench has ended. q leaves, then: replug")
        feed._show(gone)
        await sees(pilot, "! The bench has ended. q leaves, then: replug")

        assert "TROUBLE" in seen(pilot.app)
        assert "Spark Core" in seen(pilot.app)


async def test_an_open_run_is_found_again_from_the_bench(tmp_path):
    """Esc leads to the bench, Enter back to the same question."""
    async with shown(tmp_path) as (pilot, _feed, _):
        await start_rekey(pilot)
        await pilot.press("escape", "escape")
        await sees(pilot, "YOUR TURN: 1")
        await pilot.press("enter")
        await sees(pilot, "device_id >")

        assert isinstance(pilot.app.screen, RunPage)


class PatientClock(VirtualClock):
    """Waits for hands without letting its own time pass: no limit is ever over."""

    def take(self, box, timeout):
        return box.get(timeout=min(0.02, timeout or 0.02))


async def test_a_device_that_is_not_shown_has_a_way_in(tmp_path):
    """d on the port it was in, what it is, s: the ladder; the bus answers it, the keys do."""
    async with shown(tmp_path, "core-bad-port", "Nothing is plugged in") as (pilot, feed, bench):
        bench.bench.clock = bench.clock = PatientClock()
        await pilot.press("d")
        names = [family.name for family in found()]
        number = 1 + names.index("particle")
        await sees(pilot, f"{number} Why is it not shown? Particle boards")
        await sees(pilot, f"{len(names) + 1} Why is it not shown? I do not know what it is")
        await pilot.press("p")
        await types(pilot, "1-1")
        await sees(pilot, "What is it, port 1-1?")
        await pilot.press(str(number))
        await sees(pilot, "A known-good device in that port, that cable")
        assert not feed.asked
        await pilot.press("s")
        await sees(pilot, "known_good >")
        await sees(pilot, "Take the dead one out of port 1-1")
        await types(pilot, "1")
        await sees(pilot, "I would see it myself")
        await types(pilot, "3")
        await sees(pilot, "other_port >")
        bench.bus.pull("1-1")
        bench.bus.plug("1-2", "1-1")
        await sees(pilot, "It does show: Spark Core with its firmware (1d50:607d) on port 1-2.")

        ((_, request), *_) = [asked for asked in feed.asked if asked[0] == "run"]
        wanted = ("particle.check", "1-1", True)
        assert wanted == (request["flow"], request["device"], request["not_shown"])


async def test_d_on_an_empty_port_is_about_that_port_and_leads_to_other_flows_too(tmp_path):
    """On one where something is shown it is about any."""
    async with shown(tmp_path, "core-healthy") as (pilot, _feed, bench):
        await pilot.press("d")
        await sees(pilot, "What is it, not shown?")
        await pilot.press("escape")
        bench.bus.pull("1-1")
        await sees(pilot, "AWAY since")
        await pilot.press("d")
        await sees(pilot, "What is it, port 1-1?")
        await pilot.press("space")
        await sees(pilot, "Let go of MODE when the LED flashes YELLOW")
        await pilot.press("f")
        await sees(pilot, "start a flow")


async def test_help_is_about_the_screen_in_hand_and_the_trace_is_a_page(tmp_path):
    """Esc comes back to it."""
    async with shown(tmp_path) as (pilot, _feed, _):
        await pilot.press("?")
        await sees(pilot, "The bench: what is plugged in")
        await pilot.press("escape")
        await to_consent(pilot)
        await pilot.press("escape", "t")
        await sees(pilot, "Trace of run 1")
        assert isinstance(pilot.app.screen, TextPage)
        await pilot.press("escape", "?")
        await sees(pilot, "May I pull it?")
        await pilot.press("escape")
        await sees(pilot, "confirm_erase >")


async def test_hands_of_practice_plug_and_pull_only_there(tmp_path):
    """Outside practice the keys say whose hands do it."""
    async with shown(tmp_path) as (pilot, feed, _):
        feed._show(replace(feed.snapshot(), practice=""))
        await pilot.pause()
        await pilot.press("x")

        await sees(pilot, "here your own hands plug and pull")


async def test_practice_is_one_key_away_from_an_empty_bench(tmp_path):
    """p leaves with the scenario to go on with."""
    async with shown(tmp_path) as (pilot, feed, _):
        feed._show(Snapshot(host="repair-2"))
        await sees(pilot, "Nothing is plugged in.")
        await pilot.press("p")
        await pilot.pause()

        assert pilot.app.return_value == "core-blank-key"


@pytest.mark.parametrize("size", [(80, 24), (132, 43), (40, 12)])
async def test_any_terminal_shows_the_bench(tmp_path, size):
    """Smaller than 80x24 is cut, never a crash."""
    with workshop(tmp_path, "core-blank-key") as bench:
        feed = BenchFeed(bench.bench, bench.state)
        async with Replug(feed).run_test(size=size) as pilot:
            await sees(pilot, "Spark")
            await pilot.press("f", "1")
            await pilot.pause()

            assert all(len(text) <= size[0] for text in seen(pilot.app).splitlines())
        feed.end()


async def test_a_secret_is_counted_as_it_is_typed_and_never_shown(tmp_path):
    """Beside what is wanted; each key changes the count, and an answer in clear has none."""
    async with shown(tmp_path, "hsm-healthy", "SmartCard-HSM") as (pilot, _, bench):
        family = next(each for each in bench.bench.families if each.name == "smartcardhsm")
        number = [flow.name for flow in family.flows].index("unblock") + 1
        await pilot.press("f", str(number), "s")
        await sees(pilot, "so_pin_format >")
        assert "typed" not in seen(pilot.app)
        await types(pilot, "1")
        await sees(pilot, "16 hex digits: 0 typed")
        await pilot.press(*"3537363")
        await sees(pilot, "16 hex digits: 7 typed")
        await pilot.press("backspace")
        await sees(pilot, "16 hex digits: 6 typed")
        assert "353736" not in seen(pilot.app)
        await pilot.press(*"3231383830")
        await sees(pilot, "16 hex digits: 16 typed")
        await pilot.press("enter")
        await sees(pilot, "6 to 15 characters: 0 typed")
