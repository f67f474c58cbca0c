"""The commands about what is kept: the record of a run, and the vault.

The rule: what lies in the vault is named, measured and deleted here; never shown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from console.commands.words import say, say_json
from console.errors import BadUsage, GateClosed, RecordError
from console.history import needed_backups
from console.state import State, storing

Given = argparse.Namespace


def export(given: Given, state: State) -> int:
    """Hand over the record of a run, or of a job."""
    to = Path(given.to or "-")
    data = _report(given, state)
    if given.to and given.to != "-" and (to.is_file() or not to.exists()):
        say(str(_into(to, data)))
    elif given.to and given.to != "-":
        with storing(to):  # a pipe or a terminal is written to, never replaced by a file
            to.write_bytes(data)
    elif sys.stdout is not None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    return 0


def _report(given: Given, state: State) -> bytes:
    from console import report

    if bool(given.run) == bool(given.job):
        raise BadUsage("Name a run, or a job with --job; one of them.", "See: replug log list")
    if given.job:
        return report.export_job(state, given.job, given.format)
    return report.export(state, report.resolve_run(state, given.run), given.format)


def ticket(given: Given, state: State) -> int:
    """A run as a few plain lines, to paste into a forum or a ticket."""
    from console import report
    from console.chapter import read_whole
    from console.ticket import ticket as lines

    _, read = read_whole(state, report.resolve_run(state, given.run))
    say(lines(read.records).rstrip("\n"))
    return 0


def _into(to: Path, data: bytes) -> Path:
    from console.report import write_report

    try:
        return write_report(to, data)
    except RecordError as error:
        error.advice = "Name another place: --to FILE"
        raise


def vault_files(state: State) -> dict[str, Path]:
    """What lies in the vault, by name."""
    try:
        entries = sorted(state.vault.iterdir())
    except FileNotFoundError:
        return {}
    return {entry.name: entry for entry in entries if not entry.name.startswith(".")}


def vault_list(given: Given, state: State) -> int:
    """What lies in the vault: names, sizes, digests; never contents."""
    import hashlib

    found = []
    for name, path in vault_files(state).items():
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        run_id = name.partition("-")[0]
        found.append({"name": name, "run": run_id, "size": len(data), "sha256": digest})
    if given.json:
        say_json(found)
        return 0
    if not found:
        say("The vault is empty.")
    for kept in found:
        say(f"{kept['name']}  run {kept['run']}  {kept['size']} bytes  sha256 {kept['sha256']}")
    return 0


def vault_delete(given: Given, state: State) -> int:
    """Delete backups for good; all of the names, or none."""
    files = vault_files(state)
    names = dict.fromkeys(given.name)
    unknown = [name for name in names if name not in files]
    if unknown:
        raise BadUsage(f"There is no {unknown[0]} in the vault.", "See it: replug vault list")
    needed = needed_backups(state)
    for name in names:
        if name in needed and not given.unfinished:
            raise GateClosed(
                f"{name} is the backup of run {needed[name]}, which did not finish the repair.",
                "Repair the unit first. If it is lost for good: --unfinished deletes it all the "
                "same.",
            )
    for name in names:
        with storing(state.vault):
            files[name].unlink()
        say(f"{name} is deleted.")
    return 0
