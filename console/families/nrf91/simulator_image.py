"""An MCUboot image: header, body, trailer with digest and signature (MCUboot, docs/design.md).

The rule: pure; what the bootloader takes for an image it may start, it finds out from bytes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from console.families.nrf91.simulator_contents import key_of

MAGIC, TRAILER_MAGIC = 0x96F3B83D, 0x6907
HEADER = struct.Struct("<IIHHIIBBHII")
HEADER_SIZE = 512
KEY_HASH, SHA256, ECDSA = 0x01, 0x10, 0x22
NON_BOOTABLE = 0x10
SIGNER = "image signer"
MARK = b"application="
"""How a made-up image names what it holds, up to a NUL."""


@dataclass(frozen=True)
class Image:
    """What a valid image says of itself. `digest` is that of header and body."""

    version: str
    digest: bytes
    bootable: bool
    application: str


def build(
    application: str, version: tuple[int, int, int], size: int, signer: str = SIGNER
) -> bytes:
    """A made-up signed image of that application, its body `size` bytes."""
    body = (MARK + application.encode() + b"\0").ljust(size, b"\xa5")
    major, minor, revision = version
    header = HEADER.pack(MAGIC, 0, HEADER_SIZE, 0, size, 0, major, minor, revision, 0, 0)
    signed = header.ljust(HEADER_SIZE, b"\0") + body
    key = key_of(signer)
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    records = (
        (SHA256, hashlib.sha256(signed).digest()),
        (KEY_HASH, _key_hash(signer)),
        (ECDSA, signature),
    )
    trailer = b"".join(struct.pack("<HH", kind, len(raw)) + raw for kind, raw in records)
    return signed + struct.pack("<HH", TRAILER_MAGIC, 4 + len(trailer)) + trailer


def _key_hash(signer: str) -> bytes:
    public = key_of(signer).public_key()
    return hashlib.sha256(
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).digest()


def judged(slot: bytes, signer: str = SIGNER) -> Image | None:
    """The image at the start of a slot, if the bootloader would start it; None otherwise."""
    if len(slot) < HEADER.size:
        return None
    magic, _, header, protected, size, flags, *version, build_number, _ = HEADER.unpack_from(slot)
    end = header + size
    if magic != MAGIC or protected or end + 4 > len(slot):
        return None
    records = dict(_records(slot, end))
    digest = hashlib.sha256(slot[:end]).digest()
    if records.get(SHA256) != digest or records.get(KEY_HASH) != _key_hash(signer):
        return None
    try:
        key_of(signer).public_key().verify(
            records.get(ECDSA, b""), slot[:end], ec.ECDSA(hashes.SHA256())
        )
    except InvalidSignature:
        return None
    named = ".".join(map(str, version)) + (f".{build_number}" if build_number else "")
    return Image(named, digest, not flags & NON_BOOTABLE, _application(slot[header:end]))


def _records(slot: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    magic, length = struct.unpack_from("<HH", slot, at)
    end = min(at + length, len(slot))
    at += 4
    while magic == TRAILER_MAGIC and at + 4 <= end:
        kind, size = struct.unpack_from("<HH", slot, at)
        yield kind, slot[at + 4 : at + 4 + size]
        at += 4 + size


def _application(body: bytes) -> str:
    if not body.startswith(MARK):
        return ""
    return body[len(MARK) :].split(b"\0")[0].decode("ascii", "replace")
