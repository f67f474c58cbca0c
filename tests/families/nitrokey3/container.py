"""The vendor's own release container, taken apart once."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from tests.realdata import real


@dataclass(frozen=True)
class Release:
    path: Path
    sb2: bytes
    dat: bytes
    bin: bytes


@cache
def _release(path: Path) -> Release:
    with zipfile.ZipFile(path) as whole:
        images = json.loads(whole.read("manifest.json"))["images"]
        sb2, inner = whole.read(images["lpc55"]), BytesIO(whole.read(images["nrf52"]))
    with zipfile.ZipFile(inner) as package:
        names = json.loads(package.read("manifest.json"))["manifest"]["application"]
        dat, image = package.read(names["dat_file"]), package.read(names["bin_file"])
    return Release(path, sb2, dat, image)


def release() -> Release:
    """Version 1.7.2 for both chips; skipped, or failed in CI, where it is absent."""
    return _release(real("firmware-nk3-v1.7.2.zip"))
