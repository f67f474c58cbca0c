"""The admin application of the firmware: version, status, reboot, factory reset.

The rule: it is the same application behind CTAPHID and behind the card reader; what differs
is where the first byte of data is looked for (Nitrokey's admin-app).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from fido2 import cbor

from console.families.nitrokey3.simulator_faults import FirmwareFaults
from console.families.nitrokey3.simulator_rows import Personality, Version
from console.families.nitrokey3.simulator_touch import Asks, Leave, Refusal, Reply

TOUCH_SECONDS = 15.0
RANDOM = 57
NAMESPACE = 0x72
MODE = 0x01
"""The flag of VERSION (as text) and of UPDATE (for good)."""


class Command(IntEnum):
    WINK = 0x08
    UPDATE = 0x51
    REBOOT = 0x53
    RNG = 0x60
    VERSION = 0x61
    UUID = 0x62
    LOCKED = 0x63
    STATUS = 0x80
    TEST_SE050 = 0x81
    GET_CONFIG = 0x82
    SET_CONFIG = 0x83
    FACTORY_RESET = 0x84
    FACTORY_RESET_APP = 0x85
    FIELDS = 0x86


DIRECT = (0x51, 0x53, 0x60, 0x61, 0x62, 0x63)
"""Reachable as CTAPHID vendor commands of their own; every one also by way of 0x72."""

NOT_CONFIRMED, NOT_ALLOWED, NO_NAME = b"\x01", b"\x02", b"\x03"
BAD_REQUEST, BAD_KEY, BAD_VALUE = b"\x03", b"\x05", b"\x06"


@dataclass(frozen=True)
class Setting:
    """One field of the configuration; a destructive one wipes `wipes` when it is changed."""

    name: str
    confirmed: bool
    reboots: bool
    destructive: bool
    wipes: str = ""


SETTINGS = (
    Setting("fido.disable_skip_up_timeout", False, False, False),
    Setting("opcard.use_se050_backend", True, True, True, "opcard"),
)


@dataclass
class Contents:
    """What a factory reset takes away: which applications hold something of the owner's."""

    used: set[str] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)
    drawn: int = 0
    """How often random bytes were given out."""
    wipes: int = 0
    """How often an application began from nothing."""


class Admin:
    """call() answers, or asks for a touch first. `wipe` takes away what an application holds."""

    def __init__(
        self,
        who: Personality,
        uuid: bytes,
        faults: FirmwareFaults,
        contents: Contents,
        wipe: Callable[[str], None],
    ) -> None:
        self.version = Version(0, 0, 0)
        self.flags = faults.status_flags
        self.contents = contents
        self._who = who
        self._uuid = uuid
        self._faults = faults
        self._wipe = wipe

    def call(self, number: int, data: bytes) -> Reply | Asks:
        """One command; `data` is what came with it, its mode first."""
        match number:
            case Command.UPDATE:
                return self._update(data[:1] == bytes((MODE,)))
            case Command.REBOOT:
                return Reply(leave=Leave.FIRMWARE)
            case Command.RNG:
                return Reply(self._random())
            case Command.VERSION:
                return Reply(self._version(data[:1] == bytes((MODE,))))
            case Command.UUID:
                return Reply(self._uuid if self._faults.has_uuid else b"")
            case Command.LOCKED:
                return Reply(b"\x01")
            case Command.WINK:
                return Reply()
        return self._later(number, data)

    def _later(self, number: int, data: bytes) -> Reply | Asks:
        """What firmware older than 1.3 does not know."""
        length = self._faults.status_length
        if not length:
            return Reply(refusal=Refusal.UNKNOWN)
        match number:
            case Command.STATUS:
                return Reply(self._status()[:length])
            case Command.GET_CONFIG:
                return Reply(self._get(data))
            case Command.SET_CONFIG:
                return self._set(data)
            case Command.FACTORY_RESET:
                return self._asks(self._reset_all, Reply(NOT_CONFIRMED))
            case Command.FACTORY_RESET_APP:
                return self._reset_app(data)
            case Command.FIELDS:
                return Reply(self._fields())
            case _:
                return Reply(refusal=Refusal.UNKNOWN)

    # --- what it tells --------------------------------------------------------------------

    def _version(self, as_text: bool) -> bytes:
        return str(self.version).encode() if as_text else self.version.packed.to_bytes(4, "big")

    def _random(self) -> bytes:
        """Never the same twice, and the same in every run of a test."""
        self.contents.drawn += 1
        seed = self._uuid + self.contents.drawn.to_bytes(4, "big")
        return hashlib.shake_256(seed).digest(RANDOM)

    def _status(self) -> bytes:
        faults, who = self._faults, self._who
        free = faults.free_external.to_bytes(2, "big")
        return bytes((self.flags, faults.free_internal, *free, who.chip, who.model, who.revision))

    def _fields(self) -> bytes:
        found = [
            {"n": each.name, "c": each.confirmed, "r": each.reboots, "d": each.destructive, "t": 0}
            for each in SETTINGS
        ]
        return cbor.encode(found)

    # --- what it changes ------------------------------------------------------------------

    def _asks(self, given: Callable[[], Reply], late: Reply) -> Asks:
        return Asks(TOUCH_SECONDS, given, late, late)

    def _update(self, for_good: bool) -> Asks:
        leave = Leave.DESTROY if for_good else Leave.BOOTLOADER
        return self._asks(lambda: Reply(leave=leave), Reply(refusal=Refusal.NOT_CONFIRMED))

    def _reset_all(self) -> Reply:
        for app in () if self._faults.reset_does_nothing else self._who.apps:
            self._wipe(app)
        self.contents.settings.clear()
        return Reply(leave=Leave.FIRMWARE)

    def _reset_app(self, data: bytes) -> Reply | Asks:
        try:
            name = data.decode()
        except UnicodeDecodeError:
            return Reply(NO_NAME)
        if name not in self._who.apps:
            return Reply(NOT_ALLOWED)
        return self._asks(lambda: self._wiped(name), Reply(NOT_CONFIRMED))

    def _wiped(self, name: str) -> Reply:
        if not self._faults.reset_does_nothing:
            self._wipe(name)
        return Reply(b"\x00")

    def _get(self, data: bytes) -> bytes:
        name = data.decode(errors="replace")
        if name not in (each.name for each in SETTINGS):
            return BAD_KEY
        return b"\x00" + self.contents.settings.get(name, "false").encode()

    def _set(self, data: bytes) -> Reply | Asks:
        try:
            wanted: Any = cbor.decode(data)
            name, value = str(wanted["key"]), str(wanted["value"])
        except (ValueError, KeyError, TypeError, IndexError):
            return Reply(BAD_REQUEST)
        setting = next((each for each in SETTINGS if each.name == name), None)
        if setting is None:
            return Reply(BAD_KEY)
        if value not in ("true", "false"):
            return Reply(BAD_VALUE)
        if not setting.confirmed:
            return self._changed(setting, value)
        return self._asks(lambda: self._changed(setting, value), Reply(b"\x02"))

    def _changed(self, setting: Setting, value: str) -> Reply:
        if setting.wipes:
            self._wipe(setting.wipes)
        self.contents.settings[setting.name] = value
        return Reply(b"\x00")
