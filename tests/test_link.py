"""One bench a state directory: started on demand, found, replaced, and never doubled."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from console import link, sockets
from console.errors import (
    BadUsage,
    BenchError,
    BenchGone,
    BenchSilent,
    GateClosed,
    NoSuchDevice,
)
from console.run import Request
from tests.processes import Place, ended, place, until

REACH = """
import sys
from console.link import reach
from console.state import State
print(reach(State(__import__("pathlib").Path(sys.argv[3]), sys.argv[4])).hello["pid"])
"""
IMPATIENT = """
import sys
from console import cli, link
link.PATIENCE = 0.5
sys.exit(cli.main(sys.argv[1:]))
"""
OLDER = "import console; console.__version__ = '0.0.1'"


@pytest.fixture
def desk(tmp_path):
    """A place with a unit that needs hands; nothing runs but its practice hardware."""
    with place(tmp_path / "state", "core-app") as made:
        yield made


def impatient(desk: Place, *words: str):
    """A command that waits half a second for the bench, instead of 20."""
    return ended(desk.python(IMPATIENT, "--practice", desk.scenario, *words))


@contextmanager
def stopped(pid: int):
    """The process lives and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def bench_log(desk: Place) -> list[dict]:
    """The bench's own journal of today."""
    (day,) = desk.state.days.iterdir()
    return [json.loads(line) for line in day.read_text().splitlines()]


# --- one, and only one --------------------------------------------------------------------


def test_four_that_start_a_bench_at_once_find_the_same_one(desk):
    """The lock decides; who came second connects to who came first."""
    words = (str(desk.state.root), desk.scenario)
    racing = [desk.python(REACH, *words) for _ in range(4)]
    said = [ended(one) for one in racing]

    assert [one.stderr for one in said] == [""] * 4
    assert len({one.stdout for one in said}) == 1
    until(lambda: len(desk.benches()) == 1, "one bench only")
    assert [f"{pid}\n" for pid in desk.benches()] == [said[0].stdout]


def test_a_bench_that_does_not_answer_is_said_and_no_second_is_started(desk):
    """By every command that needs it, within its patience."""
    pid = desk.begin_bench()
    with stopped(pid):
        done = [
            impatient(desk, *words)
            for words in (("run", "check", "1-1"), ("devices",), ("bench", "stop"))
        ]
        status = impatient(desk, "bench", "status", "--json")
        benches = desk.benches()

    assert [one.returncode for one in done] == [5, 5, 5]
    assert [f"Process {pid} holds the bench" in one.stderr for one in done] == [True] * 3
    assert ["does not answer" in one.stderr for one in done] == [True] * 3
    assert json.loads(status.stdout) == {"running": True, "answers": False, "pid": pid}
    assert benches == [pid]
    assert desk.json("runs") == []


def test_a_lock_without_a_socket_is_a_bench_that_does_not_answer(desk):
    """Nobody who reads the lock wrongly may start a second bench."""
    desk.state.prepare()
    with desk.state.lock.open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = impatient(desk, "run", "check", "1-1")

    assert (done.returncode, "does not answer" in done.stderr) == (5, True)
    assert desk.benches() == []


def test_who_only_looks_is_not_taken_for_a_bench(desk):
    """Two may look at the lock at once."""
    desk.state.prepare()
    with desk.state.lock.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)

        assert link.holder(desk.state) == 0


def test_a_full_queue_of_callers_does_not_hold_a_command_up(tmp_path):
    """A bench that accepts nobody any more is as good as none."""
    path = tmp_path / "socket"
    callers = []
    with sockets.listen(path):
        while (caller := sockets.connect(path)) is not None:
            callers.append(caller)
            assert len(callers) < 1000
    for caller in callers:
        caller.close()

    assert len(callers) >= 16


def test_the_link_says_that_the_bench_is_gone(desk):
    """A nudge for who listens, and words for who asks."""
    pid = desk.begin_bench()
    found = link.living(desk.state, listen=True)
    assert found is not None
    os.kill(pid, signal.SIGKILL)
    nudges = [found.nudges.get(timeout=20)]
    while "gone" not in nudges[-1]:
        nudges.append(found.nudges.get(timeout=20))

    with pytest.raises(BenchGone, match="has ended"):
        found.ask("devices")
    found.close()


# --- what it is told ----------------------------------------------------------------------


def test_an_error_of_the_bench_is_the_same_error_here(desk):
    """With its sentence, its advice and its exit code."""
    desk.begin_bench()
    found = link.living(desk.state)
    with pytest.raises(NoSuchDevice, match="no device 9-9") as caught:
        found.ask("card", device="9-9")
    found.close()

    assert (caught.value.exit_code, caught.value.advice != "") == (4, True)


@pytest.mark.parametrize("fields", [{"do": "run"}, {"do": "run", "request": {"color": 1}}])
def test_a_wish_that_makes_no_sense_costs_an_answer_and_not_the_bench(tmp_path, fields):
    """What went wrong is kept without the words that were sent."""
    made = Place(tmp_path, "core-app")
    try:
        made.begin_bench()
        found = link.living(made.state)
        with pytest.raises(BenchError, match="made a mistake"):
            found.ask(**fields, secret="canary")
        assert found.ask("devices")[0]["port"] == "1-1"
        found.close()
        assert "canary" not in made.state.log.read_text()
    finally:
        made.end()


