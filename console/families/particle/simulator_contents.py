"""What is stored in a simulated device: firmware that looks plausible, and keys that are keys.

The rule: made up for practice. No byte here comes from a real unit, no private key is kept in
the source, and each simulated unit makes its own.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from console.families.particle.simulator_flash import (
    EXTERNAL_BASE,
    INTERNAL_BASE,
    ChosenMemories,
    Flash,
    Memories,
    Sectors,
    Store,
)

INTERNAL_SIZE = 128 * 1024
EXTERNAL_SIZE = 2 * 1024 * 1024
BOOTLOADER_SIZE = 20 * 1024
SERVER_SLOT = 0x1000
PRIVATE_SLOT = 0x2000
FACTORY_IMAGE = 0x2_0000
SLOT_SIZE = 4096

SERVER_KEY = base64.b64decode(
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqUwvNrBcycxEDKZnKN6xJCwZTfXhKJw1"
    "mgXGLX32DtnyyUq7GApO//+jVvRkxLBgua/6EzNp6EUIQwE5Tw4lS+imUl2trtJvw4h57WTpyX9T"
    "FS6BbZtxxRLbQdnXyo2awNwAo5EtE+MiBYwd6X6YpR/Sqg4AkCzIl1JHd2Ips/V7n8kaS2kA+J19"
    "C9nAz25VDDuy7uHcLrClvud4T+QiPB6Fgh0s6K1NFrmwni4QNtuNdkQX3SX3sh0r3I02IZ6VQsMx"
    "pcr4Nsv5ZeZtlvnpEP6ZbGpxFuIstO4UWsQJOJT/5EUoDIH+7NBwLsOeBrql1wtkVm4+qYao6yma"
    "Jcr99wIDAQAB"
)
"""A public RSA-2048 key made for practice (SPKI DER); its private half was never kept."""
SERVER_NAME = b"device.spark.io"
SERVER_NAME_AT = 384
SERVER_PORT_AT = 450


class Slot(StrEnum):
    """What a key slot can hold when a Core comes to the bench."""

    VALID = "valid"
    BLANK = "blank"
    ZEROS = "zeros"
    NOISE = "noise"
    PKCS8 = "pkcs8"
    TRUNCATED = "truncated"


def core_serial(device_id: str) -> str:
    """The serial a Core's bootloader shows: derived from its id, not the id itself."""
    first, second, third = struct.unpack("<III", bytes.fromhex(device_id))
    return f"{(first + third) & 0xFFFF_FFFF:08X}{second >> 16:04X}"


def healthy_memories(
    device_id: str, private: Slot = Slot.VALID, server: Slot = Slot.VALID, firmware: bool = True
) -> Memories:
    """Both memories of a Core that works, but for what the arguments say."""
    internal = Flash(INTERNAL_BASE, 1024, _blank(INTERNAL_SIZE), locked=BOOTLOADER_SIZE)
    external = Flash(EXTERNAL_BASE, 4096, _blank(EXTERNAL_SIZE))
    _place(internal, 0, _image(f"bootloader {device_id}", INTERNAL_BASE, 6 * 1024))
    image = _image("tinker", INTERNAL_BASE + BOOTLOADER_SIZE, 12 * 1024)
    if firmware:
        _place(internal, BOOTLOADER_SIZE, image)
    _place(external, FACTORY_IMAGE, image)
    _place(external, SERVER_SLOT, _spoilt(server, server_block(), device_id))
    _place(external, PRIVATE_SLOT, _private_slot(private, device_id))
    return Memories(internal, external)


def server_block() -> bytes:
    """The server slot up to its port: key, address type 1 (a name), port (big-endian)."""
    block = SERVER_KEY.ljust(SERVER_NAME_AT, b"\xff")
    block += bytes((1, len(SERVER_NAME))) + SERVER_NAME
    return block.ljust(SERVER_PORT_AT, b"\xff") + struct.pack(">H", 0xFFFF)


