"""Cards, HID interfaces and serial ports through a real kernel, real drivers and a real pcscd.

The rule: our own lines on one end, simulated silicon on the other, and nothing of ours between.
A refusal by polkit cannot be made here: Debian 12 builds its pcscd without polkit.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import socket_board
import usbip
from socket_board import wait_for
from table import LIMIT, Table, raised

from console.errors import Garbled, NotPermitted, Silent, Unplugged
from console.hardware.readers import owner_of
from console.hardware.simulated_ccid import GNUK
from tests import simulated_cards as toys

READER, OTHER = "1-3", "1-4"
DAEMON = ["pcscd", "--foreground", "--config"]
COMM = Path("/run/pcscd/pcscd.comm")


class Wires:
    """The reader in port 1-3, the device of many functions in port 1-4; made when first used."""

    made: Wires | None = None

    def __init__(self, table: Table) -> None:
        self.table = table
        power = usbip.Power()
        self.reader = toys.reader(power.pause, manners=GNUK)
        self.reader_export = table.server.export("7-3", self.reader, usbip.FULL, power=power)
        power = usbip.Power()
        self.other = toys.Combined(power.pause)
        self.other_export = table.server.export("7-4", self.other, usbip.FULL, power=power)
        if not COMM.exists():
            # With no readers but what is plugged in: this machine's own lists are not ours.
            empty = tempfile.mkdtemp(prefix="replug-readers-")
            subprocess.Popen([*DAEMON, empty], stdin=subprocess.DEVNULL)
            wait_for(COMM.exists, "pcscd")

    @classmethod
    def of(cls, table: Table) -> Wires:
        cls.made = cls.made or cls(table)
        return cls.made

    def with_card(self):
        """The reader as it is shown, with its card in it."""
        if self.reader_export.connection is None:
            socket_board.plug(self.table.server, "7-3", 2)
        if self.reader.slots[0].card is None:
            self.reader_export.press("insert")
        return self.table.with_card(self.reader_export, 2)

    def with_nodes(self):
        """The other device with all that the kernel's drivers make of it."""
        if self.other_export.connection is None:
            socket_board.plug(self.table.server, "7-4", 3)

        def complete(seen) -> bool:
            device = seen.at(OTHER)
            kinds = sorted(node.kind for node in device.nodes if node.may_open) if device else []
            return kinds == ["hidraw", "hidraw", "tty", "tty", "usb"]

        self.table.seen.until(complete)
        return self.table.seen.at(OTHER)

    def open_card(self):
        return self.table.seen.bus.open(self.with_card(), "card")


def apdu(instruction: int, p1: int = 0, p2: int = 0) -> bytes:
    return bytes((0, instruction, p1, p2, 0))


# --- cards ------------------------------------------------------------------------------------


def a_reader_is_shown_as_a_device_with_its_card(table: Table) -> None:
    device = Wires.of(table).with_card()
    assert (device.product, device.serial) == ("Zebra", ""), device
    assert [card.atr for card in device.cards] == [toys.ATR.hex()], device
    assert sorted(node.kind for node in device.nodes) == ["card", "usb"], device
    assert not any(seen.port.startswith("reader:") for seen in table.seen.devices)


def it_is_joined_by_its_channel_and_by_nothing_that_its_name_quotes(table: Table) -> None:
    device = Wires.of(table).with_card()
    (reader,) = table.seen.bus._facts().readers
    assert "Zebra" not in reader.name, reader
    assert owner_of(reader, table.seen.devices) == device, reader
    assert owner_of(replace(reader, usb=None), table.seen.devices) is None, reader


def plugging_a_reader_in_sends_its_card_nothing(table: Table) -> None:
    wires = Wires.of(table)
    wires.with_card()
    assert wires.reader.card.begun == []


def a_card_answers_commands_through_pcscd(table: Table) -> None:
    wires = Wires.of(table)
    with closing(wires.open_card()) as line:
        with line.transaction():
            assert line.transmit(apdu(toys.SELECT)) == toys.OK
            assert line.transmit(apdu(toys.COUNT)) == b"\0\1" + toys.OK
        long = line.transmit(apdu(toys.LONG, 1, 0))
        assert long == bytes(range(256)) + toys.OK, long
        line.reset()
        assert line.transmit(apdu(toys.COUNT)) == b"\0\0" + toys.OK


