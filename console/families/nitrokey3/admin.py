"""The admin app of a Nitrokey 3 that runs its firmware: version, UUID, status, reboot, reset.

The rule: UPDATE never carries a byte of data, because a first byte of 01 erases the firmware. A
key that vanishes after a command to start anew has done it; the code 03 in answer to one that
needs a touch means that nobody touched it. Source: the vendor's admin-app and SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from console.errors import DeviceError, Garbled, Refused, Silent, Unplugged
from console.families.nitrokey3.container import Chip
from console.families.nitrokey3.ctaphid import Ctap, OnTouch
from console.families.nitrokey3.version import Version, of_text, of_word
from console.hardware.lines import CardLine

APPLICATION = bytes.fromhex("A00000084700000001")
ADMIN = 0x72
"""The CTAPHID vendor command that holds the app's commands; the oldest also have their own."""
TOUCH_WINDOW = 15.0
"""Seconds that the key gives for a touch."""


class Command(IntEnum):
    UPDATE = 0x51
    REBOOT = 0x53
    VERSION = 0x61
    UUID = 0x62
    STATUS = 0x80
    FACTORY_RESET = 0x84
    FACTORY_RESET_APP = 0x85


WORD = 4
"""Bytes of a version as a number; no text of one is as short."""
OLDEST = (Command.UPDATE, Command.REBOOT, Command.VERSION, Command.UUID)
NO_SUCH_COMMAND, NOT_TOUCHED = ("01", "6D00"), ("03", "6985")


class Trouble(IntFlag):
    """Bits of the first status byte: what did not come up when the key started."""

    NFC = 0x01
    INTERNAL_STORE = 0x02
    EXTERNAL_STORE = 0x04
    MIGRATION = 0x08
    SECURE_ELEMENT = 0x10
    CONFIGURATION = 0x20
    RANDOM = 0x40
    EXTERNAL_FORMAT = 0x80


WORDS = {
    Trouble.NFC: "its NFC did not start",
    Trouble.INTERNAL_STORE: "its internal store did not start",
    Trouble.EXTERNAL_STORE: "its external store did not start",
    Trouble.MIGRATION: "its store was not converted to the new firmware's form",
    Trouble.SECURE_ELEMENT: "its secure element did not start",
    Trouble.CONFIGURATION: "its configuration cannot be read",
    Trouble.RANDOM: "its random number generator did not start",
    Trouble.EXTERNAL_FORMAT: "its external store has to be formatted anew",
}
VARIANTS = {1: Chip.LPC55, 2: Chip.NRF52}
MODELS = {0: "Nitrokey 3", 1: "Nitrokey Passkey"}


@dataclass(frozen=True)
class Status:
    """What the key says of itself; older firmware says less of it (None, "")."""

    trouble: Trouble
    free_internal: int | None = None
    free_external: int | None = None
    chip: Chip | None = None
    model: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(words for bit, words in WORDS.items() if bit in self.trouble)


class AppReset(IntEnum):
    """The app's own answer to a reset of one application."""

    DONE = 0
    NOT_TOUCHED = 1
    NOT_ALLOWED = 2
    UNKNOWN = 3


Exchange = Callable[[Command, bytes, OnTouch | None], bytes]


def over_ctaphid(ctap: Ctap) -> Exchange:
    """The commands over the key's HID line."""

    def exchange(command: Command, data: bytes, on_touch: OnTouch | None) -> bytes:
        if command in OLDEST:
            return ctap.call(command, data, on_touch)
        return ctap.call(ADMIN, bytes((command,)) + data, on_touch)

    return exchange


def over_card(line: CardLine) -> Exchange:
    """The same over its card interface, where there is no HID. It says nothing of a touch."""
    _good(line.transmit(b"\x00\xa4\x04\x00" + bytes((len(APPLICATION),)) + APPLICATION))

    def exchange(command: Command, data: bytes, on_touch: OnTouch | None) -> bytes:
        if on_touch is not None:
            on_touch()
        # The app reads the mode from P1; its answer is told apart by its length.
        mode = data[:1] if command is not Command.FACTORY_RESET_APP else b"\0"
        body = bytes((len(data),)) + data if data else b""
        head = bytes((0x00, command)) + (mode or b"\0") + b"\x00"
        return _good(line.transmit(head + body + b"\x00"))

    return exchange


def _good(answer: bytes) -> bytes:
    if answer[-2:] != b"\x90\x00":
        code = answer[-2:].hex().upper()
        why = "its firmware does not know this command" if code in NO_SUCH_COMMAND else "it refused"
        raise Refused(f"The key says: {why} (status {code}).", code=code)
    return answer[:-2]


