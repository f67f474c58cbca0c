"""The vendor's SDK and an nRF52 that goes wrong once. Run by the oracles' own Python.

    oracle_sdk_nrf52.py CONTAINER cut|dropped|create-lost

It prints one JSON object: each run's end, the operations of the last one, and the comparison.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nitrokey.nk3._bootloader import NK3BootloaderNrf52

from console.families.nitrokey3.simulator_faults import DfuFaults, Faults
from console.families.nitrokey3.simulator_key import Build, Mode
from console.families.nitrokey3.simulator_rows import NK3A_MINI, Version
from tests.families.nitrokey3.oracle_sdk import UUID, PaperSerial, expected, on_paper
from tests.families.nitrokey3.wires import Wires

FAULTS = {
    "cut": DfuFaults(),
    "dropped": DfuFaults(dropped_at=5000),
    "create-lost": DfuFaults(lost_answers=(0x01,)),
}
CUT = 6144


def main() -> None:
    container, case = Path(sys.argv[1]), sys.argv[2]
    with zipfile.ZipFile(container) as whole:
        package = whole.read(json.loads(whole.read("manifest.json"))["images"]["nrf52"])
    build = Build(
        NK3A_MINI, UUID, Version(1, 5, 0), mode=Mode.BOOTLOADER, faults=Faults(dfu=FAULTS[case])
    )
    wires = Wires(build)
    on_paper(wires)
    if case == "cut":
        cut_the_host_off(wires)
    ends, ops = [], []
    while not ends or ends[-1] != "done":
        assert len(ends) < 3, ends
        wires.key.dfu.counts.ops.clear()
        try:
            NK3BootloaderNrf52("/dev/paper", 1).update(package)
            ends.append("done")
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - however it ends
            ends.append(type(error).__name__)
        ops = wires.key.dfu.counts.ops[:11]
    wires.come_back()
    same = wires.key.dfu.received == expected(container, "nrf52")
    print(json.dumps({"ends": ends, "ops": ops, "same": same, "ids": wires.ids}))


def cut_the_host_off(wires: Wires) -> None:
    """Its first run ends, as if it were killed, once so many bytes have arrived."""
    write = PaperSerial.write
    killed = []

    def until_then(self: PaperSerial, data: list[int]) -> None:
        if not killed and wires.key.dfu.offset >= CUT:
            killed.append(True)
            raise KeyboardInterrupt
        write(self, data)

    PaperSerial.write = until_then


if __name__ == "__main__":
    main()
