"""The modem of a simulated unit: functional mode, supply, warnings, and what a command does.

The rule: what Nordic's AT command reference says for that firmware; an answer is lines, without
their ends. Nothing here waits: `seconds` says what the work takes, whoever runs it lets it pass.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from console.families.nrf91 import simulator_at as at
from console.families.nrf91 import simulator_keys as keys
from console.families.nrf91.simulator_at import Command, Kind
from console.families.nrf91.simulator_keys import Identity
from console.families.nrf91.simulator_rows import (
    ENDORSEMENT_KEY,
    PRIVATE_KEY,
    PUBLIC_KEY,
    WRITABLE,
    Faults,
    Firmware,
    Times,
)
from console.families.nrf91.simulator_store import Entry, Store

WRITE, LIST, READ, DELETE = range(4)
HIGHEST_TAG = 2147483647
OWN_ENTRIES = ((4294967292, 11), (4294967293, 10), (4294967294, 6))
"""What the modem keeps above the users' tags: only ever listed."""
ACTIVE_MODES = (1, 2, 21)
MODES = (0, 1, 2, 4, 20, 21, 30, 31, 40, 41, 44)
OFFLINE = 4
LEVELS = range(30, 34)
NO_DIGEST = "0" * 64
REQUEST, PUBLIC = 0, 1


