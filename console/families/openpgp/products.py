"""The products that carry an OpenPGP card: how they are told apart, how fast they are, what stays.

The rule: tables. Nothing is sent to recognise one: USB ids, or the historical bytes of the ATR.
What a card says of itself comes before what its shell says.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.events import Device
from console.families.openpgp.algorithms import Algorithm
from console.families.openpgp.client import Seen
from console.families.openpgp.objects import FSIJ, NITROKEY, YUBICO, ZEITCONTROL

CARD_INTERFACE = "0b"
"""The USB class of readers (CCID), as the first digits of an interface's code."""
GNUK_FUNCTIONS = bytes.fromhex("318473800180")
"""What Gnuk's historical bytes say between the category and the life cycle."""

_OTP_STAYS = "Its one-time passwords and its password safe are not wiped by this."
_NO_UPDATE = "Its card cannot be given other firmware; no maker offers any."


@dataclass(frozen=True)
class Product:
    """One product: its mode's name, its USB ids ("" where a card tells), its words."""

    mode: str
    name: str
    vid: str
    pid: str
    flash: str
    stays: str = ""


PRODUCTS = (
    Product("crypto-stick", "Crypto Stick", "20a0", "4107", _NO_UPDATE),
    Product(
        *("nitrokey-pro", "Nitrokey Pro", "20a0", "4108"),
        f"{_NO_UPDATE} The stick around it is updated with Nitrokey's own program.",
        _OTP_STAYS,
    ),
    Product(
        *("nitrokey-storage", "Nitrokey Storage", "20a0", "4109"),
        f"{_NO_UPDATE} The stick around it is updated with Nitrokey's own program.",
        f"{_OTP_STAYS} Nor are its encrypted volumes.",
    ),
    Product(
        *("nitrokey-start", "Nitrokey Start", "20a0", "4211"),
        "An update of a Nitrokey Start needs its admin PIN and erases all keys: it is done with "
        "Nitrokey's own program.",
    ),
    Product(
        *("gnuk", "Gnuk token", "234b", "0000"),
        "Gnuk is written with the programs of its own project; that erases all keys.",
    ),
    Product(
        *("nitrokey-3", "Nitrokey 3", "20a0", "42b2"),
        "The OpenPGP application is part of the Nitrokey 3's firmware: update the device itself.",
        "Its passkeys, passwords and one-time passwords are not wiped by this.",
    ),
    Product(
        *("yubikey", "YubiKey", "1050", ""),
        "The firmware of a YubiKey cannot be changed, not even by its maker.",
        "Its other applications (FIDO, PIV, OTP) are not wiped by this.",
    ),
)
CARD = Product("card", "OpenPGP card", "", "", _NO_UPDATE)
YUBIKEY_ATRS = (
    "3bfc1300008131fe15597562696b65794e454f7233e1",
    "3bf81300008131fe15597562696b657934d4",
    "3bfd1300008131fe158073c021c057597562694b657940",
)
FIRST_CARD_ATR = "3bfa1300ff813180450031c173c00100009000b1"


def product_of(device: Device) -> Product:
    """The product by its ids; the bare card where a reader says nothing."""
    for product in PRODUCTS:
        if device.vid == product.vid and product.pid in ("", device.pid):
            return product
    return CARD


def is_product(product: Product, device: Device) -> bool:
    """Is it this product, with its reader open? A bootloader of the same maker has none."""
    ids = device.vid == product.vid and product.pid in ("", device.pid)
    has_reader = any(code.startswith(CARD_INTERFACE) for code in device.interfaces)
    return ids and (product.vid != "1050" or has_reader or bool(device.cards))


def holds_card(device: Device) -> bool:
    """Does a card in it look like an OpenPGP card, by its answer to reset alone?"""
    return any(looks_like_one(card.atr) for card in device.cards)


def card_in(device: Device) -> str:
    """The reader whose card looks like one; "" leaves the choice where none does."""
    return next((card.reader for card in device.cards if looks_like_one(card.atr)), "")


def looks_like_one(atr: str) -> bool:
    """A known answer to reset, or historical bytes as the specification has them (6.2).

    Category 00, card service 31, functions 73, life cycle, 9000; nothing more.
    """
    if atr in (FIRST_CARD_ATR, *YUBIKEY_ATRS):
        return True
    try:
        found = historical_bytes(bytes.fromhex(atr))
    except ValueError:
        return False
    whole = len(found) == 10 and (found[0], found[1], found[3]) == (0x00, 0x31, 0x73)
    return whole and found[8:] == b"\x90\x00"


def historical_bytes(atr: bytes) -> bytes:
    """The historical bytes of an answer to reset (ISO 7816-3, 8.2); empty where it is cut off."""
    if len(atr) < 2:
        return b""
    size, more, at = atr[1] & 15, atr[1] >> 4, 2
    while more:
        at += bin(more & 7).count("1")
        if not more & 8:
            break
        if at >= len(atr):
            return b""
        more, at = atr[at] >> 4, at + 1
    found = atr[at : at + size]
    return found if len(found) == size else b""


# --- what the card itself says ------------------------------------------------------------------


@dataclass(frozen=True)
class Traits:
    """What is special about this very card."""

    product: Product
    seen: Seen

    @property
    def maker(self) -> int:
        return self.seen.data.aid.maker

    @property
    def is_gnuk(self) -> bool:
        """Gnuk: writing any key puts the user PIN back to its default and removes the reset code.

        Its admin PIN may be unset; then the user PIN does its work.
        """
        functions = self.seen.data.historical.raw[1:7]
        by_ids = self.product.mode in ("nitrokey-start", "gnuk")
        return self.maker == FSIJ or by_ids or functions == GNUK_FUNCTIONS

    def can_make(self, algorithm: Algorithm) -> bool:
        """Gnuk offers RSA-4096 for imports; making one there fails by design."""
        return not (self.is_gnuk and algorithm.bits > 3072)

    def may_know(self, algorithm: Algorithm) -> bool:
        """Could it have this, as far as its version and maker tell? For cards without FA."""
        if algorithm.curve is None:
            return True
        others = ("ed25519", "x25519", "secp256k1")
        by_maker = self.maker != ZEITCONTROL or algorithm.curve.word not in others
        return self.seen.data.aid.version >= (3, 0) and by_maker

    def usual(self, algorithm: Algorithm) -> tuple[int, int]:
        """Seconds from and to, in which this card mostly makes such a key."""
        if algorithm.curve is not None:
            return 1, 10
        for maker, table in _PACE.items():
            if self.maker == maker or (maker == FSIJ and self.is_gnuk):
                return table.get(algorithm.bits, (1, 900))
        return _ANY_PACE.get(algorithm.bits, (1, 900))


_PACE = {
    ZEITCONTROL: {2048: (20, 120), 3072: (60, 240), 4096: (300, 900)},
    FSIJ: {2048: (60, 180)},
    YUBICO: {2048: (1, 10), 3072: (2, 30), 4096: (10, 60)},
    NITROKEY: {2048: (1, 60), 3072: (5, 180), 4096: (10, 300)},
}
_ANY_PACE = {2048: (1, 120), 3072: (5, 240), 4096: (10, 900)}


def span_words(usual: tuple[int, int]) -> str:
    """Two times for people: 20 s to 2 min."""
    return " to ".join(_time_words(seconds) for seconds in usual)


def _time_words(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
