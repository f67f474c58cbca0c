"""What a follower knows: the folds of the bench's journal, of the runs it looks at and of jobs.

The rule: it reads files; a nudge only says that it is time to read. So a nudge that was lost
costs nothing but a moment, and a follower that stops reading costs the bench nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.journal import Record, Tail
from console.state import State
from console.views import BenchView, JobView, RunView, fold_bench, fold_job, fold_run


@dataclass(frozen=True)
class Progress:
    """Passing progress of a run; never in a journal."""

    what: str
    done: int
    total: int


class Picture:
    """The bench and its open runs, as far as they were read."""

    def __init__(self, state: State, journal: str) -> None:
        self._state = state
        self._tail = Tail(Path(journal))
        self._runs: dict[str, tuple[Tail, RunView]] = {}
        self._jobs: dict[str, tuple[Tail, JobView]] = {}
        self.bench = BenchView()
        self.progress: dict[str, Progress] = {}
        self.trouble = ""
        self.read()

    @property
    def runs(self) -> Mapping[str, RunView]:
        return {run: view for run, (_, view) in self._runs.items()}

    def run(self, run: str) -> RunView:
        """The view of one run, followed from now on."""
        if run not in self._runs:
            self._runs[run] = (Tail(self._state.journal(run)), RunView())
            self.read_run(run)
        return self._runs[run][1]

    def take(self, nudge: Mapping[str, Any]) -> None:
        """Bring the picture up to date after a nudge."""
        if "progress" in nudge:
            known = Progress(str(nudge["what"]), int(nudge["done"]), int(nudge["total"]))
            self.progress[str(nudge["progress"])] = known
        elif "trouble" in nudge:
            self.trouble = f"{nudge['trouble']} {nudge['advice']}".strip()
        elif "look" in nudge:
            self._turn_to(Path(str(nudge["look"])))
            self.read()
            for run in tuple(self._runs):
                self.read_run(run)
        elif "run" in nudge:
            self.run(str(nudge["run"]))
            self.read_run(str(nudge["run"]))
        elif "grew" in nudge:
            self._turn_to(Path(str(nudge["grew"])))
            self.read()

    def _turn_to(self, path: Path) -> None:
        if path != self._tail.path:
            self._tail = Tail(path)

    def read(self) -> None:
        """Read what the bench's journal has grown by; follow the runs that are open."""
        for record in self._tail.new():
            self.bench = fold_bench(self.bench, record)
        for run in self.bench.runs:
            self.run(run)
        for job in {device.job for device in self.bench.devices if device.job}:
            self._read_job(job)

    @property
    def jobs(self) -> Mapping[str, JobView]:
        """What was said of the jobs of what is or was on the bench."""
        return {job: view for job, (_, view) in self._jobs.items()}

    def _read_job(self, job: str) -> None:
        tail, view = self._jobs.get(job) or (Tail(self._state.job(job)), JobView(job))
        for record in tail.new():
            view = fold_job(view, record)
        self._jobs[job] = (tail, view)

    def read_run(self, run: str) -> tuple[Record, ...]:
        """Read what a run's journal has grown by; the new records."""
        tail, view = self._runs[run]
        records = tail.new()
        for record in records:
            view = fold_run(view, record)
        self._runs[run] = (tail, view)
        return records
