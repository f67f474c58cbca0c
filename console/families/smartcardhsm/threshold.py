"""A share's password that several custodians hold together (n of m, Shamir over a 64-bit prime).

The rule: pure; tolerant in what it reads, exact in what it computes. Two defects of the tool that
makes such passwords are met here (reference 2.4): it prints share ids in decimal and reads them as
hex, so custodians write A for 10; and it loses the leading zero bytes of a password it rebuilds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from console.errors import GateClosed

PASSWORD_SIZE = 8
FEWEST = 2
LONGEST_ID = 3
"""A longer one may be a value at the wrong place, and no value is ever said."""

_PRIME = re.compile(r"\bprime\b[^0-9a-f]*([0-9a-f]{2}(?:[: ]?[0-9a-f]{2})*)", re.I)
_PART = re.compile(
    r"\bshare\b(?:\s*id)?[\s:=]*([0-9a-f]+)[\s;,]*(?:share\s*)?value[\s:=]*"
    r"([0-9a-f]{2}(?:[: ]?[0-9a-f]{2})*)",
    re.I,
)
_UNTOUCHED = "Nothing was sent to the card."


@dataclass(frozen=True)
class Parts:
    """What the custodians brought: the prime, and each one's id (as written) and value."""

    prime: int = field(repr=False)
    points: tuple[tuple[str, int], ...] = field(repr=False)


def is_threshold(text: str) -> bool:
    """Is it the parts of a password, and no password?"""
    return bool(re.match(r"\s*prime\b", text, re.I) and _PART.search(text))


def prime_of(text: str) -> int | None:
    """The prime that the text begins with; None if it begins with none."""
    found = _PRIME.match(text.lstrip())
    return _number(found[1]) if found else None


def is_whole(text: str) -> bool:
    """Are there enough parts in it for a password?"""
    return len(_PART.findall(text)) >= FEWEST


def parse(text: str) -> Parts:
    """The parts: `Prime HEX`, then `Share ID value HEX` each; or as the tool prints them.

    Raises GateClosed if they are not whole, or of several passwords.
    """
    primes = {_number(found) for found in _PRIME.findall(text)}
    points = tuple((found[1], _number(found[2])) for found in _PART.finditer(text))
    if not primes or len(points) < FEWEST:
        raise GateClosed(
            f"A password in parts needs its prime and at least {FEWEST} shares of it.",
            f"{_UNTOUCHED} Write: Prime ed:55:...; Share 1 value 19:63:...; Share 2 value ...",
        )
    if len(primes) > 1:
        raise GateClosed(
            "The primes of the parts differ: they are not of one password.",
            f"{_UNTOUCHED} One was copied wrong, or is of another share.",
        )
    names = [name.upper() for name, _ in points]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        which = f"Share {twice}" if len(twice) <= LONGEST_ID else "One share"
        raise GateClosed(
            f"{which} of the password was given twice; it counts once.",
            f"{_UNTOUCHED} Bring another custodian's share.",
        )
    return Parts(primes.pop(), points)


def passwords(parts: Parts) -> tuple[bytes, ...]:
    """Every password that the parts may mean, the likeliest first. Raises GateClosed if none can.

    Ids in decimal are tried before ids in hex; all eight bytes before those without leading zeros.
    """
    found = tuple(dict.fromkeys(_spellings(parts)))
    if not found:
        raise GateClosed(
            "The parts of the password do not fit together.",
            f"{_UNTOUCHED} One was copied wrong, is of another set, or too few were brought.",
        )
    return found


def _spellings(parts: Parts) -> Iterator[bytes]:
    for base in (10, 16):
        secret = _rebuilt(parts, base)
        # The tool clears the top bit of a password before it divides it.
        if secret is not None and secret >> (8 * PASSWORD_SIZE - 1) == 0:
            whole = secret.to_bytes(PASSWORD_SIZE, "big")
            yield whole
            if secret:
                yield whole.lstrip(b"\0")


def _rebuilt(parts: Parts, base: int) -> int | None:
    points = [(_id(name, base), value) for name, value in parts.points]
    numbers = [number for number, _ in points]
    if 0 in (parts.prime, *numbers) or len({number % parts.prime for number in numbers}) < len(
        numbers
    ):
        return None
    try:
        return interpolate(points, parts.prime)
    except ValueError:
        return None  # no prime: some difference has no inverse


def _id(name: str, base: int) -> int:
    """A letter makes it hex whatever the others are: nobody writes A for anything but 10."""
    return int(name, base if name.isdigit() else 16)


def interpolate(points: list[tuple[int, int]], prime: int) -> int:
    """The polynomial's value at 0 (Lagrange). Raises ValueError where `prime` is none."""
    total = 0
    for x, y in points:
        top = bottom = 1
        for other, _ in points:
            if other != x:
                top = top * other % prime
                bottom = bottom * (other - x) % prime
        total = (total + y * top * pow(bottom, -1, prime)) % prime
    return total


def _number(text: str) -> int:
    return int(re.sub(r"[: ]", "", text), 16)
