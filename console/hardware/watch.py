"""Being told when what is on the USB changes.

The rule: a notice from the kernel is only a nudge. Notices get lost, doubled and reordered, so
the truth is always a fresh look, taken once the bus has been quiet for a moment. Nothing polls
while nothing happens.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pyudev

from console.events import Device
from console.hardware.changes import changes
from console.hardware.sightings import SUBSYSTEMS

UDEVD = Path("/run/udev/control")
DEAF = "The kernel's notices of plugging cannot be heard: what is shown may be out of date."

QUIET = 0.05
LONGEST_DEBOUNCE = 0.5
RECHECKS = (0.2, 0.5, 1.0, 2.0, 4.0, 10.0)
LOST_IN_A_ROW = 5


class Notices(Protocol):
    """Something that becomes readable when the bus may have changed."""

    def fileno(self) -> int:
        """What poll() waits on."""

    def drain(self) -> None:
        """Throw away what is there; OSError when notices were lost or none can come."""


class UdevNotices:
    """The kernel's own notices, after udevd's rules where udevd runs (it sets the rights)."""

    def __init__(self) -> None:
        self._monitor = pyudev.Monitor.from_netlink(
            pyudev.Context(), "udev" if UDEVD.exists() else "kernel"
        )
        for subsystem in SUBSYSTEMS:
            self._monitor.filter_by(subsystem)
        self._monitor.start()

    def fileno(self) -> int:
        return int(self._monitor.fileno())

    def drain(self) -> None:
        while self._monitor.poll(0) is not None:
            pass


Look = Callable[[], tuple[tuple[Device, ...], str]]
"""Every device now, and the state of the bus."""


class Watch:
    """A thread that tells the whole truth at once, and again whenever it has changed."""

    def __init__(
        self,
        look: Look,
        tell: Callable[[tuple[Device, ...], str], None],
        now: Callable[[], float],
        listen: Callable[[], Notices] = UdevNotices,
    ) -> None:
        self._look = look
        self._tell = tell
        self._listen = listen
        self._now = now
        self._told: tuple[tuple[Device, ...], str] | None = None
        self._rechecks: list[float] = []
        self._lost = 0
        self._notices: Notices | None = None
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop; returns when nothing will be told any more."""
        os.close(self._waker)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        # Listening begins before the first look: what comes in between is not missed.
        self._open()
        self._look_again()
        while self._wait():
            self._look_again()
        os.close(self._wake)

    def _open(self) -> None:
        try:
            self._notices = self._listen()
        except (OSError, ImportError):
            self._notices = None

    def _look_again(self) -> None:
        devices, state = self._look()
        before = self._told[0] if self._told else ()
        self._plan_rechecks(before, devices)
        now = devices, state or ("" if self._notices else DEAF)
        if now != self._told:
            self._told = now
            self._tell(*now)

    def _plan_rechecks(self, before: tuple[Device, ...], devices: tuple[Device, ...]) -> None:
        """Rights may be given after the last notice: look a few times after an arrival."""
        if not any(not node.may_open for device in devices for node in device.nodes):
            self._rechecks = []
        elif changes(before, devices).came:
            self._rechecks = [self._now() + after for after in RECHECKS]

    def _wait(self) -> bool:
        """Until it is worth another look; False when closed."""
        ready = self._poll(self._until_recheck())
        if ready is None:
            return False
        if not ready:
            self._rechecks = self._rechecks[1:]
            return True
        return self._settle()

    def _settle(self) -> bool:
        """Let the burst of notices of one arrival end, but not for ever."""
        latest = self._now() + LONGEST_DEBOUNCE
        ready: bool | None = True
        while ready and self._now() < latest:
            self._drain()
            ready = self._poll(QUIET)
        return ready is not None

    def _drain(self) -> None:
        assert self._notices is not None
        try:
            self._notices.drain()
            self._lost = 0
        except OSError:
            # Overflow (ENOBUFS) or a dead socket: what was missed, the next look finds.
            self._lost += 1
            self._notices = None
            if self._lost < LOST_IN_A_ROW:
                self._open()

    def _until_recheck(self) -> float | None:
        return max(0.0, self._rechecks[0] - self._now()) if self._rechecks else None

    def _poll(self, timeout: float | None) -> bool | None:
        """True: there are notices; False: the time is over; None: closed."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if self._notices:
            poll.register(self._notices.fileno(), select.POLLIN)
        ready = [fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)]
        return None if self._wake in ready else bool(ready)
