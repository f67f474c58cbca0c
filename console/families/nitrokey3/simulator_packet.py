"""The init packet of an nRF52 update, read as the bootloader reads it (nRF5 SDK, dfu-cc.proto).

The rule: a protobuf message is only taken apart; what is signed are its bytes as they came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
INIT = 1
APPLICATION = 0
SHA_256 = 3
ECDSA_P256 = 0
BOOT_ECDSA = 3

Fields = dict[int, list[int | bytes]]


@dataclass(frozen=True)
class InitPacket:
    """What the bootloader looks at. `signed` is None where the packet carries no signature."""

    command: bytes
    """The InitCommand: what is signed."""
    signed: bytes | None
    signature_type: int
    version: int | None
    hardware: int | None
    softdevices: tuple[int, ...]
    kind: int
    size: int
    hash_type: int
    digest: bytes
    boot: tuple[tuple[int, bytes], ...] = field(default=())
    """(type, bytes) of each boot validation."""


def read_packet(raw: bytes) -> InitPacket:
    """Raises ValueError for what is no init packet."""
    top = fields(raw)
    signed = _message(top, 2)
    outer = fields(signed) if signed is not None else None
    command = _message(outer, 1) if outer is not None else _message(top, 1)
    if command is None:
        raise ValueError("no command")
    inside = fields(command)
    init = _message(inside, 2)
    if _number(inside, 1) != INIT or init is None:
        raise ValueError("not an init command")
    return _init(init, outer, fields(init))


def _init(command: bytes, outer: Fields | None, told: Fields) -> InitPacket:
    digest = fields(_message(told, 8) or b"")
    validations = (fields(each) for each in told.get(10, []) if isinstance(each, bytes))
    return InitPacket(
        command=command,
        signed=None if outer is None else _message(outer, 3) or b"",
        signature_type=_number(outer or {}, 2) or 0,
        version=_number(told, 1),
        hardware=_number(told, 2),
        softdevices=_packed(told, 3),
        kind=_number(told, 4) or 0,
        size=_number(told, 7) or 0,
        hash_type=_number(digest, 1) or 0,
        digest=_message(digest, 2) or b"",
        boot=tuple((_number(each, 1) or 0, _message(each, 2) or b"") for each in validations),
    )


def fields(raw: bytes) -> Fields:
    """Every field of a message by its number. Raises ValueError where it ends in a field."""
    found: Fields = {}
    rest = iter(raw)
    while (key := next(rest, None)) is not None:
        number, kind = divmod(_varint(key, rest), 8)
        found.setdefault(number, []).append(_value(kind, rest))
    return found


def _value(kind: int, rest: Iterator[int]) -> int | bytes:
    if kind == VARINT:
        return _varint(_byte(rest), rest)
    if kind == BYTES:
        return bytes(_byte(rest) for _ in range(_varint(_byte(rest), rest)))
    if kind in (FIXED32, FIXED64):
        return bytes(_byte(rest) for _ in range(4 if kind == FIXED32 else 8))
    raise ValueError("no such wire type")


def _varint(first: int, rest: Iterator[int]) -> int:
    value, shift, byte = first & 0x7F, 7, first
    while byte & 0x80:
        byte = _byte(rest)
        value |= (byte & 0x7F) << shift
        shift += 7
    return value


def _byte(rest: Iterator[int]) -> int:
    byte = next(rest, None)
    if byte is None:
        raise ValueError("it ends too early")
    return byte


def _number(found: Fields, number: int) -> int | None:
    value = found.get(number, [None])[-1]
    if isinstance(value, bytes):
        raise ValueError("bytes where a number belongs")
    return value


def _message(found: Fields, number: int) -> bytes | None:
    value = found.get(number, [None])[-1]
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _packed(found: Fields, number: int) -> tuple[int, ...]:
    """A repeated number, packed or not."""
    values: list[int] = []
    for each in found.get(number, []):
        if isinstance(each, int):
            values.append(each)
            continue
        rest = iter(each)
        while (first := next(rest, None)) is not None:
            values.append(_varint(first, rest))
    return tuple(values)


def is_signed_by(point: str, signature: bytes, message: bytes) -> bool:
    """ECDSA P-256 with SHA-256; r and s have their little end first. `point` is x and y in hex."""
    if len(signature) != 64:
        return False
    x, y = int(point[:64], 16), int(point[64:], 16)
    r, s = (int.from_bytes(part, "little") for part in (signature[:32], signature[32:]))
    key = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    try:
        key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
