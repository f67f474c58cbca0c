"""A Nitrokey 3 through a real kernel: its two identities, our flows on it, other people's hosts.

The rule: every host is a process that shares nothing with the simulated key but the kernel; what
it claims is compared with what the key received. Each key is asked for a touch by nobody but its
own light, and is touched a second later.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import socket_board
import usbip
from core_checks import STATE, replug
from socket_board import wait_for
from table import Table
from wire_checks import Wires

from console.families.nitrokey3.simulator_faults import Times
from console.families.nitrokey3.simulator_key import Build, NitrokeyThree
from console.families.nitrokey3.simulator_rows import NK3A_MINI, NK3A_NFC, Personality, Version
from console.families.nitrokey3.simulator_sb2 import Root
from tests.families.nitrokey3 import made

UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
FIRMWARE, LPC55_LOADER, NRF52_LOADER = "42b2", "42dd", "42e8"
TOUCHED_AFTER = 0.5
LONGEST = 120.0
"""Seconds that a run may take in an emulated machine."""
AT_ONCE = Times(lpc55_rate=0.0, lpc55_erase=0.0, nrf52_erase=0.0, nrf52_write=0.0)
"""A key whose flash takes no time: what is waited for is the wire."""
LINGERS = 1.5
"""Seconds between its last answer and its reset, in which a host of a slow machine reads that."""
OLD, NEW = Version(1, 5, 0), Version(1, 9, 0)
CONTENTS = bytes(range(256)) * 64
"""What is written here is short: a real release takes minutes through an emulated machine."""


@cache
def files() -> dict[str, bytes]:
    """An image of our own signer for each chip."""
    version = (NEW.major, NEW.minor, NEW.patch)
    return {
        "lpc55": made.sb2_file(version=version, payload=CONTENTS),
        "nrf52": made.nrf_package(CONTENTS, version=version),
    }


@cache
def container() -> Path:
    path = Path(STATE) / "release.zip"
    path.write_bytes(made.release(version=f"v{NEW}", **files()))
    return path


class Key:
    """One simulated key in one port, plugged in again wherever it has left by itself."""

    made: ClassVar[dict[str, Key]] = {}

    def __init__(self, table: Table, socket: int, build: Build) -> None:
        self.table = table
        self.socket = socket
        self.port = f"1-{socket + 1}"
        self.busid = f"7-{len(table.server.exports) + 1}"
        self.power = usbip.Power()
        self.asked_at: float | None = None
        self.simulated = NitrokeyThree(self.pause, build, time.monotonic)
        self.export = table.server.export(
            self.busid, self.simulated, back=self.plug, power=self.power
        )
        self.export.lingers = LINGERS

    def pause(self, seconds: float) -> None:
        """Its own time; while it waits for a touch, somebody comes."""
        self.power.pause(seconds)
        if not self.simulated.presence.busy:
            self.asked_at = None
            return
        self.asked_at = self.asked_at or time.monotonic()
        if time.monotonic() - self.asked_at >= TOUCHED_AFTER:
            self.simulated.press("touch")

    def plug(self) -> None:
        socket_board.plug(self.table.server, self.busid, self.socket)

    def pull(self) -> None:
        self.export.unplug()
        self.table.seen.until(lambda seen: seen.at(self.port) is None)

    def until(self, pid: str, *kinds: str):
        """The device, once the kernel has it under that id, and nodes of those kinds for us."""

        def there(seen) -> bool:
            device = seen.at(self.port)
            open_to_us = {node.kind for node in device.nodes if node.may_open} if device else set()
            return bool(device and device.pid == pid and open_to_us >= set(kinds))

        self.table.seen.until(there)
        return self.table.seen.at(self.port)

    def faces(self, count: int) -> list[tuple[str, str]]:
        """The ids and speeds under which the kernel had it, from what is known now on."""
        found: list[tuple[str, str]] = []

        def enough(seen) -> bool:
            device = seen.at(self.port)
            face = (device.pid, device.speed) if device else None
            if face and found[-1:] != [face]:
                found.append(face)
            return len(found) >= count

        self.table.seen.until(enough)
        return found


def lpc55(table: Table) -> Key:
    return _key(table, "lpc55", 5, NK3A_NFC)


def nrf52(table: Table) -> Key:
    x, y = made.point()
    return _key(table, "nrf52", 6, replace(NK3A_MINI, signer=f"{x:064x}{y:064x}"))


def _key(table: Table, name: str, socket: int, who: Personality) -> Key:
    """The key of that chip that takes our files, plugged in with its firmware if it was not."""
    Wires.of(table)
    if name not in Key.made:
        build = Build(who, UUID, OLD, times=AT_ONCE, root=Root(made.rkth()))
        Key.made[name] = Key(table, socket, build)
    key = Key.made[name]
    if key.export.connection is None:
        key.plug()
    key.until(FIRMWARE, "hidraw", "card")
    return key


@cache
def bench() -> None:
    """It is started: an emulated machine may take longer than a person would wait for it."""
    wait_for(lambda: replug("devices").returncode == 0, "the bench")


def run(flow: str, port: str, *words: str) -> dict:
    """The last event of a run."""
    bench()
    done = replug("run", flow, port, "--yes", "--json", *words)
    assert done.stdout, done
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "RunEnded", (last, done.stderr)
    return last


def flash(key: Key, last_four: str, loader: str) -> dict:
    """Our flash as it is started on a bench that is a guest, as this one is."""
    answers = {
        "image": container(),
        "confirm_signer": "unofficial",
        "confirm_guest": f"20a0:{loader}",
        "confirm_write": last_four,
    }
    words = [word for name, told in answers.items() for word in ("--answer", f"{name}={told}")]
    return run("nitrokey3.flash", key.port, *words)


# --- other people's hosts ---------------------------------------------------------------------


def alone(key: Key) -> None:
    """Every other key is pulled: these hosts take whichever they find."""
    for other in Key.made.values():
        if other is not key and other.export.connection is not None:
            other.pull()


def python_of(oracle: str) -> Path:
    place = Path(os.environ.get(oracle) or "/nowhere")
    assert place.exists(), f"no environment {oracle} here: tests/run makes it"
    return place


def sdk(*words: str) -> dict:
    """What the vendor's SDK says that it saw and did."""
    command = [python_of("REPLUG_ORACLES_HOSTS"), Path(__file__).with_name("nk3_sdk.py"), *words]
    return json.loads(told_by([str(word) for word in command]))


