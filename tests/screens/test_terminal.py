"""What the program sends to a terminal: the real one, over a pty, with its bench and practice."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager

from console import link
from console.clock import MachineClock
from console.practice import bus
from console.state import state_directory

PATIENCE = 30.0
"""Seconds for the program to come to something; a slow machine takes several to start."""
QUIET = 1.0
HOTPLUG = 1024  # a busy machine may draw twice; the benchmark prints the figure itself
"""Bytes that a hotplug event may cost: a second of the slowest line we mean to work on."""
TICK = 160
"""Bytes that a second of waiting may cost."""
COLOUR = re.compile(rb"\x1b\[[0-9;]*\b(3[0-8]|4[0-8]|9[0-7]|10[0-7])\b[0-9;]*m")


class Terminal:
    """A pty of 80x24 with the program on it."""

    def __init__(self, state, environment):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        command = [
            sys.executable,
            "-c",
            "import sys; from console.cli import main; sys.exit(main())",
        ]
        self.process = subprocess.Popen(
            [*command, "--state", str(state.root.parents[1]), "--practice", state.practice],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self.all = b""

    def read(self, seconds):
        """What it sends within that time."""
        until, got = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            if select.select([self.ours], [], [], left)[0]:
                try:
                    got += os.read(self.ours, 65536)
                except OSError:  # the program has gone
                    break
        self.all += got
        return got

    def read_until(self, words):
        """Read on until the words have come, and then until it is quiet."""
        until = time.monotonic() + PATIENCE
        while words not in self.all:
            assert time.monotonic() < until, self.all[-3000:]
            self.read(0.1)
        while self.read(QUIET):
            assert time.monotonic() < until, "it never becomes quiet"

    def press(self, keys):
        """As a keyboard would."""
        os.write(self.ours, keys)


@contextmanager
def terminal(tmp_path, scenario, **environment):
    """The program in a terminal, and all that it started, ended afterwards."""
    state = state_directory(str(tmp_path), scenario)
    shown = Terminal(state, environment)
    try:
        yield shown, state
    finally:
        shown.process.kill()
        shown.process.wait()
        os.close(shown.ours)
        pid = link.holder(state)
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
        bus.stop(state.root)


def test_an_idle_screen_sends_nothing_and_a_hotplug_event_little(tmp_path):
    """Over a line of a few hundred bytes a second both matter."""
    with terminal(tmp_path, "core-healthy") as (shown, state):
        shown.read_until(b"Spark Core")
        assert shown.read(3.0) == b""

        bus.pull(state.root, MachineClock(), "1-1")
        assert 0 < len(shown.read(2.0)) <= HOTPLUG
        bus.plug(state.root, MachineClock(), "1-1")
        assert 0 < len(shown.read(2.0)) <= HOTPLUG

        shown.press(b"q")
        assert shown.process.wait(PATIENCE) == 0


def test_a_wait_costs_one_small_tick_a_second(tmp_path):
    """And nothing of it is a colour where NO_COLOR asks for none."""
    with terminal(tmp_path, "core-app", NO_COLOR="1") as (shown, _):
        shown.read_until(b"Spark Core")
        shown.press(b"f")
        shown.read_until(b"WHAT CAN BE DONE")
        shown.press(b"1")
        shown.read_until(b"s start")
        shown.press(b"s")
        deadline = time.monotonic() + PATIENCE
        while b"YOUR HANDS" not in shown.all and time.monotonic() < deadline:
            shown.read(0.2)
        shown.read(1.5)

        assert 0 < len(shown.read(3.0)) <= 4 * TICK
        assert COLOUR.search(shown.all) is None


def test_a_bench_that_is_killed_is_said_and_the_screen_can_be_left(tmp_path):
    """No traceback on the terminal."""
    with terminal(tmp_path, "core-healthy") as (shown, state):
        shown.read_until(b"Spark Core")
        os.kill(link.holder(state), signal.SIGKILL)
        shown.read_until(b"The bench has ended")
        shown.press(b"q")

        assert shown.process.wait(PATIENCE) == 0
        assert b"Traceback" not in shown.all
