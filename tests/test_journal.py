"""The journal: append, replay, follow; torn lines, changed lines, and a disk without room."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.errors import RecordError, TornJournal
from console.events import Noted, RunEnded, Told, Unknown
from console.journal import Journal, Tail, decode, encode, read_lines, replay
from tests.harness import VirtualClock

QUICK = settings(max_examples=40, deadline=None, database=None)
ROOT = Path(__file__).parents[1]


def written(path: Path, *events, reserve: Path | None = None) -> Journal:
    journal = Journal(path, VirtualClock(), reserve)
    for event in events:
        journal.append(event)
    return journal


def told(count: int) -> list[Told]:
    return [Told(f"sentence {number}") for number in range(1, count + 1)]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


# --- append and replay ----------------------------------------------------------------------


def test_what_was_appended_is_replayed(tmp_path):
    """The same records, from 1, each with the hash of the line before it."""
    journal = Journal(tmp_path / "j", VirtualClock())
    records = tuple(journal.append(event) for event in told(3))
    read = replay(tmp_path / "j")

    assert records == read.records
    assert [1, 2, 3] == [record.number for record in read.records]
    assert ["", records[0].hash, records[1].hash] == [record.prev for record in read.records]
    assert (False, "") == (read.torn, read.broken)
    assert (tmp_path / "j").stat().st_size == read.length == journal.size


def test_a_line_can_be_read_and_checked_without_us(tmp_path):
    """Plain JSON and SHA-256: a report outlives the program."""
    written(tmp_path / "j", *told(2))
    first, second = lines_of(tmp_path / "j")

    assert json.loads(second)["prev"] == hashlib.sha256(first.rstrip(b"\n")).hexdigest()
    assert {"n", "at", "mono", "boot", "prev", "event", "sentence", "advice"} == {
        *json.loads(second)
    }


def test_every_line_carries_both_clocks_and_the_boot(tmp_path):
    """Wall time in UTC for people, monotonic time for durations, and whose it is."""
    clock = VirtualClock()
    line = json.loads(encode(1, clock, "", Told("now")))

    assert re.fullmatch(r"2026-05-04T\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
    assert (1000.0, "test-boot") == (line["mono"], line["boot"])


def test_the_chain_goes_on_after_the_journal_was_opened_again(tmp_path):
    """A bench that comes back continues where the other was ended."""
    written(tmp_path / "j", *told(2)).close()
    written(tmp_path / "j", Told("again")).close()
    read = replay(tmp_path / "j")

    assert [1, 2, 3] == [record.number for record in read.records]
    assert "" == read.broken


def test_hostile_text_stays_within_its_line(tmp_path):
    """Line ends, control characters and half code points of a device or a person."""
    texts = ["a\nb", "\r\n", "\u2028", "\x00\x1b[2J", "\udcff", '"}{', "\N{SNOWMAN}"]
    written(tmp_path / "j", *(Noted(text) for text in texts))

    assert texts == [record.event.text for record in replay(tmp_path / "j").records]
    assert len(texts) == (tmp_path / "j").read_bytes().count(b"\n")
    assert (tmp_path / "j").read_bytes().isascii()


def test_an_event_of_a_newer_program_is_kept(tmp_path):
    """It is read, counted in the chain, and never dropped."""
    newer = Unknown("Weighed", {"grams": 12, "by": {"scale": "left"}})
    written(tmp_path / "j", Told("a"), newer, Told("b"))

    assert newer == replay(tmp_path / "j").records[1].event


def test_a_journal_belongs_to_this_user_alone(tmp_path):
    """It names customers' devices."""
    written(tmp_path / "j", Told("a"))

    assert 0o600 == (tmp_path / "j").stat().st_mode & 0o777


# --- torn and changed -----------------------------------------------------------------------


