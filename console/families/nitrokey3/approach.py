"""What every flow begins with: what is it, which chip has it, what does it tell of itself.

The rule: the least that answers is asked, and nothing here changes the key. A key that runs its
firmware is asked through its admin app, one in its bootloader through that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from console.errors import GateClosed, Refused
from console.families.nitrokey3.admin import TOUCH_WINDOW, Admin, over_card, over_ctaphid
from console.families.nitrokey3.container import Chip
from console.families.nitrokey3.ctaphid import Ctap, OnTouch
from console.families.nitrokey3.mboot import Mboot, Property
from console.families.nitrokey3.nrfdfu import NoVersion, SecureDfu
from console.families.nitrokey3.products import (
    PRODUCTS,
    Product,
    chip_of,
    in_bootloader,
    product_of,
)
from console.families.nitrokey3.rules import Found
from console.flow import Step
from console.guide import Guide

IDENTIFY = Step("identify", "Ask it what it is and what it runs", usual="under 1 s")
SAFE = "Nothing is written. Pulled and plugged in, it starts as it did before."


def product(guide: Guide) -> Product:
    """The product in hand; a Nitrokey 3 while it is not shown."""
    return product_of(guide.device) or PRODUCTS[0]


def identify(guide: Guide) -> Found:
    """What the key tells of itself, in whichever mode it is. Raises a DeviceError."""
    if not in_bootloader(guide.device):
        with admin(guide) as app:
            return from_app(guide, app)
    if chip_of(guide.device) is Chip.LPC55:
        return _from_mboot(guide)
    return _from_dfu(guide)


@contextmanager
def admin(guide: Guide) -> Iterator[Admin]:
    """The key's admin app: over HID, or over its card where it shows no HID here."""
    if any(node.kind == "hidraw" for node in guide.device.nodes) or not guide.device.cards:
        with guide.hid() as hid:
            yield Admin(over_ctaphid(Ctap(hid)))
    else:
        with guide.card() as card, card.transaction():
            yield Admin(over_card(card))


def from_app(guide: Guide, app: Admin) -> Found:
    version, full = app.version()
    status = app.status()
    chip = (status.chip if status else None) or chip_of(guide.device)
    return Found(product(guide), chip, app.uuid(), version, full, status)


def _from_mboot(guide: Guide) -> Found:
    with guide.hid() as line:
        chip = Mboot(line, guide.pause)
        told = [f"bootloader {mboot_version(chip.told(Property.CURRENT_VERSION))}"]
        target = chip.told(Property.TARGET_VERSION)
        told += [f"target {mboot_version(target)}"] if target else []
        sealed = chip.sealed()
        told += [] if sealed is None else ["sealed" if sealed else "not sealed"]
        uuid = chip.unique_id()
    return Found(product(guide), Chip.LPC55, uuid, loader=True, told=", ".join(told))


def mboot_version(words: tuple[int, ...]) -> str:
    """ "K3.0.0" from the word: a letter, then three numbers, the highest byte first."""
    if not words:
        return "of a version not told"
    mark, major, minor, fix = words[0].to_bytes(4, "big")
    return f"{chr(mark) if chr(mark).isalnum() else '?'}{major}.{minor}.{fix}"


def _from_dfu(guide: Guide) -> Found:
    with guide.serial() as line:
        loader = SecureDfu(line, guide.seconds)
        loader.wake()
        loader.prepare()
        holds = loader.holds()
    # Its serial is the bootloader's own: no UUID, but all that names it there.
    version = None if isinstance(holds, NoVersion) else holds
    told = f"it holds firmware {version}" if version else str(holds)
    serial = guide.device.serial.upper()
    full = str(version) if version else ""
    return Found(product(guide), Chip.NRF52, serial, version, full, loader=True, told=told)


@contextmanager
def touched(
    guide: Guide, what: str, safe: str = SAFE, window: float = TOUCH_WINDOW
) -> Iterator[OnTouch]:
    """What to hand to a command that needs a touch: the person is told when the key waits.

    `window` is the time (seconds) that the key gives for it.
    """
    with ExitStack() as waiting:
        asked: list[bool] = []

        def on_touch() -> None:
            if not asked:
                asked.append(True)
                wait = guide.touch(what, window=window, since="now", safe=safe)
                waiting.enter_context(wait)

        yield on_touch


@dataclass(frozen=True)
class Identity:
    """What is typed for consent to a write, and the sentence that asks for it."""

    typed: str
    sentence: str


def known_by(guide: Guide, found: Found) -> Identity:
    """The last four of its id; the USB id of a key that tells none, if it is the only one here.

    Raises GateClosed where that would not name one key.
    """
    if found.uuid:
        four = found.uuid[-4:]
        return Identity(four, f"Its id ends in {four}. Type these four")
    if [known.port for known in guide.present if product_of(known)] != [guide.device.port]:
        raise GateClosed(
            "The key tells no id, so I cannot be sure that it is the one that you mean.",
            "Nothing is written. Pull every other key, then run again.",
        )
    usb = f"{guide.device.vid}:{guide.device.pid}"
    return Identity(usb, f"It tells no id and is the only key here. Type its USB id, {usb},")


def is_untouched(error: Refused) -> bool:
    """Did the key refuse because nobody touched it?"""
    return error.code == "touch"
