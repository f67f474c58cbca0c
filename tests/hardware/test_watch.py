"""The watching thread, with notices from a pipe instead of a kernel."""

import errno
import os
import queue
import time
from dataclasses import replace

import pytest

from console.events import Device, Node
from console.hardware.watch import DEAF, UdevNotices, Watch

CLOSED = Node("/dev/bus/usb/001/004", "usb", False)
CORE = Device("1-1", "1:4:700", "1d50", "607f")
LIMIT = 10


class Bus:
    """What a kernel shows and says. `fails` is raised by the next reading of notices."""

    def __init__(self) -> None:
        self.devices: tuple[Device, ...] = ()
        self.fails: list[OSError] = []
        self.opened = 0
        self.deaf = False
        self.told: queue.Queue = queue.Queue()
        self._read, self._write = os.pipe()
        self.watch = Watch(
            lambda: (self.devices, ""),
            lambda *seen: self.told.put(seen),
            time.monotonic,
            self._listen,
        )

    def _listen(self):
        if self.deaf:
            raise OSError(errno.EPERM, "no netlink")
        self.opened += 1
        return self

    def fileno(self) -> int:
        return self._read

    def drain(self) -> None:
        os.read(self._read, 100)
        if self.fails:
            raise self.fails.pop()

    def notice(self) -> None:
        os.write(self._write, b"!")

    def take(self):
        return self.told.get(timeout=LIMIT)


@pytest.fixture
def bus():
    """A bus that is watched, and has told once that it is empty."""
    bus = Bus()
    bus.watch.start()
    assert bus.take() == ((), "")
    yield bus
    bus.watch.close()


def test_an_arrival_is_told_after_its_notice(bus):
    """With everything that is there."""
    bus.devices = (CORE,)
    bus.notice()
    assert bus.take() == ((CORE,), "")


def test_a_notice_without_a_change_tells_nothing(bus):
    """The next thing told is the next change."""
    bus.notice()
    bus.devices = (CORE,)
    bus.notice()
    assert bus.take() == ((CORE,), "")
    bus.devices = ()
    bus.notice()
    assert bus.take() == ((), "")
    assert bus.told.empty()


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ECONNRESET])
def test_lost_notices_mean_another_look_and_a_new_ear(bus, number):
    """Whatever was missed is in the look."""
    bus.fails.append(OSError(number, "lost"))
    bus.devices = (CORE,)
    bus.notice()
    assert bus.take() == ((CORE,), "")
    bus.devices = ()
    bus.notice()
    assert bus.take() == ((), "")
    assert bus.opened == 2


def test_a_bus_that_cannot_be_heard_any_more_says_so(bus):
    """What is shown then may be old, and that is a sentence."""
    bus.deaf = True
    bus.fails.append(OSError(errno.ENOBUFS, "lost"))
    bus.notice()
    assert bus.take() == ((), DEAF)


def test_without_any_notices_the_first_look_is_told_all_the_same():
    """A machine may forbid netlink."""
    bus = Bus()
    bus.deaf, bus.devices = True, (CORE,)
    bus.watch.start()
    assert bus.take() == ((CORE,), DEAF)
    bus.watch.close()


def test_rights_that_come_without_a_notice_are_told(bus):
    """A few looks follow an arrival whose node is still closed."""
    bus.devices = (replace(CORE, nodes=(CLOSED,)),)
    bus.notice()
    assert bus.take() == (bus.devices, "")
    bus.devices = (replace(CORE, nodes=(replace(CLOSED, may_open=True),)),)
    assert bus.take() == (bus.devices, "")


def test_nothing_is_told_after_close():
    """Closing waits for what is being told."""
    bus = Bus()
    bus.watch.start()
    bus.take()
    bus.watch.close()
    bus.devices = (CORE,)
    bus.notice()
    assert bus.told.empty()


def test_the_kernel_of_this_machine_can_be_listened_to():
    """A netlink socket needs no rights."""
    notices = UdevNotices()
    assert notices.fileno() > 2
    notices.drain()
