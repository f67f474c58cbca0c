"""An SB 2.1 file as the LPC55's ROM takes it: byte for byte as it comes, obeyed as far as it goes.

The rule: what the ROM cannot have seen yet it does not judge; it verifies the header and the
signature at the boot section, then decrypts and obeys the commands as they arrive. Layout: NXP's
SB 2.1 as its public tools write it.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from console.families.nitrokey3.simulator_rows import Version

HEADER, BLOCK, MAC = 96, 16, 32
KEY_BLOB = HEADER + MAC
TEST_KEK = bytes((0xAA,)) * 32
"""The SBKEK that the vendor provisions is no secret: the file's secrecy is not what protects."""
NITROKEY_RKTH = bytes.fromhex("050aad3e77791a81e59c5b2ba5a158937e9460ee325d8ccba09734b8fdebb171")
SIGNED_ENCRYPTED, HASHED = 0x0008, 0x8000


class Status(IntEnum):
    """Status codes of the ROM (NXP's public list)."""

    SUCCESS = 0
    FAIL = 1
    SECTION_OVERRUN = 10100
    SIGNATURE = 10101
    SECTION_LENGTH = 10102
    CHECKSUM = 10105
    CRC32 = 10106
    UNKNOWN_COMMAND = 10107
    DATA_UNDERRUN = 10109
    ROLLBACK = 10115
    SBKEK = 10118
    RANGE = 10200


class Tag(IntEnum):
    """SB commands; what is not here, no release contains."""

    NOP = 0
    SECTION = 1
    LOAD = 2
    FILL = 3
    ERASE = 7
    RESET = 8
    VERSION_CHECK = 0x0B


class _Refused(Exception):
    """The ROM stops here; the status is its only argument."""


@dataclass
class Flash:
    """What the commands change: the image area, and the versions it may not fall below.

    `image` is what was loaded at 0 (b"" once it is erased); `complete` says it is all there.
    """

    image: bytes = b""
    complete: bool = True
    counter: int = 0


@dataclass(frozen=True)
class Root:
    """What is fused into the chip."""

    rkth: bytes = NITROKEY_RKTH
    kek: bytes = TEST_KEK


@dataclass
class _Section:
    """Where in the file the commands lie, and under which MACs."""

    start: int
    count: int
    macs: tuple[bytes, ...]

    @property
    def end(self) -> int:
        return self.start + self.count * BLOCK

    def covered(self, number: int) -> tuple[int, int]:
        """From and to of what that MAC covers; the last one takes the rest."""
        size = self.count // len(self.macs) * BLOCK
        first = self.start + number * size
        return first, self.end if number == len(self.macs) - 1 else first + size


