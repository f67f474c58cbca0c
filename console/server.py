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
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from console import __version__, sockets
from console.bench import Bench
from console.cards import absent_card, pick_device
from console.clock import Clock, MachineClock
from console.errors import BadUsage, BenchError, ConsoleError, GateClosed, NoSuchDevice
from console.families import found
from console.hardware.bus import Bus
from console.owner import OwnerGone
from console.run import Request
from console.state import State, storing
from console.views import device_view

IDLE = 60.0
"""Seconds with no run and no connection after which the bench ends."""
LAST_STEPS = 60.0
"""Seconds in which runs may come to a safe point when the machine asks the bench to end."""
LOOKS_AT_LOCK, BETWEEN_LOOKS = 10, 0.02
"""Who only looks whether a bench lives has the lock for a moment: then it is tried again."""
NAME_A_PORT = "Name it by its path, such as 1-1.4 (it may be empty), or its label: replug devices"


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
            self._behind = not sockets.send(self._wire, {"look": self._server.bench.journal_path})
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
        except Exception as error:  # noqa: BLE001 - our own mistake costs an answer, not the bench
            # The message could quote what a person gave us: only the places.
            traceback.print_tb(error.__traceback__, file=sys.stderr)
            print(type(error).__name__, file=sys.stderr, flush=True)  # noqa: T201 - the bench's log
            mistake = BenchError("The bench made a mistake and did not do this.", "Report it.")
            reply = {"error": error_fields(mistake)}
        with suppress(OSError):  # it does not wait for its answer any more
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
        bench = self._server.bench
        known = {device.visit: device for device in bench.view().here}
        # What could not be written into the day's journal is there all the same.
        return [
            dataclasses.asdict(
                known.get(device.visit) or device_view(bench.desk.introduce(device), "")
            )
            for device in bench.present()
        ]

    def _do_card(self, message: dict[str, Any]) -> dict[str, Any]:
        bench = self._server.bench
        if message.get("not_shown"):
            return dataclasses.asdict(absent_card(message["device"], bench.families))
        return dataclasses.asdict(bench.describe(message["device"]))

    def _do_run(self, message: dict[str, Any]) -> str:
        return self._server.open_run(Request(**message["request"]))

    def _do_answer(self, message: dict[str, Any]) -> None:
        bench = self._server.bench
        bench.answer(message["run"], message["question"], message["answer"], message["by"])

    def _do_stop_run(self, message: dict[str, Any]) -> str:
        return self._server.bench.stop_run(message["run"], message["by"])

    def _do_note(self, message: dict[str, Any]) -> None:
        self._server.bench.note(message["run"], message["text"], message["by"])

    def _do_open_job(self, message: dict[str, Any]) -> None:
        self._server.bench.desk.open_job(message["job"], message["customer"], message["by"])

    def _do_assign(self, message: dict[str, Any]) -> str:
        return self._server.bench.desk.assign(message["port"], message["job"], message["by"])

    def _do_note_job(self, message: dict[str, Any]) -> None:
        self._server.bench.desk.note_job(message["job"], message["text"], message["by"])

    def _do_look(self, _message: dict[str, Any]) -> None:
        self._server.bench.look_again()

    def _do_label(self, message: dict[str, Any]) -> str:
        port = self._port(message["port"])
        return self._server.bench.desk.label(port, message["label"], message["by"])

    def _do_mark(self, message: dict[str, Any]) -> str:
        hands_off, by = message["hands_off"], message["by"]
        port = self._port(message["port"])
        return self._server.bench.desk.mark(port, hands_off=hands_off, by=by)

    def _port(self, words: str) -> str:
        """The port that is meant; a slip of the finger is none. Raises NoSuchDevice."""
        bench = self._server.bench
        bench.do(bench.desk.open)
        book = bench.desk.book
        try:
            return book.port_meant(words) or pick_device(words, bench.present(), book).port
        except NoSuchDevice as error:
            raise NoSuchDevice(
                f"No port is called {words}. {error.sentence}", NAME_A_PORT
            ) from None

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
        self._server.stop("stopped by command")


