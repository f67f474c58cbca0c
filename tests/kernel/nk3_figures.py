"""Runs inside the guest instead of the checks: a Nitrokey's image written by us and by others.

The rule: a fresh key for each write, found in its bootloader; each program is a process that
shares nothing with it but the kernel; a write counts where the key received every byte of it.
Each is told at once.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import socket_board
import usbip

from console.families.nitrokey3.simulator_faults import Times
from console.families.nitrokey3.simulator_key import Build, Mode, NitrokeyThree
from console.families.nitrokey3.simulator_rows import NK3A_MINI, NK3A_NFC, Version
from console.families.nitrokey3.simulator_sb2 import Root
from console.hardware.sightings import scan
from tests.families.nitrokey3 import made

PORT = "1-1"
LIMIT = 200.0
TIMES = 5
LINGERS = 1.5
"""As in the checks: the last answer is read before the tty is gone."""
SDK = Path(__file__).with_name("nk3_sdk.py")
IMAGE = random.Random(52).randbytes(64 * 1024)


def writer(deed: str, file: Path) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.nk3_writer", deed, PORT, str(file)]


def there() -> bool:
    nodes = [node for device in scan() for node in device.nodes]
    return any(node.kind in ("hidraw", "tty") and node.may_open for node in nodes)


def written(
    server: usbip.Server, build: Build, command: list[str], expected: bytes
) -> dict[str, object]:
    """Run the program on a fresh key; the seconds that it says, and whether all was received."""
    power = usbip.Power()
    key = NitrokeyThree(power.pause, build, time.monotonic)
    busid = f"7-{len(server.exports) + 1}"
    export = server.export(busid, key, power=power)
    export.lingers = LINGERS
    socket_board.plug(server, busid, 0)
    socket_board.wait_for(there, "the key")
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    export.unplug()
    socket_board.wait_for(lambda: not scan(), "the key being gone")
    words = done.stdout.split()
    return {
        "seconds": float(words[-1]) if words and done.returncode == 0 else None,
        "is_right": expected in (key.rom.received, key.dfu.received),
        "said": done.stderr[-400:],
    }


def builds() -> dict[str, Build]:
    """Each takes files of our own signer. The LPC55's flash takes no time: the wire is timed.

    The nRF52 is there with the time of its flash memory, which is the same for everybody and
    which nobody can do anything about, and without it.
    """
    x, y = made.point()
    uuid = bytes(range(16))
    at_once = Times(lpc55_rate=0.0, lpc55_erase=0.0)
    loader = Build(NK3A_NFC, uuid, Version(1, 5, 0), mode=Mode.BOOTLOADER, firmware=False)
    lpc55 = replace(loader, root=Root(made.rkth()), times=at_once)
    nrf52 = replace(loader, who=replace(NK3A_MINI, signer=f"{x:064x}{y:064x}"))
    wire = replace(nrf52, times=Times(nrf52_erase=0.0, nrf52_write=0.0, nrf52_final=0.0))
    return {"lpc55": lpc55, "nrf52": nrf52, "nrf52 wire": wire}


def main(results: Path, _word: str = "") -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    socket_board.load()
    server = usbip.Server()
    with tempfile.TemporaryDirectory() as name, results.open("a") as told:
        sb2, package = Path(name) / "image.sb2", Path(name) / "image.zip"
        sb2.write_bytes(made.sb2_file(payload=IMAGE))
        package.write_bytes(made.nrf_package(IMAGE))
        sdk = [os.environ["REPLUG_ORACLES_HOSTS"], str(SDK), "write", str(package)]
        jobs = [
            (chip, who, command)
            for chip in ("nrf52", "nrf52 wire")
            for who, command in ((chip, writer("nrf52", package)), (f"{chip} by sdk", sdk)) * TIMES
        ]
        jobs += [("lpc55", who, writer(who, sb2)) for who in ("lpc55", "bare") * TIMES]
        build, expected = builds(), {"lpc55": sb2.read_bytes(), "nrf52": IMAGE, "nrf52 wire": IMAGE}
        for chip, who, command in jobs:
            found = written(server, build[chip], command, expected[chip])
            print(json.dumps({"chip": chip, "who": who, **found}), file=told, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "results.jsonl", *sys.argv[2:])