def blhost(*words: str) -> str:
    """What NXP's own host says, looking for the bootloader by its ids."""
    tool = python_of("REPLUG_ORACLES_NXP").with_name("blhost")
    return told_by([str(tool), "-u", f"0x20a0,0x{LPC55_LOADER}", "--", *words])


def told_by(command: list[str]) -> str:
    # SPSDK keeps a cache in its home, which is the machine's own here.
    home = {**os.environ, "HOME": STATE}
    home.pop("PYTHONPATH", None)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        stdin=subprocess.DEVNULL,
        env=home,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def the_vendors_sdk_takes_a_nk3_to_its_bootloader_and_blhost_asks_that(table: Table) -> None:
    key = lpc55(table)
    alone(key)
    told = sdk("loader")
    assert (told["before"]["uuid"], told["before"]["variant"]) == (UUID.hex().upper(), "LPC55")
    assert told["before"]["path"].startswith("/dev/hidraw"), told
    assert told["uuid"] == UUID.hex().upper(), told
    key.until(LPC55_LOADER, "hidraw")
    said = blhost("get-property", "18").lower()
    assert all(f"0x{word:x}" in said for word in struct.unpack("<4I", UUID)), said
    blhost("reset")
    key.until(FIRMWARE, "hidraw", "card")


def the_vendors_sdk_updates_a_nk3_with_an_nrf52(table: Table) -> None:
    key = nrf52(table)
    alone(key)
    image = CONTENTS[::-1]
    package = Path(STATE) / "package.zip"
    package.write_bytes(made.nrf_package(image, version=(1, 9, 1)))
    told = sdk("update", str(package))
    assert told["version"].lstrip("v").startswith("1.9.1"), told
    assert key.simulated.dfu.received == image


# --- our own flows ----------------------------------------------------------------------------


def a_nk3_is_a_hid_node_and_a_reader_and_says_how_it_is(table: Table) -> None:
    key = lpc55(table)
    device = table.seen.at(key.port)
    kinds = sorted(node.kind for node in device.nodes)
    assert (kinds, len(device.cards)) == (["card", "hidraw", "usb"], 1), device
    last = run("nitrokey3.check", key.port)
    assert last["verdict"] == "no fault found", last
    assert "v1.5.0" in last["sentence"], last


def a_nk3_with_an_lpc55_changes_its_identity_and_is_flashed(table: Table) -> None:
    key = lpc55(table)
    last = flash(key, UUID.hex().upper()[-4:], LPC55_LOADER)
    assert last["verdict"] == "repaired", last
    expected = [(FIRMWARE, "full"), (LPC55_LOADER, "high"), (FIRMWARE, "full")]
    assert key.faces(3) == expected
    assert key.simulated.rom.received == files()["lpc55"]
    assert key.simulated.version == NEW


def a_nk3_with_an_nrf52_changes_its_identity_and_is_flashed(table: Table) -> None:
    key = nrf52(table)
    last = flash(key, UUID.hex().upper()[-4:], NRF52_LOADER)
    assert last["verdict"] == "repaired", last
    expected = [(FIRMWARE, "full"), (NRF52_LOADER, "full"), (FIRMWARE, "full")]
    assert key.faces(3) == expected
    assert key.simulated.dfu.received == CONTENTS
    assert key.simulated.version == NEW


NK3_CHECKS: tuple[Callable[[Table], None], ...] = (
    a_nk3_is_a_hid_node_and_a_reader_and_says_how_it_is,
    a_nk3_with_an_lpc55_changes_its_identity_and_is_flashed,
    a_nk3_with_an_nrf52_changes_its_identity_and_is_flashed,
    the_vendors_sdk_takes_a_nk3_to_its_bootloader_and_blhost_asks_that,
    the_vendors_sdk_updates_a_nk3_with_an_nrf52,
)
