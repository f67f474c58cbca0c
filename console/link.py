"""The other end of the bench's socket, for screens and commands; starts the bench on demand.

The rule: a link asks and is told; what is true it reads from the journals (see picture.py).
A lock that is held by a bench that does not answer is said, and no second one is started.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
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
from typing import TYPE_CHECKING, Any

from console import __version__, errors, sockets
from console.errors import (
    BadUsage,
    BenchDiffers,
    BenchError,
    BenchGone,
    BenchSilent,
    ConsoleError,
)
from console.state import State, give_back, set_aside, storing

if TYPE_CHECKING:
    from console.run import Request

PATIENCE = 20.0
"""Seconds for which a bench may take to start, or to answer; a slow machine takes several."""
STARTING = 60.0
"""Seconds for which a new bench may take to answer: an emulated machine needs many."""


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
            self._send(json.dumps({"id": number, "do": do, **fields}).encode())
            answer = {} if self._gone else answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise BenchSilent(f"The bench has not answered for {PATIENCE:.0f} s.") from None
        finally:
            del self._answers[number]
        if not answer:
            raise BenchGone("The bench has ended.")
        if "error" in answer:
            raise error_from(answer["error"])
        return answer.get("ok")

    @property
    def is_gone(self) -> bool:
        """Has the bench ended, or the line to it broken?"""
        return self._gone

    def _send(self, message: bytes) -> None:
        if self._gone:
            return
        try:
            self._wire.send(message)
        except OSError as error:  # otherwise it is gone, and the reader notices that
            if error.errno == errno.EMSGSIZE:
                raise BadUsage("That is more than can be told to the bench at once.") from None

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
    """A link to the bench if one lives, or is just starting. Raises BenchSilent."""
    deadline = time.monotonic() + PATIENCE
    while True:
        link = _greeted(state, listen, screen)
        if link is not None or not holder(state):
            return link
        if time.monotonic() > deadline:
            raise silence(state)
        time.sleep(0.02)


def _greeted(state: State, listen: bool, screen: str) -> Link | None:
    wire = sockets.connect(sockets.socket_path(state.root, "bench"))
    if wire is None:
        return None
    link = Link(wire)
    try:
        link.hello = link.ask("hello", listen=listen, screen=screen)
    except BenchGone:  # it was just ending
        link.close()
        return None
    except BenchSilent:
        raise silence(state) from None
    return link


def silence(state: State) -> BenchSilent:
    """What is said of a bench that lives and does not answer."""
    pid = holder(state)
    who = f"Process {pid}" if pid > 0 else "A process"
    how = f"kill -9 {pid}" if pid > 0 else "it is the one that has that file open"
    return BenchSilent(
        f"{who} holds the bench ({state.lock}) and does not answer.",
        f"I start no second one. Wait, or end it: {how}. A run that it performs is then closed as "
        "interrupted.",
    )


def of_same_version(link: Link, state: State) -> Link | None:
    """The link, if the bench is of our version; an idle older bench is ended (None)."""
    theirs = link.hello["version"]
    if theirs == __version__:
        return link
    if link.hello["runs"]:
        raise BenchDiffers(f"The bench that runs here is version {theirs}, this is {__version__}.")
    link.ask("stop_bench")
    link.close()
    wait_until_free(state)
    return None


def reach(state: State, *, listen: bool = False, screen: str = "") -> Link:
    """A link to the bench, started if none lives. Raises BenchError, RecordError."""
    starting: subprocess.Popen[bytes] | None = None
    told_before = 0
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        link = living(state, listen=listen, screen=screen)
        if link is not None:
            link = of_same_version(link, state)
        if link is not None:
            return link
        ended = starting.poll() if starting is not None else 0
        if ended:
            raise _did_not_start(state, told_before)
        if ended == 0:  # none was started yet, or it found the lock held by one that has gone
            must_have_room(state)
            told_before = state.log.stat().st_size if state.log.exists() else 0
            starting = start_bench(state)
        time.sleep(0.02)
    raise BenchSilent(f"The bench did not start within {STARTING:.0f} s.", f"See {state.log}")


def must_have_room(state: State) -> None:
    """Raises NoRoom, NotWritable: a bench that can record nothing is not started."""
    state.prepare()
    room = state.root / "room"
    try:
        set_aside(room)
    finally:
        give_back(room)


def start_bench(state: State) -> subprocess.Popen[bytes]:
    """The bench as a process in a session of its own, away from this terminal."""
    command = [sys.executable, "-m", "console.server", "--state", str(state.root)]
    if state.practice:
        command += ["--practice", state.practice]
    with storing(state.log):
        log = os.open(state.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(log)


def _did_not_start(state: State, told_before: int) -> ConsoleError:
    told = state.log.read_bytes()[told_before:].decode(errors="replace").strip()
    reason = told.splitlines()[-1] if told else "it gave no reason."
    return BenchError(
        f"The bench did not start: {reason}",
        f"More may stand in {state.log}.",
    )


def holder(state: State) -> int:
    """The process that holds the bench's lock; 0 if nobody does, -1 if it is not known."""
    try:
        descriptor = os.open(state.lock, os.O_RDONLY)
    except OSError:
        return 0
    try:
        # Shared, so that two who look do not take each other for a bench.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
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
