"""Who gets what is typed: a command, a field, or nobody; in bursts, too early, and by paste."""

import threading

import pytest
from textual import events

from console.errors import BadUsage
from console.history import view_of
from screens.answer import CAME, EARLY, ENTER_FIRST, Hand
from screens.bench import BenchPage
from screens.run import RunPage
from tests.screens.showing import burst, seen, sees, types, until
from tests.screens.test_app import shown, start_rekey, to_consent


async def may_type(pilot):
    """Wait until the field has been seen."""
    page = pilot.app.screen
    await until(pilot, lambda: page.answer.field is not None and page.answer.field.was_seen)


class Gate:
    """Holds answers back on their way to the bench, until it is opened."""

    def __init__(self, feed, monkeypatch):
        self.open = threading.Event()
        self.came = threading.Event()
        ask = feed.ask

        def held(do, **fields):
            if do == "answer":
                self.came.set()
                self.open.wait(20)
            return ask(do, **fields)

        monkeypatch.setattr(feed, "ask", held)


async def test_what_was_typed_before_the_question_is_thrown_away_with_all_of_its_line(tmp_path):
    """One early letter spoils the line up to its Enter; then it is said, and typed again."""
    async with shown(tmp_path) as (pilot, feed, _):
        await to_consent(pilot)
        await may_type(pilot)
        await burst(pilot, "y", at=0.0)
        await sees(pilot, ENTER_FIRST[:60])
        await burst(pilot, "es")
        assert pilot.app.screen.answer.words == ""
        await burst(pilot, "\r")
        await sees(pilot, EARLY)
        assert feed.answers() == ["", "2243"]
        await types(pilot, "yes")
        await until(pilot, lambda: len(feed.answers()) == 3)


async def test_a_paste_that_came_too_early_spoils_its_line_too(tmp_path):
    """And one in time is text."""
    async with shown(tmp_path) as (pilot, feed, _):
        await to_consent(pilot)
        await may_type(pilot)
        early = events.Paste("ye")
        early.time = 0.0
        pilot.app.post_message(early)
        await burst(pilot, "s\r")
        await sees(pilot, EARLY)
        assert len(feed.answers()) == 2
        pilot.app.post_message(events.Paste("yes\nand more"))
        await until(pilot, lambda: pilot.app.screen.answer.words == "yes")
        await pilot.press("enter")
        await until(pilot, lambda: feed.answers()[2:] == ["yes"])


async def test_an_early_enter_alone_spoils_nothing(tmp_path):
    """A second press of Enter is a habit; the answer that is typed after it counts."""
    async with shown(tmp_path) as (pilot, feed, _):
        await to_consent(pilot)
        await may_type(pilot)
        await burst(pilot, "\r", at=0.0)
        assert EARLY not in seen(pilot.app)
        await types(pilot, "yes")
        await until(pilot, lambda: len(feed.answers()) == 3)


async def test_after_an_answer_no_key_is_a_command_until_the_next_question(tmp_path, monkeypatch):
    """What is typed meanwhile is neither a note nor half an answer."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        gate = Gate(feed, monkeypatch)
        await types(pilot, "")
        await sees(pilot, "Not checked. Held: the next question comes here.")
        await until(pilot, gate.came.is_set)
        await pilot.press(*"sun4d")
        await sees(pilot, "thrown away up to Enter")
        assert isinstance(pilot.app.screen, RunPage)
        gate.open.set()
        await sees(pilot, "job >")
        await sees(pilot, ENTER_FIRST[:60])
        await may_type(pilot)
        await pilot.press(*"ance", "enter")
        await sees(pilot, EARLY)
        await types(pilot, "2243")
        await sees(pilot, "confirm_erase >")

        assert feed.answers() == ["", "2243"]
        assert "note" not in [do for do, _ in feed.asked]


async def test_a_whole_line_typed_ahead_is_said_when_the_question_comes(tmp_path, monkeypatch):
    """Its Enter ended it, so the next letter counts."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        gate = Gate(feed, monkeypatch)
        await types(pilot, "")
        await until(pilot, gate.came.is_set)
        await burst(pilot, "2240\r")
        pilot.app.post_message(events.Paste("2241"))
        await burst(pilot, "\r")
        gate.open.set()
        await sees(pilot, EARLY)
        await types(pilot, "2243")
        await sees(pilot, "confirm_erase >")

        assert feed.answers() == ["", "2243"]


