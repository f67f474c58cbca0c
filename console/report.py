"""What the technician hands over: journals as they are, or as pages to read.

The rule: whole runs, each with those that it continues, oldest first. In JSON lines each line
carries the hash of the one before it; a line that begins with number 1 begins a run. A line that
tells of another customer's device is replaced by one marked "redacted", which carries the hash
of the real one: so every chain can still be followed by anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from console.chapter import SHOWN, Chapter, chapter, read_whole, with_predecessors
from console.errors import BadUsage
from console.markdown import book
from console.state import State, write_private
from console.strangers import lines_for_others
from console.views import clock_of
from console.wording import plain

__all__ = ["FORMATS", "SHOWN", "export", "export_runs", "export_to", "resolve_run"]

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


def export_runs(state: State, runs: Sequence[str], fmt: str) -> bytes:
    """The report of these runs, in their order. Raises TornJournal."""
    if fmt == "jsonl":
        return b"".join(_journal(state, run) for run in runs)
    if fmt == "html":
        return plain(_page([chapter(state, run) for run in runs])).encode()
    if fmt == "md":
        return plain(book([chapter(state, run) for run in runs])).encode()
    raise BadUsage(f"There is no format {fmt}.", f"There is: {', '.join(FORMATS)}.")


def export_to(state: State, run: str, fmt: str, to: Path | None = None) -> Path:
    """Write the report into a file (by default in the state directory's exports); its path."""
    path = to or state.exports / f"run-{run}.{fmt}"
    write_private(path.absolute(), export(state, run, fmt))
    return path.absolute()


def _journal(state: State, run: str) -> bytes:
    data, read = read_whole(state, run)
    return lines_for_others(data, read.records)


def _page(chapters: Sequence[Chapter]) -> str:
    # Imported here: plain commands start without it.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("console", "."),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    return template.render(chapters=chapters, last=chapters[-1].run, clock_of=clock_of)
