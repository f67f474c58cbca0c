"""The commands that only say something: a port's label, a mark on what sits in it, a note."""

from __future__ import annotations

import argparse

from console.commands.devices import must_be_scenario
from console.commands.words import say, technician
from console.errors import BadUsage
from console.state import State

LONGEST_NOTE = 2000

Given = argparse.Namespace


def must_be_text(name: str, value: str) -> None:
    """Raises BadUsage for bytes that no journal and no report could show."""
    if not value.isprintable():
        raise BadUsage(f"What {name} says is not plain text.", "Type it again.")


def note(given: Given, state: State) -> int:
    """Write a note into a run's record, or into the day's."""
    from console.link import reach
    from console.report import resolve_run

    must_be_scenario(state)
    text = given.text.strip()
    must_be_text("TEXT", text)
    if not 0 < len(text) <= LONGEST_NOTE:
        raise BadUsage(f"A note has 1 to {LONGEST_NOTE} letters.", "Write it in several.")
    if given.run and given.job:
        raise BadUsage("A run and a job are named.", "Leave one of them out.")
    run = resolve_run(state, given.run) if given.run else ""
    link = reach(state)
    if given.job:
        link.ask("note_job", job=given.job, text=text, by=technician())
    else:
        link.ask("note", run=run, text=text, by=technician())
    link.close()
    of = f"of job {given.job}" if given.job else f"of run {run}" if run else "of the day"
    say(f"The note is in the record {of}.")
    return 0


def label(given: Given, state: State) -> int:
    """Name a port, or take its name away."""
    from console.link import reach

    must_be_scenario(state)
    must_be_text("PORT", given.port)
    name = given.name.strip()
    link = reach(state)
    port = link.ask("label", port=given.port, label=name, by=technician())
    link.close()
    say(f"Port {port} is called {name} now." if name else f"Port {port} has no label now.")
    return 0


def mark(given: Given, state: State) -> int:
    """Mark what sits in a port hands off, or clear that."""
    from console.link import reach

    must_be_scenario(state)
    must_be_text("PORT", given.port)
    hands_off = given.mark == "hands-off"
    link = reach(state)
    port = link.ask("mark", port=given.port, hands_off=hands_off, by=technician())
    link.close()
    if hands_off:
        say(f"What sits in port {port} is hands off now: no run is started on it.")
    else:
        say(f"What sits in port {port} may be repaired again.")
    return 0
