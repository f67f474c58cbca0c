"""One program at a time, by a lock on a plain file as it is on a device's node."""

import getpass
import os
import subprocess
import sys

import pytest

from console.errors import NotPermitted
from console.hardware.lock import flock_of, hold, holder

HOLDER = (
    "import sys; from console.hardware.lock import hold; held = hold(sys.argv[1]);"
    "print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def node(tmp_path):
    """Something that can be opened and locked."""
    path = tmp_path / "node"
    path.touch()
    return str(path)


def test_a_second_program_is_refused_with_the_name_of_the_first(node):
    """And is let in once the first has ended, however it ended."""
    command = [sys.executable, "-c", HOLDER, node]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(NotPermitted) as refusal:
            hold(node)
        first.kill()
    assert f"of {getpass.getuser()} (process {first.pid}) is working" in refusal.value.sentence
    hold(node).let_go()


def test_two_lines_of_one_program_exclude_each_other_too(node):
    """The lock belongs to the open file, not to the process."""
    first = hold(node)
    with pytest.raises(NotPermitted, match=f"process {os.getpid()}"):
        hold(node)
    first.let_go()
    hold(node).let_go()


def test_a_node_that_is_not_there_is_an_os_error(tmp_path):
    """What it means is said where the device is known."""
    with pytest.raises(FileNotFoundError):
        hold(str(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("line", "pid"),
    [
        ("1: FLOCK  ADVISORY  WRITE 4711 00:05:123 0 EOF", 4711),
        ("1: FLOCK  ADVISORY  WRITE 4711 00:05:124 0 EOF", None),
        ("1: POSIX  ADVISORY  WRITE 4711 00:05:123 0 EOF", None),
        ("1: -> FLOCK  ADVISORY  WRITE 4711 00:05:123 0 EOF", None),
        ("1: FLOCK  ADVISORY  WRITE -1 00:05:123 0 EOF", None),
        ("", None),
    ],
)
def test_only_a_flock_that_is_held_names_a_holder(line, pid):
    """As proc(5) writes them; a process of another container has no number here."""
    assert flock_of(line, 123) == pid


def test_a_hidden_holder_is_another_program(tmp_path):
    """Where /proc shows only one's own processes."""
    (tmp_path / "locks").write_text("1: FLOCK  ADVISORY  WRITE 4711 00:05:123 0 EOF\n")
    assert holder(123, tmp_path) == "another program"


def test_an_interpreter_is_named_by_what_it_runs(tmp_path):
    """Its own name says nothing."""
    (tmp_path / "locks").write_text("1: FLOCK  ADVISORY  WRITE 4711 00:05:123 0 EOF\n")
    (tmp_path / "4711").mkdir()
    command = b"/venv/bin/python3\0-m\0console.server\0--state\0/home/anna/bench\0"
    (tmp_path / "4711/cmdline").write_bytes(command)
    assert holder(123, tmp_path).startswith("console.server of ")
