"""A new secret is typed twice: what nobody sees may be mistyped, and then nobody knows it."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from console.views import QuestionView
from screens.answer import EARLY, NOT_THE_SAME
from tests.screens.showing import burst, seen, sees, types, until
from tests.screens.test_app import shown, start_rekey

ONCE_MORE = "new_pin, once more >"


@dataclass(frozen=True)
class Twice(QuestionView):
    """A question whose answer has to be typed twice."""

    twice: bool = True


@asynccontextmanager
async def asked_twice(tmp_path, monkeypatch):
    """A run that asks for a new PIN, and the answers that leave the screen."""
    async with shown(tmp_path) as (pilot, feed, _):
        await start_rekey(pilot)
        sent = []
        ask = feed.ask

        def heard(do, **fields):
            return sent.append(fields["answer"]) if do == "answer" else ask(do, **fields)

        monkeypatch.setattr(feed, "ask", heard)
        question = Twice("new_pin", "secret", "The new PIN?", False, "", (), 99)
        shot = feed.snapshot()
        asking = replace(shot, runs={"1": replace(shot.runs["1"], question=question)})
        monkeypatch.setattr(feed, "snapshot", lambda: asking)
        feed._show(asking)
        await sees(pilot, "new_pin >")
        yield pilot, sent


async def test_what_is_typed_twice_alike_is_sent_once(tmp_path, monkeypatch):
    """The second time in a fresh field."""
    async with asked_twice(tmp_path, monkeypatch) as (pilot, sent):
        await types(pilot, "mountain77")
        await sees(pilot, ONCE_MORE)
        await sees(pilot, "0 typed")
        assert sent == []
        await types(pilot, "mountain77")
        await until(pilot, lambda: sent == ["mountain77"])

        assert pilot.app.screen.answer._first is None
        assert "mountain" not in seen(pilot.app)


async def test_two_that_differ_are_typed_anew_from_the_first(tmp_path, monkeypatch):
    """Also where the second one is empty."""
    async with asked_twice(tmp_path, monkeypatch) as (pilot, sent):
        for second in ("mountain78", ""):
            await types(pilot, "mountain77")
            await sees(pilot, ONCE_MORE)
            await types(pilot, second)
            await sees(pilot, NOT_THE_SAME)
            assert ONCE_MORE not in seen(pilot.app)
        await types(pilot, "")
        await sees(pilot, "That is empty: not sent.")
        assert sent == []
        await types(pilot, "x1")
        await sees(pilot, ONCE_MORE)
        await types(pilot, "x1")
        await until(pilot, lambda: sent == ["x1"])


async def test_the_second_time_too_what_was_typed_before_does_not_count(tmp_path, monkeypatch):
    """A paste of two lines is no second typing."""
    async with asked_twice(tmp_path, monkeypatch) as (pilot, sent):
        await until(pilot, lambda: pilot.app.screen.answer.field.was_seen)
        await burst(pilot, "x1\rx1\r")
        await sees(pilot, EARLY)
        await sees(pilot, ONCE_MORE)
        assert sent == []
        await types(pilot, "x1")
        await until(pilot, lambda: sent == ["x1"])


async def test_escape_between_the_two_keeps_nothing_on_the_screen(tmp_path, monkeypatch):
    """Enter comes back to where it was."""
    async with asked_twice(tmp_path, monkeypatch) as (pilot, sent):
        await types(pilot, "mountain77")
        await sees(pilot, ONCE_MORE)
        await pilot.press("escape", "enter")
        await types(pilot, "mountain77")
        await until(pilot, lambda: sent == ["mountain77"])
