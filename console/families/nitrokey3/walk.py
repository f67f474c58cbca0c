"""From the firmware to the bootloader and back, in a guest as well: the part where keys get lost.

The rule: both identities are named before the first command; what has come is steady for 5 s and
answers twice before anything is written; and whoever waits is told whether to touch, to leave
it alone, or to attach it.
"""

from __future__ import annotations

from dataclasses import replace

from console.errors import GateClosed, Silent
from console.events import Device
from console.families.nitrokey3.approach import SAFE, admin, identify, touched
from console.families.nitrokey3.products import CHIP_NAMES, Product
from console.families.nitrokey3.rules import Found
from console.flow import Kind, Question, Step
from console.guide import Acts, Guide, Reconnect

CONFIRM_GUEST = Question(
    "confirm_guest",
    Kind.TYPED,
    "Does the host attach both identities to this guest by itself?",
)
REHEARSAL = "nitrokey3.rehearse"

BENCH = Step("bench", "See whether this bench can do it", usual="at once")
TO_LOADER = Step("loader", "To its bootloader: touch it", usual="under 20 s", safe=SAFE)
STEADY = Step("steady", "Steady for 5 s? Asked twice", usual="5 s", safe=SAFE)
STEADY_FOR = 5
LOADER_WITHIN = 30.0
GUEST_WITHIN = 600.0
ALL_WELL = "no guest; nobody else has it"


def check_bench(guide: Guide, found: Found) -> Found:
    """The step about this machine, before anything is sent; the key with the chip to wait for.

    Raises GateClosed, Unanswered.
    """
    guide.step(BENCH, lambda: None, found=lambda _: _words(guide))
    if not guide.guest:
        return found
    both = _both(found)
    ids = found.product.loader_ids(found.chip)
    if all(was_rehearsed(guide, loader) for loader in ids):
        guide.tell(f"This machine is a guest. A rehearsal on this port went well. {both}")
        return found
    guide.warn(f"This machine is a guest: the key changes its identity on the way. {both}")
    typed = _ask_guest(guide, found, both)
    chips = (chip for chip, _ in found.product.loaders if typed in found.product.loader_ids(chip))
    return replace(found, chip=next(chips))


def _ask_guest(guide: Guide, found: Found, both: str) -> str:
    """Which bootloader the host attaches; either of two where the key does not tell its chip."""
    wanted, *others = found.product.loader_ids(found.chip)
    which = f"type the bootloader's id, {wanted}."
    if others:
        either = " or ".join((wanted, *others))
        which = f"type the bootloader's id that this key has ({either}; it does not tell its chip)."
    ask = (
        f"{both} Without that the key is lost to this guest half-way. Best: do it on the host. "
        f"If both are attached by themselves, {which}"
    )
    question = replace(CONFIRM_GUEST, choices=tuple(others))
    return guide.ask(question, ask, must_type=wanted) or wanted


def note_rehearsed(guide: Guide, loader: Found) -> None:
    """Keep what a rehearsal proved: this guest was given that bootloader, and the firmware again.

    The last thing that a rehearsal does, so that one which failed leaves none.
    """
    if not guide.guest:
        return
    for one in loader.product.loader_ids(loader.chip):
        about = f"For a later run: in a guest, {one} and {loader.product.app_id} came here."
        guide.keep(_rehearsed(guide, one), one.encode(), about)


def was_rehearsed(guide: Guide, loader_id: str) -> bool:
    """Did a rehearsal in a guest on this port see that bootloader, and end well?"""
    return guide.passed(REHEARSAL) and guide.last_kept(_rehearsed(guide, loader_id)) is not None


def _rehearsed(guide: Guide, loader_id: str) -> str:
    return f"rehearsed-{guide.device.port}-{loader_id.replace(':', '-')}.txt"


def _words(guide: Guide) -> str:
    return "A GUEST; nobody else has it" if guide.guest else ALL_WELL


def _both(found: Found) -> str:
    loaders = " or ".join(found.product.loader_ids(found.chip))
    return f"The host has to attach {found.product.app_id} and then {loaders}."


