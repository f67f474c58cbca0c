"""The commands about jobs: the work orders that runs, notes, devices and files belong to."""

from __future__ import annotations

import argparse
import dataclasses
import socket

from console.commands.devices import must_be_scenario
from console.commands.said import must_be_text
from console.commands.words import complete, say, say_json, technician
from console.state import State
from console.views import JobView, RunView

Given = argparse.Namespace


def job_list(given: Given, state: State) -> int:
    """Every job there is."""
    from console.jobs import job_ids, job_of, runs_of

    found = [(job_of(state, job), runs_of(state, job)) for job in job_ids(state)]
    if given.json:
        say_json([_fields(said, runs) for said, runs in found])
        return 0
    if not found:
        say("No job was opened here yet.")
    for said, runs in found:
        last = f"; last: {runs[-1].verdict or runs[-1].state}" if runs else ""
        say(f"{said.job:<12} {said.customer:<24} runs {len(runs)}{last}")
    return 0


def _fields(said: JobView, runs: tuple[RunView, ...]) -> dict[str, object]:
    from console.jobs import devices_of

    fields = dataclasses.asdict(said)
    del fields["units"]
    return {**fields, "devices": devices_of(said, runs), "runs": [view.run for view in runs]}


def job_show(given: Given, state: State) -> int:
    """A job with its devices, runs, notes and files, and how to send it one."""
    from console.jobs import job_lines, known_job, scp_line
    from console.link import living

    link = living(state)
    if link is not None:  # so that what came for it is announced, and shown here
        link.ask("look")
        link.close()
    said, runs = known_job(state, given.id)
    if given.json:
        say_json(_fields(said, runs))
        return 0
    lines = job_lines(said, runs, scp_line(state, given.id, technician(), socket.gethostname()))
    say(*(complete(text, state) for text in lines))
    return 0


def job_open(given: Given, state: State) -> int:
    """Open a job, or tell its customer's reference; it has an inbox from then on."""
    from console.jobs import scp_line
    from console.link import reach

    must_be_scenario(state)
    must_be_text("--customer", given.customer)
    link = reach(state)
    link.ask("open_job", job=given.id, customer=given.customer, by=technician())
    link.close()
    say(f"Job {given.id} is open. Send a file to it:")
    say(scp_line(state, given.id, technician(), socket.gethostname()))
    return 0


def job_add(given: Given, state: State) -> int:
    """What sits in a port belongs to the job; its runs do from then on."""
    from console.link import reach

    must_be_scenario(state)
    link = reach(state)
    port = link.ask("assign", port=given.device, job=given.id, by=technician())
    link.close()
    say(f"The device on port {port} belongs to job {given.id} now.")
    return 0
