"""Firmware versions as these devices tell and compare them.

The rule: a version is three numbers; how each place writes them down is decoded here alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TEXT = re.compile(r"v?(\d+)\.(\d+)\.(\d+)([-+][0-9A-Za-z.+-]+)?")
PATCH_BITS, MINOR_BITS = 6, 16


class Version(NamedTuple):
    """major.minor.patch, compared in that order."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"

    @property
    def word(self) -> int:
        """As the devices hold it: major from bit 22, minor from bit 6, then patch."""
        return self.major << 22 | self.minor << PATCH_BITS | self.patch


def of_word(word: int) -> Version:
    """From the devices' 32-bit form."""
    minor = (word >> PATCH_BITS) & ((1 << MINOR_BITS) - 1)
    return Version(word >> 22, minor, word & ((1 << PATCH_BITS) - 1))


def of_text(text: str) -> Version | None:
    """From "v1.8.3" or "1.8.3-rc.1"; what follows the numbers is not compared. None: no version."""
    found = TEXT.fullmatch(text.strip(" \t\r\n\0"))
    return Version(*(int(number) for number in found.groups()[:3])) if found else None


def suffix(text: str) -> str:
    """What follows the numbers: "-alpha.20230421", "+dirty", or nothing."""
    found = TEXT.fullmatch(text.strip(" \t\r\n\0"))
    return (found.group(4) or "") if found else ""


def of_bcd(fields: bytes) -> Version | None:
    """From three 16-bit fields of an SB2.1 header, each two bytes of BCD, the high one first.

    1.10.3 stands there as 0001 0010 0003. Read as plain hex it would become 1.16.3. None where
    a digit is none.
    """
    numbers = [fields[at : at + 2].hex() for at in (0, 4, 8)]
    if not all(number.isdecimal() and len(number) == 4 for number in numbers):
        return None
    major, minor, patch = (int(number) for number in numbers)
    return Version(major, minor, patch)


def of_release(release: int) -> tuple[int, int]:
    """(major, minor) from bcdDevice, which these devices fill with plain bytes and no BCD."""
    return release >> 8, release & 0xFF
