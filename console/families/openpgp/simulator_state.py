"""What a simulated OpenPGP card is made of: its memory, its session, the work it has to do.

The rule: the memory outlives the power, the session does not. All of it goes to JSON and back;
no PIN and no private key is in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from console.families.openpgp.simulator_rows import DEFAULTS, TRIES, Personality, Which

SLOTS = 3
"""Sign, decrypt, authenticate, in this order everywhere."""


class Life(StrEnum):
    OPERATIONAL = "operational"
    TERMINATED = "terminated"
    CORRUPTED = "corrupted"
    """Its file system is there and its state cannot be read (seen on the Nitrokey 3)."""


class Origin(StrEnum):
    GENERATED = "generated"
    IMPORTED = "imported"


@dataclass
class Pin:
    """`value` None: never set, so the default counts (a reset code has none)."""

    value: bytes | None = field(default=None, repr=False)
    left: int = TRIES
    tries: int = TRIES


@dataclass
class Key:
    """`private` is PKCS#8 in DER, for the attributes it was made with."""

    private: bytes = field(repr=False)
    attributes: bytes
    origin: Origin


def _pins() -> dict[Which, Pin]:
    return {Which.PW1: Pin(), Which.CODE: Pin(None, 0), Which.PW3: Pin()}


@dataclass
class Memory:
    """What is written; a slot's number counts into each of the lists."""

    serial: bytes
    attributes: list[bytes]
    several: bool
    life: Life = Life.OPERATIONAL
    pins: dict[Which, Pin] = field(default_factory=_pins)
    keys: list[Key | None] = field(default_factory=lambda: [None] * SLOTS)
    fingerprints: list[bytes] = field(default_factory=lambda: [bytes(20)] * SLOTS)
    authorities: list[bytes] = field(default_factory=lambda: [bytes(20)] * SLOTS)
    times: list[bytes] = field(default_factory=lambda: [bytes(4)] * SLOTS)
    touch: list[int] = field(default_factory=lambda: [0] * SLOTS)
    certificates: list[bytes] = field(default_factory=lambda: [b""] * SLOTS)
    objects: dict[int, bytes] = field(default_factory=dict)
    symmetric: bytes = field(default=b"", repr=False)
    signatures: int = 0

    def pin(self, which: Which) -> bytes:
        """What is valid now: what was set, else the default of the card or of its KDF object."""
        return self.pins[which].value or self.initial(which)

    def initial(self, which: Which) -> bytes:
        """The default; a KDF object may bring the hash of it along (tags 87, 88)."""
        from_kdf = kdf_parts(self.objects.get(0xF9, b"")).get(_INITIAL.get(which, 0))
        return from_kdf or DEFAULTS[which]

    def freeze(self) -> dict[str, Any]:
        return {
            "serial": self.serial.hex(),
            "life": self.life.value,
            "several": self.several,
            "signatures": self.signatures,
            "pins": {which.value: _freeze_pin(pin) for which, pin in self.pins.items()},
            "keys": [_freeze_key(key) for key in self.keys],
            "touch": list(self.touch),
            "symmetric": self.symmetric.hex(),
            "objects": {str(tag): value.hex() for tag, value in self.objects.items()},
            **{name: [part.hex() for part in getattr(self, name)] for name in _LISTS},
        }


_INITIAL = {Which.PW1: 0x87, Which.PW3: 0x88}
_LISTS = ("attributes", "fingerprints", "authorities", "times", "certificates")


def thaw_memory(frozen: Mapping[str, Any]) -> Memory:
    return Memory(
        serial=bytes.fromhex(frozen["serial"]),
        several=bool(frozen["several"]),
        life=Life(frozen["life"]),
        pins={Which(name): _thaw_pin(pin) for name, pin in frozen["pins"].items()},
        keys=[_thaw_key(key) for key in frozen["keys"]],
        touch=[int(value) for value in frozen["touch"]],
        objects={int(tag): bytes.fromhex(value) for tag, value in frozen["objects"].items()},
        symmetric=bytes.fromhex(frozen["symmetric"]),
        signatures=int(frozen["signatures"]),
        **{name: [bytes.fromhex(part) for part in frozen[name]] for name in _LISTS},
    )


def _freeze_pin(pin: Pin) -> list[Any]:
    return [None if pin.value is None else pin.value.hex(), pin.left, pin.tries]


def _thaw_pin(frozen: list[Any]) -> Pin:
    value, left, tries = frozen
    return Pin(None if value is None else bytes.fromhex(value), int(left), int(tries))


def _freeze_key(key: Key | None) -> list[str] | None:
    if key is None:
        return None
    return [key.private.hex(), key.attributes.hex(), key.origin.value]


def _thaw_key(frozen: list[str] | None) -> Key | None:
    if frozen is None:
        return None
    private, attributes, origin = frozen
    return Key(bytes.fromhex(private), bytes.fromhex(attributes), Origin(origin))


def kdf_parts(value: bytes) -> dict[int, bytes]:
    """The parts of a KDF object (OpenPGP card 3.4, 4.3.2): one-byte tags and lengths."""
    parts: dict[int, bytes] = {}
    at = 0
    while at + 2 <= len(value):
        size = value[at + 1]
        parts[value[at]] = value[at + 2 : at + 2 + size]
        at += 2 + size
    return parts


@dataclass
class Session:
    """What a reset forgets: what is selected, unlocked, half said."""

    selected: bool = False
    sign: bool = False
    other: bool = False
    admin: bool = False
    chain_header: bytes = b""
    chain: bytes = field(default=b"", repr=False)
    rest: bytes = field(default=b"", repr=False)
    occurrence: int = 0
    decipher_slot: int = 1
    authenticate_slot: int = 2

    def lock(self) -> None:
        """No PIN counts as given."""
        self.sign = self.other = self.admin = False

    def freeze(self) -> dict[str, Any]:
        pairs = ((part.name, getattr(self, part.name)) for part in fields(self))
        return {name: value.hex() if isinstance(value, bytes) else value for name, value in pairs}


def thaw_session(frozen: Mapping[str, Any]) -> Session:
    session = Session()
    for part in fields(session):
        value = frozen[part.name]
        wire = isinstance(getattr(session, part.name), bytes)
        setattr(session, part.name, bytes.fromhex(value) if wire else value)
    return session


@dataclass
class Effort:
    """What the command that is being done costs: an operation's name, and a touch."""

    operation: str = ""
    attributes: bytes = b""
    touch: bool = False


@dataclass
class Chip:
    """Everything a command may look at and change."""

    row: Personality
    memory: Memory
    session: Session = field(default_factory=Session)
    effort: Effort = field(default_factory=Effort)


def blank(row: Personality, serial: bytes) -> Memory:
    """As it leaves its factory, or a reset."""
    return Memory(serial, [row.first] * SLOTS, row.several)
