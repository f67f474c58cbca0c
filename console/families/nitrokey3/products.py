"""The products of this family: one row each, and how each of their faces looks on the bus.

The rule: an identity stands here once. Advice is given for a chip that is known, never before.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.events import Device
from console.families.nitrokey3.container import CHIP_NAMES, Chip
from console.families.nitrokey3.signers import NITROKEY3, PASSKEY

__all__ = ("CHIP_NAMES", "PRODUCTS", "USUAL_RATE", "VENDOR", "Product")
VENDOR = "20a0"
USUAL_RATE = {Chip.LPC55: 50_000.0, Chip.NRF52: 12_000.0}
"""Bytes a second that a write usually goes at."""


@dataclass(frozen=True)
class Product:
    """One product. `loaders` are the product ids of its bootloaders, by the chip that has them."""

    name: str
    short: str
    app: str
    loaders: tuple[tuple[Chip, str], ...]

    def mode_of_app(self) -> str:
        return f"app-{self.app}"

    def modes_of_loaders(self, chip: Chip | None = None) -> tuple[str, ...]:
        """The modes in which its bootloader may show; of one chip only, where that is known."""
        return tuple(f"{kind}-{pid}" for kind, pid in self.loaders if chip in (None, kind))

    def loader_ids(self, chip: Chip | None = None) -> tuple[str, ...]:
        """The same as USB identities, such as 20a0:42dd."""
        return tuple(f"{VENDOR}:{pid}" for kind, pid in self.loaders if chip in (None, kind))

    @property
    def app_id(self) -> str:
        return f"{VENDOR}:{self.app}"


PRODUCTS = (
    Product(NITROKEY3, "Nitrokey 3", "42b2", ((Chip.LPC55, "42dd"), (Chip.NRF52, "42e8"))),
    Product(PASSKEY, "Passkey", "42f3", ((Chip.NRF52, "42f4"),)),
)


def product_of(device: Device) -> Product | None:
    """The product that shows itself so; None if it is none of them."""
    if device.vid != VENDOR:
        return None
    return next((row for row in PRODUCTS if device.pid in _faces(row)), None)


def chip_of(device: Device) -> Chip | None:
    """The chip, where the identity alone tells it: in the bootloader, or with one chip only."""
    product = product_of(device)
    if product is None:
        return None
    chips = {
        kind for kind, pid in product.loaders if pid == device.pid or len(product.loaders) == 1
    }
    return next(iter(chips), None)


def in_bootloader(device: Device) -> bool:
    product = product_of(device)
    return product is not None and device.pid != product.app


def _faces(product: Product) -> tuple[str, ...]:
    return (product.app, *(pid for _, pid in product.loaders))
