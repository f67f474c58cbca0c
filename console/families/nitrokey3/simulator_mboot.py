"""The LPC55's ROM bootloader: HID reports in, HID reports out (NXP mboot).

The rule: it answers as the ROM of a sealed key does. A report is id, 0, length (2, little end
first) and as many bytes; what is behind them is padding and is ignored.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from console.families.nitrokey3.simulator_faults import NEVER, MbootFaults, Times
from console.families.nitrokey3.simulator_keeping import as_bytes, as_text
from console.families.nitrokey3.simulator_rows import Version
from console.families.nitrokey3.simulator_sb2 import Flash, Root, Stream
from console.hardware.simulated import Hang, Pause, Stall

REPORT = 60
PAYLOAD = 56
COMMAND_OUT, DATA_OUT, COMMAND_IN = 0x01, 0x02, 0x03
GENERIC, PROPERTY = 0xA0, 0xA7
SLICE = 0.05
"""Seconds that pass at a time while the host listens and nothing is said yet."""
GRAIN = 0.01
"""Seconds of transfer that are let pass at once: one report takes a millisecond."""

UNKNOWN_COMMAND, SECURITY_VIOLATION, ABORTED, UNKNOWN_PROPERTY = 10000, 10001, 10002, 10300
INVALID_ARGUMENT = 4

REPORT_DESCRIPTOR = bytes.fromhex(
    "0600ff0901a101150026ff0075088501953b090191028502953b090191028503953b090181028504953b09018102c0"
)
"""A vendor collection with four reports of 59 bytes behind their ids."""


class Tag(IntEnum):
    GET_PROPERTY = 0x07
    RECEIVE_SB_FILE = 0x08
    RESET = 0x0B


SEALED = (0x01, 0x02, 0x03, 0x04, 0x06, 0x09, 0x0A, 0x0C, 0x0D, 0x10, 0x11, 0x15)
"""Commands that the ROM knows and a sealed key refuses."""


class Gone(StrEnum):
    """Why it has just left the bus."""

    NO = ""
    RESET = "reset"
    POWER = "power"


def properties(uuid: bytes) -> dict[int, tuple[int, ...]]:
    """The words of each property, as an LPC55S69's ROM 3.0.0 gives them."""
    return {
        0x01: (0x4B030000,),
        0x02: (0x00000013,),
        0x03: (0,),
        0x04: (646_656,),
        0x05: (32_768,),
        0x07: (0x000004C0,),
        0x08: (10402,),
        0x0A: (1,),
        0x0B: (PAYLOAD,),
        0x0C: (0, 0, 0x1400_0000, 0x1400_5FFF),
        0x0E: (0x2000_0000,),
        0x0F: (262_144,),
        0x10: (0x0000_A100, 0x0000_0069),
        0x11: (0xC33C_C33C,),
        0x12: struct.unpack("<4I", uuid),
        0x18: (0x5401_0104,),
        0x1B: (512,),
        0x1D: (0,),
    }


@dataclass
class Counts:
    """What it was asked to do, for tests."""

    commands: list[int] = field(default_factory=list)
    data_reports: int = 0


