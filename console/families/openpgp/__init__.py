"""OpenPGP cards: whatever carries the application, told apart by what it answers."""

from collections.abc import Callable, Iterator

from console.events import Device
from console.families import Family, Mode
from console.families.openpgp import products, reset, unblock
from console.families.openpgp.check import CHECK
from console.families.openpgp.flash import FLASH
from console.families.openpgp.products import CARD, PRODUCTS, Product
from console.families.openpgp.rekey import REKEY
from console.families.openpgp.restore import RESTORE

ABOUT = "Its keys never leave it. I sent it nothing yet."
NEXT = "Check it first: that costs no PIN try."


def _modes() -> Iterator[Mode]:
    for product in PRODUCTS:
        yield Mode(
            name=product.mode,
            vid="",
            pid="",
            title=product.name,
            shown="card",
            about=ABOUT,
            next=NEXT,
            when=_is(product),
        )
    title = f"{CARD.name} in a reader"
    yield Mode(CARD.mode, "", "", title, "card", ABOUT, NEXT, when=products.holds_card)


def _is(product: Product) -> Callable[[Device], bool]:
    return lambda device: products.is_product(product, device)


FAMILY = Family(
    name="openpgp",
    title="OpenPGP cards",
    modes=tuple(_modes()),
    flows=(CHECK, reset.FLOW, REKEY, RESTORE, unblock.FLOW, FLASH),
    lines=("card",),
)
