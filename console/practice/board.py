"""The practice board: a scenario's devices in their ports, plugged, pulled, pressed, opened.

The rule: the board is what a kernel and two hands are to a real device. It holds no socket and
no thread of its own; every call may come from any thread. A device that resets itself is back
with the first look() after its time has passed, so somebody has to look.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from console.clock import Clock
from console.errors import BadUsage, NoSuchDevice, NotPermitted, Unplugged
from console.events import Device
from console.hardware.kernel import KernelLog, about
from console.hardware.simulated import Away, Hang, Scenario, Setup, SimulatedUsb, Unit
from console.practice import kernel
from console.practice.facts import device_facts, with_cards

T = TypeVar("T")

SLICE = 0.05
"""Seconds a simulated device works before it notices that it was pulled."""

PATIENCE = 2.0
"""Seconds that keeping the board waits for one device's transfer to end."""


class _PowerLost(Exception):
    """The device was pulled while it was working."""


@dataclass
class _Press:
    """A press that must not end what is under way: whoever has the device's lock does it."""

    buttons: str
    done: bool = False
    refused: str = ""


@dataclass
class _Slot:
    """One port with its device, which may be unplugged or off the bus at the moment."""

    port: str
    device: SimulatedUsb
    plugged: bool
    unit: str
    """Which of the scenario's devices it is: the port where that began."""
    bad: int = 0
    """The errno with which everything fails in this port."""
    number: int = 0
    facts: Device | None = None
    """As it stood when this visit began: read without the lock, which a long transfer holds."""
    holder: str = ""
    back_at: float | None = None
    power_lost: bool = False
    frozen: dict[str, Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    exchange: threading.RLock = field(default_factory=threading.RLock)
    """Held for a whole command to a card, as the PC/SC daemon holds a reader."""
    presses: deque[_Press] = field(default_factory=deque)

    @property
    def on_bus(self) -> bool:
        here = self.plugged and not self.power_lost and self.device.away is None
        return here and not self.bad

    @property
    def fails(self) -> int:
        """The errno of each attempt to enumerate it; 0 if it shows, or does not even try."""
        away = self.device.away
        return away.fails if away is not None else self.bad

    @property
    def visit(self) -> str:
        return self.facts.visit if self.facts else ""

    def arrive(self, visit: str) -> None:
        self.facts = device_facts(self.port, visit, self.device)

    def take_presses(self) -> None:
        """With the lock held."""
        while self.presses:
            press = self.presses.popleft()
            try:
                self.device.press(press.buttons)
            except ValueError as error:
                press.refused = str(error)
            press.done = True


class Board:
    """A scenario's devices. `changed` is called after each change of what is on the bus."""

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
        pace: float = 1.0,
    ) -> None:
        self.scenario = scenario
        self.clock = clock
        self._changed = changed
        self._pace = pace
        self._visits = 0
        self._closing = False
        self._counting = threading.Lock()
        self._kernel: tuple[str, ...] = ()
        self._slots = {unit.port: self._slot(unit) for unit in scenario.units}

    def _slot(self, unit: Unit) -> _Slot:
        device = unit.made(lambda seconds: self._work(unit.port, seconds), self.clock.monotonic)
        bad = self.scenario.bad_ports.get(unit.port, 0)
        slot = _Slot(unit.port, device, unit.plugged, unit.port, bad)
        if unit.plugged:
            self._arrive(slot)
        else:
            device.away = Away(None)
        return slot

    def _next_visit(self) -> str:
        with self._counting:
            self._visits += 1
            return f"practice-{self._visits}"

    def _arrive(self, slot: _Slot) -> None:
        """A new visit, and what the kernel writes of it."""
        slot.arrive(self._next_visit())
        slot.number = self._visits
        if slot.fails:
            self._write(kernel.failure(slot.port, slot.number, slot.fails))
        elif slot.on_bus:
            self._write(kernel.arrival(slot.port, slot.number))

    def _write(self, lines: tuple[str, ...]) -> None:
        with self._counting:
            self._kernel = (*self._kernel, *lines)[-kernel.KEPT :]

    def kernel_log(self, port: str) -> KernelLog:
        """What the kernel wrote about a port; of faults on any if it is ""."""
        return KernelLog(about(port, self._kernel))

    def _work(self, unit: str, seconds: float) -> None:
        remaining = seconds * self._pace
        slot = next(slot for slot in self._slots.values() if slot.unit == unit)
        while remaining > 0:
            if self._closing or slot.power_lost:
                raise _PowerLost
            self.clock.pause(min(SLICE, remaining))
            remaining -= SLICE
            slot.take_presses()

    def rest(self, seconds: float) -> None:
        """Let a device's own time pass with no lock held."""
        self.clock.pause(seconds * self._pace)

    # --- what the kernel sees -------------------------------------------------------------

    def devices(self) -> tuple[Device, ...]:
        """Every device on the bus now, ordered by port."""
        self.look()
        return tuple(
            with_cards(slot.facts, slot.device)
            for slot in self._ordered()
            if slot.on_bus and slot.facts
        )

    def look(self) -> None:
        """Bring back every device whose reset is over."""
        now = self.clock.monotonic()
        for slot in self._ordered():
            if self._is_due(slot, now):
                with slot.lock:
                    came = slot.plugged and self._is_due(slot, now)
                    if came:
                        self._power_on(slot)
                if came:
                    self._changed()

    def _is_due(self, slot: _Slot, now: float) -> bool:
        return slot.back_at is not None and slot.back_at <= now

    def next_return(self) -> float | None:
        """When the next device is back by itself, on the clock's monotonic scale."""
        times = [slot.back_at for slot in self._ordered() if slot.back_at is not None]
        return min(times, default=None)

    def is_here(self, port: str, visit: str) -> bool:
        slot = self._slots.get(port)
        return slot is not None and slot.on_bus and slot.visit == visit

    def _ordered(self) -> list[_Slot]:
        return sorted(self._slots.values(), key=lambda slot: slot.port)

    # --- what hands do --------------------------------------------------------------------

    def plug(self, port: str = "", of: str = "") -> None:
        """Plug the device of that port in; with one device the port may be left out.

        With `of` the devices of the two ports change places first; both must be out.
        """
        slot = self._find(port)
        if of:
            self._exchange(slot, self._find(of))
        with slot.lock:
            if slot.plugged and (slot.on_bus or slot.back_at is not None):
                raise BadUsage(f"The device on port {slot.port} is plugged in already.")
            slot.plugged = True
            slot.device.away = Away(None)
            self._power_on(slot)
        self._changed()

    def _exchange(self, slot: _Slot, other: _Slot) -> None:
        for one in (slot, other):
            if one.plugged:
                raise BadUsage(f"Pull the device on port {one.port} first.")
        slot.device, other.device = other.device, slot.device
        slot.unit, other.unit = other.unit, slot.unit

    def pull(self, port: str = "") -> None:
        """Pull it. A transfer under way ends at once as Unplugged."""
        slot = self._find(port)
        if not slot.plugged:
            raise BadUsage(f"The device on port {slot.port} is not plugged in.")
        if slot.on_bus:
            self._write(kernel.leaving(slot.port, slot.number))
        slot.plugged = False
        slot.power_lost = True
        with slot.lock:
            slot.device.away = Away(None)
            slot.back_at = None
            slot.holder = ""
        self._changed()

    def press(self, buttons: str, port: str = "") -> None:
        """Use its buttons, in its scenario's own words for them.

        A press ends what the device is doing, as a reset does, unless the device says that the
        word is `gentle` (a touch).
        """
        slot = self._find(port)
        if not slot.plugged:
            raise BadUsage(f"The device on port {slot.port} is not plugged in.")
        if buttons in getattr(slot.device, "gentle", ()):
            self._press_gently(slot, buttons)
        else:
            self._press(slot, buttons)
        self._changed()

    def _press_gently(self, slot: _Slot, buttons: str) -> None:
        press = _Press(buttons)
        slot.presses.append(press)
        while not press.done:
            if slot.lock.acquire(timeout=SLICE):
                try:
                    slot.take_presses()
                    self._notice_leaving(slot)
                finally:
                    slot.lock.release()
        if press.refused:
            raise BadUsage(press.refused)

    def _press(self, slot: _Slot, buttons: str) -> None:
        slot.power_lost = True  # a reset ends its work as a pull does
        with slot.lock:
            slot.power_lost = not slot.plugged
            try:
                slot.device.press(buttons)
            except ValueError as error:
                raise BadUsage(str(error)) from None
            self._notice_leaving(slot)

    def _find(self, port: str) -> _Slot:
        self.look()
        if not port and len(self._slots) == 1:
            return next(iter(self._slots.values()))
        if port not in self._slots:
            ports = ", ".join(sorted(self._slots))
            raise NoSuchDevice(
                f'Practice "{self.scenario.name}" has no port "{port}".', f"It has: {ports}."
            )
        return self._slots[port]

    def _power_on(self, slot: _Slot) -> None:
        slot.power_lost = False
        slot.back_at = None
        slot.holder = ""
        slot.device.power_on()
        self._arrive(slot)

    def _notice_leaving(self, slot: _Slot) -> bool:
        """Did it leave the bus? If it will be back by itself, remember when."""
        away = slot.device.away
        if away is None:
            return False
        slot.holder = ""
        if away.seconds is not None and slot.back_at is None and not slot.bad:
            self._write(kernel.leaving(slot.port, slot.number))
        if away.seconds is not None:
            slot.back_at = self.clock.monotonic() + away.seconds * self._pace
        return True

    # --- what a program does --------------------------------------------------------------

    def open(self, port: str, visit: str, who: str) -> None:
        """Hold this visit of the device. Raises Unplugged, NotPermitted naming the holder."""
        self.look()
        slot = self._slots.get(port)
        if slot is None:
            raise gone(port)
        with slot.lock:
            self._expect(slot, visit)
            if slot.holder:
                raise NotPermitted(
                    f"The device on port {port} is in use by {slot.holder}.",
                    "End that program, or wait until it is done.",
                )
            slot.holder = who

    def release(self, port: str, visit: str, who: str) -> None:
        """Let it go; nothing happens if it is held no more."""
        slot = self._slots[port]
        with slot.lock:
            if slot.visit == visit and slot.holder == who:
                slot.holder = ""

    def transfer(self, port: str, visit: str, setup: Setup, data: bytes) -> bytes:
        """One control transfer. Raises Stall, Hang, Unplugged."""
        return self.use(port, visit, lambda device: device.control(setup, data))

    def use(
        self, port: str, visit: str, act: Callable[[SimulatedUsb], T], who: str | None = None
    ) -> T:
        """Do it to the device while nobody else does anything to it.

        Raises Unplugged, also when `who` holds it no more, and Stall and Hang as the device does.
        """
        slot = self._slots[port]
        left = False
        try:
            with slot.lock:
                self._expect(slot, visit)
                if self._closing or (who is not None and slot.holder != who):
                    raise gone(port)
                try:
                    return _done(slot, act)
                finally:
                    left = slot.plugged and self._notice_leaving(slot)
        finally:
            if left:
                self._changed()

    @contextmanager
    def exchange(self, port: str) -> Iterator[None]:
        """No other command goes to a card of that device meanwhile; all else may be done to it."""
        with self._slots[port].exchange:
            yield

    def reset(self, port: str, visit: str) -> None:
        """A USB port reset: alternate settings are forgotten; a device that hangs is lost."""
        with suppress(Hang):
            self.transfer(port, visit, Setup(0x00, 9, 1, 0, 0), b"")
            return
        # the kernel cannot enumerate it again and drops it (usb_reset_and_verify_device)
        slot = self._slots[port]
        with slot.lock:
            slot.device.away = Away(None)
            slot.holder = ""
        self._changed()
        raise gone(port)

    def _expect(self, slot: _Slot, visit: str) -> None:
        if not slot.on_bus or slot.visit != visit:
            raise gone(slot.port)

    # --- keeping --------------------------------------------------------------------------

    def simulator(self, port: str) -> SimulatedUsb:
        """The device itself, for a test that looks inside it."""
        return self._slots[port].device

    def status(self) -> list[dict[str, Any]]:
        """Each port in a few words: is it plugged, is it on the bus, who holds it."""
        self.look()
        return [
            {
                "port": slot.port,
                "plugged": slot.plugged,
                "on_bus": slot.on_bus,
                "holder": slot.holder,
            }
            for slot in self._ordered()
        ]

    def close(self) -> None:
        """No work goes on from here; what is under way ends as Unplugged."""
        self._closing = True

    def freeze(self) -> dict[str, Any]:
        """The whole board as JSON values."""
        return {
            "scenario": self.scenario.name,
            "visits": self._visits,
            "kernel": self._kernel,
            "slots": {slot.port: _freeze(slot) for slot in self._ordered()},
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        """Go on from there. Raises KeyError, TypeError, ValueError if it is of another board."""
        if frozen["scenario"] != self.scenario.name:
            raise ValueError("another scenario")
        self._kernel = tuple(map(str, frozen["kernel"]))
        devices = {slot.unit: slot.device for slot in self._slots.values()}
        for port, slot in self._slots.items():
            kept = frozen["slots"][port]
            slot.unit, slot.device = str(kept["unit"]), devices[kept["unit"]]
            slot.device.thaw(kept["device"])
            slot.plugged = bool(kept["plugged"])
            slot.power_lost = not slot.plugged
            slot.arrive(str(kept["visit"]))
            if slot.plugged:
                self._notice_leaving(slot)
        self._visits = int(frozen["visits"])


def _freeze(slot: _Slot) -> dict[str, Any]:
    """As it is now; as it was last if a transfer holds it for long."""
    if slot.lock.acquire(timeout=PATIENCE):
        try:
            slot.frozen = {
                "plugged": slot.plugged,
                "unit": slot.unit,
                "visit": slot.visit,
                "device": slot.device.freeze(),
            }
        finally:
            slot.lock.release()
    return slot.frozen


def _done(slot: _Slot, act: Callable[[SimulatedUsb], T]) -> T:
    try:
        return act(slot.device)
    except _PowerLost:
        raise gone(slot.port) from None
    except Hang:
        if slot.device.away is not None:
            raise gone(slot.port) from None
        raise


def gone(port: str) -> Unplugged:
    return Unplugged(f"The device on port {port} is gone.")
