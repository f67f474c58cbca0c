"""Our write of a Nitrokey's image as a process of its own: nk3_writer.py lpc55|bare|nrf52 PORT FILE

The rule: "bare" is what no client can do without: the same reports in a loop of hidapi's own
write. Ours goes through all that a run puts around a line. It prints the seconds that it took.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hidraw

from console.clock import MachineClock
from console.events import Device
from console.families.nitrokey3 import container
from console.families.nitrokey3.mboot import DATA_OUT, Mboot, report
from console.families.nitrokey3.nrfdfu import SecureDfu
from console.families.nitrokey3.rate import Rate
from console.hardware.hid import Hidraw
from console.hardware.lines import Line, Stoppable, Traced
from console.hardware.serial import SerialPort
from console.hardware.sightings import scan
from console.run import Pace
from console.trace import Trace

PIECE = 56
USUAL = 50_000.0


def node(port: str, kind: str) -> tuple[Device, str]:
    device = next(device for device in scan() if device.port == port)
    return device, next(node.path for node in device.nodes if node.kind == kind)


class Watched:
    """What a run does with each word of progress, but for the telling, ten times a second."""

    def __init__(self) -> None:
        self._pace, self._rate = Pace(), Rate(USUAL)

    def __call__(self, done: int, total: int) -> None:
        self._pace.lets(time.monotonic(), "Writing the image", done, total)
        self._rate.slow(time.monotonic(), done)


@contextmanager
def worn(line: Line) -> Iterator[Stoppable]:
    """The line as a guide hands it out, its trace in a file."""
    clock = MachineClock()
    with tempfile.TemporaryDirectory() as folder:
        trace = Trace(Path(folder) / "trace")
        traced = Traced(line, lambda words: trace.add(clock.monotonic(), words), clock.monotonic)
        try:
            yield Stoppable(traced, lambda: False)
        finally:
            line.close()
            trace.close()


def lpc55(port: str, data: bytes) -> float:
    with worn(Hidraw(*node(port, "hidraw"))) as line:
        loader = Mboot(line, time.sleep)
        loader.begin(len(data))
        began = time.monotonic()
        loader.stream(data, 0, len(data), PIECE, Watched())
        took = time.monotonic() - began
        loader.final(60.0)
    return took


def bare(port: str, data: bytes) -> float:
    _, path = node(port, "hidraw")
    with worn(Hidraw(*node(port, "hidraw"))) as line:
        Mboot(line, time.sleep).begin(len(data))
    hid = hidraw.device()
    hid.open_path(path.encode())
    began = time.monotonic()
    for at in range(0, len(data), PIECE):
        hid.write(report(DATA_OUT, data[at : at + PIECE]))
    took = time.monotonic() - began
    hid.read(64, 60_000)
    hid.close()
    return took


def nrf52(port: str, data: bytes) -> float:
    """From the file's bytes to the closed port, as the SDK's update() does it."""
    at = node(port, "tty")
    began = time.monotonic()
    (image,) = container.read(data).images
    with worn(SerialPort(*at)) as line:
        loader = SecureDfu(line, time.monotonic)
        loader.wake()
        loader.prepare()
        loader.offer_init(image.init)
        loader.accept_init()
        loader.resume(image.sent)
        loader.send_image(image.sent, Watched())
        loader.finish(image.sent, Watched())
    return time.monotonic() - began


def main(deed: str, port: str, file: str) -> None:
    took = {"lpc55": lpc55, "bare": bare, "nrf52": nrf52}[deed](port, Path(file).read_bytes())
    print(took)


if __name__ == "__main__":
    main(*sys.argv[1:])
