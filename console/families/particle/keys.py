"""What the two key slots of a Spark Core can hold, new keys, and the serial from a device id.

The rule: pure. Bytes are described, never refused; no private byte gets into a sentence, an
error or a repr.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

KEY_BITS = 1024
SERVER_BITS = 2048
LENGTHS = range(608, 611)
"""Bytes of an RSA-1024 private key as PKCS#1 DER; a few keys come out shorter."""
_PKCS1 = re.compile(rb"\x30\x82\x02[\x50-\x5f]\x02\x01\x00\x02\x81\x81\x00")
_PKCS8 = re.compile(rb"\x30\x82..\x02\x01\x00\x30\x0d", re.DOTALL)
_SERVER = re.compile(rb"\x30\x82\x01\x22\x30\x0d")
_PERIODS = (1, 2, 4, 8, 16)
_DEVICE_ID = re.compile(r"[0-9a-f]{24}")


class Content(StrEnum):
    """What lies in a slot."""

    VALID = "valid"
    BLANK = "blank"
    PATTERN = "pattern"
    PKCS8 = "wrong format"
    TRUNCATED = "truncated"
    GARBAGE = "garbage"


@dataclass(frozen=True)
class Finding:
    """What lies in a slot, as a sentence; `key` is the PKCS#1 or SPKI DER if there is one."""

    content: Content
    sentence: str
    key: bytes = field(default=b"", repr=False)


def is_blank(data: bytes) -> bool:
    """Erased flash reads FF."""
    return data == b"\xff" * len(data)


def pattern_of(data: bytes) -> bytes:
    """The shortest run of bytes that `data` repeats from end to end; empty if it does not."""
    for period in _PERIODS:
        run = data[:period]
        if len(data) >= 2 * period and data == (run * (len(data) // period + 1))[: len(data)]:
            return run
    return b""


def private_slot(slot: bytes) -> Finding:
    """What a private-key slot holds."""
    if is_blank(slot):
        return Finding(Content.BLANK, "The private-key slot is blank (FF): there is no key in it.")
    run = pattern_of(slot)
    if run:
        return Finding(
            Content.PATTERN,
            f"The private-key slot repeats {run.hex(' ').upper()} from end to end: no key.",
        )
    if _PKCS8.match(slot):
        return _pkcs8(slot)
    return _pkcs1(slot)


def _pkcs8(slot: bytes) -> Finding:
    """OpenSSL 3 writes `rsa -outform DER` in this format; the Core's firmware cannot read it."""
    key = _rsa(slot[: _total(slot)])
    if key is None:
        return _broken(slot)
    return Finding(
        Content.PKCS8,
        "The private key is good but was written as PKCS#8, which the firmware cannot read.",
        _pkcs1_of(key),
    )


def _pkcs1(slot: bytes) -> Finding:
    der = slot[: _total(slot)]
    key = _rsa(der)
    if key is None:
        return _broken(slot)
    if key.key_size != KEY_BITS:
        return Finding(
            Content.GARBAGE,
            f"The private-key slot holds an RSA-{key.key_size} key; the firmware needs RSA-1024.",
        )
    return Finding(Content.VALID, "The private-key slot holds a valid RSA-1024 key.", der)


def _broken(slot: bytes) -> Finding:
    total = _total(slot)
    if not total:
        return Finding(
            Content.GARBAGE, "The private-key slot holds bytes that are no key in any format."
        )
    tail = slot[max(0, total - 16) : total]
    if total > len(slot) or is_blank(tail) or not any(tail):
        return Finding(
            Content.TRUNCATED,
            f"The private-key slot holds the beginning of a key of {total} bytes; the rest of it "
            "is missing.",
        )
    return Finding(
        Content.GARBAGE,
        "The private-key slot begins like a key, but its numbers do not fit together.",
    )


def _total(der: bytes) -> int:
    """The length that a DER SEQUENCE of 256 bytes or more announces, head included; 0: none."""
    return 4 + int.from_bytes(der[2:4], "big") if der[:2] == b"\x30\x82" else 0


def _rsa(der: bytes) -> rsa.RSAPrivateKey | None:
    """The RSA private key, its numbers checked against each other; None if it is not one."""
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPrivateKey) else None


def _pkcs1_of(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def new_private_key() -> bytes:
    """A new RSA-1024 private key as PKCS#1 DER, in the length that the tools of the field know."""
    while True:
        der = _pkcs1_of(rsa.generate_private_key(65537, KEY_BITS))
        if len(der) in LENGTHS and _PKCS1.match(der):
            return der


def fits(der: bytes, slot_size: int) -> bool:
    """Is this PKCS#1 DER of an RSA-1024 key, whole, and no longer than the slot?"""
    return bool(_PKCS1.match(der)) and _total(der) == len(der) <= slot_size


def public_pem(private_der: bytes) -> bytes:
    """The public half as PEM (SPKI), the form in which it is registered."""
    key = _rsa(private_der)
    if key is None:
        raise ValueError("not an RSA private key")
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def server_slot(slot: bytes) -> Finding:
    """What the slot of the server's public key holds."""
    if is_blank(slot):
        return Finding(Content.BLANK, "The server-key slot is blank (FF): there is no key in it.")
    run = pattern_of(slot)
    if run:
        return Finding(
            Content.PATTERN,
            f"The server-key slot repeats {run.hex(' ').upper()} from end to end: no key.",
        )
    der = slot[: _total(slot)]
    if _SERVER.match(der) and _is_server_key(der):
        return Finding(Content.VALID, "The server-key slot holds a valid RSA-2048 key.", der)
    return Finding(
        Content.GARBAGE, "The server-key slot holds bytes that are not an RSA-2048 public key."
    )


def _is_server_key(der: bytes) -> bool:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, rsa.RSAPublicKey) and key.key_size == SERVER_BITS


def device_id(text: str) -> str:
    """The 24 hex digits of a device id, small; "" if the text is none."""
    plain = re.sub(r"[\s:-]", "", text).lower()
    return plain if _DEVICE_ID.fullmatch(plain) else ""


def serial_of(identity: str) -> str:
    """The USB serial of the Core with this device id: two sums of its three LE words."""
    raw = bytes.fromhex(identity)
    a, b, c = (int.from_bytes(raw[at : at + 4], "little") for at in (0, 4, 8))
    return f"{(a + c) & 0xFFFFFFFF:08X}{b >> 16:04X}"
