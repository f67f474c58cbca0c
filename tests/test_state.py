"""The state directory: whose it is, what is whole, and what is said when nothing can be kept."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import NoRoom, NotWritable, RecordError
from console.state import (
    RESERVE,
    State,
    give_back,
    private_folder,
    set_aside,
    state_directory,
    storage_error,
    write_private,
)

ROOT = Path(__file__).parents[1]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def open_handed():
    """A login whose umask hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


# --- whose it is ----------------------------------------------------------------------------


def test_everything_below_belongs_to_this_user_alone(tmp_path, open_handed):
    """Whatever the umask: folders 0700, files 0600."""
    state = State(tmp_path / "state")
    state.prepare()
    write_private(state.vault / "1-key.bin", b"secret")
    write_private(state.artefacts("1") / "public.pem", b"public")
    set_aside(state.reserve("1"))
    modes = {path: mode(path) for path in (state.root, *state.root.rglob("*"))}

    assert {0o700} == {bits for path, bits in modes.items() if path.is_dir()}
    assert {0o600} == {bits for path, bits in modes.items() if path.is_file()}


def test_folders_made_on_the_way_belong_to_this_user_alone(tmp_path, open_handed):
    """Practice may come first: the real state directory above it must not be left open."""
    state = state_directory(str(tmp_path / "a" / "state"), "core-blank-key")
    state.prepare()

    assert [0o700] * 4 == [mode(path) for path in (state.root, *state.root.parents)][:4]


def test_a_folder_that_was_there_keeps_its_mode(tmp_path):
    """It is somebody's: --state /tmp must not lock others out of it."""
    tmp_path.chmod(0o755)
    State(tmp_path).prepare()

    assert 0o755 == mode(tmp_path)
    assert 0o700 == mode(tmp_path / "vault")


def test_preparing_twice_changes_nothing(tmp_path):
    """Every start of a bench does it."""
    state = State(tmp_path / "state")
    state.prepare()
    state.lock.write_text("signed")
    state.prepare()

    assert "signed" == state.lock.read_text()


# --- what cannot be -------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["", "vault", "runs", "bench"])
def test_a_file_in_the_way_is_said(tmp_path, where):
    """As a sentence that names the place."""
    state = State(tmp_path / "state")
    if where:
        state.root.mkdir()
    (state.root / where if where else state.root).write_text("")

    with pytest.raises(NotWritable, match="a file stands where a folder has to be") as caught:
        state.prepare()
    assert caught.value.advice


def test_a_file_above_is_in_the_way_too(tmp_path):
    """A path through a file leads nowhere."""
    (tmp_path / "file").write_text("")

    with pytest.raises(NotWritable):
        State(tmp_path / "file" / "state").prepare()


def test_a_place_where_nothing_can_be_made_is_an_error_in_words():
    """/proc takes no folders, not even from root."""
    with pytest.raises(RecordError) as caught:
        State(Path("/proc/replug-state")).prepare()
    assert caught.value.sentence.startswith("The record in /proc/replug-state failed")


READ_ONLY = """
import sys
from pathlib import Path
from console.errors import NotWritable
from console.state import State, set_aside, write_private
place = Path(sys.argv[1])
for attempt in (
    State(place / "state").prepare,
    lambda: write_private(place / "file", b"x"),
    lambda: set_aside(place / "reserve"),
):
    try:
        attempt()
        print("kept")
    except NotWritable as error:
        print(error.sentence)
"""


