"""The program on the terminal. It declares, and does nothing: screens draw, the feed brings.

The rule: an idle screen sends nothing, so no animation, no clock, no blinking cursor, no mouse.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.message import Message

from console.manual import page
from console.state import State, state_directory
from screens.base import Page
from screens.bench import BenchPage
from screens.bench_page import welcome_back
from screens.flows import DeadPage
from screens.follower import Follower
from screens.snapshot import Feed, Snapshot
from screens.text import TextPage


class Arrived(Message):
    """A newer picture; of several that wait, only the newest counts."""

    def __init__(self, shot: Snapshot) -> None:
        super().__init__()
        self.shot = shot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Arrived)


class Replug(App[str], inherit_bindings=False):
    """Exits with the name of a practice scenario to go on with, or with None."""

    CSS_PATH = "replug.tcss"
    ENABLE_COMMAND_PALETTE = False
    ESCAPE_TO_MINIMIZE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, feed: Feed) -> None:
        super().__init__(ansi_color=True)
        self.feed = feed
        self.shot = Snapshot(host="", practice=feed.state.practice)
        self.bell_is_on = True
        self.animation_level = "none"

    def on_mount(self) -> None:
        self.theme = "ansi-dark"
        self.push_screen(BenchPage())
        self.feed.begin(lambda shot: self.post_message(Arrived(shot)))

    async def on_event(self, event: events.Event) -> None:
        """What is typed goes to the page in hand, whole and in its order.

        Textual sends a key round by its widgets' queues before it looks what it is bound to;
        meanwhile the keys behind it meet bindings that are not theirs.
        """
        if isinstance(event, events.Key | events.Paste) and isinstance(self.screen, Page):
            self.app_focus = True
            await self.screen.typed(event)
        else:
            await super().on_event(event)

    def on_arrived(self, message: Arrived) -> None:
        before, self.shot = self.shot, message.shot
        if self.bell_is_on and turns(message.shot) - turns(before) and before.host:
            self.bell()
        if isinstance(self.screen, Page):
            self.screen.redraw()
            if not before.host:
                self.screen.say(welcome_back(message.shot))

    def open_manual(self, pages: tuple[str, ...]) -> None:
        """Show pages of the manual, one after the other."""
        words = "\n\n".join(text for text in map(page, pages) if text)
        self.push_screen(TextPage("Help", words))

    def open_dead(self, port: str = "") -> None:
        """What to do with a device that is not shown in that port ("" for any)."""
        self.push_screen(DeadPage(port, "Dead, or not shown", page("dead")))

    def back_to_bench(self) -> None:
        while not isinstance(self.screen, BenchPage):
            self.pop_screen()

    def go_practise(self, scenario: str) -> None:
        self.exit(scenario)


def turns(shot: Snapshot) -> frozenset[tuple[str, str]]:
    """Every turn that is the technician's now, verdicts to read included."""
    return frozenset((run.run, run.turn) for run in shot.runs.values() if run.turn)


def run(state: State) -> int:
    """Show the bench of this state directory until it is left. Raises BenchError."""
    here: State | None = state
    while here is not None:
        feed = Follower(here)
        try:
            app = Replug(feed)
            scenario = app.run(mouse=False)
        finally:
            feed.end()
        here = state_directory(str(state.root), scenario) if scenario else None
    return app.return_code or 0