def to_loader(guide: Guide, found: Found) -> None:
    """Have it start its bootloader, if it has not. Raises Silent if it did not come."""
    if found.loader:
        return
    modes = found.product.modes_of_loaders(found.chip)
    name = f"{CHIP_NAMES[found.chip]} bootloader" if found.chip else "bootloader"
    with guide.expect(*modes, what=f"its {name}") as back:
        came = guide.step(TO_LOADER, _go, guide, found, back, found=_came)
    if came is None:
        raise Silent(
            f"Its {name} did not appear. Nothing is written.",
            "Unplug it and plug it in: the old firmware starts. In a guest, have the host attach "
            f"{' or '.join(found.product.loader_ids(found.chip))} too; best, do it on the host.",
        )


def _go(guide: Guide, found: Found, back: Reconnect) -> Device | None:
    if not guide.mode.startswith("app"):
        return guide.device if guide.mode else back.wait(limit=LOADER_WITHIN, usual=2.0, safe=SAFE)
    what = f"your touch on the {found.product.short}"
    with admin(guide) as app, touched(guide, what) as on_touch:
        app.to_bootloader(on_touch)
    if not guide.guest:
        return back.wait(limit=LOADER_WITHIN, usual=2.0, safe=SAFE)
    ids = " or ".join(found.product.loader_ids(found.chip))
    hands = (f"Attach {ids} to this guest now.", "No hurry: nothing is written.")
    return back.wait(limit=GUEST_WITHIN, usual=20.0, hands=hands, safe=SAFE, acts=Acts.BRING)


def _came(device: Device | None) -> str:
    return f"{device.vid}:{device.pid} on port {device.port}" if device else "it did not appear"


def until_back(
    guide: Guide, back: Reconnect, product: Product, limit: float, usual: float, safe: str
) -> Device | None:
    """Its firmware by itself within `limit`; in a guest by hands, which are not always quick.

    The host may have let go of it once more: then somebody attaches it.
    """
    if not guide.guest:
        return back.wait(limit=limit, usual=usual, safe=safe)
    hands = (f"Attach {product.app_id} to this guest now.",)
    return back.wait(limit=GUEST_WITHIN, usual=20.0, hands=hands, safe=safe, acts=Acts.BRING)


def steady(guide: Guide) -> Found:
    """It stays for five seconds, and says the same thing twice. Raises a DeviceError."""
    return guide.step(STEADY, _steady, guide, found=lambda found: found.sentence)


def _steady(guide: Guide) -> Found:
    first = _answering(guide)
    before = guide.visits
    for second in range(STEADY_FOR):
        guide.safe_point()
        guide.progress("seconds steady", second, STEADY_FOR)
        guide.pause(1.0)
        if guide.visits != before:
            raise Silent(
                "The bootloader left while I watched it. Nothing is written.",
                "Another cable and port, no hub; in a guest, attach it once more. Then run again.",
            )
    second_time = identify(guide)
    if first != second_time:
        raise GateClosed(
            "The bootloader told two different things when asked twice. Nothing is written.",
            "Another program or another key is in the way: close and pull all others, run again.",
        )
    return second_time


def _answering(guide: Guide) -> Found:
    """Its first answer. In a guest a mute one is attached once more: that is often all it needs."""
    if not guide.guest:
        return identify(guide)
    with guide.expect(guide.mode, what="its bootloader, attached once more") as back:
        try:
            return identify(guide)
        except Silent:
            guide.tell("Its bootloader is attached and does not answer. Nothing is written.")
        hands = (
            "Have the host take it away from this guest.",
            f"Attach {guide.device.vid}:{guide.device.pid} to this guest once more.",
        )
        came = back.wait(limit=GUEST_WITHIN, usual=20.0, hands=hands, safe=SAFE, acts=Acts.BRING)
    if came is None:
        raise Silent("Its bootloader does not answer here. Nothing is written.", "Use the host.")
    return identify(guide)


def same_key(before: Found, now: Found) -> None:
    """Are they one key, by what both told? A difference between the modes is said, no more."""
    if not before.uuid or not now.uuid or before.uuid == now.uuid or before.loader != now.loader:
        return
    raise GateClosed(
        f"This is another key: its UUID ends in {now.uuid[-4:]}, ours in {before.uuid[-4:]}.",
        "Pull it; nothing was sent to it.",
    )
