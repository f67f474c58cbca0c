"""The bus of this machine, whatever is plugged into it."""

import queue

import pytest

from console.errors import NotPermitted, Unplugged
from console.events import Card, Device, Node
from console.hardware.bus import Bus
from console.hardware.machine import MachineBus


@pytest.fixture
def bus():
    """The real one."""
    bus: Bus = MachineBus()
    yield bus
    bus.close()


def test_it_is_no_practice(bus):
    """Screens show a banner otherwise."""
    assert bus.practice == ""


def test_watching_tells_at_once_what_a_scan_finds(bus):
    """Even where there is no USB at all."""
    told: queue.Queue = queue.Queue()
    bus.watch(lambda *seen: told.put(seen))
    assert told.get(timeout=10) == (bus.scan(), bus.state())


def test_a_device_that_is_not_there_cannot_be_opened(bus):
    """It has been unplugged, or it never was."""
    with pytest.raises(Unplugged):
        bus.open_control(Device("99-9", "99:1:1", "1d50", "607f"))


SEVERAL = Device(
    *("99-9", "99:1:1", "1d50", "607f"),
    nodes=(Node("/dev/ttyACM7", "tty", True), Node("/dev/ttyACM8", "tty", True)),
    cards=(Card("A 00 00", "3b80"), Card("B 00 00", "3b80")),
)


@pytest.mark.parametrize(
    ("kind", "name", "error"),
    [
        ("serial", "", Unplugged),
        ("serial", "/dev/ttyACM8", Unplugged),
        ("serial", "/dev/ttyACM9", NotPermitted),
        ("hid", "", NotPermitted),
        ("card", "", Unplugged),
        ("card", "B 00 00", Unplugged),
        ("shared card", "C 00 00", NotPermitted),
    ],
)
def test_one_of_several_lines_is_chosen_by_its_name(bus, kind, name, error):
    """What is found is looked for in its port then; what is not found is said at once."""
    with pytest.raises(error):
        bus.open(SEVERAL, kind, name)
