"""Images made for tests, with throw-away keys: whole, and wrong in one point.

The rule: written from the formats' descriptions, not with the code that reads them.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import struct
import zipfile
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.x509.oid import NameOID

NONCE = bytes(range(16))
DEK, MAC_KEY = b"\x11" * 32, b"\x22" * 32


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def root() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made-up root")])
    when = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(
        name, name, rsa_key().public_key(), 1, when, when.replace(year=2036)
    )
    return made.sign(rsa_key(), SHA256()).public_bytes(serialization.Encoding.DER)


def root_hash() -> bytes:
    numbers = rsa_key().public_key().public_numbers()
    return hashlib.sha256(numbers.n.to_bytes(256, "big") + numbers.e.to_bytes(3, "big")).digest()


def rkth() -> bytes:
    """What a chip that takes these files has in its fuses."""
    return hashlib.sha256(root_hash() + bytes(96)).digest()


def sb2_file(
    *,
    version: tuple[int, int, int] = (1, 10, 3),
    counter: int | None = None,
    payload: bytes = b"image" * 100,
    table: bytes = b"",
    digest: bool = False,
    slots: int = 2,
    erases: tuple[int, int] = (0, 0x93000),
    commands: bytes = b"",
) -> bytes:
    """A signed SB2.1 file with version checks, an erase, `commands` and a load.

    `table` replaces its roots.
    """
    word = version[0] << 22 | version[1] << 6 | version[2] if counter is None else counter
    plain = order(11, 0, word) + order(11, 1, word) + order(7, *erases)
    plain += commands + load(payload)
    certificate = root() + bytes(-len(root()) % 4)
    roots = table or root_hash() + bytes(96)
    area = struct.pack("<I", len(certificate)) + certificate
    block = struct.pack("<4sHHIIIIII", b"cert", 1, 0, 32, 0, 1, 0, 1, len(area)) + area + roots
    block += bytes(-len(block) % 16)
    boot_at = 208 + len(block) + (32 if digest else 0) + 256
    section = _section(plain, boot_at // 16, slots)
    size = boot_at + len(section)
    header = _header(version, size, boot_at, digest)
    macs = section[16 : 16 + 32 * (slots + 1)]
    wrapped = aes_key_wrap(b"\xaa" * 32, DEK + MAC_KEY)
    signed = header + _mac(macs) + wrapped + bytes(80 - len(wrapped)) + block
    signed += hashlib.sha256(section).digest() if digest else b""
    return signed + rsa_key().sign(signed, PKCS1v15(), SHA256()) + section


def _header(version: tuple[int, int, int], size: int, boot_at: int, digest: bool) -> bytes:
    fields = b"".join(bytes.fromhex(f"{number:04d}") + b"\0\0" for number in version)
    return (
        NONCE
        + bytes(4)
        + b"STMP\x02\x01"
        + struct.pack("<H", 0x8008 if digest else 0x0008)
        + struct.pack("<IIII", size // 16, boot_at // 16, 0, 208)
        + struct.pack("<HHHH", 6, 8, 5, 1)
        + b"sgtl"
        + struct.pack("<Q", 0)
        + fields * 2
        + struct.pack("<I", 7)
        + bytes(4)
    )


def order(tag: int, address: int, count: int, data: int = 0, flags: int = 0) -> bytes:
    rest = struct.pack("<BHIII", tag, flags, address, count, data)
    return bytes(((0x5A + sum(rest)) & 0xFF,)) + rest


def load(payload: bytes, address: int = 0) -> bytes:
    padded = payload + bytes(-len(payload) % 16)
    return order(2, address, len(payload), crc32_mpeg2(padded)) + padded


def crc32_mpeg2(data: bytes) -> int:
    """What a load command carries: polynomial 04C11DB7, nothing mirrored, nothing inverted."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc & 0x8000_0000 else 0)) & 0xFFFF_FFFF
    return crc


def _mac(data: bytes) -> bytes:
    return hmac.digest(MAC_KEY, data, "sha256")


def _section(plain: bytes, index: int, slots: int) -> bytes:
    blocks = len(plain) // 16
    tag = _encrypted(order(1, 0, blocks, slots), index)
    area = _encrypted(plain, index + 1 + 2 * (slots + 1))
    each = blocks // slots * 16
    pieces = [area[at * each : (at + 1) * each] for at in range(slots - 1)]
    macs = [_mac(piece) for piece in (tag, *pieces, area[(slots - 1) * each :])]
    return tag + b"".join(macs) + area


def _encrypted(plain: bytes, index: int) -> bytes:
    first = int.from_bytes(NONCE[12:], "little") + index
    out = b""
    for at in range(0, len(plain), 16):
        nonce = NONCE[:12] + (first + at // 16).to_bytes(4, "little")
        out += Cipher(AES(DEK), CTR(nonce)).encryptor().update(plain[at : at + 16])
    return out


# --- nRF52 --------------------------------------------------------------------------------


def point() -> tuple[int, int]:
    """What a bootloader that takes these packages checks them with."""
    numbers = ec_key().public_key().public_numbers()
    return numbers.x, numbers.y


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def nested(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def init_packet(
    image: bytes,
    *,
    version: tuple[int, int, int] = (1, 10, 3),
    hardware: int = 52,
    kind: int = 0,
    digest: bytes | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    word = version[0] << 22 | version[1] << 6 | version[2]
    digest = hashlib.sha256(image).digest() if digest is None else digest
    inner = (
        number(1, word)
        + number(2, hardware)
        + nested(3, varint(0))
        + number(4, kind)
        + number(7, len(image))
        + nested(8, number(1, 3) + nested(2, digest[::-1]))
    )
    r, s = decode_dss_signature((key or ec_key()).sign(inner, ec.ECDSA(SHA256())))
    signature = r.to_bytes(32, "little") + s.to_bytes(32, "little")
    command = number(1, 1) + nested(2, inner)
    return nested(2, nested(1, command) + number(2, 0) + nested(3, signature))


def nrf_package(image: bytes = b"nrf image" * 500, *, init: bytes = b"", **facts) -> bytes:
    files = {
        "manifest.json": json.dumps(
            {"manifest": {"application": {"bin_file": "a.bin", "dat_file": "a.dat"}}}
        ).encode(),
        "a.bin": image,
        "a.dat": init or init_packet(image, **facts),
    }
    return zipped(files)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def release(
    *,
    product: str = "Nitrokey 3",
    version: str = "v1.10.3",
    sums: dict[str, str] | None = None,
    **images: bytes,
) -> bytes:
    """A release container; `images` by chip; `sums` replaces digests by name."""
    names = {chip: f"firmware-{chip}" for chip in images}
    manifest = json.dumps({"device": product, "version": version, "images": names}).encode()
    files = {"manifest.json": manifest, **{names[chip]: data for chip, data in images.items()}}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} | (
        sums or {}
    )
    listed = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    return zipped({**files, "sha256sums": listed.encode()})
