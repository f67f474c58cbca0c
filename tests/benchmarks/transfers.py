"""A write of 64 KiB over DfuSe, and its control transfers counted where they arrive.

The rule: the simulated device counts, so that both programs are counted alike. Standard
requests are left out: how a kernel and a library enumerate is neither program's doing.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass
from typing import Any

from console.events import Device
from console.families.particle.client import Memories
from console.families.particle.platforms import CORE
from console.families.particle.simulator import SparkCore
from console.hardware.lines import ControlLine
from console.hardware.simulated import Pause, Scenario, Setup, Unit, is_standard
from console.practice.local import InProcessBus
from console.protocols.dfu import Request, describe
from console.protocols.dfuse import DfuSe
from tests.benchmarks.rows import Row, against
from tests.harness import VirtualClock

DEVICE_ID = "4dff6b066672524829470167"
SIZE = 64 * 1024
ERASE = 0x41


@dataclass(frozen=True)
class Job:
    """One write: where it goes, and the ratio of transfers that is aimed at."""

    name: str
    alternate: int
    address: int
    most: float

    @property
    def end(self) -> int:
        return self.address + SIZE


JOBS = (Job("1 KiB pages", 0, 0x08005000, 0.67), Job("4 KiB pages", 1, 0x60000, 0.56))


def contents() -> bytes:
    """What is written: without a pattern, and the same each time."""
    return random.Random(64).randbytes(SIZE)


@dataclass(frozen=True)
class Mark:
    """One control transfer as the device saw it."""

    began: float
    ended: float
    setup: Setup
    first: int

    @property
    def is_download(self) -> bool:
        return (self.setup.request_type, self.setup.request) == (0x21, Request.DNLOAD)

    @property
    def erases(self) -> bool:
        return self.is_download and self.setup.value == 0 and self.first == ERASE

    @property
    def is_data(self) -> bool:
        return self.is_download and self.setup.value >= 2 and self.setup.length > 0

    @property
    def asks(self) -> bool:
        return (self.setup.request_type, self.setup.request) == (0xA1, Request.GETSTATUS)


class CountedCore(SparkCore):
    """A Spark Core that keeps a mark of each transfer but the standard ones."""

    def __init__(self, pause: Pause) -> None:
        super().__init__(pause, DEVICE_ID)
        self.marks: list[Mark] = []

    def control(self, setup: Setup, data: bytes) -> bytes:
        if is_standard(setup):
            return super().control(setup, data)
        began = time.monotonic()
        try:
            return super().control(setup, data)
        finally:
            first = data[0] if data else -1
            self.marks.append(Mark(began, time.monotonic(), setup, first))


@dataclass(frozen=True)
class Tally:
    """What a write cost: all its transfers, those of the write phase, and the phase's seconds.

    The phase goes from the first erase to the status that ends the last block of data.
    """

    transfers: int
    phase: int
    seconds: float
    erased: tuple[int, ...]
    is_right: bool

    def fields(self) -> dict[str, Any]:
        return asdict(self)


def tally(core: CountedCore, job: Job) -> Tally:
    marks = core.marks
    first = next(at for at, mark in enumerate(marks) if mark.erases)
    last = max(at for at, mark in enumerate(marks) if mark.is_data)
    while last + 1 < len(marks) and marks[last + 1].asks:
        last += 1
    memory = core.memories.at(job.address, job.alternate)
    return Tally(
        transfers=len(marks),
        phase=last + 1 - first,
        seconds=marks[last].ended - marks[first].began,
        erased=tuple(sorted(core.counts.erased)),
        is_right=memory is not None and memory.read(job.address, SIZE) == contents(),
    )


def write(line: ControlLine, pause: Pause, job: Job, each: bool = False) -> None:
    """Our client's write, as the flows do it. `each`: the address before every block."""
    memories = Memories(DfuSe(line, pause, describe(line)), CORE)
    memories.choose(job.alternate)
    memories.rest()
    pages = tuple(at for at, _ in memories.layouts[job.alternate].pages(job.address, job.end))
    for page in pages if each else memories.erasing_order(pages):
        memories.erase(page)
    if not each:
        memories.write(job.address, contents())
        return
    for at in range(0, SIZE, 1024):
        memories.write(job.address + at, contents()[at : at + 1024])


def in_process(job: Job, each: bool = False) -> Tally:
    """Write to a unit in this process, whose time passes at once."""
    clock = VirtualClock()
    bus = InProcessBus(Scenario("figures", "", (Unit("1-1", CountedCore),)), clock)
    device: Device = bus.scan()[0]
    line = bus.open_control(device)
    write(line, clock.pause, job, each)
    core = bus.simulator()
    assert isinstance(core, CountedCore)
    return tally(core, job)


def compare(job: Job, ours: Tally, peer: Tally) -> list[Row]:
    """The rows of one write; the ratio means nothing unless both did the same."""
    assert ours.is_right, f"{job.name}: our write is not what is in the memory"
    assert peer.is_right, f"{job.name}: the peer's write is not what is in the memory"
    assert ours.erased == peer.erased, f"{job.name}: other pages were erased"
    pages = f"the same {len(ours.erased)} erased"
    return [
        against(f"{job.name}: all transfers", ours.transfers, peer.transfers, job.most),
        against(
            f"{job.name}: first erase to last block, {pages}", ours.phase, peer.phase, job.most
        ),
    ]


def quick() -> list[Row]:
    """Without a kernel. What dfu-util sends before and after is not played, so no "all"."""
    return [compare(job, in_process(job), in_process(job, True))[1] for job in JOBS]
