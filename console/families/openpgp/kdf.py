"""What a card wants of a PIN: itself, or a digest of it (OpenPGP card 3.4, 4.3.2, KDF-DO F9).

The rule: read before the first PIN goes out, since a PIN in the wrong form may cost a try.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum

from console.errors import Garbled
from console.families.openpgp import objects
from console.protocols import tlv

ITERATED = 0x03
HASHES = {0x08: "sha256", 0x0A: "sha512"}
LARGEST_COUNT = 100_000_000
"""Bytes hashed; a card that asks for more would keep the bench for minutes."""


class Pin(IntEnum):
    """Whose secret: the reference that VERIFY names (7.2.2); the reset code has none."""

    SIGN = 0x81
    USE = 0x82
    ADMIN = 0x83
    RESET_CODE = 0x00


@dataclass(frozen=True)
class Kdf:
    """The derivation that the card expects; the plain PIN where `hash` is ""."""

    hash: str = ""
    count: int = 0
    salts: tuple[bytes, bytes, bytes] = field(default=(b"", b"", b""), repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Kdf:
        """The value of F9, or the object itself; empty means none. Raises Garbled."""
        found = {known.tag: known.value for known in tlv.parse(tlv.bare(objects.KDF, raw))}
        if found.get(0x81, b"\0") in (b"\0", b""):
            return cls()
        name = HASHES.get(int.from_bytes(found.get(0x82, b""), "big"), "")
        count = int.from_bytes(found.get(0x83, b""), "big")
        user = found.get(0x84, b"")
        if found[0x81] != bytes((ITERATED,)) or not name or count > LARGEST_COUNT or not user:
            raise Garbled(
                "The card wants its PINs in a form that is not known here.",
                "Its PINs are not touched: a PIN in the wrong form would cost tries.",
            )
        return cls(name, count, (user, found.get(0x85, user), found.get(0x86, user)))

    @property
    def active(self) -> bool:
        return bool(self.hash)

    @property
    def size(self) -> int:
        """Bytes that the card expects of any PIN; 0 where they vary."""
        return hashlib.new(self.hash).digest_size if self.hash else 0

    def wire(self, whose: Pin, pin: str) -> bytes:
        """The PIN as it crosses the wire: hashed over exactly `count` bytes of salt and PIN."""
        secret = pin.encode()
        if not self.hash:
            return secret
        user, code, admin = self.salts
        salt = {Pin.ADMIN: admin, Pin.RESET_CODE: code}.get(whose, user)
        once = salt + secret
        count = max(self.count, len(once))
        whole, rest = divmod(count, len(once))
        return hashlib.new(self.hash, once * whole + once[:rest]).digest()
