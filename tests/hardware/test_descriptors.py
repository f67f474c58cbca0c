"""What the kernel's own files say beyond descriptors: halves of sockets, nodes, guests."""

from __future__ import annotations

import pytest

from console.events import Node
from console.hardware.sightings import Sighting, group, in_guest, look


@pytest.mark.parametrize(
    ("peer", "expected"),
    [("usb2-port4", "2-4"), ("2-1-port3", "2-1.3"), ("2-1.2-port1", "2-1.2.1")],
)
def test_the_other_half_of_a_socket_is_told_as_a_port_path(tmp_path, peer, expected):
    """The kernel links a USB 2 port to the USB 3 port of the same socket."""
    place = tmp_path / "devices/usb1/1-4"
    (place / "port").mkdir(parents=True)
    (place / "port/peer").symlink_to(f"../../elsewhere/{peer}")
    for name, text in {
        "busnum": "1",
        "devnum": "2",
        "idVendor": "20a0",
        "idProduct": "42b2",
    }.items():
        (place / name).write_text(f"{text}\n")
    entries = tmp_path / "bus/usb/devices"
    entries.mkdir(parents=True)
    (entries / "1-4").symlink_to(place)

    (seen,) = group(look(tmp_path), lambda path, kind: Node(path, kind, True))

    assert (seen.port, seen.sibling) == ("1-4", expected)


def test_hidraw_and_tty_nodes_belong_to_the_usb_device_they_hang_from():
    """One physical thing, whatever it offers."""
    facts = {"busnum": "1", "devnum": "2", "idVendor": "20a0", "idProduct": "42b2"}
    at = "/sys/devices/usb1/1-4"
    parts = [
        Sighting(at, "usb", facts, node="/dev/bus/usb/001/002"),
        Sighting(f"{at}/1-4:1.0/0003:20A0:42B2.0001/hidraw/hidraw3", "hidraw", node="/dev/hidraw3"),
        Sighting(f"{at}/1-4:1.1/tty/ttyACM0", "tty", node="/dev/ttyACM0"),
    ]

    (seen,) = group(parts, lambda path, kind: Node(path, kind, True))

    assert [node.kind for node in seen.nodes] == ["usb", "hidraw", "tty"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("flags\t\t: fpu hypervisor sse\n", True), ("flags\t\t: fpu sse\n", False), ("", False)],
)
def test_a_guest_is_known_by_its_processor(tmp_path, text, expected):
    """Its ports are then what the host makes of them."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(text)

    assert in_guest(tmp_path) == expected
