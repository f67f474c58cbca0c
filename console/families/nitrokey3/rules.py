"""What may be written on what: versions, signers, migrations. Pure.

The rule: each rule is the vendor's own, said as a sentence; what needs somebody's word names the
question, and what would strand the key is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.errors import GateClosed
from console.families.nitrokey3.admin import Status
from console.families.nitrokey3.container import Chip, Image
from console.families.nitrokey3.products import CHIP_NAMES, Product
from console.families.nitrokey3.version import Version

UNTOUCHED = "Nothing is written, and the key is as it was."
STATUS_SINCE = Version(1, 3, 1)
OLD_STORE, NEW_STORE = Version(1, 2, 2), Version(1, 3, 0)
INTERNAL_STORE = Version(1, 8, 2)
LEAST_BLOCKS = 5
BACK, MIGRATING = 30.0, 250.0
"""Seconds until the firmware is back; with a store to convert it takes up to 3 minutes."""


@dataclass(frozen=True)
class Found:
    """What is known of the key: "" and None is what it did not tell."""

    product: Product
    chip: Chip | None
    uuid: str = ""
    version: Version | None = None
    full_version: str = ""
    status: Status | None = None
    loader: bool = False

    @property
    def sentence(self) -> str:
        chip = CHIP_NAMES[self.chip] if self.chip else "chip not told"
        told = [chip, f"UUID ..{self.uuid[-4:]}" if self.uuid else "no UUID told"]
        told += [f"runs {self.full_version}"] if self.full_version else []
        told += ["in its bootloader"] if self.loader else []
        return ", ".join(told)


def check_product(image: Image, found: Found) -> None:
    """Raises GateClosed where the image is for another product."""
    if image.product and image.product != found.product.name:
        raise GateClosed(
            f"The image is for the {image.product}, and this is a {found.product.name}.", UNTOUCHED
        )


def check_steps(image: Image, found: Found) -> None:
    """Raises GateClosed where another version has to come first, or room has to be made."""
    if found.loader or found.version is None:
        return
    if found.status is None and image.version > STATUS_SINCE:
        raise GateClosed(
            f"Its firmware {found.version} is too old to be taken straight to {image.version}.",
            f"{UNTOUCHED} Flash {STATUS_SINCE} first, then this one.",
        )
    free = found.status.free_internal if found.status else None
    converts = found.version < INTERNAL_STORE <= image.version
    if converts and free is not None and free < LEAST_BLOCKS:
        raise GateClosed(
            f"{image.version} converts its store, and only {free} of the {LEAST_BLOCKS} blocks "
            "that this takes are free.",
            f"{UNTOUCHED} Delete passkeys or one-time passwords that nobody needs, then run again.",
        )


def migrates(image: Image, found: Found) -> bool:
    """Is its store converted at the first start, which takes minutes?"""
    old = found.version is None or found.version <= OLD_STORE
    return image.chip is Chip.NRF52 and old and image.version >= NEW_STORE


def back_within(image: Image, found: Found) -> float:
    """Seconds until its firmware must be back."""
    return MIGRATING if migrates(image, found) else BACK


def is_downgrade(image: Image, found: Found) -> bool:
    """Older than what runs on it? Pre-releases of one version count as that version."""
    return found.version is not None and image.version < found.version


def loses(image: Image) -> str:
    """What the write costs, as a sentence."""
    if image.sb2 is None:
        return "The firmware is replaced; passkeys and OpenPGP keys stay."
    areas = ", ".join(f"0x{area.start:X} to 0x{area.stop:X}" for area in image.sb2.erases)
    return f"The firmware is replaced ({areas} is erased); passkeys and OpenPGP keys stay."
