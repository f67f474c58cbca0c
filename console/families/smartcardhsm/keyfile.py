"""A wrapped key in a file, with its description and certificate, as sc-hsm-tool writes it.

The rule: pure; every byte that a file brought is kept as it was. DER: 30 { 04 blob, the
description as it stands in C4xx, the certificate or request as it stands in CExx } (reference 2.5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from console.errors import Garbled, GateClosed
from console.families.smartcardhsm.blob import Blob
from console.families.smartcardhsm.description import Description, is_description
from console.protocols import tlv

SEQUENCE, OCTETS = 0x30, 0x04
CERTIFICATES = (0x30, 0x67, 0x7F21)
"""X.509, an authenticated request, a card verifiable certificate."""


@dataclass(frozen=True)
class KeyFile:
    """A backup of one key. `about` and `certificate` are b"" where the file has none."""

    name: str
    blob: Blob
    about: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)

    @classmethod
    def parse(cls, name: str, data: bytes) -> KeyFile:
        """Raises GateClosed if it is cut, or none."""
        try:
            tag, start, length = tlv.header(data)
            parts = list(_parts(data[start : start + length]))
        except Garbled:
            raise _torn(name) from None
        if tag != SEQUENCE or start + length > len(data) or not parts or parts[0][0] != OCTETS:
            raise _torn(name)
        blob = Blob.parse(parts[0][1], name)
        about = certificate = b""
        for kind, _, raw in parts[1:]:
            if not about and not certificate and is_description(raw):
                about = raw
            elif not certificate and kind in CERTIFICATES:
                certificate = raw
        return cls(name, blob, about, certificate)

    def encode(self) -> bytes:
        """The bytes of the file."""
        wrapped = tlv.encode(OCTETS, self.blob.raw)
        return tlv.encode(SEQUENCE, wrapped, self.about, self.certificate)

    @property
    def label(self) -> str:
        """The key's label, or the file's name."""
        return (Description.parse(self.about).label if self.about else "") or self.name

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.encode()).hexdigest()


def _parts(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(tag, value, the object as it was written) of each object."""
    while data:
        tag, start, length = tlv.header(data)
        if start + length > len(data):
            raise Garbled("An object in the file is cut off.")
        yield tag, data[start : start + length], data[: start + length]
        data = data[start + length :]


def _torn(name: str) -> GateClosed:
    return GateClosed(
        f"{name} is cut off, or is no wrapped key of a SmartCard-HSM.",
        "Nothing was sent to the card. Copy the backup again from where it was kept.",
    )
