"""The vendor's release container, a bare SB2.1 file, or a bare nRF52 package: one way in.

The rule: pure, and everything that can be known offline is known before a device is asked. The
digests in a container prove that it was copied whole; who made it, its signatures prove.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from console.errors import GateClosed
from console.families.nitrokey3 import nrfpackage, sb2
from console.families.nitrokey3.signers import NITROKEY3, PASSKEY, ROOT_KEYS_HASH
from console.families.nitrokey3.version import Version, of_text

UNTOUCHED = "Nothing was sent to the device."
MANIFEST, SUMS = "manifest.json", "sha256sums"
LONGEST = 100
"""Characters of a version, with all that follows its numbers."""
SUM = re.compile(r"([0-9A-Fa-f]{64}) [ *](?:\./)?(\S.*)")


class Chip(StrEnum):
    """The two chips; each takes images of its own."""

    LPC55 = "lpc55"
    NRF52 = "nrf52"


CHIP_NAMES = {Chip.LPC55: "LPC55", Chip.NRF52: "nRF52"}


@dataclass(frozen=True)
class Image:
    """One image, checked. `sent` are the bytes that go to the device (the init packet apart).

    `signed_by` names the signer, "" where nobody we know signed it; `official` says whether it
    is a key that customers' devices are meant for. `sha256` is that of the image's own file.
    """

    chip: Chip
    product: str
    version: Version
    full_version: str
    signed_by: str
    official: bool
    sha256: str
    sent: bytes = field(repr=False)
    init: bytes = field(default=b"", repr=False)
    sb2: sb2.Sb2 | None = None


@dataclass(frozen=True)
class Release:
    """What the file holds, by chip. `product` is "" where a bare file does not say it."""

    product: str
    version: str
    images: tuple[Image, ...]

    def image(self, chip: Chip) -> Image:
        """The image for that chip. Raises GateClosed."""
        for image in self.images:
            if image.chip is chip:
                return image
        held = ", ".join(CHIP_NAMES[image.chip] for image in self.images)
        raise GateClosed(
            f"This file is for the {held} and this device has an {CHIP_NAMES[chip]}.",
            f"{UNTOUCHED} Take the file for the {CHIP_NAMES[chip]}.",
        )


def read(data: bytes) -> Release:
    """Check a file of any of the three kinds. Raises GateClosed with the reason."""
    if data[20:24] == b"STMP":
        image = _lpc55(data, NITROKEY3, "")
        return Release(image.product, image.full_version, (image,))
    try:
        with nrfpackage.opened(data) as archive:
            if SUMS in archive.namelist():
                return _release(archive)
    except zipfile.BadZipFile:
        raise _bad("it is neither a release container, an .sb2 file nor an nRF52 package") from None
    image = _nrf52(data, "", "")
    return Release(image.product, image.full_version, (image,))


# --- the container ------------------------------------------------------------------------


def _release(archive: zipfile.ZipFile) -> Release:
    sums = _sums(_member(archive, SUMS))
    manifest = _manifest(_summed(archive, MANIFEST, sums))
    product, version = str(manifest["device"]), str(manifest["version"])
    if product not in (NITROKEY3, PASSKEY):
        raise _bad(f"it is for another product, {product[:40]!r}")
    if len(version) > LONGEST or of_text(version) is None:
        raise _bad("its manifest tells no version")
    for name in manifest["images"].values():
        _summed(archive, name, sums)  # those for chips that we do not know, too
    makers = {Chip.LPC55: _lpc55, Chip.NRF52: _nrf52}
    images = tuple(
        makers[chip](_summed(archive, manifest["images"][chip], sums), product, version)
        for chip in Chip
        if chip in manifest["images"]
    )
    if not images:
        raise _bad("it holds no image for a chip that we know")
    return Release(product, version, images)


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
        names = dict(found["images"])
        whole = all(isinstance(word, str) for word in (found["device"], found["version"], *names))
    except (ValueError, TypeError, KeyError, RecursionError):
        whole = False
    if not whole or not all(isinstance(name, str) for name in names.values()):
        raise _bad("its manifest cannot be read")
    return {**found, "images": names}


def _sums(data: bytes) -> dict[str, str]:
    lines = data.decode("utf-8", "replace").splitlines()
    found = (SUM.fullmatch(line.rstrip()) for line in lines)
    return {line[2]: line[1].lower() for line in found if line is not None}


def _summed(archive: zipfile.ZipFile, name: str, sums: dict[str, str]) -> bytes:
    data = _member(archive, name)
    if sums.get(name) != hashlib.sha256(data).hexdigest():
        raise _bad(f"{name[:60]} in it is not what its sha256sums says: it is damaged")
    return data


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return nrfpackage.member(archive, name)
    except (KeyError, zipfile.BadZipFile):
        raise _bad(f"{name[:60]} is missing in it, or damaged") from None


# --- its images ---------------------------------------------------------------------------


def _lpc55(data: bytes, product: str, told: str) -> Image:
    if product != NITROKEY3:
        raise _bad(f"a {product} has no LPC55")
    read = sb2.read(data)
    vendors = read.root_keys_hash == ROOT_KEYS_HASH
    return Image(
        chip=Chip.LPC55,
        product=product,
        version=_agreed(read.version, told),
        full_version=told or str(read.version),
        signed_by="Nitrokey" if vendors else "",
        official=vendors,
        sha256=hashlib.sha256(data).hexdigest(),
        sent=data,
        sb2=read,
    )


def _nrf52(data: bytes, product: str, told: str) -> Image:
    read = nrfpackage.read(data)
    if read.hardware != nrfpackage.HARDWARE:
        raise _bad(f"it is for other hardware ({read.hardware}, not {nrfpackage.HARDWARE})")
    signer = read.signer
    if signer is not None and product not in ("", signer.product):
        raise _bad(f"its nRF52 image is signed for the {signer.product}, not for the {product}")
    return Image(
        chip=Chip.NRF52,
        product=product or (signer.product if signer else ""),
        version=_agreed(read.version, told),
        full_version=told or str(read.version),
        signed_by=signer.name if signer else "",
        official=signer is not None and signer.official,
        sha256=hashlib.sha256(data).hexdigest(),
        sent=read.image,
        init=read.init,
    )


def _agreed(found: Version, told: str) -> Version:
    """The image's own version; a container that tells another one is not trusted."""
    claimed = of_text(told) if told else found
    if claimed != found:
        raise _bad(f"it says {told[:30]}, but the image in it is {found}")
    return found


def _bad(why: str) -> GateClosed:
    return GateClosed(f"This file cannot be used: {why}.", sb2.UNTOUCHED)