def private_key(form: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> bytes:
    """A new RSA-1024 key in DER: all that a Core's firmware can use, weak as it is."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    return key.private_bytes(Encoding.DER, form, NoEncryption())


def _private_slot(slot: Slot, device_id: str) -> bytes:
    if slot is Slot.PKCS8:
        return private_key(PrivateFormat.PKCS8)
    return _spoilt(slot, private_key(), device_id)


def _spoilt(slot: Slot, content: bytes, seed: str) -> bytes:
    match slot:
        case Slot.BLANK:
            return b""
        case Slot.ZEROS:
            return bytes(SLOT_SIZE)
        case Slot.NOISE:
            return _noise(f"slot {seed}", SLOT_SIZE)
        case Slot.TRUNCATED:
            return content[: len(content) // 2]
        case _:
            return content


@dataclass(frozen=True)
class Settings:
    """Where a later generation keeps what (device-os, dct.h), and what its firmware is.

    `udp` devices have EC keys, the others RSA; `sectors` are the pages of the internal flash.
    """

    number: int
    udp: bool
    base: int
    sectors: tuple[int, ...]
    locked: int
    application: int
    factory: int | None = None


STORE_SIZE = 16 * 1024
PUBLIC_KEY, CLAIM_CODE = 1250, 1762
TCP_KEY, TCP_SERVER, UDP_KEY, UDP_SERVER = 34, 2082, 3106, 3298


def later_memories(
    settings: Settings,
    device_id: str,
    private: Slot = Slot.VALID,
    server: Slot = Slot.VALID,
) -> ChosenMemories:
    """Internal flash and settings store of a later generation that works, but for the slots."""
    size = sum(settings.sectors)
    internal = Sectors(settings.base, 0, _blank(size), settings.locked, sizes=settings.sectors)
    store = Store(0, STORE_SIZE, _blank(STORE_SIZE))
    module = _module("tinker", settings.application, settings.number, 5 * 1024)
    _place(internal, settings.application - settings.base, module)
    if settings.factory is not None:
        _place(internal, settings.factory - settings.base, module)
    # What a key must never run into: the neighbours keep their own bytes.
    _place(store, PUBLIC_KEY, _noise(f"public {device_id}", 162))
    _place(store, CLAIM_CODE, _noise(f"claim {device_id}", 63))
    key = _later_key(settings.udp, private)
    block = _udp_block() if settings.udp else server_block()
    _place(store, UDP_KEY if settings.udp else TCP_KEY, _spoilt(private, key, device_id)[:1216])
    _place(store, UDP_SERVER if settings.udp else TCP_SERVER, _spoilt(server, block, device_id))
    return ChosenMemories(internal, store)


def _later_key(udp: bool, slot: Slot) -> bytes:
    form = PrivateFormat.PKCS8 if slot is Slot.PKCS8 else PrivateFormat.TraditionalOpenSSL
    if not udp:
        return private_key(form)
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, form, NoEncryption())


def _udp_block() -> bytes:
    """The server slot of a UDP device; the key is made up on the spot, like its private half."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    block = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).ljust(192, b"\xff")
    name = b"udp.particle.io"
    block += bytes((1, len(name))) + name
    return block.ljust(258, b"\xff") + struct.pack(">H", 0xFFFF)


def _module(name: str, start: int, number: int, size: int) -> bytes:
    """A user part: head, body, and the CRC-32 of both, big-endian (device-os, module_info.h)."""
    head = struct.pack("<IIBBHHBB", start, start + size, 0, 0, 1, number, 5, 1)
    body = head + _noise(name, size - len(head))
    return body + struct.pack(">I", zlib.crc32(body))


def _image(name: str, start: int, size: int) -> bytes:
    """A Cortex-M3 image: stack top, reset vector and handlers inside it, then its body."""
    reset = start + 0x101
    vectors = struct.pack("<II", 0x2000_5000, reset) + struct.pack("<I", reset + 8) * 74
    return vectors + _noise(name, size - len(vectors))


def _noise(seed: str, size: int) -> bytes:
    """Bytes without a pattern, the same each time."""
    return hashlib.shake_256(seed.encode()).digest(size)


def _blank(size: int) -> bytearray:
    return bytearray(b"\xff") * size


def _place(flash: Flash, at: int, content: bytes) -> None:
    flash.cells[at : at + len(content)] = content
