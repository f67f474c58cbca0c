"""New firmware: checked offline, agreed to, written, waited for, and read back by its version.

The rule: nothing is said to be done before the firmware is back and names its version. What
the write costs when it is broken off is named before each part of it: until the file's
signature is with the chip, nothing; from then on, the firmware, and the bootloader stays.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from console.errors import BadUsage, ConsoleError, Garbled, GateClosed, Refused, Silent
from console.events import Damage, Verdict
from console.families.nitrokey3 import begun, container, rules
from console.families.nitrokey3.approach import IDENTIFY, SAFE, identify, known_by
from console.families.nitrokey3.container import Chip, Image, Release
from console.families.nitrokey3.mboot import Mboot
from console.families.nitrokey3.products import CHIP_NAMES, in_bootloader, product_of
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
    until_back,
)
from console.families.nitrokey3.writing import ANSWER, BACK, HEAD, WRITE, Reach, write
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

IMAGE = Question("image", Kind.FILE, "The firmware: the release .zip, an .sb2 or an nRF52 .zip?")
CONFIRM_SIGNER = Question("confirm_signer", Kind.TYPED, "Write what the vendor did not sign?")
CONFIRM_DOWNGRADE = Question("confirm_downgrade", Kind.TYPED, "Write an older firmware?")
CONFIRM_WRITE = Question("confirm_write", Kind.TYPED, "Write it? There is no way back from here.")

LARGEST_FILE = 32 << 20
QUESTIONS, REST = 4, 3.0
"""How often it is asked for its version once it is back, and the seconds between."""

FILE = Step("file", "Check the file and its signatures", usual="under 2 s")
VERSION = Step("version", "Read the version that runs now", usual="under 1 s")
LEFT = Step("left", "See what is left on it", usual="under 30 s")


def flash(guide: Guide) -> Outcome:
    release = guide.step(FILE, _read, guide.ask(IMAGE) or "", found=_about)
    before = guide.step(IDENTIFY, identify, guide, found=lambda found: found.sentence)
    begun.recall(guide, before)
    _agree(guide, release, before)
    to_loader(guide, check_bench(guide, before))
    loader = steady(guide)
    same_key(before, loader)
    _compare(guide, before, loader, "If you do not know, stop and pull it: nothing is written.")
    assert loader.chip is not None
    image = _image_for(release, loader.chip, before)
    if before.chip is None:
        _tell_costs(guide, image, before)
    _ask_to_write(guide, image, before if before.uuid else loader)
    begun.remember(guide, image, before.uuid, loader.uuid)
    reach = Reach()
    try:
        write(guide, image, before, reach)
    except Refused as error:
        return _refused(guide, error, loader, reach)
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
    return _bare_unnamed(container.read(data), hashlib.sha256(data).hexdigest())


def _bare_unnamed(release: Release, sha256: str) -> Release:
    """The same, without a full version where the file is the bare image itself.

    An SB2.1 header and an init packet have room for three numbers; only a manifest names a build.
    """
    images = (
        replace(image, full_version="") if image.sha256 == sha256 else image
        for image in release.images
    )
    return replace(release, images=tuple(images))


def _about(release: Release) -> str:
    signed = sorted({image.signed_by or "an UNKNOWN signer" for image in release.images})
    chips = ", ".join(CHIP_NAMES[image.chip] for image in release.images)
    return f"{release.version} by {' and '.join(signed)}: {chips}"


def _agree(guide: Guide, release: Release, found: Found) -> None:
    """Every rule and every doubt about this file on this key, before anything is sent.

    Where the key does not tell its chip, each image of the file has to pass: once it is in its
    bootloader, the chip is known and a refusal is too late.
    """
    images = (release.image(found.chip),) if found.chip else release.images
    for image in images:
        rules.check_product(image, found)
        rules.check_steps(image, found)
    doubtful = [image for image in images if not image.official]
    if doubtful:
        signer = doubtful[0].signed_by or "nobody whom I know"
        ask = (
            f"This image is signed by {signer}, not by the vendor's release key. A customer's key "
            "refuses it, or runs something that its vendor never released. Type: unofficial"
        )
        guide.ask(CONFIRM_SIGNER, ask, must_type="unofficial")
    older = [image for image in images if rules.is_downgrade(image, found)]
    if older:
        ask = (
            f"The key runs {found.full_version}, and this is older. Mostly the chip refuses that, "
            f"and what newer firmware stored may be lost. Type the version: {older[0].version}"
        )
        guide.ask(CONFIRM_DOWNGRADE, ask, must_type=str(older[0].version))
    if found.chip:
        _tell_costs(guide, images[0], found)


def _tell_costs(guide: Guide, image: Image, found: Found) -> None:
    if rules.migrates(image, found):
        guide.tell(
            "Its store is converted at the first start: up to 3 minutes with the light on.",
            "At most 45 passkeys are taken along. Leave it plugged in all the time.",
        )
    guide.tell(rules.loses(image))


def _image_for(release: Release, chip: Chip, before: Found) -> Image:
    """The image for the chip that the bootloader shows. Raises GateClosed with where it is now."""
    try:
        return release.image(chip)
    except GateClosed as error:
        if before.loader:
            raise
        raise GateClosed(
            error.sentence,
            "Nothing is written. It is in its bootloader: pull it and plug it in, and its firmware "
            f"starts. Then run again with the file for the {CHIP_NAMES[chip]}.",
        ) from None


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
    identity = known_by(guide, found)
    job = guide.job
    whose = f"Is this the key of job {job}? " if job else ""
    whose += "The file ERASES what is stored on the key. " if rules.loses_data(image) else ""
    ask = (
        f"From the next step on there is no firmware until {image.version} is complete. Nobody has "
        f"to touch or unplug anything. {whose}{identity.sentence} to write."
    )
    guide.ask(CONFIRM_WRITE, ask, must_type=identity.typed)


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
            f"It took the image of {image.full_version or image.version} and runs "
            f"{now.full_version} all the same.",
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


def _refused(guide: Guide, error: Refused, loader: Found, reach: Reach) -> Outcome:
    """The bootloader said no: how far it was, and what starts now, decide how bad that is."""
    left = guide.step(LEFT, _look, guide, loader, found=lambda left: left.sentence)
    if not reach.erasing:
        left = _unerased(left, loader)
    return Outcome(
        Verdict.UNFINISHED,
        error.sentence,
        f"{left.sentence} {error.advice}".rstrip(),
        (f"code {error.code}",),
        damage=left.damage,
    )


@dataclass(frozen=True)
class _Left:
    sentence: str
    damage: Damage


def _unerased(left: _Left, loader: Found) -> _Left:
    """What is left where it refused before it erased: as much as it had, seen now or not."""
    if left.damage is Damage.NOTHING:
        return left
    if loader.chip is Chip.NRF52:  # it may not know the question, so its silence proves nothing
        return _Left(
            "It refused before it erased anything; whether its firmware is whole, it does not "
            "tell: pull it and plug it in.",
            Damage.NOTHING,
        )
    return _Left(f"It refused before it erased anything. {left.sentence}", Damage.NOTHING)


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
    return _Left("Its bootloader answers and names no whole firmware.", Damage.HALF)


def _started_anew(guide: Guide, loader: Found) -> _Left:
    product = loader.product
    modes = (product.mode_of_app(), *product.modes_of_loaders(loader.chip))
    with guide.expect(*modes, what="what it starts now") as back:
        with guide.hid() as line:
            guide.tell(Mboot(line, guide.pause).reset())
        came = until_back(guide, back, product, rules.BACK, 3.0, SAFE)
    if came is None:
        return _Left("It did not come back by itself: pull it and plug it in.", Damage.HALF)
    if in_bootloader(came):
        return _Left("It starts as a bootloader: it has no firmware.", Damage.HALF)
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
