"""A terminal as a program sees it, and the glass of it as far as our screens write on it.

The rule: it understands cursor addresses, text and line breaks; every other sequence changes
no text and is passed over.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time

LINES, COLUMNS = 24, 80
LIMIT = 60.0
SEQUENCE = re.compile(
    r"\x1b(?:\[([0-9;?<>=]*)([ -/]*[@-~])"  # CSI
    r"|[P\]_].*?(?:\x07|\x1b\\)"  # a string, up to its end
    r"|[ -/]*[0-OQ-Z\\^`-~])",  # anything short
    re.DOTALL,
)


class Pty:
    """A program on a pty of 80x24; `all` is what it sent so far."""

    def __init__(self, words: list[str], environ: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (LINES, COLUMNS))
        self.all = b""
        self._process = subprocess.Popen(
            words,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(theirs)

    def read_once(self, limit: float) -> bytes:
        """What comes next; nothing if nothing comes within the limit, or ever again."""
        if not select.select([self._ours], [], [], max(0.0, limit))[0]:
            return b""
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the program has gone
            return b""
        self.all += data
        return data

    def read(self, seconds: float) -> bytes:
        """All that comes within that time."""
        end, got = time.monotonic() + seconds, b""
        while (left := end - time.monotonic()) > 0:
            got += self.read_once(left)
        return got

    def until(self, mark: bytes) -> float:
        """When the mark arrived."""
        end = time.monotonic() + LIMIT
        while mark not in self.all:
            assert time.monotonic() < end, f"no {mark!r} in {self.all[-2000:]!r}"
            self.read_once(0.2)
        return time.monotonic()

    def until_quiet(self, seconds: float) -> bytes:
        """All that comes until nothing has come for that time."""
        got, end = b"", time.monotonic() + LIMIT
        while (more := self.read_once(seconds)) and time.monotonic() < end:
            got += more
        return got

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


class Glass:
    """What stands on the terminal, line by line."""

    def __init__(self) -> None:
        self._cells = [[" "] * COLUMNS for _ in range(LINES)]
        self._row = self._column = 0
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Write what came; a sequence that is cut off waits for its other half."""
        data = self._rest + data
        cut = data.rfind(b"\x1b")
        whole = cut < 0 or SEQUENCE.match(data[cut:].decode("latin-1"))
        self._rest = b"" if whole else data[cut:]
        self._write((data if whole else data[:cut]).decode(errors="replace"))

    def row(self, number: int) -> str:
        return "".join(self._cells[number])

    def rows(self) -> list[str]:
        return [self.row(number) for number in range(LINES)]

    def _write(self, text: str) -> None:
        at = 0
        for found in SEQUENCE.finditer(text):
            self._put(text[at : found.start()])
            self._move(found[1] or "", found[2] or "")
            at = found.end()
        self._put(text[at:])

    def _move(self, numbers: str, kind: str) -> None:
        if kind != "H":
            return
        row, _, column = numbers.partition(";")
        self._row, self._column = int(row or 1) - 1, int(column or 1) - 1

    def _put(self, text: str) -> None:
        for sign in text:
            if sign == "\n":
                self._row, self._column = self._row + 1, self._column
            elif sign == "\r":
                self._column = 0
            elif self._row < LINES and self._column < COLUMNS:
                self._cells[self._row][self._column] = sign
                self._column += 1
