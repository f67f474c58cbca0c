"""The other end of a practice process: connecting to it, starting it when it is not there.

The rule: a process that does not answer is said to be silent, never replaced by a second one.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from console import sockets
from console.clock import Clock
from console.errors import BadUsage, BenchError, BenchSilent
from console.practice.messages import unpack_error
from console.practice.place import Place

ANSWER = 10.0
"""Seconds in which the process answers anything but a transfer."""
START = 20.0
"""Seconds in which it has to be there."""
AGAIN = 0.02
"""Seconds between looks while somebody else is starting it."""


class NotRunning(Exception):
    """There is no practice process for this place."""


class Connected:
    """A connection; one question at a time."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._asked = 0

    def ask(self, do: str, timeout: float | None = ANSWER, **fields: Any) -> dict[str, Any]:
        """The answer, however late with None. Raises TimeoutError, EOFError, what is wrong."""
        self._asked += 1
        self._say({"id": self._asked, "do": do, **fields})
        self._socket.settimeout(None if timeout is None else max(timeout, 0.001))
        message = self.hear()
        while message.get("id") != self._asked:  # late, or not asked for
            message = self.hear()
        if "error" in message:
            raise unpack_error(message)
        return message

    def _say(self, message: dict[str, Any]) -> None:
        if not sockets.send(self._socket, message):
            raise EOFError

    def hear(self) -> dict[str, Any]:
        """The next message. Raises EOFError when the process is gone."""
        message = sockets.receive(self._socket)
        if message is None:
            raise EOFError
        return message

    def watch(self) -> None:
        """From here on, hear() waits without a limit and is told what is seen."""
        self._socket.settimeout(None)
        self._say({"id": 0, "do": "watch"})

    def hang_up(self) -> None:
        """End it from any thread; one that waits in hear() gets EOFError."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> Connected:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def connect(root: Path) -> Connected:
    """To the process that is there. Raises NotRunning."""
    connected = sockets.connect(Place(root).socket())
    if connected is None:
        raise NotRunning
    return Connected(connected)


def connect_or_start(root: Path, scenario: str, clock: Clock, pace: float = 1.0) -> Connected:
    """To the process of that scenario. Raises BenchError, BenchSilent."""
    until = clock.monotonic() + START
    while True:
        try:
            return _greeted(connect(root), scenario)
        except NotRunning:
            pass
        if clock.monotonic() >= until:
            raise BenchSilent("The practice hardware is running and cannot be reached.")
        if _start(root, scenario, pace) == "held":
            clock.pause(AGAIN)


def _greeted(connected: Connected, scenario: str) -> Connected:
    try:
        runs = str(connected.ask("hello")["scenario"])
    except TimeoutError:
        connected.hang_up()
        raise BenchSilent("The practice hardware is running and does not answer.") from None
    except EOFError:  # it was just ending
        connected.hang_up()
        raise NotRunning from None
    if runs != scenario:
        connected.hang_up()
        raise BenchError(
            f'Here runs the practice "{runs}", not "{scenario}".',
            "Stop that one first, or name another place: --state DIR",
        )
    return connected


def _start(root: Path, scenario: str, pace: float) -> str:
    """Start the process in a session of its own; how that went, once it says so."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "console.practice", "--detach"]
    command += ["--state", os.fspath(root), "--scenario", scenario]
    command += ["--pace", str(pace), "--ready-fd", str(writing)]
    with Place(root).log.open("ab") as log, os.fdopen(reading, "rb", buffering=0) as ready:
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
                start_new_session=True,
                check=False,
            )
        finally:
            os.close(writing)
        spoke = select.select([ready], [], [], START)[0]
        word = ready.read(16).decode() if spoke else ""
    if not word:
        raise BenchError("The practice hardware did not start.", f"See {Place(root).log}")
    return word


def scenario_kept(root: Path) -> str:
    """The scenario that was practised here last. Raises BadUsage if there was none."""
    try:
        return str(json.loads(Place(root).kept.read_text())["scenario"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BadUsage(f"Nothing has been practised in {root} yet.") from None
