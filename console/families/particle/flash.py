"""New firmware for a device, from a file or from its own factory image; read back and compared.

The rule: the file and its place are checked before the device is changed; only the pages that the
image touches are erased, each once; done is said at the read-back.
"""

from __future__ import annotations

from functools import partial

from console.errors import GateClosed
from console.events import Verdict
from console.families.particle import keys
from console.families.particle.approach import (
    DEVICE_ID,
    JOB,
    UNIT,
    WALK,
    ask_order,
    check_unit,
    in_dfu_mode,
    not_there,
    platform_of,
)
from console.families.particle.client import Memories, seen_as
from console.families.particle.image import Image
from console.families.particle.platforms import Place, Platform
from console.families.particle.private import holds_private
from console.families.particle.rekey import leave, see_it_back, with_firmware
from console.families.particle.rewrite import (
    Change,
    Stretch,
    leaving,
    one_way,
    rewrite,
    says_what_is_lost,
)
from console.families.particle.wholeness import application_size
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

IMAGE = Question("image", Kind.FILE, "The image to write (.bin, .dfu or .hex)?")
ADDRESS = Question(
    "address",
    Kind.TEXT,
    "The address of a .bin (such as 0x08005000)? Empty: where its application belongs.",
    optional=True,
)
CONFIRM = Question("confirm_erase", Kind.CONFIRM, "Erase these pages and write the image?")

_ALIVE = "Its firmware is gone until it is read back; its bootloader stays alive. Do not unplug it."
LONGEST_NAME = 200
_LOST = "Its firmware may be incomplete now; its bootloader is alive."

OPEN = Step("identify", "Identify the bootloader and its memories", usual="under 1 s")
FIT = Step("fit", "Check the image against the device", usual="at once")
FACTORY = Step("factory", "Read and check the factory image", usual="under 5 s")
ERASE = one_way("erase", "Erase the pages that the image touches", "under 20 s", _ALIVE)
WRITE = one_way("write", "Write the image", "under 30 s", _ALIVE)
COMPARE = one_way("compare", "Read the image back and compare", "under 10 s", _ALIVE)
LEAVE = leaving("The image")


@says_what_is_lost
def flash(guide: Guide) -> Outcome:
    order = ask_order(guide)
    image = Image.read(guide.ask(IMAGE) or "", guide.ask(ADDRESS))
    if not in_dfu_mode(guide):
        return not_there(platform_of(guide))
    platform = platform_of(guide)
    check_unit(guide, order)
    with guide.control() as line:
        memory = guide.step(OPEN, Memories.begin, line, guide.pause, platform, found=_about)
        changes = guide.step(FIT, image.changes, platform, memory.layouts, found=_plan)
        guide.ask(CONFIRM, f"{_plan(changes)} Image: {image.name}. {CONFIRM.ask}")
        _keep(guide, image.name, image.raw, *image.stretches())
        _put(guide, memory, "flash", changes)
        with guide.expect(platform.app.mode, what=with_firmware(platform)) as back:
            leave(guide, memory, "The image is in.", LEAVE)
    see_it_back(guide, back, "the image is written and compared", LEAVE)
    return Outcome(
        Verdict.REPAIRED,
        f"The {platform.short} has the image {image.name}, read back byte for byte.",
        "Look whether its firmware does what the customer expects.",
    )


def _about(memory: Memories) -> str:
    return memory.about


def _plan(changes: tuple[Change, ...]) -> str:
    return " ".join(_described(change) for change in changes)


def _described(change: Change) -> str:
    first = change.written[0].address
    return (
        f"{change.size} bytes go into the {change.memory} from 0x{first:X} on; "
        f"{len(change.pages)} pages are erased for them, whole. {change.remark}"
    ).rstrip()


def _keep(guide: Guide, name: str, raw: bytes, *stretches: bytes) -> None:
    """Keep what is going to be written, unless that is a secret, whatever it is packed in."""
    if any(map(holds_private, (raw, *stretches))):
        guide.tell("The image is not kept in the record: a private key lies in it.")
        return
    # A name of the disk's own length leaves no room for our word before it.
    end = name.encode()[-LONGEST_NAME:].decode(errors="ignore")
    guide.keep(f"image-{end}", raw, "The image that this run wrote.")


