"""What a modem says of itself and of a key that it made: CBOR, signed as COSE_Sign1.

The rule: pure; what can be compared here is compared. Whether the identity key that signs belongs
to this very chip only its maker's cloud can tell, and nothing here says that it does.
Sources: RFC 9052, 4.2 (COSE_Sign1); RFC 8949, 3.4.6 (self-described CBOR); Nordic, nRF91 AT
Commands, %KEYGEN and %ATTESTTOKEN.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import uuid
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography import x509

from console.errors import Garbled

UNCHECKED = "Whether that is the chip's own identity only its maker's cloud can tell."


@dataclass(frozen=True)
class Request:
    """A certificate request as the modem gave it out, and what it claims about it.

    `claims` is None where no attestation came with it, or none that can be read here.
    """

    csr: x509.CertificateSigningRequest
    claims: Claims | None

    def __str__(self) -> str:
        own = "Request: signed by its own key"
        if self.claims is None:
            return f"{own}; no attestation that can be read here."
        return (
            f"{own}; the modem's attestation names its digest, the tag, and device "
            f"{self.claims.device}. {UNCHECKED}"
        )


@dataclass(frozen=True)
class Claims:
    """What the signed part says: which device, which tag, the digest of which content."""

    device: uuid.UUID
    tag: int
    digest: bytes


def request_of(answer: str, tag: int) -> Request:
    """The request in an answer "<base64url DER>.<base64url COSE>". Raises Garbled.

    Its own signature holds, and an attestation that came with it is of this request and tag.
    """
    first, _, second = answer.partition(".")
    try:
        der = _bytes_of(first)
        csr = x509.load_der_x509_csr(der)
        sound = csr.is_signature_valid
    except (ValueError, binascii.Error):
        sound = False
    if not sound:
        raise Garbled("The modem made a key, but its request cannot be read.", _AGAIN)
    claims = claims_of(second)
    if claims is not None and (claims.tag, claims.digest) != (tag, hashlib.sha256(der).digest()):
        raise Garbled("The modem made a key, but its attestation is of another request.", _AGAIN)
    return Request(csr, claims)


_AGAIN = "The key is there and nobody knows its public half: run rekey again."


def claims_of(signed: str) -> Claims | None:
    """What a COSE_Sign1 (base64url) of %KEYGEN claims; None where it cannot be read."""
    try:
        parts = _untagged(_loads(_bytes_of(signed)))
        message = _untagged(_loads(parts[2]))
        _, device, tag, digest = message[:4]
        number = _loads(tag) if isinstance(tag, bytes) else tag
        if not isinstance(number, int) or not isinstance(digest, bytes):
            return None
        return Claims(uuid.UUID(bytes=device), number, digest)
    except _UNREADABLE:
        return None


def device_in(token: str) -> uuid.UUID | None:
    """The device that an %ATTESTTOKEN ("<base64url CBOR>.<base64url COSE>") names."""
    try:
        message = _untagged(_loads(_bytes_of(token.partition(".")[0])))
        return uuid.UUID(bytes=message[1])
    except _UNREADABLE:
        return None


_UNREADABLE = (
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    binascii.Error,
    cbor2.CBORDecodeError,
    RecursionError,
)


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _loads(data: bytes) -> Any:
    return cbor2.CBORDecoder(io.BytesIO(data)).decode()


def _untagged(value: Any) -> Any:
    while isinstance(value, cbor2.CBORTag):
        value = value.value
    return value
