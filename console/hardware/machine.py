"""The bus of this machine: its real USB devices, its readers and cards.

The rule: it joins the parts of this room (looking, watching, opening) and decides nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from console.clock import Clock, MachineClock
from console.errors import NoLine, NotPermitted, Unplugged
from console.events import Device
from console.hardware import pcsc, sightings
from console.hardware.bus import Seen
from console.hardware.card import PcscCard
from console.hardware.control import UsbControl
from console.hardware.hid import Hidraw
from console.hardware.kernel import KernelLog, kernel_log
from console.hardware.lines import Line
from console.hardware.pcsc import Facts
from console.hardware.readers import join
from console.hardware.serial import SerialPort
from console.hardware.watch import Notices, UdevNotices, Watch

FIRST_LOOK = 2.0
"""Seconds that the first look at USB waits for the first look at PC/SC."""
NODES = {"hid": "hidraw", "serial": "tty"}


class CardSense(Protocol):
    """What knows the readers."""

    facts: Facts

    def start(self, told: Callable[[], None]) -> None: ...

    def ready(self, timeout: float) -> bool: ...

    def nudge(self) -> None: ...

    def close(self) -> None: ...


class MachineBus:
    """The Bus of real hardware."""

    practice = ""

    def __init__(
        self,
        clock: Clock | None = None,
        listen: Callable[[], Notices] = UdevNotices,
        scan: Callable[[], tuple[Device, ...]] = sightings.scan,
        state: Callable[[], str] = sightings.bus_state,
        cards: Callable[[pcsc.Scan], CardSense] = pcsc.Readers,
        look: Callable[[pcsc.Scan], Facts] = pcsc.look,
    ) -> None:
        self.guest = sightings.in_guest()
        self._clock = clock or MachineClock()
        self._listen = listen
        self._scan = scan
        self._state = state
        self._cards = cards
        self._look = look
        self._watch: Watch | None = None
        self._readers: CardSense | None = None
        self._seen: Seen | None = None
        self._telling = threading.Lock()

    def scan(self) -> tuple[Device, ...]:
        return join(self._scan(), self._facts().readers)

    def state(self) -> str:
        return self._state()

    def card_state(self) -> str:
        return self._facts().state

    def _facts(self) -> Facts:
        """As watched, or, where nobody watches, as one look shows it."""
        return self._readers.facts if self._readers else self._look(self._scan)

    def watch(self, seen: Seen) -> None:
        readers = self._readers = self._cards(self._scan)
        readers.start(self._tell)
        readers.ready(FIRST_LOOK)
        self._seen = seen

        def plugged(_devices: tuple[Device, ...], _state: str) -> None:
            # PC/SC may need to be reached for what has come; it tells again when it knows more.
            readers.nudge()
            self._tell()

        self._watch = Watch(
            lambda: (self._scan(), self._state()), plugged, self._clock.monotonic, self._listen
        )
        self._watch.start()

    def _tell(self) -> None:
        """Two threads have news: one at a time looks at everything and tells it."""
        with self._telling:
            if self._seen is not None:
                self._seen(self.scan(), self._state())

    def open_control(self, device: Device) -> UsbControl:
        return UsbControl(device, self._clock)

    def open(self, device: Device, kind: str, name: str = "") -> Line:
        if kind in ("card", "shared card"):
            return self._open_card(device, name, shared=kind != "card")
        nodes = (node for node in device.nodes if node.kind == NODES[kind])
        node = next((node for node in nodes if name in ("", node.path)), None)
        if node is None:
            raise NoLine(f"The device in port {device.port} offers no {kind} line.")
        self._must_be_here(device)
        return Hidraw(device, node.path) if kind == "hid" else SerialPort(device, node.path)

    def _open_card(self, device: Device, reader: str, shared: bool) -> PcscCard:
        cards = (card for card in device.cards if card.atr and reader in ("", card.reader))
        card = next(cards, None)
        if card is None:
            sentence = f"No card answers in {reader or device.port}."
            raise NotPermitted(sentence, "Put the card in and wait.")
        self._must_be_here(device)
        return PcscCard(device, card, self._clock, shared)

    def _must_be_here(self, device: Device) -> None:
        usb = any(node.kind == "usb" for node in device.nodes)
        if usb and sightings.visit_at(device.port) != device.visit:
            sentence = f"The device in port {device.port} was unplugged or replaced by another."
            raise Unplugged(sentence)

    def kernel_log(self, port: str) -> KernelLog:
        return kernel_log(port)

    def close(self) -> None:
        for sense in (self._watch, self._readers):
            if sense is not None:
                sense.close()
        self._watch = None
