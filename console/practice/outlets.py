"""Where lines other than control transfers leave a simulated device, read from its descriptors.

The rule: pure; the nodes that a kernel's drivers would make of the same descriptors.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.events import Card, Node
from console.hardware.readers import MUTE_WORDS
from console.hardware.sightings import printable
from console.hardware.simulated import SimulatedUsb
from console.hardware.simulated_card import HasSlots, Slot
from console.hardware.simulated_composite import Endpoints, endpoints_of

HID, SERIAL = "03", "0a"
BULK, INTERRUPT = 2, 3
UNION = bytes((0x24, 0x06))
NODES = {"hid": "hidraw", "serial": "tty"}


@dataclass(frozen=True)
class Outlet:
    """One HID interface or serial port: its node, and the endpoints behind it (0: none).

    `own` is the interface that its class requests go to; `packet` the bytes of one report.
    """

    kind: str
    path: str
    own: int
    into: int
    out: int
    packet: int

    @property
    def node(self) -> Node:
        return Node(self.path, NODES[self.kind], True)


def outlets_of(port: str, configuration: bytes) -> tuple[Outlet, ...]:
    """In the order of the interfaces that own them, as sysfs has it."""
    owners = _owners(configuration)
    found = (_outlet(port, each, owners) for each in endpoints_of(configuration))
    return tuple(sorted(filter(None, found), key=lambda outlet: outlet.own))


def _outlet(port: str, each: Endpoints, owners: dict[int, int]) -> Outlet | None:
    kind, transfer = {HID: ("hid", INTERRUPT), SERIAL: ("serial", BULK)}.get(
        each.class_code[:2], ("", 0)
    )
    into = each.first(into_host=True, kind=transfer)
    if not kind or not into:
        return None
    own = owners.get(each.interface, each.interface)
    out = each.first(into_host=False, kind=transfer)
    return Outlet(kind, f"practice:{port}:1.{own}", own, into, out, each.packet(into))


def _owners(configuration: bytes) -> dict[int, int]:
    """Data interface -> its communications interface, from the unions (CDC 1.20, 5.2.3.2)."""
    found = {}
    at = 0
    while at + 2 <= len(configuration) and configuration[at] >= 2:
        part = configuration[at : at + configuration[at]]
        if part[1:3] == UNION:
            found.update(dict.fromkeys(part[4:], part[3]))
        at += len(part)
    return found


def slots_of(device: SimulatedUsb) -> tuple[Slot, ...]:
    return device.slots if isinstance(device, HasSlots) else ()


def card_of(slot: Slot) -> Card:
    """The slot as PC/SC would tell it; its reader has reset the card, and no more."""
    atr = slot.card.atr.hex() if slot.card is not None else ""
    words = MUTE_WORDS if slot.card is not None and not atr else ""
    return Card(printable(slot.name), atr, words, slot.inserted)
