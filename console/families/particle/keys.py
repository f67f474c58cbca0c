"""What the two key slots of a device can hold, new keys, and the serial from a device id.

The rule: pure. Bytes are described, never refused; no private byte gets into a sentence, an
error or a repr.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
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
_SEC1 = re.compile(rb"\x30\x77\x02\x01\x01\x04\x20")
_PKCS8 = re.compile(rb"\x30(?:\x81.|\x82..)\x02\x01\x00\x30[\x0d\x13]", re.DOTALL)
_PERIODS = (1, 2, 4, 8, 16)
_DEVICE_ID = re.compile(r"[0-9a-f]{24}")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Form:
    """How a platform's firmware wants its keys: the private one, and the server's public one."""

    private: str
    server: str
    head: re.Pattern[bytes] = field(repr=False)
    suits: Callable[[object], bool] = field(repr=False)
    suits_server: Callable[[object], bool] = field(repr=False)
    make: Callable[[], PrivateKey] = field(repr=False)


def _is_rsa(key: object, kind: type, bits: int) -> bool:
    return isinstance(key, kind) and getattr(key, "key_size", 0) == bits


def _is_p256(key: object, kind: type) -> bool:
    return isinstance(key, kind) and isinstance(getattr(key, "curve", None), ec.SECP256R1)


RSA = Form(
    private="RSA-1024",
    server="RSA-2048",
    head=_PKCS1,
    suits=lambda key: _is_rsa(key, rsa.RSAPrivateKey, KEY_BITS),
    suits_server=lambda key: _is_rsa(key, rsa.RSAPublicKey, SERVER_BITS),
    make=lambda: rsa.generate_private_key(65537, KEY_BITS),  # all that its firmware can use
)
"""Devices that speak to the cloud over TCP (reference: PKCS#1 DER, SPKI DER)."""
EC = Form(
    private="EC P-256",
    server="EC P-256",
    head=_SEC1,
    suits=lambda key: _is_p256(key, ec.EllipticCurvePrivateKey),
    suits_server=lambda key: _is_p256(key, ec.EllipticCurvePublicKey),
    make=lambda: ec.generate_private_key(ec.SECP256R1()),
)
"""Devices that speak to the cloud over UDP (SEC1 DER, SPKI DER)."""


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
    """What lies in a slot, as a sentence; `key` is the DER that belongs there, if there is one.

    `spread` is the length of what was written, where that is not the length of the key.
    """

    content: Content
    sentence: str
    key: bytes = field(default=b"", repr=False)
    spread: int = 0


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


def private_slot(slot: bytes, form: Form = RSA, beyond: bytes = b"") -> Finding:
    """What a private-key slot holds; `beyond` is what follows it, where a long key may end."""
    if is_blank(slot):
        return Finding(Content.BLANK, "The private-key slot is blank (FF): there is no key in it.")
    run = pattern_of(slot)
    if run:
        return Finding(
            Content.PATTERN,
            f"The private-key slot repeats {run.hex(' ').upper()} from end to end: no key.",
        )
    if _PKCS8.match(slot):
        return _pkcs8(slot + beyond, form)
    return _plain(slot, form)


def _pkcs8(slot: bytes, form: Form) -> Finding:
    """OpenSSL 3 writes `-outform DER` in this format; the firmware cannot read it."""
    key = _private(slot[: _total(slot)])
    if key is None or not form.suits(key):
        return _broken(slot)
    return Finding(
        Content.PKCS8,
        "The private key is good but was written as PKCS#8, which the firmware cannot read.",
        _der_of(key),
        _total(slot),
    )


def _plain(slot: bytes, form: Form) -> Finding:
    der = slot[: _total(slot)]
    key = _private(der)
    if key is None:
        return _broken(slot)
    if not form.suits(key):
        kind = f"RSA-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else "EC"
        return Finding(
            Content.GARBAGE,
            f"The private-key slot holds an {kind} key; the firmware needs {form.private}.",
        )
    return Finding(Content.VALID, f"The private-key slot holds a valid {form.private} key.", der)


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
    """The length that a DER SEQUENCE announces, head included; 0: none."""
    if der[:1] != b"\x30" or len(der) < 4:
        return 0
    if der[1] < 0x80:
        return 2 + der[1]
    size = {0x81: 1, 0x82: 2}.get(der[1], 0)
    return 2 + size + int.from_bytes(der[2 : 2 + size], "big") if size else 0


def _private(der: bytes) -> PrivateKey | None:
    """The private key, its numbers checked against each other; None if it is not one."""
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, PrivateKey) else None


def _der_of(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def new_private_key(form: Form = RSA) -> bytes:
    """A new private key in the firmware's format and in the length that tools of the field know."""
    while True:
        der = _der_of(form.make())
        if form.head.match(der) and (form is not RSA or len(der) in LENGTHS):
            return der


def fits(der: bytes, slot_size: int, form: Form = RSA) -> bool:
    """Is this a key in the firmware's format, whole, and no longer than the slot?"""
    return bool(form.head.match(der)) and _total(der) == len(der) <= slot_size


def public_pem(private_der: bytes) -> bytes:
    """The public half as PEM (SPKI), the form in which it is registered."""
    key = _private(private_der)
    if key is None:
        raise ValueError("not a private key")
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def server_slot(slot: bytes, form: Form = RSA) -> Finding:
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
    if der and _is_server_key(der, form):
        return Finding(Content.VALID, f"The server-key slot holds a valid {form.server} key.", der)
    return Finding(
        Content.GARBAGE,
        f"The server-key slot holds bytes that are not an {form.server} public key.",
    )


def _is_server_key(der: bytes, form: Form) -> bool:
    try:
        return form.suits_server(load_der_public_key(der))
    except (ValueError, UnsupportedAlgorithm):
        return False


def device_id(text: str) -> str:
    """The 24 hex digits of a device id, small; "" if the text is none."""
    plain = re.sub(r"[\s:-]", "", text).lower()
    return plain if _DEVICE_ID.fullmatch(plain) else ""


def is_derived(text: str) -> bool:
    """Has it the form of serial_of()?"""
    return re.fullmatch(r"[0-9A-Fa-f]{12}", text) is not None


def serial_of(identity: str) -> str:
    """The USB serial of the Core with this device id: two sums of its three LE words."""
    raw = bytes.fromhex(identity)
    a, b, c = (int.from_bytes(raw[at : at + 4], "little") for at in (0, 4, 8))
    return f"{(a + c) & 0xFFFFFFFF:08X}{b >> 16:04X}"
