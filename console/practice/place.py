"""Where a practice process can be met: its lock, its kept devices, its socket.

The rule: every path of a practice process is named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from console import sockets


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
        """The socket's path. Raises BenchError if its folder is not ours alone."""
        return sockets.socket_path(self.root.resolve(), "practice")
