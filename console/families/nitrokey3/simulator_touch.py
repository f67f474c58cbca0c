"""What the firmware's applications answer, and the one touch that they may ask for first.

The rule: a touch counts only while somebody waits for it; one waiter at a time. Nothing of a
command is done before its touch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum


class Leave(StrEnum):
    """The key leaves the bus instead of answering, and what it is then."""

    FIRMWARE = "firmware"
    BOOTLOADER = "bootloader"
    DESTROY = "destroy"
    """To the bootloader for good: on the LPC55 the first flash page is erased before."""


class Refusal(Enum):
    """Why a command was not done: the error of CTAPHID, the status word of ISO 7816."""

    UNKNOWN = (0x01, 0x6D00)
    LENGTH = (0x03, 0x6700)
    NOT_CONFIRMED = (0x03, 0x6985)
    """The firmware borrows CTAPHID's code for a wrong length."""

    @property
    def hid(self) -> int:
        return self.value[0]

    @property
    def word(self) -> int:
        return self.value[1]


@dataclass(frozen=True)
class Reply:
    """Bytes, a refusal, or no answer because the key leaves."""

    data: bytes = b""
    refusal: Refusal | None = None
    leave: Leave | None = None


@dataclass(frozen=True)
class Asks:
    """A touch within so many seconds, and what is answered then."""

    seconds: float
    given: Callable[[], Reply]
    late: Reply
    cancelled: Reply


class Touch(StrEnum):
    WAITING = "waiting"
    GIVEN = "given"
    LATE = "late"


@dataclass
class Presence:
    """Asked by ask(), given by touch(), looked at by wait()."""

    left: float | None = None
    """Seconds that the waiter still waits; None while nobody does."""
    given: bool = False

    @property
    def busy(self) -> bool:
        return self.left is not None

    def ask(self, seconds: float) -> None:
        self.left = seconds
        self.given = False

    def touch(self) -> None:
        self.given = self.left is not None

    def wait(self, seconds: float) -> Touch:
        """So much time has passed since it was looked at last."""
        assert self.left is not None, "nobody waits for a touch"
        if self.given:
            self.forget()
            return Touch.GIVEN
        self.left -= seconds
        if self.left > 1e-9:
            return Touch.WAITING
        self.forget()
        return Touch.LATE

    def forget(self) -> None:
        self.left, self.given = None, False
