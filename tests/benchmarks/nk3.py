"""A Nitrokey's image on a real kernel: ours beside a bare loop, and beside the vendor's SDK.

The rule: a write that failed, or of which the key did not receive all, is said and gives no row.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.kernel import measure
from tests.benchmarks.rows import Row, against

PROGRAM = "tests/kernel/nk3_figures.py"


def rows(vmlinuz: Path) -> list[Row]:
    told = measure(vmlinuz, PROGRAM)
    figures = (
        ("LPC55: seconds of the stream, median of 5", "lpc55", "bare", 1.10),
        ("nRF52: seconds of the whole flash, median of 5", "nrf52", "nrf52 by sdk", 0.6),
        ("nRF52: the same without its memory's time", "nrf52 wire", "nrf52 wire by sdk", 0.6),
    )
    return [
        against(figure, median(ours), median(peer), most, "s")
        for figure, mine, theirs, most in figures
        if (ours := seconds(told, mine)) and (peer := seconds(told, theirs))
    ]


def seconds(told: list[dict[str, Any]], who: str) -> list[float]:
    """Of the writes by that program that arrived whole."""
    mine = [one for one in told if one["who"] == who]
    good = [float(one["seconds"]) for one in mine if one["seconds"] and one["is_right"]]
    if len(good) < len(mine) or not mine:
        print(f"{who}: {len(mine) - len(good)} of {len(mine)} writes failed: {mine[-1:]}")
    return good
