"""Commands and their exit codes, as a script sees them: real processes, practice hardware."""

from __future__ import annotations

import json
import os
import signal

import pytest

from console.cards import pick_device
from console.errors import NoSuchDevice
from console.events import Device
from console.families.particle import FAMILY, keys
from console.families.particle.simulator import BLANK_KEY, HEALTHY, IN_APPLICATION
from console.practice.client import connect
from tests.places import app, bench, blank
from tests.processes import KEY_SIZE, LIMIT, ended, place

__all__ = ["app", "bench", "blank"]

# --- devices and flows --------------------------------------------------------------------


def test_a_port_has_a_name_for_every_command(tmp_path):
    """Given once; it outlives the bench, and names the device."""
    with place(tmp_path, "core-healthy") as made:
        told = made.replug("label", "1-1", "front left")
        assert (0, "Port 1-1 is called front left now.\n") == (told.returncode, told.stdout)
        assert ["front left"] == [d["label"] for d in made.json("devices")]
        made.replug("bench", "stop")
        assert ["front left"] == [d["label"] for d in made.json("devices")]
        assert made.replug("flows", "front left").returncode == 0


def test_a_note_goes_into_the_record_it_is_meant_for(tmp_path):
    """Of the day, or of a run that has ended."""
    with place(tmp_path, "core-healthy") as made:
        made.replug("run", "check", "1-1")
        assert made.replug("note", "it hums").stdout == "The note is in the record of the day.\n"
        told = made.replug("note", "sent back", "--run", "last")
        assert told.stdout == "The note is in the record of run 1.\n"
        assert made.events()[-1]["text"] == "sent back"
        assert made.replug("note", "  ").returncode == 2
        assert made.replug("note", "x", "--run", "9").returncode == 2


def test_a_job_is_opened_filled_shown_and_exported(tmp_path):
    """Device, run, note and file, and the line that sends it more."""
    with place(tmp_path, "core-healthy") as made:
        opened = made.replug("job", "open", "2243", "--customer", "Miller")
        inbox = made.state.job_inbox("2243")
        assert f":{inbox}/" in opened.stdout
        made.replug("job", "add", "2243", "1-1")
        made.replug("run", "check", "1-1")
        made.replug("note", "rings at two", "--job", "2243")
        (inbox / "image.bin").write_bytes(b"123")
        shown = made.replug("job", "show", "2243").stdout
        for words in ("Miller", "Run 1 ", "rings at two", "image.bin, 3 bytes", "scp FILE"):
            assert words in shown
        assert [("2243", ["1"])] == [(j["job"], j["runs"]) for j in made.json("job", "list")]
        exported = made.replug("log", "export", "--job", "2243", "--format", "md")
        assert "# Job 2243" in exported.stdout
        assert made.replug("log", "export").returncode == 2
        assert made.replug("job", "show", "9").returncode == 2


def test_a_run_on_a_device_marked_hands_off_is_refused(tmp_path):
    """A gate (5), before anything is sent; cleared, it is a device as any other."""
    with place(tmp_path, "core-healthy") as made:
        made.replug("mark", "1-1", "hands-off")
        refused = made.replug("run", "check", "1-1")
        assert (5, True) == (refused.returncode, "marked hands off" in refused.stderr)
        assert [] == made.json("flows", "1-1")
        made.replug("mark", "1-1", "clear")
        assert made.json("flows", "1-1")


def test_two_looks_see_the_same_unit(tmp_path):
    """Without a bench: the practice unit lives between the commands."""
    with place(tmp_path, pace=None) as made:
        first, second = made.json("devices"), made.json("devices")

        assert [d["serial"] for d in first] == [keys.serial_of(BLANK_KEY)]
        assert [d["serial"] for d in second] == [d["serial"] for d in first]
        assert made.benches() == []


def test_devices_as_json_have_what_scripts_rely_on(bench):
    """The fields of the contract, with a bench."""
    (device,) = bench.json("devices")

    assert {
        "port": "1-1",
        "label": "",
        "vid": "1d50",
        "pid": "607f",
        "serial": keys.serial_of(HEALTHY),
        "product": "CORE DFU",
        "families": ["particle"],
        "mode": "dfu",
    }.items() <= device.items()
    assert [node["path"] for node in device["nodes"]] == ["practice:1-1"]


@pytest.mark.parametrize("words", ["1-1", keys.serial_of(HEALTHY), "1d50:607f", "1D50:607F"])
def test_a_device_is_named_by_its_port_its_serial_or_its_ids(bench, words):
    """All three mean the same one."""
    flows = bench.json("flows", words)

    own = [f"particle.{flow.name}" for flow in FAMILY.flows]

    assert [flow["id"] for flow in flows] == [*own, "generic.check"]


def test_flows_say_what_will_be_asked(bench):
    """So that a script can bring the answers."""
    rekey = next(flow for flow in bench.json("flows", "1-1") if flow["id"] == "particle.rekey")

    assert {question["id"]: question["optional"] for question in rekey["questions"]} == {
        "device_id": True,
        "job": True,
        "confirm_erase": False,
    }


