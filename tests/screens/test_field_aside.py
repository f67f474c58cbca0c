"""A field that a person opened: its own key line, and an Esc that loses nothing."""

from screens.answer import LETTERS_ARE_TEXT
from screens.bench import BenchPage
from screens.flows import FlowPage
from tests.screens.showing import burst, seen, sees, until
from tests.screens.test_app import shown, start_rekey, to_consent
from tests.screens.test_typing import may_type

DROPPED = "Dropped: nothing of it was sent."


def asked(feed):
    """What was asked of the bench."""
    return [do for do, _ in feed.asked]


async def test_a_field_has_a_key_line_of_its_own(tmp_path):
    """f, x and q are letters there."""
    async with shown(tmp_path) as (pilot, _, _):
        assert "f flows" in seen(pilot.app)
        await pilot.press("n")
        await sees(pilot, LETTERS_ARE_TEXT)
        assert "f flows" not in seen(pilot.app)
        await pilot.press("escape")
        await sees(pilot, "f flows")


async def test_escape_puts_a_note_aside_and_its_key_types_on(tmp_path):
    """A split arrow key arrives as Esc: what follows it is text of no command."""
    async with shown(tmp_path) as (pilot, feed, _):
        await burst(pilot, "ncustomer")
        await pilot.press("escape")
        await sees(pilot, "Put aside, not sent.  n types on   Esc again drops it")
        await pilot.press("left_square_bracket", "A", "f", "m", "q", "full_stop")
        assert isinstance(pilot.app.screen, BenchPage)
        assert pilot.app.screen.answer.words == "customer"
        await burst(pilot, "n rings\r")
        await until(pilot, lambda: asked(feed) == ["note"])

        assert feed.asked[0][1]["text"] == "customer rings"


async def test_a_second_escape_drops_it_with_a_word(tmp_path):
    """And an empty field is left without one."""
    async with shown(tmp_path) as (pilot, feed, _):
        await burst(pilot, "lfront")
        await pilot.press("escape", "escape")
        await sees(pilot, DROPPED)
        await pilot.press("l")
        assert pilot.app.screen.answer.words == ""
        await pilot.press("escape")
        assert DROPPED not in seen(pilot.app)
        assert not pilot.app.screen.answer.is_open
        assert asked(feed) == []


async def test_a_half_typed_job_holds_up_the_start(tmp_path):
    """The run would go without it."""
    async with shown(tmp_path) as (pilot, feed, _):
        await burst(pilot, "f2j2240")
        await pilot.press("escape", "s")
        await sees(pilot, "Put aside, not sent. j types on Esc again drops it")
        assert isinstance(pilot.app.screen, FlowPage)
        assert asked(feed) == []
        await burst(pilot, "j\rs")
        await sees(pilot, "device_id >")

        assert feed.asked[0][1]["job"] == "2240"


async def test_the_port_of_a_dead_device_is_put_aside_too(tmp_path):
    """Its key types on."""
    async with shown(tmp_path) as (pilot, _, _):
        await burst(pilot, "dp1-")
        await pilot.press("escape")
        await sees(pilot, "p types on   Esc again drops it")
        await burst(pilot, "p1\r")
        await sees(pilot, "What is it, port 1-1?")


async def test_rows_that_are_looked_for_stay_when_escape_comes_once(tmp_path):
    """The arrows go on in them."""
    async with shown(tmp_path) as (pilot, _, _):
        await burst(pilot, "/zz")
        await sees(pilot, "0 of 1 with: zz")
        await pilot.press("escape", "down")
        await sees(pilot, "0 of 1 with: zz")
        await pilot.press("escape")
        await sees(pilot, "Spark Core")


async def test_a_wrong_word_is_said_until_the_next_key_in_the_field(tmp_path):
    """Then the key line says again how to come to the keys."""
    async with shown(tmp_path) as (pilot, _, _):
        await to_consent(pilot)
        await may_type(pilot)
        await pilot.press("x", "enter")
        await sees(pilot, "That is not what has to be typed")
        await pilot.press("y")
        await sees(pilot, "Enter sends   Esc to the keys")


async def test_the_question_is_back_when_a_note_is_dropped(tmp_path):
    """And the keys are still the person's."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        await pilot.press("escape")
        await burst(pilot, "nwarm")
        await pilot.press("escape", "escape")
        await sees(pilot, "device_id >")
        await sees(pilot, DROPPED)
        await pilot.press("b")
        await sees(pilot, "The bell is off")

        assert asked(feed) == ["run"]


async def test_lines_that_are_not_in_hand_are_reached_by_tab(tmp_path):
    """The hint says so, and the practice bench's keys name it."""
    async with shown(tmp_path) as (pilot, _, _):
        await sees(pilot, "more lines: Tab, then space or arrow down")
        await sees(pilot, "d dead  Tab pane")
        await pilot.press("tab")
        await sees(pilot, "more lines: space or arrow down")
        assert max(map(len, seen(pilot.app).splitlines())) <= 80
        assert len(seen(pilot.app).splitlines()[-1]) < 80
