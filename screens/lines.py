"""Lines of text that cost what has changed of them: the one way these screens draw.

The rule: no colour without a mark or a word beside it, and no byte for a line that is as it was.
Our own instead of Textual's Static, which repaints the whole of itself, and paints its blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style as RichStyle
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

Draw = Callable[[int, int], Sequence[Text]]
"""Given width and height, the lines."""


class Style(StrEnum):
    """The few ways text stands out; all of them work on any terminal's own colours."""

    PLAIN = ""
    STRONG = "bold"
    CHOSEN = "reverse"
    GOOD = "green"
    CARE = "yellow"
    DANGER = "bold red"
    PALE = "dim"
    WELL = "bold reverse green"
    NOT_WELL = "bold reverse yellow"


class Lines(Widget):
    """Draws what it was last told to show; again, when its size changes."""

    def __init__(self, widget_id: str) -> None:
        super().__init__(id=widget_id)
        self._draw: Draw = lambda _width, _height: ()
        self._drawn: tuple[Text, ...] = ()
        self._waits = False
        """Was something to be shown while there was no place for it?"""

    @property
    def text(self) -> str:
        """What stands there, for tests."""
        return "\n".join(line.plain.rstrip() for line in self._drawn)

    def show(self, draw: Draw) -> None:
        """Draw this from now on; only lines that differ are sent."""
        self._draw = draw
        if self.size.width and self.is_mounted:
            self._renew()
        else:
            self._waits = True

    def on_resize(self) -> None:
        self._drawn = ()
        self._renew()
        self.refresh()

    def _renew(self) -> None:
        self._waits = False
        width, height = self.size
        before = self._drawn
        self._drawn = tuple(self._draw(width, height))[:height]
        changed = [
            Region(0, y, min(_changed_cells(_line(before, y), _line(self._drawn, y)), width), 1)
            for y in range(height)
        ]
        regions = [region for region in changed if region.width]
        if regions:
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as they are: no padding, no background, nothing that was not asked for."""
        if self._waits:
            # It came back in its old size, of which Textual does not always tell: a scroll in
            # between takes it for exposed, not for shown.
            width, height = self.size
            self._waits, self._drawn = False, tuple(self._draw(width, height))[:height]
        return [self.render_line(y).crop(crop.x, crop.right) for y in crop.line_range]

    def render_line(self, y: int) -> Strip:
        segments = _line(self._drawn, y).render(self.app.console, end="")
        strip = Strip(self._plainly(segment) for segment in segments)
        return strip.adjust_cell_length(self.size.width, RichStyle.null())

    def _plainly(self, segment: Segment) -> Segment:
        style = segment.style or RichStyle.null()
        return Segment(segment.text, style.without_color if self.app.no_color else style)


def _line(lines: tuple[Text, ...], y: int) -> Text:
    return lines[y] if y < len(lines) else Text("")


def _changed_cells(before: Text, after: Text) -> int:
    """Cells from the left up to the last one that differs; what stands behind is not sent."""
    if before == after:
        return 0
    old, new = before.plain, after.plain
    if before.spans != after.spans or before.cell_len != after.cell_len or len(old) != len(new):
        return max(before.cell_len, after.cell_len)
    last = max(at for at, (was, now) in enumerate(zip(old, new, strict=True)) if was != now)
    return max(cell_len(old[: last + 1]), cell_len(new[: last + 1]))
