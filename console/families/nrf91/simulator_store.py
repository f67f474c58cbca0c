"""The credential store of a simulated modem, in flash: entries in the order they were written.

The rule: it keeps what it is given and loses what its flash loses; who may write what and when
is the modem's. Contents are never in a repr.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.families.nrf91.simulator_rows import Faults, Keeps, Torn

Pair = tuple[int, int]
"""A security tag and a type: unique in the store."""


@dataclass(frozen=True)
class Entry:
    """One credential, exactly as it stood between the quotes."""

    tag: int
    type: int
    content: bytes = field(repr=False)

    @property
    def pair(self) -> Pair:
        return self.tag, self.type

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest().upper()


class Store:
    """`supply` is what the flash gets while it works, in millivolts."""

    def __init__(self, contents: Mapping[Pair, str], faults: Faults) -> None:
        self._faults = faults
        self.entries: list[Entry] = [
            Entry(tag, kind, text.encode()) for (tag, kind), text in contents.items()
        ]
        self._in_flash = list(self.entries)
        self.lost: list[Pair] = []
        """What the flash lost without being asked to, in order."""

    def __repr__(self) -> str:
        return f"Store({[entry.pair for entry in self.entries]})"

    def find(self, tag: int | None = None, kind: int | None = None) -> list[Entry]:
        """Those of that tag and type, or of any, ordered as the modem lists them."""
        found = (
            entry
            for entry in self.entries
            if tag in (None, entry.tag) and kind in (None, entry.type)
        )
        return sorted(found, key=lambda entry: entry.pair)

    @property
    def size(self) -> int:
        return sum(len(entry.content) for entry in self.entries)

    def write(self, entry: Entry, supply: int) -> None:
        """One entry anew at the end; one of the same pair is gone."""
        if self._faults.ignores_writes:
            return
        if self._faults.alters_writes:
            entry = Entry(entry.tag, entry.type, entry.content[:-1])
        self._drop(entry.pair)
        self.entries.append(entry)
        self._rewrite(entry.pair, supply)

    def delete(self, pair: Pair, supply: int) -> None:
        if self._faults.ignores_writes:
            return
        self._drop(pair)
        self._rewrite(pair, supply)

    def tear(self, entry: Entry, supply: int) -> None:
        """The supply went while this entry was being written."""
        self._drop(entry.pair)
        if self._faults.torn is Torn.HALF:
            half = entry.content[: len(entry.content) // 2]
            self.entries.append(Entry(entry.tag, entry.type, half))
        self._rewrite(entry.pair, supply)

    def _drop(self, pair: Pair) -> None:
        self.entries = [entry for entry in self.entries if entry.pair != pair]

    def _rewrite(self, touched: Pair, supply: int) -> None:
        """The flash collects its oldest page at each change; a weak supply loses what is in it."""
        others = [entry.pair for entry in self.entries if entry.pair != touched]
        if supply < self._faults.brown_out_mv and others:
            self._drop(others[0])
            self.lost.append(others[0])
        if self._faults.keeps is Keeps.AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """All that is known goes to flash, unless that is worn."""
        if self._faults.keeps is not Keeps.NEVER:
            self._in_flash = list(self.entries)

    def power_on(self) -> None:
        """What is in flash is what there is."""
        self.entries = list(self._in_flash)

    def freeze(self) -> dict[str, Any]:
        return {
            "entries": _frozen(self.entries),
            "in_flash": _frozen(self._in_flash),
            "lost": [list(pair) for pair in self.lost],
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.entries = _thawed(frozen["entries"])
        self._in_flash = _thawed(frozen["in_flash"])
        self.lost = [(int(tag), int(kind)) for tag, kind in frozen["lost"]]


def _frozen(entries: list[Entry]) -> list[list[Any]]:
    return [[entry.tag, entry.type, entry.content.hex()] for entry in entries]


def _thawed(frozen: list[list[Any]]) -> list[Entry]:
    return [Entry(int(tag), int(kind), bytes.fromhex(text)) for tag, kind, text in frozen]
