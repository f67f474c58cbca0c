"""The write itself, from the first byte until the firmware is back or has not come.

The rule: what it costs when it is broken off is named before each part of it, and an answer that
is lost is looked up in what the key does next.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.errors import Garbled, Refused, Silent
from console.events import Damage, Device
from console.families.nitrokey3 import rules
from console.families.nitrokey3.approach import SAFE
from console.families.nitrokey3.container import Chip, Image
from console.families.nitrokey3.mboot import Mboot, Property, head_of
from console.families.nitrokey3.nrfdfu import SecureDfu
from console.families.nitrokey3.products import USUAL_RATE
from console.families.nitrokey3.rate import Rate
from console.families.nitrokey3.rules import Found
from console.families.nitrokey3.walk import until_back
from console.flow import Step
from console.guide import Guide, Reconnect
from console.hardware.lines import HidLine, SerialLine

FINAL, FINAL_TIMES = 60.0, 5
"""Seconds that are waited for the final answer before something is said, and how many times."""
BY_HAND = 600.0
"""Seconds for hands: to pull it and plug it in."""

_GONE = (
    "If it is pulled now, its firmware is gone and its bootloader is most likely "
    "alive: it comes back as {loader} and can be written again from the start."
)
_ALIVE = _GONE.format(loader="a bootloader")

HEAD = Step("head", "Hand over its signature", usual="under 1 s", undoable=False, safe=SAFE)
WRITE = Step(
    "write",
    "Write the image",
    usual="10 to 60 s",
    undoable=False,
    damage=Damage.HALF,
    safe=_ALIVE,
)
ANSWER = Step(
    "answer",
    "Its own answer to all of it",
    usual="mostly 5 s; I wait 60 s and more",
    undoable=False,
    damage=Damage.HALF,
    safe="All sent is not done. " + _ALIVE,
)
BACK = Step(
    "back",
    "Wait for its firmware",
    usual="5 s; converting: up to 3 min",
    undoable=False,
    damage=Damage.HALF,
    safe="Leave it plugged in while its light is on.",
)


@dataclass
class Reach:
    """How far a write came: False until the device has taken what it checks before it erases."""

    erasing: bool = False


def write(guide: Guide, image: Image, before: Found, reach: Reach) -> None:
    """All of the write, until the firmware is back or has not come."""
    app = before.product.mode_of_app()
    if image.chip is Chip.LPC55:
        with guide.hid() as hid:
            _stream(guide, image, hid, reach)
            with guide.expect(app, what="its firmware") as back:
                guide.step(BACK, _start, guide, hid, back, image, before, found=_came)
    else:
        # It starts the firmware by itself with the last object, so the wait is armed before.
        with guide.expect(app, what="its firmware") as back:
            with guide.serial() as serial:
                _objects(guide, image, serial, reach)
            guide.step(BACK, _awaited, guide, back, image, before, found=_came)


@dataclass
class _Watched:
    """Progress of a write, and a word when it is far too slow."""

    guide: Guide
    rate: Rate
    reach: Reach

    percent: int = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // total
        if percent != self.percent:  # thousands of reports: no screen shows more than this
            self.percent = percent
            self.guide.progress("Writing the image", done, total)
        slow = self.rate.slow(self.guide.seconds(), done)
        if slow is not None:
            self.guide.tell(
                f"It is slow: {slow / 1000:.1f} kB/s, usual is {self.rate.usual / 1000:.0f} kB/s.",
                "Leave it plugged in; it goes on. A hub or a guest in between is the usual cause.",
            )


def _stream(guide: Guide, image: Image, line: HidLine, reach: Reach) -> None:
    assert image.sb2 is not None
    loader = Mboot(line, guide.pause)
    watch = _Watched(guide, Rate(USUAL_RATE[image.chip]), reach)
    largest = guide.step(
        HEAD, _head, loader, image, watch, found=lambda size: f"with it, {size} bytes a report"
    )
    start = min(head_of(image.sb2.pause_at, largest), len(image.sent))
    guide.step(WRITE, _rest, loader, image, start, largest, watch, found=lambda _: _all(image))
    guide.step(ANSWER, _final, guide, loader, found=str)


def _head(loader: Mboot, image: Image, watch: _Watched) -> int:
    """Everything up to the boot section; nothing is erased by it."""
    assert image.sb2 is not None
    largest = loader.largest()
    loader.begin(len(image.sent))
    end = min(head_of(image.sb2.pause_at, largest), len(image.sent))
    loader.stream(image.sent, 0, end, largest, watch)
    return largest


def _rest(loader: Mboot, image: Image, start: int, largest: int, watch: _Watched) -> None:
    loader.verified()
    watch.reach.erasing = True
    loader.stream(image.sent, start, len(image.sent), largest, watch)


def _all(image: Image) -> str:
    return f"all {len(image.sent) // 1000} kB with it; not done yet"


def _final(guide: Guide, loader: Mboot) -> str:
    for number in range(1, FINAL_TIMES + 1):
        try:
            return loader.final(FINAL)
        except Silent:
            if number < FINAL_TIMES:
                guide.tell(
                    f"It has taken all bytes and has not answered for {number * FINAL:.0f} s.",
                    "Leave it plugged in: it may still be writing. I go on waiting.",
                )
    return _mute(loader)


def _mute(loader: Mboot) -> str:
    """No final answer at all: one that answers something else is started, and what comes tells."""
    try:
        loader.told(Property.CURRENT_VERSION)
    except (Silent, Garbled):
        raise Silent(
            f"It has taken all bytes and has said nothing for {FINAL_TIMES * FINAL:.0f} s.",
            "Pull it, wait 5 s, plug it into the computer itself, then run flash again.",
            waited=FINAL_TIMES * FINAL,
        ) from None
    return "its answer was lost; it is alive"


def _start(
    guide: Guide, line: HidLine, back: Reconnect, image: Image, before: Found
) -> Device | None:
    try:
        guide.tell(Mboot(line, guide.pause).reset())
    except Refused as error:
        guide.tell(error.sentence, "It does not start anew by itself: by hand, then.")
        hands = ("Pull it out.", "Plug it back in, same port.")
        return back.wait(limit=BY_HAND, usual=15.0, hands=hands, safe=BACK.safe)
    return _awaited(guide, back, image, before)


def _objects(guide: Guide, image: Image, line: SerialLine, reach: Reach) -> None:
    loader = SecureDfu(line, guide.seconds)
    watch = _Watched(guide, Rate(USUAL_RATE[image.chip]), reach)
    guide.step(HEAD, _offer, loader, image, found=_offered)
    guide.step(WRITE, _send, guide, loader, image, watch, found=lambda _: _all(image))
    guide.step(ANSWER, loader.finish, image.sent, watch, found=_finished)


def _offer(loader: SecureDfu, image: Image) -> bool:
    loader.wake()
    loader.prepare()
    return loader.offer_init(image.init)


def _offered(known: bool) -> str:
    return "it has had this one before" if known else "it has taken it"


def _send(guide: Guide, loader: SecureDfu, image: Image, watch: _Watched) -> None:
    loader.accept_init()
    watch.reach.erasing = True
    held = loader.resume(image.sent)
    if held.held:
        share = 100 * held.held // held.total
        guide.tell(f"It holds {share} % of this image already; I go on from there.")
    loader.send_image(image.sent, watch, guide.tell)


def _finished(said: bool) -> str:
    return "it says that all of it is good" if said else "it left with the last piece"


def _awaited(guide: Guide, back: Reconnect, image: Image, before: Found) -> Device | None:
    usual = 180.0 if rules.migrates(image, before) else 5.0
    limit = rules.back_within(image, before)
    return until_back(guide, back, before.product, limit, usual, BACK.safe)


def _came(device: Device | None) -> str:
    return "its firmware is back" if device else "it did not come back"
