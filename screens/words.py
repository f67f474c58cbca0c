"""Words and widths: cutting, wrapping and joining text for a page of fixed columns.

The rule: pure. What a device or a person said is always plain text here, never markup, and
holds no character that a terminal would obey.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from console import letters
from screens.lines import Style

SPACES = str.maketrans("\r\n\t", "   ")


def harmless(words: str) -> str:
    """The words as a terminal may have them, in one line: line ends and tabs are spaces."""
    return letters.harmless(words.translate(SPACES))


def fit(words: str, width: int) -> str:
    """Exactly that many cells: cut with "..", or filled with blanks."""
    words = harmless(words)
    if cell_len(words) > width >= 4:
        words = set_cell_size(words, width - 2) + ".."
    return set_cell_size(words, width)


def port_words(port: str, label: str = "") -> str:
    """A port as a person reads it, by its label if it has one; what is not shown has none yet."""
    if label:
        return label
    return f"port {port}" if port else "not shown"


def line(*parts: str | tuple[str, Style]) -> Text:
    """One line of plain and styled parts."""
    text = Text()
    for part in parts:
        words, style = (part, Style.PLAIN) if isinstance(part, str) else part
        text.append(harmless(words), style.value)
    return text


def both_ends(left: Text, right: str, width: int) -> Text:
    """Left, and right at the right edge; the left gives way."""
    room = max(0, width - cell_len(right) - 1)
    cut = left.copy()
    cut.truncate(room, pad=True)
    return cut.append(" " + right)


def rule(width: int, words: str = "", chosen: bool = False) -> Text:
    """A line across, with words near its left end; "=" when the pane is the one in hand."""
    stroke = "=" if chosen else "-"
    head = f"{stroke} {harmless(words)} " if words else ""
    return Text(head + stroke * max(0, width - cell_len(head)))


def wrap(words: str, width: int, first: str = " ", rest: str | None = None) -> list[str]:
    """The words in lines of at most `width` cells, indented."""
    rest = " " * len(first) if rest is None else rest
    lines: list[str] = []
    current, empty = first, True
    for word in harmless(words).split():
        for piece in letters.pieces(word, max(8, width - len(rest)), cell_len):
            joined = current + piece if empty else f"{current} {piece}"
            if not empty and cell_len(joined) > width:
                lines.append(current)
                joined = rest + piece
            current, empty = joined, False
    return [*lines, current] if not empty else lines


def paragraph(
    words: str, width: int, first: str = " ", style: Style = Style.PLAIN, rest: str | None = None
) -> list[Text]:
    """The words as wrapped lines in one style."""
    return [line((piece, style)) for piece in wrap(words, width, first, rest)]


def span(seconds: float) -> str:
    """A length of time as a person says it."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min" if rest == 0 or minutes >= 10 else f"{minutes} min {rest} s"


def window(lines: Sequence[Text], height: int, offset: int) -> list[Text]:
    """The part of the lines that fits; when some are below, the last line says so."""
    offset = clamp(offset, len(lines), height)
    shown = list(lines[offset : offset + height])
    below = len(lines) - offset - len(shown)
    if below > 0 and shown:
        shown[-1] = More(below + 1)
    return shown


class More(Text):
    """The last line of a window below which there are others: how many, and how to come there."""

    def __init__(self, count: int, first: str = "") -> None:
        super().__init__(f" .. {count} more lines: {first}space or arrow down", Style.PALE.value)
        self.count = count


def with_tab(lines: Sequence[Text]) -> list[Text]:
    """The same lines in a pane that is not in hand: Tab comes before space."""
    return [More(each.count, "Tab, then ") if isinstance(each, More) else each for each in lines]


def clamp(offset: int, length: int, height: int) -> int:
    """The offset, kept so that the page stays full."""
    return max(0, min(offset, length - height))


def around(count: int, height: int, chosen: int) -> int:
    """The first of `count` rows to show so that the chosen one is seen."""
    return clamp(chosen - height // 2, count, height)
