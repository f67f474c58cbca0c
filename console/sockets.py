"""Where our processes meet: one private folder in /tmp, and JSON messages that keep their bounds.

The rule: the folder belongs to this user alone and is no link (checked each time); it is not in
the login's runtime folder, which goes with the last login. A send never waits for a reader.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.errors import BenchError

LARGEST = 192 * 1024
"""Bytes of the largest message."""


def folder() -> Path:
    """The folder of this user's sockets, made if need be. Raises BenchError if it is not ours."""
    path = Path("/tmp") / f"replug-{os.getuid()}"  # noqa: S108 - its owner is checked below
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise BenchError(
            f"{path} is not a folder of this user alone, so nothing may be put there.",
            "Ask who made it, and have it removed.",
        )
    return path


def socket_path(root: Path, what: str) -> Path:
    """The socket of a state directory; short whatever the directory's name is (108 bytes)."""
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return folder() / f"{what}-{digest}"


def listen(path: Path) -> socket.socket:
    """A listening socket; the caller holds the lock that makes an old socket file stale."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(str(path))
    listening.listen(16)
    return listening


def connect(path: Path) -> socket.socket | None:
    """A connection, or None if nobody listens."""
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connecting.setblocking(False)  # a listener that accepts no more would let us wait for ever
    try:
        connecting.connect(str(path))
    except OSError:
        connecting.close()
        return None
    connecting.setblocking(True)
    return connecting


def send(to: socket.socket, message: dict[str, Any]) -> bool:
    """Send one message without waiting; False if the other end is gone or does not read."""
    try:
        to.send(json.dumps(message).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        return False
    return True


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """The next message; None when the other end has gone. Raises TimeoutError."""
    try:
        data = connection.recv(LARGEST)
    except TimeoutError:
        raise
    except OSError:
        return None
    if not data:
        return None
    try:
        message = json.loads(data)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
