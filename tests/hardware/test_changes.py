"""What differs between two looks at a bus."""

from dataclasses import replace

from console.events import Device, Node
from console.hardware.changes import Changes, changes

CORE = Device("1-1", "1:4:700", "1d50", "607f", nodes=(Node("/dev/bus/usb/001/004", "usb", False),))
BACK = replace(CORE, visit="1:4:712")


def test_the_same_look_twice_is_no_change():
    """Doubled notices must not be told."""
    assert changes((CORE,), (CORE,)) == Changes()
    assert not changes((CORE,), (CORE,)).any


def test_a_device_that_came_and_one_that_left_are_told_apart():
    """By visit, wherever they sit."""
    other = replace(CORE, port="1-2", visit="1:5:800")
    assert changes((CORE,), (other,)) == Changes(left=(CORE,), came=(other,))


def test_a_device_that_left_and_came_back_between_two_looks_counts_as_both():
    """Even with the same device number, in the same port."""
    assert changes((CORE,), (BACK,)) == Changes(left=(CORE,), came=(BACK,))


def test_rights_that_arrive_later_change_a_device_that_stayed():
    """The visit is the same, so it neither left nor came."""
    opened = replace(CORE, nodes=(Node("/dev/bus/usb/001/004", "usb", True),))
    assert changes((CORE,), (opened,)) == Changes(changed=(opened,))
