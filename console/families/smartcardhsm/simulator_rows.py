"""The firmware lines of the SmartCard-HSM as data: what differs between them, and their pace.

The rule: a difference is a column here, never an `if` about a version elsewhere. From the
reference card-protocols, 2.1 to 2.7, case 2 and the vendor's data sheets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from console.hardware.simulated_command import Command
from console.protocols import tlv

AID = bytes.fromhex("e82b0601040181c31f0201")
RESET_ALLOWED = 0x01
"""Option: the SO-PIN may give the user a new PIN (RRC)."""
TRANSPORT_PIN = 0x02
SESSION_PIN = 0x04

HSM_1_ATR = bytes.fromhex("3bfe1800008131fe458031815448534d31738021408107fa")
HSM_2_ATR = bytes.fromhex("3bde18ff8191fe1fc38031815448534d317380214081071c")


@dataclass(frozen=True)
class Pace:
    """Seconds an operation takes; RSA key pairs take a time between two, as primes are found."""

    initialize: float = 3.0
    ec_pair: float = 1.2
    rsa_pair: tuple[tuple[int, float, float], ...] = (
        (1024, 3.0, 12.0),
        (1536, 6.0, 30.0),
        (2048, 10.0, 60.0),
        (3072, 30.0, 180.0),
        (4096, 60.0, 330.0),
    )
    private: float = 0.4
    wrap: float = 0.6
    write: float = 0.03

    def pair(self, rsa_bits: int, seed: int, count: int) -> float:
        """How long the `count`-th pair of this card takes; 0 bits are an EC pair."""
        if not rsa_bits:
            return self.ec_pair
        slow = [(low, high) for bits, low, high in self.rsa_pair if rsa_bits <= bits]
        low, high = slow[0] if slow else self.rsa_pair[-1][1:]
        luck = hashlib.sha256(f"{seed}/{count}".encode()).digest()[0] / 255
        return low + (high - low) * luck


INSTANT = Pace(0.0, 0.0, ((4096, 0.0, 0.0),), 0.0, 0.0, 0.0)
"""For hosts that need no patience of ours."""


@dataclass(frozen=True)
class Firmware:
    """One line. `longest` counts a whole command APDU; `memory` bytes for keys and files.

    `imports_lists`: does UNWRAP take a blob whose algorithm list is not empty?
    `lead`: what stands before the option byte in the proprietary FCP object; applets differ,
    so a reader counts from its end. `stores_request`: is the request written into CExx?
    """

    major: int
    minor: int
    platform: str
    atr: bytes
    longest: int
    lead: bytes
    identifiers: bool
    key_domains: bool
    session_pin: bool = False
    imports_lists: bool = True
    stores_request: bool = False
    rsa: tuple[int, ...] = (1024, 1536, 2048)
    memory: int = 76_000

    @property
    def name(self) -> str:
        return f"{self.major}.{self.minor}"

    def fcp(self, options: int) -> bytes:
        """The answer to SELECT: an FCP template whose object 85 ends with options and version."""
        if self.session_pin:
            options |= SESSION_PIN
        proprietary = self.lead + bytes((options, 0x00, self.major, self.minor))
        file = tlv.encode(0x82, b"\x01") + tlv.encode(0x83, bytes(2))
        if self.identifiers:
            file = tlv.encode(0x81, bytes(2)) + file + tlv.encode(0x84, AID)
            file += tlv.encode(0x8A, b"\x05")
        return tlv.encode(0x62, file, tlv.encode(0x85, proprietary))


LARGER_RSA = (1024, 1536, 2048, 3072, 4096)

HSM_2_5 = Firmware(2, 5, "JCOP 2.4.1r3", HSM_1_ATR, 1462, b"", False, False)
HSM_2_6 = Firmware(2, 6, "JCOP 2.4.2r3", HSM_1_ATR, 1454, b"\0", True, False)
HSM_3_1 = Firmware(
    *(3, 1, "JCOP 3", HSM_2_ATR, 1232, b"\0", True, True),
    session_pin=True,
    imports_lists=False,
    stores_request=True,
    rsa=LARGER_RSA,
)
HSM_3_4 = Firmware(
    *(3, 4, "JCOP 3", HSM_2_ATR, 1232, b"\0", True, True),
    session_pin=True,
    stores_request=True,
    rsa=LARGER_RSA,
)
FIRMWARES = (HSM_2_5, HSM_2_6, HSM_3_1, HSM_3_4)


def by_name(name: str) -> Firmware:
    """The row of that version. Raises KeyError."""
    return {row.name: row for row in FIRMWARES}[name]


def takes(command: Command, pace: Pace, pair: float) -> float:
    """Seconds until the command is answered; `pair` is what a key pair would take now."""
    match command.ins:
        case 0x46:
            return pair
        case 0x50:
            return pace.initialize
        case 0x62 | 0x68:
            return pace.private
        case 0x72 | 0x74:
            return pace.wrap
        case 0xD7 | 0xE4:
            return pace.write
    return 0.0
