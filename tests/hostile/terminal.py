"""A terminal that believes nothing: every byte that reaches it is one of ours, or the test fails.

The rule: it knows the few sequences that our screens send, and the cells that they write. Text
that would leave its line, a sequence not in the list, a control character: each is an error.
"""

from __future__ import annotations

import os
import re

from console.letters import cells
from tests.benchmarks.glass import COLUMNS, LINES, Pty
from tests.hostile.texts import must_be_harmless

SEQUENCE = re.compile(
    r"\x1b\[[0-9;]*m"  # how the letters look
    r"|\x1b\[(?P<row>\d+);(?P<column>\d+)H|\x1b\[H"  # where the next one goes
    r"|\x1b\[\?(?:7|25|1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]"  # modes
    r"|\x1b\[\?(?:2026|2048)\$p|\x1b\[[>=<][0-9;]*u"  # what can the terminal do
    r"|\x1b\]22;default\x07"  # the pointer's shape
)


class Believer:
    """What stands on the glass after all of it; raises AssertionError at anything foreign."""

    def __init__(self, sent: bytes) -> None:
        self.cells = [[" "] * COLUMNS for _ in range(LINES)]
        self._row = self._column = 0
        text, at = sent.decode(), 0
        for found in SEQUENCE.finditer(text):
            self._put(text[at : found.start()])
            self._move(found)
            at = found.end()
        self._put(text[at:])

    def rows(self) -> list[str]:
        return ["".join(row) for row in self.cells]

    def _move(self, found: re.Match[str]) -> None:
        if found[0].endswith("H"):
            self._row = int(found["row"] or 1) - 1
            self._column = int(found["column"] or 1) - 1

    def _put(self, text: str) -> None:
        must_be_harmless(text, kept="\r\n")
        for sign in text:
            if sign == "\n":
                self._row += 1
            elif sign == "\r":
                self._column = 0
            else:
                self._draw(sign)

    def _draw(self, sign: str) -> None:
        width = cells(sign)
        assert self._row < LINES, f"{sign!r} below the last line"
        assert self._column + width <= COLUMNS, f"{sign!r} beyond the edge of line {self._row + 1}"
        if width:
            self.cells[self._row][self._column] = sign
        for more in range(1, width):
            self.cells[self._row][self._column + more] = ""
        self._column += width


class Keyboard(Pty):
    """A program on a terminal, and fingers."""

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def after(self, keys: str, words: str) -> str:
        """Press, and wait for the words and then for quiet; what came."""
        before = len(self.all)
        self.press(keys)
        while words.encode() not in self.all[before:]:
            assert self.read_once(30.0), f"no {words!r} after {keys!r}: {self.all[before:]!r}"
        self.until_quiet(0.4)
        return self.all[before:].decode()
