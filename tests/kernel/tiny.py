"""The smallest device that can do everything a control line must survive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.hardware.simulated import (
    Away,
    Descriptors,
    Hang,
    OnlyControl,
    Setup,
    Stall,
    StandardRequests,
    configuration_descriptor,
    device_descriptor,
    interface_descriptor,
    is_standard,
)

MEMORY, STALL, HANG, RESTART, LEAVE = 1, 2, 3, 4, 5


class Tiny(OnlyControl):
    """Vendor requests: remember bytes, stall, hang, leave and be back, leave."""

    def __init__(self, serial: str) -> None:
        self.away: Away | None = None
        self.serial = serial
        self.memory = b""
        self.starts = 0
        self._standard = StandardRequests()

    def descriptors(self) -> Descriptors:
        parts = tuple(interface_descriptor(0, alternate, (0xFF, 0, 0), 0) for alternate in (0, 1))
        return Descriptors(
            device_descriptor(vid=0x1209, pid=0x0001, release=0x0100, usb=0x0110),
            configuration_descriptor(parts, interfaces=1),
            {1: "Replug\x1b[2Jtests", 2: "Tiny", 3: self.serial},
        )

    def control(self, setup: Setup, data: bytes) -> bytes:
        if is_standard(setup):
            return self._standard.answer(self.descriptors(), setup)
        match setup.request:
            case 1 if setup.request_type & 0x80:
                return self.memory[: setup.length]
            case 1:
                self.memory = data
                return b""
            case 3:
                raise Hang
            case 4:
                self.away = Away(0.2)
                return b""
            case 5:
                self.away = Away(None)
                raise Hang
        raise Stall

    def power_on(self) -> None:
        self.away = None
        self.starts += 1
        self._standard = StandardRequests()

    def press(self, buttons: str) -> None:
        raise ValueError(buttons)

    def freeze(self) -> dict[str, Any]:
        return {"memory": self.memory.hex()}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.memory = bytes.fromhex(frozen["memory"])
