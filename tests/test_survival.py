"""Killed, hung up on, cut off, full: what goes on, what is said, and what the next run finds."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from console import link
from console.families.particle import keys
from console.families.particle.simulator import IN_APPLICATION
from tests.processes import KEY_SIZE, Place, Terminal, ended, place, until

HALF = "contents gone, bootloader alive"


@pytest.fixture
def app(tmp_path):
    """A unit that needs hands, which come when the test says so."""
    with place(tmp_path / "state", "core-app") as made:
        yield made


def killed_in(step: str, made: Place) -> subprocess.CompletedProcess[str]:
    """Repair it, and kill -9 the bench when that step has begun."""
    pid = made.begin_bench()
    running = made.begin("run", "rekey", "1-1", "--yes", "--json")
    made.wait_for("StepStarted", step=step)
    os.kill(pid, signal.SIGKILL)
    return ended(running)


# --- terminals ----------------------------------------------------------------------------


def test_a_repair_on_a_terminal_asks_and_is_answered(app):
    """The device id is typed, the job left empty, and consent is the word yes, not Enter."""
    with Terminal(app, "run", "rekey", "1-1") as terminal:
        terminal.expect("device_id (Enter alone: not checked) > ")
        terminal.type(f"{IN_APPLICATION}\n")
        terminal.expect("job (Enter alone: not checked) > ")
        terminal.type("\n")
        terminal.expect("Waiting for the Core in DFU mode")
        app.to_dfu()
        terminal.expect("confirm_erase (type yes or no) > ")
        terminal.type("\n")
        terminal.expect("confirm_erase (type yes or no) > ")
        before = app.seen("Answered", question="confirm_erase")
        terminal.type("yes\n")
        terminal.expect("REPAIRED")
        code = terminal.wait()
    given = {e["question"]: e["answer"] for e in app.events() if e["event"] == "Answered"}

    assert (before, code) == (None, 0)
    assert given == {"device_id": IN_APPLICATION, "job": "not checked", "confirm_erase": "yes"}


def test_keys_pressed_before_the_question_do_not_answer_it(app):
    """A "yes" that was typed ahead is no consent."""
    with Terminal(app, "run", "rekey", "1-1", "--job", "1") as terminal:
        terminal.expect("device_id (Enter alone: not checked) > ")
        terminal.type("\n")
        terminal.expect("Waiting for the Core in DFU mode")
        terminal.type("yes\nyes\n")
        terminal.expect("yes")
        app.to_dfu()
        terminal.expect("confirm_erase (type yes or no) > ")
        terminal.type("no\n")
        code = terminal.wait()

    assert (code, app.seen("Answered", question="confirm_erase")["answer"]) == (130, "no")


def test_the_end_of_the_input_leaves_the_question_open(app):
    """Ctrl-D, and Ctrl-C, are no answers; somebody else may give them."""
    with Terminal(app, "run", "rekey", "1-1") as terminal:
        terminal.expect("device_id (Enter alone: not checked) > ")
        terminal.type("\x04")
        code = terminal.wait()
        left = terminal.shown
    with Terminal(app, "attach", "1") as terminal:
        terminal.expect("device_id (Enter alone: not checked) > ")
        terminal.type("\x03")
        again = terminal.wait()
    listed = app.json("runs")

    assert (code, again, "Run 1 goes on without you" in left) == (6, 6, True)
    assert [run["state"] for run in listed] == ["waiting"]


def test_a_question_that_is_settled_elsewhere_is_taken_back(app):
    """The terminal shows what came of it, and does not wait for a line that nobody needs."""
    with Terminal(app, "run", "rekey", "1-1") as terminal:
        terminal.expect("device_id (Enter alone: not checked) > ")
        app.replug("stop", "1")
        terminal.expect("UNFINISHED. You stopped the run.")
        code = terminal.wait()

    assert code == 130


@pytest.mark.parametrize("answered", [False, True], ids=["at a question", "in a wait"])
def test_a_terminal_that_closes_leaves_the_run_going(app, answered):
    """Window closed, login dropped: another terminal brings it to its end."""
    with Terminal(app, "run", "rekey", "1-1", "--yes", "--job", "1") as terminal:
        terminal.expect("device_id (Enter alone: not checked) > ")
        if answered:
            terminal.type("\n")
            app.wait_for("WaitStarted")
        terminal.close()
        terminal.command.wait(20)
    if not answered:
        with Terminal(app, "attach", "1") as again:
            again.expect("device_id (Enter alone: not checked) > ")
            again.type("\n")
            app.wait_for("WaitStarted")
    app.to_dfu()
    done = app.replug("attach", "1")

    assert (done.returncode, app.wait_for("RunEnded")["verdict"]) == (0, "repaired")


def test_a_screen_that_dies_leaves_its_bench_and_a_new_one_shows_the_run(app):
    """The bench was started by the screen; window closed, then kill -9."""
    with Terminal(app) as first:
        first.expect("Spark Core")
        (bench,) = app.benches()
        app.replug("run", "check", "1-1", "--detach")
        app.wait_for("WaitStarted")
        first.close()
        first.command.wait(20)
    with Terminal(app) as second:
        second.expect("running 1")
        second.command.kill()
    app.to_dfu()

    assert app.wait_for("RunEnded")["reason"] == "fault found"
    assert app.benches() == [bench]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_killed_leaves_the_run_going(app, number):
    """The run belongs to the bench, which is in a session of its own."""
    running = app.begin("run", "check", "1-1", start_new_session=True)
    app.wait_for("WaitStarted")
    os.killpg(running.pid, number)
    running.communicate(timeout=20)
    app.to_dfu()

    assert app.wait_for("RunEnded")["reason"] == "fault found"


# --- a bench that dies --------------------------------------------------------------------


def test_a_bench_killed_in_the_middle_is_closed_named_and_gone_on_from(tmp_path):
    """The follower, the list, the next bench and the next repair say the same."""
    with place(tmp_path, "core-blank-key", pace=2.0) as made:
        followed = killed_in("write", made)
        last = json.loads(followed.stdout.splitlines()[-1])
        (dead,) = made.json("runs")
        shown = made.replug("attach", "1")
        until(lambda: made.present() == ["607f"], "the unit")
        repaired = made.replug("run", "rekey", "1-1", "--yes")
        first, second = made.json("runs")
        vault = [kept["name"] for kept in made.json("vault", "list")]
        page = made.replug("log", "export", "1", "--format", "html").stdout

        assert (followed.returncode, last["event"]) == (1, "RunEnded")
        assert (last["reason"], last["damage"]) == ("interrupted", HALF)
        assert (dead["state"], dead["damage"]) == ("interrupted", HALF)
        assert (shown.returncode, HALF in shown.stdout) == (1, True)
        assert (repaired.returncode, second["verdict"], second["continues"]) == (0, "repaired", "1")
        assert (first["state"], first["damage"]) == ("interrupted", HALF)
        assert made.seen("RunEnded", "1")["reason"] == "interrupted"
        assert ("1-private-key-slot.bin" in vault, HALF in page) == (True, True)
        assert keys.private_slot(made.key_slot()).content is keys.Content.VALID


def test_a_bench_killed_before_the_erase_has_done_no_damage(app):
    """And says so: the unit still has what it had."""
    pid = app.begin_bench()
    app.replug("run", "rekey", "1-1", "--detach")
    app.wait_for("Asked")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not link.holder(app.state), "the bench to be gone")
    (dead,) = app.json("runs")

    assert (dead["state"], dead["damage"]) == ("interrupted", "nothing written")


def test_a_torn_last_line_is_dropped_and_the_run_closed(app):
    """Power went while it was written; what stood before it still holds together."""
    pid = app.begin_bench()
    app.replug("run", "rekey", "1-1", "--detach")
    app.wait_for("Asked")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not link.holder(app.state), "the bench to be gone")
    with app.state.journal("1").open("ab") as journal:
        journal.write(b'{"n": 3, "at": "2026-')
    whole = len(app.events())
    listed = app.json("runs")
    shown = app.replug("attach", "1", "--json")
    app.replug("run", "check", "1-1", "--detach")
    exported = app.replug("log", "export", "1")
    closed = [json.loads(line) for line in exported.stdout.splitlines()]

    assert [run["state"] for run in listed] == ["interrupted"]
    assert json.loads(shown.stdout.splitlines()[-1])["reason"] == "interrupted"
    assert (exported.returncode, len(closed)) == (0, whole + 1)
    assert (closed[-1]["event"], closed[-1]["n"]) == ("RunEnded", whole + 1)


def test_a_journal_that_was_changed_is_said_and_not_believed(app):
    """Neither handed over nor waited for; the other runs are not touched by it."""
    app.to_dfu()
    app.replug("run", "check", "1-1")
    app.replug("bench", "stop")
    app.begin_practice(0.1)
    journal = app.state.journal("1")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(
        b"".join(lines).replace(b"PRACTICE", b"practice", 1).replace(b"core-app", b"core-hat", 1)
    )
    app.to_dfu()
    app.replug("run", "check", "1-1")
    done = [app.replug(*words) for words in (("attach", "1"), ("log", "export", "1"))]

    assert [one.returncode for one in done] == [5, 5]
    assert ["does not hold together" in one.stderr for one in done] == [True, True]
    assert "2" in [run["run"] for run in app.json("runs")]


def test_practice_hardware_that_dies_comes_back_as_it_was(app):
    """The bench starts it again; a run sees an unplug, not an end of the bench."""
    app.begin_bench()
    app.replug("run", "check", "1-1", "--detach")
    app.wait_for("WaitStarted")
    first = app.practice_process()
    os.kill(first, signal.SIGKILL)
    until(lambda: first not in app.processes(), "it to be gone")
    until(lambda: app.present() == ["607d"], "the unit to be back")
    app.to_dfu()

    assert app.wait_for("RunEnded")["reason"] == "fault found"


# --- no room, no right --------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own that can be filled or made read-only."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "replug-test", str(disk)]
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    made = Place(disk, "core-blank-key")
    try:
        yield made
    finally:
        made.end()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave not one block."""
    with (disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(4096))


