"""An application image as MCUboot takes it: signed, with its header, its trailer and its digest.

The rule: the whole file is checked on the host before the board's own application is erased.
Source: MCUboot, docs/design.md, "Image format" (header 32 bytes, then trailers of type and length).
"""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass, field
from pathlib import Path

from intelhex import IntelHex, IntelHexError

from console.errors import GateClosed

MAGIC = 0x96F3B83D
HEADER = struct.Struct("<IIHHIIBBHII")
TRAILER, PROTECTED = 0x6907, 0x6908
SHA256 = 0x10
_UNTOUCHED = "Nothing is written."

MODEM_FIRMWARE = (
    "Modem firmware cannot go in this way: it needs a debug probe (nRF Connect Programmer, or "
    "nrfutil device, on the JTAG bench) or the application's own update. It keeps the credentials; "
    "a full erase (recover) does not. Run check first, for the picture. If entries have vanished, "
    "the vendor's dump of the modem's memory must be taken before anything else is written."
)


@dataclass(frozen=True)
class Image:
    """A whole image: its name, its version, its bytes, and the digest by which MCUboot knows it."""

    name: str
    version: str
    data: bytes = field(repr=False)
    digest: bytes

    def __str__(self) -> str:
        return f"{self.version}, {len(self.data) / 1000:.0f} kB, whole: {self.name}"

    @classmethod
    def read(cls, path: str) -> Image:
        """The image in a .bin or .hex file. Raises GateClosed for anything else."""
        place = Path(path)
        raw = _bytes_of(place)
        if len(raw) < HEADER.size or struct.unpack_from("<I", raw)[0] != MAGIC:
            raise _no_image(place.name)
        _, _, header, protected, size, _, major, minor, patch, build, _ = HEADER.unpack_from(raw)
        end = header + size + protected
        digest = _digest(raw, end)
        if digest is None:
            raise _torn(place.name, "its trailer is not there")
        if digest != hashlib.sha256(raw[:end]).digest():
            raise _torn(place.name, "its content has another digest than its trailer says")
        return cls(place.name, f"{major}.{minor}.{patch}+{build}", raw, digest)


def _bytes_of(place: Path) -> bytes:
    try:
        raw = place.read_bytes()
    except (OSError, ValueError):
        raise GateClosed(
            f"The image {place.name} is not there, or cannot be read.", _UNTOUCHED
        ) from None
    if place.name.lower().startswith("mfw"):
        raise GateClosed(f"{place.name} is modem firmware.", f"{_UNTOUCHED} {MODEM_FIRMWARE}")
    if raw[:2] == b"PK":
        raise GateClosed(
            f"{place.name} is an archive.",
            f"{_UNTOUCHED} Unpack it and take app_update.bin. {MODEM_FIRMWARE}",
        )
    return _from_hex(raw, place.name) if place.suffix.lower() == ".hex" else raw


def _from_hex(raw: bytes, name: str) -> bytes:
    try:
        records = IntelHex(io.StringIO(raw.decode("ascii")))
        return bytes(records.tobinarray())
    except (IntelHexError, UnicodeDecodeError, ValueError):
        raise GateClosed(f"{name} is not valid Intel HEX.", _UNTOUCHED) from None


def _digest(raw: bytes, end: int) -> bytes | None:
    """The SHA-256 in the trailer that begins at `end`; None where the trailer is not whole."""
    if end + 4 > len(raw):
        return None
    magic, total = struct.unpack_from("<HH", raw, end)
    if magic != TRAILER or end + total > len(raw):
        return None
    at = end + 4
    while at + 4 <= end + total:
        kind, length = struct.unpack_from("<HH", raw, at)
        if kind == SHA256 and length == hashlib.sha256().digest_size:
            return raw[at + 4 : at + 4 + length]
        at += 4 + length
    return None


def _no_image(name: str) -> GateClosed:
    return GateClosed(
        f"{name} is no image for MCUboot: its header is another.",
        f"{_UNTOUCHED} Take the signed application: app_update.bin or zephyr.signed.bin. Whole "
        "pictures of the flash (merged.hex) need a debug probe.",
    )


def _torn(name: str, why: str) -> GateClosed:
    return GateClosed(f"The image {name} is damaged: {why}.", f"{_UNTOUCHED} Fetch it again.")
