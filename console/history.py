"""What earlier runs left: which died, which backup is the first, what a list of runs shows.

The rule: read from the journals, never from memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from console.clock import Clock
from console.errors import RecordError, TornJournal
from console.events import ArtefactKept, Damage, Device, Noted, Reason, RunEnded, Verdict
from console.journal import Journal, decode, replay
from console.letters import telling
from console.state import State, give_back
from console.views import RunView, run_view

TAIL = 16 * 1024
"""Bytes at a journal's end in which its last line lies."""


def is_closed(path: Path) -> bool:
    """Does the journal end with its verdict? Reads only its last line."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            whole, end, torn = file.read().rpartition(b"\n")
    except OSError:
        return True
    if torn or not end:
        return False
    try:
        last = decode(whole.rpartition(b"\n")[2]).event
    except ValueError:
        last = None  # its last line is a long one
    if last is None or isinstance(last, Noted):  # a note may follow the verdict
        return run_view(replay(path).records).ended is not None
    return isinstance(last, RunEnded)


def view_of(state: State, run: str) -> RunView:
    """The run's view; a run whose bench is gone reads as interrupted. Raises TornJournal."""
    return run_view(replay(state.journal(run)).records)


def as_interrupted(view: RunView) -> RunView:
    """The view of a run that nobody performs any more."""
    return view if view.ended else replace(view, ended=interruption(view), question=None, wait=None)


def interruption(view: RunView) -> RunEnded:
    """The end of a run that died, with the damage it may have done."""
    step = view.current
    where = f" in the step '{step.title}'" if step else ""
    damage = view.damage
    if not view.committed or damage == Damage.NOTHING:
        advice = "Nothing half done is left on the device. Run the repair again."
    else:
        advice = "Leave the device plugged in and run the repair again; it goes on from there."
    return RunEnded(
        Verdict.UNFINISHED.value,
        Reason.INTERRUPTED.value,
        f"Replug was ended{where}. Damage class: {damage}.",
        advice,
        damage=damage,
    )


def close_interrupted(state: State, clock: Clock) -> tuple[tuple[str, RunEnded], ...]:
    """Close every run that has no end; the caller must hold the bench's lock."""
    closed = []
    for run in state.run_ids():
        path = state.journal(run)
        if is_closed(path):
            continue
        try:
            ended = _close(path, clock)
        except RecordError:
            continue  # it cannot be written: it goes on reading as interrupted
        give_back(state.reserve(run))
        closed.append((run, ended))
    return tuple(closed)


def _close(path: Path, clock: Clock) -> RunEnded:
    ended = interruption(run_view(replay(path).records))
    journal = Journal(path, clock)
    try:
        journal.append(ended, durable=True)
    finally:
        journal.close()
    return ended


def past_runs(state: State) -> Iterator[RunView]:
    """Every run that can be read, newest first."""
    for run in reversed(state.run_ids()):
        try:
            view = view_of(state, run)
        except TornJournal:
            continue
        if view.run:
            yield view


def last_ended(state: State) -> RunView | None:
    """The newest run that has ended, on whatever port, whoever looked."""
    return next((view for view in past_runs(state) if view.ended is not None), None)


def last_on(state: State, port: str) -> RunView | None:
    """The newest run on that port, ended or not."""
    return next((view for view in past_runs(state) if view.port == port), None)


Unit = Callable[[Device], str]
"""What names the very unit in each of its modes: its serial, or what that derives from."""


def serial(device: Device) -> str:
    """The unit's name where every mode shows the same serial."""
    return telling(device.serial)


def predecessor(
    state: State, family: str, device: Device, but_not: str = "", unit: Unit = serial
) -> RunView | None:
    """The run that a new one continues: the unit's last that wrote, if it did not finish."""
    for view in past_runs(state):
        other = view.flow.partition(".")[0] != family or not same_unit(view, device, unit)
        if other or view.run == but_not:
            continue
        if view.verdict in (Verdict.REPAIRED, Verdict.BEYOND) and view.committed:
            return None
        if view.committed:
            return view
    return None


