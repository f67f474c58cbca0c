"""One program at a time on one device: an advisory lock on its open node, machine-wide.

The rule: the lock lives as long as the open file, so it cannot outlive a killed program; a
refusal names who holds it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from console.errors import NotPermitted
from console.events import Device

PROC = Path("/proc")


LOCKS = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - only names are shared there, no contents


class Held:
    """A node that is open and locked for us, until let_go()."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def hold_device(device: Device, path: str) -> Held:
    """Lock the whole device for one of its lines: its USB node, or else the node at `path`.

    Reading is enough for a lock, so a user who may open a hidraw node only can lock the device.
    """
    usb = next((node.path for node in device.nodes if node.kind == "usb"), path)
    try:
        return hold(usb, write=False)
    except OSError:
        return hold(path, write=False)


def hold_name(name: str, folders: tuple[Path, ...] = LOCKS) -> Held:
    """Lock something that has no node, by its name, in a folder that every user has."""
    file = f"replug-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    folder = next((folder for folder in folders if os.access(folder, os.W_OK)), folders[-1])
    return hold(str(_lock_file(folder / file)), write=False)


def _lock_file(path: Path) -> Path:
    # Opened without O_CREAT where it exists: in a sticky folder the kernel lets nobody else
    # create over another user's file (fs.protected_regular). 0644: the others only lock it.
    with suppress(FileExistsError):
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(fd, 0o644)  # a bench's umask hides what it creates (umask(2))
        finally:
            os.close(fd)
    return path


def hold(path: str, write: bool = True) -> Held:
    """Open the node and lock it. NotPermitted names the holder; OSError if it cannot be opened."""
    # A tty must neither become ours nor keep us waiting for a carrier (open(2)).
    flags = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW
    fd = os.open(path, flags | (os.O_RDWR if write else os.O_RDONLY))
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        whose = holder(fd)
        os.close(fd)
        raise NotPermitted(
            f"{whose[0].upper()}{whose[1:]} is working on this device.",
            "Wait until it has finished, or end it, then run again.",
        ) from None
    except OSError:
        os.close(fd)
        raise
    return Held(fd)


def holder(fd: int, proc: Path = PROC) -> str:
    """Who holds a flock on what is open there, in words."""
    own = proc / "self"
    place = place_of(_text(own / "fdinfo" / str(fd)), _lines(own / "mountinfo"), os.fstat(fd))
    for line in _lines(proc / "locks"):
        pid = flock_of(line, place)
        if pid is not None:
            return who(proc / str(pid), pid)
    return "another program"


def holder_at(path: str) -> str:
    """The same of a node that need not be opened for it, and may refuse to be (open(2), O_PATH)."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        return holder(fd)
    finally:
        os.close(fd)


def place_of(fdinfo: str, mounts: list[str], status: os.stat_result) -> str:
    """MAJOR:MINOR:INODE as /proc/locks writes them: those of the filesystem itself.

    What stat(2) says may be another device and inode (btrfs, overlay); it counts only where
    fdinfo or mountinfo do not tell (proc(5); "ino" came with Linux 5.14).
    """
    known = dict(line.split(":", 1) for line in fdinfo.splitlines() if ":" in line)
    rows = (line.split() for line in mounts)
    ours = (row[2] for row in rows if len(row) > 2 and row[0] == known.get("mnt_id", "").strip())
    numbers = next(ours, f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}")
    major, _, minor = numbers.partition(":")
    inode = known.get("ino", "").strip() or status.st_ino
    return f"{int(major):02x}:{int(minor):02x}:{inode}"


def opener(path: str, proc: Path = PROC) -> str:
    """Which other program has that node open, in words; "" where we see none.

    Of other users' programs only root sees what they have open (proc(5), /proc/pid/fd).
    """
    node = str(Path(path).resolve())
    places = (place for place in proc.iterdir() if place.name.isdigit())
    for place in sorted(places, key=lambda place: int(place.name)):
        if int(place.name) != os.getpid() and node in _opened(place / "fd"):
            return who(place, int(place.name))
    return ""


def _opened(folder: Path) -> Iterator[str]:
    # Processes end, and files are closed, while they are looked at.
    with suppress(OSError):
        for opened in folder.iterdir():
            with suppress(OSError):
                yield str(opened.readlink())


def flock_of(line: str, place: str) -> int | None:
    """The process that holds this flock, from a line of /proc/locks (proc(5)); None if not ours.

    Waiters have "->" in the second field; the sixth is MAJOR:MINOR:INODE. An inode alone is that
    of many files: each filesystem counts its own.
    """
    fields = line.split()
    if len(fields) < 6 or fields[1] != "FLOCK" or not fields[4].isdigit():
        return None
    return int(fields[4]) if fields[5] == place else None


def who(place: Path, pid: int) -> str:
    program, user = _program(place), _user(place)
    if not program:
        return "another program"
    return f"{program} of {user} (process {pid})"


def _program(place: Path) -> str:
    words = [word for word in _text(place / "cmdline").split("\0") if word]
    if words and Path(words[0]).name.startswith("python"):
        # What an interpreter runs says more than its own name.
        words = [word for word in words[1:] if not word.startswith("-")] or words
    return Path(words[0]).name if words else _text(place / "comm").strip()


def _user(place: Path) -> str:
    try:
        return pwd.getpwuid(place.stat().st_uid).pw_name
    except (OSError, KeyError):
        return "another user"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()
