"""What each command does: ask the bench if one lives, else look oneself, and print.

The rule: every command takes (arguments, state) and returns an exit code; refusals are raised.
"""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.clock import MachineClock
from console.errors import BadUsage, GateClosed, NoSuchFlow, TornJournal
from console.hardware.bus import Bus
from console.history import as_interrupted, view_of
from console.state import State, storing
from console.views import BenchView, DeviceView, RunView

Given = argparse.Namespace


def say(*lines: str) -> None:
    """Print lines to standard output, at once."""
    for text in lines:
        print(text, flush=True)  # noqa: T201 - the command's output


def say_json(value: object) -> None:
    say(json.dumps(value, indent=2, default=list))


def screen(_given: Given, state: State) -> int:
    """The screen; the only command that imports one."""
    must_be_scenario(state)
    from screens.app import run as show

    return show(state)


def must_be_scenario(state: State) -> None:
    """Raises BadUsage if the practice scenario is not known."""
    if not state.practice:
        return
    from console.families import scenarios

    names = [scenario.name for scenario in scenarios()]
    if state.practice not in names:
        raise BadUsage(
            f"There is no practice scenario {state.practice}.", f"There is: {', '.join(names)}."
        )


# --- devices ------------------------------------------------------------------------------


def devices(given: Given, state: State) -> int:
    """What is plugged in."""
    must_be_scenario(state)
    if given.watch:
        return watch(given, state)
    found, trouble = seen_now(state)
    if given.json:
        say_json([device_object(device) for device in found])
        return 0
    if trouble:
        print(trouble, file=sys.stderr)  # noqa: T201 - beside the list, not in it
    if not found:
        say("Nothing is plugged in.")
    for device in found:
        say(device_line(device))
    return 0


def device_object(device: dict[str, Any]) -> dict[str, Any]:
    """A device as `--json` shows it: a view without the bench's own counters."""
    return {name: value for name, value in device.items() if name not in ("visit", "here")}


def device_line(device: dict[str, Any]) -> str:
    """A device in one line."""
    ids = f"{device['vid']}:{device['pid']}"
    closed = [node["why"] for node in device["nodes"] if not node["may_open"]]
    trouble = f"  ! {closed[0]}" if closed else ""
    shown = device["shown"] or "-"
    return f"{device['port']:<10} {ids}  {shown:<10} {device['name']}{trouble}"


def seen_now(state: State) -> tuple[list[dict[str, Any]], str]:
    """Every device as fields of a DeviceView, and the bus's state in words."""
    from console.link import living

    link = living(state)
    if link is not None:
        found = link.ask("devices"), link.ask("status")["trouble"]
        link.close()
        return found
    views, trouble = look_ourselves(state)
    return [dataclasses.asdict(view) for view in views], trouble


def look_ourselves(state: State) -> tuple[tuple[DeviceView, ...], str]:
    """One look at the bus without a bench."""
    from console.cards import introduce
    from console.families import found as families
    from console.views import device_view

    bus = bus_of(state)
    now = MachineClock().wall().isoformat()
    seen = tuple(device_view(introduce(device, families()), now) for device in bus.scan())
    trouble = bus.state()
    bus.close()
    return seen, trouble


def bus_of(state: State) -> Bus:
    """The devices of this state directory, looked at without a bench."""
    from console.server import bus_for

    if state.practice:
        state.prepare()
    return bus_for(state, MachineClock())


def watch(given: Given, state: State) -> int:
    """Tell what comes and goes, until the terminal says Ctrl-C."""
    from console.link import reach
    from console.picture import Picture

    link = reach(state, listen=True)
    picture = Picture(state, link.hello["journal"])
    before: dict[str, DeviceView] = {}
    with suppress(KeyboardInterrupt):
        while True:
            before = tell_changes(before, picture.bench, given.json)
            nudge = link.nudges.get()
            if "gone" in nudge:
                raise GateClosed("The bench has ended.", "Start again: replug devices --watch")
            picture.take(nudge)
    link.close()
    return 0


