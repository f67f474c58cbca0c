"""What the technician hands over: journals as they are, or as pages to read.

The rule: whole runs, each with those that it continues, oldest first. In JSON lines each line
carries the hash of the one before it; a line that begins with number 1 begins a run. A line that
tells of another customer's device is replaced by one marked "redacted", which carries the hash
of the real one: so every chain can still be followed by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from console.chapter import SHOWN, Chapter, chapter, read_whole, with_predecessors
from console.errors import BadUsage
from console.jobs import known_job, must_be_job
from console.journal import read_lines
from console.letters import plain
from console.markdown import book
from console.state import State, write_private
from console.strangers import hide, hide_moved, lines_for_others
from console.views import JobView, RunView, clock_of

__all__ = [
    "FORMATS",
    "SHOWN",
    "export",
    "export_files",
    "export_job",
    "export_job_files",
    "resolve_run",
]

FORMATS = ("jsonl", "html", "md")


def resolve_run(state: State, words: str) -> str:
    """The run meant by its number or by "last". Raises BadUsage."""
    runs = state.run_ids()
    if words == "last" and runs:
        return runs[-1]
    if words in runs:
        return words
    advice = "See the runs: replug runs" if runs else "Nothing was run here yet."
    raise BadUsage(f"There is no run {words} here.", advice)


def export(state: State, run: str, fmt: str) -> bytes:
    """The report of a run and of those it continues.

    Raises TornJournal if a journal does not hold together.
    """
    return export_runs(state, with_predecessors(state, run), fmt)


def export_runs(state: State, runs: Sequence[str], fmt: str, job: JobView | None = None) -> bytes:
    """The report of these runs, in their order, after what was said of their job.

    Raises TornJournal.
    """
    if fmt == "jsonl":
        head = _journal_of_job(state, job.job) if job and job.opened else b""
        return head + b"".join(_journal(state, run) for run in runs)
    if fmt == "html":
        return plain(_page([chapter(state, run) for run in runs], job)).encode()
    if fmt == "md":
        return plain(book([chapter(state, run) for run in runs], job)).encode()
    raise BadUsage(f"There is no format {fmt}.", f"There is: {', '.join(FORMATS)}.")


def export_job(state: State, job: str, fmt: str) -> bytes:
    """The report of a job: what was said of it, then its runs. Raises BadUsage, TornJournal."""
    said, runs = known_job(state, job)
    chains = (with_predecessors(state, view.run) for view in runs)
    ids = dict.fromkeys(run for chain in chains for run in chain)
    return export_runs(state, tuple(ids), fmt, said)


def export_files(state: State, run: str) -> tuple[Path, ...]:
    """Write a run's report in every format, into the state directory's exports; their paths.

    Raises TornJournal, NoRoom, NotWritable.
    """
    return _in_every_format(state, f"run-{run}", lambda fmt: export(state, run, fmt))


def export_job_files(state: State, job: str) -> tuple[Path, ...]:
    """As export_files(), of a whole job. Raises BadUsage too."""
    must_be_job(job)
    return _in_every_format(state, f"job-{job}", lambda fmt: export_job(state, job, fmt))


def _in_every_format(state: State, name: str, make: Callable[[str], bytes]) -> tuple[Path, ...]:
    made = {fmt: make(fmt) for fmt in FORMATS}  # all of them, or none is written
    return tuple(write_report(state.exports / f"{name}.{fmt}", data) for fmt, data in made.items())


def write_report(path: Path, data: bytes) -> Path:
    """Write it whole, for this user alone; its absolute path. Raises NoRoom, NotWritable."""
    write_private(path.absolute(), data)
    return path.absolute()


def _journal_of_job(state: State, job: str) -> bytes:
    try:
        data = state.job(job).read_bytes()
    except OSError:
        return b""
    read = read_lines(data)
    return lines_for_others(data[: read.length], read.records, hide_moved(read.records))


def _journal(state: State, run: str) -> bytes:
    data, read = read_whole(state, run)
    return lines_for_others(data, read.records, hide(read.records))


def _page(chapters: Sequence[Chapter], job: JobView | None) -> str:
    # Imported here: plain commands start without it.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
    from markupsafe import Markup, escape

    def apart(value: object) -> object:
        # Letters that are written from the right then turn nothing around them (HTML, 4.5.24).
        whole = isinstance(value, Markup) or str(value).isascii()
        return value if whole else Markup("<bdi>{}</bdi>").format(value)

    environment = Environment(
        loader=PackageLoader("console", "."),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        finalize=apart,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    last = chapters[-1].run if chapters else RunView()
    named = f"job {job.job}" if job else f"run {last.run}: {last.verdict or 'not ended'}"
    title = escape(f"Replug {named}")  # a title holds no elements
    return template.render(title=title, chapters=chapters, job=job, clock_of=clock_of)