def a_reader_of_short_commands_takes_no_long_one(table: Table) -> None:
    with closing(Wires.of(table).open_card()) as line:
        raised(Garbled, lambda: line.transmit(bytes((0, toys.ECHO, 0, 0)) + bytes(258)))


def a_card_that_works_for_ten_seconds_is_waited_for(table: Table) -> None:
    with closing(Wires.of(table).open_card()) as line:
        began = time.monotonic()
        assert line.transmit(apdu(toys.WORK, 10)) == toys.OK
        assert time.monotonic() - began >= 10


def a_touch_ends_the_wait_for_it(table: Table) -> None:
    wires = Wires.of(table)
    with closing(wires.open_card()) as line:
        threading.Timer(3.0, wires.reader_export.press, ("touch",)).start()
        assert line.transmit(apdu(toys.TOUCH)) == toys.OK


def a_mute_card_is_a_wire_that_failed(table: Table) -> None:
    # libccid tells a mute card and a broken transfer as the same: SCARD_E_NOT_TRANSACTED.
    with closing(Wires.of(table).open_card()) as line:
        error = raised(Garbled, lambda: line.transmit(apdu(toys.MUTE)))
        assert "80100016" in error.sentence, error
        line.reset()
        assert line.transmit(apdu(toys.SELECT)) == toys.OK


def a_card_pulled_in_a_transaction_is_unplugged(table: Table) -> None:
    wires = Wires.of(table)
    done = wires.reader.card.done
    with closing(wires.open_card()) as line:
        threading.Timer(1.0, wires.reader_export.press, ("remove",)).start()

        def work() -> None:
            with line.transaction():
                line.transmit(apdu(toys.WORK, 60))

        error = raised(Unplugged, work)
    assert error.sentence.startswith("The card was taken out of"), error
    assert wires.reader.card.done == done
    table.seen.until(lambda seen: not seen.at(READER).cards[0].atr)


def a_reader_pulled_in_mid_command_is_unplugged(table: Table) -> None:
    wires = Wires.of(table)
    with closing(wires.open_card()) as line:
        threading.Timer(1.0, wires.reader_export.unplug).start()
        error = raised(Unplugged, lambda: line.transmit(apdu(toys.WORK, 60)))
    assert error.sentence.startswith("The reader "), error
    assert error.sentence.endswith(" was unplugged."), error
    table.seen.until(lambda seen: seen.at(READER) is None)


# --- HID --------------------------------------------------------------------------------------


# hidapi's module closes a node with Python's lock held, and the kernel ends that only when the
# device has answered: whoever simulates the device cannot be the same process.
PROGRAM = """
import sys
from contextlib import closing
from console.errors import ConsoleError
from console.hardware.machine import MachineBus
bus = MachineBus()
device = next(device for device in bus.scan() if device.port == sys.argv[1])
paths = [node.path for node in device.nodes if node.kind == "hidraw"]
def said(act):
    try:
        return repr(act())
    except ConsoleError as error:
        return f"{type(error).__name__} {error.sentence}"
"""


def hid_program(table: Table, program: str) -> subprocess.Popen[str]:
    Wires.of(table).with_nodes()
    command = [sys.executable, "-c", PROGRAM + program, OTHER]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told_by(program: subprocess.Popen[str]) -> list[str]:
    told, _ = program.communicate(timeout=LIMIT)
    assert program.returncode == 0, program
    return told.splitlines()


def reports_go_through_hidraw(table: Table) -> None:
    program = hid_program(
        table,
        "for path in paths:\n"
        "    with closing(bus.open(device, 'hid', path)) as line:\n"
        "        line.send(bytes(range(65)))\n"
        "        print(line.receive(5.0).hex())\n",
    )
    first, second = (bytes(range(more, more + 64)).hex() for more in (2, 3))
    assert told_by(program) == [first, second]


