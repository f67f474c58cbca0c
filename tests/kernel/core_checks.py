"""The repair of a Spark Core as a technician starts it, through a real kernel, and as it is pulled.

The rule: the command line alone is used, in processes of its own; what it claims is compared
with the simulated memory and with what dfu-util, a host of other people, reads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import usbip
from cryptography.hazmat.primitives.serialization import load_der_private_key
from socket_board import wait_for
from table import DEVICE_ID, Table

from console.families.particle.simulator import Mode
from console.families.particle.simulator_contents import core_serial
from console.hardware.sightings import visit_at

PORT = "1-2"
PIDS = {Mode.APPLICATION: "607d", Mode.DFU: "607f"}
SLOT, SLOT_SIZE = 0x2000, 1024
REPLUG = str(Path(sys.executable).with_name("replug"))
STATE = tempfile.mkdtemp(prefix="replug-guest-")
LIMIT = 120.0


def replug(*words: str) -> subprocess.CompletedProcess[str]:
    command = [REPLUG, "--state", STATE, *words]
    done = _ended(command)
    # In an emulated machine a bench may take longer to begin than a person would wait.
    while "does not answer" in done.stderr:
        done = _ended(command)
    return done


def _ended(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL
    )


def rekey() -> tuple[int, dict]:
    """The exit code of a re-keying and its last event."""
    done = replug(
        "run", "particle.rekey", PORT, "--yes", "--json", "--answer", "device_id=" + DEVICE_ID
    )
    assert done.stdout, done
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "RunEnded", (last, done.stderr)
    return done.returncode, last


def in_mode(table: Table, mode: Mode) -> None:
    """The Core is in its port in that mode, brought there by its buttons if need be."""
    wait_for(lambda: not in_transit(table), "the Core")
    if table.core.away is not None:
        table.plug_core()
    if table.core.mode is not mode:
        table.core_export.press("dfu" if mode is Mode.DFU else "reset")
    wait_for(lambda: pid_here(table) == PIDS[mode] and not in_transit(table), mode)
    here = visit_at(PORT)
    table.seen.until(lambda seen: (now := seen.at(PORT)) is not None and now.visit == here)


def in_transit(table: Table) -> bool:
    """On its way back by itself."""
    return table.core.away is not None and table.core.away.seconds is not None


def pid_here(table: Table) -> str:
    return next((device.pid for device in table.seen.bus.scan() if device.port == PORT), "")


def slot(table: Table) -> bytes:
    return table.core.memories.external.read(SLOT, SLOT_SIZE)


def assert_key(raw: bytes) -> None:
    """It begins with an RSA private key in PKCS#1 (RFC 8017, A.1.2), and blank follows."""
    assert raw[:2] == b"\x30\x82", raw[:16]
    size = 4 + int.from_bytes(raw[2:4], "big")
    assert raw[4:8] == b"\x02\x01\x00\x02", raw[:16]
    assert load_der_private_key(raw[:size], None).key_size == 1024
    assert set(raw[size:]) == {0xFF}, raw[size:]


def a_core_is_listed_by_its_port(table: Table) -> None:
    table.plug_core()
    in_mode(table, Mode.DFU)
    done = replug("devices", "--json")
    assert done.returncode == 0, done
    (core,) = [device for device in json.loads(done.stdout) if device["port"] == PORT]
    facts = (core["vid"], core["pid"], core["serial"], core["mode"])
    assert facts == ("1d50", "607f", core_serial(DEVICE_ID), "dfu"), core
    assert core["nodes"][0]["may_open"], core


def a_core_is_given_a_new_key(table: Table) -> None:
    in_mode(table, Mode.DFU)
    before = slot(table)
    code, last = rekey()
    assert (code, last["verdict"]) == (0, "repaired"), last
    assert slot(table) != before
    assert_key(slot(table))


def its_firmware_is_told_with_its_serial_port(table: Table) -> None:
    in_mode(table, Mode.APPLICATION)
    table.seen.until(lambda seen: "tty" in {node.kind for node in seen.at(PORT).nodes})
    device = table.seen.at(PORT)
    assert device.driver == "cdc_acm", device
    assert [Path(node.path).is_char_device() for node in device.nodes] == [True, True], device


def dfu_util_reads_what_our_run_wrote(table: Table) -> None:
    in_mode(table, Mode.DFU)
    listed = subprocess.run(["dfu-util", "-l"], capture_output=True, text=True, timeout=LIMIT)
    assert f'serial="{core_serial(DEVICE_ID)}"' in listed.stdout, listed
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "slot"
        place = f"0x{SLOT:x}:{SLOT_SIZE}"
        command = ["dfu-util", "-p", PORT, "-a", "1", "-s", place, "-U", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0, done
        assert file.read_bytes() == slot(table)


def pulled_in_mid_write_it_is_unfinished_and_the_next_run_repairs_it(table: Table) -> None:
    in_mode(table, Mode.DFU)
    table.core_export.pull = carries_data
    code, last = rekey()
    assert (code, last["verdict"]) == (1, "unfinished"), last
    table.core_export.pull = None
    assert set(slot(table)) == {0xFF}, slot(table)[:16]
    table.seen.until(lambda seen: seen.at(PORT) is None)
    in_mode(table, Mode.APPLICATION)
    in_mode(table, Mode.DFU)
    code, last = rekey()
    assert (code, last["verdict"]) == (0, "repaired"), last
    assert_key(slot(table))


def carries_data(transfer: usbip.Transfer) -> bool:
    """DNLOAD with wValue 2 or more carries data; 0 is a command (DfuSe 1.1a)."""
    setup = transfer.request
    return (setup.request_type, setup.request) == (0x21, 1) and setup.value >= 2


CORE_CHECKS = (
    a_core_is_listed_by_its_port,
    a_core_is_given_a_new_key,
    its_firmware_is_told_with_its_serial_port,
    dfu_util_reads_what_our_run_wrote,
    pulled_in_mid_write_it_is_unfinished_and_the_next_run_repairs_it,
)