def same_unit(view: RunView, device: Device, unit: Unit = serial) -> bool:
    """Was the run about this very unit, in any of the modes in which the run saw it?

    Its name alone decides. The same port proves nothing: the next customer's unit sits there.
    """
    ours = unit(device)
    return bool(ours) and any(unit(known) == ours for known in view.seen_as)


def begun(state: State, most: int, unit: Unit) -> dict[str, str]:
    """What the last `most` runs left to be finished, by their units' names; "" where nothing is.

    A unit that nothing names is not among them: what sits in its port now may be another.
    """
    found: dict[str, str] = {}
    for view in islice(past_runs(state), most):
        found = left_by(view, unit) | found  # newest first: what is known stays
    return found


def left_by(view: RunView, unit: Unit) -> dict[str, str]:
    """The same of one run: its unit's names, in any mode in which the run saw it."""
    names = filter(None, map(unit, view.seen_as))
    return dict.fromkeys(names, _left(view)) if view.committed else {}


def _left(view: RunView) -> str:
    if view.verdict != Verdict.UNFINISHED or view.ended is None:
        return ""
    flow = view.flow.partition(".")[2]
    return f"{flow}, run {view.run} of {view.started[:10]}, unfinished: {view.ended.damage}."


def recorded(
    state: State, device: Device, name: str, sha256: str, unit: Unit = serial
) -> tuple[RunView, ArtefactKept] | None:
    """The vault backup of that name or digest and its run; this unit's before another's."""
    other = None
    for view in past_runs(state):
        for kept in view.artefacts:
            if kept.place != "vault" or not _is_meant(kept, name, sha256):
                continue
            if same_unit(view, device, unit):
                return view, kept
            other = other or (view, kept)
    return other


def _is_meant(kept: ArtefactKept, name: str, sha256: str) -> bool:
    return kept.name == name if name else kept.sha256 == sha256


def last_kept(state: State, beginning: str, but_not: str = "") -> bytes | None:
    """The newest artefact of a name that begins so; one that has changed since is passed by."""
    for view in past_runs(state):
        if view.run == but_not:
            continue
        for kept in reversed(view.artefacts):
            if kept.place == "run" and kept.name.startswith(beginning):
                data = _whole(state.artefacts(view.run) / kept.name, kept)
                if data is not None:
                    return data
    return None


def _whole(path: Path, kept: ArtefactKept) -> bytes | None:
    """The bytes of a file; None where they are gone or not what was recorded."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == kept.sha256 else None


def first_backups(state: State, before: RunView | None) -> Mapping[str, ArtefactKept]:
    """The vault's files of a broken-off repair by their bare names, the oldest of each."""
    backups: dict[str, ArtefactKept] = {}
    while before is not None:
        mine = {
            kept.name.partition("-")[2]: kept
            for kept in before.artefacts
            if kept.place == "vault" and (state.vault / kept.name).exists()
        }
        backups = backups | mine
        before = _earlier(state, before)
    return backups


def _earlier(state: State, view: RunView) -> RunView | None:
    if not view.continues:
        return None
    try:
        return view_of(state, view.continues)
    except TornJournal:
        return None


def passed(state: State, flow: str, port: str) -> bool:
    """Did a run of that flow ("family.flow") that was started on that port end well?"""
    well = (Verdict.REPAIRED, Verdict.NO_FAULT)
    return any(
        view.flow == flow and view.port == port and view.verdict in well
        for view in past_runs(state)
    )


def needed_backups(state: State) -> Mapping[str, str]:
    """The vault's files that a repair which did not finish may still need, and its run."""
    finished = set()
    needed: dict[str, str] = {}
    for view in past_runs(state):
        if view.verdict == Verdict.REPAIRED or view.run in finished:
            finished |= {view.run, view.continues}
        elif view.committed and view.verdict in ("", Verdict.UNFINISHED):
            needed |= {kept.name: view.run for kept in view.artefacts if kept.place == "vault"}
    return needed
