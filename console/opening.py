"""A device's line is opened for a guide: with patience, traced, stoppable, and closed again.

The rule: what comes late after an arrival (permissions, a driver) is waited for, and a wait that
a person notices is said in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from console.errors import ConsoleError, NoLine, NotPermitted
from console.hardware.lines import Line, Stoppable, Traced, Wrapped
from console.host import Host

SETTLE = 10.0
"""Seconds for which opening is retried after a node appears: permissions arrive late."""
DRIVER = 30.0
"""Seconds for which a line is waited for that no driver has made: a slow machine needs some."""
UNSAID = 2.0
"""Seconds of waiting of which nobody is told."""
AGAIN = 0.25


class Opening:
    """How the lines of one run are opened.

    `stops` says whether the technician's stop takes effect now, `safe_point` raises Stopped
    then; `busy` says a wait while its block runs.
    """

    def __init__(
        self,
        host: Host,
        stops: Callable[[], bool],
        safe_point: Callable[[], None],
        busy: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._host = host
        self._stops = stops
        self._safe_point = safe_point
        self._busy = busy

    @contextmanager
    def line(self, open_it: Callable[[], Line], locks: bool = False) -> Iterator[Stoppable]:
        """The line while the block runs; a card that `locks` forgets the PIN that it was given."""
        line = self._patiently(open_it)
        try:
            traced = Traced(line, self._host.trace, self._host.clock.monotonic)
            yield Stoppable(traced, self._stops)
        finally:
            if locks:
                # A PIN that was given here would stay given for whatever program comes next.
                with suppress(ConsoleError):
                    Wrapped(line).reset()
            line.close()

    def _patiently(self, open_it: Callable[[], Line]) -> Line:
        began = self._host.clock.monotonic()
        opened = self._tried(open_it, began, UNSAID)
        if opened is not None:
            return opened
        with self._busy("the system to make it ready for us"):
            opened = self._tried(open_it, began, DRIVER)
        assert opened is not None, "the longest wait ends with a line or an error"
        return opened

    def _tried(self, open_it: Callable[[], Line], began: float, limit: float) -> Line | None:
        """Again and again; None when nobody has waited for longer than the limit."""
        clock = self._host.clock
        while True:
            try:
                return open_it()
            except NotPermitted as error:
                waited = clock.monotonic() - began
                if waited >= (DRIVER if isinstance(error, NoLine) else SETTLE):
                    raise
                if waited >= limit:
                    return None
            self._safe_point()
            clock.pause(AGAIN)
