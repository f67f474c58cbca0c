"""The commands about the bench itself, and the screen that looks at it."""

from __future__ import annotations

import argparse

from console.commands.devices import must_be_scenario
from console.commands.words import say, say_json
from console.errors import BenchSilent
from console.state import State

Given = argparse.Namespace


def screen(_given: Given, state: State) -> int:
    """The screen; the only command that imports one."""
    from console.link import holder

    if not holder(state):  # a bench that lives has found its scenario, at some cost
        must_be_scenario(state)
    from screens.app import run as show

    return show(state)


def bench_status(given: Given, state: State) -> int:
    """Does a bench live here, and what does it do?"""
    from console.link import holder, living

    try:
        link = living(state)
    except BenchSilent:
        if given.json:
            say_json({"running": True, "answers": False, "pid": holder(state)})
        raise
    if link is None:
        if given.json:
            say_json({"running": False, "pid": 0})
        else:
            say("No bench runs.")
        return 0
    status = link.ask("status")
    link.close()
    if given.json:
        say_json({"running": True, "answers": True, **status})
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