def test_a_full_state_directory_refuses_the_run_and_leaves_nothing_half_done(small_disk):
    """A sentence, advice and 5; with room again it works."""
    small_disk.begin_practice(0.1)
    fill(small_disk.directory)
    without_bench = small_disk.replug("run", "rekey", "1-1", "--yes")
    (small_disk.directory / "filler").unlink()
    small_disk.begin_bench()
    fill(small_disk.directory)
    with_bench = small_disk.replug("run", "rekey", "1-1", "--yes")
    devices = small_disk.json("devices")
    small_disk.replug("pull", "1-1")
    pulled = small_disk.json("devices")
    folders = small_disk.state.run_ids()
    (small_disk.directory / "filler").unlink()
    small_disk.replug("plug", "1-1")
    small_disk.to_dfu()
    after = small_disk.replug("run", "rekey", "1-1", "--yes")

    for done in (without_bench, with_bench):
        assert (done.returncode, "no room left" in done.stderr) == (5, True), done
    assert ([device["port"] for device in devices], pulled, folders) == (["1-1"], [], ())
    assert after.returncode == 0


def test_a_disk_that_fills_up_in_a_run_does_not_cost_the_verdict(small_disk):
    """The run set room aside for its last lines before it began."""
    small_disk.begin_practice(2.0)
    small_disk.begin_bench()
    running = small_disk.begin("run", "rekey", "1-1", "--yes", "--json")
    small_disk.wait_for("StepStarted", step="erase")
    fill(small_disk.directory)
    done = ended(running)
    last = json.loads(done.stdout.splitlines()[-1])

    assert last["event"] == "RunEnded"
    assert small_disk.json("runs")[0]["state"] == "ended"