class Server:
    """Accepts connections until there is nothing to do."""

    def __init__(
        self, bench: Bench, listening: socket.socket, clock: Clock, idle: float = IDLE
    ) -> None:
        self.bench = bench
        self._idle = idle
        self._listening = listening
        self._clock = clock
        self._open = 0
        self._count = threading.Lock()
        self._door = threading.Lock()
        self._closing = False
        self._leaving = ""

    def serve(self) -> str:
        """Serve until asked to leave or idle; why it ended."""
        idle_since = self._clock.monotonic()
        self._listening.settimeout(self._idle / 4)
        while not self._leaving:
            try:
                wire, _ = self._listening.accept()
            except TimeoutError:
                if self._open or self.bench.runs():
                    idle_since = self._clock.monotonic()
                elif self._clock.monotonic() - idle_since >= self._idle:
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
        except OwnerGone:
            pass  # the closed connection tells it
        finally:
            wire.close()
            with self._count:
                self._open -= 1

    def open_run(self, request: Request) -> str:
        """Start a run; its id. Raises GateClosed once the bench is ending."""
        with self._door:
            if self._closing:
                raise GateClosed("The bench is just ending.", "Run it again in a moment.")
            return self.bench.open_run(request)

    def stop(self, reason: str) -> None:
        """Leave, if no run goes on. Raises GateClosed."""
        with self._door:
            runs = sorted(self.bench.runs(), key=int)
            if runs:
                raise GateClosed(
                    f"Run {', '.join(runs)} is going on; the bench stays.",
                    f"Stop it first: replug stop {runs[0]}",
                )
            self._closing = True
        self.leave(reason)

    def stop_at_safe_points(self, reason: str) -> None:
        """Stop every run where that leaves no device half done, for a while at most; then leave."""
        with self._door:
            self._closing = True
        for run in self.bench.runs():
            with suppress(ConsoleError):  # it ended meanwhile
                self.bench.stop_run(run, reason)
        until = self._clock.monotonic() + LAST_STEPS
        while self.bench.runs() and self._clock.monotonic() < until:
            self._clock.pause(BETWEEN_LOOKS)
        self.leave(reason)

    def asked_to_end(self, *_: object) -> None:
        """SIGTERM: a machine that shuts down, or a login that is cleaned up."""
        threading.Thread(
            target=self.stop_at_safe_points, args=("the machine asked it to end",), daemon=True
        ).start()

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


def take_lock(state: State, clock: Clock) -> int | None:
    """The lock's descriptor, held for life; None if another bench holds it."""
    with storing(state.lock):
        descriptor = os.open(state.lock, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(LOOKS_AT_LOCK):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            clock.pause(BETWEEN_LOOKS)
        else:
            return descriptor
    os.close(descriptor)
    return None


def sign_lock(descriptor: int) -> None:
    """Write into the lock who holds it."""
    words = json.dumps({"pid": os.getpid(), "version": __version__})
    os.pwrite(descriptor, words.encode(), 0)
    os.ftruncate(descriptor, len(words))


def bus_for(state: State, clock: Clock) -> Bus:
    """Practice hardware or the machine's own."""
    if state.practice:
        from console.practice.bus import PracticeBus

        return PracticeBus(state.practice, state.root, clock)
    from console.hardware.machine import MachineBus

    return MachineBus(clock)


def run_bench(state: State, clock: Clock, idle: float = IDLE) -> int:
    """Hold the lock, serve, leave. 0 also if another bench was first."""
    state.prepare()
    lock = take_lock(state, clock)
    if lock is None:
        return 0
    with storing(state.root):
        sign_lock(lock)
    bench = Bench(state, bus_for(state, clock), clock, found())
    bench.start()
    listening = sockets.listen(sockets.socket_path(state.root, "bench"))
    server = Server(bench, listening, clock, idle)
    signal.signal(signal.SIGTERM, server.asked_to_end)
    reason = server.serve()
    sockets.socket_path(state.root, "bench").unlink(missing_ok=True)
    bench.stop(reason)
    return 0


def main() -> int:
    """Start as a process; whoever started it waits for the socket, not for us."""
    parser = argparse.ArgumentParser(prog="replug-bench")
    parser.add_argument("--state", required=True)
    parser.add_argument("--practice", default="")
    parser.add_argument("--idle", type=float, default=IDLE)
    given = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    try:
        state = State(Path(given.state), given.practice)
        return run_bench(state, MachineClock(), given.idle)
    except ConsoleError as error:
        print(f"{error.sentence} {error.advice}", file=sys.stderr)  # noqa: T201 - the starter reads it
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
