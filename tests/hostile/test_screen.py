"""Hostile devices and hostile people on the screen: the real program, bench and practice, a pty."""

from __future__ import annotations

import re

import pytest

from tests.hostile.overlay import hostile_place
from tests.hostile.terminal import Believer, Keyboard
from tests.hostile.texts import TEXTS

PASTE = "\x1b[200~{}\x1b[201~"
TYPED = "]52;c;ZXZpbA==\x9b2J \u202e\u2066[red]<b>`|\u0301 Z\u0301\u0301\u0301\u0301\u0301 \u5b57"


@pytest.fixture
def hostile(tmp_path):
    """The program on a terminal that believes nothing, bell off, all devices shown."""
    with hostile_place(tmp_path) as place:
        shown = Keyboard(place.words(), place.environ)
        try:
            shown.until(b"lately")
            shown.until_quiet(1.0)
            shown.after("b", "The bell is off")
            yield place, shown
        finally:
            shown.end()


def framed(shown):
    """What stands on the glass; every byte was one of ours, every line within its 80 cells."""
    rows = Believer(shown.all).rows()
    assert len(rows) == 24
    return rows


def test_no_device_says_anything_to_the_terminal(hostile):
    """Every device in hand once: in the table, in full below it, and in what happened lately."""
    _, shown = hostile
    for _ in TEXTS:
        shown.after(" ", "")
        rows = framed(shown)
        ruled = [at for at, row in enumerate(rows) if row.startswith(("---", "===", "- "))]

        assert ruled == [1, 10, 18, 22], "\n".join(rows)
        assert rows[0].startswith(" REPLUG   PRACTICE hostile ")
        *table, last = rows[3:10]
        assert [row for row in table if "- not known" not in row] == []
        assert "- not known" in last or re.match(r" +\.\. \d+ more", last), last
    assert f"port 1-{len(TEXTS)}" in "".join(rows[3:10])
    shown.after("\t", "")
    shown.after(" ", "")
    shown.after("\t", "")
    shown.after(" ", "")
    framed(shown)


@pytest.mark.parametrize("port", [1, 10])
def test_a_run_on_a_hostile_device_is_a_run_like_any_other(hostile, port):
    """Flows, the plan, the run, its verdict, its trace, its ticket, its export."""
    place, shown = hostile
    shown.after(" " * (port - 1), f"port 1-{port}" if port > 1 else "")
    keys = [
        ("f", "WHAT CAN BE DONE"),
        ("1", "s start"),
        ("s", "Does it stay"),
        ("S", "S again"),
        ("S", "U N F I N I S H E D"),
        (" ", ""),
        ("t", "Trace of run 1"),
        ("\x1b", "U N F I N I S H E D"),
        ("c", "Ticket of run 1"),
        ("\x1b", "U N F I N I S H E D"),
        ("e", "xported"),
    ]
    for key, words in keys:
        shown.after(key, words)
        framed(shown)

    assert (place.state.exports / "run-1.html").exists()
    assert place.json("runs")[0]["verdict"] == "unfinished"


def test_what_a_person_pastes_is_shown_as_it_is_sent_and_obeyed_by_nobody(hostile):
    """Labels, notes and jobs."""
    place, shown = hostile
    for key, asked, said in (
        ("n", "note >", "The note is in the record"),
        ("l", "label of port 1-1 >", "Port 1-1 is called"),
        ("j", "job of port 1-1 >", "cannot be a job's number"),
    ):
        shown.after(key, asked)
        shown.after(PASTE.format(TYPED), "\u5b57")
        framed(shown)
        shown.after("\r", said)
        framed(shown)

    label = place.json("devices")[0]["label"]
    assert "[red]<b>`|" in label
    assert label.isprintable()
