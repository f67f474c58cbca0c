"""The two PINs of a SmartCard-HSM, their counters, and what each may still do.

The rule: a wrong one spends a try wherever it is given, INITIALIZE included; the SO-PIN's 15
tries are given back by a right one only, so once they are gone there is no way in, by design.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.families.smartcardhsm.simulator_apdu import Denied, Status
from console.families.smartcardhsm.simulator_rows import RESET_ALLOWED, TRANSPORT_PIN

USER, SO = 0x81, 0x88
SO_TRIES = 15
SO_LENGTH = 8
SHORTEST, LONGEST = 6, 16
MOST_TRIES = 10


@dataclass
class Pin:
    """One PIN. It is in no repr."""

    value: bytes = field(repr=False)
    most: int
    tries: int
    verified: bool = False

    def check(self, given: bytes) -> bool:
        """Is it the PIN? A wrong one spends a try. Raises Denied (6983) if it is blocked."""
        if self.tries == 0:
            raise Denied(Status.BLOCKED)
        self.tries -= 1
        self.verified = hmac.compare_digest(given, self.value)
        if self.verified:
            self.tries = self.most
        return self.verified

    def prove(self, given: bytes) -> None:
        """As check(); a wrong one raises Denied (63Cx)."""
        if not self.check(given):
            raise Denied(Status.TRIES + self.tries)

    def status(self) -> int:
        """What VERIFY without data answers."""
        if self.verified:
            return Status.DONE
        return Status.TRIES + self.tries if self.tries else Status.BLOCKED

    def freeze(self) -> dict[str, Any]:
        return {
            "value": self.value.hex(),
            "most": self.most,
            "tries": self.tries,
            "verified": self.verified,
        }


def thawed(frozen: Mapping[str, Any]) -> Pin:
    return Pin(bytes.fromhex(frozen["value"]), frozen["most"], frozen["tries"], frozen["verified"])


class Pins:
    """Both, or neither on a card that was never initialised."""

    def __init__(self) -> None:
        self.user: Pin | None = None
        self.so: Pin | None = None
        self.options = 0
        self.transport = False

    @property
    def verified(self) -> bool:
        return self.user is not None and self.user.verified

    def require(self) -> None:
        """Raises Denied (6982) while the user PIN is not verified."""
        if not self.verified:
            raise Denied(Status.NOT_VERIFIED)

    def forget(self) -> None:
        """What was verified is not so any more."""
        for pin in (self.user, self.so):
            if pin is not None:
                pin.verified = False

    def set(self, user: bytes, so: bytes, tries: int, options: int) -> None:
        """INITIALIZE has been allowed."""
        self.user = Pin(user, tries, tries)
        self.so = Pin(so, SO_TRIES, SO_TRIES)
        self.options = options
        self.transport = bool(options & TRANSPORT_PIN)

    def admit(self, so: bytes) -> None:
        """May INITIALIZE go on? A wrong SO-PIN costs a try and raises Denied (6985, or 6983)."""
        if self.so is not None and not self.so.check(so):
            raise Denied(Status.CONDITIONS)

    def verify(self, which: int, given: bytes | None) -> int:
        """VERIFY; without data its status. Raises Denied."""
        pin = self._pin(which)
        if which == USER and self.transport:
            raise Denied(Status.NOT_USABLE)
        if given is None:
            return pin.status()
        _right_length(which, len(given))
        pin.prove(given)
        return Status.DONE

    def change(self, which: int, data: bytes) -> None:
        """CHANGE REFERENCE DATA: old, then new. The old one is as long as the card knows."""
        pin = self._pin(which)
        size = len(pin.value)
        old, new = data[:size], data[size:]
        _right_length(which, len(new))
        pin.prove(old)
        pin.value, pin.verified = new, False
        if which == USER:
            self.transport = False

    def reset(self, how: int, data: bytes) -> None:
        """RESET RETRY COUNTER: 0 SO-PIN and new PIN, 1 SO-PIN, 2 new PIN, 3 nothing (2, 3: after
        the SO-PIN was verified). Raises Denied."""
        user, so = self._pin(USER), self._pin(SO)
        if how > 3:
            raise Denied(Status.WRONG_P1P2)
        if not self.options & RESET_ALLOWED:
            raise Denied(Status.CONDITIONS)
        new = data if how == 2 else data[SO_LENGTH:] if how == 0 else user.value
        _right_length(USER, len(new))
        if how in (0, 1):
            so.prove(data[:SO_LENGTH])
            so.verified = False
        elif not so.verified:
            raise Denied(Status.NOT_VERIFIED)
        self.user = Pin(new, user.most, user.most)

    def _pin(self, which: int) -> Pin:
        pin = {USER: self.user, SO: self.so}.get(which)
        if pin is None:
            raise Denied(Status.NO_SUCH_REFERENCE)
        return pin

    def freeze(self) -> dict[str, Any]:
        return {
            "user": self.user and self.user.freeze(),
            "so": self.so and self.so.freeze(),
            "options": self.options,
            "transport": self.transport,
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.user = thawed(frozen["user"]) if frozen["user"] else None
        self.so = thawed(frozen["so"]) if frozen["so"] else None
        self.options = frozen["options"]
        self.transport = frozen["transport"]


def _right_length(which: int, length: int) -> None:
    right = length == SO_LENGTH if which == SO else SHORTEST <= length <= LONGEST
    if not right:
        raise Denied(Status.WRONG_LENGTH)
