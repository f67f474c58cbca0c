"""What the checks in the guest share: the bus as it was told, and what can be plugged into it.

The rule: nothing here judges; a check does.
"""

from __future__ import annotations

import queue
import time

import socket_board
import tiny
import usbip

from console.events import Device
from console.families.particle.simulator import SparkCore
from console.hardware.changes import changes
from console.hardware.machine import MachineBus

LIMIT = 60.0
DEVICE_ID = "4dff6b066672524829470167"


class Seen:
    """What the bus told, in order; waiting for it needs no polling."""

    def __init__(self) -> None:
        self.bus = MachineBus()
        self.state = ""
        self.devices: tuple[Device, ...] = ()
        self._told: queue.Queue = queue.Queue()
        self.bus.watch(lambda devices, state: self._told.put((devices, state)))
        self.take()

    def take(self, timeout: float = LIMIT):
        before = self.devices
        self.devices, self.state = self._told.get(timeout=timeout)
        return changes(before, self.devices)

    def until(self, done, timeout: float = LIMIT):
        """Take what is told until it is so."""
        end = time.monotonic() + timeout
        while not done(self):
            self.take(max(0.0, end - time.monotonic()))

    def at(self, port: str) -> Device | None:
        return next((device for device in self.devices if device.port == port), None)

    def quiet(self, seconds: float) -> bool:
        try:
            self._told.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


class Table:
    """The tiny device in port 1-1, a Spark Core in port 1-2, and the bus they are on."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.server = usbip.Server()
        self.tiny = tiny.Tiny("TINY-1")
        self.export = self.server.export("7-1", self.tiny, back=self.plug)
        self.core = SparkCore(time.sleep, DEVICE_ID)
        self.core_export = self.server.export("7-2", self.core, back=self.plug_core)

    def plug(self) -> None:
        socket_board.plug(self.server, "7-1", 0)

    def plug_core(self) -> None:
        socket_board.plug(self.server, "7-2", 1)

    def plugged(self) -> Device:
        """The tiny device, plugged in now if it was not."""
        if self.export.connection is None:
            self.plug()
        self.seen.until(lambda seen: seen.at("1-1") is not None)
        device = self.seen.at("1-1")
        assert device is not None
        return device

    def with_card(self, export: usbip.Export, number: int) -> Device:
        """A reader or stick, plugged into port `number` if it was not; pcscd knows its card."""
        if export.connection is None:
            socket_board.plug(self.server, export.busid, number)
        port = f"1-{number + 1}"

        def has_card(seen: Seen) -> bool:
            device = seen.at(port)
            return bool(device and any(card.atr for card in device.cards))

        self.seen.until(has_card)
        device = self.seen.at(port)
        assert device is not None
        return device

    def unplug(self) -> None:
        self.export.unplug()
        self.seen.until(lambda seen: seen.at("1-1") is None)


def raised(kind, act):
    """The error that act() must raise."""
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")