async def test_escape_gives_the_keys_back_while_they_are_held(tmp_path, monkeypatch):
    """And a question that comes then takes no letter that was meant for the keys."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        gate = Gate(feed, monkeypatch)
        await types(pilot, "")
        await until(pilot, gate.came.is_set)
        await pilot.press("escape", "b")
        await sees(pilot, "The bell is off")
        gate.open.set()
        await sees(pilot, "job >")
        await sees(pilot, "A question came.  Enter to the answer   Esc to the keys")
        await may_type(pilot)
        await pilot.press("b", "n")
        await sees(pilot, CAME[:60])
        assert pilot.app.screen.answer.words == ""
        await pilot.press("enter")
        await sees(pilot, EARLY)
        await types(pilot, "2243")
        await sees(pilot, "confirm_erase >")

        assert feed.answers() == ["", "2243"]
        assert not pilot.app.bell_is_on


async def test_escape_leads_from_a_question_that_came_to_the_keys(tmp_path, monkeypatch):
    """The question waits; Tab leads to it."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        gate = Gate(feed, monkeypatch)
        await types(pilot, "")
        await pilot.press("escape", "b")
        gate.open.set()
        await sees(pilot, "A question came.")
        await pilot.press("escape", "b")
        await sees(pilot, "The bell is on.")
        await pilot.press("x", "tab")
        await sees(pilot, "Enter sends")
        await types(pilot, "2243")
        await sees(pilot, "confirm_erase >")


async def test_a_question_that_comes_while_a_note_is_written_waits_for_it(tmp_path, monkeypatch):
    """What is typed goes on into the note, and nothing after its Enter into the answer."""
    async with shown(tmp_path) as (pilot, feed, bench):
        await start_rekey(pilot)
        gate = Gate(feed, monkeypatch)
        await types(pilot, "")
        await until(pilot, gate.came.is_set)
        await burst(pilot, "\x1bnit is ")
        gate.open.set()
        await until(pilot, lambda: getattr(pilot.app.screen.view.question, "id", "") == "job")
        await burst(pilot, "warm\r22")
        await sees(pilot, "job >")
        await until(pilot, lambda: view_of(bench.state, "1").said != ())
        assert pilot.app.screen.answer.hand is Hand.NOBODY

        said = [said.sentence for said in view_of(bench.state, "1").said]
        assert said == ["test: it is warm"]
        assert pilot.app.screen.answer.words == ""


async def test_an_answer_that_the_bench_refuses_can_be_typed_again(tmp_path, monkeypatch):
    """It is said why, and the question has its field again."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        ask = feed.ask

        def refuse(do, **fields):
            raise BadUsage("That was refused.", "Look at it again.")

        monkeypatch.setattr(feed, "ask", refuse)
        await types(pilot, "")
        await sees(pilot, "That was refused. Look at it again.")
        monkeypatch.setattr(feed, "ask", ask)
        await types(pilot, "")
        await sees(pilot, "job >")


async def test_the_letters_behind_the_key_of_a_note_are_its_text(tmp_path):
    """However they come: a slow line delivers them at once."""
    async with shown(tmp_path) as (pilot, feed, _):
        await burst(pilot, "nmy dear note, alll\x7f is well\r")
        await until(pilot, lambda: [do for do, _ in feed.asked] == ["note"])

        assert feed.asked[0][1]["text"] == "my dear note, all is well"
        assert isinstance(pilot.app.screen, BenchPage)


@pytest.mark.parametrize(("key", "said"), [("j", "No job was named"), ("l", "has no label now")])
async def test_enter_behind_the_key_of_a_field_is_the_fields(tmp_path, key, said):
    """It opens nothing behind it; the key after it is a command again."""
    async with shown(tmp_path) as (pilot, _, _):
        await burst(pilot, f"{key}\r")
        await sees(pilot, said)
        assert isinstance(pilot.app.screen, BenchPage)
        await burst(pilot, f"{key}2243\rf1")
        await sees(pilot, "Starting is no consent")


async def test_commands_in_a_burst_each_meet_the_page_that_the_one_before_opened(tmp_path):
    """No letter is lost, and none is taken for a key of the page before."""
    async with shown(tmp_path) as (pilot, feed, _):
        await burst(pilot, "f2s")
        await sees(pilot, "device_id >")

        assert [do for do, _ in feed.asked] == ["run"]


async def test_letters_typed_when_a_run_ends_are_no_commands_up_to_their_enter(tmp_path):
    """What is half typed for a run that has ended is nobody's."""
    async with shown(tmp_path) as (pilot, feed, bench):
        await to_consent(pilot)
        await may_type(pilot)
        await pilot.press("y", "e")
        bench.bench.stop_run("1", "test")
        await sees(pilot, "U N F I N I S H E D")
        await pilot.press(*"nq", "enter")
        assert isinstance(pilot.app.screen, RunPage)
        assert pilot.app.screen.answer.hand is Hand.KEYS
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, BenchPage))

        assert "note" not in [do for do, _ in feed.asked]
