"""What the kernel wrote about a port: its own log, as far as this user may read it.

The rule: reads only, and never waits. Which lines count is decided by pure functions, so any
machine's log can be a test; only lines about the port, and only of its last plug-in.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.hardware.sightings import printable

KMSG = Path("/dev/kmsg")
LARGEST_RECORD = 8192
PATIENCE = 10.0
"""Seconds after which a log program that does not end is left alone."""
PROGRAMS = (
    ("journalctl", "--dmesg", "--quiet", "--no-pager", "--output=cat", "--lines=5000"),
    ("dmesg", "--notime"),
)
LAST = 20
"""Lines about a port that are worth keeping."""
FAULT = re.compile(
    r"error -(71|110|32|62|84)\b|unable to enumerate|over-?current|disabled by hub"
    r"|not accepting address|cannot enable|device not responding",
    re.IGNORECASE,  # "Cannot enable" (hub.c), "Device not responding to setup address" (xhci.c)
)
NAMES = re.compile(r": (Product|Manufacturer|SerialNumber): ")
"""Lines that hold what a device says of itself: its own words tell of no fault."""
IDENTITY = re.compile(rf"{NAMES.pattern}|: New USB device found, ")
ARRIVES, LEAVES, GIVEN_UP = ": new ", "USB disconnect", "unable to enumerate"


@dataclass(frozen=True)
class KernelLog:
    """Lines about one port; `trouble` says why there can be none."""

    lines: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def nameless(self) -> tuple[str, ...]:
        """The lines of the USB core that say nothing of who came: no name, no serial, no ids.

        A driver's lines are left out: some repeat the name (hid-input: "NAME as /devices/...").
        """
        return tuple(
            line
            for line in self.lines
            if _is_fault(line) or (line.startswith("usb ") and not IDENTITY.search(line))
        )

    @property
    def faults(self) -> tuple[str, ...]:
        """The lines that tell of a fault on the wire."""
        return tuple(line for line in self.lines if _is_fault(line))


def _is_fault(line: str) -> bool:
    return bool(FAULT.search(line)) and not NAMES.search(line)


def about(port: str, lines: Iterable[str]) -> tuple[str, ...]:
    """The lines that name the port, those of the last plug-in there, the last few.

    Without a port: those that tell of a fault on any.
    """
    if not port:
        return tuple(printable(line.strip()) for line in lines if _is_fault(line))[-LAST:]
    named = re.compile(rf"(?<![\w.-])({re.escape(port)}|{re.escape(_seen_by_hub(port))})(?![\w.-])")
    found = [printable(line.strip()) for line in lines if named.search(line)]
    return tuple(found[_last_plug_in(found) :][-LAST:])


def _last_plug_in(lines: list[str]) -> int:
    """Where the last plug-in begins; at the last disconnect if nothing came since.

    Each try of one plug-in is an arrival of its own to the kernel (hub_port_connect of hub.c): a
    plug-in is over with the disconnect, or once the kernel has given up.
    """
    begins, over = 0, True
    for at, line in enumerate(lines):
        if NAMES.search(line):
            continue
        left = LEAVES in line
        if left or (over and ARRIVES in line):
            begins = at
        over = left or GIVEN_UP in line or (over and ARRIVES not in line)
    return begins


def _seen_by_hub(port: str) -> str:
    """The port as its hub calls it: 1-1.4 is 1-1-port4, 1-4 is usb1-port4."""
    above, dot, number = port.rpartition(".")
    if dot:
        return f"{above}-port{number}"
    bus, _, number = port.partition("-")
    return f"usb{bus}-port{number}"


def kernel_log(port: str) -> KernelLog:
    """What the kernel wrote about the port (of faults on any if ""), as far as this user may read.

    The first source that can be read is taken.
    """
    lines = _kmsg()
    for program in PROGRAMS:
        lines = lines or _told_by(program)
    if not lines:
        return KernelLog(trouble="This user may not read the kernel's log (group adm may).")
    return KernelLog(about(port, lines))


def _kmsg(path: Path = KMSG) -> list[str]:
    found: list[str] = []
    with suppress(OSError):  # BlockingIOError at its end
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            _read_records(descriptor, found)
        finally:
            os.close(descriptor)
    return found


def _read_records(descriptor: int, found: list[str]) -> None:
    while True:
        try:
            record = os.read(descriptor, LARGEST_RECORD)
        except BrokenPipeError:
            continue  # it was overwritten before it was read
        if not record:
            return
        head = record.decode("utf-8", "replace").partition("\n")[0]
        found.append(head.partition(";")[2])


def _told_by(program: tuple[str, ...]) -> list[str]:
    try:
        done = subprocess.run(program, capture_output=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.decode("utf-8", "replace").splitlines()
