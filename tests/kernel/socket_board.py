"""The guest's side of a virtual socket board: numbered USB ports one can plug devices into.

The rule: port N of the board is always port path 1-(N+1), so that a check can say where it
plugs something in (the usbip tool takes whatever port is free).
"""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import usbip

VHCI = Path("/sys/devices/platform/vhci_hcd.0")
FREE = "004"
LIMIT = 60.0


def load() -> None:
    """A machine without USB becomes one with an empty USB bus."""
    subprocess.run(["modprobe", "vhci_hcd"], check=True)
    wait_for(lambda: (VHCI / "attach").exists(), "the virtual host controller")


def wait_for(done, what: str, limit: float = LIMIT) -> None:
    """For what the kernel tells nobody about; everything else is waited for by notices."""
    until = time.monotonic() + limit
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not come within {limit:g} s")
        threading.Event().wait(0.02)


def free(number: int) -> bool:
    for line in (VHCI / "status").read_text().splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[0] == "hs" and int(fields[1]) == number:
            return fields[2] == FREE
    return False


def plug(server: usbip.Server, busid: str, number: int) -> None:
    """Put an exported device into port `number`: import it, hand the wire to the kernel."""
    wait_for(lambda: free(number), f"port {number} being free")
    export = server.exports[busid]
    wait_for(lambda: export.connection is None, f"{busid} being unplugged")
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.sendall(usbip.OPERATION.pack(usbip.VERSION, usbip.REQ_IMPORT, 0))
        wire.sendall(struct.pack("32s", busid.encode()))
        answer = wire.recv(usbip.OPERATION.size, socket.MSG_WAITALL)
        if usbip.OPERATION.unpack(answer)[2] != 0:
            raise ConnectionError(f"{busid} cannot be imported")
        wire.recv(usbip.FACTS.size, socket.MSG_WAITALL)
        command = f"{number} {wire.fileno()} {1 << 16 | export.number} {export.speed}"
        (VHCI / "attach").write_text(command)
