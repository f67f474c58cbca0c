"""Lines of text that are drawn where they stand, whatever became of them while nobody saw them."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult

from screens.lines import Lines


class Untold(Lines):
    """One that hears of no size: Textual tells none that is as it was, if a scroll comes first."""

    is_untold = False

    def on_resize(self, event: events.Resize | None = None) -> None:
        if self.is_untold and event is not None:
            event.prevent_default()
        else:
            super().on_resize()


class Page(App[None]):
    """One line."""

    def compose(self) -> ComposeResult:
        yield Untold("label")

    def say(self, words: str) -> None:
        self.query_one(Untold).show(lambda _width, _height: (Text(words),))


async def test_what_is_said_while_a_line_is_hidden_stands_there_when_it_is_shown():
    """Of the same length, too: then nothing about its size has changed."""
    async with Page().run_test(size=(20, 4)) as pilot:
        app = pilot.app
        assert isinstance(app, Page)
        lines = app.query_one(Untold)
        app.say("known_good >")
        await pilot.pause()
        lines.is_untold, lines.display = True, False
        await pilot.pause()
        app.say("other_port >")
        lines.display = True
        await pilot.pause()

        assert lines.text == "other_port >"
