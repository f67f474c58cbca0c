"""The bus of this machine: its real USB devices.

The rule: it joins the parts of this room (looking, watching, opening) and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from console.clock import Clock, MachineClock
from console.events import Device
from console.hardware import sightings
from console.hardware.bus import Seen
from console.hardware.control import UsbControl
from console.hardware.watch import Notices, UdevNotices, Watch


class MachineBus:
    """The Bus of real hardware."""

    practice = ""

    def __init__(
        self,
        clock: Clock | None = None,
        listen: Callable[[], Notices] = UdevNotices,
        scan: Callable[[], tuple[Device, ...]] = sightings.scan,
        state: Callable[[], str] = sightings.bus_state,
    ) -> None:
        self._clock = clock or MachineClock()
        self._listen = listen
        self._scan = scan
        self._state = state
        self._watch: Watch | None = None

    def scan(self) -> tuple[Device, ...]:
        return self._scan()

    def state(self) -> str:
        return self._state()

    def watch(self, seen: Seen) -> None:
        self._watch = Watch(
            lambda: (self._scan(), self._state()), seen, self._clock.monotonic, self._listen
        )
        self._watch.start()

    def open_control(self, device: Device) -> UsbControl:
        return UsbControl(device, self._clock)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._watch = None
