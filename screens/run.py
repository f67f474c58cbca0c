"""The run screen: where the repair is, what a pull would cost, and whose turn it is.

The rule: only what is typed in full consents; Enter, Esc and early keys never do.
"""

from __future__ import annotations

import time
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.timer import Timer

from console.views import QuestionView, RunView
from screens import run_page, verdict_page
from screens.answer import HELD, Hand, answer_to
from screens.base import Page
from screens.lines import Draw
from screens.practice import PRACTICE_KEYS, PracticeHands
from screens.run_page import RunLook
from screens.text import TextPage

STOP = "stop"
STOPS = {
    True: "S again: it stops before its next step, and nothing more is sent to the device.",
    False: 'Not in this step: half done is worse. S again: it stops before "{stop_at}".',
}


class RunPage(PracticeHands, Page):
    """One run, until its verdict is read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "to the answer; after the end: back"),
        Binding("tab", "enter", "to the answer"),
        Binding("S", "stop", "stop at the next safe point"),
        Binding("t", "trace", "trace"),
        Binding("e", "export", "export"),
        Binding("c", "ticket", "the ticket: 40 lines to copy"),
        *PRACTICE_KEYS,
        Binding("space,pagedown", "scroll_by(16)", "on"),
        Binding("minus,pageup", "scroll_by(-16)", "back up"),
        Binding("down", "scroll_by(1)", "down"),
        Binding("up", "scroll_by(-1)", "up"),
    ]

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id
        self._offset = 0
        self._tick: Timer | None = None

    # --- what is shown ------------------------------------------------------------------------

    @property
    def view(self) -> RunView:
        return self.shot.runs.get(self._run_id, RunView(run=self._run_id))

    @property
    def run_in_hand(self) -> str:
        return self._run_id

    @property
    def port_in_hand(self) -> str:
        return self.view.port

    def header(self, width: int) -> Text:
        return run_page.header(self.view, self.place(self.view.port), width)

    def clock(self, width: int) -> Text:
        return run_page.clock(self.view, width)

    def page(self) -> Draw:
        view, offset = self.view, self._offset
        if view.ended is not None:
            return lambda width, height: verdict_page.verdict_lines(view, offset, width, height)
        shot = self.shot
        look = RunLook(shot.progress.get(view.run), time.monotonic(), shot.away, shot.troubles)
        return lambda width, height: run_page.run_lines(view, look, width, height)

    def keys(self) -> str:
        if self.view.ended is not None:
            return "e export   c ticket   t trace   space on   Esc to the bench   ? help   q leave"
        if self.answer.hand is Hand.FIELD:
            return "Enter sends   Esc to the keys: S stop  q leave, it waits  n note  ? why"
        if self.view.question is not None:
            return "Enter to the answer   S stop   n note   t trace   Esc bench   ? why   q leave"
        if self.view.practice:
            return "S stop  x plug/pull  y buttons  n note  t trace  Esc bench  ? help  q leave"
        return "S stop   n note   t trace   b bell   Esc bench   ? help   q leave, it goes on"

    def redraw(self) -> None:
        if not self.is_mounted:
            return
        self._settle_question()
        self._settle_tick()
        if self.view.ended is not None:
            self.take_back()
        super().redraw()

    # --- the question ---------------------------------------------------------------------------

    def _settle_question(self) -> None:
        """The field stands for the open question; a new question gets a new one."""
        question, answer = self.view.question, self.answer
        if answer.is_own:
            return
        if question is None:
            if answer.is_open or answer.hand is not Hand.KEYS:
                answer.nothing_asked(ended=self.view.ended is not None)
        elif answer.about != _about(question):
            self._ask(question)

    def _ask(self, question: QuestionView) -> None:
        self._words = self.answer.ask(
            _about(question),
            question.id,
            secret=question.kind == "secret",
            hint=question.hint,
            twice=question.twice,
        )

    def close_note(self) -> None:
        super().close_note()
        self._settle_question()

    def take_answer(self, about: str, words: str) -> None:
        question = self.view.question
        if question is None or about != _about(question):
            return
        sent, said = answer_to(question, words)
        if sent is not None:
            self.answer.hold()
            self.say(f"{said} {HELD}" if said else "")
            self._send_answer(question, sent)
            return
        self.say(said)
        if question.kind in ("confirm", "typed", "secret"):
            # What was wrong in it is not mended but typed anew, and a secret stays nowhere.
            self.answer.again()

    def _send_answer(self, question: QuestionView, words: str) -> None:
        feed, run = self.console_app.feed, self._run_id
        self.send(
            lambda: feed.ask("answer", run=run, question=question.id, answer=words, by=feed.by),
            lambda _: None,
            lambda: self._not_sent(question),
        )

    def _not_sent(self, question: QuestionView) -> None:
        """The bench refused it: what is still asked has a field again."""
        if self.view.question == question:
            self._ask(question)

    # --- the one tick -----------------------------------------------------------------------------

    def _settle_tick(self) -> None:
        """One small tick a second while a time passes that matters; otherwise none."""
        wanted = run_page.counts(self.view) and self.is_current
        if wanted and self._tick is None:
            self._tick = self.set_interval(1.0, self.redraw)
        elif not wanted and self._tick is not None:
            self._tick.stop()
            self._tick = None

    def on_screen_suspend(self) -> None:
        if self._tick is not None:
            self._tick.stop()
            self._tick = None

    # --- keys ---------------------------------------------------------------------------------

    def action_enter(self) -> None:
        if self.view.ended is not None:
            self.leave_screen()
        elif self.answer.field is not None:
            self.answer.take_up()
        self.redraw()

    def action_stop(self) -> None:
        """Say where it can stop; a second S directly after asks for it."""
        view = self.view
        if view.ended is not None:
            self.say("This run has ended.")
        elif self.press.wish == STOP:
            self._ask_to_stop()
        else:
            self.say_press_again(STOPS[view.may_stop_now].format(stop_at=view.stop_at), STOP)

    def _ask_to_stop(self) -> None:
        feed, run = self.console_app.feed, self._run_id
        self.send(
            lambda: feed.ask("stop_run", run=run, by=feed.by),
            lambda where: self.say(f"It stops before: {where}" if where else "It stops now."),
        )

    def action_trace(self) -> None:
        path = self.console_app.feed.state.trace(self._run_id)
        try:
            words = path.read_text(errors="replace")
        except OSError:
            words = "Nothing was sent to the device yet."
        self.app.push_screen(TextPage(f"Trace of run {self._run_id}", words, from_the_end=True))

    def action_ticket(self) -> None:
        """The lines of `replug ticket`, to be marked and copied."""
        from console.chapter import read_whole  # late: not for the first picture
        from console.ticket import ticket

        state, run = self.console_app.feed.state, self._run_id
        self.send(
            lambda: ticket(read_whole(state, run)[1].records),
            self._show_ticket,
        )

    def _show_ticket(self, words: str) -> None:
        heading = f"Ticket of run {self._run_id}: replug ticket {self._run_id}"
        self.app.push_screen(TextPage(heading, words))

    def action_export(self) -> None:
        self.export(self._run_id)

    def action_manual(self) -> None:
        family = self.view.flow.partition(".")[0]
        self.console_app.open_manual(("run", family))

    def action_scroll_by(self, count: int) -> None:
        self._offset = max(0, self._offset + count)
        self.redraw()


def _about(question: QuestionView) -> str:
    return f"{question.id} {question.number}"
