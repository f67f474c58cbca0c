"""Runs inside the guest instead of the checks: the same writes by us and by dfu-util, counted.

The rule: a fresh unit for each write, and each program is a process that shares nothing with
the simulated device but the kernel's USB. Each write is told at once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import socket_board
import usbip

from console.hardware.sightings import scan
from tests.benchmarks.transfers import JOBS, CountedCore, contents, tally

PORT = "1-1"
LIMIT = 120.0


def ours(number: int, _file: str) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.writer", PORT, str(number)]


def peer(number: int, file: str) -> list[str]:
    job = JOBS[number]
    place = ["-a", str(job.alternate), "-s", f"0x{job.address:x}"]
    return ["dfu-util", "-p", PORT, *place, "-D", file]


def there() -> bool:
    return any(node.may_open for device in scan() for node in device.nodes)


def counted(server: usbip.Server, command: list[str], number: int) -> dict[str, object]:
    """Run the program on a fresh unit; what that cost."""
    core = CountedCore(time.sleep)
    busid = f"7-{len(server.exports) + 1}"
    export = server.export(busid, core)
    socket_board.plug(server, busid, 0)
    socket_board.wait_for(there, "the unit")
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    # A unit that was not left is no success to dfu-util's exit code; the memory judges.
    told = tally(core, JOBS[number]).fields()
    export.unplug()
    socket_board.wait_for(lambda: not scan(), "the unit being gone")
    return {**told, "code": done.returncode, "said": (done.stdout + done.stderr)[-400:]}


def main(results: Path, _word: str = "") -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    socket_board.load()
    server = usbip.Server()
    with tempfile.NamedTemporaryFile() as file, results.open("a") as told:
        Path(file.name).write_bytes(contents())
        for number in range(len(JOBS)):
            for who in (ours, peer):
                found = counted(server, who(number, file.name), number)
                outcome = {"job": number, "who": who.__name__, **found}
                print(json.dumps(outcome), file=told, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "results.jsonl", *sys.argv[2:])