def test_more_than_fits_is_said_and_not_waited_for(desk):
    """An answer of a megabyte."""
    desk.begin_bench()
    found = link.living(desk.state)
    with pytest.raises(BadUsage, match="more than can be told"):
        found.start_run(Request("particle.check", "1-1", {"job": "x" * 1_000_000}))
    found.close()


# --- versions -----------------------------------------------------------------------------


def test_an_idle_bench_of_another_version_is_replaced(desk):
    """By the first command that needs one."""
    old = desk.begin_bench(before=OLDER)
    watched = desk.json("devices")
    detached = desk.replug("run", "check", "1-1", "--detach")
    status = desk.json("bench", "status")

    assert [device["port"] for device in watched] == ["1-1"]
    assert (detached.returncode, status["version"] != "0.0.1") == (0, True)
    assert until(lambda: desk.benches() != [old] and desk.benches(), "the old one to go") == [
        status["pid"]
    ]


def test_a_busy_bench_of_another_version_is_watched_and_stopped(desk):
    """No run is started on it until its own have ended."""
    desk.begin_bench(before=OLDER)
    found = link.living(desk.state)
    found.start_run(Request("particle.check", "1-1", attended=True))
    found.close()
    desk.wait_for("WaitStarted")
    refused = desk.replug("run", "check", "1-1")
    watching = desk.begin("attach", "1")
    stop = desk.replug("stop", "1")

    assert (refused.returncode, "is version 0.0.1" in refused.stderr) == (5, True)
    assert (stop.returncode, ended(watching).returncode) == (0, 130)
    assert desk.replug("bench", "stop").returncode == 0


# --- its end ------------------------------------------------------------------------------


def test_a_bench_with_nothing_to_do_goes_and_says_so(desk):
    """And the next command finds none."""
    desk.begin_bench(idle=2.0)
    until(lambda: not link.holder(desk.state), "the bench to go")

    assert bench_log(desk)[-1]["reason"] == "nothing to do"
    assert link.living(desk.state) is None


def test_a_bench_stays_while_a_run_goes_on(desk):
    """Its minute begins when the run has ended, give or take a quarter."""
    idle = 4.0
    pid = desk.begin_bench(idle=idle)
    desk.replug("run", "check", "1-1", "--detach")
    began = desk.wait_for("WaitStarted")["mono"]
    until(lambda: time.monotonic() - began > 1.5 * idle, "more than its idle time to pass")
    assert link.holder(desk.state) == pid
    desk.replug("stop", "1")
    until(lambda: not link.holder(desk.state), "the bench to go")
    closed = desk.wait_for("RunEnded")["mono"]
    left = bench_log(desk)[-1]["mono"]

    assert left - closed > idle / 2


def test_the_machine_may_end_it_and_runs_come_to_a_safe_point(desk):
    """SIGTERM: the run is stopped in words, not killed in the middle."""
    pid = desk.begin_bench()
    desk.replug("run", "check", "1-1", "--detach")
    desk.wait_for("WaitStarted")
    os.kill(pid, signal.SIGTERM)
    until(lambda: not link.holder(desk.state), "the bench to go")

    assert desk.wait_for("RunEnded")["reason"] == "stopped"
    assert [run["state"] for run in desk.json("runs")] == ["ended"]


def test_a_repair_in_its_write_is_not_cut_short_by_sigterm(tmp_path):
    """The machine waits until the key is in."""
    with place(tmp_path, "core-blank-key", pace=3.0) as made:
        pid = made.begin_bench()
        running = made.begin("run", "rekey", "1-1", "--yes")
        made.wait_for("StepStarted", step="erase")
        os.kill(pid, signal.SIGTERM)
        done = ended(running)

        assert (done.returncode, "REPAIRED" in done.stdout) == (0, True)


def test_a_bench_that_is_ending_starts_no_run(desk):
    """Between "no run goes on" and its end there is no gap for one."""
    from console.server import Server

    class Quiet:
        def runs(self):
            return {}

    listening = sockets.listen(sockets.socket_path(desk.state.root, "other"))
    server = Server(Quiet(), listening, None)
    server.stop("stopped by command")
    path = Path(listening.getsockname())
    listening.close()
    path.unlink()

    with pytest.raises(GateClosed, match="just ending"):
        server.open_run(Request("particle.check", "1-1"))


def test_a_bench_that_cannot_start_says_why(desk):
    """The reason comes from the bench itself, not from what an earlier one left in its log."""
    desk.state.prepare()
    desk.state.log.write_text("An old complaint.\n")
    (desk.state.root / "bench").rmdir()
    (desk.state.root / "bench").write_text("in the way")
    done = desk.replug("run", "check", "1-1")

    assert (done.returncode, "in the way" in done.stderr) == (5, True)
    assert "old complaint" not in done.stderr


def test_silence_has_the_process_and_the_way_out_in_its_words(desk):
    """For who has to end it."""
    desk.state.prepare()
    with desk.state.lock.open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(b'{"pid": 4711}')
        lock.flush()
        told = link.silence(desk.state)

    assert isinstance(told, BenchSilent)
    assert ("Process 4711" in told.sentence, "kill -9 4711" in told.advice) == (True, True)
