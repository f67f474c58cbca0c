"""The bench as a process behind a socket: `python -m console.server --state DIR`.

The rule: one bench a state directory, by a lock held for life. It outlives the terminal, the
login and every screen; it goes when there has been nothing to do for a minute.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from console import __version__, sockets
from console.bench import Bench
from console.cards import absent_card
from console.clock import Clock, MachineClock
from console.errors import BadUsage, ConsoleError, GateClosed
from console.families import found
from console.hardware.bus import Bus
from console.run import Request
from console.state import State, storing

IDLE = 60.0
"""Seconds with no run and no connection after which the bench ends."""


class Connection:
    """One screen or command: a thread that reads its wishes, and nudges that never wait."""

    def __init__(self, wire: socket.socket, server: Server) -> None:
        self._wire = wire
        self._server = server
        self._screen = ""
        self._behind = False

    def serve(self) -> None:
        """Answer until the other end goes."""
        try:
            while (message := sockets.receive(self._wire)) is not None:
                self._answer(message)
        finally:
            self._server.bench.unlisten(self.nudge)
            if self._screen:
                self._server.bench.screen_lost(self._screen)
            self._wire.close()

    def nudge(self, message: dict[str, Any]) -> None:
        """Pass on what happened; who does not read misses it and is told to look again later."""
        if self._behind:
            self._behind = not sockets.send(self._wire, {"look": True})
        if not self._behind:
            self._behind = not sockets.send(self._wire, message)

    def _answer(self, message: dict[str, Any]) -> None:
        do = getattr(self, f"_do_{message.get('do')}", None)
        reply: dict[str, Any]
        try:
            if do is None:
                raise BadUsage(f"This bench does not know '{message.get('do')}'.")
            reply = {"ok": do(message)}
        except ConsoleError as error:
            reply = {"error": error_fields(error)}
        self._wire.send(json.dumps({"re": message.get("id"), **reply}).encode())

    def _do_hello(self, message: dict[str, Any]) -> dict[str, Any]:
        bench = self._server.bench
        if message.get("screen"):
            self._screen = str(message["screen"])
            bench.screen_came(self._screen)
        journal = bench.listen(self.nudge) if message.get("listen") else ""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "practice": bench.state.practice,
            "journal": journal,
            "runs": sorted(bench.runs()),
        }

    def _do_bye(self, _message: dict[str, Any]) -> None:
        self._screen = ""

    def _do_devices(self, _message: dict[str, Any]) -> list[dict[str, Any]]:
        return [dataclasses.asdict(device) for device in self._server.bench.view().here]

    def _do_card(self, message: dict[str, Any]) -> dict[str, Any]:
        bench = self._server.bench
        if message.get("not_shown"):
            return dataclasses.asdict(absent_card(message["device"], bench.families))
        return dataclasses.asdict(bench.describe(message["device"]))

    def _do_run(self, message: dict[str, Any]) -> str:
        return self._server.bench.open_run(Request(**message["request"]))

    def _do_answer(self, message: dict[str, Any]) -> None:
        bench = self._server.bench
        bench.answer(message["run"], message["question"], message["answer"], message["by"])

    def _do_stop_run(self, message: dict[str, Any]) -> str:
        return self._server.bench.stop_run(message["run"], message["by"])

    def _do_note(self, message: dict[str, Any]) -> None:
        self._server.bench.note(message["run"], message["text"], message["by"])

    def _do_status(self, _message: dict[str, Any]) -> dict[str, Any]:
        bench = self._server.bench
        return {
            "version": __version__,
            "pid": os.getpid(),
            "state": str(bench.state.root),
            "practice": bench.state.practice,
            "started": bench.view().started,
            "runs": sorted(bench.runs()),
            "devices": len(bench.present()),
            "trouble": bench.bus.state(),
        }

    def _do_stop_bench(self, _message: dict[str, Any]) -> None:
        self._server.refuse_while_running()
        self._server.leave("stopped by command")


class Server:
    """Accepts connections until there is nothing to do."""

    def __init__(self, bench: Bench, listening: socket.socket, clock: Clock) -> None:
        self.bench = bench
        self._listening = listening
        self._clock = clock
        self._open = 0
        self._count = threading.Lock()
        self._leaving = ""

    def serve(self) -> str:
        """Serve until asked to leave or idle; why it ended."""
        idle_since = self._clock.monotonic()
        self._listening.settimeout(IDLE / 4)
        while not self._leaving:
            try:
                wire, _ = self._listening.accept()
            except TimeoutError:
                if self._open or self.bench.runs():
                    idle_since = self._clock.monotonic()
                elif self._clock.monotonic() - idle_since >= IDLE:
                    return "nothing to do"
                continue
            idle_since = self._clock.monotonic()
            self._start(wire)
        return self._leaving

    def _start(self, wire: socket.socket) -> None:
        wire.settimeout(None)
        with self._count:
            self._open += 1
        threading.Thread(target=self._serve_one, args=(wire,), daemon=True).start()

    def _serve_one(self, wire: socket.socket) -> None:
        try:
            if not self._leaving:
                Connection(wire, self).serve()
        finally:
            wire.close()
            with self._count:
                self._open -= 1

    def refuse_while_running(self) -> None:
        """Raises GateClosed while a run goes on."""
        runs = sorted(self.bench.runs(), key=int)
        if runs:
            raise GateClosed(
                f"Run {', '.join(runs)} is going on; the bench stays.",
                f"Stop it first: replug stop {runs[0]}",
            )

    def leave(self, reason: str) -> None:
        """End serve(); woken by a connection to ourselves."""
        self._leaving = reason
        poke = sockets.connect(Path(self._listening.getsockname()))
        if poke is not None:
            poke.close()


def error_fields(error: ConsoleError) -> dict[str, str]:
    """An error as it crosses the socket."""
    return {
        "kind": type(error).__name__,
        "sentence": error.sentence,
        "advice": error.advice,
    }


def take_lock(state: State) -> int | None:
    """The lock's descriptor, held for life; None if another bench holds it."""
    with storing(state.lock):
        descriptor = os.open(state.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def sign_lock(descriptor: int) -> None:
    """Write into the lock who holds it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "version": __version__}).encode(), 0)


def bus_for(state: State, clock: Clock) -> Bus:
    """Practice hardware or the machine's own."""
    if state.practice:
        from console.practice.bus import PracticeBus

        return PracticeBus(state.practice, state.root, clock)
    from console.hardware.machine import MachineBus

    return MachineBus(clock)


def run_bench(state: State, clock: Clock) -> int:
    """Hold the lock, serve, leave. 0 also if another bench was first."""
    state.prepare()
    lock = take_lock(state)
    if lock is None:
        return 0
    sign_lock(lock)
    bench = Bench(state, bus_for(state, clock), clock, found())
    bench.start()
    listening = sockets.listen(sockets.socket_path(state.root, "bench"))
    server = Server(bench, listening, clock)
    signal.signal(signal.SIGTERM, lambda *_: server.leave("the machine asked it to end"))
    reason = server.serve()
    sockets.socket_path(state.root, "bench").unlink(missing_ok=True)
    bench.stop(reason)
    return 0


def main() -> int:
    """Start as a process; whoever started it waits for the socket, not for us."""
    parser = argparse.ArgumentParser(prog="replug-bench")
    parser.add_argument("--state", required=True)
    parser.add_argument("--practice", default="")
    given = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    try:
        state = State(Path(given.state), given.practice)
        return run_bench(state, MachineClock())
    except ConsoleError as error:
        print(f"{error.sentence} {error.advice}", file=sys.stderr)  # noqa: T201 - the starter reads it
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
