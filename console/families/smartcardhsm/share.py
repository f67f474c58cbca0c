"""A DKEK share in its file (.pbe), as sc-hsm-tool and Smart Card Shell write it.

The rule: pure. The file is 64 bytes: "Salted__", an 8-byte salt, AES-256-CBC of the share with
PKCS#7 padding. Key and IV come from the password by OpenSSL's EVP_BytesToKey with MD5 and ten
million rounds, a count that stands in no file (reference 2.4); console.toil does that work.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from console.errors import GateClosed
from console.families.smartcardhsm.dkek import SIZE
from console.toil import Toil

MAGIC = b"Salted__"
SALT_SIZE = 8
FILE_SIZE = 64
ROUNDS = 10_000_000
MATERIAL_SIZE = 48
"""Bytes derived from a password: a 32-byte key, then a 16-byte IV."""
BLOCK_BITS = 128


@dataclass(frozen=True)
class ShareFile:
    """A share file: its name, its salt and what it hides."""

    name: str
    salt: bytes = field(repr=False)
    cipher: bytes = field(repr=False)

    @classmethod
    def parse(cls, name: str, data: bytes) -> ShareFile:
        """Raises GateClosed if it is no share file, or a cut one."""
        if not data.startswith(MAGIC):
            raise GateClosed(
                f'{name} is not a DKEK share: it does not begin with "Salted__".',
                "Nothing was sent to the card. Take the .pbe file of the share.",
            )
        if len(data) != FILE_SIZE:
            raise GateClosed(
                f"{name} has {len(data)} bytes and a DKEK share has {FILE_SIZE}: it is damaged.",
                "Nothing was sent to the card. Copy the file again from where it was kept.",
            )
        start = len(MAGIC)
        return cls(name, data[start : start + SALT_SIZE], data[start + SALT_SIZE :])

    @property
    def digest(self) -> str:
        """Tells whether two files are one share, whatever they are called."""
        return hashlib.sha256(self.salt + self.cipher).hexdigest()

    def toil(self, password: bytes) -> Toil:
        """The work that makes the key material of a password."""
        return Toil(password, self.salt, ROUNDS, MATERIAL_SIZE)

    def open(self, material: bytes) -> bytes | None:
        """The 32-byte share; None if the material is of another password."""
        opened = _cipher(material).decryptor()
        padded = opened.update(self.cipher) + opened.finalize()
        unpadder = PKCS7(BLOCK_BITS).unpadder()
        try:
            share = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            return None
        return share if len(share) == SIZE else None


def seal(share: bytes, salt: bytes, material: bytes) -> bytes:
    """The file of a share, under key material made of that salt."""
    padder = PKCS7(BLOCK_BITS).padder()
    sealed = _cipher(material).encryptor()
    padded = padder.update(share) + padder.finalize()
    return MAGIC + salt + sealed.update(padded) + sealed.finalize()


def _cipher(material: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(material[:SIZE]), modes.CBC(material[SIZE:]))
