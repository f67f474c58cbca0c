"""The bench screen: what is plugged in, whose turn it is, what happened.

The rule: plugging in changes this page and nothing else; only keys act.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Input

from console.errors import NoSuchFlow
from console.views import Row, RunView
from screens import bench_page
from screens.base import JOB, LABEL, Page, Press
from screens.bench_page import BenchLook
from screens.flows import FlowsPage
from screens.job import JobPage, job_words
from screens.lines import Draw
from screens.practice import PRACTICE_KEYS, PracticeHands
from screens.run import RunPage
from screens.words import with_tab

if TYPE_CHECKING:
    from console.run import Request

FIND = "find"
PANES = ("table", "detail", "lately")


class BenchPage(PracticeHands, Page):
    """The first screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"choose({number})", "choose a port") for number in range(1, 10)),
        Binding("down", "move(1)", "down"),
        Binding("up", "move(-1)", "up"),
        Binding("space,pagedown", "move(1)", "down"),
        Binding("minus,pageup", "move(-1)", "up"),
        Binding("tab", "pane", "next pane"),
        Binding("enter", "open", "open"),
        Binding("f", "flows", "flows"),
        Binding("e", "export", "export the last run of this port"),
        Binding("slash", "find", "find: show only rows with these letters"),
        Binding("l", "label", "label the port"),
        Binding("full_stop", "again", "the same again on the port in hand"),
        Binding("j", "job", "the job of what sits here"),
        Binding("m", "mark", "mark hands off, or clear that"),
        Binding("p", "practice", "practice hardware"),
        *PRACTICE_KEYS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._look = BenchLook()

    # --- what is shown ------------------------------------------------------------------------

    @property
    def look(self) -> BenchLook:
        """The look, with a port chosen whenever there is one."""
        rows = bench_page.shown_rows(self.shot, self._look)
        if rows and all(row.port != self._look.port for row in rows):
            first = next((row for row in rows if row.here), rows[0])
            self._look = replace(self._look, port=first.port)
        elif not rows and self._look.port:
            self._look = replace(self._look, port="")  # no key acts on what is not shown
        return self._look

    def header(self, width: int) -> Text:
        return bench_page.header(self.shot, width)

    def clock(self, width: int) -> Text:
        return bench_page.clock(self.shot, width)

    def page(self) -> Draw:
        shot, look = self.shot, self.look

        def draw(width: int, height: int) -> list[Text]:
            lines = bench_page.bench_lines(shot, look, width, height)
            return lines if look.pane == "detail" else with_tab(lines)

        return draw

    def keys(self) -> str:
        if self.shot.practice:
            return "Enter open  f flows  d dead  Tab pane  x plug y press  n note  ? help  q leave"
        return "Enter open  f flows  d dead/not shown  n note  e export  / find  ? help  q leave"

    # --- keys ---------------------------------------------------------------------------------

    def leave_screen(self) -> None:
        """Esc on the first screen leads back to the whole table, never out."""
        self._look = replace(self._look, pane="table", offset=0, find="")

    @property
    def port_in_hand(self) -> str:
        return self.look.port

    def _row(self) -> Row | None:
        port = self.look.port
        return next((row for row in self.shot.rows if row.port == port), None)

    def action_choose(self, number: int) -> None:
        rows = self.shot.rows
        if number <= len(rows) and rows[number - 1] in bench_page.shown_rows(self.shot, self._look):
            self._look = replace(self._look, port=rows[number - 1].port, offset=0)
        self.redraw()

    def action_move(self, count: int) -> None:
        if self.look.pane == "table":
            self._move_choice(count)
        else:
            self._look = replace(self._look, offset=max(0, self._look.offset + count))
        self.redraw()

    def _move_choice(self, count: int) -> None:
        ports = [row.port for row in bench_page.shown_rows(self.shot, self._look)]
        if ports:
            at = max(0, min(len(ports) - 1, ports.index(self.look.port) + count))
            self._look = replace(self._look, port=ports[at])

    def action_pane(self) -> None:
        pane = PANES[(PANES.index(self._look.pane) + 1) % len(PANES)]
        self._look = replace(self._look, pane=pane, offset=0)
        self.redraw()

    def action_open(self) -> None:
        """The run of the port, or its flows."""
        row = self._row()
        if row is not None and row.run:
            self.app.push_screen(RunPage(row.run))
        else:
            self.action_flows()

    def action_flows(self) -> None:
        row = self._row()
        if row is None:
            self.say("Nothing is plugged in, so there is nothing to do with it yet.")
        else:
            self.app.push_screen(FlowsPage(row.port))

    def action_dead(self) -> None:
        """For the port in hand, unless something is shown there."""
        row = self._row()
        self.console_app.open_dead("" if row is None or row.here else row.port)

    def action_export(self) -> None:
        """The last run of the port in hand, whoever made it and when."""
        from console.history import last_on  # late: not for the first picture

        port, state = self.look.port, self.console_app.feed.state
        self.send(lambda: last_on(state, port), self._export_run)

    def _export_run(self, view: RunView | None) -> None:
        if view is None:
            self.say("No run was made on this port yet. A whole job: j, Enter, then e.")
        else:
            self.export(view.run)

    def action_find(self) -> None:
        """A field; with each letter fewer rows are shown. Enter keeps them, Esc shows all."""
        self.answer.open(FIND, FIND)

    def on_input_changed(self, event: Input.Changed) -> None:
        if self.answer.about == FIND and event.input is self.answer.field:
            self._look = replace(self._look, find=event.value.strip(), pane="table", offset=0)
            self.redraw()

    def dropped(self, about: str) -> None:
        if about == FIND:
            self.leave_screen()

    def action_label(self) -> None:
        """A field for the name of the port in hand; an empty name takes it away."""
        port = self.look.port
        if port:
            self.answer.open(f"{LABEL}{port}", f"label of port {port}")
        else:
            self.say("Plug something in first, then name its port.")

    def action_job(self) -> None:
        """A field for the job of what sits in the port in hand."""
        port = self.look.port
        device = self.shot.device(port)
        if device is None:
            self.say("Nothing sits in this port. Its job follows the device, not the port.")
            return
        now = f" (Enter: show {device.job}; -: none)" if device.job else ""
        self.answer.open(f"{JOB}{port}", f"job of port {port}{now}")

    def take_answer(self, about: str, words: str) -> None:
        self.answer.close()
        if about == FIND:
            self._look = replace(self._look, find=words.strip())
        elif about.startswith(JOB):
            self._take_job(about.removeprefix(JOB), words.strip())
        else:
            self._take_label(about.removeprefix(LABEL), words.strip())

    def _take_label(self, port: str, label: str) -> None:
        feed = self.console_app.feed
        said = f"Port {port} is called {label} now." if label else f"Port {port} has no label now."
        self.send(
            lambda: feed.ask("label", port=port, label=label, by=feed.by),
            lambda _: self.say(said),
        )

    def _take_job(self, port: str, words: str) -> None:
        device = self.shot.device(port)
        if words:
            self._assign(port, "" if words == "-" else words)
        elif device is not None and device.job:
            self._show_job(device.job)
        else:
            self.say("No job was named.")

    def _assign(self, port: str, job: str) -> None:
        feed, place = self.console_app.feed, self.place(port)
        said = f"{place} belongs to job {job} now. j, then Enter shows it and its inbox."
        self.send(
            lambda: feed.ask("assign", port=port, job=job, by=feed.by),
            lambda _: self.say(said if job else f"{place} belongs to no job now."),
        )

    def _show_job(self, job: str) -> None:
        feed, host = self.console_app.feed, self.shot.host
        self.send(lambda: job_words(feed, job, host), lambda words: self._show_job_page(job, words))

    def _show_job_page(self, job: str, words: str) -> None:
        self.app.push_screen(JobPage(job, words))

    def action_mark(self) -> None:
        """Hands off what sits in the port in hand, or not any more."""
        port, feed = self.look.port, self.console_app.feed
        device = self.shot.device(port)
        if device is None:
            self.say("Nothing sits in this port.")
            return
        wanted = not device.mark
        said = "Hands off: it has no flows. m clears it." if wanted else "It may be repaired again."
        self.send(
            lambda: feed.ask("mark", port=port, hands_off=wanted, by=feed.by),
            lambda _: self.say(said),
        )

    def action_again(self) -> None:
        """Say what would be done again, and where; a second press directly after starts it."""
        from console.history import last_ended  # late: not for the first picture

        state, press = self.console_app.feed.state, self.press
        self.send(lambda: last_ended(state), lambda view: self._again(view, press))

    def _again(self, view: RunView | None, press: Press) -> None:
        from console.again import same_again, still_asked  # late: not for the first picture

        if press is not self.press:
            return  # the person has gone on
        port, card = self.look.port, self.shot.cards.get(self.look.port)
        device = self.shot.device(port)
        if view is None:
            self.say("Nothing to do again: no run has ended on this bench yet.")
            return
        if card is None or device is None or not device.here:
            self.say("Nothing sits in this port that could be done again.")
            return
        try:
            wish = same_again(view, card, self.console_app.feed.by, device.job)
            asked = ", ".join(still_asked(view, card)) or "nothing"
        except NoSuchFlow as error:
            self.say(f"{error.sentence} It was the last run here.")
            return
        if press.wish == wish:
            self._start(wish)
            return
        where = f"{self.place(port)}{f', job {wish.job}' if wish.job else ''}"
        words = f"{view.title} again on {where}? It asks {asked}. Press . again."
        self.say_press_again(words, wish)

    def _start(self, wish: Request) -> None:
        feed = self.console_app.feed
        self.send(lambda: feed.start_run(wish), self._show_run)

    def _show_run(self, run: str) -> None:
        self.app.push_screen(RunPage(run))

    # --- practice -----------------------------------------------------------------------------

    def action_practice(self) -> None:
        if self.shot.practice:
            self.say("This is the practice bench already. q leaves it.")
        elif self.shot.bench.here:
            self.say(f"There is real hardware here. Leave with q, then: {bench_page.PRACTICE_HINT}")
        else:
            self.console_app.go_practise(bench_page.PRACTICE_HINT.split()[-1])
