"""New firmware: checked offline, agreed to, written, waited for, and read back by its version.

The rule: nothing is said to be done before the firmware is back and names its version. What
the write costs when it is broken off is named before each part of it: until the file's
signature is with the chip, nothing; from then on, the firmware, and the bootloader stays.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.errors import BadUsage, ConsoleError, Garbled, Refused, Silent
from console.events import Damage, Device, Verdict
from console.families.nitrokey3 import begun, container, rules
from console.families.nitrokey3.approach import IDENTIFY, SAFE, identify, last_four
from console.families.nitrokey3.container import Chip, Image, Release
from console.families.nitrokey3.mboot import Mboot, Property, head_of
from console.families.nitrokey3.nrfdfu import SecureDfu
from console.families.nitrokey3.products import CHIP_NAMES, USUAL_RATE, in_bootloader, product_of
from console.families.nitrokey3.rate import Rate
from console.families.nitrokey3.rules import Found
from console.families.nitrokey3.walk import (
    BENCH,
    CONFIRM_GUEST,
    STEADY,
    TO_LOADER,
    check_bench,
    same_key,
    steady,
    to_loader,
)
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Acts, Guide, Reconnect
from console.hardware.lines import HidLine, SerialLine

IMAGE = Question("image", Kind.FILE, "The firmware: the release .zip, an .sb2 or an nRF52 .zip?")
CONFIRM_SIGNER = Question("confirm_signer", Kind.TYPED, "Write what the vendor did not sign?")
CONFIRM_DOWNGRADE = Question("confirm_downgrade", Kind.TYPED, "Write an older firmware?")
CONFIRM_WRITE = Question("confirm_write", Kind.TYPED, "Write it? There is no way back from here.")

LARGEST_FILE = 32 << 20
FINAL, FINAL_TIMES = 60.0, 5
"""Seconds that are waited for the final answer before something is said, and how many times."""
QUESTIONS, REST = 4, 3.0
"""How often it is asked for its version once it is back, and the seconds between."""
BY_HAND = 600.0
"""Seconds for hands: to attach it to a guest, or to pull it and plug it in."""

_GONE = (
    "If it is pulled now, its firmware is gone and its bootloader is most likely "
    "alive: it comes back as {loader} and can be written again from the start."
)
_ALIVE = _GONE.format(loader="a bootloader")

FILE = Step("file", "Check the file and its signatures", usual="under 2 s")
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
VERSION = Step("version", "Read the version that runs now", usual="under 1 s")
LEFT = Step("left", "See what is left on it", usual="under 30 s")


def flash(guide: Guide) -> Outcome:
    release = guide.step(FILE, _read, guide.ask(IMAGE) or "", found=_about)
    before = guide.step(IDENTIFY, identify, guide, found=lambda found: found.sentence)
    begun.recall(guide, before)
    if before.chip is not None:
        _agree(guide, release.image(before.chip), before)
    check_bench(guide, before)
    to_loader(guide, before)
    loader = steady(guide)
    same_key(before, loader)
    _compare(guide, before, loader, "If you do not know, stop and pull it: nothing is written.")
    assert loader.chip is not None
    image = release.image(loader.chip)
    if before.chip is None:
        _agree(guide, image, before)
    _ask_to_write(guide, image, before if before.uuid else loader)
    begun.remember(guide, image, before.uuid, loader.uuid)
    try:
        _write(guide, image, before)
    except Refused as error:
        return _refused(guide, error, loader)
    return _proven(guide, image, before, loader)


# --- the file and the agreement --------------------------------------------------------------


def _read(path: str) -> Release:
    try:
        file = Path(path)
        if file.stat().st_size > LARGEST_FILE:
            raise BadUsage(f"{path} is larger than any firmware.", "Nothing was sent to the key.")
        data = file.read_bytes()
    except OSError as error:
        sentence = f"{path} cannot be read: {error.strerror}."
        raise BadUsage(sentence, "Nothing was sent to the key.") from None
    return container.read(data)


def _about(release: Release) -> str:
    signed = sorted({image.signed_by or "an UNKNOWN signer" for image in release.images})
    chips = ", ".join(CHIP_NAMES[image.chip] for image in release.images)
    return f"{release.version} by {' and '.join(signed)}: {chips}"


def _agree(guide: Guide, image: Image, found: Found) -> None:
    """Every rule and every doubt about this image on this key, before anything is sent."""
    rules.check_product(image, found)
    rules.check_steps(image, found)
    if not image.official:
        signer = image.signed_by or "nobody whom I know"
        ask = (
            f"This image is signed by {signer}, not by the vendor's release key. A customer's key "
            "refuses it, or runs something that its vendor never released. Type: unofficial"
        )
        guide.ask(CONFIRM_SIGNER, ask, must_type="unofficial")
    if rules.is_downgrade(image, found):
        ask = (
            f"The key runs {found.full_version}, and this is older. Mostly the chip refuses that, "
            f"and what newer firmware stored may be lost. Type the version: {image.version}"
        )
        guide.ask(CONFIRM_DOWNGRADE, ask, must_type=str(image.version))
    if rules.migrates(image, found):
        guide.tell(
            "Its store is converted at the first start: up to 3 minutes with the light on.",
            "At most 45 passkeys are taken along. Leave it plugged in all the time.",
        )
    guide.tell(rules.loses(image))


def _compare(guide: Guide, before: Found, now: Found, advice: str) -> None:
    """On the LPC55 both modes should tell one UUID; it is not proven that all firmware does."""
    told = before.uuid and now.uuid and before.uuid != now.uuid
    if told and before.loader != now.loader and now.chip is Chip.LPC55:
        mode, was = ("bootloader", "firmware") if now.loader else ("firmware", "bootloader")
        guide.warn(
            f"Its {mode} tells an id that ends in {now.uuid[-4:]}, its {was} told "
            f"{before.uuid[-4:]}. Is it the same key? {advice}"
        )


def _ask_to_write(guide: Guide, image: Image, found: Found) -> None:
    four = last_four(found)
    job = guide.job
    whose = f"Is this the key of job {job}? " if job else ""
    whose += "The file ERASES what is stored on the key. " if rules.loses_data(image) else ""
    ask = (
        f"From the next step on there is no firmware until {image.version} is complete. Nobody has "
        f"to touch or unplug anything. {whose}Its id ends in {four}. Type these four to write."
    )
    guide.ask(CONFIRM_WRITE, ask, must_type=four)


# --- the write -------------------------------------------------------------------------------


def _write(guide: Guide, image: Image, before: Found) -> None:
    """All of the write, until the firmware is back or has not come."""
    app = before.product.mode_of_app()
    if image.chip is Chip.LPC55:
        with guide.hid() as hid:
            _stream(guide, image, hid)
            with guide.expect(app, what="its firmware") as back:
                guide.step(BACK, _start, guide, hid, back, image, before, found=_came)
    else:
        # It starts the firmware by itself with the last object, so the wait is armed before.
        with guide.expect(app, what="its firmware") as back:
            with guide.serial() as serial:
                _objects(guide, image, serial)
            guide.step(BACK, _awaited, guide, back, image, before, found=_came)


@dataclass
class _Watched:
    """Progress of a write, and a word when it is far too slow."""

    guide: Guide
    rate: Rate

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


def _stream(guide: Guide, image: Image, line: HidLine) -> None:
    assert image.sb2 is not None
    loader = Mboot(line, guide.pause)
    watch = _Watched(guide, Rate(USUAL_RATE[image.chip]))
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


def _objects(guide: Guide, image: Image, line: SerialLine) -> None:
    loader = SecureDfu(line, guide.seconds)
    watch = _Watched(guide, Rate(USUAL_RATE[image.chip]))
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
    held = loader.resume(image.sent)
    if held.held:
        share = 100 * held.held // held.total
        guide.tell(f"It holds {share} % of this image already; I go on from there.")
    loader.send_image(image.sent, watch)


def _finished(said: bool) -> str:
    return "it says that all of it is good" if said else "it left with the last piece"


def _awaited(guide: Guide, back: Reconnect, image: Image, before: Found) -> Device | None:
    usual = 180.0 if rules.migrates(image, before) else 5.0
    if not guide.guest:
        return back.wait(limit=rules.back_within(image, before), usual=usual, safe=BACK.safe)
    # The host may have let go of it once more: then somebody attaches it, who is not always quick.
    hands = (f"Attach {before.product.app_id} to this guest now.",)
    return back.wait(limit=BY_HAND, usual=20.0, hands=hands, safe=BACK.safe, acts=Acts.BRING)


def _came(device: Device | None) -> str:
    return "its firmware is back" if device else "it did not come back"


# --- what it says afterwards -----------------------------------------------------------------


def _proven(guide: Guide, image: Image, before: Found, loader: Found) -> Outcome:
    """The verdict, from what the key itself answers now."""
    if not guide.mode.startswith("app"):
        return _not_back(guide, image, before)
    try:
        now = guide.step(VERSION, _named, guide, found=lambda found: found.sentence)
    except (Silent, Garbled) as error:
        return Outcome(
            Verdict.UNFINISHED,
            f"It is back, and does not say yet what it runs. {error.sentence}",
            f"Pull it and plug it in, then run check: it must run {image.version}.",
            (f"image SHA-256 {image.sha256}",),
        )
    same_key(before, now)
    _compare(guide, loader, now, "Look at the one on the bench.")
    proof = (f"before: {before.sentence}", f"now: {now.sentence}", f"image SHA-256 {image.sha256}")
    if not rules.runs(image, before, now):
        return Outcome(
            Verdict.UNFINISHED,
            f"It took the image of {image.full_version} and runs {now.full_version} all the same.",
            "Run flash again. If it says the same, return it with this record.",
            proof,
        )
    begun.settle(guide, image, before.uuid, loader.uuid, now.uuid)
    to_do: tuple[str, ...] = ()
    if now.status is not None and now.status.trouble:
        to_do = (f"It says: {'; '.join(now.status.sentences)}. Run check.",)
    return Outcome(
        Verdict.REPAIRED,
        f"It is back and says itself that it runs {now.full_version}.",
        ""
        if rules.loses_data(image)
        else "I wrote nothing to its store of passkeys and OpenPGP keys, and did not read it.",
        proof,
        to_do,
    )


def _named(guide: Guide) -> Found:
    """What it tells of itself; the first question after an update may find it still at work."""
    for _ in range(QUESTIONS - 1):
        with suppress(Silent, Garbled):
            return identify(guide)
        guide.pause(REST)
    return identify(guide)


def _not_back(guide: Guide, image: Image, before: Found) -> Outcome:
    port = guide.device.port
    if any(known.port == port and in_bootloader(known) for known in guide.present):
        return Outcome(
            Verdict.UNFINISHED,
            "It came back as a bootloader: the image is not complete, or it does not take it.",
            "Leave it plugged in and run flash again: it starts from the beginning.",
        )
    if any(known.port == port and product_of(known) for known in guide.present):
        return Outcome(
            Verdict.UNFINISHED,
            "A key runs its firmware in that port, and nothing that it says tells that it is ours.",
            f"Pull the other one, then run check on this one: it must run {image.version}.",
        )
    if guide.guest:
        return Outcome(
            Verdict.UNFINISHED,
            f"All of {image.version} was taken, and its firmware was not attached to this guest.",
            f"Attach {before.product.app_id} and run check: it must run {image.version}. Not there "
            "on the host either: leave it for 3 minutes, then pull it and plug it into the host.",
        )
    return Outcome(
        Verdict.UNFINISHED,
        f"All of {image.version} was taken, and nothing came back in time.",
        "If its light is on, leave it for 3 minutes. Then pull it, wait 5 s, plug it into the "
        "computer itself. Still nothing: replug run nitrokey3.check --not-shown",
    )


def _refused(guide: Guide, error: Refused, loader: Found) -> Outcome:
    """The bootloader said no: what starts now decides how bad that is."""
    left = guide.step(LEFT, _look, guide, loader, found=lambda left: left.sentence)
    return Outcome(
        Verdict.UNFINISHED,
        error.sentence,
        f"{left.sentence} {error.advice}",
        (f"code {error.code}",),
        damage=left.damage,
    )


@dataclass(frozen=True)
class _Left:
    sentence: str
    damage: Damage


def _look(guide: Guide, loader: Found) -> _Left:
    """Is the old firmware there? Asked of the key, by starting it anew where that can be done."""
    try:
        if loader.chip is Chip.LPC55:
            return _started_anew(guide, loader)
        found = identify(guide)
    except ConsoleError:
        return _Left("It does not answer now: pull it and plug it in.", Damage.HALF)
    if found.version is not None:
        return _Left(f"It still has {found.version}: pull it and plug it in.", Damage.NOTHING)
    return _Left("Its bootloader answers and has no firmware now.", Damage.HALF)


def _started_anew(guide: Guide, loader: Found) -> _Left:
    product = loader.product
    modes = (product.mode_of_app(), *product.modes_of_loaders(loader.chip))
    with guide.expect(*modes, what="what it starts now") as back:
        with guide.hid() as line:
            guide.tell(Mboot(line, guide.pause).reset())
        came = back.wait(limit=rules.BACK, usual=3.0, safe=SAFE)
    if came is None:
        return _Left("It did not come back by itself: pull it and plug it in.", Damage.HALF)
    if in_bootloader(came):
        return _Left("It starts as a bootloader: its firmware is gone.", Damage.HALF)
    return _Left("Its old firmware starts, as before.", Damage.NOTHING)


FLASH = Flow(
    name="flash",
    title="Write firmware",
    about="Checks a release to its signatures, takes the key to its bootloader, writes, waits for "
    "its own answer, and reads the version that runs then. Finishes an update that broke off.",
    plan=(FILE, IDENTIFY, BENCH, TO_LOADER, STEADY, HEAD, WRITE, ANSWER, BACK, VERSION, LEFT),
    perform=flash,
    questions=(IMAGE, CONFIRM_SIGNER, CONFIRM_DOWNGRADE, CONFIRM_GUEST, CONFIRM_WRITE),
    ready=("The vendor's release container for this product.", "About 2 minutes without pulling."),
    hands="one touch, unless it is in its bootloader already",
    keeps="Passkeys, OpenPGP keys, one-time passwords.",
)
