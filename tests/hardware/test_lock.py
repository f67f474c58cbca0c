"""One program at a time, by a lock on a plain file as it is on a device's node."""

import getpass
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import NotPermitted
from console.hardware.lock import flock_of, hold, hold_name, holder, place_of

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


def test_a_lock_by_name_is_for_every_user_whatever_is_hidden_of_our_files(tmp_path):
    """A bench hides what it writes; the next user only opens this one, and it holds nothing."""
    before = os.umask(0o077)
    try:
        hold_name("reader R", (tmp_path,)).let_go()
        hold_name("reader R", (tmp_path,)).let_go()
    finally:
        os.umask(before)

    (file,) = tmp_path.iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_size) == (0o644, 0)


def test_a_node_that_is_not_there_is_an_os_error(tmp_path):
    """What it means is said where the device is known."""
    with pytest.raises(FileNotFoundError):
        hold(str(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("line", "pid"),
    [
        ("1: FLOCK  ADVISORY  WRITE 4711 00:05:123 0 EOF", 4711),
        ("1: FLOCK  ADVISORY  WRITE 4711 00:05:124 0 EOF", None),
        ("1: FLOCK  ADVISORY  WRITE 4711 00:06:123 0 EOF", None),
        ("1: FLOCK  ADVISORY  WRITE 4711 01:05:123 0 EOF", None),
        ("1: POSIX  ADVISORY  WRITE 4711 00:05:123 0 EOF", None),
        ("1: -> FLOCK  ADVISORY  WRITE 4711 00:05:123 0 EOF", None),
        ("1: FLOCK  ADVISORY  WRITE -1 00:05:123 0 EOF", None),
        ("", None),
    ],
)
def test_only_a_flock_that_is_held_names_a_holder(line, pid):
    """As proc(5) writes them; a process of another container has no number here."""
    assert flock_of(line, "00:05:123") == pid


STATUS = os.stat_result((0o600, 412, os.makedev(0, 40), 1, 0, 0, 0, 0, 0, 0))
MOUNTS = ["27 1 254:0 / / rw - ext4 /dev/vda rw", "31 27 0:300 /@ /srv rw - btrfs /dev/vdb rw"]


@pytest.mark.parametrize(
    ("fdinfo", "mounts", "place"),
    [
        ("pos:\t0\nmnt_id:\t27\nino:\t9\n", MOUNTS, "fe:00:9"),
        ("pos:\t0\nmnt_id:\t31\nino:\t9\n", MOUNTS, "00:12c:9"),
        ("pos:\t0\nmnt_id:\t31\n", MOUNTS, "00:12c:412"),
        ("pos:\t0\nmnt_id:\t2\nino:\t9\n", MOUNTS, "00:28:9"),
        ("", [], "00:28:412"),
        ("mnt_id\n\n", ["", "27"], "00:28:412"),
    ],
)
def test_the_place_of_a_lock_is_that_of_the_filesystem_and_not_of_stat(fdinfo, mounts, place):
    """Where the kernel tells it: on btrfs and overlays the two differ."""
    assert place_of(fdinfo, mounts, STATUS) == place


TWO = """
import pathlib, subprocess, sys
from console.errors import NotPermitted
from console.hardware.lock import hold
nodes = [pathlib.Path(folder) / "node" for folder in sys.argv[2:]]
for node in nodes:
    node.touch()
command, pipe = [sys.executable, "-c", sys.argv[1]], subprocess.PIPE
holders = [subprocess.Popen([*command, str(node)], stdin=pipe, stdout=pipe) for node in nodes]
inodes = {node.stat().st_ino for node in nodes}
assert len(inodes) == 1, inodes
for node, holder in zip(nodes, holders):
    assert holder.stdout.readline() == b"held\\n"
for node, holder in zip(nodes, holders):
    try:
        hold(str(node))
    except NotPermitted as refusal:
        assert f"(process {holder.pid})" in refusal.sentence, (holder.pid, refusal.sentence)
    else:
        raise AssertionError("it was let in")
for holder in holders:
    holder.communicate()
"""


def test_the_same_inode_of_another_filesystem_is_another_lock(tmp_path):
    """Each of two new filesystems begins to count anew; each refusal names its own holder."""
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    mounts = " && ".join(f"mount -t tmpfs none {folder}" for folder in folders)
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    inside = f'{mounts} && exec "$@"'
    command = [sys.executable, "-c", TWO, HOLDER, *map(str, folders)]

    done = subprocess.run(
        ["unshare", *mapped, "--mount", "sh", "-c", inside, "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def proc(tmp_path, node):
    """A /proc in which process 4711 holds the node."""
    status = Path(node).stat()
    place = place_of("", [], status)
    (tmp_path / "locks").write_text(f"1: FLOCK  ADVISORY  WRITE 4711 {place} 0 EOF\n")
    return tmp_path


@pytest.fixture
def opened(node):
    """The node, open and not locked by us."""
    with Path(node).open() as file:
        yield file.fileno()


def test_a_hidden_holder_is_another_program(proc, opened):
    """Where /proc shows only one's own processes."""
    assert holder(opened, proc) == "another program"


def test_an_interpreter_is_named_by_what_it_runs(proc, opened):
    """Its own name says nothing."""
    (proc / "4711").mkdir()
    command = b"/venv/bin/python3\0-m\0console.server\0--state\0/home/anna/bench\0"
    (proc / "4711/cmdline").write_bytes(command)
    assert holder(opened, proc).startswith("console.server of ")
