"""The commands about devices: what is plugged in, and what can be done with it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import queue
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from console.clock import MachineClock
from console.commands.words import complain, complete, say, say_json
from console.errors import BadUsage, GateClosed, RecordError
from console.events import Node
from console.ports import NOTHING_SAID, PortBook, read_ports
from console.state import State
from console.views import BenchView, DeviceView, closed

if TYPE_CHECKING:
    from console.hardware.bus import Bus

Given = argparse.Namespace

LOOK_AGAIN = 1.0
"""Seconds between two looks at a journal: a nudge can get lost."""


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


def devices(given: Given, state: State) -> int:
    """What is plugged in."""
    must_be_scenario(state)
    if given.watch:
        return watch(given, state)
    found, trouble = seen_now(state)
    complain(trouble)
    if given.json:
        say_json([device_object(device) for device in found])
        return 0
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
    missed = closed((Node(**node) for node in device["nodes"]), device["lines"])
    trouble = f"  ! {missed[0].why}" if missed else "  ! finish it" if device["begun"] else ""
    shown = device["shown"] or "-"
    said = f"  ({', '.join(filter(None, (device['label'], device['mark'])))})"
    said = said if len(said) > len("  ()") else ""
    return f"{device['port']:<10} {ids}  {shown:<10} {device['name']}{said}{trouble}"


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

    bus, book = bus_of(state), said_of_ports(state)
    now = MachineClock().wall().isoformat()
    seen = tuple(device_view(introduce(device, families(), book), now) for device in bus.scan())
    trouble = bus.state()
    bus.close()
    return seen, trouble


def said_of_ports(state: State) -> PortBook:
    """Labels and marks; where they cannot be read this is said, and there are none."""
    try:
        return read_ports(state)
    except RecordError as error:
        complain(error.sentence, error.advice)
        return NOTHING_SAID


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
            try:
                nudge = link.nudges.get(timeout=LOOK_AGAIN)
            except queue.Empty:
                nudge = {}
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
        asks = (f"  asks {q['id']} ({q['kind']}): {q['ask']}" for q in flow["questions"])
        ready = (f"  have ready: {item}" for item in flow["ready"])
        say(*(complete(text, state) for text in (*asks, *ready)))
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

    bus, book = bus_of(state), said_of_ports(state)
    device = pick_device(words, bus.scan(), book)
    bus.close()
    return dataclasses.asdict(make_card(device, families(), book))
