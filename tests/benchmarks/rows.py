"""A figure as it is printed: what we need, what the peer needs, the ratio, and what was aimed at.

The rule: a ratio is of one run on one machine. Whether it meets its target is said, also where
it does so only to the target's two digits, and changes no exit code.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADS = ("figure", "ours", "peer", "ratio", "target", "")


@dataclass(frozen=True)
class Row:
    """One line of the table; without a peer the target is of our own figure."""

    figure: str
    ours: float
    peer: float | None
    target: str
    most: float
    unit: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def meets(self) -> str:
        judged = self.ours if self.ratio is None else self.ratio
        if judged <= self.most:
            return "yes"
        return "yes, rounded" if self.ratio and round(self.ratio, 2) <= self.most else "NO"

    def cells(self) -> tuple[str, ...]:
        peer = "-" if self.peer is None else self._words(self.peer)
        ratio = "-" if self.ratio is None else f"{self.ratio:.3f}"
        return (self.figure, self._words(self.ours), peer, ratio, self.target, self.meets)

    def _words(self, value: float) -> str:
        digits = 0 if float(value).is_integer() else 2
        return f"{value:.{digits}f} {self.unit}".rstrip()


def at_most(figure: str, ours: float, most: float, unit: str = "") -> Row:
    """A figure without a peer."""
    return Row(figure, ours, None, f"<= {most:g} {unit}".rstrip(), most, unit)


def against(figure: str, ours: float, peer: float, most: float, unit: str = "") -> Row:
    """A figure beside the peer's."""
    return Row(figure, ours, peer, f"<= {most:g} x", most, unit)


def show(title: str, rows: list[Row]) -> None:
    table = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(cells[at]) for cells in table) for at in range(len(HEADS))]
    print(f"\n{title}")
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print("  " + "  ".join(padded).rstrip(), flush=True)
