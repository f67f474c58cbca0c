"""The owner: the one thread that writes what the bench knows, in the order it is asked.

The rule: whoever asks waits for what comes of it. Once the owner has been let go it does nothing
more, and whoever asks then ends too: a thread that a device kept waiting gives back what it holds.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class OwnerGone(BaseException):
    """The bench has ended. No error that a step could mend: it ends the thread that asked."""


class Owner:
    """A thread, from its start until it is let go."""

    def __init__(self) -> None:
        self._inbox: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="owner", daemon=True)
        self._gate = threading.Lock()
        self._gone = False

    def start(self) -> None:
        self._thread.start()

    def _work(self) -> None:
        while (work := self._inbox.get()) is not None:
            work()

    def let_go(self) -> None:
        """It does what it was asked until now, and ends."""
        with self._gate:
            self._gone = True
            self._inbox.put(None)

    def do(self, work: Callable[[], T]) -> T:
        """Have it done, and wait for what comes of it. Raises OwnerGone."""
        if threading.current_thread() is self._thread:
            return work()
        future: Future[T] = Future()
        self.soon(lambda: _settle(future, work))
        return future.result()

    def soon(self, work: Callable[[], None]) -> None:
        """Have it done without waiting for it. Raises OwnerGone."""
        with self._gate:
            if self._gone:
                raise OwnerGone
            self._inbox.put(work)


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised again where it was asked for
        future.set_exception(error)
