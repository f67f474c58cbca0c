"""Commands about the record, commands that cannot be meant, and what a command costs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.answers import collect
from console.errors import BadUsage
from console.state import State
from tests.places import app, bench, blank
from tests.processes import KEY_SIZE, Place, ended, place, until

__all__ = ["app", "bench", "blank"]

# --- what cannot be meant -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("frobnicate",), 2, "invalid choice"),
        (("bench", "status", "--js"), 2, "unrecognized arguments"),
        (("run", "nix", "1-1"), 2, "There is no flow nix"),
        (("run", "other.check", "1-1"), 2, "There is no flow other.check"),
        (("run", "check"), 2, "No device was named"),
        (("run", "check", "1-1", "--answer", "pin=1"), 2, "has no question pin"),
        (("run", "rekey", "1-1", "--answer", "job"), 2, "has no value"),
        (("run", "rekey", "1-1", "--job", "1", "--answer", "job=2"), 2, "Two jobs are named"),
        (("run", "rekey", "1-1", "--job", "1\x1b[2J"), 2, "not plain text"),
        (("run", "rekey", "1-1", "--answer", "job=\udcff"), 2, "not plain text"),
        (("run", "check", "1-1", "--answers", "/no/such.toml"), 2, "cannot be read"),
        (("run", "check", "9-9"), 4, "There is no device 9-9"),
        (("flows", "dead:beef"), 4, "There is no device dead:beef"),
        (("attach", "99"), 2, "There is no run 99"),
        (("stop", "99"), 2, "There is no run 99"),
        (("stop", "1"), 2, "Run 1 is not going on"),
        (("log", "export", "99"), 2, "There is no run 99"),
        (("log", "export", "1", "--format", "pdf"), 2, "invalid choice"),
        (("log", "export", "1", "--to", "/proc/nowhere/file"), 5, "/proc/nowhere"),
        (("vault", "delete", "nothing"), 2, "There is no nothing in the vault"),
        (("press", "1-1", "eject"), 2, 'has no "eject"'),
        (("plug", "1-1"), 2, "is plugged in already"),
        (("pull", "7-7"), 4, 'has no port "7-7"'),
        (("--practice", "nix", "devices"), 2, "There is no practice scenario nix"),
        (("--practice", "../..", "devices"), 2, "There is no practice scenario"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_a_sentence_and_a_code(bench, words, code, sentence):
    """Nothing is printed as a result, and no run is begun."""
    before = len(bench.state.run_ids())
    done = bench.replug(*words)

    assert (done.returncode, done.stdout) == (code, ""), done
    assert sentence in done.stderr
    assert len(bench.state.run_ids()) == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[answers]\npin = "1234"', "stands in clear"),
        ("[answers]\npin = 1234", "stands in clear"),
        ('[answers]\nname = "x"', "has no question name"),
        ("[answers]\npin = { file = '/no/such' }", "cannot be read"),
        ("[answers]\npin = { fd = 99 }", "is not open"),
        ("[answers]\npin = { word = 'x' }", "must be"),
        ("pin = 'x'", "must hold one table"),
        ("[answers", "is not TOML"),
        ("[answers]\njob = 1.5", "must be a text"),
    ],
)
def test_an_answers_file_that_cannot_be_meant_is_refused(tmp_path, text, sentence):
    """Before a run; no sentence repeats the secret."""
    file = tmp_path / "answers.toml"
    file.write_text(text)

    with pytest.raises(BadUsage, match=sentence) as caught:
        collected(tmp_path, file=str(file))

    assert "1234" not in caught.value.sentence + caught.value.advice


def test_a_secret_on_the_command_line_is_refused(tmp_path):
    """Everybody on the machine could read it."""
    with pytest.raises(BadUsage, match="may not stand on a command line") as caught:
        collected(tmp_path, "pin=1234")

    assert "1234" not in caught.value.sentence + caught.value.advice


def test_secrets_are_read_from_a_file_or_an_open_descriptor(tmp_path):
    """One line each, without its end."""
    (tmp_path / "pin").write_text("1234\n")
    (tmp_path / "puk").write_text("5678")
    file = tmp_path / "answers.toml"
    with (tmp_path / "puk").open() as opened:
        file.write_text(
            f"[answers]\npin = {{ file = '{tmp_path}/pin' }}\npuk = {{ fd = {opened.fileno()} }}\n"
        )
        answers = collected(tmp_path, file=str(file))

    assert answers == {"pin": "1234", "puk": "5678"}


def test_a_file_is_named_in_full_and_standard_input_is_kept_for_the_run(tmp_path, monkeypatch):
    """The bench has another working directory, and no standard input of ours."""
    monkeypatch.chdir(tmp_path)
    answers = collected(tmp_path, "image=firmware.bin", "other=-", stdin=b"\x7fELF")

    assert answers["image"] == str(tmp_path / "firmware.bin")
    assert Path(answers["other"]).read_bytes() == b"\x7fELF"
    with pytest.raises(BadUsage, match="one file only"):
        collected(tmp_path, "image=-", "other=-")


def collected(tmp_path, *given, file=None, stdin=b""):
    """The answers to a flow with every kind of question."""
    kinds = {"pin": "secret", "puk": "secret", "image": "file", "other": "file", "job": "text"}
    return collect(given, file, kinds, State(tmp_path), lambda: io.BytesIO(stdin))


# --- the record ---------------------------------------------------------------------------


def test_options_stand_before_and_after_the_command_word(bench):
    """Both mean the same."""
    words = ("--state", str(bench.directory), "--practice", bench.scenario)
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", "log", "list", "--json", *words],
        env=bench.environ,
        capture_output=True,
        check=True,
    )

    assert json.loads(done.stdout)[0]["job"] == "2243"


def test_the_record_is_handed_over_as_it_is_or_as_a_page(bench, tmp_path):
    """To the output, or to a file that is named afterwards."""
    raw = bench.replug("log", "export", "1").stdout
    page = bench.replug("log", "export", "1", "--format", "html", "--to", str(tmp_path / "page"))

    assert raw == bench.state.journal("1").read_text()
    assert page.stdout == f"{tmp_path / 'page'}\n"
    assert "2243" in (tmp_path / "page").read_text()


def test_a_record_sent_into_a_pipe_does_not_replace_it(bench, tmp_path):
    """As a process substitution of a shell, or /dev/null, is one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = bench.replug("log", "export", "1", "--to", str(pipe))
        told = os.read(reading, 1 << 20)
    finally:
        os.close(reading)

    assert (done.returncode, pipe.is_fifo()) == (0, True)
    assert told == bench.state.journal("1").read_bytes()