def test_ids_that_two_devices_have_mean_neither():
    """The port tells them apart."""
    twins = tuple(Device(port, f"v{port}", "1d50", "607f") for port in ("1-1", "1-2"))

    with pytest.raises(NoSuchDevice, match="on the ports 1-1, 1-2") as caught:
        pick_device("1d50:607f", twins)

    assert caught.value.exit_code == 4


def test_watching_tells_what_comes_and_goes(app):
    """One line a change, until Ctrl-C."""
    watching = app.begin("devices", "--watch", "--json")
    lines = [json.loads(watching.stdout.readline())]
    app.replug("press", "1-1", "dfu")
    lines += [json.loads(watching.stdout.readline()) for _ in range(2)]
    watching.send_signal(signal.SIGINT)

    assert ended(watching).returncode == 0
    assert [(line["change"], line["mode"]) for line in lines] == [
        ("+", "app"),
        ("-", "app"),
        ("+", "dfu"),
    ]


# --- what a run comes to ------------------------------------------------------------------


def test_a_repair_ends_with_0_and_its_last_line_is_the_verdict(blank):
    """The unit has a key afterwards, and the run is a practice run everywhere."""
    done = blank.replug("run", "particle.rekey", "1-1", "--yes", "--json", "--job", "2243")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (listed,) = blank.json("runs")
    page = blank.replug("log", "export", "last", "--format", "html").stdout

    assert (done.returncode, done.stderr) == (0, "")
    assert (lines[-1]["event"], lines[-1]["verdict"]) == ("RunEnded", "repaired")
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert {
        "run": "1",
        "flow": "particle.rekey",
        "port": "1-1",
        "job": "2243",
        "state": "ended",
        "verdict": "repaired",
        "practice": "core-blank-key",
    }.items() <= listed.items()
    assert "PRACTICE" in blank.replug("runs").stdout
    assert "practice" in page.lower()
    assert keys.private_slot(blank.key_slot()).content is keys.Content.VALID


def test_a_check_that_finds_a_fault_ends_with_1(blank):
    """And one that finds none with 0, below."""
    done = blank.replug("run", "check", "1-1")

    assert (done.returncode, "Fault found" in done.stdout) == (1, True)


def test_a_check_that_finds_no_fault_ends_with_0(bench):
    """The run that the fixture made, shown again."""
    done = bench.replug("attach", "1")

    assert (done.returncode, "NO FAULT FOUND" in done.stdout) == (0, True)


def test_without_consent_it_ends_with_3_and_the_unit_is_untouched(blank):
    """Not one step of the run could have written."""
    done = blank.replug("run", "rekey", "1-1")
    steps = [event for event in blank.events() if event["event"] == "StepStarted"]

    assert (done.returncode, "confirm_erase" in done.stdout) == (3, True)
    assert [step["step"] for step in steps if not step["undoable"]] == []
    assert blank.key_slot() == b"\xff" * KEY_SIZE


@pytest.mark.parametrize("device_id", [HEALTHY, "not a device id"])
def test_the_wrong_unit_is_refused_with_5_and_untouched(blank, device_id):
    """The work order is for another one, or is no device id at all."""
    done = blank.replug("run", "rekey", "1-1", "--yes", "--answer", f"device_id={device_id}")

    assert (done.returncode, "REFUSED" in done.stdout) == (5, True)
    assert blank.key_slot() == b"\xff" * KEY_SIZE


def test_the_right_unit_is_told_by_its_device_id(blank):
    """Answers come from a file as well, and are recorded."""
    answers = blank.directory / "answers.toml"
    answers.write_text(f'[answers]\ndevice_id = "{BLANK_KEY}"\njob = "77"\nconfirm_erase = true\n')
    done = blank.replug("run", "rekey", keys.serial_of(BLANK_KEY), "--answers", str(answers))
    given = {e["question"]: e["answer"] for e in blank.events() if e["event"] == "Answered"}

    assert done.returncode == 0, done
    assert given == {"device_id": BLANK_KEY, "job": "77", "confirm_erase": "yes"}
    assert [run["job"] for run in blank.json("runs")] == ["77"]


def test_answers_nobody_gave_are_recorded_as_not_checked(blank):
    """Both optional questions."""
    blank.replug("run", "rekey", "1-1", "--yes")
    given = {e["question"]: e["answer"] for e in blank.events() if e["event"] == "Answered"}

    assert given == {"device_id": "not checked", "job": "not checked", "confirm_erase": "yes"}


def test_an_unplug_in_the_write_ends_with_1_and_the_next_run_repairs(tmp_path):
    """The next run continues the first, and the first backup stays the backup."""
    with place(tmp_path, "core-unplug-mid-write") as made:
        first = made.replug("run", "rekey", "1-1", "--yes")
        made.replug("plug", "1-1")
        made.to_dfu()
        second = made.replug("run", "rekey", "1-1", "--yes", "--json")
        runs = made.json("runs")
        vault = made.json("vault", "list")

        assert (first.returncode, second.returncode) == (1, 0), second
        assert [(run["verdict"], run["continues"]) for run in runs] == [
            ("unfinished", ""),
            ("repaired", "1"),
        ]
        assert runs[0]["damage"] == "contents gone, bootloader alive"
        assert "1-private-key-slot.bin" in [kept["name"] for kept in vault]
        assert "2-private-key-slot.bin" not in [kept["name"] for kept in vault]


