"""Is a write as fast as it should be? Pure: times and counts go in.

The rule: said once a stretch, after two seconds below a fifth of the usual; never before.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST = 0.2
FOR = 2.0
"""Seconds over which the rate is taken."""


@dataclass
class Rate:
    """The rate of one write. `usual` is bytes a second."""

    usual: float
    _since: tuple[float, int] | None = None
    _said: bool = False

    def slow(self, at: float, done: int) -> float | None:
        """Bytes a second, the first time that it has been too slow for long enough."""
        if self._since is None:
            self._since = (at, done)
        began, had = self._since
        if self._said or at - began < FOR:
            return None
        self._since = (at, done)
        rate = (done - had) / (at - began)
        if rate >= LEAST * self.usual:
            return None
        self._said = True
        return rate
