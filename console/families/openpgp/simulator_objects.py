"""The data objects of a simulated OpenPGP card: read, written, chosen.

The rule: what is there, who may have it and how long it may be follow the specification's tables
(OpenPGP card 3.4, 4.4.1 and 4.4.2); what a maker's card lacks or wraps differently, its row says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from console.families.openpgp import simulator_pins as pins
from console.families.openpgp.simulator_keys import same_algorithm
from console.families.openpgp.simulator_state import SLOTS, Chip, Life, Origin
from console.families.openpgp.simulator_words import Denied, Sw
from console.hardware.simulated_command import Command
from console.protocols import tlv

HOLDER, HOLDER_PARTS = 0x65, (0x5B, 0x5F2D, 0x5F35)
APPLICATION, DISCRETIONARY = 0x6E, 0x73
SECURITY, COUNTER = 0x7A, 0x93
CERTIFICATE = 0x7F21
MOST_DATA = 0x7F66
FEATURES = 0x7F74
ALGORITHMS = 0xFA
BUTTON = 0x20
CORRUPTED = {
    0x5B: b"Card state corrupted",
    0xC4: bytes.fromhex("017f7f7f030303"),
    0xDE: bytes.fromhex("010002000300"),
}


class Leave(Enum):
    """Who may."""

    ANYBODY = auto()
    USER = auto()
    """PW1 was given for other than signing (82)."""
    ADMIN = auto()


READ = {0x0103: Leave.USER, 0x0104: Leave.ADMIN}
"""All others anybody may read."""


@dataclass(frozen=True)
class Entry:
    """A writable object: how many bytes (`least` to `most`), and who."""

    least: int
    most: int
    who: Leave = Leave.ADMIN


LARGEST = 0x10000
WRITE = {
    0x5B: Entry(0, 39),
    0x5F2D: Entry(0, 8),
    0x5F35: Entry(1, 1),
    0x5E: Entry(0, 254),
    0x5F50: Entry(0, 254),
    0x0101: Entry(0, 254, Leave.USER),
    0x0102: Entry(0, 254),
    0x0103: Entry(0, 254, Leave.USER),
    0x0104: Entry(0, 254),
    0xC1: Entry(1, 32),
    0xC2: Entry(1, 32),
    0xC3: Entry(1, 32),
    0xC4: Entry(1, 4),
    0xC7: Entry(20, 20),
    0xC8: Entry(20, 20),
    0xC9: Entry(20, 20),
    0xCA: Entry(20, 20),
    0xCB: Entry(20, 20),
    0xCC: Entry(20, 20),
    0xCE: Entry(4, 4),
    0xCF: Entry(4, 4),
    0xD0: Entry(4, 4),
    0xD3: Entry(0, LARGEST),
    0xD5: Entry(0, 32),
    0xD6: Entry(2, 2),
    0xD7: Entry(2, 2),
    0xD8: Entry(2, 2),
    0xF9: Entry(0, 255),
    CERTIFICATE: Entry(0, LARGEST),
}


# --- reading ------------------------------------------------------------------------------


def get(chip: Chip, command: Command) -> bytes:
    """GET DATA. Raises Denied: not there, not to be had, not by itself."""
    tag = command.parameters
    if tag in chip.row.hidden:
        raise Denied(Sw.DATA)
    value = read(chip, tag)
    if value is None:
        raise Denied(Sw.NO_REFERENCE)
    _may(chip, READ.get(tag, Leave.ANYBODY))
    if tag not in chip.row.outer:
        return value
    if tag == ALGORITHMS and chip.row.surplus:
        length = len(value) + chip.row.surplus
        return bytes((tag, 0x82)) + length.to_bytes(2, "big") + value
    return tlv.encode(tag, value)


def get_next(chip: Chip, command: Command) -> bytes:
    """GET NEXT DATA: the next certificate."""
    if chip.row.certificates < SLOTS:
        raise Denied(Sw.INSTRUCTION)
    if command.parameters != CERTIFICATE or chip.session.occurrence + 1 >= SLOTS:
        raise Denied(Sw.NO_REFERENCE)
    chip.session.occurrence += 1
    return chip.memory.certificates[chip.session.occurrence]


def select(chip: Chip, command: Command) -> bytes:
    """SELECT DATA: which certificate; early YubiKeys want a length before it, others take it."""
    if chip.row.certificates < SLOTS:
        raise Denied(Sw.INSTRUCTION)
    data = command.data[1:] if command.data[:1] == b"\x06" else command.data
    if tlv.find(data, 0x60, 0x5C) != CERTIFICATE.to_bytes(2, "big"):
        raise Denied(Sw.DATA)
    if command.p1 >= SLOTS:
        raise Denied(Sw.NO_REFERENCE)
    chip.session.occurrence = command.p1
    return b""


def read(chip: Chip, tag: int) -> bytes | None:
    """The value of an object without its tag; None where this card has none."""
    if tag in chip.row.missing:
        return None
    if chip.memory.life is Life.CORRUPTED and tag in CORRUPTED:
        return CORRUPTED[tag]
    match tag:
        case 0x4F:
            return name_of(chip)
        case 0x65:
            return _joined(chip, HOLDER_PARTS, chip.row.holder_skips_empty)
        case 0x6E:
            return _joined(chip, chip.row.inside)
        case 0x73:
            return _joined(chip, chip.row.discretionary)
        case 0x7A:
            return tlv.encode(COUNTER, chip.memory.signatures.to_bytes(3, "big"))
        case 0x93:
            return chip.memory.signatures.to_bytes(3, "big")
        case 0x7F21:
            return chip.memory.certificates[chip.session.occurrence] if _has_one(chip) else None
        case 0x7F66:
            return chip.row.lengths or None
        case 0x7F74:
            return bytes((0x81, 1, BUTTON if chip.row.button else 0))
        case 0x5F52:
            return chip.row.historical
    return _listed(chip, tag)


def _listed(chip: Chip, tag: int) -> bytes | None:
    memory = chip.memory
    match tag:
        case 0xC0:
            return chip.row.capabilities
        case 0xC1 | 0xC2 | 0xC3:
            return memory.attributes[tag - 0xC1]
        case 0xC4:
            return pins.status(chip)
        case 0xC5:
            return b"".join(memory.fingerprints)
        case 0xC6:
            return b"".join(memory.authorities)
        case 0xCD:
            return b"".join(memory.times)
        case 0xDE:
            return _key_information(chip)
        case 0xD6 | 0xD7 | 0xD8:
            return bytes((memory.touch[tag - 0xD6], BUTTON)) if chip.row.button else None
        case 0xFA:
            return _algorithms(chip)
    if tag in memory.objects:
        return memory.objects[tag]
    if tag in chip.row.unset:
        return chip.row.unset[tag]
    readable = tag in WRITE and tag not in (0xD3, 0xD5) and not 0xC7 <= tag <= 0xD0
    return b"" if readable else None


def name_of(chip: Chip) -> bytes:
    """The application's whole name (AID): version, maker, serial number."""
    row = chip.row
    return bytes.fromhex("d27600012401") + row.version + row.maker + chip.memory.serial + bytes(2)


