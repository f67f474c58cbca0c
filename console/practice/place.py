"""Where a practice process can be met: its lock, its kept devices, its socket.

The rule: the socket's folder lies in /tmp, where anybody may put things, so it is used only
after lstat has shown that it is ours and closed to others. It does not lie below the state
directory, whose path may be longer than a socket's name can be (108 bytes), nor in the login's
runtime folder, which dies with the last login.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from console.errors import NotWritable


@dataclass(frozen=True)
class Place:
    """One practice process's files; `root` is its state directory."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "practice.lock"

    @property
    def kept(self) -> Path:
        return self.root / "practice.json"

    @property
    def log(self) -> Path:
        """What the process itself complains of; for developers."""
        return self.root / "practice.log"

    def socket(self) -> Path:
        """The socket's path. Raises NotWritable if its folder is not ours alone."""
        name = hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:16]
        return private_folder() / f"practice-{name}.sock"


def private_folder(parent: Path = Path("/tmp")) -> Path:  # noqa: S108 - checked below
    """This user's folder for sockets, made if it is not there."""
    folder = parent / f"replug-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise NotWritable(f"I cannot make {folder}: {error.strerror}.") from None
    facts = folder.lstat()
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
    if not ours or stat.S_IMODE(facts.st_mode) & 0o077:
        raise NotWritable(
            f"I do not use {folder}: others can reach it.",
            "Remove it, or make it yours alone: mode 0700.",
        )
    return folder
