"""The flows of a device, then one flow: everything worth knowing before it starts.

The rule: opening a flow starts nothing; `s` starts it, and starting is no consent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from console.offers import DeviceCard, FlowCard
from screens import flow_page
from screens.base import Page
from screens.lines import Draw, Style
from screens.run import RunPage
from screens.snapshot import NOT_SHOWN
from screens.text import TextPage
from screens.words import clamp, line, rule, window


class FlowsPage(Page):
    """The list."""

    MANUAL = ("flows",)
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"open({number})", "open the flow") for number in range(1, 10)),
        Binding("down,space", "move(1)", "down"),
        Binding("up,minus", "move(-1)", "up"),
        Binding("enter", "open(0)", "open the flow"),
    ]

    def __init__(self, port: str) -> None:
        super().__init__()
        self._port = port
        self._chosen = 0

    @property
    def card(self) -> DeviceCard | None:
        """What is offered here; the ladders of what is not shown stand on the page before."""
        card = self.shot.cards.get(self._port)
        return card and replace(card, flows=tuple(f for f in card.flows if not f.ladder))

    def header(self, width: int) -> Text:
        return line(f" {self.place(self._port)}  ", ("WHAT CAN BE DONE", Style.STRONG))

    def page(self) -> Draw:
        card, chosen = self.card, self._chosen
        if card is None:
            return lambda width, _: [rule(width), line(" This device is not here any more.")]
        return lambda width, height: flow_page.flow_list(card, chosen, width, height)

    def keys(self) -> str:
        return "1-9, or arrows and Enter: read it first   Esc back   ? help   q leave"

    def action_move(self, count: int) -> None:
        flows = self.card.flows if self.card else ()
        self._chosen = clamp(self._chosen + count, len(flows), 1)
        self.redraw()

    def action_open(self, number: int) -> None:
        at = number - 1 if number else self._chosen
        card = self.card
        if card is not None and at < len(card.flows):
            self.app.push_screen(FlowPage(self._port, card.flows[at], card.name))


class FlowPage(Page):
    """One flow before it starts."""

    MANUAL = ("flows",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "start"),
        Binding("j", "job", "job number"),
        Binding("space,pagedown", "scroll_by(16)", "on"),
        Binding("minus,pageup", "scroll_by(-16)", "back up"),
        Binding("down", "scroll_by(1)", "down"),
        Binding("up", "scroll_by(-1)", "up"),
    ]

    def __init__(self, port: str, flow: FlowCard, device: str, *, not_shown: bool = False) -> None:
        super().__init__()
        self._port = port
        self._flow = flow
        self._device = device
        self._not_shown = not_shown or port == NOT_SHOWN
        self._job = ""
        self._offset = 0
        self._started = False

    def header(self, width: int) -> Text:
        job = f"  job {self._job}" if self._job else ""
        heading = self._flow.title.upper()
        return line(f" {self.place(self._port)}  ", (heading, Style.STRONG), f"{job}")

    def page(self) -> Draw:
        return self._draw

    def _draw(self, width: int, height: int) -> list[Text]:
        lines = flow_page.flow_lines(self._flow, self._device, width)
        self._offset = clamp(self._offset, len(lines), height - 1)
        return [rule(width), *window(lines, height - 1, self._offset)]

    def keys(self) -> str:
        return "s start   j job number   Esc back, nothing is sent   ? help   q leave"

    def action_scroll_by(self, count: int) -> None:
        self._offset = max(0, self._offset + count)
        self.redraw()

    def action_job(self) -> None:
        self.answer.open("job", "job number")

    def take_answer(self, about: str, words: str) -> None:
        self._job = words.strip()
        self.answer.close()

    def action_start(self) -> None:
        if self._started:
            return
        from console.run import Request  # late: not for the first picture

        self._started = True
        feed = self.console_app.feed
        request = Request(
            self._flow.id,
            self._port,
            not_shown=self._not_shown,
            attended=True,
            job=self._job,
            by=feed.by,
        )
        self.send(lambda: feed.start_run(request), self._show_run)

    def say(self, words: str) -> None:
        self._started = False
        super().say(words)

    def _show_run(self, run: str) -> None:
        """The run takes the place of the pages that led to it."""
        self.console_app.back_to_bench()
        self.app.push_screen(RunPage(run))


class DeadPage(TextPage):
    """What to do with a device that is not shown: the ladders, and other flows without it."""

    MANUAL = ("dead",)
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"climb({number})", "find out why") for number in range(1, 10)),
        Binding("p", "port", "its port"),
        Binding("f", "flows", "flows that wait for it"),
    ]

    def __init__(self, port: str, heading: str, words: str) -> None:
        super().__init__(heading, words)
        self._port = port

    @property
    def ladders(self) -> tuple[FlowCard, ...]:
        card = self.shot.cards.get(NOT_SHOWN)
        return tuple(flow for flow in card.flows if flow.ladder) if card else ()

    def keys(self) -> str:
        return "1-9 find out why   p its port   f other flows   space on   Esc back   q leave"

    def page(self) -> Draw:
        ways = flow_page.ways_in(self.ladders, self.place(self._port))
        return lambda width, height: [*ways(width), *self._draw(width, height - len(ways(width)))]

    def action_climb(self, number: int) -> None:
        if number <= len(self.ladders):
            ladder, device = self.ladders[number - 1], self.shot.cards[NOT_SHOWN].name
            self.app.push_screen(FlowPage(self._port, ladder, device, not_shown=True))

    def action_port(self) -> None:
        self.answer.open("port", "its port (1-1.4, or its label; Enter alone: any)")

    def take_answer(self, about: str, words: str) -> None:
        self._port = self.shot.port_named(words.strip())
        self.answer.close()

    def action_flows(self) -> None:
        self.app.push_screen(FlowsPage(NOT_SHOWN))
