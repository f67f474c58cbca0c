"""GnuPG and OpenSC, run against a simulated card through the real PC/SC stack.

The rule: as tests/hardware/stack.py, whose stack it is. Each card has a daemon of its own and a
person who has no keys yet; a PIN reaches GnuPG by a pinentry of ours.

    hosts.py --pinentry FOLDER    what gpg-agent starts to ask for a PIN; FOLDER has them
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

PROGRAMS = ("gpg", "openpgp-tool", "pkcs15-tool")
SERIAL = "00006fda"


class Hosts:
    """A card of the row that is named, and programs that use it."""

    def __init__(self, folder: Path) -> None:
        from tests.hardware.stack import Stack

        for program in PROGRAMS:
            assert shutil.which(program), f"{program} is missing: tests/run names the packages"
        self._folder = folder
        self._gnupg = folder / "pcsc" / "home" / ".gnupg"
        self._stack = Stack(folder / "pcsc")

    def insert(self, row: str) -> None:
        """A new card of that row is in the reader; a new daemon takes it for no other."""
        self._stack.do("end")
        self._new_home()
        self._stack.do("start")
        self._stack.do("insert", 0, "tests.families.openpgp.cards:in_slot", row, SERIAL, 0.0)

    def _new_home(self) -> None:
        shutil.rmtree(self._gnupg, ignore_errors=True)
        self._gnupg.mkdir(mode=0o700, parents=True)
        asked = self._folder / "pinentry"
        asked.write_text(f"#!/bin/sh\nexec {sys.executable} {__file__} --pinentry {self._folder}\n")
        asked.chmod(0o755)
        (self._gnupg / "gpg-agent.conf").write_text(f"pinentry-program {asked}\n")
        (self._gnupg / "scdaemon.conf").write_text("disable-ccid\n")

    def run(self, *words: str, say: str = "") -> tuple[int, str]:
        """What a program answered, and all it said."""
        done = self._stack.do("run", words, say)
        return done["rc"], done["stdout"] + done["stderr"]

    def memory(self) -> dict[str, Any]:
        """The card's memory, as it freezes it."""
        return self._stack.do("frozen", 0)["memory"]

    def pins(self, user: str, admin: str) -> None:
        """What the person at the keyboard types from here on."""
        (self._folder / "pins").write_text(f"{user}\n{admin}\n")

    def close(self) -> None:
        self._stack.close()


def pinentry(folder: Path) -> None:
    """Assuan, as far as gpg-agent speaks it: the admin's PIN where the admin is asked."""
    asked = ""
    print("OK", flush=True)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word in ("SETDESC", "SETPROMPT"):
            asked += rest
        if word == "GETPIN":
            user, admin = (folder / "pins").read_text().splitlines()
            print("D", admin if "Admin" in asked else user)
            asked = ""
        print("OK", flush=True)
        if word == "BYE":
            return


if __name__ == "__main__":
    pinentry(Path(sys.argv[2]))
