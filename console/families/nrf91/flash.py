"""A new application for the board, through MCUboot's serial recovery.

The rule: the image is checked on the host first, its digest is confirmed by the bootloader
afterwards; all bytes sent is not done. The credentials are not touched by this.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from console.errors import ConsoleError, DeviceError, GateClosed, Refused
from console.events import Damage, Device, Verdict
from console.families.nrf91.approach import (
    NOTHING,
    RUNNING,
    bootloader_port,
    find_port,
    keep,
    last_known,
    modem_at,
    tell_change,
)
from console.families.nrf91.image import MODEM_FIRMWARE, Image
from console.families.nrf91.store import Picture
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Acts, Guide, Reconnect

if TYPE_CHECKING:
    from console.families.nrf91.recovery import Recovery

LIMIT, USUAL = 300.0, 20.0
AWAKE_TRIES = 8

IMAGE = Question(
    "image", Kind.FILE, "The signed application (app_update.bin, or .hex)? It replaces the present."
)

HANDS = (
    "Switch it off.",
    "Thingy:91: hold SW3, the big black button (SW4 is the other chip's). A kit: its button 1.",
    "Switch it on and keep holding for 3 s.",
    "Let go. Its light stays off or steady: that is right.",
)
_GONE = "Its application is gone until the digest is confirmed; the bootloader stays alive."

CHECK_IMAGE = Step("image", "Check the image", usual="at once")
SEEK = Step("seek", "Look for the bootloader on its ports", usual="under 5 s")
BEFORE = Step("before", "Take the picture of its credentials", usual="if AT is passed")
WALK = Step("walk", "Bring it into its bootloader", usual="under 20 s")
UPLOAD = Step(
    "upload",
    "Write the application",
    usual="1 min for 400 kB",
    undoable=False,
    damage=Damage.HALF,
    safe=_GONE,
)
CONFIRM = Step(
    "digest",
    "Have it confirm the digest",
    usual="under 5 s",
    undoable=False,
    damage=Damage.HALF,
    safe=_GONE,
)
_IN = "The application is in. You can pull it."
LEAVE = Step("leave", "Start the application", safe=_IN)
ANSWERS = Step("answers", "See whether AT is answered", usual="under 30 s", safe=_IN)


def flash(guide: Guide) -> Outcome:
    image = guide.step(CHECK_IMAGE, Image.read, guide.ask(IMAGE) or "", found=str)
    port = guide.step(SEEK, bootloader_port, guide, found=lambda it: it or "not in it yet")
    if not port:
        guide.step(BEFORE, _picture_if_any, guide, found=_pictured)
        port = _walked(guide)
    if not port:
        return _not_there()
    confirmed = _written(guide, port, image)
    return confirmed if isinstance(confirmed, Outcome) else _judged(guide, image, confirmed)


# --- into the bootloader -------------------------------------------------------------------------


def _picture_if_any(guide: Guide) -> Picture | None:
    try:
        port = find_port(guide)
    except GateClosed as error:
        guide.tell(f"{error.sentence} There is no picture of its credentials from before.")
        return None
    with modem_at(guide, port) as modem:
        identity = modem.identify()
        guide.unique(identity.unit)
        picture = modem.picture(identity)
    known = last_known(guide, identity)
    keep(guide, picture, "before")
    if known is not None:
        tell_change(guide, picture.since(known))
    return picture


def _pictured(picture: Picture | None) -> str:
    return str(picture) if picture else "its firmware passes no AT command on"


def _walked(guide: Guide) -> str:
    with guide.expect(*RUNNING, what="the board in its bootloader") as back:
        came = guide.step(WALK, _wait, back, found=lambda it: "it is back" if it else "it is not")
    return bootloader_port(guide) if came else ""


def _wait(back: Reconnect) -> Device | None:
    safe = f"{NOTHING} You can pull it and plug it in again."
    return back.wait(limit=LIMIT, usual=USUAL, hands=HANDS, safe=safe, acts=Acts.BRING)


def _not_there() -> Outcome:
    return Outcome(
        Verdict.UNFINISHED,
        "No bootloader answered on any of its ports.",
        f"{NOTHING} Switch it off, hold SW3, switch it on, let go after 3 s, and run again. Not "
        "every board has serial recovery built in: without it, a debug probe is the way.",
        damage=Damage.NOTHING,
    )


# --- the image -----------------------------------------------------------------------------------


def _written(guide: Guide, port: str, image: Image) -> bool | Outcome:
    """True once the bootloader itself has told the image's digest; False where it tells none.

    A verdict where it took no piece of it.
    """
    from console.families.nrf91.recovery import TOO_LARGE, Recovery

    guide.keep(f"image-{image.name}", image.data, "The application that this run wrote.")
    with guide.serial(port) as line:
        boot = Recovery(line, guide.seconds)
        told = partial(guide.progress, "Writing the application")
        try:
            guide.step(UPLOAD, boot.upload, image.data, told, found=lambda _: "every byte taken")
        except Refused as error:
            if error.code != TOO_LARGE:
                raise
            return _too_large(boot, error)
        confirmed = guide.step(CONFIRM, _confirmed, guide, boot, image, found=_confirmation)
        try:
            guide.step(LEAVE, boot.leave, found=str)
        except ConsoleError as error:
            guide.tell(f"The application is in. Starting it ended early: {error.sentence}")
    return confirmed


def _too_large(boot: Recovery, error: Refused) -> Outcome:
    """The slot is erased only for a length that fits: the list tells whether it was."""
    try:
        slots = boot.slots()
    except DeviceError:
        slots = None
    if slots is not None and slots.listed:
        state, damage = "It still lists an application: nothing was erased.", Damage.NOTHING
    else:
        told = "It tells no list" if slots is None else "It lists no application"
        state, damage = f"{told}: it may be erased.", Damage.HALF
    advice = f"{error.advice} Switch it off and on without a button: look whether it starts."
    return Outcome(Verdict.UNFINISHED, f"{error.sentence} {state}", advice, damage=damage)


def _confirmed(guide: Guide, boot: Recovery, image: Image) -> bool:
    slots = boot.slots()
    if slots is None:
        return False
    if not slots.listed:
        raise Refused(
            "The bootloader took every byte, but lists no image in its first slot that it would "
            "start: perhaps signed with another key.",
            "Repeat it once at most; then ask for the image for this board.",
            code="digest",
        )
    if slots.digest and slots.digest != image.digest:
        raise Refused(
            "The bootloader took every byte, but holds another image than was sent.",
            "It stays in its bootloader. Run flash again; it writes from the start.",
            code="digest",
        )
    if slots.waiting:
        guide.warn(
            f"Another image (version {slots.waiting}) waits in its other slot: the next start may "
            "put that in place of this one.",
            "Run check, and look which version runs.",
        )
    return bool(slots.digest)


def _confirmation(confirmed: bool) -> str:
    return "its digest is right" if confirmed else "it tells no digest"


def _judged(guide: Guide, image: Image, confirmed: bool) -> Outcome:
    alive = _answers_at(guide)
    if not confirmed and not alive:
        return Outcome(
            Verdict.UNFINISHED,
            f"Every byte of {image.name} was taken, but nothing proves that it is whole: the "
            "bootloader tells no digest, and the application answers no AT command.",
            "Look whether the board does what it should. If not, run flash again.",
            damage=Damage.HALF,
        )
    proof = "its digest confirmed by the bootloader" if confirmed else "and it answers AT again"
    return Outcome(
        Verdict.REPAIRED,
        f"The board has the application {image.name}, version {image.version}, {proof}.",
        "Its credentials were not touched. An application may still change them at its start: run "
        "check and compare.",
        damage=Damage.NOTHING,
    )


def _answers_at(guide: Guide) -> bool:
    try:
        guide.step(ANSWERS, find_port, guide, AWAKE_TRIES, found=str)
    except ConsoleError as error:
        guide.tell(f"After the start: {error.sentence}", "That is right for many applications.")
        return False
    return True


FLASH = Flow(
    name="flash",
    title="Write the application through its bootloader",
    about="Checks a signed image, brings the board into MCUboot's serial recovery, writes it, has "
    f"the digest confirmed. Credentials stay. {MODEM_FIRMWARE}",
    plan=(CHECK_IMAGE, SEEK, BEFORE, WALK, UPLOAD, CONFIRM, LEAVE, ANSWERS),
    perform=flash,
    questions=(IMAGE,),
    ready=("The signed application of the customer, in hand: the present one is replaced.",),
    hands="its button while it is switched on, if it is not in its bootloader yet",
    keeps="The application that was written; the picture of the credentials from before.",
)
