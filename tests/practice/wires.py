"""A practice bench with a reader, and with a device that has lines of every kind."""

from __future__ import annotations

from console.hardware.simulated import Scenario, Unit
from console.practice.local import InProcessBus
from tests.harness import VirtualClock
from tests.simulated_cards import (
    Combined,
    reader,
)

LIMIT = 20.0


def apdu(instruction: int, p1: int = 0, p2: int = 0) -> bytes:
    return bytes((0, instruction, p1, p2))


BENCH = Scenario(
    "wires",
    "A reader, and a device that has everything.",
    (Unit("1-1", reader), Unit("1-2", Combined)),
)


class Bench:
    """A practice bus in this process, and its clock."""

    def __init__(self, kind=InProcessBus) -> None:
        self.clock = VirtualClock()
        self.bus = kind(BENCH, self.clock)

    def device(self, port: str = "1-1"):
        return next(device for device in self.bus.scan() if device.port == port)

    def open(self, kind: str, port: str = "1-1", name: str = ""):
        return self.bus.open(self.device(port), kind, name)

    @property
    def toy(self):
        return self.bus.simulator("1-1").card