def tell_changes(
    before: dict[str, DeviceView], bench: BenchView, as_json: bool
) -> dict[str, DeviceView]:
    """Print what differs from `before`; the devices of now by their visits."""
    now = {device.visit: device for device in bench.here}
    changed = [("-", device) for visit, device in before.items() if visit not in now]
    changed += [("+", device) for visit, device in now.items() if visit not in before]
    changed += [
        ("=", device) for visit, device in now.items() if before.get(visit, device) != device
    ]
    for mark, device in changed:
        fields = dataclasses.asdict(device)
        if as_json:
            say(json.dumps({"change": mark, **device_object(fields)}))
        else:
            say(f"{mark} {device_line(fields)}")
    return now


def flows(given: Given, state: State) -> int:
    """What can be done with a device."""
    must_be_scenario(state)
    card = card_of(given.device, state)
    if given.json:
        say_json(card["flows"])
        return 0
    say(f"{card['name']}, port {card['port']}: {card['shown'] or 'not known'}", card["about"])
    for flow in card["flows"]:
        say("", f"{flow['id']}: {flow['title']}. {flow['about']}")
        say(*(f"  {number} {s['title']}" for number, s in enumerate(flow["plan"], start=1)))
        say(*(f"  asks {q['id']} ({q['kind']}): {q['ask']}" for q in flow["questions"]))
        say(*(f"  have ready: {item}" for item in flow["ready"]))
        say(f"  hands: {flow['hands']}. {flow['keeps']}".rstrip())
    return 0


def card_of(words: str, state: State) -> dict[str, Any]:
    """The card of one device, from the bench or by a look of our own. Raises NoSuchDevice."""
    from console.link import living

    link = living(state)
    if link is not None:
        card: dict[str, Any] = link.ask("card", device=words)
        link.close()
        return card
    from console.cards import card as make_card
    from console.cards import pick_device
    from console.families import found as families

    bus = bus_of(state)
    device = pick_device(words, bus.scan())
    bus.close()
    return dataclasses.asdict(make_card(device, families()))


# --- runs ---------------------------------------------------------------------------------


def run(given: Given, state: State) -> int:
    """Perform a flow on a device."""
    from console.answers import collect, standard_input
    from console.following import Follower
    from console.link import reach
    from console.run import Request

    must_be_scenario(state)
    if not given.device and not given.not_shown:
        raise BadUsage("No device was named.", "Name it, or say --not-shown if it does not appear.")
    link = reach(state, listen=True)
    card = link.ask("card", device=given.device, not_shown=given.not_shown)
    flow = flow_of(card, given.flow)
    kinds = {question["id"]: question["kind"] for question in flow["questions"]} | {
        "retry": "choice"
    }
    answers = collect(given.answer, given.answers, kinds, state, standard_input())
    interactive = not given.json and sys.stdin.isatty() and sys.stdout.isatty()
    request = Request(
        flow["id"],
        given.device,
        answers,
        given.yes,
        given.not_shown,
        interactive or given.detach,
        given.job or answers.get("job", ""),
        getpass.getuser(),
    )
    run_id = link.start_run(request)
    if given.detach:
        say(json.dumps({"run": run_id}) if given.json else run_id)
        link.close()
        return 0
    follower = Follower(
        link, state, run_id, sys.stdout, as_json=given.json, interactive=interactive
    )
    return follower.follow()


def flow_of(card: dict[str, Any], words: str) -> dict[str, Any]:
    """The flow of the card that is meant. Raises NoSuchFlow."""
    matches = [
        flow for flow in card["flows"] if words in (flow["id"], flow["id"].partition(".")[2])
    ]
    if len(matches) == 1:
        return dict(matches[0])
    known = ", ".join(flow["id"] for flow in card["flows"])
    if matches:
        raise NoSuchFlow(f"The flow {words} can mean several: {known}.", "Name it in full.")
    raise NoSuchFlow(
        f"There is no flow {words} for the device on port {card['port']}.",
        f"There is: {known}." if known else "No family here knows this device.",
    )


def attach(given: Given, state: State) -> int:
    """Follow a run until it ends; a run that has ended is shown."""
    from console.following import Follower
    from console.link import living
    from console.report import resolve_run

    run_id = resolve_run(state, given.run)
    link = living(state, listen=True)
    if link is None:
        return show_past(state, run_id, given.json)
    interactive = not given.json and sys.stdin.isatty() and sys.stdout.isatty()
    return Follower(
        link, state, run_id, sys.stdout, as_json=given.json, interactive=interactive
    ).follow()


