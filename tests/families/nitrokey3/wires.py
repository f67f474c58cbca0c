"""A simulated Nitrokey on wires that a test holds: endpoints found in its descriptors, own time.

The rule: nothing here reaches into the key but through what a host and a hand can do. It needs
no library of ours or of others: the hosts of other people use it too.
"""

from __future__ import annotations

from collections.abc import Callable

from console.families.nitrokey3.simulator_key import Build, NitrokeyThree
from console.hardware.simulated import Away, Hang, Setup
from console.hardware.simulated_composite import Endpoints, endpoints_of

HID_CLASS, DATA_CLASS = "030000", "0a0000"
LISTENING = 0.01
"""Seconds that a host waits before it asks again."""


class Gone(Exception):
    """The device is off the bus."""


class Silence(Exception):
    """It has not answered in the time that was given."""


class Wires:
    """One key; `passed` is the time since the test began."""

    def __init__(self, build: Build, **options) -> None:
        self.passed = 0.0
        self.touches_after: float | None = None
        """Seconds that the person takes to touch it, whenever it asks."""
        self.asked_at: float | None = None
        self.key = NitrokeyThree(self.pause, build, **options)

    # --- time and hands -------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        self.passed += seconds
        if not self.key.presence.busy:
            self.asked_at = None
            return
        if self.asked_at is None:
            self.asked_at = self.passed
        if self.touches_after is not None and self.passed - self.asked_at >= self.touches_after:
            self.key.press("touch")

    def come_back(self) -> float:
        """Waits for its own reset; the seconds that it took. Raises Gone: it never comes."""
        away = self.key.away
        if away is None:
            return 0.0
        if away.seconds is None:
            raise Gone
        self.passed += away.seconds
        self.key.power_on()
        return away.seconds

    def replug(self) -> None:
        """Pulled and plugged in: cold."""
        self.key.away = Away(None)
        self.key.power_on()

    # --- wires ----------------------------------------------------------------------------

    @property
    def ids(self) -> str:
        device = self.key.descriptors().device
        vid, pid = (int.from_bytes(device[at : at + 2], "little") for at in (8, 10))
        return f"{vid:04x}:{pid:04x}"

    def interface(self, class_code: str) -> Endpoints:
        found = endpoints_of(self.key.descriptors().configuration)
        return next(each for each in found if each.class_code == class_code)

    def send(self, data: bytes, class_code: str = HID_CLASS, kind: int = 3) -> None:
        """To its first OUT endpoint of that class. Raises Gone, Stall."""
        at = self.interface(class_code).first(into_host=False, kind=kind)
        self._guarded(lambda: self.key.send(at, data))

    def receive(self, class_code: str = HID_CLASS, kind: int = 3, timeout: float = 2.0) -> bytes:
        """What comes first. Raises Gone, Silence."""
        at = self.interface(class_code).first(into_host=True, kind=kind)
        until = self.passed + timeout
        while True:
            said = self._guarded(lambda: self.key.receive(at, 64))
            if said is not None:
                return said
            if self.passed >= until:
                raise Silence
            self.pause(LISTENING)

    def _guarded(self, transfer: Callable[[], bytes | None]) -> bytes | None:
        if self.key.away is not None:
            raise Gone
        try:
            return transfer()
        except Hang:
            raise Gone from None

    def open_port(self) -> None:
        """What Linux does when a CDC-ACM port is opened: DTR and RTS."""
        self.key.control(Setup(0x21, 0x22, 0x0003, 0, 0), b"")

    def write_port(self, data: bytes) -> None:
        for at in range(0, len(data), 64):
            self.send(data[at : at + 64], DATA_CLASS, 2)

    def read_port(self, timeout: float = 1.0) -> bytes:
        return self.receive(DATA_CLASS, 2, timeout)
