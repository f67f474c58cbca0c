"""Command APDUs as the card takes them apart, and the status words with which it says no.

The rule: ISO 7816-4, 5.1; short and extended forms, and what is neither is a wrong length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from console.errors import Garbled
from console.protocols import tlv

HEADER = 4
LONGEST_SHORT = 256
LONGEST = 65536


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


@dataclass(frozen=True)
class Command:
    """One command. `expected` is Ne (256 or 65536 where Le is zero), None where Le is absent.

    Its data may be a PIN, so it is in no repr.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    expected: int | None = None
    extended: bool = False

    @property
    def reference(self) -> int:
        """P1 and P2 as one number."""
        return self.p1 << 8 | self.p2


def parse(raw: bytes) -> Command:
    """The command. Raises Denied (6700) where its lengths do not add up."""
    if len(raw) < HEADER:
        raise Denied(Status.WRONG_LENGTH)
    header, body = raw[:HEADER], raw[HEADER:]
    if not body:
        return Command(*_four(header))
    if len(body) == 1:
        return Command(*_four(header), expected=body[0] or LONGEST_SHORT)
    if body[0] != 0:
        return _with_data(header, body[0], body[1:], 1)
    if len(body) == 3:
        return Command(*_four(header), expected=_two(body[1:]) or LONGEST, extended=True)
    return _with_data(header, _two(body[1:3]), body[3:], 2)


def _with_data(header: bytes, length: int, rest: bytes, width: int) -> Command:
    data, le = rest[:length], rest[length:]
    extended = width == 2
    if len(data) < length or length == 0 or len(le) not in (0, width):
        raise Denied(Status.WRONG_LENGTH)
    expected = None
    if le:
        expected = int.from_bytes(le, "big") or (LONGEST if extended else LONGEST_SHORT)
    return Command(*_four(header), data=data, expected=expected, extended=extended)


def _four(header: bytes) -> tuple[int, int, int, int]:
    cla, ins, p1, p2 = header
    return cla, ins, p1, p2


def _two(data: bytes) -> int:
    return int.from_bytes(data[:2], "big")


def objects(data: bytes) -> dict[int, bytes]:
    """The data objects of a command by tag, the last of each. Raises Denied (6A80)."""
    try:
        return {found.tag: found.value for found in tlv.parse(data)}
    except Garbled:
        raise Denied(Status.WRONG_DATA) from None


def answer(data: bytes = b"", status: int = Status.DONE) -> bytes:
    """An answer as it crosses the contacts."""
    return data + int(status).to_bytes(2, "big")
