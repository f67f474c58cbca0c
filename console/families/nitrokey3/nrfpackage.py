"""nRF52 packages: the inner zip with an application and its signed init packet.

The rule: pure; the signature covers the very bytes of the packet, so they are cut out and never
written anew. Layout: Nordic's dfu-cc.proto (nRF5 SDK, secure bootloader), in protobuf's wire form.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from console.errors import GateClosed
from console.families.nitrokey3.signers import SIGNERS, Signer
from console.families.nitrokey3.version import Version, of_word

UNTOUCHED = "Nothing was sent to the device. Take the vendor's file, and copy it again."
LARGEST = 4 << 20
"""Bytes: several times the flash of the chip; nothing larger is unpacked."""
HARDWARE = 52
OTHER_PARTS = {"bootloader", "softdevice", "softdevice_bootloader"}
"""What a package may hold beside an application, by its manifest's keys (nrfutil)."""
INIT, ECDSA_P256, APPLICATION, SHA_256 = 1, 0, 0, 3


@dataclass(frozen=True)
class Package:
    """An application that fits its signed init packet; both are sent as they are.

    `signer` is None where nobody we know has signed it.
    """

    init: bytes = field(repr=False)
    image: bytes = field(repr=False)
    version: Version
    hardware: int
    signer: Signer | None


def read(data: bytes) -> Package:
    """Check the inner zip as a whole. Raises GateClosed with the reason."""
    init, image = _unpacked(data)
    packet = _fields(init)
    if 2 not in packet:
        raise _bad("its init packet is not signed")
    signed = _fields(packet[2][-1])
    command = _only(signed, 1)
    asked = _fields(command)
    if _number(asked, 1) != INIT:
        raise _bad("its init packet is of another kind")
    inner = _only(asked, 2)
    facts = _fields(inner)
    _check_application(facts, image)
    return Package(
        init,
        image,
        of_word(_number(facts, 1)),
        _number(facts, 2),
        _signer(inner, _number(signed, 2), _only(signed, 3)),
    )


def _check_application(facts: Fields, image: bytes) -> None:
    if _number(facts, 4) != APPLICATION:
        raise _bad("it is no application: it would replace the bootloader")
    if _number(facts, 7) != len(image):
        raise _bad(f"its image has {len(image)} bytes, not the {_number(facts, 7)} that it says")
    digest = _fields(_only(facts, 8))
    # Nordic's tools write the digest with its last byte first.
    if _number(digest, 1) != SHA_256 or _only(digest, 2) != hashlib.sha256(image).digest()[::-1]:
        raise _bad("its image is not the one that was signed: it is damaged, or was changed")


def _signer(inner: bytes, kind: int, signature: bytes) -> Signer | None:
    """Who signed the InitCommand: ECDSA over P-256, r and s with their last byte first."""
    if kind != ECDSA_P256 or len(signature) != 64:
        raise _bad("its signature is of a kind that these devices do not take")
    r, s = (int.from_bytes(signature[at : at + 32], "little") for at in (0, 32))
    for signer in SIGNERS:
        try:
            signer.key.verify(encode_dss_signature(r, s), inner, ECDSA(SHA256()))
        except InvalidSignature:
            continue
        return signer
    return None


# --- the zip ------------------------------------------------------------------------------


def _unpacked(data: bytes) -> tuple[bytes, bytes]:
    """(init packet, image) of the one application that it holds."""
    try:
        with opened(data) as package:
            listed = json.loads(member(package, "manifest.json"))["manifest"]
            if OTHER_PARTS & set(listed):
                raise _bad("it holds more than an application")
            names = listed["application"]
            return member(package, names["dat_file"]), member(package, names["bin_file"])
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, RecursionError):
        raise _bad("it is no package, or is damaged") from None


UNREADABLE = (
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
    MemoryError,
)
"""What zipfile and its unpackers say of a zip that is cut off, damaged, encrypted, or packed in a
way that they do not know (NotImplementedError is a RuntimeError)."""


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except UNREADABLE:
        raise zipfile.BadZipFile from None


def opened(data: bytes) -> zipfile.ZipFile:
    """A zip, its list of files read. Raises BadZipFile.

    A container that was cut off ends with a package that lies in it: that is not what was given.
    """
    with _damage():
        package = zipfile.ZipFile(io.BytesIO(data))
    if min((info.header_offset for info in package.infolist()), default=0):
        raise zipfile.BadZipFile
    return package


def member(package: zipfile.ZipFile, name: str) -> bytes:
    """One file of a zip, unpacked. Raises KeyError, BadZipFile, GateClosed."""
    if package.getinfo(name).file_size > LARGEST:
        raise _bad(f"{name[:60]} in it is larger than the chip's memory")
    with _damage():
        return package.read(name)


# --- protobuf's wire form (protobuf.dev, "Encoding") ----------------------------------------

Fields = dict[int, list[bytes]]
"""Field number -> its values in order; a varint is kept as its eight little-endian bytes."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _fields(data: bytes) -> Fields:
    found: Fields = {}
    for number, value in _walk(data):
        found.setdefault(number, []).append(value)
    return found


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value.to_bytes(8, "little")
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
        if kind == BYTES:
            size, at = _varint(data, at)
        if size < 0 or at + size > len(data):
            raise _bad("its init packet is damaged")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value & (1 << 64) - 1, at
    raise _bad("its init packet is damaged")


def _only(fields: Fields, number: int) -> bytes:
    if len(fields.get(number, ())) != 1:
        raise _bad("its init packet lacks something, or says it twice")
    return fields[number][0]


def _number(fields: Fields, number: int) -> int:
    """A varint; 0 where it is left out, as proto2's enums begin."""
    value = fields[number][-1] if number in fields else b""
    if len(value) > 8:
        raise _bad("its init packet is damaged")
    return int.from_bytes(value, "little")


def _bad(why: str) -> GateClosed:
    return GateClosed(f"This file cannot be used: {why}.", UNTOUCHED)
