"""Hostile devices on the command line: what each command prints, and what the log holds."""

from __future__ import annotations

import hashlib
import json

import pytest

from console.journal import replay
from console.views import bench_view, run_view
from tests.hostile.overlay import hostile_place
from tests.hostile.texts import TEXTS, must_be_harmless
from tests.processes import until


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One hostile bench with a run that was stopped, a job, notes and an inbox."""
    with hostile_place(tmp_path_factory.mktemp("hostile")) as made:
        made.replug("job", "open", "2243", "--customer", TEXTS["markdown"])
        made.replug("job", "add", "2243", "1-14")
        for text in ("html", "rich", "json", "formats", "hebrew", "tower", "wide"):
            made.replug("note", TEXTS[text].replace("\0", ""), "--job", "2243")
        made.replug("label", "1-14", "[red]<b>`|")
        begun = made.replug("run", "check", "1-14", "--detach", "--json")
        run = json.loads(begun.stdout)["run"]
        made.replug("note", TEXTS["html"], "--run", run)
        until(lambda: made.seen("StepDone"), "the first step")
        made.replug("stop", run)
        made.wait_for("RunEnded")
        inbox = made.state.job_inbox("2243")
        for name in ("escapes", "controls", "bidi", "rich", "wide"):
            (inbox / f"a{TEXTS[name][:60]}".replace("/", "").replace("\0", "")).write_bytes(b"1")
        yield made


COMMANDS = [
    ("devices",),
    ("flows", "1-1"),
    ("runs",),
    ("attach", "1"),
    ("job", "list"),
    ("job", "show", "2243"),
    ("ticket", "1"),
    ("log", "export", "1", "--format", "md"),
    ("log", "export", "1", "--format", "html"),
    ("log", "export", "1"),
    ("log", "export", "--job", "2243", "--format", "md"),
    ("log", "export", "--job", "2243"),
    ("devices", "--json"),
    ("flows", "1-1", "--json"),
    ("runs", "--json"),
    ("job", "show", "2243", "--json"),
    ("attach", "1", "--json"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_prints_what_a_terminal_obeys(place, words):
    """Plain words and JSON alike."""
    done = place.replug(*words)

    assert done.returncode in (0, 130), done
    assert done.stdout
    must_be_harmless(done.stdout)
    must_be_harmless(done.stderr)


def test_every_device_has_one_line_and_every_json_line_one_object(place):
    """A line end in a name begins no line."""
    lines = place.replug("devices").stdout.splitlines()
    names = {device["product"] for device in place.json("devices")}

    assert [line.split()[0] for line in lines] == [
        device["port"] for device in place.json("devices")
    ]
    assert len(names) == len(TEXTS)
    for words in (("attach", "1", "--json"), ("log", "export", "1")):
        for line in place.replug(*words).stdout.splitlines():
            assert "event" in json.loads(line)


def test_watching_tells_each_in_one_line(place):
    """Plain and as JSON."""
    for words in (("devices", "--watch"), ("devices", "--watch", "--json")):
        watching = place.begin(*words)
        lines = [watching.stdout.readline() for _ in TEXTS]
        watching.kill()
        watching.communicate()

        must_be_harmless("".join(lines))
        assert all(line.startswith(("+ 1-", '{"change": "+"')) for line in lines)


def test_a_file_in_the_inbox_begins_no_line_with_its_name(place):
    """Its line end would make it look like one of ours."""
    shown = place.replug("job", "show", "2243").stdout.splitlines()

    assert sum(line.startswith("File a") for line in shown) == 5
    assert not any(line.startswith("run 9") for line in shown)


def test_what_a_command_is_given_is_refused_or_shown_in_words(place):
    """A refusal quotes what it refuses."""
    for words in (
        ("run", "check", "\x1b[2J\u202e"),
        ("run", "\x1b]0;x\x07", "1-1"),
        ("label", "1-1", "a\x1b[2J"),
        ("note", "a\x9b2J"),
        ("job", "open", "\x1b[2J"),
        ("log", "export", "\u202e1"),
        ("attach", "\x1b[2J"),
    ):
        done = place.replug(*words)

        assert done.returncode not in (0, 1), words
        must_be_harmless(done.stdout + done.stderr)


def test_the_log_is_one_object_a_line_chained_and_replayed(place):
    """ASCII on disk, whatever was said; the fold shows what the screen showed."""
    journals = [*place.state.days.glob("*.jsonl"), place.state.journal("1")]
    for path in (*journals, place.state.job("2243")):
        data = path.read_bytes()
        assert data.isascii()
        assert all(32 <= byte < 127 or byte == 10 for byte in data)
        hashes = [""]
        for number, line in enumerate(data.splitlines(), start=1):
            fields = json.loads(line)
            assert (fields["n"], fields["prev"]) == (number, hashes[-1])
            hashes.append(hashlib.sha256(line).hexdigest())
        assert replay(path).broken == ""

    day = bench_view(replay(journals[0]).records)
    assert {device.port: device.product for device in day.devices} == {
        device["port"]: device["product"] for device in place.json("devices")
    }
    assert run_view(replay(place.state.journal("1")).records).verdict == "unfinished"
