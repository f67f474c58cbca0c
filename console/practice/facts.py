"""What a kernel would say about a simulated device, read from its descriptors.

The rule: pure; the same facts, in the same form, as the real bus tells.
"""

from __future__ import annotations

import struct

from console.events import Device, Node
from console.hardware.sightings import printable
from console.hardware.simulated import Descriptors, interfaces_of


def device_facts(port: str, visit: str, descriptors: Descriptors) -> Device:
    """The device as it stands in that port."""
    vid, pid = struct.unpack_from("<HH", descriptors.device, 8)
    maker, product, serial = (
        printable(descriptors.strings.get(index, "").strip()) for index in descriptors.device[14:17]
    )
    return Device(
        port=port,
        visit=visit,
        vid=f"{vid:04x}",
        pid=f"{pid:04x}",
        serial=serial,
        product=product,
        maker=maker,
        speed="full",
        interfaces=_interfaces(descriptors.configuration),
        nodes=(Node(f"practice:{port}", "usb", True),),
    )


def _interfaces(configuration: bytes) -> tuple[str, ...]:
    """One entry an interface, as sysfs has it: alternate settings are not interfaces."""
    found = interfaces_of(configuration)
    return tuple(code for (_, alternate), code in sorted(found.items()) if alternate == 0)
