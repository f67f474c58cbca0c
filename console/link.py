"""The other end of the bench's socket, for screens and commands; starts the bench on demand.

The rule: a link asks and is told; what is true it reads from the journals (see picture.py).
A lock that is held by a bench that does not answer is said, and no second one is started.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import itertools
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from console import __version__, errors, sockets
from console.errors import BenchDiffers, BenchError, BenchSilent, ConsoleError
from console.run import Request
from console.state import State, storing

PATIENCE = 20.0
"""Seconds for which a bench may take to start, or to answer; a slow machine takes several."""


class Link:
    """One connection to the bench of a state directory.

    `nudges` receives every message that is no answer: {"grew": path}, {"progress": run, ...},
    {"look": True}, and {"gone": True} when the bench has ended.
    """

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._gone = False
        self.nudges: queue.Queue[dict[str, Any]] = queue.Queue()
        self.hello: dict[str, Any] = {}
        threading.Thread(target=self._read, name="link", daemon=True).start()

    def _read(self) -> None:
        while (message := sockets.receive(self._wire)) is not None:
            waiting = self._answers.get(message.get("re", 0))
            (self.nudges if waiting is None else waiting).put(message)
        self._gone = True
        for waiting in tuple(self._answers.values()):
            waiting.put({})
        self.nudges.put({"gone": True})

    def ask(self, do: str, **fields: Any) -> Any:
        """What the bench answers. Raises the bench's own error, or BenchSilent."""
        number = next(self._numbers)
        answers = self._answers.setdefault(number, queue.Queue())
        try:
            if not self._gone:
                with contextlib.suppress(OSError):  # the reader notices that it is gone
                    self._wire.send(json.dumps({"id": number, "do": do, **fields}).encode())
            answer = {} if self._gone else answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise BenchSilent(f"The bench has not answered for {PATIENCE:.0f} s.") from None
        finally:
            del self._answers[number]
        if not answer:
            raise BenchError("The bench has ended.", "Start again; its runs were closed.")
        if "error" in answer:
            raise error_from(answer["error"])
        return answer.get("ok")

    def start_run(self, request: Request) -> str:
        """Start a run; its id."""
        return str(self.ask("run", request=dataclasses.asdict(request)))

    def close(self) -> None:
        """Say goodbye, so that this does not look like a dropped line."""
        if not self._gone:
            with contextlib.suppress(BenchError):
                self.ask("bye")
        self._wire.close()


def error_from(fields: dict[str, str]) -> ConsoleError:
    """The error as it was on the other side."""
    kind = getattr(errors, fields["kind"], ConsoleError)
    if not (isinstance(kind, type) and issubclass(kind, ConsoleError)):
        kind = ConsoleError
    return kind(fields["sentence"], fields["advice"])


def living(state: State, *, listen: bool = False, screen: str = "") -> Link | None:
    """A link to the bench if one lives. Raises BenchSilent, BenchDiffers."""
    wire = sockets.connect(sockets.socket_path(state.root, "bench"))
    if wire is None:
        return None
    link = Link(wire)
    link.hello = link.ask("hello", listen=listen, screen=screen)
    return link


def of_same_version(link: Link, state: State) -> Link | None:
    """The link, if the bench is of our version; an idle older bench is ended (None)."""
    theirs = link.hello["version"]
    if theirs == __version__:
        return link
    if link.hello["runs"]:
        raise BenchDiffers(f"The bench that runs here is version {theirs}, this is {__version__}.")
    link.ask("stop_bench")
    wait_until_free(state)
    return None


def reach(state: State, *, listen: bool = False, screen: str = "") -> Link:
    """A link to the bench, started if none lives. Raises BenchError, RecordError."""
    link = living(state, listen=listen, screen=screen)
    if link is not None:
        link = of_same_version(link, state)
    if link is not None:
        return link
    state.prepare()
    starting = start_bench(state)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        link = living(state, listen=listen, screen=screen)
        if link is not None:
            return link
        if starting.poll() not in (None, 0):
            raise _did_not_start(state)
        if starting.poll() == 0 and not holder(state):
            starting = start_bench(state)
        time.sleep(0.05)
    raise BenchSilent(f"A bench holds {state.lock} (process {holder(state)}) and does not answer.")


def start_bench(state: State) -> subprocess.Popen[bytes]:
    """The bench as a process in a session of its own, away from this terminal."""
    command = [sys.executable, "-m", "console.server", "--state", str(state.root)]
    if state.practice:
        command += ["--practice", state.practice]
    with storing(state.log), state.log.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def _did_not_start(state: State) -> ConsoleError:
    lines = state.log.read_text(errors="replace").strip().splitlines()[-1:]
    return BenchError(
        f"The bench did not start: {lines[0] if lines else 'it gave no reason'}",
        f"More may stand in {state.log}.",
    )


def holder(state: State) -> int:
    """The process that holds the bench's lock; 0 if nobody does, -1 if it is not known."""
    try:
        descriptor = os.open(state.lock, os.O_RDWR)
    except OSError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _signed(descriptor)
    finally:
        os.close(descriptor)
    return 0


def _signed(descriptor: int) -> int:
    try:
        return int(json.loads(os.pread(descriptor, 4096, 0)).get("pid", -1))
    except (ValueError, OSError):
        return -1


def wait_until_free(state: State) -> None:
    """Wait until no bench holds the lock. Raises BenchSilent."""
    deadline = time.monotonic() + PATIENCE
    while holder(state):
        if time.monotonic() > deadline:
            raise BenchSilent(f"The bench (process {holder(state)}) does not end.")
        time.sleep(0.02)
