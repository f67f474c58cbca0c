"""Devices that say what they like: a family's simulator, laid over the product for a test only.

The rule: it is an ordinary simulator at the wire; only its descriptors are evil.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

from console.hardware.simulated import (
    Away,
    Descriptors,
    Pause,
    Scenario,
    Setup,
    StandardRequests,
    Unit,
    configuration_descriptor,
    device_descriptor,
    interface_descriptor,
)
from tests.hostile.texts import TEXTS, units

VID, PID = 0xF055, 0x0666


class HostileUsb:
    """A device whose maker, product and serial are what it was made with."""

    def __init__(self, maker: str, product: str, serial: str) -> None:
        self.away: Away | None = None
        self._strings = {1: maker, 2: product, 3: serial}
        self._requests = StandardRequests()

    def descriptors(self) -> Descriptors:
        device = device_descriptor(vid=VID, pid=PID, release=0x0100)
        interface = interface_descriptor(0, 0, (0xFF, 0, 0), 0)
        return Descriptors(device, configuration_descriptor((interface,), 1), self._strings)

    def control(self, setup: Setup, data: bytes) -> bytes:
        return self._requests.answer(self.descriptors(), setup)

    def power_on(self) -> None:
        self.away = None

    def press(self, buttons: str) -> None:
        raise ValueError(f"It has no button {buttons}.")

    def freeze(self) -> dict[str, Any]:
        return {}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.away = None


def _unit(number: int, maker: str, product: str, serial: str) -> Unit:
    def make(_: Pause) -> HostileUsb:
        return HostileUsb(maker, product, serial)

    return Unit(f"1-{number}", make)


def _units() -> tuple[Unit, ...]:
    """One device a text, as its product; the texts after it are its maker and its serial."""
    texts = [units(text) for text in TEXTS.values()]
    makers = islice(cycle(texts), 1, None)
    serials = islice(cycle(texts), 2, None)
    named = zip(texts, makers, serials, strict=False)
    return tuple(_unit(number, *words) for number, words in enumerate(named, start=1))


HOSTILE = Scenario("hostile", "Devices that say what a terminal should not hear.", _units())
SCENARIOS = (HOSTILE,)
