"""A real bench process whose bus is a board in that very process: six units, and a storm of plugs.

The rule: only where the devices come from is ours; journal, socket, follower and screen are the
program's. The practice hardware saves its devices at each plug, which no real port does, so it
would be what is measured. Each event's time is taken before the plug is touched.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from console import server
from console.clock import Clock
from console.families.particle.simulator import SparkCore
from console.hardware.simulated import Pause, Scenario, SimulatedUsb, Unit
from console.practice.local import InProcessBus
from console.state import State

EVENTS = 100
UNITS = 6
SPACING = 0.05
"""Seconds between two events: a hub with a loose plug, far faster than hands."""
ROW_OF = range(3, 3 + UNITS)
"""The lines of the terminal on which the units stand."""
LOOK = 0.02


def port(unit: int) -> str:
    return f"1-{unit + 1}"


def board() -> Scenario:
    return Scenario("storm", "", tuple(Unit(port(unit), maker(unit)) for unit in range(UNITS)))


def maker(unit: int):
    def make(pause: Pause) -> SimulatedUsb:
        return SparkCore(pause, f"48ff6b0650675550173215{unit:02d}")

    return make


def take_over(root: str) -> None:
    """The bench that is started next in this process gets the board, and the storm when told."""

    def bus_for(_state: State, clock: Clock) -> InProcessBus:
        bus = InProcessBus(board(), clock)
        threading.Thread(target=_wait_and_blow, args=(bus, Path(root)), daemon=True).start()
        return bus

    server.bus_for = bus_for


def _wait_and_blow(bus: InProcessBus, folder: Path) -> None:
    while not (folder / "go").exists():
        time.sleep(LOOK)
    told = "".join(_event(bus, number) for number in range(EVENTS))
    (folder / "done.part").write_text(told)
    (folder / "done.part").rename(folder / "done")


def _event(bus: InProcessBus, number: int) -> str:
    unit, turn = number % UNITS, number // UNITS
    act = bus.plug if turn % 2 else bus.pull
    time.sleep(SPACING)
    at = time.monotonic()
    act(port(unit))
    return f"{at} {unit} {'plug' if turn % 2 else 'pull'}\n"
