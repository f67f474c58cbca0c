"""What makes a machine count as a guest, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.hardware import guest, sightings
from console.hardware.guest import Machine
from console.hardware.sightings import Sighting

BARE = Machine(
    {"sys_vendor": "LENOVO", "product_name": "20XW00A7GE", "bios_vendor": "LENOVO"},
    frozenset({"fpu", "vmx", "aes"}),
)
ROOT_HUB = Sighting("/sys/devices/pci0000:00/0000:00:14.0/usb1", "usb", {"idVendor": "1d6b"})
MOUSE = Sighting(
    f"{ROOT_HUB.path}/1-4", "usb", {"idVendor": "046d", "product": "USB Optical Mouse"}
)


def test_a_bare_machine_shows_no_sign() -> None:
    """One that could run guests itself is none."""
    assert guest.signs(BARE, (ROOT_HUB, MOUSE)) == ()


@pytest.mark.parametrize(
    ("name", "text", "maker"),
    [
        ("sys_vendor", "QEMU", "QEMU"),
        ("product_name", "Standard PC (Q35 + ICH9, 2009)", ""),
        ("product_name", "VMware Virtual Platform", "VMware"),
        ("board_vendor", "Oracle Corporation", ""),
        ("product_name", "VirtualBox", "VirtualBox"),
        ("sys_vendor", "innotek GmbH", "VirtualBox"),
        ("product_name", "Virtual Machine", "Hyper-V"),
        ("sys_vendor", "Microsoft Corporation", ""),
        ("product_name", "Surface Pro 7", ""),
        ("sys_vendor", "Xen", "Xen"),
        ("sys_vendor", "Parallels International GmbH.", "Parallels"),
    ],
)
def test_what_firmware_says(name: str, text: str, maker: str) -> None:
    found = guest.signs(Machine({name: text}), ())
    assert found == ((f"Its firmware names {maker} ({name}).",) if maker else ())


def test_a_processor_that_names_a_hypervisor() -> None:
    assert guest.signs(Machine(flags=frozenset({"hypervisor"})), ())


def test_a_container() -> None:
    found = guest.signs(Machine(containers=("/.dockerenv",)), ())
    assert found == ("/.dockerenv is there: this is a container.",)


@pytest.mark.parametrize(
    "facts",
    [
        {"idVendor": "0627", "idProduct": "0001", "product": "QEMU USB Tablet"},
        {"idVendor": "80EE", "idProduct": "0021"},
        {"idVendor": "0e0f", "product": "VMware Virtual USB Mouse"},
        {"idVendor": "46f4", "product": "QEMU USB HARDDRIVE"},
    ],
)
def test_emulated_devices_on_the_bus(facts: dict[str, str]) -> None:
    """The log of the key that died named the guest by its tablet alone."""
    tablet = Sighting(f"{ROOT_HUB.path}/1-1", "usb", facts)
    assert len(guest.signs(BARE, (ROOT_HUB, tablet, MOUSE))) == 1


def test_a_bus_that_comes_over_a_network() -> None:
    hub = Sighting("/sys/devices/platform/vhci_hcd.0/usb9", "usb", {"idVendor": "1d6b"})
    assert guest.signs(BARE, (hub,)) == ("A USB controller of its is a network's (USB/IP).",)


def made(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_machine_is_read_from_its_own_files(tmp_path) -> None:
    bare = made(
        tmp_path / "bare",
        {
            "sys/class/dmi/id/sys_vendor": "LENOVO\n",
            "proc/cpuinfo": "processor : 0\nflags\t\t: fpu vmx\n",
        },
    )
    assert guest.look(bare) == Machine({"sys_vendor": "LENOVO"}, frozenset({"fpu", "vmx"}))
    assert not sightings.in_guest(bare)
    cpu = {"proc/cpuinfo": "flags\t\t: fpu hypervisor\n"}
    assert sightings.in_guest(made(tmp_path / "cpu", cpu))
    dmi = {"sys/class/dmi/id/product_name": "KVM\n"}
    assert sightings.in_guest(made(tmp_path / "dmi", dmi))
    assert sightings.in_guest(made(tmp_path / "container", {"run/.containerenv": ""}))
    assert not sightings.in_guest(tmp_path / "nothing")
