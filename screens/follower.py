"""The thread between the bench and the screens: takes nudges, reads journals, hands over pictures.

The rule: it never touches a widget, and a flood of nudges comes to the screens as one snapshot.
"""

from __future__ import annotations

import getpass
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from console import link
from console.errors import ConsoleError
from console.jobs import scp_line
from console.offers import DeviceCard
from console.picture import Picture
from console.state import State
from screens.snapshot import NOT_SHOWN, Snapshot, card_from

if TYPE_CHECKING:
    from console.run import Request

CALM = 0.5
"""Seconds between two pictures when nothing but progress has changed."""

GONE = "The bench has ended; a run it had is closed as interrupted. q leaves, then: replug"


def who() -> str:
    """The person's login."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class Follower:
    """The Feed of a living bench. Making one starts the bench if need be; raises BenchError."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.by = who()
        self._since = _now()
        self._link = link.reach(state, listen=True, screen=f"{self.by} {os.getpid()}")
        self._picture = Picture(state, str(self._link.hello["journal"]))
        absent = card_from(self._link.ask("card", device=NOT_SHOWN, not_shown=True))
        self._cards: dict[str, tuple[str, DeviceCard]] = {NOT_SHOWN: ("", absent)}
        self._gone = ""

    def begin(self, show: Callable[[Snapshot], object]) -> None:
        threading.Thread(target=self._follow, args=(show,), name="follower", daemon=True).start()

    def ask(self, do: str, **fields: Any) -> Any:
        return self._link.ask(do, **fields)

    def start_run(self, request: Request) -> str:
        return self._link.start_run(request)

    def end(self) -> None:
        self._link.close()

    # --- its thread ----------------------------------------------------------------------

    def _follow(self, show: Callable[[Snapshot], object]) -> None:
        while True:
            self._fetch_cards()
            show(self._snapshot())
            if self._gone:
                return
            self._take_some()

    def _take_some(self) -> None:
        """Wait for something worth a picture, and take all that has come by then."""
        nudge = self._link.nudges.get()
        until = time.monotonic() + CALM
        with suppress(queue.Empty):
            while True:
                self._take(nudge)
                passing = "progress" in nudge
                wait = max(0.0, until - time.monotonic()) if passing else 0.0
                nudge = self._link.nudges.get(block=wait > 0, timeout=wait or None)

    def _take(self, nudge: Mapping[str, Any]) -> None:
        if nudge.get("gone"):
            self._gone = GONE
        self._picture.take(nudge)

    def _fetch_cards(self) -> None:
        for device in self._picture.bench.devices:
            known = self._cards.get(device.port)
            said = (device.visit, device.mark, device.name, device.next)
            if known is None or (known[0], known[1].mark, known[1].name, known[1].next) != said:
                self._fetch_card(device.port, device.visit)

    def _fetch_card(self, port: str, visit: str) -> None:
        try:
            self._cards[port] = (visit, card_from(self._link.ask("card", device=port)))
        except ConsoleError:
            self._cards.pop(port, None)  # it went meanwhile: its next visit asks again

    def _snapshot(self) -> Snapshot:
        picture = self._picture
        came_back = picture.bench.away[1] >= self._since
        host = socket.gethostname()
        return Snapshot(
            bench=picture.bench,
            runs=picture.runs,
            progress=dict(picture.progress),
            cards={port: card for port, (_, card) in self._cards.items()},
            host=host,
            practice=self.state.practice,
            trouble=picture.trouble,
            gone=self._gone,
            away=picture.bench.away if came_back else ("", ""),
            jobs=picture.jobs,
            sends={job: scp_line(self.state, job, self.by, host) for job in picture.jobs},
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
