"""An AT command as a modem reads it: name, kind, arguments (3GPP TS 27.007, 4; V.250, 5).

The rule: pure; a line in, a command out. What is between quotes is taken as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

UNSUPPORTED, BAD_PARAMETERS = 0, 50
NOT_FOUND, NO_ACCESS, FULL, ACTIVE, EXISTS = 513, 514, 515, 518, 519
NO_KEY, INVALID, WARNED = 523, 527, 528
"""+CME ERROR codes (Nordic's AT command reference)."""


class Kind(StrEnum):
    """AT+X, AT+X=..., AT+X?, AT+X=?"""

    DO = "do"
    SET = "set"
    READ = "read"
    TEST = "test"


@dataclass(frozen=True)
class Argument:
    """One between commas; quotes are stripped and remembered."""

    text: str = field(repr=False)
    quoted: bool = False

    @property
    def number(self) -> int | None:
        """Its value, if it is a plain decimal number."""
        return int(self.text) if not self.quoted and re.fullmatch(r"\d{1,10}", self.text) else None


@dataclass(frozen=True)
class Command:
    name: str
    kind: Kind
    arguments: tuple[Argument, ...] = ()

    def number(self, at: int) -> int | None:
        """The number in that place; None where there is none, or no number."""
        return self.arguments[at].number if at < len(self.arguments) else None

    def text(self, at: int) -> str | None:
        """The quoted text in that place."""
        if at >= len(self.arguments) or not self.arguments[at].quoted:
            return None
        return self.arguments[at].text


def parse(line: str) -> Command | None:
    """The command in that line; None if it is none. White space around it says nothing."""
    stripped = line.strip("\r\n\t \0")
    found = re.match(r"(?is)^AT(?:(?P<name>[+%#]\w+|[A-Z&]\d?)(?P<rest>.*))?$", stripped)
    if found is None:
        return None
    name, rest = (found["name"] or "").upper(), found["rest"] or ""
    if rest == "":
        return Command(name, Kind.DO)
    if rest == "?":
        return Command(name, Kind.READ)
    if rest == "=?":
        return Command(name, Kind.TEST)
    if not rest.startswith("="):
        return None
    arguments = split(rest[1:])
    return None if arguments is None else Command(name, Kind.SET, arguments)


def split(text: str) -> tuple[Argument, ...] | None:
    """The arguments of a set command; None if quotes do not fit."""
    found: list[Argument] = []
    for part in _parts(text):
        trimmed = part.strip(" \r\n\t")
        quotes = trimmed.count('"')
        if quotes == 0:
            found.append(Argument(trimmed))
        elif quotes == 2 and trimmed[0] == trimmed[-1] == '"':
            found.append(Argument(trimmed[1:-1], quoted=True))
        else:
            return None
    return tuple(found)


def _parts(text: str) -> list[str]:
    """At the commas outside of quotes."""
    parts, inside = [""], False
    for character in text:
        inside ^= character == '"'
        if character == "," and not inside:
            parts.append("")
        else:
            parts[-1] += character
    return parts
