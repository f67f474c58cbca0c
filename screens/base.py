"""What every screen here has: a header, a page, a line to type on, keys, and the same few keys.

The rule: a screen shows a snapshot, sends an answer, starts a flow, or goes to another screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen

from console import report
from console.errors import ConsoleError
from screens.answer import Answer
from screens.lines import Draw, Lines, Style
from screens.snapshot import Snapshot
from screens.words import fit, line, paragraph, port_words, rule

if TYPE_CHECKING:
    from screens.app import Replug

T = TypeVar("T")

NOTE = "note"
LABEL = "label of port "
JOB = "job of port "


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

    def compose(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield Lines("what")
            yield Lines("clock")
        yield Lines("page")
        yield Answer()
        yield Lines("foot")

    def on_mount(self) -> None:
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
        keys = line(fit(f" {self.keys()}", width).rstrip())
        return (rule(width), *(said or [keys]))

    def say(self, words: str) -> None:
        """One sentence in place of the key line, until the next key."""
        self._words = words
        self.redraw()

    def on_descendant_focus(self) -> None:
        self.redraw()

    def on_descendant_blur(self) -> None:
        self.redraw()

    def on_key(self) -> None:
        if self._words:
            self.say("")

    # --- sending ------------------------------------------------------------------------------

    def send(self, wish: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do something slow away from the screen; what it objects to is said."""

        def work() -> None:
            try:
                result = wish()
            except ConsoleError as error:
                self.app.call_from_thread(self.say, f"{error.sentence} {error.advice}")
            else:
                self.app.call_from_thread(then, result)

        self.run_worker(work, thread=True, exit_on_error=False)

    # --- keys that every screen has -------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return True

    @property
    def answer(self) -> Answer:
        return self.query_one(Answer)

    def action_back(self) -> None:
        """Out of the field first, then out of the screen."""
        if self.answer.about.startswith((NOTE, LABEL, JOB)):
            self.close_note()
        elif self.focused is not None:
            self.set_focus(None)
        else:
            self.leave_screen()
        self.redraw()

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

    def on_answer_given(self, event: Answer.Given) -> None:
        if event.about == NOTE:
            self._take_note(event.words.strip())
        else:
            self.take_answer(event.about, event.words)
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