@dataclass
class Stream:
    """One file on its way in. feed() it; `refused` is the ROM's verdict once it has one."""

    flash: Flash
    total: int
    root: Root = field(default_factory=Root)
    refused: int = 0
    received: bytearray = field(default_factory=bytearray)
    erases: int = 0
    """How often an erase command was obeyed: each takes its time."""
    version: Version | None = None
    _boot: int = 0
    _keys: tuple[bytes, bytes] = (b"", b"")
    _section: _Section | None = None
    _plain: bytearray = field(default_factory=bytearray)
    _macs_checked: int = 0
    _loaded: int = 0
    _written: bool = False
    _cipher: CipherContext | None = None

    @property
    def pause_point(self) -> int:
        """The offset of the boot section, 0 while the header is not all there."""
        return self._boot

    def feed(self, data: bytes) -> None:
        """More of the file. What is behind the announced length, or a refusal, is dropped."""
        if self.refused:
            return
        self.received += data[: self.total - len(self.received)]
        try:
            self._judge()
        except _Refused as refused:
            self.refused = int(refused.args[0])

    def finish(self) -> int:
        """The final status. Only now is what was loaded whole: all sent is not done."""
        if self.refused:
            return self.refused
        whole = self._section is not None and len(self.received) >= self._section.end
        if not whole or self._loaded != len(self._plain):
            self.refused = Status.DATA_UNDERRUN
        elif self._written:
            self.flash.complete = True
        return self.refused

    # --- as it comes ----------------------------------------------------------------------

    def _judge(self) -> None:
        if not self._boot and len(self.received) >= HEADER:
            self._boot = self._header()
        if self._boot and not self._keys[0] and len(self.received) >= self._boot:
            self._authenticate()
        if self._keys[0] and self._section is None:
            self._section = self._open_section()
        if self._section is not None:
            self._decrypt(self._section)
            self._obey()

    def _header(self) -> int:
        """Checks the header; the offset of the boot section."""
        head = bytes(self.received[:HEADER])
        major, minor, flags = struct.unpack_from("<BBH", head, 24)
        blocks, boot = (int(each) for each in struct.unpack_from("<II", head, 28))
        if head[20:24] != b"STMP" or head[52:56] != b"sgtl" or (major, minor) != (2, 1):
            raise _Refused(Status.FAIL)
        if not flags & SIGNED_ENCRYPTED:
            raise _Refused(Status.SIGNATURE)
        if blocks * BLOCK > self.total or not HEADER < boot * BLOCK < blocks * BLOCK:
            raise _Refused(Status.SECTION_LENGTH)
        self.version = Version(*(_bcd(head[at : at + 2]) for at in (64, 68, 72)))
        return boot * BLOCK

    def _authenticate(self) -> None:
        head = bytes(self.received[: self._boot])
        if not is_signed(head, self.root.rkth):
            raise _Refused(Status.SIGNATURE)
        try:
            keys = aes_key_unwrap(self.root.kek, head[KEY_BLOB : KEY_BLOB + 72])
        except InvalidUnwrap:
            raise _Refused(Status.SBKEK) from None
        self._keys = (keys[:32], keys[32:])

    def _open_section(self) -> _Section | None:
        """The tag of the boot section and its MACs, once they are all there."""
        mac_key = self._keys[1]
        at = self._boot
        if len(self.received) < at + BLOCK + MAC:
            return None
        sealed = bytes(self.received[at : at + BLOCK])
        tag = self._decrypted(sealed, at // BLOCK)
        _, kind, _, _, count, macs = struct.unpack("<BBHIII", tag)
        table = bytes(self.received[at + BLOCK : at + BLOCK + MAC * (macs + 1)])
        if _mac(mac_key, sealed) != table[:MAC]:
            raise _Refused(Status.SIGNATURE)
        if kind != Tag.SECTION or not macs or tag[0] != checksum(tag):
            raise _Refused(Status.CHECKSUM)
        if len(table) < MAC * (macs + 1):
            return None
        if _mac(mac_key, table) != bytes(self.received[HEADER : HEADER + MAC]):
            raise _Refused(Status.SIGNATURE)
        found = tuple(table[MAC * n : MAC * (n + 1)] for n in range(1, macs + 1))
        section = _Section(at + BLOCK + len(table), count, found)
        if section.end > self.total:
            raise _Refused(Status.SECTION_OVERRUN)
        return section

    def _decrypt(self, section: _Section) -> None:
        """Whole blocks that came in since; each MAC as soon as what it covers is there."""
        start = section.start + len(self._plain)
        end = min(len(self.received), section.end)
        end -= (end - section.start) % BLOCK
        if end > start:
            sealed = bytes(self.received[start:end])
            self._plain += self._decrypted(sealed, start // BLOCK)
        while self._macs_checked < len(section.macs):
            first, last = section.covered(self._macs_checked)
            if last > end:
                return
            if _mac(self._keys[1], self.received[first:last]) != section.macs[self._macs_checked]:
                self.flash.complete = False
                raise _Refused(Status.SIGNATURE)
            self._macs_checked += 1

    def _decrypted(self, sealed: bytes, index: int) -> bytes:
        """AES-CTR; the counter is the last word of the nonce plus the block's own number."""
        nonce = bytes(self.received[:16])
        first = int.from_bytes(nonce[12:], "little") + index
        blocks = (
            nonce[:12] + struct.pack("<I", (first + n) & 0xFFFF_FFFF)
            for n in range(len(sealed) // BLOCK)
        )
        # the word counts little end first, so the library's own counter cannot run on
        if self._cipher is None:
            self._cipher = Cipher(algorithms.AES(self._keys[0]), modes.ECB()).encryptor()  # noqa: S305
        mask = self._cipher.update(b"".join(blocks))
        return (int.from_bytes(sealed, "big") ^ int.from_bytes(mask, "big")).to_bytes(
            len(sealed), "big"
        )

    # --- commands -------------------------------------------------------------------------

    def _obey(self) -> None:
        """Every command that is whole, in order."""
        while self._loaded + BLOCK <= len(self._plain):
            command = bytes(self._plain[self._loaded : self._loaded + BLOCK])
            if command[0] != checksum(command):
                raise _Refused(Status.CHECKSUM)
            tag, address, count, data = _command(command)
            padded = -(-count // BLOCK) * BLOCK if tag == Tag.LOAD else 0
            body = self._loaded + BLOCK
            if len(self._plain) < body + padded:
                return
            self._one(tag, address, count, data, bytes(self._plain[body : body + padded]))
            self._loaded += BLOCK + padded

    def _one(self, tag: int, address: int, count: int, data: int, body: bytes) -> None:
        match tag:
            case Tag.NOP | Tag.RESET:
                pass
            case Tag.VERSION_CHECK:
                if count < self.flash.counter:
                    raise _Refused(Status.ROLLBACK)
            case Tag.ERASE:
                self.flash.image, self.flash.complete = b"", False
                self.erases += 1
            case Tag.LOAD if address != 0:
                raise _Refused(Status.RANGE)
            case Tag.LOAD:
                # the sum covers the padding too
                if crc32_mpeg2(body) != data:
                    raise _Refused(Status.CRC32)
                self.flash.image, self._written = body[:count], True
            case _:
                raise _Refused(Status.UNKNOWN_COMMAND)


def is_signed(head: bytes, rkth: bytes) -> bool:
    """Is everything ahead of the boot section signed by a root of that table?

    The table's hash, the root certificate's place in it, the chain and the RSA signature: all of
    it, as a chip does that was fused with `rkth`.
    """
    try:
        return _is_signed(head, rkth)
    except (ValueError, struct.error, InvalidSignature):
        return False


def _is_signed(head: bytes, rkth: bytes) -> bool:
    start, flags = struct.unpack_from("<I", head, 40)[0], struct.unpack_from("<H", head, 26)[0]
    magic, _, length, _, _, _, count, table = struct.unpack_from("<4sIIIIIII", head, start)
    if magic != b"cert" or length != 32:
        return False
    chain, at = [], start + length
    for _ in range(count):
        size = struct.unpack_from("<I", head, at)[0]
        chain.append(_certificate(head[at + 4 : at + 4 + size]))
        at += 4 + size
    hashes = head[start + length + table : start + length + table + 128]
    if hashlib.sha256(hashes).digest() != rkth or _key_hash(_rsa(chain[0])) not in _each(hashes):
        return False
    chain[0].verify_directly_issued_by(chain[0])
    for issuer, issued in pairwise(chain):
        _rsa(issuer).verify(
            issued.signature,
            issued.tbs_certificate_bytes,
            PKCS1v15(),
            issued.signature_hash_algorithm or SHA256(),
        )
    signer = _rsa(chain[-1])
    size = signer.key_size // 8
    ends = -(-(start + length + table + 128) // BLOCK) * BLOCK + (MAC if flags & HASHED else 0)
    signer.verify(head[ends : ends + size], head[:ends], PKCS1v15(), SHA256())
    return True


def _certificate(padded: bytes) -> x509.Certificate:
    """The DER's own length says where the padding begins."""
    size = 4 + int.from_bytes(padded[2:4], "big") if padded[1:2] == b"\x82" else len(padded)
    return x509.load_der_x509_certificate(padded[:size])


def _rsa(certificate: x509.Certificate) -> RSAPublicKey:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


def _key_hash(key: RSAPublicKey) -> bytes:
    numbers = key.public_numbers()
    parts = (numbers.n, numbers.e)
    return hashlib.sha256(
        b"".join(part.to_bytes(-(-part.bit_length() // 8), "big") for part in parts)
    ).digest()


def _each(hashes: bytes) -> tuple[bytes, ...]:
    return tuple(hashes[at : at + 32] for at in range(0, 128, 32))


def _mac(key: bytes, data: bytes | bytearray) -> bytes:
    return hmac.new(key, data, "sha256").digest()


def _bcd(two: bytes) -> int:
    """Version numbers are binary-coded decimals, the big end first."""
    digits = two.hex()
    if not digits.isdecimal():
        raise _Refused(Status.FAIL)
    return int(digits)


def _command(raw: bytes) -> tuple[int, int, int, int]:
    """Tag, address, count, data."""
    _, tag, _, address, count, data = struct.unpack("<BBHIII", raw)
    return tag, address, count, data


def checksum(command: bytes) -> int:
    """Of a command's header: 0x5A and all bytes but the first."""
    return (0x5A + sum(command[1:BLOCK])) & 0xFF


def crc32_mpeg2(data: bytes) -> int:
    """CRC-32/MPEG-2: polynomial 04C11DB7, neither reflected nor inverted at the end."""
    # The common CRC-32 is the same polynomial with every byte and the sum mirrored, and inverted.
    mirrored = zlib.crc32(data.translate(_MIRRORED)) ^ 0xFFFF_FFFF
    return int(f"{mirrored:032b}"[::-1], 2)


_MIRRORED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))