def _put(guide: Guide, memory: Memories, flow: str, changes: tuple[Change, ...]) -> None:
    # It may have been pulled while the question was open: better seen before the erase.
    memory.rest()
    stretch = Stretch(ERASE, WRITE, COMPARE, "Writing the image", _LOST, flow)
    rewrite(guide, memory, stretch, changes)


# --- the factory image ----------------------------------------------------------------------


@says_what_is_lost
def reset(guide: Guide) -> Outcome:
    order = ask_order(guide)
    if not in_dfu_mode(guide):
        return not_there(platform_of(guide))
    platform = platform_of(guide)
    check_unit(guide, order)
    with guide.control() as line:
        memory = guide.step(OPEN, Memories.begin, line, guide.pause, platform, found=_about)
        data = guide.step(FACTORY, _factory_image, guide, memory, found=seen_as)
        changes = _to_application(data, memory)
        guide.ask(CONFIRM, f"The factory image is sound. {_plan(changes)} {CONFIRM.ask}")
        _keep(guide, "factory.bin", data)
        _put(guide, memory, "reset", changes)
        with guide.expect(platform.app.mode, what=with_firmware(platform)) as back:
            leave(guide, memory, "The factory firmware is in.", LEAVE)
    see_it_back(guide, back, "the factory firmware is written and compared", LEAVE)
    return Outcome(
        Verdict.REPAIRED,
        f"The {platform.short} has its factory firmware again, read back byte for byte.",
        "Its keys are as they were. If it does not connect, run check.",
    )


def _factory_image(guide: Guide, memory: Memories) -> bytes:
    """The factory image without the blank that follows it. Raises GateClosed if it is none."""
    platform = memory.platform
    if platform.factory is None:
        raise GateClosed(
            f"A {platform.name} keeps no factory image that could be copied back.",
            "Nothing is written. Run flash with the vendor's image.",
        )
    at = platform.factory.place
    size = platform.application_end - platform.application
    memory.choose(platform.factory.alternate)
    told = partial(guide.progress, "Reading the factory image")
    data = memory.read(Place(at.name, at.address, size), told)
    if keys.pattern_of(data):
        raise GateClosed(
            f"The {at} is missing: {seen_as(data)}.",
            "Nothing is written. Run check to see whether its memory answers, or flash an image.",
        )
    return data[: _sound_size(data, platform)]


def _sound_size(data: bytes, platform: Platform) -> int:
    try:
        return application_size(data, platform)
    except GateClosed as error:
        raise GateClosed(
            f"The factory image is damaged. {error.sentence}",
            "Nothing is written. Run flash with the vendor's image.",
        ) from None


def _to_application(data: bytes, memory: Memories) -> tuple[Change, ...]:
    image = Image.of_bytes("factory.bin", data, memory.platform.application)
    return image.changes(memory.platform, memory.layouts)


_READY = (
    "The work order with the 24-digit device id.",
    "The device in reach: its buttons may be needed.",
)

FLASH = Flow(
    name="flash",
    title="Write firmware from a file",
    about="Checks the file and its place, erases only the pages it touches, writes it, reads it "
    "back and compares. Never into read-only memory, never where keys lie.",
    plan=(WALK, UNIT, OPEN, FIT, ERASE, WRITE, COMPARE, LEAVE),
    perform=flash,
    questions=(DEVICE_ID, JOB, IMAGE, ADDRESS, CONFIRM),
    ready=("The image: .bin, .dfu (with its suffix) or .hex.", *_READY),
    hands="buttons, if it is not in DFU mode yet",
    keeps="The image that was written.",
)

RESET = Flow(
    name="reset",
    title="Put its factory firmware back",
    about="Reads the factory image that the device keeps, checks it, copies it to where the "
    "application belongs, reads it back and compares. Keys stay as they are.",
    plan=(WALK, UNIT, OPEN, FACTORY, ERASE, WRITE, COMPARE, LEAVE),
    perform=reset,
    questions=(DEVICE_ID, JOB, CONFIRM),
    ready=_READY,
    hands="buttons, if it is not in DFU mode yet",
    keeps="The factory image that was written.",
)