def _has_one(chip: Chip) -> bool:
    return bool(int.from_bytes(chip.row.capabilities[4:6], "big"))


def _joined(chip: Chip, tags: tuple[int, ...], skip_empty: bool = False) -> bytes:
    pairs = ((tag, read(chip, tag)) for tag in tags)
    found = (
        (tag, value) for tag, value in pairs if value or (value is not None and not skip_empty)
    )
    return b"".join(_wrapped(chip, tag, value or b"") for tag, value in found)


def _wrapped(chip: Chip, tag: int, value: bytes) -> bytes:
    if tag not in chip.row.wide:
        return tlv.encode(tag, value)
    return bytes((tag, 0x82)) + len(value).to_bytes(2, "big") + value


def _key_information(chip: Chip) -> bytes:
    states = {None: 0, Origin.GENERATED: 1, Origin.IMPORTED: 2}
    found = (states[key.origin if key else None] for key in chip.memory.keys)
    pairs = zip(chip.row.references, found, strict=True)
    return b"".join(bytes(pair) for pair in pairs) + chip.row.more_information


def _algorithms(chip: Chip) -> bytes:
    return b"".join(
        tlv.encode(0xC1 + slot, attributes)
        for slot, offered in enumerate(chip.row.tells or chip.row.algorithms)
        for attributes in offered
    )


# --- writing ------------------------------------------------------------------------------