class RomBootloader:
    """One visit after another of the ROM bootloader; `flash` outlives them all.

    `gone` says that it left with the last report.
    """

    def __init__(
        self,
        uuid: bytes,
        flash: Flash,
        pause: Pause,
        times: Times,
        faults: MbootFaults,
        root: Root,
    ) -> None:
        self.flash = flash
        self.gone = Gone.NO
        self.counts = Counts()
        self._last: Stream | None = None
        self._properties = properties(uuid)
        self._pause = pause
        self._times = times
        self._faults = faults
        self._root = root
        self._left_once = False
        self._attachments = 0
        self._out: deque[bytes] = deque()
        self._stream: Stream | None = None
        self._taken: Version | None = None
        self._due: float | None = None
        self._debt = 0.0

    def start(self) -> None:
        """It is entered, or attached once more: a RAM-only state begins."""
        self._attachments += 1
        self.gone = Gone.NO
        self._forget()

    def entered(self) -> None:
        """The chip has come here anew: what is counted by attachments begins again."""
        self._attachments = 0

    def _forget(self) -> None:
        self._out.clear()
        self._stream, self._due = None, None
        self._debt, self._taken = 0.0, None

    @property
    def received(self) -> bytes:
        """The last file as it came in."""
        return bytes(self._last.received) if self._last is not None else b""

    @property
    def version(self) -> Version | None:
        """Of the file that was taken whole, if it was; forgotten by start()."""
        return self._taken

    @property
    def dies(self) -> bool:
        return self._left_once and self._faults.dies

    @property
    def _refuses(self) -> bool:
        return self._attachments <= self._faults.refused_attachments

    @property
    def _mute(self) -> bool:
        return self._attachments <= self._faults.mute_attachments

    # --- reports --------------------------------------------------------------------------

    def take(self, report: bytes, kind: int) -> None:
        """One report from the host. Raises Stall: it did not take it; Hang: it has left."""
        if self.gone:
            raise Hang
        if self._refuses:
            raise Stall
        if self._mute or len(report) < 4:
            return
        number, _, length = struct.unpack_from("<BBH", report)
        payload = report[4 : 4 + length]
        if number == COMMAND_OUT:
            self._command(payload)
        elif number == DATA_OUT:
            self._data(payload)

    def give(self) -> bytes | None:
        """One report for the host, if there is one; time passes while it works on an answer."""
        if self.gone:
            raise Hang
        if not self._out and self._due is not None:
            self._work()
        if not self._out:
            return None
        report = self._out.popleft()
        if self._after_reset(report):
            self.gone = Gone.RESET
        return report

    def _after_reset(self, report: bytes) -> bool:
        done = report[8:12] == bytes(4)
        return report[4] == GENERIC and report[12] == Tag.RESET and done

    def show(self, kind: int, number: int) -> bytes:
        """GET_REPORT: it speaks through its interrupt endpoints alone."""
        raise Stall

    def _say(self, tag: int, *words: int) -> None:
        body = struct.pack(f"<BBBB{len(words)}I", tag, 0, 0, len(words), *words)
        self._say_raw(body)

    def _say_raw(self, body: bytes) -> None:
        head = struct.pack("<BBH", COMMAND_IN, 0, len(body))
        self._out.append((head + body).ljust(REPORT, b"\0"))

    # --- commands -------------------------------------------------------------------------

    def _command(self, packet: bytes) -> None:
        if len(packet) < 4 or len(packet) < 4 + 4 * packet[3]:
            return
        tag = packet[0]
        words = struct.unpack_from(f"<{packet[3]}I", packet, 4)
        self.counts.commands.append(tag)
        self._stream, self._due = None, None
        match tag:
            case Tag.GET_PROPERTY if words:
                self._property(words[0])
            case Tag.RECEIVE_SB_FILE if words and words[0]:
                self._begin(words[0])
            case Tag.GET_PROPERTY | Tag.RECEIVE_SB_FILE:
                self._say(GENERIC, INVALID_ARGUMENT, tag)
            case Tag.RESET:
                self._reset()
            case _:
                known = tag in SEALED
                self._say(GENERIC, SECURITY_VIOLATION if known else UNKNOWN_COMMAND, tag)

    def _property(self, number: int) -> None:
        values = self._properties.get(number)
        if values is None:
            self._say(PROPERTY, UNKNOWN_PROPERTY)
        else:
            self._say(PROPERTY, 0, *values)

    def _begin(self, total: int) -> None:
        self._stream = self._last = Stream(self.flash, total, self._root)
        self._say(GENERIC, 0, Tag.RECEIVE_SB_FILE)

    def _reset(self) -> None:
        if self._faults.reset_refused:
            self._say(GENERIC, SECURITY_VIOLATION, Tag.RESET)
            return
        if self._faults.reset_answer_lost:
            self._pause(self._times.rom_leave)
            self.gone = Gone.RESET
            return
        self._say(GENERIC, 0, Tag.RESET)

    # --- the data phase -------------------------------------------------------------------

    def _data(self, payload: bytes) -> None:
        self.counts.data_reports += 1
        stream = self._stream
        if stream is None or self._due is not None:
            return  # after an abort, or behind the end: swallowed
        at = len(stream.received)
        self._take_time(len(payload))
        if self._leaves(at, len(payload)):
            stream.feed(payload[: (self._faults.leaves_at or 0) - at])
            self._lose_power()
            raise Hang
        erases = stream.erases
        stream.feed(payload)
        if stream.erases > erases:
            self._pause(self._times.lpc55_erase)
        if self._aborts(at, len(payload)):
            stream.refused = self._faults.abort_status
        if stream.refused:
            self._abort(stream.refused)
        elif len(stream.received) >= stream.total:
            delay = self._faults.final_delay
            self._due = self._times.lpc55_final if delay is None else delay

    def _take_time(self, count: int) -> None:
        rate = self._faults.rate or self._times.lpc55_rate
        self._debt += count / rate if rate else 0.0
        if self._debt >= GRAIN:
            debt, self._debt = self._debt, 0.0
            self._pause(debt)

    def _leaves(self, at: int, count: int) -> bool:
        cut = self._faults.leaves_at
        return cut is not None and not self._left_once and at <= cut < at + max(count, 1)

    def _aborts(self, at: int, count: int) -> bool:
        cut = self._faults.abort_at
        return cut is not None and at <= cut < at + count

    def _lose_power(self) -> None:
        self._left_once = True
        self.gone = Gone.POWER

    def _abort(self, status: int) -> None:
        """An empty report in the middle of the data, then why."""
        self._stream = None
        self._say_raw(b"")
        self._say(GENERIC, status, Tag.RECEIVE_SB_FILE)

    def _work(self) -> None:
        """A little of what is left to do after the last byte."""
        assert self._due is not None
        if self._at_the_end():
            self._lose_power()
            raise Hang
        if self._due == NEVER:
            self._pause(SLICE)
            return
        spent = min(SLICE, self._due)
        self._pause(spent)
        self._due -= spent
        if self._due > 1e-9:
            return
        stream, self._stream, self._due = self._stream, None, None
        assert stream is not None
        status = stream.finish()
        self._taken = None if status else stream.version
        if self._faults.stays_bootloader:
            self.flash.complete = False
        if not self._faults.final_lost:
            self._say(GENERIC, status, Tag.RECEIVE_SB_FILE)

    def _at_the_end(self) -> bool:
        """All the bytes are there and it was to leave behind them."""
        cut = self._faults.leaves_at
        stream = self._stream
        if cut is None or stream is None or self._left_once:
            return False
        return cut >= stream.total

    # --- keeping --------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        stream = self._stream
        return {
            "image": as_text(self.flash.image),
            "complete": self.flash.complete,
            "counter": self.flash.counter,
            "left_once": self._left_once,
            "attachments": self._attachments,
            "out": [report.hex() for report in self._out],
            "received": as_text(self.received),
            "total": stream.total if stream else 0,
            "due": self._due,
            "taken": self._taken.packed if self._taken else 0,
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._left_once = bool(frozen["left_once"])
        self._attachments = int(frozen["attachments"])
        self._out = deque(bytes.fromhex(report) for report in frozen["out"])
        received = as_bytes(frozen["received"])
        self._due = frozen["due"]
        self._taken = Version.unpacked(frozen["taken"]) if frozen["taken"] else None
        self._last = Stream(self.flash, int(frozen["total"]) or len(received), self._root)
        self._last.feed(received)
        self._stream = self._last if frozen["total"] else None
        self.flash.image = as_bytes(frozen["image"])
        self.flash.complete = bool(frozen["complete"])
        self.flash.counter = int(frozen["counter"])
        self.gone = Gone.NO