def test_a_disk_mounted_read_only_is_said(tmp_path):
    """A real one; root may write where modes forbid it, but not there."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = f"mount -t tmpfs -o ro none {place} && exec {sys.executable} - {place}"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted],
        input=READ_ONLY,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip("this machine gives no file system of our own")

    assert [
        f"The record cannot be written in {place / 'state'}.",
        f"The record cannot be written in {place}.",
        f"The record cannot be written in {place}.",
    ] == done.stdout.splitlines()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, NoRoom),
        (errno.EDQUOT, NoRoom),
        (errno.EROFS, NotWritable),
        (errno.EACCES, NotWritable),
        (errno.EPERM, NotWritable),
        (errno.ENOTDIR, NotWritable),
        (errno.EIO, RecordError),
        (None, RecordError),
    ],
)
def test_every_failure_of_the_disk_is_a_sentence_with_advice(code, kind):
    """Which place, and what to do."""
    error = storage_error(OSError(code, "x") if code else OSError("x"), Path("/where"))

    assert kind is type(error)
    assert "/where" in error.sentence
    assert error.advice


# --- write_private --------------------------------------------------------------------------


def test_a_private_file_is_there_whole_and_nothing_beside_it(tmp_path):
    """Its folder is made, its part is gone."""
    write_private(tmp_path / "a" / "b", b"data")

    assert b"data" == (tmp_path / "a" / "b").read_bytes()
    assert ["b"] == [entry.name for entry in (tmp_path / "a").iterdir()]


def test_a_private_file_replaces_the_one_before_it(tmp_path):
    """Under the same name, with our own mode."""
    (tmp_path / "a").write_bytes(b"a longer text than the new one")
    (tmp_path / "a").chmod(0o644)
    write_private(tmp_path / "a", b"new")

    assert (b"new", 0o600) == ((tmp_path / "a").read_bytes(), mode(tmp_path / "a"))


def test_what_cannot_be_put_in_place_leaves_nothing(tmp_path):
    """A folder of that name: the part goes away again."""
    (tmp_path / "a").mkdir()

    with pytest.raises(RecordError):
        write_private(tmp_path / "a", b"data")
    assert ["a"] == [entry.name for entry in tmp_path.iterdir()]


def test_a_link_laid_in_the_way_is_not_followed(tmp_path):
    """--to may name a folder where others can lay links."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / ".report.html.part").symlink_to(tmp_path / "precious")
    (tmp_path / "report.html").symlink_to(tmp_path / "precious")
    write_private(tmp_path / "report.html", b"report")

    assert b"precious" == (tmp_path / "precious").read_bytes()
    assert b"report" == (tmp_path / "report.html").read_bytes()
    assert not (tmp_path / "report.html").is_symlink()


def test_a_part_left_by_a_crash_is_in_nobodys_way(tmp_path):
    """Not even one that others could read."""
    part = tmp_path / ".a.part"
    part.write_bytes(b"half")
    part.chmod(0o644)
    write_private(tmp_path / "a", b"whole")

    assert (b"whole", 0o600) == ((tmp_path / "a").read_bytes(), mode(tmp_path / "a"))


def test_a_private_folder_behind_a_link_is_used(tmp_path):
    """A state directory may lie on another disk."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    private_folder(tmp_path / "link" / "a")

    assert (tmp_path / "real" / "a").is_dir()


# --- the reserve ----------------------------------------------------------------------------


def test_a_reserve_takes_its_blocks_and_gives_them_back(tmp_path):
    """Real blocks, not a promise; and once only."""
    set_aside(tmp_path / "reserve")
    taken = (tmp_path / "reserve").stat()

    assert RESERVE == taken.st_size
    assert taken.st_blocks * 512 >= RESERVE
    assert [True, False] == [give_back(tmp_path / "reserve"), give_back(tmp_path / "reserve")]


# --- the paths ------------------------------------------------------------------------------


def test_practice_lies_below_in_a_folder_of_its_own(tmp_path):
    """So that no practice run ever stands among real ones."""
    real = state_directory(str(tmp_path), None)
    practice = state_directory(str(tmp_path), "case-3")

    assert (tmp_path, "") == (real.root, real.practice)
    assert (tmp_path / "practice" / "case-3", "case-3") == (practice.root, practice.practice)


def test_without_words_it_lies_where_a_users_state_belongs(tmp_path, monkeypatch):
    """The XDG state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert tmp_path / "replug" == state_directory(None, None).root


def test_a_home_that_nobody_has_is_an_error_in_words():
    """~nobody-of-that-name comes through when the shell does not know it either."""
    with pytest.raises(RecordError, match="names no directory"):
        state_directory("~nobody-of-that-name/state", None)


def test_runs_are_listed_in_the_order_of_their_numbers(tmp_path):
    """10 after 9; what is no run is passed over."""
    state = State(tmp_path)
    for name in ("10", "9", "1", "x", "\N{SUPERSCRIPT TWO}", "1.5"):
        state.run(name).mkdir(parents=True)

    assert ("1", "9", "10") == state.run_ids()


def test_where_nothing_was_run_there_are_no_runs(tmp_path):
    """A new state directory, or one that is not there."""
    assert () == State(tmp_path / "gone").run_ids()


def test_runs_that_cannot_be_listed_are_said(tmp_path):
    """Another user's directory, or a file in its place: in words, not as no runs."""
    (tmp_path / "runs").write_text("")

    with pytest.raises(RecordError, match="cannot be read"):
        State(tmp_path).run_ids()
