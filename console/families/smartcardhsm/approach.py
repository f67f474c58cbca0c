"""What the flows begin with: who is it, what is on it; its PINs, asked for and counted.

The rule: before a PIN is asked for, its tries are read; a try is spent on nothing that cannot be
right; and one try is always left.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from console.errors import BadUsage, BeyondRepair, GateClosed
from console.families.smartcardhsm import contents
from console.families.smartcardhsm.chain import Chain, examine
from console.families.smartcardhsm.client import (
    DEVICE_FILE,
    SO,
    SO_SIZE,
    KeyShares,
    Pin,
    SmartCardHsm,
)
from console.families.smartcardhsm.contents import Contents
from console.flow import Kind, Question, Step
from console.guide import Guide
from console.hardware.lines import CardLine

FEWEST_SO_TRIES = 4
"""Below this the SO-PIN is not tried: it has 15 tries for life, and none ever comes back."""
LONGEST_FILE = 64 * 1024
LONGEST_SAID = 200
"""Of a path, where it is said; its end tells more."""
SHORTEST_PIN, LONGEST_PIN = 6, 15
LONGEST_GIVEN = 16
"""Some programs set a PIN of 16; one that is there already is given as it is."""
UNTOUCHED = "Nothing was changed on the device."

HEX, TEXT = "16 hex digits", "8 characters"
SO_LENGTH = {HEX: 16, TEXT: 8}

PIN_LENGTH = f"{SHORTEST_PIN} to {LONGEST_GIVEN} characters"
NEW_PIN_LENGTH = f"{SHORTEST_PIN} to {LONGEST_PIN} characters"
PIN = Question("pin", Kind.SECRET, "The user PIN?", hint=PIN_LENGTH)
NEW_PIN = Question(
    "new_pin", Kind.SECRET, f"The new user PIN ({NEW_PIN_LENGTH})?", hint=NEW_PIN_LENGTH, twice=True
)
SO_PIN = Question("so_pin", Kind.SECRET, "The SO-PIN?")
SO_PIN_FORMAT = Question(
    "so_pin_format",
    Kind.CHOICE,
    "How is the SO-PIN written down: 8 characters or 16 hex digits?",
    choices=(HEX, TEXT),
)
SAFE_READING = "Only reading. You can pull it."

IDENTIFY = Step("identify", "Identify the device", usual="under 2 s", safe=SAFE_READING)
LOOK = Step("contents", "Read what is on it", usual="under 10 s", safe=SAFE_READING)
UNLOCK = Step("unlock", "Give its PIN", usual="under 1 s", safe=SAFE_READING)


@dataclass(frozen=True)
class Unit:
    """One device as it says it is, before anything is done to it."""

    hsm: SmartCardHsm
    chain: Chain
    pin: Pin
    so_pin: Pin
    domains: tuple[KeyShares, ...]
    domain: int = 0
    """The key domain that this run is about."""

    @property
    def shares(self) -> KeyShares:
        """The key shares of that domain."""
        return self.domains[self.domain]

    @property
    def shares_words(self) -> str:
        """The key shares of every domain."""
        if len(self.domains) == 1:
            return self.shares.words
        return "; ".join(f"domain {at}: {one.words}" for at, one in enumerate(self.domains))

    def takes(self, kcv: bytes) -> Unit:
        """The same, about the domain that has this check value, or else the one it may get."""
        known = (at for at, one in enumerate(self.domains) if one.ready and one.kcv == kcv)
        waits = (at for at, one in enumerate(self.domains) if one.missing)
        chosen = next(known, None)
        return replace(self, domain=next(waits, 0) if chosen is None else chosen)

    @property
    def name(self) -> str:
        serial = self.chain.serial or "no serial"
        return f"SmartCard-HSM {serial}, firmware {self.hsm.version}"

    @property
    def shelf(self) -> str:
        """What its backup is asked for by: its serial, as a file may be named."""
        return re.sub(r"[^A-Za-z0-9]+", "", self.chain.serial) or "NOSERIAL"

    @property
    def last_four(self) -> str:
        """What is typed to consent: the last four of the serial, which tell units apart."""
        return self.chain.serial[-4:] or "none"

    @property
    def whole_name_ends(self) -> str:
        """The last four of the certificate holder's whole name, number and all."""
        return self.chain.device.chr[-4:] if self.chain.device else "none"


@contextmanager
def opened(guide: Guide) -> Iterator[Unit]:
    """The device of this run, identified, its card line open."""
    with guide.card() as line:
        unit = guide.step(IDENTIFY, identify, guide, line, found=_identity)
        if unit.chain.digest:
            guide.unique(unit.chain.digest)
        yield unit


