"""The bus of this machine, whatever is plugged into it."""

import queue

import pytest

from console.errors import Unplugged
from console.events import Device
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
