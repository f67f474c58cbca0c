"""Time as an argument: the machine's clock, and what a test's clock must offer.

The rule: nobody else in console/ reads a clock or sleeps, so that a test can own time.
"""

from __future__ import annotations

import queue
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Both clocks, the boot they belong to, and the two ways of letting time pass."""

    @property
    def boot(self) -> str:
        """The kernel's boot id: monotonic times of two boots cannot be compared."""

    def wall(self) -> datetime:
        """Now, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed point of this boot."""

    def pause(self, seconds: float) -> None:
        """Let that much time pass."""

    def take(self, box: queue.Queue[T], timeout: float | None) -> T:
        """The next thing in the box; queue.Empty after `timeout` seconds (None: wait on)."""


class MachineClock:
    """The clocks of this machine."""

    def __init__(self) -> None:
        try:
            self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            self._boot = "unknown"

    @property
    def boot(self) -> str:
        return self._boot

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def take(self, box: queue.Queue[T], timeout: float | None) -> T:
        return box.get(timeout=timeout)