def identify(guide: Guide, line: CardLine) -> Unit:
    """Everything that it tells without a PIN and without its files."""
    hsm = SmartCardHsm.open(line)
    chain = examine(contents.readable(hsm, DEVICE_FILE), guide.today)
    return Unit(hsm, chain, hsm.pin(), hsm.pin(SO), hsm.key_domains())


def _identity(unit: Unit) -> str:
    return f"{unit.name}; user PIN {unit.pin.words}; SO-PIN {unit.so_pin.words}"


def look(guide: Guide, unit: Unit) -> Contents:
    """What is on the device."""

    def told(done: int, total: int) -> None:
        guide.progress("Reading descriptions and certificates", done, total)

    return guide.step(LOOK, contents.read, unit.hsm, told, found=lambda held: held.words)


def atr(guide: Guide) -> str:
    """The answer to reset (hex); "" where it is not known."""
    return next((card.atr for card in guide.device.cards if card.atr), "")


# --- the user PIN -----------------------------------------------------------------------------


def usable(pin: Pin, whose: str = "The") -> None:
    """Raises GateClosed unless the user PIN can be given and a try is left over."""
    if not pin.initialised:
        raise GateClosed(f"{whose} device was never initialised.", "Run reset to initialise it.")
    if pin.transport:
        raise GateClosed(
            f"{whose} device is in transport state: its PIN has to be changed first.",
            f"{UNTOUCHED} Run unblock with the transport PIN.",
        )
    if pin.blocked:
        raise GateClosed(
            f"{whose} user PIN is blocked. The keys are still there.",
            "Run unblock with the SO-PIN, where the device allows it.",
        )
    if pin.silent:
        raise GateClosed(
            f"{whose} device does not say how many tries its user PIN has ({pin.silent}).",
            f"{UNTOUCHED} No PIN was sent. Export the log for support.",
        )
    if pin.tries == 1:
        raise GateClosed(
            f"{whose} user PIN has 1 try left. I stop at 1.",
            f"{UNTOUCHED} Ask the owner for the PIN, or run unblock with the SO-PIN.",
        )


def unlock(guide: Guide, unit: Unit, question: Question = PIN, step: Step = UNLOCK) -> None:
    """Ask for the user PIN and give it. Raises GateClosed with the tries that are left."""
    tried: set[bytes] = set()
    pin = unit.pin
    while True:
        usable(pin)
        text = f"{question.ask} {unit.name}: {pin.words}."
        typed = well_sized(guide, question, text)
        if typed in tried:
            raise GateClosed(
                f"That was the same wrong PIN again; {pin.words}.",
                "It was not sent. Ask the owner for the right one.",
            )
        before, pin = pin, guide.step(step, unit.hsm.verify, typed, found=_unlocked)
        if pin.verified:
            return
        tried.add(typed)
        if pin.odd and pin.tries in (None, before.tries):
            raise GateClosed(
                f"The device answered the PIN with {pin.odd}, which is neither right nor wrong; "
                f"user PIN: {pin.words}.",
                f"{UNTOUCHED} No other PIN is sent. Export the log for support.",
            )
        guide.tell(f"Wrong PIN; {pin.words}. I stop at 1.")


def _unlocked(pin: Pin) -> str:
    if pin.odd and not pin.verified:
        return f"answered {pin.odd}; {pin.words}"
    return "right" if pin.verified else f"wrong; {pin.words}"


def well_sized(guide: Guide, question: Question, text: str = "") -> bytes:
    """A PIN that can be one. Raises GateClosed when it twice cannot; nothing was sent then."""
    before = None
    longest = LONGEST_PIN if question is NEW_PIN else LONGEST_GIVEN
    while True:
        typed = (guide.ask(question, text) or "").encode()
        if SHORTEST_PIN <= len(typed) <= longest:
            return typed
        wrong = f"That has {len(typed)} characters; a user PIN has {SHORTEST_PIN} to {longest}."
        if typed == before:
            raise GateClosed(wrong, "It was not sent: no try was spent.")
        before = typed
        guide.tell(wrong, "It was not sent: no try was spent.")


# --- the SO-PIN -------------------------------------------------------------------------------


def so_tries_left(unit: Unit) -> None:
    """Raises GateClosed where the SO-PIN may not be tried, BeyondRepair where nothing helps."""
    pin = unit.so_pin
    if pin.blocked and unit.pin.blocked:
        raise both_blocked(unit)
    if pin.blocked:
        raise GateClosed(
            "The SO-PIN is blocked for ever: this device can never be initialised again.",
            "Its keys work as long as the user PIN does: run backup now.",
        )
    if pin.silent:
        raise GateClosed(
            f"The device does not say how many tries its SO-PIN has ({pin.silent}).",
            f"{UNTOUCHED} A wrong one costs a try for ever. Export the log for support.",
        )
    if pin.tries is not None and pin.tries < FEWEST_SO_TRIES:
        raise GateClosed(
            f"The SO-PIN has {pin.tries} tries left for the life of this device. I stop below "
            f"{FEWEST_SO_TRIES}.",
            f"{UNTOUCHED} Ask the vendor before anybody tries again.",
        )


