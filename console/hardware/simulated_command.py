"""A command APDU as a simulated card reads it (ISO 7816-4, 5.1): short and extended, all cases.

The rule: pure, and written from the standard for the card's side alone; what a command means is
the card's affair.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

HEADER = 4
SHORT_ANSWER = 256
LONG_ANSWER = 65536


@dataclass(frozen=True)
class Command:
    """One command. Its data may hold a PIN or a key, so it is in no repr.

    `expected` is Ne (256 or 65536 where Le is zero), None where the command has no Le.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    expected: int | None = None
    extended: bool = False

    @property
    def parameters(self) -> int:
        """P1 and P2 as one number."""
        return self.p1 << 8 | self.p2


def parse(raw: bytes) -> Command | None:
    """The command; None where its lengths do not add up (6700, wherever the card says it)."""
    if len(raw) < HEADER:
        return None
    bare, body = Command(raw[0], raw[1], raw[2], raw[3]), raw[HEADER:]
    if not body:
        return bare
    if len(body) == 1:
        return replace(bare, expected=body[0] or SHORT_ANSWER)
    if body[0]:
        return _with_data(bare, body[0], body[1:], 1)
    long, size, rest = replace(bare, extended=True), _number(body[1:3]), body[3:]
    if len(body) == 3:
        return replace(long, expected=size or LONG_ANSWER)
    return _with_data(long, size, rest, 2)


def _with_data(bare: Command, size: int, rest: bytes, width: int) -> Command | None:
    data, le = rest[:size], rest[size:]
    if not data or len(data) < size or len(le) not in (0, width):
        return None
    if not le:
        return replace(bare, data=data)
    longest = LONG_ANSWER if bare.extended else SHORT_ANSWER
    return replace(bare, data=data, expected=_number(le) or longest)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
