"""The modem's credential store as a picture: every tag and type with its digest, and no content.

The rule: pure; a picture is taken whole, kept as JSON, and compared with another.
Source: Nordic, nRF91 AT Commands, %CMNG; the digest is SHA-256 over the stored text as written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from console.errors import Garbled
from console.families.nrf91 import at

TAG_LIMIT = 2147483647
"""The highest tag that is a user's; what lies above belongs to the modem."""
NO_DIGEST = "0" * 64


class Type(IntEnum):
    """What an entry is (%CMNG, <type>)."""

    CA = 0
    CERT = 1
    KEY = 2
    PSK = 3
    IDENTITY = 4


WORDS = {
    0: "root CA",
    1: "client certificate",
    2: "private key",
    3: "PSK",
    4: "PSK identity",
    5: "public key for commands",
    6: "device identity key",
    7: "reserved entry",
    8: "endorsement key",
    9: "ownership key",
    10: "Nordic root CA",
    11: "Nordic public key",
}


@dataclass(frozen=True, order=True)
class Entry:
    """One pair of the store. `digest` is 64 upper-case hex digits, or "" where none is told."""

    tag: int
    type: int
    digest: str = ""

    @property
    def pair(self) -> tuple[int, int]:
        return self.tag, self.type

    @property
    def name(self) -> str:
        return name_of(self.tag, self.type)

    @property
    def is_users(self) -> bool:
        """May a person have written it, and may it be deleted? The modem's own never is."""
        return self.tag <= TAG_LIMIT and self.type <= Type.IDENTITY


def digest_of(content: str | bytes) -> str:
    """What the modem lists of a content: SHA-256 over the stored bytes, upper-case hex."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest().upper()


def counted(number: int) -> str:
    return "1 credential" if number == 1 else f"{number} credentials"


def name_of(tag: int, kind: int) -> str:
    return f"tag {tag} {WORDS.get(kind, f'type {kind}')}"


def entry_of(line: str) -> Entry:
    """One line of %CMNG: <tag>,<type>[,"<digest>"]. Raises Garbled."""
    values = at.fields(line)
    if len(values) < 2:
        raise Garbled("The modem listed a credential that I cannot read.")
    digest = values[2].upper() if len(values) > 2 else ""
    if digest and not re.fullmatch(r"[0-9A-F]{64}", digest):
        raise Garbled("The modem listed a digest that is none.")
    return Entry(at.number(values[0]), at.number(values[1]), "" if digest == NO_DIGEST else digest)


@dataclass(frozen=True)
class Difference:
    """What another picture has less, more, and different."""

    vanished: tuple[Entry, ...] = ()
    new: tuple[Entry, ...] = ()
    changed: tuple[Entry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.vanished or self.new or self.changed)

    def __str__(self) -> str:
        parts = (("vanished", self.vanished), ("new", self.new), ("changed", self.changed))
        return "; ".join(f"{word}: {names(found)}" for word, found in parts if found) or "the same"


def names(entries: Iterable[Entry]) -> str:
    return ", ".join(entry.name for entry in entries)


@dataclass(frozen=True)
class Picture:
    """The whole store of one modem at one moment."""

    imei: str
    firmware: str
    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        tags = len({entry.tag for entry in self.entries})
        under = f"under {tags} tags" if tags != 1 else "under one tag"
        return f"{counted(len(self.entries))} {under}" if self.entries else "empty"

    @property
    def users_tags(self) -> str:
        """The tags under which a person may have written something: "1, 2, 16842753"."""
        tags = dict.fromkeys(entry.tag for entry in self.entries if entry.is_users)
        return ", ".join(map(str, tags))

    @property
    def by_tag(self) -> tuple[str, ...]:
        """What lies under the users' tags, a line for each: "tag 3: root CA, private key"."""
        words: dict[int, list[str]] = {}
        for entry in self.entries:
            if entry.tag > TAG_LIMIT:
                continue
            told = WORDS.get(entry.type, f"type {entry.type}")
            words.setdefault(entry.tag, []).append(told if entry.digest else f"{told} (no digest)")
        return tuple(f"tag {tag}: {', '.join(there)}" for tag, there in words.items())

    def find(self, tag: int, kind: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.pair == (tag, kind)), None)

    def without(self, pairs: Iterable[tuple[int, int]]) -> frozenset[Entry]:
        """Every entry but those of the pairs: what must be the same before and after."""
        left_out = set(pairs)
        return frozenset(entry for entry in self.entries if entry.pair not in left_out)

    def since(self, before: Picture) -> Difference:
        """What is different here from the picture before."""
        old = {entry.pair: entry for entry in before.entries}
        new = {entry.pair: entry for entry in self.entries}
        return Difference(
            tuple(entry for pair, entry in old.items() if pair not in new),
            tuple(entry for pair, entry in new.items() if pair not in old),
            tuple(e for pair, e in new.items() if pair in old and e.digest != old[pair].digest),
        )

    def to_json(self) -> bytes:
        listed = [{"tag": e.tag, "type": e.type, "sha256": e.digest} for e in self.entries]
        data = {"imei": self.imei, "modem_firmware": self.firmware, "credentials": listed}
        return json.dumps(data, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Picture | None:
        """The picture that was kept; None where the bytes are none."""
        try:
            read: Any = json.loads(data)
            listed = read["credentials"]
            entries = (Entry(int(e["tag"]), int(e["type"]), str(e["sha256"])) for e in listed)
            return cls(str(read["imei"]), str(read["modem_firmware"]), tuple(entries))
        except (ValueError, KeyError, TypeError):
            return None
