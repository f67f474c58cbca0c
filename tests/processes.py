"""What tests of whole processes share: a state directory, its commands, its terminals, its dead.

The rule: a wait is for a condition and has a limit; every process that a test caused is ended
with its place, found by the state directory on its command line.
"""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from console import sockets
from console.clock import MachineClock
from console.practice import bus
from console.practice.bus import PracticeBus
from console.state import State

T = TypeVar("T")

LIMIT = 60.0
"""Seconds for anything; a busy machine takes several for what takes one."""
KEY_SLOT = 0x2000
KEY_SIZE = 1024


def until(condition: Callable[[], T], what: str, limit: float = LIMIT) -> T:
    """What the condition gives once that is true; fails when the limit has passed."""
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {limit:.0f} s for: {what}"
        time.sleep(0.005)
    return found


class Place:
    """A state directory with one practice scenario, and everything that runs for it."""

    def __init__(self, root: Path, scenario: str = "core-blank-key") -> None:
        self.directory = root
        self.scenario = scenario
        self._started: list[subprocess.Popen[str]] = []
        self.state = State(root / "practice" / scenario, scenario)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(root / "home"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "xterm",
            "USER": "tech",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

    def begin_practice(self, pace: float) -> None:
        """Start the practice hardware; a reset, an erase, a write take `pace` times as long."""
        PracticeBus(self.scenario, self.state.root, MachineClock(), pace).scan()

    def present(self) -> list[str]:
        """The product id of every device that is on the practice bus now."""
        return [d.pid for d in PracticeBus(self.scenario, self.state.root, MachineClock()).scan()]

    def to_dfu(self) -> None:
        """What hands do before a repair; the unit is there when this returns."""
        bus.press(self.state.root, MachineClock(), "dfu", "1-1")
        until(lambda: self.present() == ["607f"], "the unit in DFU mode")

    # --- commands ------------------------------------------------------------------------

    def words(self, *words: str) -> list[str]:
        options = ["--state", str(self.directory), "--practice", self.scenario]
        return [sys.executable, "-m", "console.cli", *options, *words]

    def begin(self, *words: str, **how: Any) -> subprocess.Popen[str]:
        """A command that goes on while the test does."""
        return self._start(self.words(*words), **how)

    def replug(self, *words: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """A command to its end; it never shows a traceback."""
        return ended(self.begin(*words, **how))

    def python(self, code: str, *words: str) -> subprocess.Popen[str]:
        """Python of the test's own as a process of this place."""
        return self._start([sys.executable, "-c", code, "--state", str(self.directory), *words])

    def begin_bench(self, idle: float = 60.0, before: str = "") -> int:
        """Start a bench by hand (`before` is run in it first); its process id."""
        code = f"{before}\nfrom console.server import main\nraise SystemExit(main())"
        words = [sys.executable, "-c", code, "--state", str(self.state.root)]
        words += ["--practice", self.scenario, "--idle", str(idle)]
        self.state.prepare()
        with self.state.log.open("ab") as log:
            bench = self._start(words, cwd="/", stdout=log, stderr=log, start_new_session=True)
        path = sockets.socket_path(self.state.root, "bench")
        until(lambda: _answers(path), "the bench to listen")
        return bench.pid

    def _start(self, words: list[str], **how: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started = subprocess.Popen(words, env=self.environ, text=True, **{**pipes, **how})
        self._started.append(started)
        return started

    # --- what is there -------------------------------------------------------------------

    def json(self, *words: str) -> Any:
        """What a command prints with --json."""
        done = self.replug(*words, "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def events(self, run: str = "1") -> list[dict[str, Any]]:
        """A run's journal so far; a line that is being written is left out."""
        try:
            lines = self.state.journal(run).read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def seen(self, event: str, run: str = "1", **fields: Any) -> dict[str, Any] | None:
        """The first such event of a run, if it has come yet."""
        for known in self.events(run):
            if known["event"] == event and fields.items() <= known.items():
                return known
        return None

    def wait_for(self, event: str, run: str = "1", **fields: Any) -> dict[str, Any]:
        found = until(lambda: self.seen(event, run, **fields), f"{event} {fields} in run {run}")
        assert found is not None
        return found

    def benches(self) -> list[int]:
        """Every bench process of this place."""
        return [pid for pid in self.processes() if b"--scenario" not in _command(pid)]

    def processes(self) -> list[int]:
        """Every process of this place that outlives a command: benches and practice hardware."""
        ours = os.fsencode(self.state.root)
        return [pid for pid in _all_processes() if ours in _command(pid).split(b"\0")]

    def practice_process(self) -> int:
        return next(pid for pid in self.processes() if b"--scenario" in _command(pid))

    def flash(self) -> bytes:
        """The device's external memory. Ends the practice hardware, which keeps it."""
        bus.stop(self.state.root)
        kept = json.loads((self.state.root / "practice.json").read_text())
        memories = kept["slots"]["1-1"]["device"]["bootloader"]["memories"]
        return zlib.decompress(base64.b64decode(memories["external"]))

    def key_slot(self) -> bytes:
        return self.flash()[KEY_SLOT : KEY_SLOT + KEY_SIZE]

    def end(self) -> None:
        """End every process that has this place on its command line."""
        ours = os.fsencode(self.directory)
        for pid in _all_processes():
            if pid != os.getpid() and ours in _command(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for started in self._started:
            started.wait(LIMIT)
            for pipe in (started.stdout, started.stderr):
                if pipe is not None:
                    pipe.close()
        for what in ("bench", "practice"):
            sockets.socket_path(self.state.root, what).unlink(missing_ok=True)


def ended(command: subprocess.Popen[str], limit: float = LIMIT) -> subprocess.CompletedProcess[str]:
    """A command's end; fails if it does not come, or shows a traceback."""
    try:
        out, err = command.communicate(timeout=limit)
    finally:
        if command.poll() is None:
            command.kill()
            command.communicate()
    assert "Traceback" not in (err or ""), err
    return subprocess.CompletedProcess(command.args, command.returncode, out or "", err or "")


@contextmanager
def place(
    root: Path, scenario: str = "core-blank-key", pace: float | None = 0.1
) -> Iterator[Place]:
    """A place whose processes are ended; its bench has complained of nothing by then."""
    made = Place(root, scenario)
    try:
        if pace is not None:
            made.begin_practice(pace)
        yield made
        told = made.state.log.read_text() if made.state.log.exists() else ""
        assert "Traceback" not in told, told
    finally:
        made.end()


def _answers(path: Path) -> bool:
    wire = sockets.connect(path)
    if wire is not None:
        wire.close()
    return wire is not None


def _all_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Terminal:
    """A command on a terminal of its own, which may be closed under it."""

    def __init__(self, place: Place, *words: str) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.shown = ""
        self.command = subprocess.Popen(
            ["setsid", "--ctty", *place.words(*words)],
            env=place.environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def expect(self, text: str, limit: float = LIMIT) -> str:
        """All that was shown up to this text, which is taken."""
        end = time.monotonic() + limit
        while text not in self.shown:
            assert time.monotonic() < end, f"waited for {text!r} in {self.shown!r}"
            if not self._read(0.2):
                break
        assert text in self.shown, f"no {text!r} in {self.shown!r}"
        before, _, self.shown = self.shown.partition(text)
        return before

    def _read(self, limit: float) -> bool:
        """Read what there is; False at the end."""
        if not select.select([self._master], [], [], limit)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed (Linux says EIO)
            return False
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        """As when a window is closed or a login dropped: SIGHUP, and nothing to write to."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def wait(self) -> int:
        """The exit code; what is shown meanwhile is read."""
        end = time.monotonic() + LIMIT
        while self.command.poll() is None and time.monotonic() < end:
            if self._master < 0 or not self._read(0.05):
                self.command.wait(LIMIT)
        while self._master >= 0 and self.command.poll() is not None and self._drain():
            pass
        assert "Traceback" not in self.shown, self.shown
        return self.command.wait(0.1)

    def _drain(self) -> bool:
        before = len(self.shown)
        return self._read(0.05) and len(self.shown) > before

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self.command.poll() is None:
            self.command.kill()
        self.command.wait(LIMIT)
