"""The data objects of an OpenPGP card (OpenPGP card 2.0 to 3.4, 4.3 and 4.4) as values: pure.

The rule: a constructed object is read with its outer tag and without; what a card leaves out is
None or empty, never guessed; lengths that do not add up are Garbled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from console.errors import Garbled
from console.protocols import tlv

RID = bytes.fromhex("D27600012401")
"""What every OpenPGP card's AID begins with; also what is selected."""
AID, HISTORICAL, LENGTHS, FEATURES = 0x4F, 0x5F52, 0x7F66, 0x7F74
APPLICATION, DISCRETIONARY, CARDHOLDER, SECURITY = 0x6E, 0x73, 0x65, 0x7A
CAPABILITIES, PIN_STATUS, FINGERPRINTS, TIMES, KEY_INFO = 0xC0, 0xC4, 0xC5, 0xCD, 0xDE
NAME, COUNTER, KDF, ALGORITHMS = 0x5B, 0x93, 0xF9, 0xFA
NO_FINGERPRINT = bytes(20)

MAKERS = {
    0x0001: "PPC Card Systems",
    0x0002: "Prism Payment Technologies",
    0x0003: "OpenFortress",
    0x0004: "Wewid",
    0x0005: "ZeitControl",
    0x0006: "Yubico",
    0x0007: "OpenKMS",
    0x0008: "LogoEmail",
    0x0009: "Fidesmo",
    0x000A: "VivoKey",
    0x000B: "Feitian",
    0x000D: "Dangerous Things",
    0x000E: "Excelsecu",
    0x000F: "Nitrokey",
    0x0010: "NeoPGP",
    0x0011: "Token2",
    0x002A: "Magrathea",
    0x0042: "GnuPG e.V.",
    0x4354: "Cotech",
    0x5343: "SSE",
    0x5443: "TIF-IT",
    0x63AF: "Trustica",
    0xCA05: "Atos",
    0xF1D0: "CanoKeys",
    0xF517: "FSIJ",
    0xF5EC: "F-Secure",
}
"""Makers by their number in the AID (GnuPG's table)."""
ZEITCONTROL, YUBICO, NITROKEY, FSIJ = 0x0005, 0x0006, 0x000F, 0xF517


class Slot(Enum):
    """A key slot: its word, its control reference, the tags of what is told of it."""

    SIGN = ("sign", "signature", 0xB6, 0xC1, 0xC7, 0xCE, 0xD6)
    DECRYPT = ("decrypt", "decryption", 0xB8, 0xC2, 0xC8, 0xCF, 0xD7)
    AUTH = ("auth", "authentication", 0xA4, 0xC3, 0xC9, 0xD0, 0xD8)

    def __init__(
        self, word: str, title: str, crt: int, attributes: int, print_: int, time: int, touch: int
    ) -> None:
        self.word = word
        self.title = title
        self.crt = crt
        self.attributes = attributes
        self.fingerprint = print_
        self.time = time
        self.touch = touch

    @property
    def place(self) -> int:
        """Where it stands in lists of all three."""
        return list(Slot).index(self)


@dataclass(frozen=True)
class Aid:
    """The application's whole name (4.2.1): version, maker, serial."""

    raw: bytes
    version: tuple[int, int]
    maker: int
    serial: str

    @classmethod
    def parse(cls, raw: bytes) -> Aid:
        """16 bytes. Raises Garbled."""
        if len(raw) != 16 or not raw.startswith(RID):
            raise Garbled("The card's application name is none of an OpenPGP card.")
        version = (_bcd(raw[6]), _bcd(raw[7]))
        maker = int.from_bytes(raw[8:10], "big")
        return cls(raw, version, maker, raw[10:14].hex().upper())

    @property
    def maker_name(self) -> str:
        """The maker in words; test and random-serial numbers name nobody."""
        if self.maker in (0x0000, 0xFFFF):
            return "a test card"
        if self.maker >= 0xFF00:
            return "a maker without a number"
        return MAKERS.get(self.maker, f"maker {self.maker:04X}")

    @property
    def last_four(self) -> str:
        """What is typed to consent."""
        return self.serial[-4:]

    def __str__(self) -> str:
        major, minor = self.version
        return f"OpenPGP card {major}.{minor} by {self.maker_name}, serial {self.serial}"


def _bcd(value: int) -> int:
    return (value >> 4) * 10 + (value & 15)


class LifeCycle(Enum):
    """What the card says of its life cycle (ISO 7816-4, 5.3.3)."""

    NONE = 0x00
    TERMINATED = 0x03
    OPERATIONAL = 0x05
    UNKNOWN = -1


@dataclass(frozen=True)
class Historical:
    """The historical bytes of DO 5F52, which may differ from the ATR's."""

    raw: bytes
    life: LifeCycle
    chains: bool
    extended: bool

    @classmethod
    def parse(cls, raw: bytes) -> Historical:
        """Category 00, compact objects, and three status bytes; anything else says nothing."""
        if len(raw) < 4 or raw[0] != 0:
            return cls(raw, LifeCycle.UNKNOWN, False, False)
        functions = compact(raw[1:-3]).get(7, b"")
        third = functions[2] if len(functions) > 2 else 0
        known = raw[-3] in (life.value for life in LifeCycle)
        life = LifeCycle(raw[-3]) if known else LifeCycle.UNKNOWN
        return cls(raw, life, bool(third & 0x80), bool(third & 0x40))


