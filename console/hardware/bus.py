"""Where devices come from and how one is opened: the real machine, or practice hardware.

The rule: a bus tells the whole truth each time (every device that is there now), so that a
lost, doubled or reordered notice cannot leave a false picture behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from console.events import Device
from console.hardware.lines import ControlLine, Line

Seen = Callable[[tuple[Device, ...], str], None]
"""Called with every device that is there now and the bus's state in words ("" when well)."""


class Bus(Protocol):
    """One source of devices."""

    practice: str
    """The practice scenario's name; empty for real hardware."""

    guest: bool
    """Is the machine a guest, so that its ports are what its host made of them?"""

    def scan(self) -> tuple[Device, ...]:
        """Every device that is there now, hubs left out, ordered by port."""

    def state(self) -> str:
        """What is wrong with the whole bus, as a sentence; empty when all is well."""

    def card_state(self) -> str:
        """What is wrong with PC/SC, on which cards are seen, as state()."""

    def watch(self, seen: Seen) -> None:
        """Start telling: once at once, then at every change, from a thread of its own."""

    def open_control(self, device: Device) -> ControlLine:
        """Open this very visit of the device, for us alone on the whole machine.

        Raises Unplugged (gone, or another visit now), NotPermitted (rights, or the holder's
        name), Silent.
        """

    def open(self, device: Device, kind: str, name: str = "") -> Line:
        """Its line of that kind ("hid", "serial", "card"), as open_control().

        Where the device has several, `name` is the path of the node, or the reader's name.
        """

    def close(self) -> None:
        """Stop watching."""
