"""What the technician hands over: a run's journal, as it is or as a page to read.

The rule: made from the journal alone, after its chain of hashes was checked. Nothing of the
vault is in it but names, sizes and digests.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from console.errors import BadUsage, TornJournal
from console.events import ArtefactKept
from console.journal import Replay, read_lines
from console.state import State, write_private
from console.views import RunView, clock_of, run_view
from console.wording import line, plain

FORMATS = ("jsonl", "html")
SHOWN = 64 * 1024
"""Bytes of an artefact that a page shows in full."""


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
    """The report of one run. Raises TornJournal if the journal does not hold together."""
    try:
        data = state.journal(run).read_bytes()
    except OSError:
        raise TornJournal(f"The journal of run {run} cannot be read.") from None
    read = read_lines(data)
    if read.broken:
        raise TornJournal(f"The journal of run {run} does not hold together: {read.broken}.")
    if fmt == "jsonl":
        return data[: read.length]
    if fmt == "html":
        return plain(_page(state, read)).encode()
    raise BadUsage(f"There is no format {fmt}.", f"There is: {', '.join(FORMATS)}.")


def export_to(state: State, run: str, fmt: str, to: Path | None = None) -> Path:
    """Write the report into a file (by default in the state directory's exports); its path."""
    path = to or state.exports / f"run-{run}.{fmt}"
    write_private(path.absolute(), export(state, run, fmt))
    return path.absolute()


def _page(state: State, read: Replay) -> str:
    # Imported here: plain commands start without it.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("console", "."),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    view = run_view(read.records)
    return environment.get_template("report.html").render(
        run=view,
        lines=_lines(read),
        artefacts=_artefacts(state, view),
        torn=read.torn,
        last_hash=read.records[-1].hash if read.records else "",
        events=len(read.records),
        clock_of=clock_of,
    )


def _lines(read: Replay) -> list[tuple[str, str]]:
    view = run_view(read.records)
    told = ((record.at, line(record.event, view)) for record in read.records)
    return [(at, text) for at, text in told if text]


def _artefacts(state: State, view: RunView) -> list[tuple[str, str, str, int, str, str]]:
    found = []
    for kept in view.artefacts:
        text = _text(state.artefacts(view.run) / kept.name, kept) if kept.place == "run" else ""
        found.append((kept.name, kept.place, kept.sha256, kept.size, kept.about, text))
    return found


def _text(path: Path, kept: ArtefactKept) -> str:
    if path.name != kept.name:
        return ""
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != kept.sha256:
            return "The file has been changed since the run kept it, and is not shown."
        return data.decode("ascii") if len(data) <= SHOWN else ""
    except (OSError, UnicodeDecodeError):
        return ""
