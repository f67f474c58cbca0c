"""Serial lines over a pseudo-terminal, the HID backend, and the wrappers of every line."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.errors import NotPermitted, Silent, Stopped, Unplugged
from console.events import Device, Node
from console.hardware.hid import Hidraw, backend
from console.hardware.lines import Faulty, Stoppable, Traced
from console.hardware.lock import hold_device, hold_name, opener
from console.hardware.serial import SerialPort


@pytest.fixture
def wire():
    """The device's end of a serial line, and our end's path."""
    far, near = pty.openpty()
    path = os.ttyname(near)
    os.close(near)
    yield far, Device("1-1", "v1", "1915", "521f"), path
    if far >= 0:
        os.close(far)


def test_bytes_go_out_and_come_back_over_a_serial_line(wire):
    """What is there is taken, without waiting for more."""
    far, device, path = wire
    line = SerialPort(device, path)
    line.send(b"\xc0\x09\xc0")
    os.write(far, b"answer")

    assert os.read(far, 100) == b"\xc0\x09\xc0"
    assert line.receive(5.0) == b"answer"
    line.close()


def test_a_serial_device_that_says_nothing_is_silent(wire):
    """After the time that was given, no sooner."""
    _, device, path = wire
    line = SerialPort(device, path)

    with pytest.raises(Silent) as silent:
        line.receive(0.05)
    assert silent.value.waited == 0.05
    line.close()


def test_a_serial_line_that_hangs_up_is_unplugged(wire):
    """The far end goes while ours is open."""
    far, device, path = wire
    line = SerialPort(device, path)
    os.dup2(os.open(os.devnull, os.O_RDWR), far)

    with pytest.raises(Unplugged):
        line.receive(1.0)
    line.close()


def test_a_second_opener_of_a_serial_line_is_told_who_has_it(wire):
    """Exclusive on the whole machine."""
    _, device, path = wire
    line = SerialPort(device, path)

    with pytest.raises(NotPermitted, match=f"process {os.getpid()}"):
        SerialPort(device, path)
    line.close()
    SerialPort(device, path).close()


def test_a_program_that_shares_the_port_is_told_by_name(wire):
    """It did not ask for the port alone: without a look it would take half of our answers."""
    _, device, path = wire
    shares = (
        f"import os, sys; os.open({path!r}, os.O_RDWR | os.O_NOCTTY); print(flush=True); input()"
    )
    command = [sys.executable, "-c", shares]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        other.stdout.readline()
        with pytest.raises(NotPermitted, match=rf"process {other.pid}\) is using {path}"):
            SerialPort(device, path)
        assert opener(path).endswith(f"(process {other.pid})")
        other.communicate("\n")
    SerialPort(device, path).close()


UNASKED = """
import os, sys
if os.geteuid() == 0:
    os.setuid(65534)
try:
    os.close(os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY))
    print("opened")
except OSError as error:
    print(os.strerror(error.errno))
"""


def opened_by_another(path: str) -> str:
    """What comes of a program that asks for no lock and looks at none; root would be let in."""
    command = [sys.executable, "-c", UNASKED, path]
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()


def test_a_program_that_asks_for_no_lock_cannot_open_the_port_while_it_is_ours(wire):
    """ModemManager, screen and cat take no flock; the kernel refuses them (TIOCEXCL)."""
    _, device, path = wire
    Path(path).chmod(0o666)
    assert opened_by_another(path) == "opened"
    line = SerialPort(device, path)

    assert opened_by_another(path) == os.strerror(errno.EBUSY)
    line.close()
    assert opened_by_another(path) == "opened"


def test_a_program_that_came_in_just_before_the_port_was_ours_is_seen(wire, monkeypatch):
    """It is looked for again when nobody else can come in; the port is then let go."""
    _, device, path = wire
    Path(path).chmod(0o666)
    seen = iter(("", "cat of anna (process 77)"))
    monkeypatch.setattr("console.hardware.serial.opener", lambda _: next(seen))

    with pytest.raises(NotPermitted, match=rf"Cat of anna \(process 77\) is using {path}"):
        SerialPort(device, path)
    assert opened_by_another(path) == "opened"
    monkeypatch.undo()
    SerialPort(device, path).close()


def test_the_lock_is_that_of_the_physical_device_whichever_line_is_opened(tmp_path):
    """A HID line and a serial line of one key refuse each other."""
    usb, hid = tmp_path / "usb", tmp_path / "hid"
    usb.touch()
    hid.touch()
    nodes = (Node(str(usb), "usb", True), Node(str(hid), "hidraw", True))
    device = Device("1-1", "v1", "20a0", "42b2", nodes=nodes)
    held = hold_device(device, str(hid))

    with pytest.raises(NotPermitted, match="is working on this device"):
        hold_device(device, str(usb))
    held.let_go()


def test_a_thing_without_a_node_is_locked_by_its_name(tmp_path):
    """A reader behind PC/SC; another user's file is no hindrance."""
    held = hold_name("reader R", (tmp_path,))

    with pytest.raises(NotPermitted):
        hold_name("reader R", (tmp_path,))
    hold_name("reader S", (tmp_path,)).let_go()
    held.let_go()
    hold_name("reader R", (tmp_path,)).let_go()


