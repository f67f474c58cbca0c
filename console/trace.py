"""A run's wire trace: one line a transfer, with its time and its length, never its bytes.

The rule: a trace is never worth a repair. Where it cannot be written it ends; each line is with
the kernel before the next transfer, so it outlives this program.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

LINES = 20_000
"""Lines kept of one run; then the trace says that it ends."""


class Trace:
    """The trace file of one run, opened with its first line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._count = 0

    def add(self, at: float, words: str) -> None:
        """A line, `at` seconds on the monotonic clock."""
        self._count += 1
        if self._count > LINES:
            return
        last = "\n(the trace ends here)" if self._count == LINES else ""
        try:
            if self._file is None:
                # A stream opened for each line would cost more than the transfer it tells of.
                self._file = self._path.open("ab", buffering=0)
            self._file.write(f"{at:.4f} {words}{last}\n".encode())
        except OSError:
            self._count = LINES
        if self._count >= LINES:
            self.close()

    def close(self) -> None:
        """No line follows."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
