"""What may be written on what: versions, signers, migrations. Pure.

The rule: each rule is the vendor's own, said as a sentence; what needs somebody's word names the
question, and what would strand the key is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from console.errors import GateClosed
from console.families.nitrokey3.admin import Status
from console.families.nitrokey3.container import Chip, Image
from console.families.nitrokey3.products import CHIP_NAMES, Product
from console.families.nitrokey3.sb2 import Sb2
from console.families.nitrokey3.signers import NITROKEY3
from console.families.nitrokey3.version import Version, suffix

UNTOUCHED = "Nothing is written, and the key is as it was."
STATUS_SINCE = Version(1, 3, 1)
OLD_STORE, NEW_STORE = Version(1, 2, 2), Version(1, 3, 0)
INTERNAL_STORE = Version(1, 8, 2)
LEAST_BLOCKS = 5
STORE = range(0x93000, 0x9DE00)
"""Where the LPC55's firmware keeps its file system, which a release does not erase."""
SPANS = 3
"""Areas that are named one by one."""
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
    told: str = ""
    """What its bootloader tells of itself, as words."""

    @property
    def sentence(self) -> str:
        chip = CHIP_NAMES[self.chip] if self.chip else "chip not told"
        # The nRF52's bootloader tells a serial of its own, which is not the UUID.
        kind = "serial" if self.loader and self.chip is Chip.NRF52 else "UUID"
        told = [f"{chip} bootloader" if self.loader else chip]
        told += [f"{kind} ..{self.uuid[-4:]}" if self.uuid else f"no {kind} told"]
        verb = "holds" if self.loader else "runs"
        told += [f"{verb} {self.full_version}"] if self.full_version else []
        return ", ".join(told)


def check_product(image: Image, found: Found) -> None:
    """Raises GateClosed where the image is for another product."""
    if image.product and image.product != found.product.name:
        raise GateClosed(
            f"The image is for the {image.product}, and this is a {found.product.name}.", UNTOUCHED
        )


def check_steps(image: Image, found: Found) -> None:
    """Raises GateClosed where another version has to come first, or room has to be made."""
    if found.loader or found.version is None or found.product.name != NITROKEY3:
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
    """Is its store converted at the first start, which takes minutes? A Nitrokey 3's alone is."""
    if found.product.name != NITROKEY3:
        return False
    old = found.version is None or found.version <= OLD_STORE
    return image.chip is Chip.NRF52 and old and image.version >= NEW_STORE


def back_within(image: Image, found: Found) -> float:
    """Seconds until its firmware must be back."""
    return MIGRATING if migrates(image, found) else BACK


def is_downgrade(image: Image, found: Found) -> bool:
    """Older than what runs on it? Pre-releases of one version count as that version."""
    return found.version is not None and image.version < found.version


def runs(image: Image, before: Found, now: Found) -> bool:
    """Does it run the image now, by what it says?

    Where both name more than three numbers (a test build), a name that is the old one still is
    no proof; else the numbers decide, since not all firmware tells the rest. A bare file names
    numbers only, by its form: it may be the very test build that ran before.
    """
    if now.version != image.version:
        return False
    if not image.full_version:
        return True
    more = suffix(image.full_version) or suffix(now.full_version)
    if not more or now.full_version == image.full_version:
        return True
    return not before.full_version or now.full_version != before.full_version


def loses(image: Image) -> str:
    """What the write costs, as a sentence."""
    if image.sb2 is None:
        return "The firmware is replaced; passkeys and OpenPGP keys stay."
    done = _done_to_flash(image.sb2)
    if loses_data(image):
        return f"The firmware is replaced ({done}), and WITH IT passkeys and all that is stored."
    return f"The firmware is replaced ({done}); passkeys and OpenPGP keys stay."


def loses_data(image: Image) -> bool:
    """Does the file touch the place where the LPC55's firmware keeps what is its owner's?"""
    if image.sb2 is None:
        return False
    touched = image.sb2.erases + image.sb2.writes
    return image.sb2.erases_all or any(_in_store(area) for area in touched)


def _done_to_flash(file: Sb2) -> str:
    if file.erases_all:
        return "the whole flash is erased"
    over = _spans(area for area in file.writes if _in_store(area))
    words = [f"{_spans(file.erases) or 'nothing else'} is erased"]
    return ", ".join(words + ([f"{over} is written over"] if over else []))


def _in_store(area: range) -> bool:
    return area.start < STORE.stop and STORE.start < area.stop


def _spans(areas: Iterable[range]) -> str:
    spans = [f"0x{area.start:X} to 0x{area.stop:X}" for area in areas]
    more = f" and {len(spans) - SPANS} more" if len(spans) > SPANS else ""
    return ", ".join(spans[:SPANS]) + more
