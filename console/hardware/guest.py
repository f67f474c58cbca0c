"""Is this machine a guest, so that its host decides which USB device it gets?

The rule: any one sign is enough, and each is a fact of this machine: its firmware's tables (DMI),
its processor's flags, a container's marks, and devices on its bus that only an emulator makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

DMI = ("sys_vendor", "product_name", "board_vendor", "bios_vendor")
MACHINES = {
    "qemu": "QEMU",
    "kvm": "KVM",
    "bochs": "Bochs",
    "vmware": "VMware",
    "virtualbox": "VirtualBox",
    "innotek": "VirtualBox",
    "parallels": "Parallels",
    "xen": "Xen",
    "bhyve": "bhyve",
    "virtual machine": "Hyper-V",
    "google compute engine": "Google Compute Engine",
    "amazon ec2": "Amazon EC2",
    "openstack": "OpenStack",
}
"""Words in DMI that only a virtual machine's firmware has; "Virtual Machine" is Hyper-V's."""
EMULATED_VENDORS = {"0627": "QEMU", "80ee": "VirtualBox", "0e0f": "VMware", "203a": "Parallels"}
"""USB vendors that make nothing that could be touched (usb.ids)."""
VHCI = "vhci_hcd"
"""The kernel's controller for devices that come over a network (USB/IP)."""
CONTAINERS = ("/.dockerenv", "/run/.containerenv")


class Entry(Protocol):
    """One entry of the kernel's device tree (sightings.Sighting)."""

    @property
    def path(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Machine:
    """What the machine says of itself: DMI by name, processor flags, a container's files."""

    dmi: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    containers: tuple[str, ...] = ()


def signs(machine: Machine, entries: Iterable[Entry]) -> tuple[str, ...]:
    """Why it counts as a guest, each as a short sentence; () if nothing says so."""
    found = [_of_dmi(name, text) for name, text in machine.dmi.items()]
    if "hypervisor" in machine.flags:
        found.append("The processor says that a hypervisor runs it.")
    found += [f"{path} is there: this is a container." for path in machine.containers]
    found += [_of_entry(entry) for entry in entries]
    return tuple(dict.fromkeys(filter(None, found)))


def _of_dmi(name: str, text: str) -> str:
    told = text.lower()
    maker = next((MACHINES[word] for word in MACHINES if word in told), "")
    return f"Its firmware names {maker} ({name})." if maker else ""


def _of_entry(entry: Entry) -> str:
    if VHCI in entry.path:
        return "A USB controller of its is a network's (USB/IP)."
    maker = EMULATED_VENDORS.get(entry.facts.get("idVendor", "").lower(), "")
    if maker:
        return f"On its USB there is a device that {maker} emulates."
    if entry.facts.get("product", "").startswith("QEMU "):
        return "On its USB there is a device that QEMU emulates."
    return ""


def look(root: Path = Path("/")) -> Machine:
    """This machine now; what cannot be read says nothing."""
    folder = root / "sys/class/dmi/id"
    dmi = {name: text for name in DMI if (text := _text(folder / name))}
    lines = _text(root / "proc/cpuinfo").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    marks = tuple(mark for mark in CONTAINERS if (root / mark.lstrip("/")).exists())
    return Machine(dmi, frozenset(flags.partition(":")[2].split()), marks)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
