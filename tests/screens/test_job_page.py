"""The page of a job: what is said there belongs to the job."""

from __future__ import annotations

from console.jobs import known_job
from tests.screens.showing import seen, sees, types
from tests.screens.test_app import shown


async def to_job(pilot, feed):
    """The page of job WO-22408, to which the Core belongs."""
    feed.ask("assign", port="1-1", job="WO-22408", by="test")
    await sees(pilot, "WO-22408")
    await pilot.press("j")
    await types(pilot, "")
    await sees(pilot, "e export the whole job")


async def test_a_note_on_the_page_of_a_job_is_in_the_record_of_the_job(tmp_path):
    """And on the page at once; the day's journal has none of it."""
    async with shown(tmp_path) as (pilot, feed, bench):
        await to_job(pilot, feed)
        await pilot.press("n")
        await types(pilot, "customer rings at 14:15")
        await sees(pilot, "The note is in the record of job WO-22408.")

        said, _ = known_job(bench.state, "WO-22408")
        assert ["test: customer rings at 14:15"] == [text for _, text in said.notes]
        assert "customer rings at 14:15" in seen(pilot.app)
        assert "note" not in [do for do, _ in feed.asked]


async def test_an_empty_note_is_none(tmp_path):
    """And says so."""
    async with shown(tmp_path) as (pilot, feed, _):
        await to_job(pilot, feed)
        await pilot.press("n")
        await types(pilot, "  ")
        await sees(pilot, "No note was written.")

        assert "note_job" not in [do for do, _ in feed.asked]
