"""The vendor's SDK on the keys that this kernel shows. Run by the oracles' own Python.

    nk3_sdk.py look
    nk3_sdk.py loader               to the bootloader; its UUID where it tells one
    nk3_sdk.py update PACKAGE       to the bootloader, and the image of that file written
    nk3_sdk.py write PACKAGE        the same to a bootloader that is there; the seconds it took

It prints one JSON value. It imports nothing of ours: the kernel is all that it shares.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from nitrokey.nk3 import NK3, NK3Bootloader
from nitrokey.trussed.admin_app import BootMode

LIMIT = 60.0


def awaited(kind: type):
    """The only key of that kind, once it is there."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        found = kind.list()
        if found:
            (one,) = found
            return one
        time.sleep(0.2)
    raise SystemExit(f"no {kind.__name__} came")


def look() -> dict[str, str]:
    with awaited(NK3) as key:
        told = {"path": key.path, "uuid": str(key.uuid()), "version": str(key.admin.version())}
        return {**told, "variant": key.admin.status().variant.name}


def to_loader():
    with awaited(NK3) as key:
        key.admin.reboot(BootMode.BOOTROM)
    return awaited(NK3Bootloader)


def loader() -> dict[str, object]:
    before = look()
    with to_loader() as found:
        return {"before": before, "variant": found.variant.name, "uuid": str(found.uuid())}


def update(package: str) -> dict[str, str]:
    with to_loader() as found:
        found.update(Path(package).read_bytes())
    return look()


def write(package: str) -> float:
    with awaited(NK3Bootloader) as found:
        began = time.monotonic()
        found.update(Path(package).read_bytes())
        return time.monotonic() - began


if __name__ == "__main__":
    deeds = {"look": look, "loader": loader, "update": update, "write": write}
    print(json.dumps(deeds[sys.argv[1]](*sys.argv[2:])))