def test_a_detached_run_prints_its_id_and_is_followed_to_its_end(app):
    """The hands come while somebody follows; both end with the run's code."""
    words = ("--yes", "--answer", f"device_id={IN_APPLICATION}", "--job", "9", "--detach")
    begun = app.replug("run", "rekey", "1-1", *words)
    following = app.begin("attach", "1")
    app.wait_for("WaitStarted", who="you")
    waiting = app.json("runs")[0]["state"]
    pressed = app.replug("press", "1-1")
    followed = ended(following)

    assert (begun.returncode, begun.stdout, begun.stderr) == (0, "1\n", "")
    assert (waiting, pressed.returncode) == ("waiting", 0)
    assert (followed.returncode, "REPAIRED" in followed.stdout) == (0, True)
    assert app.replug("attach", "last", "--json").stdout.splitlines()[-1].count("repaired") == 1


def test_a_question_that_waits_leaves_a_script_with_6(blank):
    """A detached run waits for a person; a script that follows it does not."""
    blank.replug("run", "rekey", "1-1", "--detach")
    blank.wait_for("Asked")
    done = blank.replug("attach", "1")
    stopped = blank.replug("stop", "1")
    after = blank.replug("attach", "1")

    assert (done.returncode, "Run 1 goes on" in done.stderr) == (6, True)
    assert (stopped.returncode, after.returncode) == (0, 130)


def test_a_stopped_run_ends_with_130(app):
    """For who started it and for who shows it afterwards."""
    running = app.begin("run", "check", "1-1")
    app.wait_for("WaitStarted")
    stopped = app.replug("stop", "1")

    assert stopped.returncode == 0
    assert ended(running).returncode == 130
    assert app.replug("attach", "1").returncode == 130


def test_ctrl_c_leaves_the_run_going(app):
    """It ends the command with 6 and names the run."""
    running = app.begin("run", "check", "1-1", "--json")
    app.wait_for("WaitStarted")
    running.send_signal(signal.SIGINT)
    left = ended(running)

    assert (left.returncode, " attach 1; " in left.stderr) == (6, True)
    assert [run["state"] for run in app.json("runs")] == ["waiting"]


def test_a_reader_that_goes_away_leaves_the_run_going(app):
    """As `replug run ... | head -1` does."""
    running = app.begin("run", "check", "1-1")
    assert running.stdout.readline().startswith("PRACTICE  run 1")
    app.wait_for("WaitStarted")
    running.stdout.close()
    app.replug("press", "1-1")
    running.stdout = None
    left = ended(running)

    assert (left.returncode, "Run 1 goes on without you" in left.stderr) == (6, True)
    assert app.wait_for("RunEnded")["reason"] == "fault found"


def test_one_device_has_one_run_at_a_time(app):
    """The second is refused and names the first; the bench stays while it goes on."""
    app.replug("run", "check", "1-1", "--detach")
    second = app.replug("run", "check", "1-1")
    stopping = app.replug("bench", "stop")

    assert (second.returncode, "Run 1 is going on" in second.stderr) == (5, True)
    assert (stopping.returncode, "the bench stays" in stopping.stderr) == (5, True)
    assert len(app.json("runs")) == 1


# --- the slow ones ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """Two runs that take ten seconds by their nature, begun before the other tests."""
    dead_root, held_root = tmp_path_factory.mktemp("dead"), tmp_path_factory.mktemp("held")
    with place(dead_root, "case-3") as dead, place(held_root, "core-healthy") as held:
        device = held.json("devices")[0]
        with connect(held.state.root) as other:
            other.ask("open", port=device["port"], visit="practice-1")
            yield {
                "dead": dead.begin("run", "rekey", "1-1", "--yes", "--json"),
                "held": held.begin("run", "check", "1-1"),
            }


@pytest.fixture(scope="module", autouse=True)
def _begun_early(slow):
    """So that they go on while the others run."""


def test_a_dead_memory_is_proven_and_ends_with_1(slow):
    """Beyond repair: the erase that never ended is in the record, and was sent once."""
    done = ended(slow["dead"], 2 * LIMIT)
    last = json.loads(done.stdout.splitlines()[-1])

    assert done.returncode == 1
    assert (last["event"], last["verdict"]) == ("RunEnded", "beyond repair")
    assert "No second erase was sent." in last["proof"]


def test_a_device_that_another_program_holds_is_refused_with_5_by_name(slow):
    """It waits a while for permissions to arrive, then names the holder."""
    done = ended(slow["held"], 2 * LIMIT)

    assert (done.returncode, f"in use by process {os.getpid()}" in done.stdout) == (5, True)
