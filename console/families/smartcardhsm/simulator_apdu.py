"""The status words with which the card says no, and what it finds in a command's data.

The rule: what cannot be read is denied in the card's own words.
"""

from __future__ import annotations

from enum import IntEnum

from console.errors import Garbled
from console.hardware import simulated_command
from console.hardware.simulated_command import Command
from console.protocols import tlv


class Status(IntEnum):
    """Status words (reference card-protocols, 2.3)."""

    DONE = 0x9000
    END_REACHED = 0x6282
    TRIES = 0x63C0
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    NOT_VERIFIED = 0x6982
    BLOCKED = 0x6983
    NOT_USABLE = 0x6984
    CONDITIONS = 0x6985
    WRONG_DATA = 0x6A80
    NOT_SUPPORTED = 0x6A81
    NO_SUCH_FILE = 0x6A82
    FULL = 0x6A84
    WRONG_P1P2 = 0x6A86
    NO_SUCH_REFERENCE = 0x6A88
    EXISTS = 0x6A89
    OUTSIDE = 0x6B00
    NO_SUCH_INSTRUCTION = 0x6D00
    NO_SUCH_CLASS = 0x6E00
    INTERNAL = 0x6F00


class Denied(Exception):
    """The card answers this status word and no data."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def parse(raw: bytes) -> Command:
    """The command. Raises Denied (6700) where its lengths do not add up."""
    command = simulated_command.parse(raw)
    if command is None:
        raise Denied(Status.WRONG_LENGTH)
    return command


def objects(data: bytes) -> dict[int, bytes]:
    """The data objects of a command by tag, the last of each. Raises Denied (6A80)."""
    try:
        return {found.tag: found.value for found in tlv.parse(data)}
    except Garbled:
        raise Denied(Status.WRONG_DATA) from None


def answer(data: bytes = b"", status: int = Status.DONE) -> bytes:
    """An answer as it crosses the contacts."""
    return data + int(status).to_bytes(2, "big")