def test_hid_goes_through_hidraw_and_never_through_libusb():
    """The other backend takes the device away from the kernel's driver."""
    assert backend() == "hidraw"


def test_a_hid_node_that_is_gone_is_unplugged():
    """Between the look and the opening."""
    with pytest.raises(Unplugged):
        Hidraw(Device("1-1", "v1", "20a0", "42b2"), "/dev/hidraw-is-not-here")


class Node0:
    """hidapi's idea of an open node: what it was asked, and how long it would have waited."""

    def __init__(self) -> None:
        self.waits = -1
        self.waited: list[int] = []

    def open_path(self, path: bytes) -> None: ...

    def set_nonblocking(self, on: int) -> None:
        self.waits = 0 if on else -1

    def read(self, most: int, milliseconds: int = 0) -> list[int]:
        self.waited.append(milliseconds or self.waits)
        return []

    def close(self) -> None: ...


@pytest.mark.parametrize(("timeout", "waited"), [(0.0, 0), (0.0001, 1), (2.0, 2000)])
def test_no_time_is_waited_where_none_is_given_and_never_for_ever(
    tmp_path, monkeypatch, timeout, waited
):
    """Zero is "what is there already", to which hidapi has its own switch."""
    hid, node = tmp_path / "hid", Node0()
    hid.touch()
    monkeypatch.setattr("hidraw.device", lambda: node)
    line = Hidraw(Device("1-1", "v1", "20a0", "42dd"), str(hid))

    with pytest.raises(Silent):
        line.receive(timeout)
    assert node.waited == [waited]
    line.close()


class Echo:
    """A line of every kind that answers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def send_all(self, reports: Sequence[bytes]) -> None:
        self.sent += reports

    def receive(self, timeout: float, most: int = 64) -> bytes:
        return self.sent[-1][:most]

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return b"\x63\xc2"

    @contextmanager
    def transaction(self):
        self.sent.append(b"begin")
        yield
        self.sent.append(b"end")

    def reset(self) -> None:
        self.sent.append(b"reset")

    def close(self) -> None:
        self.sent.append(b"close")


def test_a_trace_tells_headers_and_lengths_and_never_what_was_carried():
    """A PIN must not be in it."""
    told = []
    line = Traced(Echo(), told.append, lambda: 0.0)
    line.transmit(bytes.fromhex("0020008106") + b"123456")
    line.send(b"secret report")
    line.receive(1.0)
    line.send_all([b"secret", b"report"])

    assert told[0] == "apdu 00 20 00 81 sent 11 got 2 status 63c2  0.0 ms"
    assert told[1:3] == ["out sent 13  0.0 ms", "in  got 13  0.0 ms"]
    assert told[3:] == ["out sent 12 in 2 reports  0.0 ms"]


def test_stopping_and_faults_come_before_any_verb_of_any_line():
    """Nothing goes out after a stop; the n-th verb is the n-th."""
    counted = []
    faulty = Faulty(Echo(), counted.append)
    with faulty.transaction():
        faulty.transmit(b"\0\xa4\4\0")
    faulty.reset()
    stopped = Stoppable(Echo(), lambda: True)

    for verb in (lambda: stopped.send_all([b"x"]), lambda: stopped.transmit(b"x"), stopped.reset):
        with pytest.raises(Stopped):
            verb()
    assert counted == [1, 2, 3]
    faulty.send_all([b"x", b"y"])
    assert counted == [1, 2, 3, 4, 5]
    assert stopped.below.sent == []