def test_a_read_only_state_directory_is_read_and_not_written(small_disk):
    """What is there is shown; what would have to be recorded is refused."""
    small_disk.begin_practice(0.1)
    small_disk.replug("run", "check", "1-1")
    small_disk.replug("bench", "stop")
    disk = str(small_disk.directory)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    runs = small_disk.json("runs")
    record = small_disk.replug("log", "export", "last")
    refused = small_disk.replug("run", "check", "1-1")

    assert (len(runs), record.returncode) == (1, 0)
    assert (refused.returncode, "cannot be written" in refused.stderr) == (5, True)


# --- secrets ------------------------------------------------------------------------------


def test_no_byte_of_a_private_key_lies_outside_the_vault(tmp_path):
    """The key that was found and the key that was written; the device's own memory left out."""
    with place(tmp_path / "state", "core-healthy") as made:
        found = made.flash()[0x2000 : 0x2000 + KEY_SIZE]
        made.begin_practice(0.1)
        running = made.begin("run", "rekey", "1-1", "--yes", "--json")
        made.wait_for("StepStarted", step="erase")
        told = [spoken_of(pid) for pid in [running.pid, *made.processes()]]
        out = ended(running).stdout
        page = made.replug("log", "export", "1", "--format", "html").stdout
        written = made.key_slot()
        vault = [kept.read_bytes() for kept in made.state.vault.iterdir()]
        files = [
            path
            for path in made.directory.rglob("*")
            if path.is_file() and path.parent != made.state.vault and path.name != "practice.json"
        ]
        seen = [out.encode(), page.encode(), *told, *(path.read_bytes() for path in files)]
        canaries = [*forms(found), *forms(written)]

    assert found in vault
    assert found != written
    assert len(files) > 3
    assert [canary for canary in canaries for data in seen if canary in data] == []


def spoken_of(pid: int) -> bytes:
    """What every user of the machine, or this one, can read of a process."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


def forms(slot: bytes) -> list[bytes]:
    """Pieces of the private half of a key, as they would look in a file."""
    key = keys.private_slot(slot).key
    pieces = [key[at : at + 24] for at in range(180, len(key) - 24, 48)]
    texts = [piece.hex(*gap) for piece in pieces for gap in ((), (" ",))]
    texts += [text.upper() for text in texts]
    shifted = [key[at:] for at in range(180, 183)]
    texts += [base64.b64encode(piece)[8:40].decode() for piece in shifted]
    return [*pieces, *(text.encode() for text in texts)]
