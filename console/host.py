"""What the bench does for a guide: the host of a flow, as the guide sees it.

The rule: an interface and the values that cross it, nothing else. The bench's run is the one host.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from console.clock import Clock
from console.events import ArtefactKept, Device, Event
from console.hardware.gnupg import GnuPG
from console.hardware.kernel import KernelLog
from console.hardware.lines import ControlLine, Line
from console.toil import Progress, Toil


@dataclass(frozen=True)
class Reply:
    """Somebody answered a question."""

    question: str
    answer: str = field(repr=False)
    by: str = ""


@dataclass(frozen=True)
class Recorded:
    """A raw backup that some run recorded: its record, the unit's serial, its bytes.

    `ours` says whether that unit is this run's; the bytes are None where they are in the vault no
    more, or are not what the record says.
    """

    kept: ArtefactKept
    ours: bool
    serial: str
    data: bytes | None = field(default=None, repr=False)


class Signal(StrEnum):
    """What else can wake a run."""

    BUS = "the bus changed"
    STOP = "stop was asked for"


class Host(Protocol):
    """What the bench does for a guide. All of it may be called from the run's own thread."""

    clock: Clock
    device: Device
    guest: bool
    signals: queue.Queue[Reply | Signal]

    def post(self, event: Event, durable: bool = False) -> None:
        """Write the event; returns when it is in the journal, synced to disk if durable."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell passing progress; may be lost, is never an event."""

    def trace(self, words: str) -> None:
        """Add a line to the run's wire trace."""

    def given(self, question: str) -> Reply | None:
        """The answer brought along when the run was started, if any."""

    def attended(self) -> bool:
        """Is somebody there who can answer?"""

    def present(self) -> tuple[Device, ...]:
        """Every device on the bench now."""

    def look_again(self) -> None:
        """Have the bus scanned; changes arrive as signals."""

    def mode_of(self, device: Device) -> str:
        """The device's mode in the run's family; "" if it is none of it."""

    def name_of(self, device: Device) -> str:
        """What surely names the unit in each mode of the run's family; "" where nothing does."""

    def kernel_log(self, port: str) -> KernelLog:
        """What the kernel wrote about a port; about trouble on any if it is ""."""

    def gnupg(self) -> GnuPG:
        """The GnuPG of this machine."""

    def passed(self, flow: str, port: str) -> bool:
        """Did a run of that flow ("family.flow") on that port of this machine end well?"""

    def stop_asked(self) -> bool:
        """Did the technician ask to stop?"""

    def moved(self, device: Device) -> None:
        """The run's device is this one from now on."""

    def open_control(self, device: Device) -> ControlLine:
        """The device's control line, locked for this run on the whole machine."""

    def open(self, device: Device, kind: str, name: str = "") -> Line:
        """Its line of that kind ("hid", "serial", "card"; the one so named), locked as above."""

    def hold(self, device: Device) -> None:
        """The device is this run's, too, until the run ends. Raises GateClosed."""

    def toil(self, work: Toil, told: Progress) -> bytes:
        """What a process of its own makes of it; what `told` raises ends it."""

    def discard(self, path: str) -> bool:
        """Remove a file if it lies in the inbox; was it there?"""

    def keep(self, name: str, data: bytes, place: str) -> ArtefactKept:
        """Store an artefact ("run") or a raw backup ("vault"); synced when it returns."""

    def first_backup(self, name: str) -> tuple[ArtefactKept, bytes] | None:
        """The backup of that name that an earlier, unfinished run of this device kept."""

    def recorded(self, name: str, sha256: str) -> Recorded | None:
        """The raw backup of that name, or else of that digest; this unit's before another's."""

    def last_kept(self, beginning: str) -> bytes | None:
        """The newest artefact ("run") of an earlier run whose name begins so; of any device."""
