"""The FIDO authenticator of the firmware, as far as a bench asks it: what it is, PIN, reset.

The rule: CTAP 2.1 messages, a command byte and CBOR in, a status byte and CBOR out. It makes and
uses no credentials: it only counts them, because a reset takes them away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from fido2 import cbor

from console.families.nitrokey3.simulator_faults import FirmwareFaults
from console.families.nitrokey3.simulator_rows import Chip, Personality
from console.families.nitrokey3.simulator_touch import Asks, Leave, Reply

RESET_WINDOW = 10
"""Whole seconds since power came; the firmware drops the fraction before it compares."""
TOUCH_SECONDS = 30.0
PIN_TRIES = 8
MOST_RESIDENTS = 100


class Command(IntEnum):
    MAKE_CREDENTIAL = 0x01
    GET_ASSERTION = 0x02
    GET_INFO = 0x04
    CLIENT_PIN = 0x06
    RESET = 0x07
    GET_NEXT_ASSERTION = 0x08
    SELECTION = 0x0B


class Status(IntEnum):
    """CTAP 2.1, 8.2."""

    OK = 0x00
    INVALID_COMMAND = 0x01
    INVALID_LENGTH = 0x03
    INVALID_CBOR = 0x12
    MISSING_PARAMETER = 0x14
    KEEPALIVE_CANCEL = 0x2D
    NO_CREDENTIALS = 0x2E
    USER_ACTION_TIMEOUT = 0x2F
    NOT_ALLOWED = 0x30
    INVALID_SUBCOMMAND = 0x3E


@dataclass
class Holdings:
    """What the owner has put into it; `wiped` counts the resets."""

    pin_set: bool = False
    pin_tries: int = PIN_TRIES
    residents: int = 0
    wiped: int = 0

    def wipe(self) -> None:
        self.pin_set, self.pin_tries, self.residents = False, PIN_TRIES, 0
        self.wiped += 1


def _said(status: Status, answer: Mapping[int, Any] | None = None) -> Reply:
    return Reply(bytes((status,)) + (b"" if answer is None else cbor.encode(answer)))


class Authenticator:
    """call() answers a CTAP2 message; `uptime` tells the seconds since power came."""

    def __init__(
        self,
        who: Personality,
        holdings: Holdings,
        uptime: Callable[[], float],
        faults: FirmwareFaults,
    ) -> None:
        self.holdings = holdings
        self._faults = faults
        self._who = who
        self._uptime = uptime

    def call(self, message: bytes) -> Reply | Asks:
        if not message:
            return _said(Status.INVALID_LENGTH)
        match message[0]:
            case Command.GET_INFO:
                return _said(Status.OK, self._info())
            case Command.CLIENT_PIN:
                return self._client_pin(message[1:])
            case Command.RESET:
                return self._reset()
            case Command.SELECTION:
                return _asks(lambda: _said(Status.OK))
            case Command.GET_ASSERTION:
                return _said(Status.NO_CREDENTIALS)
            case Command.MAKE_CREDENTIAL | Command.GET_NEXT_ASSERTION:
                return _said(Status.NOT_ALLOWED)
            case _:
                return _said(Status.INVALID_COMMAND)

    def _info(self) -> dict[int, Any]:
        """The members that Nitrokey's fido-authenticator gives, in its order."""
        transports = ["nfc", "usb"] if self._who.chip is Chip.LPC55 else ["usb"]
        room = {0x14: MOST_RESIDENTS - self.holdings.residents} if self._faults.tells_room else {}
        return {
            0x01: ["U2F_V2", "FIDO_2_0", "FIDO_2_1"],
            0x02: ["credProtect", "hmac-secret", "thirdPartyPayment"],
            0x03: bytes.fromhex(self._who.aaguid),
            0x04: {
                "rk": True,
                "up": True,
                "plat": False,
                "credMgmt": True,
                "clientPin": self.holdings.pin_set,
                "largeBlobs": False,
                "pinUvAuthToken": True,
            },
            0x05: 3072,
            0x06: [2, 1],
            0x07: 10,
            0x08: 255,
            0x09: transports,
            **room,
            0x16: ["packed", "none"],
        }

    def _client_pin(self, raw: bytes) -> Reply:
        try:
            request: Any = cbor.decode(raw)
            asked = request[0x02]
        except (ValueError, IndexError):
            return _said(Status.INVALID_CBOR)
        except (KeyError, TypeError):
            return _said(Status.MISSING_PARAMETER)
        if asked == 0x01:  # getPINRetries
            return _said(Status.OK, {0x03: self.holdings.pin_tries, 0x04: False})
        return _said(Status.INVALID_SUBCOMMAND)

    def _reset(self) -> Reply | Asks:
        if int(self._uptime()) > RESET_WINDOW:
            return _said(Status.NOT_ALLOWED)
        return _asks(self._wiped)

    def _wiped(self) -> Reply:
        if self._faults.reset_does_nothing:
            return _said(Status.OK)
        self.holdings.wipe()
        if self._faults.reset_answer_lost and self.holdings.wiped == 1:
            return Reply(leave=Leave.FIRMWARE)
        return _said(Status.OK)


def _asks(given: Callable[[], Reply]) -> Asks:
    late, cancelled = Status.USER_ACTION_TIMEOUT, Status.KEEPALIVE_CANCEL
    return Asks(TOUCH_SECONDS, given, _said(late), _said(cancelled))
