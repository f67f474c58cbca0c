"""A page of text to read and leave: the manual, a trace.

The rule: it shows what it was given; nothing on it acts on a device.
"""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from screens.base import Page
from screens.lines import Draw, Style
from screens.words import clamp, line, paragraph, rule, window


class TextPage(Page):
    """Lines with a heading; space and arrows scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,pagedown", "scroll_by(18)", "on"),
        Binding("minus,pageup", "scroll_by(-18)", "back up"),
        Binding("down", "scroll_by(1)", "down"),
        Binding("up", "scroll_by(-1)", "up"),
        Binding("enter", "back", "back"),
    ]

    def __init__(self, heading: str, words: str, *, from_the_end: bool = False) -> None:
        super().__init__()
        self._heading = heading
        self._text = words.splitlines()
        self.offset_now = len(self._text) if from_the_end else 0

    def header(self, width: int) -> Text:
        return line((f" {self._heading}", Style.STRONG))

    def page(self) -> Draw:
        return self._draw

    def keys(self) -> str:
        return "space on   - back up   Esc back   q leave"

    def _draw(self, width: int, height: int) -> list[Text]:
        lines = [piece for words in self._text for piece in _as_written(words, width)]
        self.offset_now = clamp(self.offset_now, len(lines), height - 1)
        return [rule(width), *window(lines, height - 1, self.offset_now)]

    def action_scroll_by(self, count: int) -> None:
        self.offset_now = max(0, self.offset_now + count)
        self.redraw()


def _as_written(words: str, width: int) -> list[Text]:
    """A line as it stands if it fits; a heading stands out."""
    if words.startswith("#"):
        return [line((" " + words.lstrip("# "), Style.STRONG))]
    if len(words) < width:
        return [line(f" {words}")]
    indent = " " * (1 + len(words) - len(words.lstrip()))
    return paragraph(words, width, indent)
