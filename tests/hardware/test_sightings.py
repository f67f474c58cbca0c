"""A kernel's tree of devices, laid out in a folder, and what is seen in it."""

import os
from pathlib import Path

import pytest

from console.events import Node
from console.hardware.sightings import (
    LONGEST_TEXT,
    NO_USB,
    Sighting,
    bus_state,
    group,
    look,
    printable,
    visit_at,
)

HUB = {"busnum": "1", "idVendor": "1d6b", "idProduct": "0002", "bDeviceClass": "09"}
CORE = {
    "busnum": "1",
    "devnum": "7",
    "idVendor": "1D50",
    "idProduct": "607d",
    "speed": "12",
    "bDeviceClass": "02",
    "serial": "6D7524674852",
    "product": "CORE DFU ",
    "manufacturer": "S",
}
CONTROL = {"bInterfaceClass": "02", "bInterfaceSubClass": "02", "bInterfaceProtocol": "01"}
DATA = {"bInterfaceClass": "0a", "bInterfaceSubClass": "00", "bInterfaceProtocol": "00"}


class Tree:
    """A /sys of our own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.devices = root / "devices/pci0000:00"

    def add(self, place: str, link: str, facts: dict[str, str], node: str = "", driver: str = ""):
        folder = self.devices / place
        folder.mkdir(parents=True)
        for name, text in facts.items():
            (folder / name).write_text(text + "\n")
        (folder / "uevent").write_text(f"MAJOR=189\nDEVNAME={node}\n" if node else "MAJOR=189\n")
        if driver:
            (folder / "driver").symlink_to(f"/sys/bus/usb/drivers/{driver}")
        entry = self.root / link
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.symlink_to(os.path.relpath(folder, entry.parent))

    def add_usb(self, place: str, facts: dict[str, str], node: str = "", driver: str = "usb"):
        self.add(place, f"bus/usb/devices/{place.rpartition('/')[2]}", facts, node, driver)


@pytest.fixture
def tree(tmp_path):
    """A root hub, a hub in its port 1, and a Core with its firmware behind that."""
    tree = Tree(tmp_path)
    tree.add_usb("usb1", {**HUB, "devnum": "1"}, "bus/usb/001/001")
    tree.add_usb("usb1/1-0:1.0", {"bInterfaceClass": "09"}, driver="hub")
    tree.add_usb("usb1/1-1", {**HUB, "devnum": "2"}, "bus/usb/001/002")
    tree.add_usb("usb1/1-1/1-1.4", CORE, "bus/usb/001/007")
    tree.add_usb("usb1/1-1/1-1.4/1-1.4:1.0", CONTROL, driver="cdc_acm")
    tree.add_usb("usb1/1-1/1-1.4/1-1.4:1.1", DATA, driver="cdc_acm")
    tree.add("usb1/1-1/1-1.4/1-1.4:1.0/tty/ttyACM0", "class/tty/ttyACM0", {}, "ttyACM0")
    return tree


def open_to_all(path: str, kind: str) -> Node:
    return Node(path, kind, may_open=True)


def test_a_machine_without_usb_has_no_devices_and_says_so(tmp_path):
    """Neither a bus nor a class is there."""
    assert look(tmp_path) == []
    assert bus_state(tmp_path) == NO_USB


def test_a_usb_without_a_single_bus_is_no_usb(tmp_path):
    """The kernel's USB code may be there and no controller."""
    (tmp_path / "bus/usb/devices").mkdir(parents=True)
    assert bus_state(tmp_path) == NO_USB


def test_hubs_are_left_out_and_a_device_is_grouped_with_its_interfaces_and_nodes(tree):
    """One device, seen five times."""
    (core,) = group(look(tree.root), open_to_all)
    assert (core.port, core.vid, core.pid) == ("1-1.4", "1d50", "607d")
    assert (core.serial, core.product, core.maker) == ("6D7524674852", "CORE DFU", "S")
    assert (core.speed, core.driver) == ("full", "cdc_acm")
    assert core.interfaces == ("020201", "0a0000")
    nodes = (Node("/dev/bus/usb/001/007", "usb", True), Node("/dev/ttyACM0", "tty", True))
    assert core.nodes == nodes
    assert bus_state(tree.root) == ""


def test_a_node_that_may_not_be_opened_says_why(tree):
    """The right is asked of the machine for every node."""
    refused = Node("/dev/x", "usb", may_open=False, why="no")
    (core,) = group(look(tree.root), lambda path, kind: refused)
    assert core.nodes == (refused, refused)


def test_the_visit_in_a_port_is_that_of_the_device_that_was_seen(tree):
    """So that opening can tell whether it is still the same one."""
    (core,) = group(look(tree.root), open_to_all)
    assert visit_at("1-1.4", tree.root) == core.visit
    assert visit_at("1-1.3", tree.root) == ""


def test_a_device_number_that_comes_round_again_is_another_visit():
    """The kernel's entry is another one, although all it says is the same."""
    first, second = (
        group([Sighting("/sys/usb1/1-1", "usb", CORE, inode=inode)], open_to_all)
        for inode in (700, 712)
    )
    assert first[0].visit != second[0].visit


def test_entries_that_vanish_while_being_read_are_left_out(tree):
    """A link that leads nowhere, and a device that has lost half of its facts."""
    (tree.root / "bus/usb/devices/1-2").symlink_to("../../../devices/gone")
    (tree.devices / "usb1/1-1/1-1.4/idProduct").unlink()
    assert group(look(tree.root), open_to_all) == ()


def test_devices_are_ordered_by_port_as_numbers():
    """1-2 before 1-10, a hub's ports after the hub's own place."""
    ports = ["1-10", "2-1", "1-2.3", "1-2"]
    seen = [Sighting(f"/sys/{port}", "usb", CORE) for port in ports]
    assert [device.port for device in group(seen, open_to_all)] == ["1-2", "1-2.3", "1-10", "2-1"]


def test_what_a_terminal_would_obey_is_replaced():
    """A descriptor's text is written by strangers."""
    assert printable("Core\x1b[2J\n\x9b\u202eok\u00e9") == "Core\ufffd[2J\ufffd\ufffd\ufffdok\u00e9"


def test_two_serials_that_differ_never_read_as_the_same_whole_one():
    """What is only left out elsewhere leaves a trace in what names a unit."""
    assert printable("A1\ufe0f") == "A1\ufffd"
    assert printable("A" * 200 + "1") == "A" * LONGEST_TEXT + "\ufffd"


@pytest.mark.parametrize(
    ("megabits", "words"),
    [("1.5", "low"), ("12", "full"), ("480", "high"), ("5000", "super"), ("10000", "10000 Mbit/s")],
)
def test_a_speed_has_a_word(megabits, words):
    """As far as USB has words for it."""
    (device,) = group([Sighting("/sys/1-1", "usb", {**CORE, "speed": megabits})], open_to_all)
    assert device.speed == words
