"""NXP's own host (spsdk, what `blhost` runs on) against the simulated ROM, in this process.

    oracle_spsdk.py SB2_FILE CASE

It prints one JSON object. Its environment has no fido2, so the ROM stands here without firmware.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2])]

from spsdk.mboot import mcuboot  # noqa: E402
from spsdk.mboot.exceptions import McuBootError  # noqa: E402
from spsdk.mboot.interfaces.usb import MbootUSBInterface  # noqa: E402
from spsdk.mboot.properties import PropertyTag  # noqa: E402
from spsdk.utils.exceptions import SPSDKTimeoutError  # noqa: E402
from spsdk.utils.interfaces.device.usb_device import UsbDevice  # noqa: E402

from console.families.nitrokey3.simulator_faults import NEVER, MbootFaults, Times  # noqa: E402
from console.families.nitrokey3.simulator_mboot import RomBootloader  # noqa: E402
from console.families.nitrokey3.simulator_sb2 import Flash, Root  # noqa: E402
from console.hardware.simulated import Hang, Stall  # noqa: E402

UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
CASES = {
    "healthy": MbootFaults(),
    "late": MbootFaults(final_delay=3.0),
    "never": MbootFaults(final_delay=NEVER),
    "signature": MbootFaults(abort_at=100_000, abort_status=10101),
    "rollback": MbootFaults(),
    "reset-lost": MbootFaults(reset_answer_lost=True),
    "refused": MbootFaults(refused_attachments=1),
}


class Clock:
    """Time passes where the ROM or the host lets it."""

    def __init__(self) -> None:
        self.passed = 0.0

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


class PaperHid(UsbDevice):
    """An open hidraw node over the simulated ROM."""

    def __init__(self, rom: RomBootloader, clock: Clock) -> None:
        super().__init__(0x20A0, 0x42DD, b"/dev/paper", "NXP", "USB COMPOSITE DEVICE", 0)
        self.rom = rom
        self.clock = clock
        self._open = False

    @property
    def is_opened(self) -> bool:
        return self._open

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        self._open = False

    def read(self, length: int, timeout: int | None = None) -> bytes:
        until = self.clock.passed + (timeout or self.timeout) / 1000
        while self.clock.passed < until:
            try:
                report = self.rom.give()
            except Hang:
                break
            if report is not None:
                return report
            self.clock.sleep(0.001)
        raise SPSDKTimeoutError

    def write(self, data: bytes, timeout: int | None = None) -> None:
        try:
            self.rom.take(data, 2)
        except (Stall, Hang) as failed:
            raise McuBootError from failed


def main() -> None:
    data, case = Path(sys.argv[1]).read_bytes(), sys.argv[2]
    clock = Clock()
    counter = 0xFFFF_FFFF if case == "rollback" else 0
    flash = Flash(b"old", True, counter)
    rom = RomBootloader(UUID, flash, clock.sleep, Times(), CASES[case], Root())
    rom.start()
    seen: dict[str, object] = {}
    mcuboot.time = clock
    host = mcuboot.McuBoot(MbootUSBInterface(PaperHid(rom, clock)))
    host.open()
    try:
        seen["uuid"] = b"".join(
            word.to_bytes(4, "little")
            for word in host.get_property(PropertyTag.UNIQUE_DEVICE_IDENT) or []
        ).hex()
        seen["properties"] = len(host.get_property_list())
        seen["version"] = host.get_property(PropertyTag.CURRENT_VERSION)
        seen["sealed"] = host.flash_erase_all()
        seen["sealed_status"] = host.status_code
        seen["taken"] = host.receive_sb_file(data, check_errors="errors" in sys.argv[3:])
        seen["status"] = host.status_code
        seen["reset"] = host.reset(reopen=False)
    except McuBootError as error:
        seen["error"] = type(error).__name__
    seen |= {
        "same": rom.received == data,
        "complete": flash.complete,
        "image": len(flash.image),
        "gone": rom.gone.value,
        "passed": round(clock.passed, 1),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
