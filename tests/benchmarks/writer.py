"""Our write over the kernel's own USB, as a process of its own: writer.py PORT JOB

The rule: nothing of a bench is around it, as nothing is around the peer.
"""

from __future__ import annotations

import sys

from console.clock import MachineClock
from console.hardware.control import UsbControl
from console.hardware.sightings import scan
from tests.benchmarks.transfers import JOBS, write


def main(port: str, job: str) -> None:
    clock = MachineClock()
    device = next(device for device in scan() if device.port == port)
    line = UsbControl(device, clock)
    try:
        write(line, clock.pause, JOBS[int(job)])
    finally:
        line.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
