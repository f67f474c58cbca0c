"""The state directory: where everything lies, and what is said when it cannot be kept there.

The rule: every path below the state directory is named here. It holds the vault, so it and
all below it belong to this user alone (0700, files 0600).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from console.errors import ConsoleError, NoRoom, NotWritable, RecordError

SPOOLED = "stdin-"
"""How the names of files begin that came in by a command's standard input."""
RESERVE = 64 * 1024
"""Bytes a run sets aside, so that its last lines can be written on a disk that became full."""


@dataclass(frozen=True)
class State:
    """One state directory. Practice has its own, below."""

    root: Path
    practice: str = ""

    @property
    def lock(self) -> Path:
        return self.root / "bench.lock"

    @property
    def log(self) -> Path:
        """What the bench process itself complains of; for developers."""
        return self.root / "bench.log"

    @property
    def days(self) -> Path:
        return self.root / "bench"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def ports(self) -> Path:
        """What was said of the ports: labels, hands-off marks."""
        return self.root / "ports.json"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    def job(self, job: str) -> Path:
        """A job's own journal."""
        return self.jobs / f"{job}.jsonl"

    def job_inbox(self, job: str) -> Path:
        """Where files for a job are sent to."""
        return self.inbox / job

    def run(self, run: str) -> Path:
        return self.runs / run

    def journal(self, run: str) -> Path:
        return self.runs / run / "journal.jsonl"

    def artefacts(self, run: str) -> Path:
        return self.runs / run / "artefacts"

    def trace(self, run: str) -> Path:
        return self.runs / run / "trace.txt"

    def reserve(self, run: str) -> Path:
        return self.runs / run / "reserve"

    def drop_spooled(self, answer: str) -> None:
        """Delete what a command brought in from its standard input, once its run is over."""
        path = Path(answer) if answer.startswith(str(self.inbox)) else None
        if path is not None and path.parent == self.inbox and path.name.startswith(SPOOLED):
            path.unlink(missing_ok=True)

    def discard(self, path: str) -> bool:
        """Remove a file that was sent to the inbox; False where it is none of those."""
        file, inbox = Path(path).resolve(), self.inbox.resolve()
        if inbox not in file.parents or not file.is_file():
            return False
        with storing(self.root):
            file.unlink()
        return True

    def prepare(self) -> None:
        """Make the folders. Raises NoRoom, NotWritable."""
        with storing(self.root):
            for folder in (self.root, self.days, self.runs, self.vault, self.inbox):
                private_folder(folder)
            self.lock.touch(mode=0o600)
            with self.lock.open("r+b"):
                pass

    def run_ids(self) -> tuple[str, ...]:
        """Every run there is, oldest first."""
        try:
            names = [entry.name for entry in self.runs.iterdir() if entry.name.isdecimal()]
        except FileNotFoundError:
            return ()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise RecordError(
                f"The runs in {self.runs} cannot be read: {reason}.", "Try another: --state DIR"
            ) from None
        return tuple(sorted(names, key=int))


def state_directory(directory: str | None, practice: str | None) -> State:
    """The State the command line means; practice lies below it, one folder a scenario.

    Raises RecordError if the words name no directory.
    """
    root = Path(directory) if directory else platformdirs.user_state_path("replug")
    try:
        root = root.expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        raise RecordError(f"{root} names no directory.", "Try another: --state DIR") from None
    if practice:
        return State(root / "practice" / practice, practice)
    return State(root)


@contextmanager
def storing(where: Path) -> Iterator[None]:
    """Turns what the file system objects to into our errors."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, where) from None


def storage_error(error: OSError, where: Path) -> ConsoleError:
    """The sentence for one failure of the file system."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(f"There is no room left for the record in {where}.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return NotWritable(f"The record cannot be written in {where}.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return NotWritable(f"{where} is in the way: a file stands where a folder has to be.")
    reason = os.strerror(error.errno or 0)
    return RecordError(f"The record in {where} failed: {reason}.", "Try another: --state DIR")


def private_folder(folder: Path) -> None:
    """Make the folder; what is missing above it is for this user alone, too."""
    missing = [above for above in (folder, *folder.parents) if not above.exists()]
    for above in reversed(missing):
        above.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)  # a file in the way is said


def set_aside(path: Path, size: int = RESERVE) -> None:
    """Claim disk blocks for later. Raises NoRoom, NotWritable."""
    with storing(path.parent):
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)


def give_back(path: Path) -> bool:
    """Free what set_aside() claimed; True if there was anything."""
    with suppress(OSError):
        path.unlink()
        return True
    return False


def write_private(path: Path, data: bytes) -> None:
    """A new file for this user alone, whole or not at all, on disk when it returns."""
    with storing(path.parent):
        private_folder(path.parent)
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)  # left by a crash; or a link laid by somebody else
        descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def sync_folder(folder: Path) -> None:
    """Make a new name in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