class _Refused(Exception):
    """The command ends with that +CME ERROR."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Modem:
    """`supply` is what the module gets now, in millivolts; whoever holds the unit sets it."""

    def __init__(
        self,
        firmware: Firmware,
        who: Identity,
        store: Store,
        supply: int,
        faults: Faults = Faults(),  # noqa: B008 - frozen
        times: Times = Times(),  # noqa: B008 - frozen
    ) -> None:
        self.firmware = firmware
        self.who = who
        self.store = store
        self.supply = supply
        self.mode = 0
        self.warned = False
        self.writes = 0
        self._faults = faults
        self._times = times
        self._level = 0
        self._verbose = False
        self._registration = 0
        self._bands = "1,0,1,0"
        self._kept_bands = "1,0,1,0"
        self._notices: list[str] = []

    def power_on(self) -> None:
        """It starts switched off (CFUN=0), with what its flash holds."""
        self.store.power_on()
        self.mode, self.warned, self._level = 0, False, 0
        self._verbose, self._registration = False, 0
        self._bands = self._kept_bands
        self._notices.clear()

    @property
    def active(self) -> bool:
        return self.mode in ACTIVE_MODES

    # --- commands ---------------------------------------------------------------------------

    def seconds(self, line: str) -> float:
        """What the work of that line takes."""
        command = at.parse(line)
        if command is None or command.kind is not Kind.SET:
            return self._times.list
        match command.name:
            case "%CMNG":
                opcode = command.number(0)
                works = {WRITE: self._times.write, DELETE: self._times.delete}
                return works.get(opcode if opcode is not None else LIST, self._times.list)
            case "%KEYGEN":
                return self._times.keygen
            case "+CFUN":
                return self._times.functional
        return self._times.list

    def answer(self, line: str) -> list[str]:
        """The lines of the answer, the final one last."""
        command = at.parse(line)
        try:
            if command is None:
                return ["ERROR"]
            lines = self._do(command)
        except _Refused as refused:
            return [self._failed(refused.code)]
        self._watch_supply()
        return [*lines, "OK"]

    def _failed(self, code: int) -> str:
        return f"+CME ERROR: {code}" if self._verbose else "ERROR"

    def cut(self, line: str) -> None:
        """The supply went while that line was being worked on."""
        command = at.parse(line)
        if command is None or command.name != "%CMNG" or command.number(0) != WRITE:
            return
        try:
            entry = self._accepted(command)
        except _Refused:
            return
        self.store.tear(entry, self.supply)

    def notices(self) -> list[str]:
        """What it has to say of itself by now; said once."""
        self._watch_supply()
        said, self._notices = self._notices, []
        return said

    def _do(self, command: Command) -> list[str]:
        match command.name, command.kind:
            case "" | "+CGMI", Kind.DO:
                return [] if not command.name else ["Nordic Semiconductor ASA"]
            case "+CGMM", Kind.DO:
                return [self.firmware.model]
            case "+CGMR", Kind.DO:
                return [self.firmware.name]
            case "+CGSN", Kind.DO:
                return [self.who.imei]
            case "+CGSN", Kind.SET if command.number(0) == 1:
                return [f'+CGSN: "{self.who.imei}"']
            case "%SHORTSWVER", Kind.DO:
                return [f"%SHORTSWVER: {self.firmware.short_name}"]
            case "%HWVERSION", Kind.DO:
                return [f"%HWVERSION: {self.firmware.hardware}"]
            case "%XMODEMUUID", Kind.DO:
                return [f"%XMODEMUUID: {self.firmware.uuid}"]
            case "%XVBAT", Kind.DO:
                return [f"%XVBAT: {self.supply}"]
        return self._settings(command)

    def _settings(self, command: Command) -> list[str]:
        match command.name, command.kind:
            case "+CFUN", Kind.READ:
                return [f"+CFUN: {self.mode}"]
            case "+CFUN", Kind.SET:
                return self._change_mode(command.number(0))
            case "+CMEE", Kind.READ:
                return [f"+CMEE: {int(self._verbose)}"]
            case "+CMEE", Kind.SET if command.number(0) in (0, 1):
                self._verbose = command.number(0) == 1
                return []
            case "+CEREG", Kind.SET:
                self._registration = _within(command.number(0), range(6))
                return []
            case "+CEREG", Kind.READ:
                return [f"+CEREG: {self._registration},{2 if self.active else 0}"]
            case "%XSYSTEMMODE", Kind.READ:
                return [f"%XSYSTEMMODE: {self._bands}"]
            case "%XSYSTEMMODE", Kind.SET:
                return self._choose_bands(command)
            case "%XPOFWARN", Kind.SET:
                return self._set_warning(command)
        return self._security(command)

    def _security(self, command: Command) -> list[str]:
        match command.name, command.kind:
            case "%CMNG", Kind.SET:
                return self._credentials(command)
            case "%KEYGEN", Kind.SET if self.firmware.makes_keys:
                return self._make_key(command)
            case "%ATTESTTOKEN", Kind.DO | Kind.SET if self.firmware.makes_keys:
                return self._attest(command)
            case "%CERTEXPIRY", Kind.SET if self.firmware.makes_keys:
                return self._expiry(command)
            case (("+CMEE" | "+CGSN"), Kind.SET):
                raise _Refused(at.BAD_PARAMETERS)
        raise _Refused(at.UNSUPPORTED)

    # --- mode, supply -----------------------------------------------------------------------

    def _change_mode(self, mode: int | None) -> list[str]:
        if mode not in MODES:
            raise _Refused(at.BAD_PARAMETERS)
        assert mode is not None
        if mode == 0:
            self.store.flush()
            if not self.guarded:
                self._kept_bands = self._bands
        self.mode = mode
        if self._registration and mode in ACTIVE_MODES:
            self._notices.append("+CEREG: 2")
        return []

    def _choose_bands(self, command: Command) -> list[str]:
        """Into flash with the next CFUN=0, as most settings."""
        if self.active:
            raise _Refused(at.ACTIVE)
        values = [argument.number for argument in command.arguments]
        if len(values) != 4 or None in values:
            raise _Refused(at.BAD_PARAMETERS)
        self._bands = ",".join(map(str, values))
        return []

    def _set_warning(self, command: Command) -> list[str]:
        """Sent once; it has to be enabled again after that."""
        state = command.number(0)
        if state not in (0, 1):
            raise _Refused(at.BAD_PARAMETERS)
        level = _within(command.number(1), LEVELS) if state == 1 else 0
        if self.supply >= (level or self._level) * 100:
            self.warned = False
        self._level = level
        return []

    def _watch_supply(self) -> None:
        if self._level and self.supply < self._level * 100:
            self._notices += [f"%XPOFWARN: 1,{self._level}", "+CGEV: ME BATTERY LOW"]
            self.warned, self._level, self.mode = True, 0, OFFLINE

    @property
    def guarded(self) -> bool:
        """Does the warning keep it from writing to its flash?"""
        return self.warned and self.firmware.guards

    # --- credentials ------------------------------------------------------------------------

    def _credentials(self, command: Command) -> list[str]:
        match command.number(0):
            case 0:
                return self._write(command)
            case 1:
                return self._list(command)
            case 2:
                return self._read(command)
            case 3:
                return self._delete(command)
        raise _Refused(at.BAD_PARAMETERS)

    def _list(self, command: Command) -> list[str]:
        """Of one pair, of a tag, or of all; of nothing is no error."""
        if any(each.number is None for each in command.arguments):
            raise _Refused(at.BAD_PARAMETERS)
        tag, kind = command.number(1), command.number(2)
        lines = [f"%CMNG: {self._listed(entry)}" for entry in self.store.find(tag, kind)]
        if self.firmware.own_entries:
            lines += [
                f'%CMNG: {own},{own_kind},"{self._own_digest(own)}"'
                for own, own_kind in OWN_ENTRIES
                if tag in (None, own) and kind in (None, own_kind)
            ]
        return lines

    def _listed(self, entry: Entry) -> str:
        if entry.type in self.firmware.short:
            return f"{entry.tag},{entry.type}"
        digest = NO_DIGEST if entry.type in self.firmware.no_digest else entry.digest
        return f'{entry.tag},{entry.type},"{digest}"'

    def _own_digest(self, tag: int) -> str:
        return Entry(tag, 0, f"{self.who.imei} {tag}".encode()).digest

    def _pair(self, command: Command, at_argument: int = 1) -> tuple[int, int]:
        tag, kind = command.number(at_argument), command.number(at_argument + 1)
        if tag is None or kind is None or kind not in self.firmware.types:
            raise _Refused(at.BAD_PARAMETERS)
        if tag > HIGHEST_TAG:
            raise _Refused(at.NO_ACCESS)
        return tag, kind

    def _read(self, command: Command) -> list[str]:
        tag, kind = self._pair(command)
        found = self.store.find(tag, kind)
        if not found:
            raise _Refused(at.NOT_FOUND)
        if kind not in self.firmware.readable:
            raise _Refused(at.NO_ACCESS)
        return [f'%CMNG: {self._listed(found[0])},"{found[0].content.decode("latin-1")}"']

    def _delete(self, command: Command) -> list[str]:
        tag, kind = self._pair(command)
        self._may_change()
        if not self.store.find(tag, kind):
            raise _Refused(at.NOT_FOUND)
        self.store.delete((tag, kind), self.supply)
        return []

    def _write(self, command: Command) -> list[str]:
        entry = self._accepted(command)
        self.writes += 1
        self.store.write(entry, self.supply)
        if self._faults.errs_after_writing:
            raise _Refused(at.UNSUPPORTED)
        return []

    def _accepted(self, command: Command) -> Entry:
        """The entry that the command would write. Raises _Refused; nothing is changed."""
        tag, kind = self._pair(command)
        text = command.text(3)
        if not text or kind == PUBLIC_KEY:
            raise _Refused(at.BAD_PARAMETERS)
        if kind not in WRITABLE:
            raise _Refused(at.NO_ACCESS)
        self._may_change()
        if self._faults.refuses_with:
            raise _Refused(self._faults.refuses_with)
        entry = Entry(tag, kind, text.encode("latin-1"))
        there = self.store.find(tag, kind)
        if there and not self.firmware.replaces:
            raise _Refused(at.EXISTS)
        if self.firmware.parses and kind in (0, 1) and not keys.is_certificate(entry.content):
            raise _Refused(at.INVALID)
        taken = self.store.size - sum(len(old.content) for old in there)
        if taken + len(entry.content) > self.firmware.capacity:
            raise _Refused(at.FULL)
        return entry

    def _may_change(self) -> None:
        self._watch_supply()
        if self.active:
            raise _Refused(at.ACTIVE)
        if self.guarded:
            raise _Refused(at.WARNED)

    # --- keys -------------------------------------------------------------------------------

    def _make_key(self, command: Command) -> list[str]:
        tag, kind = self._pair(command, 0)
        content = command.number(2)
        if kind not in (PRIVATE_KEY, ENDORSEMENT_KEY) or content not in (REQUEST, PUBLIC):
            raise _Refused(at.BAD_PARAMETERS)
        self._may_change()
        there = self.store.find(tag, kind)
        if there and kind == PRIVATE_KEY:
            raise _Refused(at.EXISTS)
        if self._faults.fails_keygen:
            raise _Refused(at.NO_KEY)
        if there:
            body = keys.public_half(there[0].content)
            return [self._made(body, keys.PUBLIC_KEY_MESSAGE, tag)]
        made = keys.make_key()
        body, message = made.public, keys.PUBLIC_KEY_MESSAGE
        if kind == PRIVATE_KEY and content == REQUEST:
            body, message = self._request(made, command), keys.REQUEST_MESSAGE
        self.store.write(Entry(tag, kind, made.pem.encode()), self.supply)
        return [self._made(body, message, tag)]

    def _request(self, made: keys.MadeKey, command: Command) -> bytes:
        try:
            return keys.request(made, self.who, command.text(3) or "", command.text(4) or "")
        except ValueError:
            raise _Refused(at.BAD_PARAMETERS) from None

    def _made(self, body: bytes, message: int, tag: int) -> str:
        return f'%KEYGEN: "{keys.signed(body, self.who, message, tag)}"'

    def _attest(self, command: Command) -> list[str]:
        try:
            nonce = bytes.fromhex(command.text(0) or "")
        except ValueError:
            raise _Refused(at.BAD_PARAMETERS) from None
        token = keys.attestation(self.who, uuid.UUID(self.firmware.uuid), nonce)
        return [f'%ATTESTTOKEN: "{token}"']

    def _expiry(self, command: Command) -> list[str]:
        tag, kind = command.number(0), command.number(1)
        if tag is None or kind not in (0, 1, 10):
            raise _Refused(at.BAD_PARAMETERS)
        found = self.store.find(tag, kind)
        if not found:
            raise _Refused(at.NOT_FOUND)
        told = keys.expiry(found[0].content)
        if told is None:
            raise _Refused(at.INVALID)
        return [f"%CERTEXPIRY: {told}"]

    # --- keeping ----------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        return {
            "store": self.store.freeze(),
            "supply": self.supply,
            "mode": self.mode,
            "warned": self.warned,
            "writes": self.writes,
            "level": self._level,
            "verbose": self._verbose,
            "registration": self._registration,
            "bands": [self._bands, self._kept_bands],
            "notices": list(self._notices),
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.store.thaw(frozen["store"])
        self.supply, self.mode = int(frozen["supply"]), int(frozen["mode"])
        self.warned, self.writes = bool(frozen["warned"]), int(frozen["writes"])
        self._level, self._verbose = int(frozen["level"]), bool(frozen["verbose"])
        self._registration = int(frozen["registration"])
        self._bands, self._kept_bands = frozen["bands"]
        self._notices = list(frozen["notices"])


def _within(value: int | None, allowed: range) -> int:
    if value is None or value not in allowed:
        raise _Refused(at.BAD_PARAMETERS)
    return value