def compact(data: bytes) -> dict[int, bytes]:
    """Compact-TLV objects (ISO 7816-4, 8.1.1.2); what is cut off is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        size = data[at] & 15
        value = data[at + 1 : at + 1 + size]
        if len(value) == size:
            found.setdefault(data[at] >> 4, value)
        at += 1 + size
    return found


@dataclass(frozen=True)
class Capabilities:
    """Extended capabilities (C0); the last four bytes changed their meaning in version 3."""

    raw: bytes
    imports: bool
    changeable: bool
    kdf: bool
    longest_command: int
    longest_answer: int

    @classmethod
    def parse(cls, raw: bytes, version: tuple[int, int], lengths: bytes) -> Capabilities:
        """`lengths` is the value of 7F66, where version 3 keeps them."""
        if len(raw) != 10:
            raise Garbled("The card's extended capabilities have not ten bytes.")
        command = answer = 0
        if version < (3, 0):
            command, answer = int.from_bytes(raw[6:8], "big"), int.from_bytes(raw[8:10], "big")
        elif lengths:
            sizes = [int.from_bytes(found.value, "big") for found in tlv.parse(lengths)]
            command, answer = (*sizes, 0, 0)[:2]
        flags = raw[0]
        kdf = version >= (3, 0) and bool(flags & 0x01)
        return cls(raw, bool(flags & 0x20), bool(flags & 0x04), kdf, command, answer)


@dataclass(frozen=True)
class PinStatus:
    """The PIN status bytes (C4): what may be sent, and how many tries are left."""

    forced: bool
    longest: tuple[int, int, int]
    user: int
    reset_code: int
    admin: int

    @classmethod
    def parse(cls, raw: bytes) -> PinStatus:
        """7 bytes. Raises Garbled."""
        if len(raw) != 7:
            raise Garbled("The card's PIN status has not seven bytes.")
        user, code, admin = (value & 0x7F for value in raw[1:4])
        return cls(raw[0] == 0, (user, code, admin), raw[4], raw[5], raw[6])

    @property
    def words(self) -> str:
        """For people: 0 of the reset code mostly means that there is none."""
        code = f"{self.reset_code}" if self.reset_code else "none, or not set"
        return f"user PIN {self.user}, admin PIN {self.admin}, reset code {code}"


@dataclass(frozen=True)
class ApplicationData:
    """What the card says of itself and its keys (6E), by slot where it has one each."""

    aid: Aid
    historical: Historical
    capabilities: Capabilities
    pins: PinStatus
    attributes: tuple[bytes, ...]
    fingerprints: tuple[bytes, ...]
    times: tuple[int, ...]
    key_info: tuple[int | None, ...] = (None, None, None)
    touch: tuple[int | None, ...] = (None, None, None)

    @classmethod
    def parse(cls, raw: bytes) -> ApplicationData:
        """The value of 6E, or the object itself. Raises Garbled."""
        top = tlv.parse(tlv.bare(APPLICATION, raw))
        inner = tlv.parse(tlv.find(top, DISCRETIONARY) or b"")
        both = {known.tag: known.value for known in (*inner, *top)}
        aid = Aid.parse(_need(both, AID))
        lengths = tlv.bare(LENGTHS, both.get(LENGTHS, b""))
        return cls(
            aid,
            Historical.parse(both.get(HISTORICAL, b"")),
            Capabilities.parse(_need(both, CAPABILITIES), aid.version, lengths),
            PinStatus.parse(_need(both, PIN_STATUS)),
            tuple(both.get(slot.attributes, b"") for slot in Slot),
            _parts(_need(both, FINGERPRINTS), 20),
            tuple(int.from_bytes(part, "big") for part in _parts(both.get(TIMES, b""), 4)),
            key_info(both.get(KEY_INFO)),
            tuple(first(both.get(slot.touch)) for slot in Slot),
        )


def _need(found: dict[int, bytes], tag: int) -> bytes:
    if tag not in found:
        raise Garbled(f"The card leaves out what each must tell of itself ({tag:X}).")
    return found[tag]


def _parts(raw: bytes, size: int) -> tuple[bytes, ...]:
    """Three parts of a list; a card that has more slots tells of ours first."""
    filled = raw[: 3 * size].ljust(3 * size, b"\0")
    return tuple(filled[at : at + size] for at in range(0, 3 * size, size))


def first(raw: bytes | None) -> int | None:
    """Its first byte; None where there is none."""
    return raw[0] if raw else None


def key_info(raw: bytes | None) -> tuple[int | None, ...]:
    """By slot: 0 none, 1 made here, 2 imported; None where it is not told. Only a hint.

    By position: makers number the keys from 0 or from 1, and some send the outer tag.
    """
    values = tlv.bare(KEY_INFO, raw or b"")[1::2][:3]
    return (*values, None, None, None)[:3]


def touch_words(policy: int | None) -> str:
    """A slot's touch policy (D6 to D8) in words."""
    words = {0: "off", 1: "on", 2: "on for good", 3: "cached", 4: "cached for good"}
    return "no touch policy" if policy is None else f"touch {words.get(policy, 'unknown')}"


def holder_name(raw: bytes) -> str:
    """The cardholder's name (65, 5B): kept as Last<<First, in Latin-1."""
    name = tlv.find(tlv.bare(CARDHOLDER, raw), NAME) or b""
    last, _, first = name.decode("latin-1").partition("<<")
    return f"{first} {last}".replace("<", " ").strip()


def counter(raw: bytes) -> int:
    """How often the signature key has signed (7A, 93)."""
    return int.from_bytes(tlv.find(tlv.bare(SECURITY, raw), COUNTER) or b"", "big")
