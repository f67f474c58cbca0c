"""What a kernel and PC/SC would say about a simulated device.

The rule: pure; the same facts, in the same form, as the real bus tells.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from console.events import Device, Node
from console.hardware.sightings import printable
from console.hardware.simulated import SimulatedUsb, interfaces_of
from console.practice.outlets import card_of, outlets_of, slots_of


def device_facts(port: str, visit: str, device: SimulatedUsb) -> Device:
    """The device as it stands in that port, its cards left out."""
    descriptors = device.descriptors()
    vid, pid = struct.unpack_from("<HH", descriptors.device, 8)
    maker, product, serial = (
        printable(descriptors.strings.get(index, "").strip()) for index in descriptors.device[14:17]
    )
    outlets = outlets_of(port, descriptors.configuration)
    return Device(
        port=port,
        visit=visit,
        vid=f"{vid:04x}",
        pid=f"{pid:04x}",
        serial=serial,
        product=product,
        maker=maker,
        speed=getattr(device, "speed", "full"),
        interfaces=_interfaces(descriptors.configuration),
        nodes=(Node(f"practice:{port}", "usb", True), *(outlet.node for outlet in outlets)),
    )


def with_cards(facts: Device, device: SimulatedUsb) -> Device:
    """With what is in its slots now: cards come and go without a new visit."""
    slots = slots_of(device)
    if not slots:
        return facts
    nodes = tuple(Node(printable(slot.name), "card", True) for slot in slots)
    return replace(facts, cards=tuple(map(card_of, slots)), nodes=facts.nodes + nodes)


def _interfaces(configuration: bytes) -> tuple[str, ...]:
    """One entry an interface, as sysfs has it: alternate settings are not interfaces."""
    found = interfaces_of(configuration)
    return tuple(code for (_, alternate), code in sorted(found.items()) if alternate == 0)
