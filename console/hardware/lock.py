"""One program at a time on one device: an advisory lock on its open node, machine-wide.

The rule: the lock lives as long as the open file, so it cannot outlive a killed program; a
refusal names who holds it.
"""

from __future__ import annotations

import fcntl
import os
import pwd
from pathlib import Path

from console.errors import NotPermitted

PROC = Path("/proc")


class Held:
    """A node that is open and locked for us, until let_go()."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def hold(path: str) -> Held:
    """Open the node and lock it. NotPermitted names the holder; OSError if it cannot be opened."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = holder(os.fstat(fd).st_ino)
        os.close(fd)
        raise NotPermitted(
            f"{who[0].upper()}{who[1:]} is working on this device.",
            "Wait until it has finished, or end it, then run again.",
        ) from None
    except OSError:
        os.close(fd)
        raise
    return Held(fd)


def holder(inode: int, proc: Path = PROC) -> str:
    """Who holds a flock on that inode, in words."""
    for line in _lines(proc / "locks"):
        pid = flock_of(line, inode)
        if pid is not None:
            return _who(proc / str(pid), pid)
    return "another program"


def flock_of(line: str, inode: int) -> int | None:
    """The process that holds this flock, from a line of /proc/locks (proc(5)); None if not ours.

    Waiters have "->" in the second field; the sixth is MAJOR:MINOR:INODE.
    """
    fields = line.split()
    if len(fields) < 6 or fields[1] != "FLOCK" or not fields[4].isdigit():
        return None
    return int(fields[4]) if fields[5].rpartition(":")[2] == str(inode) else None


def _who(place: Path, pid: int) -> str:
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
