"""What the screen costs on a terminal: bytes, and the time until a line is drawn anew.

The rule: the real program on a pty of 80x24, its bench in a process of its own. A time begins
before the plug is pulled and ends when the row that says so has arrived at the terminal.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.clock import MachineClock
from console.practice import bus
from tests.benchmarks.glass import Glass, Pty
from tests.benchmarks.rows import Row, against, at_most
from tests.benchmarks.storm import EVENTS, ROW_OF, SPACING, UNITS
from tests.processes import Place, until

SCENARIO = "core-healthy"
SHOWN = b"Spark Core"
IDLE = 3.0
QUIET = 1.0
PAIRS = 5
PAINTS = 5
BARE_SHOWN = b"bare"
BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("bare")

Bare().run()
"""


@contextmanager
def on_terminal(place: Place, words: list[str]) -> Iterator[Pty]:
    """A program on a terminal of its own, ended in the end."""
    shown = Pty(words, place.environ)
    try:
        yield shown
    finally:
        shown.end()


def settled(shown: Pty) -> None:
    """The bench stands on the screen, and nothing comes any more."""
    shown.until(SHOWN)
    shown.until_quiet(QUIET)


# --- bytes --------------------------------------------------------------------------------


def bytes_sent(place: Place) -> list[Row]:
    """Idle, and for each plug and each pull on the practice bench."""
    clock, costs = MachineClock(), []
    with on_terminal(place, place.words()) as shown:
        settled(shown)
        idle = len(shown.read(IDLE))
        for _ in range(PAIRS):
            for act in (bus.pull, bus.plug):
                act(place.state.root, clock, "1-1")
                costs.append(len(shown.until_quiet(QUIET)))
    return [
        at_most(f"bytes in {IDLE:g} s of idleness", idle, 0),
        at_most(f"bytes a hotplug event, most of {len(costs)}", max(costs), 512),
        at_most(f"bytes a hotplug event, median of {len(costs)}", statistics.median(costs), 512),
    ]


# --- a storm ------------------------------------------------------------------------------


def storm(place: Place) -> list[Row]:
    """Units in six ports, pulled and plugged in turn, faster than anybody's hand."""
    before = f"import tests.benchmarks.storm as storm; storm.take_over({str(place.state.root)!r})"
    place.begin_bench(before=before)
    with on_terminal(place, place.words()) as shown:
        settled(shown)
        glass = Glass()
        glass.take(shown.all)
        (place.state.root / "go").touch()
        waits = followed(place.state.root / "done", shown, glass)
    rate = f"{EVENTS} events in {UNITS} ports, {1 / SPACING:.0f} a second"
    return [
        at_most(f"event to redrawn line, 99 % of {rate}", percentile(waits, 99), 100, "ms"),
        at_most(f"event to redrawn line, half of {rate}", percentile(waits, 50), 100, "ms"),
    ]


def followed(done: Path, shown: Pty, glass: Glass) -> list[float]:
    """Milliseconds from each event to the first time its row says so."""
    drawn: list[tuple[float, tuple[bool, ...]]] = [(0.0, away_rows(glass))]
    end = time.monotonic() + EVENTS * SPACING + 10
    while time.monotonic() < end:
        data = shown.read_once(0.2)
        if data:
            glass.take(data)
            drawn.append((time.monotonic(), away_rows(glass)))
        elif done.exists():
            break
    events = [line.split() for line in done.read_text().splitlines()]
    return [_wait(float(at), int(unit), what == "pull", drawn) for at, unit, what in events]


def _wait(at: float, unit: int, away: bool, drawn: list[tuple[float, tuple[bool, ...]]]) -> float:
    """One that is never drawn counts as a second: it would spoil the figure, as it should."""
    shown = next((when for when, rows in drawn if when > at and rows[unit] == away), at + 1.0)
    return (shown - at) * 1000


def away_rows(glass: Glass) -> tuple[bool, ...]:
    return tuple("away" in glass.row(ROW_OF[unit]).lower() for unit in range(UNITS))


def percentile(values: list[float], percent: int) -> float:
    """The nearest rank: with 100 values and 99 percent, the second greatest."""
    return sorted(values)[-(-len(values) * percent // 100) - 1]


# --- first paint --------------------------------------------------------------------------


def first_paint(place: Place) -> list[Row]:
    """Both in turn, so that a busy machine is as slow for the one as for the other."""
    place.begin_bench(idle=600.0)
    until(lambda: place.present(), "the practice hardware")
    bare = [sys.executable, "-c", BARE]
    ours, theirs = [], []
    for _ in range(PAINTS + 1):
        ours.append(painted(place, place.words(), SHOWN))
        theirs.append(painted(place, bare, BARE_SHOWN))
    # The first of each warms the machine's caches and is left out.
    return [
        against(
            f"first paint, median of {PAINTS}, against a bare Textual app",
            statistics.median(ours[1:]),
            statistics.median(theirs[1:]),
            1.6,
            "s",
        )
    ]


def painted(place: Place, words: list[str], mark: bytes) -> float:
    began = time.monotonic()
    with on_terminal(place, words) as shown:
        return shown.until(mark) - began


def load() -> str:
    """How busy the machine is, for whoever reads the times."""
    return f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
