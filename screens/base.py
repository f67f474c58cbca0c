"""What every screen here has: a header, a page, a line to type on, keys, and the same few keys.

The rule: a screen shows a snapshot, sends an answer, starts a flow, or goes to another screen.
A key acts before the next one is looked at, so none is taken for what it was not typed for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen

from console.errors import ConsoleError
from screens.answer import Answer, Hand, Typed, text_of
from screens.lines import Draw, Lines, Style
from screens.snapshot import Snapshot
from screens.words import fit, line, paragraph, port_words, rule

if TYPE_CHECKING:
    from screens.app import Replug

T = TypeVar("T")

NOTE = "note"
LABEL = "label of port "
JOB = "job of port "

HARMLESS = ("escape", "ctrl+l", "ctrl+c")
"""Keys that act whatever is typed on."""
SCROLLING = ("up", "down", "pageup", "pagedown")
"""Keys that are no text, and act beside a field."""


@dataclass(frozen=True, eq=False)
class Press:
    """One press of a key: which wish the press directly before it has put up for it."""

    wish: object = None


class Page(Screen[None], inherit_bindings=False):
    """The base of every screen."""

    AUTO_FOCUS = ""
    MANUAL: ClassVar[tuple[str, ...]] = ("bench",)
    """The pages of the manual that ? opens here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("question_mark", "manual", "help"),
        Binding("d", "dead", "dead or not shown"),
        Binding("n", "note", "note"),
        Binding("b", "bell", "bell on or off"),
        Binding("q", "leave", "leave; runs go on"),
        Binding("ctrl+l", "redraw", "redraw"),
        Binding("ctrl+c", "explain", "what leaves and what stops", priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._words = ""
        self._there = asyncio.Event()
        self.press = Press()
        self._put_up: object = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield Lines("what")
            yield Lines("clock")
        yield Lines("page")
        yield Answer(self.given)
        yield Lines("foot")

    def on_mount(self) -> None:
        self._there.set()
        self.redraw()

    def on_screen_resume(self) -> None:
        self.redraw()

    # --- what a screen says of itself ------------------------------------------------------

    @property
    def console_app(self) -> Replug:
        return cast("Replug", self.app)

    @property
    def shot(self) -> Snapshot:
        return self.console_app.shot

    def place(self, port: str) -> str:
        """A port as it is called here."""
        return port_words(port, self.shot.label(port))

    def header(self, width: int) -> Text:
        """The left of the first line."""
        raise NotImplementedError  # every page has its own

    def clock(self, width: int) -> Text:
        """The right of the first line."""
        return Text("")

    def page(self) -> Draw:
        """What fills the page."""
        raise NotImplementedError  # every page has its own

    def keys(self) -> str:
        """The key line."""
        raise NotImplementedError  # every page has its own

    @property
    def run_in_hand(self) -> str:
        """The run that a note belongs to; "" for the day's journal."""
        return ""

    # --- drawing ----------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw the newest snapshot; costs what has changed."""
        if not self.is_mounted or not self.is_current:
            return
        self.query_one("#what", Lines).show(lambda width, _height: (self.header(width),))
        self.query_one("#clock", Lines).show(lambda width, _height: (self.clock(width),))
        self.query_one("#page", Lines).show(self.page())
        self.query_one("#foot", Lines).show(self._foot)

    def _foot(self, width: int, _height: int) -> tuple[Text, ...]:
        said = paragraph(self._words, width, style=Style.CARE)
        if len(said) > 1:
            return said[0], line((fit(said[1].plain, width).rstrip(), Style.CARE))
        keys = line(fit(f" {self.answer.key_line() or self.keys()}", width).rstrip())
        return (rule(width), *(said or [keys]))

    def say(self, words: str) -> None:
        """One sentence in place of the key line, until the next key."""
        self._words, self._put_up = words, None
        self.redraw()

    def say_press_again(self, words: str, wish: object) -> None:
        """Say what the next press of this key does; any other key or sentence takes it back."""
        self.say(words)
        self._put_up = wish

    def take_back(self) -> None:
        """The sentence that asks for a second press is not true any more."""
        if self._put_up is not None:
            self._words, self._put_up = "", None

    # --- what is typed ----------------------------------------------------------------------

    async def typed(self, event: Typed) -> None:
        """A key or a paste: a command, text, or thrown away. What was said of the last one goes."""
        await self._there.wait()
        had, before, self._words = self._words, self.answer.key_line(), ""
        self.press, self._put_up = Press(self._put_up), None
        key = event.key if isinstance(event, events.Key) else ""
        if self._is_command(key):
            await self._command(key, event)
        elif words := await self.answer.take(event):
            self.say(words)
        if had or before != self.answer.key_line():
            self.redraw()
        await self.answer.ready()

    def _is_command(self, key: str) -> bool:
        answer = self.answer
        if answer.hand is Hand.KEYS:
            answer.keys_used = True
            return True
        beside = key in SCROLLING and (answer.is_own or answer.hand is Hand.FIELD)
        return beside or key in HARMLESS

    async def _command(self, key: str, event: Typed) -> None:
        """What the key is bound to here; a field that it opens knows the key."""
        about, active = self.answer.about, self.active_bindings.get(key)
        if active is None:
            return
        await self.app.run_action(active.binding.action, active.node)
        if self.answer.is_own and self.answer.about != about:
            self.answer.opened_by = text_of(event)

    # --- sending ------------------------------------------------------------------------------

    def send(
        self,
        wish: Callable[[], T],
        then: Callable[[T], None],
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        """Do something slow away from the screen; what it objects to is said."""

        def object_to(error: ConsoleError) -> None:
            refused()
            self.say(f"{error.sentence} {error.advice}")

        def work() -> None:
            try:
                result = wish()
            except ConsoleError as error:
                self.app.call_from_thread(object_to, error)
            else:
                self.app.call_from_thread(then, result)

        self.run_worker(work, thread=True, exit_on_error=False)

    # --- keys that every screen has -------------------------------------------------------------

    @property
    def answer(self) -> Answer:
        return self.query_one(Answer)

    def action_back(self) -> None:
        """Out of the field first, then out of the screen."""
        answer = self.answer
        if answer.is_own:
            self._out_of_own_field()
        elif answer.hand is not Hand.KEYS:
            answer.keys_used = True
            answer.to_the_keys()
        else:
            self.leave_screen()
        self.redraw()

    def _out_of_own_field(self) -> None:
        """Bad lines make an Esc of an arrow key: the first one loses nothing."""
        answer = self.answer
        if answer.hand is Hand.FIELD and answer.words:
            answer.put_aside()
            return
        about, words = answer.about, answer.words
        self.close_note()
        self.dropped(about)
        if words:
            self.say("Dropped: nothing of it was sent.")

    def dropped(self, about: str) -> None:
        """A field of the person's own was left without an Enter."""

    def leave_screen(self) -> None:
        self.app.pop_screen()

    def close_note(self) -> None:
        self.answer.close()

    def action_manual(self) -> None:
        self.console_app.open_manual(self.MANUAL)

    def action_dead(self) -> None:
        self.console_app.open_dead()

    def action_note(self) -> None:
        self.answer.open(NOTE, f"note{f', run {self.run_in_hand}' if self.run_in_hand else ''}")

    def given(self, about: str, words: str) -> None:
        """Enter was pressed in the field."""
        if about == NOTE:
            self._take_note(words.strip())
        else:
            self.take_answer(about, words)
        self.redraw()

    def take_answer(self, about: str, words: str) -> None:
        """An answer to what this screen asked."""

    def _take_note(self, words: str) -> None:
        self.close_note()
        if not words:
            self.say("No note was written.")
            return
        feed, run = self.console_app.feed, self.run_in_hand
        self.send(
            lambda: feed.ask("note", run=run, text=words, by=feed.by),
            lambda _: self.say("The note is in the record."),
        )

    def export(self, run: str) -> None:
        """Write the run's report in every format, and say where."""
        from console import report  # late: not for the first picture

        state = self.console_app.feed.state
        self.send(lambda: report.export_files(state, run), self.say_exported)

    def say_exported(self, files: Sequence[Path]) -> None:
        """Where the files are: their folder is long enough to be named once."""
        names = ", ".join(file.name for file in files)
        self.say(f"Exported: {names} in {files[0].parent}")

    def action_bell(self) -> None:
        app = self.console_app
        app.bell_is_on = not app.bell_is_on
        self.say("The bell is on." if app.bell_is_on else "The bell is off. b: on again")

    def action_leave(self) -> None:
        self.app.exit()

    def action_redraw(self) -> None:
        self.app.refresh(repaint=True, layout=True)
        self.refresh(repaint=True, layout=True)

    def action_explain(self) -> None:
        self.say("A run goes on without this screen; S stops it, q leaves (Esc first if you type).")
