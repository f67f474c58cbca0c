"""The status words a simulated OpenPGP card ends its answers with (ISO 7816-4, 5.1.3).

The rule: what a card refuses is raised as Denied where it is noticed, and becomes two bytes at
the wire, nowhere else.
"""

from __future__ import annotations

from enum import IntEnum


class Sw(IntEnum):
    OK = 0x9000
    TERMINATED = 0x6285
    FAILED = 0x6300
    LEFT = 0x63C0
    """Plus the tries that are left."""
    EXECUTION = 0x6500
    MEMORY = 0x6581
    SECURITY_ISSUE = 0x6600
    LENGTH = 0x6700
    LAST_OF_CHAIN = 0x6883
    NO_CHAINING = 0x6884
    SECURITY = 0x6982
    BLOCKED = 0x6983
    CONDITIONS = 0x6985
    DATA = 0x6A80
    NOT_FOUND = 0x6A82
    PARAMETERS = 0x6A86
    NO_REFERENCE = 0x6A88
    P1_P2 = 0x6B00
    EXACT = 0x6C00
    """Plus the length that would be right."""
    INSTRUCTION = 0x6D00
    CLASS = 0x6E00
    UNKNOWN = 0x6F00
    MORE = 0x6100
    """Plus how many bytes wait, 00 for 256 and more."""


class Denied(Exception):
    """The card refuses, with this status word and no data."""

    def __init__(self, sw: int) -> None:
        super().__init__(sw)
        self.sw = sw


def end(data: bytes, sw: int) -> bytes:
    """The answer as it crosses the contacts."""
    return data + sw.to_bytes(2, "big")