def put(chip: Chip, command: Command) -> bytes:
    """PUT DATA. Raises Denied: no such object, not by this person, not of this length."""
    tag, data = command.parameters, command.data
    entry = WRITE.get(tag)
    if entry is None or tag in chip.row.missing:
        raise Denied(Sw.NO_REFERENCE)
    _may(chip, entry.who)
    if not entry.least <= len(data) <= min(entry.most, _room(chip, tag)):
        raise Denied(Sw.LENGTH)
    _write(chip, tag, data)
    return b""


def _may(chip: Chip, who: Leave) -> None:
    allowed = {
        Leave.ANYBODY: True,
        Leave.USER: chip.session.other,
        Leave.ADMIN: chip.session.admin,
    }
    if not allowed[who]:
        raise Denied(Sw.SECURITY)


def _room(chip: Chip, tag: int) -> int:
    """Most bytes by what object C0 says of this card."""
    if tag == CERTIFICATE:
        return int.from_bytes(chip.row.capabilities[4:6], "big")
    return LARGEST


def _write(chip: Chip, tag: int, data: bytes) -> None:
    memory = chip.memory
    match tag:
        case 0xC1 | 0xC2 | 0xC3:
            _set_attributes(chip, tag - 0xC1, data)
        case 0xC4:
            _set_forced(chip, data)
        case 0xC7 | 0xC8 | 0xC9:
            memory.fingerprints[tag - 0xC7] = data
        case 0xCA | 0xCB | 0xCC:
            memory.authorities[tag - 0xCA] = data
        case 0xCE | 0xCF | 0xD0:
            memory.times[tag - 0xCE] = data
        case 0xD3:
            pins.set_code(chip, data)
        case 0xD5:
            _set_symmetric(chip, data)
        case 0xD6 | 0xD7 | 0xD8:
            _set_touch(chip, tag - 0xD6, data)
        case 0xF9:
            pins.set_kdf(chip, data)
        case 0x7F21:
            if not _has_one(chip):
                raise Denied(Sw.NO_REFERENCE)
            memory.certificates[chip.session.occurrence] = data
        case _:
            memory.objects[tag] = data


def _set_attributes(chip: Chip, slot: int, data: bytes) -> None:
    """A slot whose algorithm really changes loses its key."""
    offered = next((known for known in chip.row.algorithms[slot] if _taken(chip, known, data)), b"")
    if not offered:
        raise Denied(chip.row.bad_attributes)
    memory = chip.memory
    kept = offered if chip.row.either_form else data
    if not same_algorithm(memory.attributes[slot], data):
        had_key = memory.keys[slot] is not None
        memory.keys[slot] = None
        if chip.row.forgets_print:
            memory.fingerprints[slot], memory.times[slot] = bytes(20), bytes(4)
        if had_key and not any(memory.keys):
            pins.key_written(chip)
    memory.attributes[slot] = kept


def _taken(chip: Chip, known: bytes, data: bytes) -> bool:
    """RSA by its size; a curve byte for byte, with or without the ending where that is taken."""
    if data[:1] == known[:1] == b"\x01":
        return len(data) >= 5 and data[1:3] == known[1:3]
    if chip.row.either_form:
        return data.removesuffix(b"\xff") == known.removesuffix(b"\xff")
    # A Gnuk lists its decryption curves as ECDSA and takes them as what they are.
    return data[1:] == known[1:] and data[:1] in (b"\x12", b"\x13", b"\x16")


def _set_forced(chip: Chip, data: bytes) -> None:
    if len(data) not in (1, 4) or data[0] > 1:
        raise Denied(Sw.DATA)
    chip.memory.several = bool(data[0])


def _set_symmetric(chip: Chip, data: bytes) -> None:
    if not chip.row.capabilities[0] & 0x02:
        raise Denied(Sw.NO_REFERENCE)
    if len(data) not in (0, 16, 32):
        raise Denied(Sw.LENGTH)
    chip.memory.symmetric = data


def _set_touch(chip: Chip, slot: int, data: bytes) -> None:
    if not chip.row.button:
        raise Denied(Sw.NO_REFERENCE)
    if chip.memory.touch[slot] in (2, 4):  # fixed until a reset
        raise Denied(Sw.CONDITIONS)
    if data[0] not in chip.row.touch_policies or data[1] != BUTTON:
        raise Denied(Sw.DATA)
    chip.memory.touch[slot] = data[0]