def a_silent_hid_device_is_told_and_asked_by_nobody_meanwhile(table: Table) -> None:
    before = Wires.of(table).other_export.asked
    program = hid_program(
        table,
        "with closing(bus.open(device, 'hid')) as line:\n"
        "    line.send(b'\\0\\xdd' + bytes(63))\n"
        "    print(said(lambda: line.receive(2.0)))\n",
    )
    assert told_by(program) == [f"Silent The device in port {OTHER} sent nothing in 2 s."]
    asked = Wires.of(table).other_export.asked - before
    assert asked <= 4, f"the device was asked {asked} times"


def a_report_that_the_device_refuses_is_garbled(table: Table) -> None:
    program = hid_program(
        table,
        "with closing(bus.open(device, 'hid')) as line:\n"
        "    print(said(lambda: line.send(b'\\0\\xff' + bytes(63))))\n",
    )
    assert told_by(program)[0].startswith("Garbled The wire to the device")


def a_hid_device_pulled_while_we_wait_is_unplugged(table: Table) -> None:
    wires = Wires.of(table)
    program = hid_program(
        table,
        "line = bus.open(device, 'hid')\n"
        "print('waiting', flush=True)\n"
        "print(said(lambda: line.receive(60.0)))\n"
        "line.close()\n",
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "waiting\n"
    wires.other_export.unplug()
    assert told_by(program) == [f"Unplugged The device in port {OTHER} was unplugged."]
    table.seen.until(lambda seen: seen.at(OTHER) is None)


# --- serial -----------------------------------------------------------------------------------


def nodes_of(device, kind: str) -> list[str]:
    return [node.path for node in device.nodes if node.kind == kind]


def two_serial_ports_of_one_device_are_each_its_own(table: Table) -> None:
    device = Wires.of(table).with_nodes()
    for path, name in zip(nodes_of(device, "tty"), (b"a", b"b"), strict=True):
        with closing(table.seen.bus.open(device, "serial", path)) as line:
            line.send(b"abc\n")
            assert until_newline(line) == name + b"cba\n"
            error = raised(Silent, lambda line=line: line.receive(0.5))
            assert error.waited == 0.5, error


def until_newline(line) -> bytes:
    said = b""
    while not said.endswith(b"\n"):
        said += line.receive(5.0)
    return said


def a_serial_port_is_ours_alone(table: Table) -> None:
    device = Wires.of(table).with_nodes()
    path = nodes_of(device, "tty")[0]
    with closing(table.seen.bus.open(device, "serial")):
        error = raised(NotPermitted, lambda: table.seen.bus.open(device, "serial"))
        assert error.sentence.startswith("Guest.py of root (process "), error
        other = ["python3", "-c", f"open({path!r}, 'rb')"]
        # The kernel lets root in all the same (TIOCEXCL, tty_ioctl(4)): another user is kept out.
        kept_out = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", *other], capture_output=True, text=True
        )
        assert kept_out.returncode != 0, kept_out


def a_serial_device_pulled_while_we_wait_is_unplugged(table: Table) -> None:
    wires = Wires.of(table)
    device = wires.with_nodes()
    with closing(table.seen.bus.open(device, "serial")) as line:
        line.send(b"wait 1\n")
        assert until_newline(line) == b"a1 tiaw\n"
        threading.Timer(1.0, wires.other_export.unplug).start()
        raised(Unplugged, lambda: line.receive(30.0))
    table.seen.until(lambda seen: seen.at(OTHER) is None)


WIRE_CHECKS = (
    a_reader_is_shown_as_a_device_with_its_card,
    it_is_joined_by_its_channel_and_by_nothing_that_its_name_quotes,
    plugging_a_reader_in_sends_its_card_nothing,
    a_card_answers_commands_through_pcscd,
    a_reader_of_short_commands_takes_no_long_one,
    a_card_that_works_for_ten_seconds_is_waited_for,
    a_touch_ends_the_wait_for_it,
    a_mute_card_is_a_wire_that_failed,
    a_card_pulled_in_a_transaction_is_unplugged,
    a_reader_pulled_in_mid_command_is_unplugged,
    reports_go_through_hidraw,
    a_silent_hid_device_is_told_and_asked_by_nobody_meanwhile,
    a_report_that_the_device_refuses_is_garbled,
    a_hid_device_pulled_while_we_wait_is_unplugged,
    two_serial_ports_of_one_device_are_each_its_own,
    a_serial_port_is_ours_alone,
    a_serial_device_pulled_while_we_wait_is_unplugged,
)