def show_past(state: State, run_id: str, as_json: bool) -> int:
    """Print a run that nobody performs any more; its exit code."""
    from console.following import as_object, exit_code
    from console.history import interruption
    from console.journal import replay
    from console.views import run_view
    from console.wording import line

    records = replay(state.journal(run_id)).records
    view = run_view(records)
    for record in records:
        text = json.dumps(as_object(record)) if as_json else line(record.event, view)
        if text:
            say(text)
    ended = view.ended or interruption(view)
    if view.ended is None:
        say(line(ended, view))
    return exit_code(ended)


def stop(given: Given, state: State) -> int:
    """Ask a run to stop at its next safe point."""
    from console.link import living

    link = living(state)
    if link is None:
        raise BadUsage(f"Run {given.run} is not going on.", "See the runs: replug runs")
    stop_at = link.ask("stop_run", run=given.run, by=getpass.getuser())
    link.close()
    if stop_at:
        say(f"Not possible in this step: the device would be left half done. Next: {stop_at}.")
    else:
        say(f"Run {given.run} stops now. Nothing more is sent to the device.")
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
            print(f"run {run_id}: {error.sentence}", file=sys.stderr)  # noqa: T201
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


# --- the record ---------------------------------------------------------------------------


def export(given: Given, state: State) -> int:
    """Hand over the record of a run."""
    from console import report

    run_id = report.resolve_run(state, given.run)
    if given.to and given.to != "-":
        say(str(report.export_to(state, run_id, given.format, Path(given.to))))
    else:
        sys.stdout.buffer.write(report.export(state, run_id, given.format))
        sys.stdout.flush()
    return 0


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
    unknown = [name for name in given.name if name not in files]
    if unknown:
        raise BadUsage(f"There is no {unknown[0]} in the vault.", "See it: replug vault list")
    for name in given.name:
        with storing(state.vault):
            files[name].unlink()
        say(f"{name} is deleted.")
    return 0


# --- the bench ----------------------------------------------------------------------------


def bench_status(given: Given, state: State) -> int:
    """Does a bench live here, and what does it do?"""
    from console.link import holder, living

    link = living(state)
    if link is None:
        pid = holder(state)
        if given.json:
            say_json({"running": False, "pid": pid})
        else:
            say(f"Process {pid} holds the bench and does not answer." if pid else "No bench runs.")
        return 0
    status = link.ask("status")
    link.close()
    if given.json:
        say_json({"running": True, **status})
        return 0
    doing = ", ".join(status["runs"]) or "none"
    say(f"A bench runs: process {status['pid']}, version {status['version']}.")
    say(f"State: {status['state']}. Devices: {status['devices']}. Runs going on: {doing}.")
    if status["trouble"]:
        say(status["trouble"])
    return 0


def bench_stop(_given: Given, state: State) -> int:
    """End the bench if no run goes on; practice hardware ends with it."""
    from console.link import living, wait_until_free

    link = living(state)
    if link is None:
        say("No bench runs.")
    else:
        link.ask("stop_bench")
        wait_until_free(state)
        say("The bench has ended.")
    if state.practice:
        from console.practice import bus

        bus.stop(state.root)
    return 0


def plug(given: Given, state: State) -> int:
    """Practice: plug the simulated device of a port in."""
    from console.practice import bus

    bus.plug(_practice(state), MachineClock(), given.port)
    return 0


def pull(given: Given, state: State) -> int:
    """Practice: pull the simulated device of a port out."""
    from console.practice import bus

    bus.pull(_practice(state), MachineClock(), given.port)
    return 0


def press(given: Given, state: State) -> int:
    """Practice: use the buttons of the simulated device of a port."""
    from console.practice import bus

    bus.press(_practice(state), MachineClock(), given.buttons, given.port)
    return 0


def _practice(state: State) -> Path:
    """The directory of the practice hardware, which is running afterwards. Raises BadUsage."""
    if not state.practice:
        raise BadUsage(
            "Only practice hardware can be plugged by a command.", "Name it: --practice SCENARIO"
        )
    must_be_scenario(state)
    state.prepare()
    bus_of(state).scan()
    return state.root


def scenarios(_given: Given, _state: State) -> int:
    """Practice: the scenarios there are."""
    from console.families import scenarios as known

    for scenario in known():
        say(f"{scenario.name:<24} {scenario.about}")
    return 0
