"""Looking, watching, opening and locking, against a real kernel's USB stack.

The rule: each check is one function whose name is a sentence. They run in order, in one guest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import socket_board
import tiny
from table import LIMIT, Table, raised

from console.errors import NotPermitted, Refused, Silent, Unplugged
from console.hardware import rights

READ, WRITE = 0xC0, 0x40
RULES = Path("/run/udev/rules.d")

# --- the bus ----------------------------------------------------------------------------------


def a_machine_without_usb_says_so_until_a_bus_comes(table: Table) -> None:
    assert table.seen.state.startswith("This machine has no USB"), table.seen.state
    socket_board.load()
    table.seen.until(lambda seen: seen.state == "")
    assert table.seen.devices == (), table.seen.devices


def the_usbip_tool_lists_and_attaches_what_we_export(table: Table) -> None:
    tool = ["usbip", "--tcp-port", str(table.server.port)]
    listed = subprocess.run([*tool, "list", "-r", "127.0.0.1"], capture_output=True, text=True)
    assert "1209:0001" in listed.stdout, listed
    subprocess.run([*tool, "attach", "-r", "127.0.0.1", "-b", "7-1"], check=True)
    table.seen.until(lambda seen: bool(seen.devices))


def a_device_is_told_with_all_the_kernel_knows(table: Table) -> None:
    device = table.plugged()
    table.seen.until(lambda seen: all(node.may_open for node in seen.devices[0].nodes))
    device = table.seen.devices[0]
    facts = (device.port, device.vid, device.pid, device.serial, device.product, device.speed)
    assert facts == ("1-1", "1209", "0001", "TINY-1", "Tiny", "full"), device
    assert device.maker == "Replug\N{REPLACEMENT CHARACTER}[2Jtests", device
    assert device.interfaces == ("ff0000",), device
    assert [(node.kind, Path(node.path).exists()) for node in device.nodes] == [("usb", True)]


def plugging_in_sends_nothing_of_ours(table: Table) -> None:
    table.unplug()
    table.export.control.clear()
    table.plugged()
    # What the kernel itself asks on enumeration is standard; ours would be class or vendor.
    assert table.export.control, "the kernel asked nothing?"
    assert all(setup.request_type & 0x60 == 0 for setup in table.export.control)


def an_idle_bus_wakes_nobody(table: Table) -> None:
    table.plugged()
    while not table.seen.quiet(1.0):
        pass
    before = wakes()
    assert table.seen.quiet(3.0)
    assert wakes() - before <= 1, f"{wakes() - before} wakes in 3 s"


def wakes() -> int:
    """How often the watching thread has been woken."""
    # A thread's name is not the kernel's here: it is the only one that waits in poll().
    waiting = [
        task for task in Path("/proc/self/task").iterdir() if "poll" in (task / "wchan").read_text()
    ]
    assert len(waiting) == 1, waiting
    status = (waiting[0] / "status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def leaving_and_coming_back_is_another_visit(table: Table) -> None:
    first = table.plugged()
    table.unplug()
    second = table.plugged()
    assert first.visit != second.visit, first
    error = raised(Unplugged, lambda: table.seen.bus.open_control(first))
    assert "1-1" in error.sentence, error


# --- the line ---------------------------------------------------------------------------------


def bytes_go_out_and_come_back(table: Table) -> None:
    line = table.seen.bus.open_control(table.plugged())
    line.select(0, 1)
    sent = bytes(range(256)) * 8
    line.write(WRITE, tiny.MEMORY, 0, 0, sent, 5.0)
    assert line.read(READ, tiny.MEMORY, 0, 0, 4096, 5.0) == sent
    line.close()


def a_stall_is_a_refusal(table: Table) -> None:
    line = table.seen.bus.open_control(table.plugged())
    error = raised(Refused, lambda: line.read(READ, tiny.STALL, 0, 0, 8, 5.0))
    assert error.code == "stall", error
    line.close()


def no_answer_is_silence_and_the_line_lives_on(table: Table) -> None:
    line = table.seen.bus.open_control(table.plugged())
    line.write(WRITE, tiny.MEMORY, 0, 0, b"kept", 5.0)
    error = raised(Silent, lambda: line.read(READ, tiny.HANG, 0, 0, 8, 0.5))
    assert error.waited == 0.5, error
    assert line.read(READ, tiny.MEMORY, 0, 0, 8, 5.0) == b"kept"
    line.close()


def a_second_opener_is_told_who_holds_the_device(table: Table) -> None:
    device = table.plugged()
    line = table.seen.bus.open_control(device)
    error = raised(NotPermitted, lambda: table.seen.bus.open_control(device))
    assert error.sentence.startswith("Guest.py of root (process "), error
    line.close()
    table.seen.bus.open_control(device).close()


def a_pull_in_mid_transfer_is_unplugged(table: Table) -> None:
    line = table.seen.bus.open_control(table.plugged())
    raised(Unplugged, lambda: line.read(READ, tiny.LEAVE, 0, 0, 8, 20.0))
    raised(Unplugged, lambda: line.read(READ, tiny.MEMORY, 0, 0, 8, 5.0))
    line.close()
    table.seen.until(lambda seen: seen.at("1-1") is None)


def a_device_that_restarts_itself_comes_back_as_another_visit(table: Table) -> None:
    device = table.plugged()
    line = table.seen.bus.open_control(device)
    line.write(WRITE, tiny.RESTART, 0, 0, b"", 5.0)
    table.seen.until(lambda seen: (now := seen.at("1-1")) and now.visit != device.visit)
    raised(Unplugged, lambda: line.read(READ, tiny.MEMORY, 0, 0, 8, 5.0))
    line.close()


# --- rights -----------------------------------------------------------------------------------

# A home folder may be closed to others, so everything is imported before the rights are dropped.
NOBODY = (
    "import os, queue\n"
    "import usb.backend.libusb0, usb.backend.libusb1, usb.backend.openusb\n"
    "from console.errors import NotPermitted\n"
    "from console.hardware.machine import MachineBus\n"
    "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
)


def as_nobody(program: str) -> str:
    command = [sys.executable, "-c", NOBODY + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_the_right_the_command_that_gives_it_is_named(table: Table) -> None:
    table.plugged()
    told = as_nobody(
        "bus = MachineBus(); device = bus.scan()[0]\n"
        "print(device.nodes[0].may_open, device.nodes[0].why)\n"
        "try: bus.open_control(device)\n"
        "except NotPermitted as error: print(error.sentence, error.advice)\n"
    )
    assert told.startswith("False This user may not read and write /dev/bus/usb/"), told
    assert "replug udev | sudo tee /etc/udev/rules.d/" in told, told


def the_rules_that_are_printed_open_what_they_name(table: Table) -> None:
    table.unplug()
    told = RULES / Path(rights.FILE).name
    told.parent.mkdir(parents=True, exist_ok=True)
    told.write_text(rights.rules({"1209:0001": "a device of these checks"}))
    subprocess.run(["udevadm", "control", "--reload"], check=True)
    node = Path(table.plugged().nodes[0].path)
    subprocess.run(["udevadm", "settle"], check=True)
    seen = node.stat()
    told.unlink()
    subprocess.run(["udevadm", "control", "--reload"], check=True)
    assert (node.group(), oct(seen.st_mode & 0o777)) == (rights.USB_GROUP, "0o660"), seen
    asked = ["udevadm", "info", "--query=property", f"--name={node}"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "ID_MM_DEVICE_IGNORE=1" in said, said
    assert ":uaccess:" in said, said


def two_logins_at_one_device_are_told_of_each_other(table: Table) -> None:
    device = table.plugged()
    Path(device.nodes[0].path).chmod(0o666)
    line = table.seen.bus.open_control(device)
    told = as_nobody(
        "bus = MachineBus()\n"
        "try: bus.open_control(bus.scan()[0])\n"
        "except NotPermitted as error: print(error.sentence)\n"
    )
    assert told.startswith("Guest.py of root (process "), told
    line.close()
    program = (
        "bus = MachineBus(); line = bus.open_control(bus.scan()[0])\n"
        "print('open', flush=True); input()\n"
    )
    command = [sys.executable, "-c", NOBODY + program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        error = raised(NotPermitted, lambda: table.seen.bus.open_control(device))
        assert error.sentence.endswith(
            f" of nobody (process {other.pid}) is working on this device."
        )
        other.communicate("\n", timeout=LIMIT)
    table.seen.bus.open_control(device).close()


def rights_that_come_late_are_told(table: Table) -> None:
    table.unplug()
    program = (
        "told = queue.Queue(); MachineBus().watch(lambda *seen: told.put(seen))\n"
        "while True:\n"
        "    devices, state = told.get(timeout=60)\n"
        "    rights = [node.may_open for device in devices for node in device.nodes]\n"
        "    print(rights, flush=True)\n"
        "    if rights == [True]: break\n"
    )
    command = [sys.executable, "-c", NOBODY + program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "[]\n"
        device = table.plugged()
        assert watcher.stdout.readline() == "[False]\n"
        # A change of rights by hand raises no event: only the looks after an arrival see it.
        Path(device.nodes[0].path).chmod(0o666)
        assert watcher.stdout.readline() == "[True]\n"


BUS_CHECKS = (
    a_machine_without_usb_says_so_until_a_bus_comes,
    the_usbip_tool_lists_and_attaches_what_we_export,
    a_device_is_told_with_all_the_kernel_knows,
    plugging_in_sends_nothing_of_ours,
    an_idle_bus_wakes_nobody,
    leaving_and_coming_back_is_another_visit,
    bytes_go_out_and_come_back,
    a_stall_is_a_refusal,
    no_answer_is_silence_and_the_line_lives_on,
    a_second_opener_is_told_who_holds_the_device,
    a_pull_in_mid_transfer_is_unplugged,
    a_device_that_restarts_itself_comes_back_as_another_visit,
    without_the_right_the_command_that_gives_it_is_named,
    the_rules_that_are_printed_open_what_they_name,
    two_logins_at_one_device_are_told_of_each_other,
    rights_that_come_late_are_told,
)
