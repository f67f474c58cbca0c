"""The device key encryption key (DKEK), and the shares that it is made of.

The rule: pure. A share and a DKEK are secrets: in no repr, in no error. Two shares alike cancel
each other out, so a set that repeats one is no set (XOR; card-protocols reference, 2.4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

SIZE = 32
KCV_SIZE = 8
NO_KCV = bytes(KCV_SIZE)
"""What a device shows in place of a key check value until all its shares are in."""


@dataclass(frozen=True)
class Dkek:
    """32 bytes under which a device wraps its keys."""

    value: bytes = field(repr=False)

    @classmethod
    def of_shares(cls, shares: Sequence[bytes]) -> Dkek:
        """The XOR of all shares, in any order."""
        return cls(reduce(_xor, shares, bytes(SIZE)))

    @property
    def kcv(self) -> bytes:
        """The key check value: the first 8 bytes of its SHA-256. No secret."""
        return hashlib.sha256(self.value).digest()[:KCV_SIZE]

    @property
    def cipher_key(self) -> bytes:
        """The AES-256 key that enciphers key blobs."""
        return hashlib.sha256(self.value + b"\0\0\0\1").digest()

    @property
    def mac_key(self) -> bytes:
        """The AES-256 key of their CMAC."""
        return hashlib.sha256(self.value + b"\0\0\0\2").digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
