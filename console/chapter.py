"""One run as a chapter of what is handed over: its view, its lines, its artefacts.

The rule: made from the journal alone, after its chain of hashes was checked. Nothing of the
vault is in it but names, sizes and digests; nothing of another customer's device is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from console.errors import TornJournal
from console.events import ArtefactKept
from console.journal import Record, Replay, read_lines
from console.state import State
from console.strangers import hide
from console.views import RunView, run_view
from console.wording import line

SHOWN = 64 * 1024
"""Bytes of an artefact that a page shows in full."""


@dataclass(frozen=True)
class Chapter:
    """`lines` are (time, text); `artefacts` are (name, place, sha256, size, about, text)."""

    run: RunView
    lines: tuple[tuple[str, str], ...]
    artefacts: tuple[tuple[str, str, str, int, str, str], ...]
    torn: bool
    last_hash: str
    events: int


def read_whole(state: State, run: str) -> tuple[bytes, Replay]:
    """The bytes of a run's journal that hold together, and their records. Raises TornJournal."""
    try:
        data = state.journal(run).read_bytes()
    except OSError:
        raise TornJournal(f"The journal of run {run} cannot be read.") from None
    read = read_lines(data)
    if read.broken:
        raise TornJournal(f"The journal of run {run} does not hold together: {read.broken}.")
    return data[: read.length], read


def with_predecessors(state: State, run: str) -> tuple[str, ...]:
    """The runs that this one continues, oldest first, and itself. Raises TornJournal."""
    found = [run]
    while True:
        before = _continued(read_whole(state, found[0])[1].records)
        if before in found or before not in state.run_ids():
            return tuple(found)
        found.insert(0, before)


def _continued(records: tuple[Record, ...]) -> str:
    return run_view(records[:1]).continues


def chapter(state: State, run: str) -> Chapter:
    """The chapter of one run. Raises TornJournal."""
    _, read = read_whole(state, run)
    shown = replace(read, records=hide(read.records))
    view = run_view(shown.records)
    return Chapter(
        view,
        _lines(shown),
        _artefacts(state, view),
        read.torn,
        read.records[-1].hash if read.records else "",
        len(read.records),
    )


def _lines(read: Replay) -> tuple[tuple[str, str], ...]:
    view = run_view(read.records)
    told = ((record.at, line(record.event, view)) for record in read.records)
    return tuple((at, text) for at, text in told if text)


def _artefacts(state: State, view: RunView) -> tuple[tuple[str, str, str, int, str, str], ...]:
    found = []
    for kept in view.artefacts:
        text = _text(state.artefacts(view.run) / kept.name, kept) if kept.place == "run" else ""
        found.append((kept.name, kept.place, kept.sha256, kept.size, kept.about, text))
    return tuple(found)


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
