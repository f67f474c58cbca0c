"""The commands that are hands: they plug, pull and press simulated devices."""

from __future__ import annotations

import argparse
from pathlib import Path

from console.clock import MachineClock
from console.commands.devices import bus_of, must_be_scenario
from console.commands.words import say
from console.errors import BadUsage
from console.state import State

Given = argparse.Namespace


def plug(given: Given, state: State) -> int:
    """Practice: plug the simulated device of a port in, or into it the one that lies at another."""
    from console.practice import bus

    bus.plug(_practice(state), MachineClock(), given.port, given.of)
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
    bus_of(state).scan()
    return state.root


def scenarios(_given: Given, _state: State) -> int:
    """Practice: the scenarios there are."""
    from console.families import scenarios as known

    for scenario in known():
        say(f"{scenario.name:<24} {scenario.about}")
    return 0