@QUICK
@given(st.data())
def test_any_beginning_of_a_journal_replays_to_a_beginning_of_its_records(data):
    """The power may go at any byte."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        texts = data.draw(st.lists(st.text(max_size=5), max_size=4))
        written(path, *(Told(text) for text in texts)).close()
        whole = path.read_bytes()
        records = replay(path).records
        cut = data.draw(st.integers(0, len(whole)))
        read = read_lines(whole[:cut])
        path.write_bytes(whole[:cut])
        opened = Journal(path, VirtualClock())
        opened.append(Told("goes on"))

        assert records[: len(read.records)] == read.records
        assert whole[:cut].count(b"\n") == len(read.records)
        assert "" == read.broken
        assert (whole[cut - 1 : cut] not in (b"\n", b"")) == read.torn
        assert [*read.records] == [*replay(path).records[:-1]]
        assert "" == replay(path).broken


def test_a_torn_last_line_is_dropped_when_the_journal_is_opened(tmp_path):
    """Its event never became true: nobody was told of it."""
    written(tmp_path / "j", *told(2)).close()
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole + b'{"n": 3, "at": "2026')
    torn = replay(tmp_path / "j")
    written(tmp_path / "j", Told("third")).close()

    assert (True, "", len(whole)) == (torn.torn, torn.broken, torn.length)
    assert ["sentence 1", "sentence 2", "third"] == [
        record.event.sentence for record in replay(tmp_path / "j").records
    ]


def test_a_last_line_that_holds_garbage_is_a_torn_one(tmp_path):
    """After a power cut a disk may give back blocks of zeros, even with a line end."""
    written(tmp_path / "j", *told(2)).close()
    with (tmp_path / "j").open("ab") as file:
        file.write(b"\0" * 40 + b"\n")

    assert (True, "") == (replay(tmp_path / "j").torn, replay(tmp_path / "j").broken)


CHANGES = {
    "another word": lambda lines: [lines[0].replace(b"sentence 1", b"sentence 7"), *lines[1:]],
    "a line left out": lambda lines: [lines[0], *lines[2:]],
    "the first line left out": lambda lines: lines[1:],
    "two lines exchanged": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a line twice": lambda lines: [lines[0], *lines],
    "another number": lambda lines: [lines[0], lines[1].replace(b'"n": 2', b'"n": 5'), *lines[2:]],
    "garbage": lambda lines: [lines[0], b"garbage\n", *lines[2:]],
    "a carriage return": lambda lines: [lines[0].replace(b"sentence", b"\rentence"), *lines[1:]],
    "an empty line": lambda lines: [lines[0], b"\n", *lines[1:]],
    "no object": lambda lines: [lines[0], b"[]\n", *lines[2:]],
    "a time that is none": lambda lines: [lines[0].replace(b"1000.0", b"[1000]"), *lines[1:]],
    "a time past all numbers": lambda lines: [
        lines[0].replace(b"1000.0", b"1" + b"0" * 400),
        *lines[1:],
    ],
    "a depth past all bounds": lambda lines: [lines[0], b"[" * 100_000 + b"\n", *lines[2:]],
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_line_changed_afterwards_is_found(tmp_path, how):
    """Nothing after it is believed, and such a journal is not written on."""
    written(tmp_path / "j", *told(4)).close()
    before = replay(tmp_path / "j").records
    (tmp_path / "j").write_bytes(b"".join(CHANGES[how](lines_of(tmp_path / "j"))))
    changed = (tmp_path / "j").read_bytes()
    read = replay(tmp_path / "j")

    assert re.match(r"line \d ", read.broken)
    assert len(read.records) < 4
    believed = max(0, len(read.records) - 1)  # the last one may be the one that was changed
    assert before[:believed] == read.records[:believed]
    with pytest.raises(TornJournal, match="was changed"):
        Journal(tmp_path / "j", VirtualClock())
    assert changed == (tmp_path / "j").read_bytes()


@QUICK
@given(st.data())
def test_any_byte_changed_before_the_last_line_is_found(data):
    """Whatever it is changed into; the last line itself nothing follows that could tell."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        written(path, *told(4)).close()
        whole = bytearray(path.read_bytes())
        last = whole.rstrip(b"\n").rfind(b"\n")
        at = data.draw(st.integers(0, last - 1))
        whole[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
        read = read_lines(bytes(whole))

        assert read.broken
        assert not read.torn


def test_a_journal_renumbered_from_the_middle_is_found(tmp_path):
    """Also when every later number fits: the hashes do not."""
    written(tmp_path / "j", *told(4)).close()
    lines = lines_of(tmp_path / "j")
    kept = [lines[0]]
    for number, text in enumerate(lines[2:], start=2):
        kept.append(json.dumps(json.loads(text) | {"n": number}).encode() + b"\n")
    (tmp_path / "j").write_bytes(b"".join(kept))

    assert "line 2 does not follow from the line before it" == replay(tmp_path / "j").broken


def test_a_journal_that_is_not_there_cannot_be_read(tmp_path):
    """In words."""
    with pytest.raises(TornJournal, match=r"The journal j\.jsonl cannot be read"):
        replay(tmp_path / "j.jsonl")


def test_an_empty_journal_has_no_records(tmp_path):
    """A run whose first line never reached the disk."""
    (tmp_path / "j").touch()

    assert ((), False, "") == (
        replay(tmp_path / "j").records,
        replay(tmp_path / "j").torn,
        replay(tmp_path / "j").broken,
    )


@pytest.mark.parametrize("line", [b"", b"5", b"null", b"{}", b'{"n": "1", "prev": ""}', b"\xff"])
def test_what_is_no_line_of_ours_is_not_decoded(line):
    """It raises ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        decode(line)


# --- a disk without room --------------------------------------------------------------------

FULL = """
import resource, signal, sys
from pathlib import Path
from console.clock import MachineClock
from console.errors import RecordError
from console.events import Told
from console.journal import Journal, replay

path = Path(sys.argv[1])
journal = Journal(path, MachineClock())
journal.append(Told("first"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (journal.size + 50, resource.RLIM_INFINITY))
try:
    journal.append(Told("second"), durable=True)
except RecordError as error:
    print(type(error).__name__, error.sentence)
print(path.stat().st_size == journal.size, len(replay(path).records), replay(path).torn)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(Told("third"))
print(*(record.event.sentence for record in replay(path).records))
"""


def test_a_line_that_does_not_fit_leaves_nothing_behind(tmp_path):
    """A real limit of the kernel in the middle of a line; afterwards the chain goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "j")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    refused, left, after = done.stdout.splitlines()

    assert refused.startswith("RecordError The record in ")
    assert "True 1 False" == left
    assert "first third" == after


TINY = """
import errno, json, os, sys
from pathlib import Path
from console.clock import MachineClock
from console.errors import NoRoom
from console.events import Told
from console.journal import Journal, replay
from console.state import set_aside, write_private

place = Path(sys.argv[1])
reserve = place / "reserve"
set_aside(reserve)
journal = Journal(place / "j", MachineClock(), reserve if sys.argv[2] == "reserve" else None)
journal.append(Told("first"))
with (place / "filler").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(512))
    except OSError as error:
        assert error.errno == errno.ENOSPC
written, refused = 1, ""
while not refused and written < 3000:
    try:
        journal.append(Told("x" * 200), durable=True)
        written += 1
    except NoRoom as error:
        refused = error.sentence
read = replay(place / "j")
try:
    set_aside(place / "another")
    aside = ""
except NoRoom as error:
    aside = error.sentence
try:
    write_private(place / "artefact", bytes(70_000))
    kept = ""
except NoRoom as error:
    kept = error.sentence
left = sorted(entry.name for entry in place.iterdir() if ".part" in entry.name)
print(json.dumps({
    "written": written, "refused": refused, "records": len(read.records),
    "half": read.torn or bool(read.broken) or read.length != (place / "j").stat().st_size,
    "reserve": reserve.exists(), "aside": aside, "kept": kept, "parts": left,
}))
"""


@pytest.fixture
def full_disk(tmp_path):
    """Runs TINY on a real file system of one megabyte, in a mount namespace of its own."""

    def run(words: str) -> dict:
        script = tmp_path / "tiny.py"
        script.write_text(TINY)
        place = tmp_path / words
        place.mkdir()
        mounted = f"mount -t tmpfs -o size=1m none {place} && exec {sys.executable} {script} "
        done = subprocess.run(
            ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted + f"{place} {words}"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        if done.returncode and ("unshare" in done.stderr or "mount" in done.stderr):
            pytest.skip("this machine gives no file system of our own")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_a_full_disk_is_said_and_leaves_no_half_line(full_disk):
    """Without a reserve the first line that does not fit is refused, whole."""
    said = full_disk("none")

    assert said["refused"].startswith("There is no room left for the record in ")
    assert said["written"] == said["records"]
    assert not said["half"]


def test_the_reserve_carries_a_run_past_a_full_disk(full_disk):
    """64 kB set aside are some hundred last lines."""
    without = full_disk("none")["written"]
    said = full_disk("reserve")

    assert said["written"] >= without + 100
    assert not said["reserve"]
    assert not said["half"]


def test_a_full_disk_refuses_a_reserve_and_an_artefact_and_leaves_no_part_of_them(full_disk):
    """What cannot be kept whole is not kept."""
    said = full_disk("reserve")

    assert said["aside"].startswith("There is no room")
    assert said["kept"].startswith("There is no room")
    assert [] == said["parts"]


def test_a_folder_that_is_not_there_is_an_error_in_words(tmp_path):
    """Never a bare OSError."""
    with pytest.raises(RecordError):
        Journal(tmp_path / "gone" / "j", VirtualClock())


# --- following ------------------------------------------------------------------------------


def test_a_tail_gives_each_record_once(tmp_path):
    """In order, as the journal grows."""
    tail = Tail(tmp_path / "j")
    journal = Journal(tmp_path / "j", VirtualClock())
    nothing = tail.new()
    first = journal.append(Told("a"))
    seen = tail.new()
    more = [journal.append(event) for event in told(3)]

    assert () == nothing
    assert (first,) == seen
    assert tuple(more) == tail.new()
    assert () == tail.new()


def test_a_tail_waits_for_a_journal_that_is_not_there_yet(tmp_path):
    """The nudge may come before the file."""
    tail = Tail(tmp_path / "j")
    before = tail.new()
    written(tmp_path / "j", Told("a"))

    assert () == before
    assert ["a"] == [record.event.sentence for record in tail.new()]


@QUICK
@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_a_tail_never_shows_half_a_line(cuts):
    """However the writing was cut into pieces, the records come whole, once and in order."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        written(source, *told(5)).close()
        whole = source.read_bytes()
        growing = Path(folder) / "growing"
        tail = Tail(growing)
        seen = []
        for cut in [*sorted(cut % len(whole) for cut in cuts), len(whole)]:
            growing.write_bytes(whole[:cut])
            seen += tail.new()
            assert whole[:cut].count(b"\n") == len(seen)

        assert replay(source).records == tuple(seen)


def test_a_tail_goes_on_where_a_torn_line_was_dropped(tmp_path):
    """A screen that watched while the bench died sees what the next bench writes."""
    written(tmp_path / "j", *told(1)).close()
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"n": 2, "half')
    tail = Tail(tmp_path / "j")
    before = tail.new()
    written(tmp_path / "j", RunEnded("unfinished", "interrupted", "It was ended.")).close()

    assert [1] == [record.number for record in before]
    assert [2] == [record.number for record in tail.new()]


def test_a_tail_passes_over_nothing_that_was_changed(tmp_path):
    """It stops before the line that does not fit."""
    written(tmp_path / "j", *told(3)).close()
    lines = lines_of(tmp_path / "j")
    (tmp_path / "j").write_bytes(lines[0] + lines[2])
    tail = Tail(tmp_path / "j")

    assert [1] == [record.number for record in tail.new()]
    assert () == tail.new()
