"""The GnuPG of this machine: which gpg and scdaemon, and whether they give a card its time.

The rule: looks only, and never waits. What a version means is a pure function of its number.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0
"""Seconds after which a program that does not answer is left alone."""
PROGRAMS = ("gpg", "gpg2")
DAEMONS = ("/usr/lib/gnupg", "/usr/lib/gnupg2", "/usr/libexec", "/usr/local/libexec")
VERSION = re.compile(rb"\) (\d+(?:\.\d+)+)")
LONGER_FOR_KEYS = (2, 1, 20)
"""From here on gpg's own driver waits longer while a key is made (GnuPG, commit of 2017-03-27)."""
AS_CARD_ASKS = (2, 3, 0)
"""From here on it waits as long as the card asks for."""
SHARES = (2, 2, 28)
"""From here on scdaemon can share a card with other programs (pcsc-shared)."""


@dataclass(frozen=True)
class GnuPG:
    """The versions found, "" for what is not there; `trouble` says why nothing could be looked at.

    `own_driver` says that scdaemon drives readers itself rather than through PC/SC.
    """

    gpg: str = ""
    scdaemon: str = ""
    own_driver: bool = True
    trouble: str = ""

    @property
    def impatient(self) -> bool:
        """Does it give a card up after 5 s, whatever the card asks for?"""
        version = parse(self.scdaemon or self.gpg)
        return bool(version) and version < LONGER_FOR_KEYS and self.own_driver

    @property
    def sentence(self) -> str:
        """What was found, and what it means for a card that needs time."""
        if self.trouble:
            return self.trouble
        if not self.gpg and not self.scdaemon:
            return "There is no gpg on this machine."
        named = f"gpg {self.gpg or 'not found'}, scdaemon {self.scdaemon or 'not found'}"
        return f"This machine has {named}: {self._judged()}"

    def _judged(self) -> str:
        version = parse(self.scdaemon or self.gpg)
        if self.impatient:
            return "its own driver gives every card up after 5 s."
        if version < LONGER_FOR_KEYS:
            return "its own driver would give a card up after 5 s, but it uses PC/SC."
        if version < AS_CARD_ASKS and self.own_driver:
            return "it waits longer while a key is made, not as long as a card may ask."
        return "it waits as long as the card asks."


def parse(version: str) -> tuple[int, ...]:
    """2.1.20 as numbers; empty where there is none."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def said(output: bytes) -> str:
    """The version in what `gpg --version` prints."""
    found = VERSION.search(output.partition(b"\n")[0])
    return found[1].decode() if found else ""


def uses_pcsc(conf: str) -> bool:
    """Does scdaemon.conf turn scdaemon's own driver off?"""
    return any(line.split("#")[0].strip() == "disable-ccid" for line in conf.splitlines())


def gnupg() -> GnuPG:
    """What this machine has."""
    version = next(filter(None, (_asked(name) for name in PROGRAMS)), "")
    daemon = next(filter(None, (_asked(f"{place}/scdaemon") for place in DAEMONS)), "")
    return GnuPG(version, daemon, not uses_pcsc(_conf()))


def _asked(program: str) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return ""
    return said(done.stdout)


def _conf() -> str:
    try:
        return (Path.home() / ".gnupg" / "scdaemon.conf").read_text(errors="replace")
    except OSError:
        return ""
