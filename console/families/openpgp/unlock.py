"""The secret half of an OpenPGP key packet, opened with its passphrase (RFC 4880, 3.7 and 5.5.3).

The rule: pure; ciphers and digests are the library's. A passphrase is right only if the packet's
own check says so; a packet without a secret says what it is instead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import CAST5, TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from console.errors import BadUsage
from console.families.openpgp.algorithms import CURVES, Algorithm, Kind
from console.families.openpgp.publickey import PublicKey

PLAIN, CHECKED, SUMMED = 0, 254, 255
"""How the secret is kept: bare, encrypted with a digest, encrypted with a sum."""
SIMPLE, SALTED, ITERATED, GNU = 0, 1, 3, 101
CIPHERS: dict[int, tuple[type[AES] | type[CAST5] | type[TripleDES], int, int]] = {
    2: (TripleDES, 24, 8),
    3: (CAST5, 16, 8),
    7: (AES, 16, 16),
    8: (AES, 24, 16),
    9: (AES, 32, 16),
}
"""By OpenPGP's number (9.2): the cipher, bytes of its key, bytes of its block."""
DIGESTS = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
RSA_KINDS = (1, 2, 3)
NATIVE = 0x40
MANY = 4096
"""Repetitions hashed at a time: gpg has up to 62 MB hashed for each key."""


@dataclass(frozen=True)
class Locked:
    """A secret key packet: its public half is read, its secret half still as it is kept."""

    public: PublicKey
    created: int
    kdf: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: bytes) -> Locked:
        """The body of a secret (sub)key packet. Raises BadUsage."""
        reader = _Reader(body)
        if reader.number(1) != 4:
            raise BadUsage("This key is not of version 4; cards hold no other.")
        created, kind = reader.number(4), reader.number(1)
        public, kdf = _public(reader, kind)
        return cls(public, created, kdf, reader.rest())

    @property
    def fingerprint(self) -> bytes:
        return self.public.fingerprint(self.created, self.kdf)

    @property
    def wants_passphrase(self) -> bool:
        return self.secret[:1] != bytes((PLAIN,))

    @property
    def missing(self) -> str:
        """Why there is no secret in it; "" if there is one."""
        if len(self.secret) > 6 and self.secret[2] == GNU:
            return "on another card" if self.secret[7:8] == b"\x02" else "left out of the file"
        return "" if self.secret else "left out of the file"

    def open(self, passphrase: str) -> tuple[int, ...]:
        """The secret numbers. Raises BadUsage (wrong passphrase, a form not known here)."""
        if self.missing:
            raise BadUsage(f"The secret of this key is {self.missing}.", "Take another backup.")
        if not self.wants_passphrase:
            return _numbers(self.secret[1:-2], self.secret[-2:], self)
        reader = _Reader(self.secret)
        usage = reader.number(1)
        if usage not in (CHECKED, SUMMED):
            raise _unknown()
        cipher, size, block = CIPHERS.get(reader.number(1), (None, 0, 0))
        if cipher is None:
            raise _unknown()
        key = _derived(reader, passphrase.encode(), size)
        start = reader.take(block)
        opened = Cipher(cipher(key), CFB(start)).decryptor()
        plain = opened.update(reader.rest()) + opened.finalize()
        if usage == SUMMED:
            return _numbers(plain[:-2], plain[-2:], self)
        if hashlib.sha1(plain[:-20], usedforsecurity=False).digest() != plain[-20:]:
            raise _wrong()
        return _mpis(plain[:-20])


class _Reader:
    """Bytes from front to back. Raises BadUsage where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise BadUsage("The key file is cut off.", "Take another copy of the backup.")
        self._at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def mpi(self) -> int:
        return self.number((self.number(2) + 7) // 8)

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)


def _public(reader: _Reader, kind: int) -> tuple[PublicKey, bytes]:
    if kind in RSA_KINDS:
        modulus, exponent = reader.mpi(), reader.mpi()
        return PublicKey(Algorithm(Kind.RSA, modulus.bit_length()), modulus, exponent), b""
    if kind not in (known.value for known in Kind):
        raise BadUsage("This key is of a kind that no OpenPGP card holds.", "Take another backup.")
    oid = reader.take(reader.number(1))
    curve = next((known for known in CURVES if known.oid == oid), None)
    if curve is None:
        raise BadUsage("This key is on a curve that is not known here.", "Take another backup.")
    point = reader.mpi()
    size = 33 if curve.word in ("ed25519", "x25519") else 1 + 2 * curve.size
    raw = point.to_bytes(max(size, (point.bit_length() + 7) // 8), "big")
    raw = raw[1:] if size == 33 and raw[0] == NATIVE else raw
    kdf = reader.take(reader.number(1))[1:] if kind == Kind.ECDH.value else b""
    return PublicKey(Algorithm(Kind(kind), curve=curve), point=raw), kdf


def _derived(reader: _Reader, passphrase: bytes, size: int) -> bytes:
    """The key of a passphrase (3.7.1): as many digests as are needed, each with one more zero."""
    form, digest = reader.number(1), DIGESTS.get(reader.number(1), "")
    if form not in (SIMPLE, SALTED, ITERATED) or not digest:
        raise _unknown()
    once = (reader.take(8) if form != SIMPLE else b"") + passphrase
    count = len(once)
    if form == ITERATED:
        coded = reader.number(1)
        count = max(count, (16 + (coded & 15)) << ((coded >> 4) + 6))
    whole, part = divmod(count, len(once)) if once else (0, 0)
    key, zeros = b"", 0
    while len(key) < size:
        state = hashlib.new(digest, bytes(zeros), usedforsecurity=False)
        for _ in range(whole // MANY):
            state.update(once * MANY)
        state.update(once * (whole % MANY) + once[:part])
        key += state.digest()
        zeros += 1
    return key[:size]


def _numbers(plain: bytes, kept: bytes, key: Locked) -> tuple[int, ...]:
    if (sum(plain) & 0xFFFF).to_bytes(2, "big") != kept:
        raise _wrong() if key.wants_passphrase else _damaged()
    return _mpis(plain)


def _mpis(plain: bytes) -> tuple[int, ...]:
    reader, found = _Reader(plain), []
    while not reader.ended:
        found.append(reader.mpi())
    return tuple(found)


def _wrong() -> BadUsage:
    return BadUsage("That is not the passphrase of this backup.", "Nothing is written.")


def _damaged() -> BadUsage:
    return BadUsage("The secret of this backup is damaged.", "Take another copy of the backup.")


def _unknown() -> BadUsage:
    return BadUsage(
        "The secret of this backup is kept in a form that is not known here.",
        "Export it anew with gpg --export-secret-keys.",
    )
