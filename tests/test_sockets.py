"""Where our processes meet: whose folder it is, whole messages, and sends that never wait."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from console import sockets
from console.errors import BenchError


@pytest.fixture
def stranger(monkeypatch):
    """Another user's id; the folder of that user is taken away afterwards."""
    uid = 4_200_000 + os.getpid() % 100_000
    monkeypatch.setattr(os, "getuid", lambda: uid)
    path = Path("/tmp") / f"replug-{uid}"
    yield path
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")


@pytest.fixture
def pair():
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield ends
    for end in ends:
        end.close()


# --- the folder -----------------------------------------------------------------------------


def test_the_folder_belongs_to_this_user_alone():
    """Made once, found again."""
    path = sockets.folder()
    found = path.lstat()

    assert (0o700, os.getuid()) == (stat.S_IMODE(found.st_mode), found.st_uid)
    assert path == sockets.folder()


def test_the_folder_is_not_in_the_logins_runtime_folder():
    """That one goes with the last login, while the bench goes on."""
    assert Path("/tmp") == sockets.folder().parent


def test_a_folder_of_another_user_is_refused(stranger):
    """Somebody was there first: it is root's here."""
    stranger.mkdir(mode=0o700)

    with pytest.raises(BenchError, match="is not a folder of this user alone"):
        sockets.folder()


@as_root
def test_a_folder_that_others_may_enter_is_refused(stranger):
    """Even our own."""
    stranger.mkdir()
    os.chown(stranger, os.getuid(), -1)
    stranger.chmod(0o711)

    with pytest.raises(BenchError):
        sockets.folder()


@as_root
def test_a_link_in_its_place_is_refused(stranger, tmp_path):
    """Wherever it points."""
    os.chown(tmp_path, os.getuid(), -1)
    tmp_path.chmod(0o700)
    stranger.symlink_to(tmp_path)

    with pytest.raises(BenchError):
        sockets.folder()


@as_root
def test_a_file_in_its_place_is_refused(stranger):
    """In words."""
    stranger.write_text("")
    os.chown(stranger, os.getuid(), -1)
    stranger.chmod(0o600)

    with pytest.raises(BenchError):
        sockets.folder()


def test_a_socket_has_a_short_name_and_each_directory_its_own():
    """108 bytes are all there is, and a state directory may lie deep."""
    deep = Path("/" + "x" * 200 + "/state")

    assert len(os.fsencode(sockets.socket_path(deep, "practice"))) < 108
    assert sockets.socket_path(deep, "bench") == sockets.socket_path(deep, "bench")
    assert sockets.socket_path(deep, "bench") != sockets.socket_path(deep / "b", "bench")
    assert sockets.socket_path(deep, "bench") != sockets.socket_path(deep, "practice")


# --- meeting --------------------------------------------------------------------------------


def test_nobody_listening_is_no_error(tmp_path):
    """Not there, left by a process that died, or no socket at all."""
    (tmp_path / "file").write_text("")
    sockets.listen(tmp_path / "stale").close()

    assert [None] * 3 == [sockets.connect(tmp_path / n) for n in ("gone", "stale", "file")]


def test_a_stale_socket_is_replaced(tmp_path):
    """Who listens holds the lock, so whoever made it is gone."""
    sockets.listen(tmp_path / "s").close()
    with sockets.listen(tmp_path / "s") as listening:
        asking = sockets.connect(tmp_path / "s")
        answering, _ = listening.accept()
        with asking, answering:
            sent = sockets.send(asking, {"do": "hello"})
            heard = sockets.receive(answering)

    assert (True, {"do": "hello"}) == (sent, heard)


# --- messages -------------------------------------------------------------------------------


def test_messages_keep_their_bounds(pair):
    """Two sent are two received, whatever is in them."""
    here, there = pair
    messages = [{"a": "\n\x00{}"}, {}, {"b": ["\udcff", 1.5, None]}]
    for message in messages:
        assert sockets.send(here, message)

    assert messages == [sockets.receive(there) for _ in messages]


def test_a_message_may_be_as_large_as_promised(pair):
    """A screenful of devices with all their facts."""
    here, there = pair
    message = {"x": "y" * (sockets.LARGEST - 20)}

    assert sockets.send(here, message)
    assert message == sockets.receive(there)


def test_a_send_never_waits_for_a_reader(pair):
    """A half-open line must not stall a run: in the end it says no."""
    here, _ = pair
    sent = 0
    while sockets.send(here, {"x": "y" * 1000}):
        sent += 1

    assert 0 < sent < 10_000


def test_a_send_to_nobody_says_no(pair):
    """And raises no signal."""
    here, there = pair
    there.close()

    assert not sockets.send(here, {"do": "hello"})


def test_the_other_end_gone_is_none(pair):
    """The end of a conversation is no error."""
    here, there = pair
    here.close()

    assert sockets.receive(there) is None


@pytest.mark.parametrize("data", [b"garbage", b"[]", b"5", b"\xff\xfe", b"null"])
def test_who_talks_garbage_is_treated_as_gone(pair, data):
    """Only objects are messages."""
    here, there = pair
    here.send(data)

    assert sockets.receive(there) is None


def test_who_says_nothing_within_the_time_is_told_apart(pair):
    """TimeoutError passes: it is not the same as gone."""
    _, there = pair
    there.settimeout(0.001)

    with pytest.raises(TimeoutError):
        sockets.receive(there)