def test_the_vault_lists_digests_and_deletes_by_name(blank):
    """All of the names or none; what is gone cannot be deleted again."""
    blank.replug("run", "rekey", "1-1")
    (kept,) = blank.json("vault", "list")
    half = blank.replug("vault", "delete", kept["name"], "nothing")
    still = blank.json("vault", "list")
    gone = blank.replug("vault", "delete", kept["name"], kept["name"])

    assert (kept["name"], kept["run"], kept["size"]) == ("1-private-key-slot.bin", "1", KEY_SIZE)
    assert (half.returncode, still) == (2, [kept])
    assert (gone.returncode, gone.stdout) == (0, f"{kept['name']} is deleted.\n")
    assert blank.replug("vault", "list").stdout == "The vault is empty.\n"


def test_the_bench_says_whether_it_lives_and_ends_when_told(tmp_path):
    """Its practice hardware ends with it; ending nothing is no error."""
    with place(tmp_path) as made:
        before = made.json("bench", "status")
        made.replug("run", "check", "1-1")
        during = made.json("bench", "status")
        stopped = made.replug("bench", "stop")
        again = made.replug("bench", "stop")

        assert before == {"running": False, "pid": 0}
        assert (during["running"], during["answers"], during["runs"]) == (True, True, [])
        assert (stopped.stdout, again.stdout) == ("The bench has ended.\n", "No bench runs.\n")
        assert (again.returncode, made.processes()) == (0, [])


def test_hands_plug_pull_and_press(app):
    """What a command did to the unit, the next command sees."""
    app.replug("press", "1-1", "dfu")
    until(lambda: app.present() == ["607f"], "the unit in DFU mode")
    pressed = app.json("devices")
    app.replug("pull", "1-1")
    pulled = app.replug("devices")
    app.replug("plug", "1-1")

    assert [device["mode"] for device in pressed] == ["dfu"]
    assert pulled.stdout == "Nothing is plugged in.\n"
    assert [device["mode"] for device in app.json("devices")] == ["app"]


def test_hands_are_for_practice_only(tmp_path):
    """A real unit is not pulled by a command."""
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", "--state", str(tmp_path), "pull", "1-1"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "Only practice hardware" in done.stderr) == (2, True)


# --- ends of a command that are not there -------------------------------------------------


def test_a_closed_standard_input_is_no_trouble(bench):
    """As some schedulers leave it."""
    closing = "import os, sys\nos.close(0)\nos.execv(sys.executable, sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", closing, *bench.words("run", "check", "1-1")],
        env=bench.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_seen_enough_is_no_error(bench):
    """`replug devices | head -0`, with nobody to tell."""
    listing = bench.begin("devices", "--json", stderr=subprocess.STDOUT)
    listing.stdout.close()
    listing.stdout = None

    assert ended(listing).returncode == 0


@pytest.mark.parametrize(("words", "code"), [(("runs",), 1), (("run", "check", "1-1"), 6)])
def test_an_output_on_a_full_disk_is_a_sentence(bench, words, code):
    """A run goes on without it."""
    with Path("/dev/full").open("w") as full:
        done = bench.replug(*words, stdout=full)
    last = bench.state.run_ids()[-1]

    assert done.returncode == code
    assert "cannot be written" in done.stderr or "goes on without you" in done.stderr
    assert bench.wait_for("RunEnded", last)["verdict"] == "no fault found"


def test_a_state_directory_that_is_a_file_is_a_sentence(tmp_path):
    """For who reads and for who writes."""
    (tmp_path / "file").write_text("not a folder")
    made = Place(tmp_path / "file")
    words = (("runs",), ("vault", "list"), ("devices",))
    codes = [made.replug(*command).returncode for command in words]

    assert codes == [5, 5, 5]
    assert (tmp_path / "file").read_text() == "not a folder"


# --- what a command costs -----------------------------------------------------------------

PLAIN_COMMANDS = (
    ("devices",),
    ("flows", "1-1"),
    ("runs",),
    ("log", "list"),
    ("ticket", "last"),
    ("vault", "list"),
    ("bench", "status"),
    ("scenarios",),
)


@pytest.mark.parametrize("words", PLAIN_COMMANDS, ids=" ".join)
def test_a_plain_command_imports_no_screen(bench, words):
    """Nor what only a report, a real bus or a repair needs."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *bench.words(*words)[1:]],
        env=bench.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    imported = {name.partition(".")[0] for name in names}
    looks = words[0] in ("devices", "flows", "scenarios")

    assert imported & {"textual", "rich", "jinja2", "pyudev", "usb", "smartcard"} == set()
    assert looks or "cryptography" not in imported
