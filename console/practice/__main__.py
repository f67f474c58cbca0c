"""The practice process: python -m console.practice --state DIR --scenario NAME

The rule: one a state directory, by a lock held for life. It says on --ready-fd how its start
went: "ready" (it can be connected to) or "held" (another has the lock); nothing if it failed.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from console import sockets
from console.clock import MachineClock
from console.errors import ConsoleError
from console.practice.local import scenario_named
from console.practice.place import Place
from console.practice.process import IDLE, PracticeProcess


def main() -> int:
    arguments = _arguments()
    if arguments.detach and os.fork():
        return 0  # whoever started us waits for this one only, and is left no zombie
    place = Place(arguments.state)
    place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _ignore_hangups()
    with place.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(arguments.ready_fd, "held")
            return 1
        return _live(place, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m console.practice")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--scenario", required=True)
    parser.add_argument("--idle", type=float, default=IDLE)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--ready-fd", type=int, default=None)
    parser.add_argument("--detach", action="store_true")
    return parser.parse_args()


def _ignore_hangups() -> None:
    """A login that ends, or Ctrl-C at a terminal, is no power loss."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _live(place: Place, arguments: argparse.Namespace) -> int:
    try:
        scenario = scenario_named(arguments.scenario)
        process = PracticeProcess(place, scenario, MachineClock(), arguments.idle, arguments.pace)
        path = place.socket()
    except ConsoleError as error:
        print(f"{error.sentence} {error.advice}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    with sockets.listen(path) as listener:
        _say(arguments.ready_fd, "ready")
        try:
            process.serve(listener)
        finally:
            path.unlink(missing_ok=True)
    return 0


def _say(ready_fd: int | None, word: str) -> None:
    if ready_fd is not None:
        with os.fdopen(ready_fd, "w") as ready:
            ready.write(word)


if __name__ == "__main__":
    sys.exit(main())