def both_blocked(unit: Unit) -> BeyondRepair:
    """Both PINs have no try left."""
    return BeyondRepair(
        "Both PINs are blocked: nothing can open this device again, by design.",
        "Its keys are lost here. Restore their backup onto another device.",
        proof=(unit.name, "user PIN blocked", "SO-PIN blocked"),
    )


def ask_so_pin(guide: Guide, unit: Unit) -> bytes:
    """The SO-PIN as it goes over the wire: 8 bytes. One of a wrong length is never sent."""
    so_tries_left(unit)
    form = guide.ask(SO_PIN_FORMAT) or HEX
    cost = f"{SO_PIN.ask} {form}; {unit.so_pin.words}. A wrong one costs a try for ever."
    if not unit.so_pin.initialised:
        cost = f"Choose its SO-PIN, {form}. It stays for life: 15 tries, and no other ever opens."
    question = replace(SO_PIN, ask=cost, hint=form)
    before = None
    while True:
        typed = guide.ask(question) or ""
        code = so_code(typed, form)
        if code is not None and _meant_so(guide, unit, form, typed):
            return code
        if code is not None:
            before = None
            guide.tell("The two differ.", "Nothing was sent. Type it again, twice.")
            continue
        wrong = f"That has {len(typed)} characters; wanted are {form}."
        if typed == before:
            raise GateClosed(wrong, "It was not sent: no try was spent.")
        before = typed
        guide.tell(wrong, "It was not sent: no try was spent.")


def _meant_so(guide: Guide, unit: Unit, form: str, typed: str) -> bool:
    """Is it the SO-PIN that was meant? A new one is typed twice: a slip would last for life."""
    if unit.so_pin.initialised:
        return True
    ask = f"The same SO-PIN once more, {form}: no other will ever open it."
    once_more = replace(SO_PIN, ask=ask, hint=form)
    return guide.ask(once_more) == typed


def so_code(typed: str, form: str) -> bytes | None:
    """The 8 bytes that were meant; None if they cannot be."""
    if len(typed) != SO_LENGTH[form]:
        return None
    try:
        code = bytes.fromhex(typed) if form == HEX else typed.encode("ascii")
    except ValueError:
        return None
    return code if len(code) == SO_SIZE else None


# --- files that are brought -------------------------------------------------------------------


def named_files(answer: str) -> tuple[Path, ...]:
    """The files that an answer names: paths between commas, or a folder. Raises BadUsage.

    What comes after a comma may be relative to the first one's folder, or to one above it.
    """
    whole = Path(answer)
    if stat.S_ISREG(mode(whole)):
        return (whole,)
    if stat.S_ISDIR(mode(whole)):
        return _files_in(whole)
    words = [word.strip() for word in answer.split(",") if word.strip()]
    if not words:
        raise BadUsage("No file is named.", f"{UNTOUCHED} Write paths, commas between them.")
    first, *others = (Path(word) for word in words)
    return (first, *(_near(other, first) for other in others))


def mode(path: Path) -> int:
    """What is at that path, as stat says; 0: nothing.

    A list of paths, taken for one, may be longer than any file system lets a name be.
    """
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _files_in(folder: Path) -> tuple[Path, ...]:
    try:
        found = sorted(path for path in folder.iterdir() if stat.S_ISREG(mode(path)))
    except OSError as error:
        raise BadUsage(f"{folder} cannot be read: {error.strerror}.", UNTOUCHED) from None
    if not found:
        raise BadUsage(f"There is no file in {folder}.", UNTOUCHED)
    return tuple(found)


def _near(path: Path, first: Path) -> Path:
    if path.is_absolute():
        return path
    places = (folder / path for folder in first.parents)
    return next((place for place in places if stat.S_ISREG(mode(place))), first.parent / path)


def read_file(path: Path) -> bytes:
    """The bytes of a file that was brought. Raises BadUsage."""
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise BadUsage(f"{path.name} is too large to be what is wanted.", UNTOUCHED)
        return path.read_bytes()
    except OSError as error:
        named = str(path) if len(str(path)) <= LONGEST_SAID else f"...{str(path)[-LONGEST_SAID:]}"
        raise BadUsage(f"{named} cannot be read: {error.strerror}.", UNTOUCHED) from None
    except ValueError:
        raise BadUsage("That is no name of a file.", UNTOUCHED) from None
