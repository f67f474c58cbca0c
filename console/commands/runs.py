"""The commands about runs: start one, follow it, stop it, list them."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from console.commands.devices import must_be_scenario
from console.commands.said import must_be_text
from console.commands.words import complain, say, say_json, somebody_sits_here, technician
from console.errors import BadUsage, GateClosed, NoSuchFlow, TornJournal
from console.history import as_interrupted, view_of
from console.state import State
from console.views import RunView

Given = argparse.Namespace


def run(given: Given, state: State) -> int:
    """Perform a flow on a device."""
    from console.following import Follower
    from console.link import reach

    must_be_scenario(state)
    given.device = device_meant(given)
    link = reach(state, listen=True)
    card = link.ask("card", device=given.device, not_shown=given.not_shown)
    flow = flow_of(card, given.flow, not_shown=given.not_shown)
    interactive = not given.json and somebody_sits_here()
    request = wanted(given, state, flow, attended=interactive or given.detach)
    with keeping_ctrl_c() as pressed:
        run_id = link.start_run(request)
    if given.detach:
        say(json.dumps({"run": run_id}) if given.json else run_id)
        link.close()
        return 0
    follower = Follower(
        link, state, run_id, sys.stdout, as_json=given.json, interactive=interactive
    )
    return follower.left() if pressed else follower.follow()


def device_meant(given: Given) -> str:
    """The device, or the port of one that is not shown ("" for any). Raises BadUsage."""
    if given.not_shown:
        if given.device and given.port not in ("", given.device):
            raise BadUsage(f"Two ports are named: {given.device} and {given.port}.", "Name one.")
        return str(given.device or given.port)
    if given.port:
        raise BadUsage(
            "--port is for a device that does not appear.",
            "Say --not-shown, or name the port as DEVICE.",
        )
    if not given.device:
        raise BadUsage("No device was named.", "Name it, or say --not-shown if it does not appear.")
    return str(given.device)


def wanted(given: Given, state: State, flow: dict[str, Any], *, attended: bool) -> Any:
    """The Request for what the command line says. Raises BadUsage."""
    from console.answers import collect, standard_input
    from console.run import Request

    kinds = {question["id"]: question["kind"] for question in flow["questions"]} | {
        "retry": "choice"
    }
    answers = collect(given.answer, given.answers, kinds, state, standard_input)
    if given.job and answers.get("job", given.job) != given.job:
        raise BadUsage(
            f"Two jobs are named: {given.job} by --job, and {answers['job']} by the answers.",
            "Leave one of them out.",
        )
    must_be_text("--job", given.job)
    return Request(
        flow["id"],
        given.device,
        answers,
        given.yes,
        given.not_shown,
        attended,
        given.job or answers.get("job", ""),
        technician(),
    )


@contextmanager
def keeping_ctrl_c() -> Iterator[list[int]]:
    """Ctrl-C only notes itself: between asking for a run and hearing its id it would lose it."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def flow_of(card: dict[str, Any], words: str, *, not_shown: bool = False) -> dict[str, Any]:
    """The flow of the card that is meant. Raises NoSuchFlow, GateClosed (hands off)."""
    if card["mark"]:
        raise GateClosed(
            f"The device on port {card['port']} is marked {card['mark']}.",
            "Nothing was sent to it. If it may be touched: "
            f"replug mark {shlex.quote(card['port'])} clear",
        )
    matches = [
        flow for flow in card["flows"] if words in (flow["id"], flow["id"].partition(".")[2])
    ]
    own = [flow for flow in matches if not flow["id"].startswith("generic.")]
    matches = own or matches  # what the family knows of it goes before what anybody can see
    if len(matches) == 1:
        return dict(matches[0])
    if matches:
        where = shlex.join(filter(None, (card["port"], "--not-shown" if not_shown else "")))
        raise _ambiguous(card, words, matches, where)
    known = ", ".join(flow["id"] for flow in card["flows"])
    of = f"the device on port {card['port']}" if card["port"] else card["name"]
    raise NoSuchFlow(
        f"There is no flow {words} for {of}.",
        f"There is: {known}." if known else "No family here knows this device.",
    )


def _ambiguous(
    card: dict[str, Any], words: str, matches: list[dict[str, Any]], where: str
) -> NoSuchFlow:
    named = ", ".join(f"{flow['id']} ({flow['title']})" for flow in matches)
    advice = f"Name it in full, such as: replug run {matches[0]['id']} {where}"
    generic = f"generic.{words}"
    if any(flow["id"] == generic for flow in card["flows"]):
        advice += f"; {generic} is what any device has."
    return NoSuchFlow(f"The flow {words} can mean several: {named}.", advice)


def attach(given: Given, state: State) -> int:
    """Follow a run until it ends; a run that has ended is shown."""
    from console.following import Follower, show_past
    from console.link import living
    from console.report import resolve_run

    run_id = resolve_run(state, given.run)
    link = living(state, listen=True)
    if link is None or run_id not in link.hello["runs"]:
        return show_past(state, run_id, sys.stdout, as_json=given.json)
    interactive = not given.json and somebody_sits_here()
    return Follower(
        link, state, run_id, sys.stdout, as_json=given.json, interactive=interactive
    ).follow()


def stop(given: Given, state: State) -> int:
    """Ask a run to stop at its next safe point."""
    from console.link import living
    from console.report import resolve_run

    run_id = resolve_run(state, given.run)
    link = living(state)
    if link is None:
        raise BadUsage(f"Run {run_id} is not going on.", "See the runs: replug runs")
    stop_at = link.ask("stop_run", run=run_id, by=technician())
    link.close()
    if stop_at:
        say(f"Not possible in this step: the device would be left half done. Next: {stop_at}.")
    else:
        say(f"Run {run_id} stops now. Nothing more is sent to the device.")
    return 0


def runs(given: Given, state: State) -> int:
    """Every run there is."""
    from console.link import holder

    alive = bool(holder(state))
    found = list(past(state, alive))
    if given.json:
        say_json([run_object(view) for view in found])
        return 0
    if not found:
        say("Nothing was run here yet.")
    for view in found:
        outcome = view.verdict or view.state
        practice = "PRACTICE  " if view.practice else ""
        job = f"  job {view.job}" if view.job else ""
        what = f"{practice}{view.flow}  {view.name}{job}"
        say(f"{view.run:>5}  {view.started[:16]}  {what}: {outcome}")
    return 0


def past(state: State, alive: bool) -> Iterable[RunView]:
    """The view of every run that can be read, oldest first."""
    for run_id in state.run_ids():
        try:
            view = view_of(state, run_id)
        except TornJournal as error:
            complain(f"run {run_id}: {error.sentence}")
            continue
        if view.run:
            yield view if alive else as_interrupted(view)


def run_object(view: RunView) -> dict[str, Any]:
    """A run as `--json` shows it."""
    return {
        "run": view.run,
        "flow": view.flow,
        "port": view.port,
        "job": view.job,
        "state": view.state,
        "verdict": view.verdict,
        "damage": view.ended.damage if view.ended else view.damage,
        "sentence": view.ended.sentence if view.ended else "",
        "serial": view.device.serial if view.device else "",
        "started": view.started,
        "continues": view.continues,
        "practice": view.practice,
    }
