"""The DKEK shares that were brought: their files, their passwords, the DKEK that they make.

The rule: nothing is sent to the card here. A share given twice is noticed, by its file and by what
is in it, since two alike cancel each other out. Shares live in memory while the flow does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from console.errors import GateClosed
from console.families.smartcardhsm import threshold
from console.families.smartcardhsm.approach import named_files, read_file
from console.families.smartcardhsm.dkek import Dkek
from console.families.smartcardhsm.share import ShareFile
from console.flow import Kind, Question, Step
from console.guide import Guide

SUFFIX = ".pbe"
SHARES = Question(
    "shares",
    Kind.FILE,
    "The files of the DKEK shares (.pbe), commas between them, or their folder? Empty: the device "
    "has its DKEK already.",
    optional=True,
)
PASSWORDS = Question(
    "share_passwords",
    Kind.SECRET,
    "The password of the share? Held in parts: Prime ...; Share 1 value ...; Share 2 value ...",
)
OPEN = Step(
    "shares",
    "Open the key shares",
    usual="10 to 30 s each",
    safe="Nothing was written. The card is not touched meanwhile.",
)
_HEADING = re.compile(r"\s*share\s+\d+\s+of\s+\d+\s*", re.I)
_OF_A_PART = re.compile(r"\s*share\b.*\b(?:id|value)\b", re.I)
_UNTOUCHED = "Nothing was written to the device."


@dataclass(frozen=True)
class Opened:
    """The shares in clear, in the order of their files. All of it is secret."""

    shares: tuple[bytes, ...] = field(repr=False)

    @property
    def dkek(self) -> Dkek:
        return Dkek.of_shares(self.shares)


def read_shares(answer: str | None) -> tuple[tuple[ShareFile, ...], tuple[Path, ...]]:
    """The share files that an answer names, and where they lie. Raises BadUsage, GateClosed.

    Of a folder, nothing else is read, and nothing else is among the paths.
    """
    if not answer:
        return (), ()
    paths = named_files(answer)
    kept = tuple(path for path in paths if path.suffix.lower() == SUFFIX) or paths
    files = tuple(ShareFile.parse(path.name, read_file(path)) for path in kept)
    seen: dict[str, str] = {}
    for file in files:
        if file.digest in seen:
            raise _twice(seen[file.digest], file.name)
        seen[file.digest] = file.name
    return files, kept


def open_shares(guide: Guide, files: tuple[ShareFile, ...]) -> Opened:
    """Ask for each password and open each share. Raises GateClosed, Stopped."""
    given = [_password(guide, file, at, len(files)) for at, file in enumerate(files)]
    return guide.step(OPEN, _open_all, guide, files, given, found=_found)


def _found(opened: Opened) -> str:
    return f"{len(opened.shares)} opened; together check value {opened.dkek.kcv.hex()}"


def _password(guide: Guide, file: ShareFile, at: int, count: int) -> tuple[bytes, ...]:
    text = f"Share {at + 1} of {count}, {file.name}. {PASSWORDS.ask}"
    entries = entries_of(guide.ask(PASSWORDS, text) or "")
    mine = entries[at] if len(entries) == count else entries[0]
    if len(entries) not in (1, count):
        raise GateClosed(
            f"There are {len(entries)} passwords for {count} shares.",
            f"{_UNTOUCHED} Bring one line for each share, in the order of their files. Parts of "
            "one password have the same prime.",
        )
    if threshold.is_threshold(mine):
        return threshold.passwords(threshold.parse(mine))
    return (mine.encode(),)


def entries_of(text: str) -> list[str]:
    """One entry a line; the parts of one password may stand on lines of their own.

    So the tool prints them, for each custodian the prime again: each prime is one password.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if any(threshold.prime_of(line) for line in lines):
        lines = [line for line in lines if not _HEADING.fullmatch(line)]
    entries: list[str] = []
    for line in lines:
        if entries and _goes_with(line, entries[-1]):
            entries[-1] += f"\n{line}"
        else:
            entries.append(line)
    return entries or [text]


def _goes_with(line: str, entry: str) -> bool:
    """Is the line one more part of the password that the entry began?"""
    prime = threshold.prime_of(entry)
    if prime is None:
        return False
    if _OF_A_PART.match(line):
        return True
    return threshold.prime_of(line) == prime and not threshold.is_whole(line)


def _open_all(guide: Guide, files: tuple[ShareFile, ...], given: list[tuple[bytes, ...]]) -> Opened:
    shares: dict[bytes, str] = {}
    for at, (file, passwords) in enumerate(zip(files, given, strict=True), start=1):
        what = f"Opening share {at} of {len(files)}"
        share = next(
            _attempts(file, passwords, lambda work, what=what: guide.toil(work, what)), None
        )
        if share is None:
            raise GateClosed(
                f"{file.name} does not open with that password.",
                f"{_UNTOUCHED} Check upper and lower case; the share itself is not harmed.",
            )
        if share in shares:
            raise _twice(shares[share], file.name)
        shares[share] = file.name
    return Opened(tuple(shares))


def _attempts(
    file: ShareFile, passwords: tuple[bytes, ...], toil: Callable[..., bytes]
) -> Iterator[bytes]:
    for password in passwords:
        share = file.open(toil(file.toil(password)))
        if share is not None:
            yield share


def _twice(one: str, other: str) -> GateClosed:
    return GateClosed(
        f"{one} and {other} are the same share. Two alike cancel each other out.",
        f"{_UNTOUCHED} Bring the missing share in place of one of them.",
    )
