"""A wrapped key (what WRAP gives and UNWRAP takes): its header in clear, its key enciphered.

The rule: pure. The header is read without any key; the MAC and the key inside only with the DKEK.
What is inside is a secret: in no repr, in no error. Layout: reference 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from hmac import compare_digest
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from console.errors import GateClosed
from console.families.smartcardhsm import curves
from console.families.smartcardhsm.dkek import KCV_SIZE, Dkek

BLOCK = 16
RANDOM_SIZE = 8
"""Random bytes before the key, so that one key never enciphers alike twice."""

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class KeyType(IntEnum):
    """What kind of key a blob holds."""

    RSA = 0x05
    RSA_CRT = 0x06
    EC = 0x0C
    AES = 0x0F

    @property
    def words(self) -> str:
        return {KeyType.EC: "EC", KeyType.AES: "AES"}.get(self, "RSA")


PARTS: Mapping[KeyType, tuple[str, ...]] = {
    KeyType.RSA: ("d", "n", "e"),
    KeyType.RSA_CRT: ("dp", "dq", "p", "pinv", "q", "n", "e"),
    KeyType.EC: ("a", "b", "prime", "order", "base", "d", "point"),
    KeyType.AES: ("key",),
}
"""The components of a plain key, in the order in which they stand."""


@dataclass(frozen=True)
class PlainKey:
    """The key inside: its size as written (bits; AES: bytes) and its components."""

    type: KeyType
    size: int
    parts: Mapping[str, bytes] = field(repr=False)

    def public(self) -> PublicKey | None:
        """The public half; None for AES, for a curve not known here, for numbers that make none."""
        if self.type is KeyType.EC:
            return curves.public_key(self.parts["order"], self.parts["point"])
        if self.type is KeyType.AES:
            return None
        e, n = (int.from_bytes(self.parts[name], "big") for name in ("e", "n"))
        try:
            return rsa.RSAPublicNumbers(e, n).public_key()
        except ValueError:
            return None


@dataclass(frozen=True)
class Blob:
    """A key blob, taken apart. `algorithms` is the list in it; empty: no restriction."""

    kcv: bytes
    type: KeyType
    oid: bytes
    algorithms: bytes
    conditions: bytes
    key_oid: bytes
    cipher: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, name: str = "The key blob") -> Blob:
        """Raises GateClosed if it is cut, or none at all."""
        try:
            kcv, kind, at = data[:KCV_SIZE], KeyType(data[KCV_SIZE]), KCV_SIZE + 1
            fields = []
            for _ in range(4):
                length = int.from_bytes(data[at : at + 2], "big")
                fields.append(data[at + 2 : at + 2 + length])
                at += 2 + length
        except (IndexError, ValueError):
            _torn(name)
        cipher, mac = data[at:-BLOCK], data[-BLOCK:]
        if at > len(data) - 2 * BLOCK or len(cipher) % BLOCK:
            _torn(name)
        oid, limits, conditions, key_oid = fields
        return cls(kcv, kind, oid, limits, conditions, key_oid, cipher, mac)

    @property
    def head(self) -> bytes:
        """Everything before the cipher."""
        named = (self.oid, self.algorithms, self.conditions, self.key_oid)
        return self.kcv + bytes((self.type,)) + b"".join(map(_counted, named))

    @property
    def raw(self) -> bytes:
        return self.head + self.cipher + self.mac

    def genuine(self, dkek: Dkek) -> bool:
        """Does its MAC hold under this DKEK? Edited or of another DKEK where it does not."""
        return compare_digest(_mac(dkek, self.head + self.cipher), self.mac)

    def open(self, dkek: Dkek) -> PlainKey:
        """The key inside. Raises GateClosed if the blob is edited, or of another DKEK."""
        if not self.genuine(dkek):
            raise GateClosed(
                "The key blob was changed since it was made, or is under another DKEK.",
                "Nothing was sent to the card. Take another copy of the backup.",
            )
        opened = _cipher(dkek).decryptor()
        return _plain(self.type, opened.update(self.cipher) + opened.finalize())


def seal(key: PlainKey, dkek: Dkek, random: bytes, oid: bytes, algorithms: bytes = b"") -> Blob:
    """The blob of a key; `random` is 8 bytes that are never used again."""
    plain = random + key.size.to_bytes(2, "big")
    plain += b"".join(_counted(key.parts[name]) for name in PARTS[key.type])
    if len(plain) % BLOCK:
        plain += b"\x80"
        plain += bytes(-len(plain) % BLOCK)
    sealed = _cipher(dkek).encryptor()
    cipher = sealed.update(plain) + sealed.finalize()
    bare = Blob(dkek.kcv, key.type, oid, algorithms, b"", b"", cipher, b"")
    return Blob(
        dkek.kcv, key.type, oid, algorithms, b"", b"", cipher, _mac(dkek, bare.head + cipher)
    )


def _plain(kind: KeyType, plain: bytes) -> PlainKey:
    at = RANDOM_SIZE + 2
    size = int.from_bytes(plain[RANDOM_SIZE:at], "big")
    if kind is KeyType.AES and int.from_bytes(plain[at : at + 2], "big") != size:
        return PlainKey(kind, size, {"key": plain[at : at + size]})
    parts = {}
    for name in PARTS[kind]:
        length = int.from_bytes(plain[at : at + 2], "big")
        parts[name] = plain[at + 2 : at + 2 + length]
        at += 2 + length
    if at > len(plain):
        _torn("The key inside the blob")
    return PlainKey(kind, size, parts)


def _counted(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _cipher(dkek: Dkek) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(dkek.cipher_key), modes.CBC(bytes(BLOCK)))


def _mac(dkek: Dkek, data: bytes) -> bytes:
    mac = CMAC(algorithms.AES(dkek.mac_key))
    mac.update(data)
    return mac.finalize()


def _torn(name: str) -> NoReturn:
    raise GateClosed(
        f"{name} is cut off or is no wrapped key: its lengths do not add up.",
        "Nothing was sent to the card. Copy the backup again from where it was kept.",
    )
