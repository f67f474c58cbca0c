"""A list that is longer than its room: which of its lines are shown, and what is said of the rest.

The rule: pure. What is chosen is always among the lines shown, and nothing is left out silently.
"""

from __future__ import annotations

from dataclasses import dataclass

from screens.words import around


@dataclass(frozen=True)
class Cut:
    """Of `count` lines those from `first` up to `end` are shown."""

    first: int
    end: int
    count: int

    @property
    def below(self) -> int:
        return self.count - self.end

    @property
    def hidden(self) -> int:
        return self.first + self.below

    def more(self, what: str = "") -> str:
        """What to say of all that is not shown, in one place; "" where all of it is."""
        if not self.hidden:
            return ""
        many = f" {what}{'s' if self.hidden > 1 else ''}" if what else ""
        words = f".. {self.hidden} more{many}"
        if not self.below:
            return f"{words} above"
        return f"{words}, {self.first} of them above" if self.first else words


def cut(count: int, height: int, chosen: int, said: int = 1) -> Cut:
    """The lines for that height; where not all fit, `said` lines of it stay for what is said."""
    if count <= height:
        return Cut(0, count, count)
    shown = max(1, height - said)
    first = around(count, shown, chosen)
    return Cut(first, first + shown, count)
