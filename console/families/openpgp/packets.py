"""OpenPGP packets as the card's keys need them: public keys, a user id, and self-signatures.

The rule: only the wire (RFC 4880, 4 and 5). What is signed is signed by the card; what comes out
is read and judged by an independent library before it is handed over (certificate.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from console.families.openpgp.algorithms import Kind
from console.families.openpgp.publickey import PublicKey, mpi

SIGNATURE, PUBLIC_KEY, USER_ID, PUBLIC_SUBKEY = 2, 6, 13, 14
POSITIVE, BINDING = 0x13, 0x18
CERTIFY, SIGN, ENCRYPT, AUTHENTICATE = 0x01, 0x02, 0x0C, 0x20
HASHES = {256: (8, "sha256"), 384: (9, "sha384"), 512: (10, "sha512")}
"""By bits: OpenPGP's number and hashlib's word (RFC 4880, 9.4)."""

Signer = Callable[[str, bytes], bytes]
"""Signs a digest, given the hash's name: the bare number of RSA, or r and s side by side."""


@dataclass(frozen=True)
class Dated:
    """A public key and its creation time: what OpenPGP calls a key.

    `kdf`: the KDF parameters that it was made with; b"" for those that GnuPG writes.
    """

    public: PublicKey
    created: int
    kdf: bytes = b""

    def body(self) -> bytes:
        return self.public.body(self.created, self.kdf)

    def hashed(self) -> bytes:
        """As it goes into a signature (5.2.4)."""
        body = self.body()
        return b"\x99" + len(body).to_bytes(2, "big") + body

    @property
    def fingerprint(self) -> bytes:
        return self.public.fingerprint(self.created, self.kdf)


def packet(tag: int, body: bytes) -> bytes:
    """One packet with a new-format header (4.2.2)."""
    return bytes((0xC0 | tag,)) + _length(len(body)) + body


def _length(size: int) -> bytes:
    if size < 192:
        return bytes((size,))
    if size < 8384:
        return bytes((((size - 192) >> 8) + 192, (size - 192) & 0xFF))
    return b"\xff" + size.to_bytes(4, "big")


def certificate(
    primary: Dated, user_id: str, subkeys: list[tuple[Dated, int]], now: int, sign: Signer
) -> bytes:
    """A certificate, self-signed; `subkeys` with their flags, signed by the primary key, too."""
    name = user_id.encode()
    about = primary.hashed() + b"\xb4" + len(name).to_bytes(4, "big") + name
    parts = [packet(PUBLIC_KEY, primary.body()), packet(USER_ID, name)]
    parts.append(_signature(POSITIVE, primary, CERTIFY | SIGN, now, about, sign))
    for subkey, flags in subkeys:
        about = primary.hashed() + subkey.hashed()
        parts.append(packet(PUBLIC_SUBKEY, subkey.body()))
        parts.append(_signature(BINDING, primary, flags, now, about, sign))
    return b"".join(parts)


def _signature(
    kind: int, primary: Dated, flags: int, now: int, about: bytes, sign: Signer
) -> bytes:
    curve = primary.public.algorithm.curve
    number, name = HASHES[curve.hash if curve else 256]
    algorithm = primary.public.algorithm.kind
    hashed = _subpacket(2, now.to_bytes(4, "big")) + _subpacket(27, bytes((flags,)))
    hashed += _subpacket(33, b"\x04" + primary.fingerprint)
    if kind == POSITIVE:
        hashed += _subpacket(11, bytes((9, 8, 7))) + _subpacket(21, bytes((10, 9, 8)))
        hashed += _subpacket(30, b"\x01")
    head = bytes((4, kind, algorithm.value, number)) + len(hashed).to_bytes(2, "big") + hashed
    trailer = b"\x04\xff" + len(head).to_bytes(4, "big")
    digest = hashlib.new(name, about + head + trailer).digest()
    other = _subpacket(16, primary.fingerprint[-8:])
    rest = len(other).to_bytes(2, "big") + other + digest[:2]
    return packet(SIGNATURE, head + rest + _numbers(algorithm, sign(name, digest)))


def _subpacket(kind: int, value: bytes) -> bytes:
    return _length(len(value) + 1) + bytes((kind,)) + value


def _numbers(kind: Kind, signature: bytes) -> bytes:
    if kind is Kind.RSA:
        return mpi(int.from_bytes(signature, "big"))
    half = len(signature) // 2
    first, second = signature[:half], signature[half:]
    return mpi(int.from_bytes(first, "big")) + mpi(int.from_bytes(second, "big"))
