"""A picture of the bench screen, drawn without a terminal: for the README, and for tests.

The rule: the same snapshot gives the same picture, byte for byte.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from console.errors import BenchError
from console.run import Request
from console.state import State
from screens.app import Replug
from screens.snapshot import Snapshot

SIZE = (80, 24)
"""Columns and rows that everything has to work at."""


class Still:
    """A feed of one snapshot, behind which there is no bench."""

    by = "nobody"

    def __init__(self, state: State, shot: Snapshot) -> None:
        self.state = state
        self._shot = shot

    def begin(self, show: Callable[[Snapshot], object]) -> None:
        show(self._shot)

    def ask(self, do: str, **fields: Any) -> Any:
        raise BenchError("There is no bench behind a picture.")

    def start_run(self, request: Request) -> str:
        raise BenchError("There is no bench behind a picture.")

    def end(self) -> None:
        """Nothing is open."""


def picture_of_bench(state: State, shot: Snapshot) -> str:
    """The bench screen at 80x24 as SVG."""
    return asyncio.run(_drawn(Replug(Still(state, shot))))


async def _drawn(app: Replug) -> str:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        return _for_any_renderer(app.export_screenshot(title="replug"))


LEADING = re.compile(r'x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)"([^>]*)>((?:&#160;)+)')


def _for_any_renderer(svg: str) -> str:
    """Without Rich's checksum in every name; blanks that begin a text, which some renderers
    drop, become its offset."""
    return LEADING.sub(_moved, re.sub(r"terminal-\d+", "terminal", svg))


def _moved(found: re.Match[str]) -> str:
    cell = 12.2  # Rich's width of a column in its drawing
    width = found[5].count(";") * cell
    at, length = float(found[1]) + width, float(found[3]) - width
    return f'x="{at:.1f}"{found[2]} textLength="{max(length, 0):.1f}"{found[4]}>'
