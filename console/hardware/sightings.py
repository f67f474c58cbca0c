"""Who is on the USB, as the kernel tells it: its entries, grouped into devices.

The rule: one look tells everything that is there now, from sysfs alone; nothing is sent to a
device. What was seen is grouped by pure functions, so any machine's tree can be a test.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from console.events import Device, Node
from console.hardware import guest
from console.letters import LEFT_OUT, REPLACED, harmless

SYSFS = Path("/sys")
NO_USB = "This machine has no USB that its kernel knows of: nothing plugged in can be seen."

SUBSYSTEMS = ("usb", "tty", "hidraw")
ATTRIBUTES = (
    *("busnum", "devnum", "idVendor", "idProduct", "bDeviceClass"),
    *("serial", "product", "manufacturer", "speed"),
    *("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"),
)
IDENTITY = {"busnum", "devnum", "idVendor", "idProduct"}
SPEEDS = {"1.5": "low", "12": "full", "480": "high", "5000": "super"}
HUB = "09"
SIBLING = "sibling"
LONGEST_TEXT = 127
"""Letters that a USB string descriptor can carry (USB 2.0, 9.6.7); a reader's name has as many
(pcsc-lite, MAX_READERNAME with its end)."""


@dataclass(frozen=True)
class Sighting:
    """One entry of the kernel's device tree: its path there, and what it says of itself."""

    path: str
    subsystem: str
    facts: Mapping[str, str] = field(default_factory=dict)
    driver: str = ""
    node: str = ""
    inode: int = 0


Access = Callable[[str, str], Node]
"""(path, kind) -> the node, with whether this user may open it."""


# --- pure: sightings -> devices -----------------------------------------------------------


def group(sightings: Iterable[Sighting], access: Access) -> tuple[Device, ...]:
    """Every device among the sightings, hubs left out, ordered by port."""
    seen = sorted(sightings, key=lambda sighting: sighting.path)
    roots = {sighting.path: [sighting] for sighting in seen if _is_device(sighting)}
    for sighting in seen:
        if not _is_device(sighting):
            _belong(sighting, roots)
    devices = (_device(parts, access) for parts in roots.values() if not _is_hub(parts[0]))
    return tuple(sorted(devices, key=lambda device: _port_order(device.port)))


def _is_device(sighting: Sighting) -> bool:
    # One that is being torn down has lost some of its facts already: it counts as gone.
    return sighting.subsystem == "usb" and sighting.facts.keys() >= IDENTITY


def _is_hub(sighting: Sighting) -> bool:
    return sighting.facts.get("bDeviceClass") == HUB


def _belong(sighting: Sighting, roots: Mapping[str, list[Sighting]]) -> None:
    above = (root for root in roots if sighting.path.startswith(root + "/"))
    owner = max(above, key=len, default=None)
    if owner is not None:
        roots[owner].append(sighting)


def _device(parts: list[Sighting], access: Access) -> Device:
    facts = parts[0].facts
    return Device(
        port=parts[0].path.rpartition("/")[2],
        visit=_visit(facts.get("busnum", ""), facts.get("devnum", ""), parts[0].inode),
        vid=facts.get("idVendor", "").lower(),
        pid=facts.get("idProduct", "").lower(),
        serial=printable(facts.get("serial", "")),
        product=printable(facts.get("product", "")),
        maker=printable(facts.get("manufacturer", "")),
        sibling=facts.get(SIBLING, ""),
        speed=_speed(facts.get("speed", "")),
        driver=", ".join(sorted({part.driver for part in parts[1:] if part.driver})),
        interfaces=tuple(filter(None, (_interface(part.facts) for part in parts[1:]))),
        nodes=tuple(access(part.node, part.subsystem) for part in parts if part.node),
    )


def _visit(bus: str, number: str, inode: int) -> str:
    # Device numbers come round again; the kernel never gives an entry's inode twice (kernfs).
    return f"{bus}:{number}:{inode}"


def _interface(facts: Mapping[str, str]) -> str:
    if "bInterfaceClass" not in facts:
        return ""
    return (
        facts["bInterfaceClass"]
        + facts.get("bInterfaceSubClass", "")
        + facts.get("bInterfaceProtocol", "")
    ).lower()


def _speed(megabits: str) -> str:
    return SPEEDS.get(megabits, f"{megabits} Mbit/s" if megabits else "")


