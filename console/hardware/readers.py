"""Readers and cards as PC/SC tells them, joined to the USB devices they are.

The rule: pure. What was read from PC/SC goes in, facts come out; nothing here asks a card.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from console.events import Card, Device, Node
from console.hardware.sightings import printable

USB_CHANNEL = 0x0020
CARD_INTERFACE = "0b"

# pcsc-lite, reader.h: the low half of a state; the high half counts insertions and removals.
EMPTY, PRESENT, MUTE = 0x0010, 0x0020, 0x0200
UNKNOWN, UNAVAILABLE = 0x0004, 0x0008
GONE = UNKNOWN | UNAVAILABLE
LASTING = PRESENT | EMPTY | MUTE | 0xFFFF0000
"""What is worth telling: who uses a card changes with every command that somebody sends."""

MUTE_WORDS = "The card does not answer: it may be the wrong way round, dirty or dead."
SLOT = re.compile(r" [0-9A-F]{2} [0-9A-F]{2}$")


@dataclass(frozen=True)
class Reader:
    """One slot as PC/SC tells it. `usb` is the bus and address of its device, if it told them
    and one was there.

    `asked` says whether it was asked for those; `arrival` differs each time the reader comes.
    """

    name: str
    state: int
    atr: bytes = b""
    usb: tuple[int, int] | None = None
    asked: bool = False
    arrival: int = 0


def usb_of_channel(channel: bytes) -> tuple[int, int] | None:
    """Bus and address from SCARD_ATTR_CHANNEL_ID: DDDDCCCC, of type USB (PC/SC part 3, 3.1.2).

    libccid fills CCCC with bus and address, in the host's order; other drivers fill it as they
    like, so what comes of it counts only when such a device is there (IFDHGetCapabilities).
    """
    if len(channel) < 4:
        return None
    (value,) = struct.unpack("=I", channel[:4])
    if value >> 16 != USB_CHANNEL:
        return None
    return (value >> 8) & 0xFF, value & 0xFF


def card_of(reader: Reader) -> Card:
    """The slot in our words."""
    there = bool(reader.state & PRESENT)
    mute = bool(reader.state & MUTE)
    atr = reader.atr.hex() if there and not mute else ""
    words = MUTE_WORDS if mute else ""
    return Card(printable(reader.name), atr, words, reader.state >> 16)


def join(devices: Iterable[Device], readers: Iterable[Reader]) -> tuple[Device, ...]:
    """The devices with their cards; a reader that is none of them is a device of its own.

    One whose device has left is not shown: PC/SC notices that later than the bus does, and what
    it still tells of the card belongs to nothing that is here.
    """
    known, units = tuple(devices), _units(readers)
    owners = _owners(units, known)
    owned: dict[str, list[Reader]] = {}
    for unit, owner in owners.items():
        if owner is not None:
            owned.setdefault(owner.visit, []).extend(units[unit])
    joined = tuple(_with_cards(device, owned.get(device.visit, [])) for device in known)
    alone = (slots for unit, slots in units.items() if unit not in owners)
    strays = (_stray(reader) for slots in alone for reader in slots)
    return joined + tuple(sorted(strays, key=lambda device: device.port))


def owner_of(reader: Reader, devices: tuple[Device, ...]) -> Device | None:
    """The USB device that this reader is; None where it is none of them, or where that has left."""
    return next(iter(_owners(_units([reader]), devices).values()), None)


def has_left(reader: Reader, devices: Iterable[Device]) -> bool:
    """Is the device gone that was at the reader's address?"""
    return reader.usb is not None and _at(reader.usb, devices) is None


def place_of(told: tuple[int, int] | None, devices: Iterable[Device]) -> tuple[int, int] | None:
    """The address that a reader told, if a device is there."""
    return told if told is not None and _at(told, devices) else None


def _units(readers: Iterable[Reader]) -> dict[str, list[Reader]]:
    """The slots of each reader: only the last number of their names differs (readerfactory.c)."""
    units: dict[str, list[Reader]] = {}
    for reader in readers:
        unit = reader.name[:-3] if SLOT.search(reader.name) else reader.name
        units.setdefault(unit, []).append(reader)
    return units


def _owners(
    units: Mapping[str, list[Reader]], devices: tuple[Device, ...]
) -> dict[str, Device | None]:
    """Whose each reader is: by its channel (None: that one has left), else by its name."""
    owners: dict[str, Device | None] = {}
    for unit, slots in units.items():
        place = next((reader.usb for reader in slots if reader.usb is not None), None)
        if place is not None:
            owners[unit] = _at(place, devices)
    # A device has no more readers than card interfaces, and a channel is surer than a name.
    taken = Counter(owner.visit for owner in owners.values() if owner)
    free = {device.visit: _card_interfaces(device) - taken[device.visit] for device in devices}
    left = tuple(device for device in devices if free[device.visit] > 0)
    named = {unit: _quoted(unit, left) for unit in units if unit not in owners}
    wanted = Counter(device.visit for device in named.values() if device)
    return owners | {
        unit: device
        for unit, device in named.items()
        if device and wanted[device.visit] <= free[device.visit]
    }


def _quoted(unit: str, devices: tuple[Device, ...]) -> Device | None:
    """The one device whose serial, or else whose product, is in the name."""
    return _only(device for device in devices if _quotes_serial(unit, device)) or _only(
        device for device in devices if _quotes_product(unit, device)
    )


def _at(address: tuple[int, int], devices: Iterable[Device]) -> Device | None:
    return next((device for device in devices if _address(device) == address), None)


def _address(device: Device) -> tuple[int, int] | None:
    bus, _, rest = device.visit.partition(":")
    number = rest.partition(":")[0]
    return (int(bus), int(number)) if bus.isdigit() and number.isdigit() else None


def _card_interfaces(device: Device) -> int:
    return sum(code.startswith(CARD_INTERFACE) for code in device.interfaces)


def _quotes_serial(name: str, device: Device) -> bool:
    # pcsc-lite appends "(serial)", and two numbers of two digits (hotplug_libudev.c).
    return bool(device.serial) and f"({device.serial})" in name


def _quotes_product(name: str, device: Device) -> bool:
    if "(" in name and device.serial:
        return False
    return bool(device.product) and device.product.lower() in name.lower()


def _only(devices: Iterable[Device]) -> Device | None:
    found = list(devices)
    return found[0] if len(found) == 1 else None


def _with_cards(device: Device, readers: list[Reader]) -> Device:
    if not readers:
        return device
    slots = sorted(readers, key=lambda reader: reader.name)
    nodes = tuple(_node(reader) for reader in slots)
    return replace(device, cards=tuple(map(card_of, slots)), nodes=device.nodes + nodes)


def _stray(reader: Reader) -> Device:
    name = printable(reader.name)
    alone = Device(f"reader:{name}", f"reader:{reader.arrival}:{name}", "", "", product=name)
    return _with_cards(alone, [reader])


def _node(reader: Reader) -> Node:
    # Whether another program holds it changes with every command that one sends: it is told
    # when we open it, and no node.
    return Node(printable(reader.name), "card", may_open=True)
