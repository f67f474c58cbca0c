"""A card line that answers what somebody else's card answered, command by command.

The rule: it knows only what was recorded; lengths asked for may differ, so a command is looked up
by its header and data, without the length that it wants back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.realdata import real


class Captured:
    """One part of the capture as a CardLine."""

    def __init__(self, part: str) -> None:
        lines = real("captures/smartcard-hsm-pico-6.6.jsonl").read_text().splitlines()
        self._answers: dict[str, bytes] = {}
        current = ""
        for told in map(json.loads, lines):
            current = told.get("part", current)
            if "command" in told and current == part:
                answer = bytes.fromhex(told["response"] + told["sw"])
                self._answers.setdefault(_bare(bytes.fromhex(told["command"])), answer)

    def transmit(self, apdu: bytes) -> bytes:
        """What was not asked then: another key domain (6A86), more of a file that has no more."""
        if apdu[:3] == b"\x80\x52\0" and apdu[3]:
            return b"\x6a\x86"
        if apdu[1] == 0xB1 and _bare(apdu) not in self._answers:
            known = any(_bare(apdu)[:8] == command[:8] for command in self._answers)
            return b"\x6b\0" if known else b"\x6a\x82"
        return self._answers[_bare(apdu)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def reset(self) -> None:
        """Nothing changes."""

    def close(self) -> None:
        """Nothing is open."""


def _bare(apdu: bytes) -> str:
    """Header and data, in hex."""
    head, rest = apdu[:4], apdu[4:]
    if len(rest) > 2 and rest[0] == 0:
        size = int.from_bytes(rest[1:3], "big")
        return (head + (rest[3 : 3 + size] if len(rest) > 3 else b"")).hex()
    if len(rest) > 1:
        return (head + rest[1 : 1 + rest[0]]).hex()
    return head.hex()
