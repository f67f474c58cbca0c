"""The applet of a SmartCard-HSM: what it holds, and every command it knows.

The rule: it knows no time and no fault; each command is done at once and whole, or refused
with a status word and nothing done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.families.smartcardhsm import simulator_blob as blob
from console.families.smartcardhsm import simulator_curves as curves
from console.families.smartcardhsm import simulator_cvc as cvc
from console.families.smartcardhsm import simulator_files as files
from console.families.smartcardhsm import simulator_keys as keys
from console.families.smartcardhsm import simulator_pins as pins
from console.families.smartcardhsm.simulator_apdu import (
    Denied,
    Status,
    answer,
    objects,
)
from console.families.smartcardhsm.simulator_rows import AID, Firmware
from console.hardware.simulated_command import Command

SELECT, SIGN = 0xA4, 0x68
ISO, OWN_CLASS = 0x00, 0x80
MOST_RANDOM = 1024
FROM_THE_START, CONTENT = 0x54, 0x53


@dataclass
class _Session:
    """What is forgotten without power."""

    selected: bool = False
    file: int | None = None


class Applet:
    """One applet: its firmware's row, its serial, and what it has been given since."""

    def __init__(
        self,
        firmware: Firmware,
        serial: str,
        root: cvc.Issuer,
        issuer: cvc.Issuer,
        entropy: blob.Entropy,
    ) -> None:
        self.firmware = firmware
        self.serial = serial
        self.pins = pins.Pins()
        self.keys: dict[int, keys.Key] = {}
        self.domains: list[blob.Domain | None] = []
        self.pairs = 0
        self.files = files.Files(cvc.device_chain(serial, root, issuer))
        self._device = cvc.device_key(serial)
        self._entropy = entropy
        self._session = _Session()

    @property
    def room(self) -> int:
        """Bytes of memory that are left."""
        taken = sum(key.size for key in self.keys.values())
        return self.firmware.memory - taken - self.files.used

    def reset(self) -> None:
        """Without power: nothing is selected or verified any more."""
        self._session = _Session()
        self.pins.forget()

    def perform(self, command: Command) -> bytes:
        """The answer, status word included."""
        try:
            data, status = self._dispatch(command)
        except Denied as no:
            return answer(status=no.status)
        if len(data) > (command.expected or 0):
            return answer(status=Status.WRONG_LENGTH)
        return answer(data, status)

    def _dispatch(self, command: Command) -> tuple[bytes, int]:
        if command.cla not in (ISO, OWN_CLASS):
            raise Denied(Status.NO_SUCH_CLASS)
        if not self._session.selected and command.ins != SELECT:
            raise Denied(Status.NO_SUCH_INSTRUCTION)
        known = self._iso if command.cla == ISO else self._own
        done = known(command)
        return done if isinstance(done, tuple) else (done, Status.DONE)

    def _iso(self, command: Command) -> bytes | tuple[bytes, int]:
        match command.ins:
            case 0xA4:
                return self._select(command)
            case 0xB1:
                return self._read(command)
            case 0xD7:
                return self._update(command)
            case 0xE4:
                return self._delete(command)
            case 0x84:
                return self._challenge(command)
            case 0x20:
                given = command.data or None
                return b"", self._at_zero(command) or self.pins.verify(command.p2, given)
            case 0x24:
                self._at_zero(command)
                self.pins.change(command.p2, command.data)
                return b""
            case 0x2C:
                return self._reset_tries(command)
            case 0x46:
                return self._generate(command)
            case 0x22 | 0x2A | 0x82:  # public key authentication: not set up, so nothing is found
                raise Denied(Status.NO_SUCH_REFERENCE)
        raise Denied(Status.NO_SUCH_INSTRUCTION)

    def _own(self, command: Command) -> bytes | tuple[bytes, int]:
        match command.ins:
            case 0x50:
                return self._initialize(command)
            case 0x52:
                return self._key_domain(command)
            case 0x54:  # status or registration of keys that authenticate: never set up
                raise Denied(Status.NO_SUCH_INSTRUCTION)
            case 0x58:
                numbers = self.files.listed()
                listed = b"".join(number.to_bytes(2, "big") for number in numbers)
                return listed[: command.expected or 0]
            case 0x5A:  # a session PIN travels in secure messaging only, which this card lacks
                known = self.firmware.session_pin
                raise Denied(Status.NOT_VERIFIED if known else Status.NO_SUCH_INSTRUCTION)
            case 0x62 | 0x68:
                return self._use(command)
            case 0x72:
                return self._wrap(command)
            case 0x74:
                return self._unwrap(command)
        raise Denied(Status.NO_SUCH_INSTRUCTION)

    def _at_zero(self, command: Command) -> int:
        if command.p1 != 0:
            raise Denied(Status.WRONG_P1P2)
        return 0

    # --- files ----------------------------------------------------------------------------

    def _select(self, command: Command) -> bytes:
        shown = command.p2 == 0x00
        if command.p1 == 0x04:
            if command.data != AID:
                raise Denied(Status.NO_SUCH_FILE)
            self._session = _Session(selected=True)
            self.pins.forget()
            return self.firmware.fcp(self.pins.options) if shown else b""
        if not self._session.selected or command.p1 != 0x00 or command.p2 not in (0x00, 0x0C):
            raise Denied(Status.WRONG_P1P2)
        number = _file_number(command.data)
        content = self.files.content(number)
        self._session.file = number
        return files.fcp(number, len(content)) if shown else b""

    def _current(self, command: Command) -> int:
        number = command.parameters or self._session.file
        if number is None:
            raise Denied(Status.NO_SUCH_FILE)
        return number

    def _read(self, command: Command) -> tuple[bytes, int]:
        number = self._current(command)
        offset = objects(command.data).get(FROM_THE_START, b"")
        if len(offset) != 2:
            raise Denied(Status.WRONG_DATA)
        self.files.content(number)
        if number >> 8 == files.KEYS:
            raise Denied(Status.NOT_VERIFIED)
        if number >> 8 == files.PROTECTED:
            self.pins.require()
        self._session.file = number
        start = int.from_bytes(offset, "big")
        return self.files.read(number, start, command.expected or 0)

    def _update(self, command: Command) -> bytes:
        number = self._current(command)
        self.pins.require()
        given = objects(command.data)
        offset, content = given.get(FROM_THE_START, b""), given.get(CONTENT)
        if len(offset) != 2 or content is None:
            raise Denied(Status.WRONG_DATA)
        self.files.write(number, int.from_bytes(offset, "big"), content, self.room)
        self._session.file = number
        return b""

    def _delete(self, command: Command) -> bytes:
        if command.parameters != 0x0200:
            raise Denied(Status.WRONG_P1P2)
        self.pins.require()
        number = _file_number(command.data)
        self.files.delete(number)
        if number >> 8 == files.KEYS:
            del self.keys[number & 0xFF]
        if self._session.file == number:
            self._session.file = None
        return b""

    def _challenge(self, command: Command) -> bytes:
        if command.parameters:
            raise Denied(Status.WRONG_P1P2)
        if not command.expected or command.expected > MOST_RANDOM:
            raise Denied(Status.WRONG_LENGTH)
        return self._entropy(command.expected)

    # --- PINs and the whole ---------------------------------------------------------------

    def _reset_tries(self, command: Command) -> bytes:
        if command.p2 != pins.USER:
            raise Denied(Status.WRONG_P1P2)
        self.pins.reset(command.p1, command.data)
        return b""

    def _initialize(self, command: Command) -> bytes:
        if command.parameters:
            raise Denied(Status.OUTSIDE)
        given = objects(command.data)
        if given.keys() & {0x93, 0x95, 0x96}:  # public keys or fingerprints instead of a PIN
            raise Denied(Status.NOT_SUPPORTED)
        options, user, so = given.get(0x80, b""), given.get(0x81, b""), given.get(0x82, b"")
        tries, shares, domains = (_one_byte(given.get(tag)) for tag in (0x91, 0x92, 0x97))
        right = (
            len(options) == 2
            and pins.SHORTEST <= len(user) <= pins.LONGEST
            and len(so) == pins.SO_LENGTH
            and tries is not None
            and 1 <= tries <= pins.MOST_TRIES
            and (domains is None or self.firmware.key_domains)
        )
        if not right or tries is None:
            raise Denied(Status.WRONG_DATA)
        self.pins.admit(so)
        self.keys.clear()
        self.files.clear()
        self.pins.set(user, so, tries, options[1])
        self.domains = [None] * max(domains or 0, shares is not None)
        if shares is not None:
            self.domains[0] = blob.begun(shares, self._entropy)
        return b""

    # --- keys -----------------------------------------------------------------------------

    def _key_domain(self, command: Command) -> bytes:
        if not self.domains:
            raise Denied(Status.NO_SUCH_INSTRUCTION)
        if command.p2 >= len(self.domains):
            raise Denied(Status.WRONG_P1P2)
        if command.p1 != 0x00:
            self._change_domain(command)
            if command.p1 == 0x03:
                return b""
        domain = self.domains[command.p2]
        if domain is None:
            raise Denied(Status.NO_SUCH_REFERENCE)
        if command.p1 == 0x00 and command.data:
            domain.add(command.data)
        return domain.status()

    def _change_domain(self, command: Command) -> None:
        """Create (1), delete (3), delete its key (4); a key agreed with another card (2) is not."""
        if not self.firmware.key_domains:
            raise Denied(Status.OUTSIDE)
        self.pins.require()
        number = command.p2
        used = any(key.domain == number for key in self.keys.values())
        match command.p1:
            case 0x01 if self.domains[number] is None and len(command.data) == 1:
                self.domains[number] = blob.begun(command.data[0], self._entropy)
            case 0x03 if not used:
                self.domains[number] = None
            case 0x04 if (domain := self.domains[number]) is not None and not used:
                self.domains[number] = blob.begun(domain.shares, self._entropy)
            case 0x01 | 0x03 | 0x04:
                raise Denied(Status.CONDITIONS)
            case 0x02:
                raise Denied(Status.NOT_SUPPORTED)
            case _:
                raise Denied(Status.OUTSIDE)

    def _free(self, number: int, size: int) -> None:
        """Raises Denied: the reference is taken, or no memory is left for so much."""
        if number == 0:
            raise Denied(Status.WRONG_P1P2)
        if number in self.keys:
            raise Denied(Status.EXISTS)
        if size + files.OVERHEAD > self.room:
            raise Denied(Status.FULL)

    def _keep(self, number: int, key: keys.Key) -> None:
        self.keys[number] = key
        self.files.put(files.KEYS << 8 | number, b"")

    def _found(self, number: int) -> keys.Key:
        if number not in self.keys:
            raise Denied(Status.NO_SUCH_FILE)
        return self.keys[number]

    def _generate(self, command: Command) -> bytes:
        self.pins.require()
        given = objects(command.data)
        wanted = objects(given.get(cvc.PUBLIC_KEY, b""))
        bits = _bits_wanted(wanted)
        domain = _one_byte(given.get(0x92)) or 0
        if cvc.AUTHORITY not in given or cvc.HOLDER not in given:
            raise Denied(Status.WRONG_DATA)
        if domain and domain >= len(self.domains):
            raise Denied(Status.NO_SUCH_REFERENCE)
        signing = self._device if command.p2 == 0 else self._found(command.p2).private
        self._free(command.p1, bits or 256)
        key = keys.Key(self._pair(bits, wanted), given.get(0x91, b""), domain)
        outer = given.get(0x45, cvc.holder(self.serial).encode())
        names = (given[cvc.AUTHORITY], given[cvc.HOLDER], outer)
        signed = cvc.request(key.private, *names, signing)
        self.pairs += 1
        self._keep(command.p1, key)
        if self.firmware.stores_request:
            self.files.put(files.CERTIFICATES << 8 | command.p1, signed)
        return signed

    def _pair(self, bits: int, wanted: Mapping[int, bytes]) -> keys.Private:
        if bits:
            if bits not in self.firmware.rsa:
                raise Denied(Status.WRONG_DATA)
            return keys.make_rsa(bits)
        curve = curves.by_prime(wanted.get(0x81, b""))
        if curve is None:
            raise Denied(Status.WRONG_DATA)
        return keys.make_ec(curve)

    def _use(self, command: Command) -> bytes:
        self.pins.require()
        key = self._found(command.p1)
        act = keys.sign if command.ins == SIGN else keys.decipher
        return act(key, command.p2, command.data)

    def _domain(self, number: int) -> blob.Domain:
        """Raises Denied: not set up for shares (6D00), or shares are missing (6A88)."""
        if not self.domains:
            raise Denied(Status.NO_SUCH_INSTRUCTION)
        domain = self.domains[number] if number < len(self.domains) else None
        if domain is None or not domain.complete:
            raise Denied(Status.NO_SUCH_REFERENCE)
        return domain

    def _wrap(self, command: Command) -> bytes:
        if command.p2 != keys.WRAP:
            raise Denied(Status.OUTSIDE)
        if not self.domains:
            raise Denied(Status.NO_SUCH_INSTRUCTION)
        if not self.pins.verified:
            raise Denied(Status.CONDITIONS)
        key = self._found(command.p1)
        domain = self._domain(key.domain)
        key.require(keys.WRAP)
        return blob.wrap(key, domain, self._entropy)

    def _unwrap(self, command: Command) -> bytes:
        """With the blob as data (the old way) or, without data, from the transfer file."""
        if command.p2 != keys.UNWRAP:
            raise Denied(Status.OUTSIDE)
        if not self.domains:
            raise Denied(Status.NO_SUCH_INSTRUCTION)
        self.pins.require()
        sealed = command.data or self.files.content(files.TRANSFER)
        number = self._domain_of(sealed)
        key = blob.unwrap(sealed, self._domain(number), self.firmware.imports_lists, number)
        if key.rsa_bits and key.rsa_bits not in self.firmware.rsa:
            raise Denied(Status.WRONG_DATA)
        if not command.data:
            self.files.delete(files.TRANSFER)
        self._free(command.p1, key.size)
        self._keep(command.p1, key)
        return b""

    def _domain_of(self, sealed: bytes) -> int:
        """The domain whose check value the blob begins with; else the first, which refuses it."""
        return next(
            (
                number
                for number, domain in enumerate(self.domains)
                if domain and domain.complete and domain.check_value == sealed[: blob.CHECK]
            ),
            0,
        )

    # --- state ----------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        return {
            "serial": self.serial,
            "pins": self.pins.freeze(),
            "files": self.files.freeze(),
            "keys": [[number, key.freeze()] for number, key in self.keys.items()],
            "domains": [domain and domain.freeze() for domain in self.domains],
            "session": [self._session.selected, self._session.file],
            "pairs": self.pairs,
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.serial = frozen["serial"]
        self._device = cvc.device_key(self.serial)
        self.pins.thaw(frozen["pins"])
        self.files.thaw(frozen["files"])
        self.keys = {number: keys.thawed(key) for number, key in frozen["keys"]}
        self.domains = [domain and blob.thawed(domain) for domain in frozen["domains"]]
        self._session = _Session(*frozen["session"])
        self.pairs = frozen["pairs"]


def _file_number(data: bytes) -> int:
    if len(data) != 2:
        raise Denied(Status.WRONG_LENGTH)
    return int.from_bytes(data, "big")


def _one_byte(value: bytes | None) -> int | None:
    if value is not None and len(value) != 1:
        raise Denied(Status.WRONG_DATA)
    return None if value is None else value[0]


def rsa_bits(command: Command) -> int:
    """The size of the RSA pair that GENERATE asks for; 0: an EC pair. Raises Denied."""
    return _bits_wanted(objects(objects(command.data).get(cvc.PUBLIC_KEY, b"")))


def _bits_wanted(wanted: Mapping[int, bytes]) -> int:
    """The size of the RSA key that is asked for; 0: an EC key. Raises Denied."""
    oid = wanted.get(0x06)
    if oid == blob.EC_OID:
        return 0
    if oid is None or not oid.startswith(blob.RSA_OID[:-1]) or 0x02 not in wanted:
        raise Denied(Status.WRONG_DATA)
    return int.from_bytes(wanted[0x02], "big")
