"""A command APDU as the card reads it (ISO 7816-4, 5.2): short and extended, all four cases.

The rule: pure; a command whose lengths do not add up is answered 6700, whatever is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from console.families.openpgp.simulator_words import Denied, Sw

CHAINED = 0x10
"""Bit of the class byte: more of this command follows (ISO 7816-4, 5.3.3)."""
SHORT_ANSWER = 256
LONG_ANSWER = 65536


@dataclass(frozen=True)
class Command:
    """One command. Its data may hold a PIN or a key, so it is in no repr.

    `expected` is None where the command has no Le.
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
        """P1 and P2 as one number: the tag of GET DATA and PUT DATA."""
        return self.p1 << 8 | self.p2


def parse(raw: bytes) -> Command:
    """Raises Denied (6700)."""
    if len(raw) < 4:
        raise Denied(Sw.LENGTH)
    bare, body = Command(raw[0], raw[1], raw[2], raw[3]), raw[4:]
    if not body:
        return bare
    if len(body) == 1:
        return replace(bare, expected=body[0] or SHORT_ANSWER)
    if body[0]:
        return _short(bare, body)
    return _extended(replace(bare, extended=True), body)


def _short(bare: Command, body: bytes) -> Command:
    size, rest = body[0], body[1:]
    if len(rest) == size:
        return replace(bare, data=rest)
    if len(rest) == size + 1:
        return replace(bare, data=rest[:-1], expected=rest[-1] or SHORT_ANSWER)
    raise Denied(Sw.LENGTH)


def _extended(bare: Command, body: bytes) -> Command:
    if len(body) < 3:
        raise Denied(Sw.LENGTH)
    size, rest = int.from_bytes(body[1:3], "big"), body[3:]
    if not rest:
        return replace(bare, expected=size or LONG_ANSWER)
    if size and len(rest) == size:
        return replace(bare, data=rest)
    if size and len(rest) == size + 2:
        expected = int.from_bytes(rest[-2:], "big") or LONG_ANSWER
        return replace(bare, data=rest[:-2], expected=expected)
    raise Denied(Sw.LENGTH)
