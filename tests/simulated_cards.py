"""The smallest cards and functions that can do everything a wire must carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.hardware.simulated import Pause, Stall
from console.hardware.simulated_card import Doing
from console.hardware.simulated_ccid import SHORT, CcidReader, Manners
from console.hardware.simulated_cdc import CdcAcm
from console.hardware.simulated_composite import Composite, Identity
from console.hardware.simulated_hid import HidFunction, OnlyInterrupts, vendor_reports

ATR = bytes.fromhex("3b80800101")
SELECT, WORK, TOUCH, MUTE, LONG, ECHO, COUNT = 0xA4, 0x10, 0x12, 0x14, 0x16, 0x18, 0x1A
OK = b"\x90\x00"


class Toy:
    """SELECT; WORK (P1 seconds); TOUCH; MUTE; LONG (P1 P2 bytes); ECHO; COUNT of works done."""

    def __init__(self, atr: bytes = ATR) -> None:
        self.atr = atr
        self.begun: list[bytes] = []
        self.resets = 0
        self.done = 0
        self.selected = False
        self._left = 0.0
        self._command = b""
        self.doing = Doing.WORKING

    def begin(self, command: bytes) -> None:
        self.begun.append(command)
        self._command = command
        self._left = float(command[2]) if command[1] == WORK else 0.0
        self.doing = {TOUCH: Doing.TOUCH, MUTE: Doing.MUTE}.get(command[1], Doing.WORKING)

    def work(self, seconds: float) -> bytes | None:
        self._left -= seconds
        if self._left > 1e-9 or not self._command or self.doing is not Doing.WORKING:
            return None
        command, self._command = self._command, b""
        return self._answer(command)

    def _answer(self, command: bytes) -> bytes:
        match command[1]:
            case 0xA4 if command[2]:
                return b"\x6a\x82"
            case 0xA4:
                self.selected = True
            case 0x10:
                self.done += 1
            case 0x16:
                return bytes(index & 0xFF for index in range(command[2] << 8 | command[3])) + OK
            case 0x18:
                return command + OK
            case 0x1A:
                return bytes((self.done, self.selected)) + OK
            case 0x12 | 0x14:
                pass
            case _:
                return b"\x6d\x00"
        return OK

    def reset(self) -> None:
        self.resets += 1
        self.selected = False
        self._command = b""
        self.doing = Doing.WORKING

    def press(self, buttons: str) -> None:
        if buttons != "touch":
            raise ValueError(f'It has no "{buttons}".')
        if self.doing is Doing.TOUCH:
            self.doing = Doing.WORKING

    def freeze(self) -> dict[str, Any]:
        return {"done": self.done, "selected": self.selected}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.done, self.selected = frozen["done"], frozen["selected"]


# pcscd names a reader that its driver knows by the driver's own list: as a Nitrokey Start.
ZEBRA = Identity(0x20A0, 0x4211, maker="Stripes", product="Zebra")


def reader(pause: Pause, *, present: bool = True, manners: Manners = SHORT, **more) -> CcidReader:
    """A reader with a toy in it."""
    return CcidReader(pause, Toy(), ZEBRA, present=present, manners=manners, **more)


class Lines:
    """A stream that answers each line with itself, reversed; "wait N" takes N seconds first."""

    def __init__(self, pause: Pause, name: str = "") -> None:
        self._pause = pause
        self._name = name
        self._heard = b""
        self._said = b""

    def feed(self, data: bytes) -> None:
        self._heard += data
        while b"\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\n")
            if line.startswith(b"wait "):
                self._pause(float(line[5:]))
            self._said += self._name.encode() + line[::-1] + b"\n"

    def drain(self) -> bytes:
        said, self._said = self._said, b""
        return said


class Knocks(OnlyInterrupts):
    """Answers a report with itself plus one in each byte; 0xEE first: after so many seconds."""

    def __init__(self, pause: Pause, number: int = 0) -> None:
        self._pause = pause
        self._answers: list[bytes] = []
        self._number = number
        self.taken: list[bytes] = []

    def take(self, report: bytes, kind: int) -> None:
        self.taken.append(report)
        if report[0] == 0xFF:
            raise Stall
        if report[0] == 0xEE:
            self._pause(float(report[1]))
        if report[0] != 0xDD:
            self._answers.append(bytes((byte + 1 + self._number) & 0xFF for byte in report))

    def give(self) -> bytes | None:
        return self._answers.pop(0) if self._answers else None


REPORTS = vendor_reports(0xFF00, 1)


class Combined(Composite):
    """Two serial ports, two HID interfaces (the second without an OUT endpoint) and a card."""

    gentle = ("touch",)

    def __init__(self, pause: Pause) -> None:
        self.reader = reader(pause)
        self.knocks = (Knocks(pause), Knocks(pause, 1))
        super().__init__(
            Identity(0x1209, 0x0002, maker="Replug", product="All", serial="A1", speed="high"),
            (
                CdcAcm(Lines(pause, "a"), first=0, endpoints=(0x81, 0x02, 0x82)),
                CdcAcm(Lines(pause, "b"), first=2, endpoints=(0x83, 0x04, 0x84)),
                HidFunction(self.knocks[0], REPORTS, interface=4, into=0x85, out=0x05),
                HidFunction(self.knocks[1], REPORTS, interface=5, into=0x86, out=0),
            ),
        )

    def press(self, buttons: str) -> None:
        if buttons != "touch":
            raise ValueError("It has: touch.")
