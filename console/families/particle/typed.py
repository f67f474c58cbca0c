"""What somebody types: numbers, and the names of files. Any text is answered in words.

The rule: every way in which a text cannot be meant raises BadUsage; what is said back is short.
"""

from __future__ import annotations

from pathlib import Path

from console.errors import BadUsage

LARGEST = 16 * 1024 * 1024
LONGEST_SAID = 80
_UNTOUCHED = "Nothing is written."


def said_back(text: str) -> str:
    """The text as a sentence may have it."""
    return text if len(text) <= LONGEST_SAID else f"{text[:LONGEST_SAID]}..."


def decimal(text: str) -> int:
    """A number in plain digits; -1 for anything else."""
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.isdecimal() and len(plain) < 20 else -1


def number(text: str) -> int:
    """An address as it is typed: hex with 0x, or decimal. Raises BadUsage."""
    try:
        plain = text.replace("_", "")
        value = int(plain, 16) if plain[:2].lower() == "0x" else decimal(plain)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 32:
        raise BadUsage(
            f'"{said_back(text)}" is no address: write 0x08005000, or a decimal number.',
            _UNTOUCHED,
        )
    return value


def is_file(path: str) -> bool:
    """Is there a file of that name? A name that no file can have has none."""
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def read_file(path: str) -> bytes:
    """The bytes of a file that somebody named. Raises BadUsage."""
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or "the system does not say why") from None
    except (ValueError, RuntimeError):  # a zero in it; the home of somebody whom there is not
        raise _unreadable(path, "no file can have that name") from None
    if len(data) > LARGEST:
        raise BadUsage(f"{said_back(path)} is larger than any memory of these devices.", _UNTOUCHED)
    return data


def _unreadable(path: str, why: str) -> BadUsage:
    return BadUsage(f"{said_back(path)} cannot be read: {why}.", _UNTOUCHED)