def _port_order(port: str) -> tuple[int, ...]:
    return tuple(int(part) for part in port.replace("-", ".").split(".") if part.isdecimal())


def printable(text: str) -> str:
    """A device's own text, cut, with everything replaced that a terminal might obey.

    Nothing is left out without a trace: two serials that differ never read as the same whole one.
    """
    cut = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}{REPLACED}"
    return harmless("".join(REPLACED if sign in LEFT_OUT else sign for sign in cut))


# --- one look at this machine ---------------------------------------------------------------


def look(sysfs: Path = SYSFS) -> list[Sighting]:
    """What the kernel shows now. Entries that vanish while being read are left out."""
    entries = [
        (subsystem, entry) for subsystem in SUBSYSTEMS for entry in _entries(sysfs, subsystem)
    ]
    found = (_sighting(subsystem, entry) for subsystem, entry in entries)
    return [sighting for sighting in found if sighting is not None]


def _entries(sysfs: Path, subsystem: str) -> list[Path]:
    folder = sysfs / ("bus/usb/devices" if subsystem == "usb" else f"class/{subsystem}")
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [entry for entry in entries if _is_hardware(entry)]


def _is_hardware(entry: Path) -> bool:
    """Not a tty that hangs off no bus (a console, a pty), and not gone since it was listed."""
    try:
        return "virtual" not in str(entry.readlink())
    except OSError:
        return False


def _sighting(subsystem: str, entry: Path) -> Sighting | None:
    try:
        place = entry.resolve(strict=True)
        return Sighting(
            path=str(place),
            subsystem=subsystem,
            facts=_facts(place) | _sibling(place) if subsystem == "usb" else {},
            driver=_driver(place) if subsystem == "usb" else "",
            node=_node(place),
            inode=_inode(place),
        )
    except OSError:
        return None


def _facts(place: Path) -> dict[str, str]:
    found = ((name, _read(place / name)) for name in ATTRIBUTES)
    return {name: text for name, text in found if text is not None}


def _read(attribute: Path) -> str | None:
    try:
        return attribute.read_bytes().decode("utf-8", "replace").strip("\n ")
    except OSError:
        return None


def _sibling(place: Path) -> dict[str, str]:
    """The kernel knows which USB 2 and USB 3 ports are one socket (sysfs-bus-usb, "peer")."""
    try:
        name = (place / "port/peer").readlink().name
    except OSError:
        return {}
    hub, _, number = name.rpartition("-port")
    root = hub.startswith("usb")
    path = f"{hub.removeprefix('usb')}-{number}" if root else f"{hub}.{number}"
    return {SIBLING: path}


def _inode(place: Path) -> int:
    return place.stat().st_ino


def _driver(place: Path) -> str:
    try:
        return (place / "driver").readlink().name
    except OSError:
        return ""


def _node(place: Path) -> str:
    for line in (_read(place / "uevent") or "").splitlines():
        name, _, value = line.partition("=")
        if name == "DEVNAME":
            return f"/dev/{value}"
    return ""


def access(path: str, kind: str) -> Node:
    """The node, and whether this user may read and write it."""
    if os.access(path, os.R_OK | os.W_OK):
        return Node(path, kind, may_open=True)
    if not Path(path).exists():
        return Node(path, kind, may_open=False, why=f"{path} is not there yet.")
    return Node(path, kind, may_open=False, why=f"This user may not read and write {path}.")


def scan() -> tuple[Device, ...]:
    """Every USB device of this machine now."""
    return group(look(), access)


def in_guest(root: Path = Path("/")) -> bool:
    """Does this machine run in another? Its ports are then what the host makes of them."""
    return bool(guest.signs(guest.look(root), look(root / "sys")))


def visit_at(port: str, sysfs: Path = SYSFS) -> str:
    """The visit of what sits in that port now; empty when nothing does."""
    try:
        place = (sysfs / "bus/usb/devices" / port).resolve(strict=True)
        return _visit(_read(place / "busnum") or "", _read(place / "devnum") or "", _inode(place))
    except OSError:
        return ""


def bus_state(sysfs: Path = SYSFS) -> str:
    """What is wrong with USB as a whole; empty when there is a bus."""
    try:
        return "" if any((sysfs / "bus/usb/devices").iterdir()) else NO_USB
    except OSError:
        return NO_USB
