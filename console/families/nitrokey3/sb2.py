"""SB2.1 files: what can be known of an LPC55 image before a byte of it is sent.

The rule: pure, and every length is checked before it is used. The file is encrypted with a key
that is public (the vendor's KEK is 32 times AA), so what it will erase and load is read, too.
Layout: NXP, "SB 2.1 file format", as elftosb and SPSDK write it.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from console.errors import GateClosed
from console.families.nitrokey3.version import Version, of_bcd, of_word

BLOCK = 16
HEADER, MAC = 96, 32
KEY_BLOB, WRAPPED = 80, 72
CERTIFICATES = HEADER + MAC + KEY_BLOB
KEK = bytes((0xAA,)) * 32
SIGNED, HAS_DIGEST = 0x0008, 0x8000
ROOTS = 4
CERTIFICATE_HEADER = struct.Struct("<4sHHIIIIII")
COMMAND = struct.Struct("<BBHIII")
LOAD, FILL, ERASE, VERSION_CHECK = 2, 3, 7, 11
ERASE_ALL = 1 | 2
"""Flags of an erase: all of the flash, or that and the key unlocked; no address is told then."""
UNTOUCHED = "Nothing was sent to the device. Take the vendor's file, and copy it again."


@dataclass(frozen=True)
class Order:
    """One command of the encrypted section: erase, load, fill, or compare a version counter."""

    tag: int
    address: int
    count: int
    data: int
    flags: int = 0

    @property
    def area(self) -> range:
        return range(self.address, self.address + self.count)


@dataclass(frozen=True)
class Sb2:
    """What a whole and truly signed file says. Offsets and sizes are bytes.

    `root_keys_hash` is the RKTH of its table; that its root certificate is in that table, and
    that the signature is good, has been checked. `pause_at` is where the boot section begins.
    """

    size: int
    version: Version
    build: int
    pause_at: int
    root_keys_hash: bytes
    orders: tuple[Order, ...]

    @property
    def erases_all(self) -> bool:
        return any(order.tag == ERASE and order.flags & ERASE_ALL for order in self.orders)

    @property
    def erases(self) -> tuple[range, ...]:
        """By address; see `erases_all`."""
        return self._areas(ERASE)

    @property
    def writes(self) -> tuple[range, ...]:
        return self._areas(LOAD, FILL)

    def _areas(self, *tags: int) -> tuple[range, ...]:
        return tuple(order.area for order in self.orders if order.tag in tags and order.count)

    @property
    def least(self) -> Version | None:
        """The chip refuses it once it has run something newer than this (its secure counter)."""
        checks = (order for order in self.orders if order.tag == VERSION_CHECK)
        return next((of_word(order.count) for order in checks if order.address == 0), None)


def read(data: bytes) -> Sb2:
    """Check the file as a whole. Raises GateClosed with the reason."""
    header = _header(data)
    secret = _unwrapped(data)
    block = _certificates(data, header)
    _check_roots(block)
    _check_signature(data, header, block)
    return Sb2(
        size=len(data),
        version=header.version,
        build=header.build,
        pause_at=header.boot_at,
        root_keys_hash=hashlib.sha256(block.table).digest(),
        orders=tuple(_orders(data, header, secret)),
    )


# --- the header ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Header:
    nonce: bytes
    flags: int
    boot_at: int
    version: Version
    build: int


def _header(data: bytes) -> _Header:
    if len(data) < CERTIFICATES + CERTIFICATE_HEADER.size or data[20:24] != b"STMP":
        raise _bad("it is no SB2 file")
    if (data[24], data[25]) != (2, 1):
        raise _bad(f"it is of SB version {data[24]}.{data[25]}, these devices take 2.1")
    (flags,) = struct.unpack_from("<H", data, 26)
    blocks, boot_block, _, certificates = struct.unpack_from("<IIII", data, 28)
    if not flags & SIGNED:
        raise _bad("it is not signed")
    if blocks * BLOCK != len(data):
        raise _bad(f"it should have {blocks * BLOCK} bytes and has {len(data)}: it was cut")
    if certificates != CERTIFICATES or not CERTIFICATES < boot_block * BLOCK < len(data):
        raise _bad("its parts do not lie where they should")
    version = of_bcd(data[64:76])
    if version is None:
        raise _bad("its version is none")
    (build,) = struct.unpack_from("<I", data, 88)
    return _Header(data[:16], flags, boot_block * BLOCK, version, build)


@dataclass(frozen=True, repr=False)
class _Keys:
    data: bytes
    mac: bytes


def _unwrapped(data: bytes) -> _Keys:
    wrapped = data[HEADER + MAC : HEADER + MAC + WRAPPED]
    try:
        both = aes_key_unwrap(KEK, wrapped)
    except InvalidUnwrap:
        raise _bad("its key is not wrapped as for these devices") from None
    return _Keys(both[:32], both[32:])


# --- the certificates and the signature ---------------------------------------------------


@dataclass(frozen=True)
class _Certificates:
    chain: tuple[x509.Certificate, ...]
    table: bytes
    end: int


def _certificates(data: bytes, header: _Header) -> _Certificates:
    magic, _, _, size, _, _, _, count, table = CERTIFICATE_HEADER.unpack_from(data, CERTIFICATES)
    start = CERTIFICATES + CERTIFICATE_HEADER.size
    end = start + table + ROOTS * 32
    if magic != b"cert" or size != CERTIFICATE_HEADER.size or end > header.boot_at or not count:
        raise _bad("its certificates do not lie where they should")
    chain = tuple(_der(data, start, start + table, count))
    padded = end + -end % BLOCK
    return _Certificates(chain, data[end - ROOTS * 32 : end], padded)


def _der(data: bytes, at: int, end: int, count: int) -> Iterator[x509.Certificate]:
    for _ in range(count):
        (size,) = struct.unpack_from("<I", data, at)
        if size < 4 or at + 4 + size > end:
            raise _bad("a certificate of it is cut off")
        try:
            # It is padded to four bytes; its own outer length says where it ends.
            inner = data[at + 4 : at + 4 + size]
            yield x509.load_der_x509_certificate(inner[: _der_size(inner)])
        except (ValueError, x509.InvalidVersion):
            raise _bad("a certificate of it cannot be read") from None
        at += 4 + size


def _der_size(data: bytes) -> int:
    if len(data) < 4 or data[:2] != b"\x30\x82":
        raise _bad("a certificate of it cannot be read")
    return 4 + int.from_bytes(data[2:4], "big")


def _rsa(certificate: x509.Certificate) -> RSAPublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _bad("a key of it cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise _bad("a key of it is not RSA")
    return key


def _check_roots(block: _Certificates) -> None:
    """The root's own hash must be in the table: else any root could stand beside a copied table."""
    numbers = _rsa(block.chain[0]).public_numbers()
    raw = b"".join(
        number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.n, numbers.e)
    )
    listed = [block.table[at : at + 32] for at in range(0, ROOTS * 32, 32)]
    if hashlib.sha256(raw).digest() not in listed:
        raise _bad("its root certificate is not in its own table of roots: somebody put it there")


