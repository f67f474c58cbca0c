"""A simulated Core at the end of a wire, and what its status answers mean."""

from __future__ import annotations

from console.families.particle.simulator import SparkCore
from console.hardware.simulated import Setup

FIELD_ID, FIELD_SERIAL = "54ff73066672524813250167", "6D7524674852"
ID = "48ff6b065067555017321587"

AT_ENTRY = "0a0000000a00"
IDLE = "000000000200"
DNLOAD_IDLE = "000000000500"
UPLOAD_IDLE = "000000000900"
BUSY_50 = "003200000400"
BUSY_30 = "001e00000400"
MANIFEST = "000100000700"
ERR_UNKNOWN = "0e0000000a00"

POINT_PRIVATE = "2100200000"
POINT_SERVER = "2100100000"
POINT_FACTORY = "2100000200"
POINT_BOOTLOADER = "2100000008"
POINT_APPLICATION = "2100500008"
ERASE_PRIVATE = "4100200000"
ERASE_APPLICATION = "4100500008"
ERASE_BOOTLOADER = "4100000008"


class Wire:
    """A Core and the requests of DFU 1.1, table 3.2; `paused` are the device's own delays."""

    def __init__(self, device_id: str = ID, **options) -> None:
        self.paused: list[float] = []
        self.core = SparkCore(self.paused.append, device_id, **options)

    def status(self) -> str:
        return self.core.control(Setup(0xA1, 3, 0, 0, 6), b"").hex()

    def state(self) -> str:
        return self.core.control(Setup(0xA1, 5, 0, 0, 1), b"").hex()

    def clear(self) -> None:
        self.core.control(Setup(0x21, 4, 0, 0, 0), b"")

    def abort(self) -> None:
        self.core.control(Setup(0x21, 6, 0, 0, 0), b"")

    def download(self, block: int, data: str) -> None:
        raw = bytes.fromhex(data)
        self.core.control(Setup(0x21, 1, block, 0, len(raw)), raw)

    def upload(self, block: int, length: int) -> str:
        return self.core.control(Setup(0xA1, 2, block, 0, length), b"").hex()

    def standard(self, request: int, value: int, index: int = 0, length: int = 255) -> str:
        return self.core.control(Setup(0x80, request, value, index, length), b"").hex()

    def do(self, block: int, data: str) -> tuple[str, str]:
        """A DNLOAD and its two GETSTATUS."""
        self.download(block, data)
        return self.status(), self.status()

    def read(self, pointer: str, length: int) -> str:
        self.do(0, pointer)
        self.abort()
        data = self.upload(2, length)
        self.abort()
        return data


def idle(**options) -> Wire:
    """A Core in dfuIDLE."""
    wire = Wire(**options)
    wire.clear()
    return wire
