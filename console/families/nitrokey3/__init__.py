"""Nitrokey 3 and Nitrokey Passkey: two chips, two bootloaders, one family."""

from collections.abc import Iterator

from console.families import DeadEnd, Family, Mode
from console.families.nitrokey3.check import CHECK
from console.families.nitrokey3.flash import FLASH
from console.families.nitrokey3.products import CHIP_NAMES, PRODUCTS, VENDOR, Product
from console.families.nitrokey3.rehearse import REHEARSE
from console.families.nitrokey3.reset import RESET


def _modes(product: Product) -> Iterator[Mode]:
    yield Mode(
        name=product.mode_of_app(),
        vid=VENDOR,
        pid=product.app,
        title=product.name,
        shown="app",
        about="Its firmware is running.",
        next="Check asks it how it is. Which chip it has, only it can tell.",
    )
    for chip, pid in product.loaders:
        yield Mode(
            name=f"{chip}-{pid}",
            vid=VENDOR,
            pid=pid,
            title=f"{product.name} with {CHIP_NAMES[chip]}",
            shown="bootloader",
            about="Often: an update was begun and not finished. FLASH finishes it.",
            next=f"Have ready the image for {CHIP_NAMES[chip]}. Passkeys and OpenPGP keys stay.",
            begun="An update of its firmware, most often: it waits in its bootloader.",
        )


DEAD = DeadEnd(
    signs=(
        "A light, in any colour: it is alive. Leave it plugged in for 3 minutes: it may convert "
        "its store.",
        "No light: write down for how long it was left plugged in.",
    ),
    buttons=(
        "Pull it out, wait 5 s, plug it into the computer itself.",
        "In a virtual machine: plug it into the host, with the machine shut down.",
        "Leave it there for 3 minutes; touch it once.",
    ),
    lost="Return it to the vendor: its firmware and its bootloader cannot be reached without USB. "
    "Write the ticket, with this record as evidence: replug ticket last",
)

FAMILY = Family(
    name="nitrokey3",
    title="Nitrokey 3",
    modes=tuple(mode for product in PRODUCTS for mode in _modes(product)),
    flows=(CHECK, FLASH, REHEARSE, RESET),
    dead=DEAD,
    lines=("hidraw", "card", "tty"),
)
