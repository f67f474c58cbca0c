"""Runs inside the guest: real kernel, real udevd, real libusb, simulated silicon.

The rule: what each check found is written to the results folder at once, so that a guest that
dies still tells how far it came.

    guest.py RESULTS [WORD]     WORD: only the checks with it in their names, and the first;
                                several with commas between them
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import traceback
from pathlib import Path

from bus_checks import BUS_CHECKS
from core_checks import CORE_CHECKS
from hsm_checks import HSM_CHECKS
from nk3_checks import NK3_CHECKS
from nrf91_checks import NRF91_CHECKS
from openpgp_checks import OPENPGP_CHECKS
from table import Table
from wire_checks import WIRE_CHECKS

FAMILY_CHECKS = OPENPGP_CHECKS + NK3_CHECKS + HSM_CHECKS + NRF91_CHECKS
CHECKS = BUS_CHECKS + CORE_CHECKS + WIRE_CHECKS + FAMILY_CHECKS


def name_of(check) -> str:
    return check.__name__.replace("_", " ")


def chosen(word: str):
    words = word.split(",")
    return (CHECKS[0], *(c for c in CHECKS[1:] if any(each in name_of(c) for each in words)))


def perform(check, table: Table) -> dict[str, object]:
    began = time.monotonic()
    try:
        check(table)
        why = ""
    except Exception:  # noqa: BLE001 - whatever it was, it is the finding
        why = traceback.format_exc()
    return {"name": name_of(check), "seconds": round(time.monotonic() - began, 1), "why": why}


def main(results: Path, word: str = "") -> None:
    assert Path("/run/udev/control").exists(), "udevd does not run in the guest"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    table = Table()
    with results.open("a") as file:
        for check in chosen(word):
            print(json.dumps(perform(check, table)), file=file, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "results.jsonl", *sys.argv[2:])
