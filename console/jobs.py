"""Jobs: the work orders that runs, notes, devices and files belong to, read from what is kept.

The rule: a job is its own small journal, and every run that names it. A job has a folder that
files are sent to; only looks from here see what came, so nothing waits for them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from console.errors import BadUsage
from console.events import FileArrived
from console.history import past_runs
from console.journal import replay
from console.letters import harmless
from console.state import State
from console.views import JobView, RunView, clock_of, job_view

JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def must_be_job(job: str) -> None:
    """Raises BadUsage for what cannot name a folder of its own."""
    if not JOB.fullmatch(job):
        raise BadUsage(
            f"{harmless(job)[:40]!r} cannot be a job's number.",
            "Letters, digits, . _ - and at most 40.",
        )


def job_ids(state: State) -> tuple[str, ...]:
    """Every job that was opened or that a run named, in order of their names."""
    kept = {path.stem for path in state.jobs.glob("*.jsonl")}
    return tuple(sorted(kept | {view.job for view in past_runs(state) if view.job}))


def job_of(state: State, job: str) -> JobView:
    """What was said of a job; empty where nothing was. Raises TornJournal."""
    path = state.job(job)
    if not JOB.fullmatch(job) or not path.exists():
        return JobView(job)
    return job_view(replay(path).records)


def runs_of(state: State, job: str) -> tuple[RunView, ...]:
    """The job's runs, oldest first."""
    return tuple(view for view in past_runs(state) if view.job == job)[::-1]


def known_job(state: State, job: str) -> tuple[JobView, tuple[RunView, ...]]:
    """What was said of a job, and its runs. Raises BadUsage if there is no such job."""
    said, runs = job_of(state, job), runs_of(state, job)
    if not said.opened and not runs:
        raise BadUsage(f"There is no job {harmless(job)} here.", "See the jobs: replug job list")
    return said, runs


def arrivals(state: State, job: str) -> Iterator[FileArrived]:
    """The files that lie in a job's inbox now; links and folders are none."""
    try:
        entries = sorted(state.job_inbox(job).iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.is_file() and not entry.is_symlink() and not entry.name.startswith("."):
            yield FileArrived(job, harmless(entry.name), _size(entry))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def scp_line(state: State, job: str, user: str, host: str) -> str:
    """What to type elsewhere to send a file to the job."""
    return f"scp FILE {user}@{host}:{shlex.quote(f'{state.job_inbox(job)}/')}"


def job_lines(said: JobView, runs: tuple[RunView, ...], scp: str) -> list[str]:
    """A job in lines, for a terminal and for the screen.

    Runs of older programs named jobs that nobody opened: those have no inbox.
    """
    opened = f", opened {said.opened[:16]}" if said.opened else ""
    lines = [f"Job {said.job}{opened}{f' by {said.by}' if said.by else ''}"]
    lines += [f"Customer: {said.customer}"] if said.customer else []
    lines += [f"Device: {name}" for name in devices_of(said, runs)]
    for view in runs:
        outcome = view.verdict or view.state
        lines.append(f"Run {view.run}  {view.started[:16]}  {view.flow}: {outcome}")
    lines += [f"Note {clock_of(at)}  {text}" for at, text in said.notes]
    lines += [f"File {file.name}, {file.size} bytes" for file in said.files]
    if said.opened:
        lines += ["Send a file to it:", scp]
    elif JOB.fullmatch(said.job):
        lines += [f"It has no inbox yet. To send files to it: replug job open {said.job}"]
    return [harmless(text) for text in lines]


def devices_of(said: JobView, runs: tuple[RunView, ...]) -> tuple[str, ...]:
    """The names of the job's devices, each once."""
    return tuple(dict.fromkeys((*said.devices, *(view.name for view in runs))))