def _check_signature(data: bytes, header: _Header, block: _Certificates) -> None:
    try:
        for issuer, issued in zip(block.chain, block.chain[1:], strict=False):
            issued.verify_directly_issued_by(issuer)
        root = block.chain[0]
        root.verify_directly_issued_by(root)
        signer = _rsa(block.chain[-1])
        end = block.end + (32 if header.flags & HAS_DIGEST else 0)
        size = signer.key_size // 8
        signer.verify(data[end : end + size], data[:end], PKCS1v15(), SHA256())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        raise _bad("its signature is wrong: it was changed, or it is damaged") from None
    # The digest covers the whole boot section; without one, the MAC of its MACs is what is signed.
    if header.flags & HAS_DIGEST:
        found = hashlib.sha256(data[header.boot_at :]).digest()
        if not hmac.compare_digest(found, data[block.end : end]):
            raise _bad("its encrypted part is not the one that was signed")


# --- the encrypted section ----------------------------------------------------------------


def _orders(data: bytes, header: _Header, secret: _Keys) -> Iterator[Order]:
    start = header.boot_at
    tag = _decrypted(data[start : start + BLOCK], header, secret, start // BLOCK)
    _, _, _, _, blocks, slots = COMMAND.unpack(tag)
    commands = start + BLOCK + MAC * (slots + 1)
    if not slots or blocks < slots or commands + blocks * BLOCK > len(data):
        raise _bad("its encrypted part does not have the length that it says")
    area = data[commands : commands + blocks * BLOCK]
    _check_macs(data, start, slots, area, secret)
    plain = _decrypted(area, header, secret, start // BLOCK + 1 + 2 * (slots + 1))
    yield from _parsed(plain)


def _check_macs(data: bytes, start: int, slots: int, area: bytes, secret: _Keys) -> None:
    """The header has the MAC of the table; the table that of the tag, then one for each slot.

    Each slot covers as many blocks; the last one has the rest.
    """
    table = data[start + BLOCK : start + BLOCK + MAC * (slots + 1)]
    if not _is_mac(secret, table, data[HEADER : HEADER + MAC]):
        raise _bad("its encrypted part is not the one that was signed")
    each = len(area) // BLOCK // slots * BLOCK
    pieces = [area[at * each : (at + 1) * each] for at in range(slots - 1)]
    pieces = [data[start : start + BLOCK], *pieces, area[(slots - 1) * each :]]
    for at, piece in enumerate(pieces):
        if not _is_mac(secret, piece, table[at * MAC : (at + 1) * MAC]):
            raise _bad("its encrypted part was changed, or is damaged")


def _is_mac(secret: _Keys, data: bytes, mac: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(secret.mac, data, "sha256"), mac)


def _decrypted(data: bytes, header: _Header, secret: _Keys, index: int) -> bytes:
    """AES-CTR; the counter's low word is little-endian and counts the file's blocks."""
    first = int.from_bytes(header.nonce[12:], "little") + index
    counters = b"".join(
        header.nonce[:12] + (number & 0xFFFF_FFFF).to_bytes(4, "little")
        for number in range(first, first + -(-len(data) // BLOCK))
    )
    # The library's own counter is big-endian: ours go through the bare cipher, which is CTR.
    mask = Cipher(AES(secret.data), ECB()).encryptor().update(counters)[: len(data)]  # noqa: S305
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")
    return mixed.to_bytes(len(data), "big")


def _parsed(plain: bytes) -> Iterator[Order]:
    at = 0
    while at + BLOCK <= len(plain):
        checksum, tag, flags, address, count, data = COMMAND.unpack_from(plain, at)
        if checksum != (0x5A + sum(plain[at + 1 : at + BLOCK])) & 0xFF:
            raise _bad("a command of its encrypted part is damaged")
        yield Order(tag, address, count, data, flags)
        at += BLOCK + (count + -count % BLOCK if tag == LOAD else 0)


def _bad(why: str) -> GateClosed:
    return GateClosed(f"This file cannot be used: {why}.", UNTOUCHED)
