"""Scenarios that only tests need: any board, in any state, in port 1-1."""

from __future__ import annotations

from console.families.particle.simulator import ParticleBoard
from console.families.particle.simulator_rows import CORE, Personality
from console.hardware.simulated import Scenario, Unit

ID = "48ff6b065067555017321587"


def on_the_bench(row: Personality = CORE, device_id: str = ID, **options: object) -> Scenario:
    """One board with the given options of the simulator."""
    make = lambda pause: ParticleBoard(pause, device_id, row, **options)  # noqa: E731
    return Scenario("a board of a test", "One board.", (Unit("1-1", make),))
