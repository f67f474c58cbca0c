"""Keys that act at their second press: only directly after the first, and for the same wish."""

from screens.bench import BenchPage
from screens.run import STOPS
from tests.screens.showing import burst, seen, sees, types, until
from tests.screens.test_app import shown, start_rekey

AGAIN = "Press . again."


async def checked(pilot):
    """A run that can be done again, and back on the bench."""
    await pilot.press("f", "1", "s")
    await sees(pilot, "N O")
    await pilot.press("escape")


def runs(feed):
    """How many runs were asked for."""
    return [do for do, _ in feed.asked].count("run")


async def test_any_key_between_takes_the_same_again_back(tmp_path):
    """What it said is gone by then."""
    async with shown(tmp_path, "core-healthy") as (pilot, feed, _):
        await checked(pilot)
        for between in (["down"], ["n", "escape"], ["question_mark", "escape"], ["tab"], ["z"]):
            await pilot.press("full_stop")
            await sees(pilot, AGAIN)
            await pilot.press(*between)
            await pilot.pause()
            assert AGAIN not in seen(pilot.app)
            assert isinstance(pilot.app.screen, BenchPage)
            await pilot.press("full_stop")
            await sees(pilot, AGAIN)
            assert runs(feed) == 1
            await pilot.press("escape")
        await pilot.press("full_stop")
        await sees(pilot, AGAIN)
        await pilot.press("full_stop")
        await until(pilot, lambda: runs(feed) == 2)


async def test_a_job_that_has_changed_between_is_said_first(tmp_path):
    """What starts is what the sentence said."""
    async with shown(tmp_path, "core-healthy") as (pilot, feed, _):
        await checked(pilot)
        await pilot.press("full_stop")
        await sees(pilot, "again on port 1-1? It asks nothing.")
        feed.ask("assign", port="1-1", job="2243", by="somebody")
        await sees(pilot, "2243")
        await pilot.press("full_stop")
        await sees(pilot, "again on port 1-1, job 2243? It asks nothing.")
        assert runs(feed) == 1
        await pilot.press("full_stop")
        await until(pilot, lambda: runs(feed) == 2)

        assert [fields["job"] for do, fields in feed.asked if do == "run"] == ["", "2243"]


async def test_two_presses_before_the_sentence_start_nothing(tmp_path):
    """Nobody has read it yet."""
    async with shown(tmp_path, "core-healthy") as (pilot, feed, _):
        await checked(pilot)
        await burst(pilot, "..")
        await sees(pilot, AGAIN)

        assert runs(feed) == 1


async def test_a_stop_that_was_only_said_is_taken_back_by_any_key(tmp_path):
    """A note, the trace, the bell, the manual: each is another thought."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        words = STOPS[True][:50]
        await pilot.press("escape")
        for between in (["t", "escape"], ["b", "b"], ["question_mark", "escape"]):
            await pilot.press("S")
            await sees(pilot, words)
            await pilot.press(*between)
            await pilot.press("S")
            await sees(pilot, words)
            await pilot.press("z")
        await pilot.press("S", "n")
        await types(pilot, "a note")
        await pilot.press("S")
        await until(pilot, lambda: "a note" in seen(pilot.app))
        assert "stop_run" not in [do for do, _ in feed.asked]
        await pilot.press("z", "S", "S")
        await sees(pilot, "U N F I N I S H E D")