class Admin:
    """The app, over either way. Every call raises Silent, Unplugged, Garbled, Refused."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def version(self) -> tuple[Version, str]:
        """The firmware's version, and the whole of what it calls itself."""
        answer = self._exchange(Command.VERSION, b"\x01", None)
        text = answer.decode("utf-8", "replace").strip("\0 ")
        found = of_text(text) if len(answer) != WORD else None
        if found is not None:
            return found, text if text.startswith("v") else f"v{text}"
        if len(answer) != WORD:  # a name that is no version: its number is asked for alone
            answer = self._exchange(Command.VERSION, b"", None)
        if len(answer) != WORD:
            raise Garbled("The key told no version that can be read.")
        version = of_word(int.from_bytes(answer, "big"))
        return version, str(version)

    def uuid(self) -> str:
        """32 capital hex digits; "" where the firmware is too old to tell (1.0.0)."""
        try:
            answer = self._exchange(Command.UUID, b"", None)
        except Refused as error:
            if error.code in NO_SUCH_COMMAND:
                return ""
            raise
        return answer.hex().upper() if len(answer) == 16 else ""

    def status(self) -> Status | None:
        """None where the firmware is too old to tell; that is no fault."""
        try:
            answer = self._exchange(Command.STATUS, b"", None)
        except Refused as error:
            if error.code in NO_SUCH_COMMAND:
                return None
            raise
        return parse_status(answer) if answer else None

    def to_bootloader(self, on_touch: OnTouch | None) -> None:
        """Have it start its bootloader; the person has 15 s to touch it.

        That it leaves is the only sign of success. Raises Refused (code "touch") if nobody did.
        """
        self._leave(Command.UPDATE, on_touch)

    def reboot(self) -> None:
        """Have it start its firmware anew."""
        self._leave(Command.REBOOT, None)

    def factory_reset(self, on_touch: OnTouch | None) -> None:
        """Erase everything on it. Raises Refused (code "touch") if nobody touched it."""
        with _known():
            answer = self._leave(Command.FACTORY_RESET, on_touch)
        if answer:
            _app_answer(answer)

    def reset_app(self, name: str, on_touch: OnTouch | None) -> None:
        """Erase one application: "fido", "opcard", "secrets", "piv"."""
        with _known():
            answer = self._exchange(Command.FACTORY_RESET_APP, name.encode(), on_touch)
        _app_answer(answer)

    def _leave(self, command: Command, on_touch: OnTouch | None) -> bytes:
        try:
            return self._exchange(command, b"", on_touch)
        except Refused as error:
            if error.code in NOT_TOUCHED:
                raise _not_touched() from None
            raise
        except (Unplugged, Silent, Garbled):
            return b""  # it is on its way off the bus; whether it comes back, the caller waits for


def parse_status(answer: bytes) -> Status:
    """From the app's bytes; what is missing at their end is not known. Raises Garbled."""
    if not answer:
        raise Garbled("The key told no status.")
    return Status(
        Trouble(answer[0]),
        answer[1] if len(answer) > 1 else None,
        int.from_bytes(answer[2:4], "big") if len(answer) > 3 else None,
        VARIANTS.get(answer[4]) if len(answer) > 4 else None,
        MODELS.get(answer[5], "") if len(answer) > 5 else "",
    )


@contextmanager
def _known() -> Iterator[None]:
    """Firmware from before these commands says that it does not know them."""
    try:
        yield
    except Refused as error:
        if error.code not in NO_SUCH_COMMAND:
            raise
        raise Refused(
            "Its firmware is too old to reset that by this way. Nothing was erased.",
            "Flash a newer firmware, then run reset again.",
            code=error.code,
        ) from None


def _app_answer(answer: bytes) -> None:
    found = answer[0] if answer else AppReset.DONE
    if found == AppReset.DONE:
        return
    if found == AppReset.NOT_TOUCHED:
        raise _not_touched()
    why = (
        "does not let this application be reset alone"
        if found == AppReset.NOT_ALLOWED
        else ("does not know this application")
    )
    raise Refused(f"The key {why}.", "Nothing was erased.", code=f"{found:02X}")


def _not_touched() -> DeviceError:
    return Refused(
        f"No touch was seen within {TOUCH_WINDOW:.0f} s. Nothing was changed.",
        "Run it again and touch the key while it blinks.",
        code="touch",
    )
