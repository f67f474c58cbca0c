"""The nRF52's bootloader: Nordic's Secure DFU, requests in and answers out.

The rule: flash is what survives a power loss (the application, an accepted init packet); all
progress of the data is RAM. Behaviour as of the nRF5 SDK's nrf_dfu_req_handler in the vendor's
configuration.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from console.families.nitrokey3.simulator_faults import DfuFaults, Times
from console.families.nitrokey3.simulator_keeping import as_bytes, as_text
from console.families.nitrokey3.simulator_packet import (
    APPLICATION,
    BOOT_ECDSA,
    ECDSA_P256,
    SHA_256,
    InitPacket,
    is_signed_by,
    read_packet,
)
from console.hardware.simulated import Hang, Pause

PAGE = 4096
REGION = (0x1000, 0xD8000)
HARDWARE = 52
ANSWER = 0x60
COMMAND_OBJECT, DATA_OBJECT = 1, 2


class Op(IntEnum):
    PROTOCOL = 0x00
    CREATE = 0x01
    RECEIPTS = 0x02
    CRC = 0x03
    EXECUTE = 0x04
    SELECT = 0x06
    MTU = 0x07
    WRITE = 0x08
    PING = 0x09
    HARDWARE_VERSION = 0x0A
    FIRMWARE_VERSION = 0x0B
    ABORT = 0x0C


class Result(IntEnum):
    OK = 0x01
    NOT_SUPPORTED = 0x02
    INVALID_PARAMETER = 0x03
    INSUFFICIENT_RESOURCES = 0x04
    INVALID_OBJECT = 0x05
    UNSUPPORTED_TYPE = 0x07
    NOT_PERMITTED = 0x08
    EXTENDED = 0x0B


class Extended(IntEnum):
    INIT_INVALID = 0x04
    VERSION = 0x05
    HARDWARE = 0x06
    SOFTDEVICE = 0x07
    UNSIGNED = 0x08
    HASH_TYPE = 0x09
    SIGNATURE_TYPE = 0x0B
    HASH = 0x0C
    NO_SPACE = 0x0D


class _Refused(Exception):
    """A result that is not OK, and what follows it, are its arguments."""


class Gone(StrEnum):
    """Why it has just left the bus."""

    NO = ""
    RESET = "reset"
    POWER = "power"


@dataclass
class Bank:
    """The application as it lies in flash, and the init packet that was accepted last."""

    image: bytes = b""
    valid: bool = True
    version: int = 0
    init: bytes = b""
    """b"" where none was accepted since the last whole update."""


@dataclass
class _Progress:
    """What a reset forgets."""

    current: int = COMMAND_OBJECT
    command_size: int = 0
    command: bytes = b""
    packet: InitPacket | None = None
    object_size: int = 0
    data: bytearray = field(default_factory=bytearray)
    crc: int = 0
    committed: int = 0
    committed_crc: int = 0
    receipts: int = 0
    writes: int = 0


@dataclass
class Counts:
    """What it was asked to do, for tests."""

    ops: list[int] = field(default_factory=list)
    longest_write: int = 0


class DfuBootloader:
    """request() takes one request and gives its answer, b"" where there is none.

    `received` is the last image as it was executed; `gone` says that it is leaving the bus.
    """

    def __init__(
        self, signer: str, bank: Bank, pause: Pause, times: Times, faults: DfuFaults
    ) -> None:
        self.bank = bank
        self.gone = Gone.NO
        self.counts = Counts()
        self.received = b""
        self._signer = signer
        self._pause = pause
        self._times = times
        self._faults = faults
        self._done: set[str] = set()
        self._lost: list[int] = list(faults.lost_answers)
        self._now = _Progress()

    def start(self) -> None:
        """It has got its power: the accepted init packet is there again, its data is not."""
        self.gone = Gone.NO
        init = self.bank.init
        self._now = _Progress(command=init, command_size=len(init))
        if init:
            self._now.packet = _packet(init)

    @property
    def offset(self) -> int:
        """Bytes of the image that are there, committed or not."""
        return len(self._now.data)

    def request(self, raw: bytes) -> bytes:
        """Raises Hang: it has lost its power on the way."""
        if self.gone or not raw:
            return b""
        op, rest = raw[0], raw[1:]
        self.counts.ops.append(op)
        try:
            answer = bytes((ANSWER, op, Result.OK)) + self._one(op, rest)
        except _Refused as refused:
            answer = bytes((ANSWER, op, *refused.args))
        if op == Op.WRITE:
            return self._receipt()
        if op in self._lost:
            self._lost.remove(op)
            return b""
        return b"" if self.gone and self._faults.vanishes else answer

    def _one(self, op: int, rest: bytes) -> bytes:
        try:
            return self._dispatch(op, rest)
        except (struct.error, IndexError):
            raise _Refused(Result.INVALID_PARAMETER) from None

    def _dispatch(self, op: int, rest: bytes) -> bytes:
        now = self._now
        match op:
            case Op.PROTOCOL:
                return b"\x01"
            case Op.CREATE:
                return self._create(*struct.unpack("<BI", rest))
            case Op.RECEIPTS:
                now.receipts, now.writes = struct.unpack("<H", rest)[0], 0
                return b""
            case Op.CRC:
                return struct.pack("<II", *self._offset_and_crc())
            case Op.EXECUTE:
                return self._execute()
            case Op.SELECT:
                return self._select(rest[0])
            case Op.MTU:
                return struct.pack("<H", self._faults.mtu)
            case Op.WRITE:
                return self._write(rest)
            case Op.PING:
                return rest[:1]
            case Op.HARDWARE_VERSION:
                return struct.pack("<IIIII", 0x52840, 0x41414430, 0x100000, 0x40000, PAGE)
            case Op.FIRMWARE_VERSION:
                return self._firmware(rest[0])
            case Op.ABORT:
                self.gone = Gone.RESET
                return b""
            case _:
                raise _Refused(Result.NOT_SUPPORTED)

    def _firmware(self, image: int) -> bytes:
        """Image 0 is the bootloader; with no SoftDevice the application is image 1."""
        start, end = REGION
        known = {
            0: (2, 1, end, 0x100000 - end - 0x2000),
            1: (1, self.bank.version, start, len(self.bank.image)),
        }
        return struct.pack("<BIII", *known.get(image, (0xFF, 0, 0, 0)))

    # --- objects --------------------------------------------------------------------------

    def _offset_and_crc(self) -> tuple[int, int]:
        now = self._now
        if now.current == COMMAND_OBJECT:
            return len(now.command), zlib.crc32(now.command)
        return len(now.data), now.crc

    def _select(self, kind: int) -> bytes:
        if kind not in (COMMAND_OBJECT, DATA_OBJECT):
            raise _Refused(Result.UNSUPPORTED_TYPE)
        self._now.current = kind
        most = self._faults.command_size if kind == COMMAND_OBJECT else PAGE
        return struct.pack("<III", most, *self._offset_and_crc())

    def _create(self, kind: int, size: int) -> bytes:
        match kind:
            case 1:
                self._create_command(size)
            case 2:
                self._create_data(size)
            case _:
                raise _Refused(Result.UNSUPPORTED_TYPE)
        return b""

    def _create_command(self, size: int) -> None:
        if size == 0:
            raise _Refused(Result.INVALID_PARAMETER)
        if size > self._faults.command_size:
            raise _Refused(Result.INSUFFICIENT_RESOURCES)
        self._now = _Progress(command_size=size, receipts=self._now.receipts)

    def _create_data(self, size: int) -> None:
        now = self._now
        if now.packet is None:
            raise _Refused(Result.NOT_PERMITTED)
        end = now.committed + size
        if size == 0 or (size % PAGE and end != now.packet.size):
            raise _Refused(Result.INVALID_PARAMETER)
        if size > PAGE:
            raise _Refused(Result.INSUFFICIENT_RESOURCES)
        if end > now.packet.size:
            raise _Refused(Result.NOT_PERMITTED)
        now.current, now.object_size = DATA_OBJECT, size
        del now.data[now.committed :]
        now.crc = now.committed_crc
        self._pause(self._times.nrf52_erase)

    def _write(self, data: bytes) -> bytes:
        """Never answered by itself."""
        now = self._now
        self.counts.longest_write = max(self.counts.longest_write, len(data))
        if now.current == COMMAND_OBJECT:
            if now.packet is not None or len(now.command) + len(data) > now.command_size:
                raise _Refused(Result.INVALID_PARAMETER)
            now.command += data
            return b""
        if now.packet is None:
            raise _Refused(Result.NOT_PERMITTED)
        at = len(now.data)
        if at + len(data) - now.committed > now.object_size:
            raise _Refused(Result.INVALID_PARAMETER)
        self._take(at, data)
        return b""

    def _take(self, at: int, data: bytes) -> None:
        faults, now = self._faults, self._now
        self._pause(self._times.nrf52_write * len(data) / PAGE)
        if self._hits("left", faults.leaves_at, at, len(data)):
            self.gone = Gone.POWER
            raise Hang
        if self._hits("dropped", faults.dropped_at, at, len(data)):
            return  # the flash queue was full
        if self._hits("flipped", faults.flipped_at, at, len(data)):
            wrong = (faults.flipped_at or 0) - at
            data = data[:wrong] + bytes((data[wrong] ^ 0x10,)) + data[wrong + 1 :]
        now.data += data
        now.crc = zlib.crc32(data, now.crc)

    def _hits(self, name: str, offset: int | None, at: int, count: int) -> bool:
        """Is this the write that covers the byte, for the first time?"""
        if offset is None or name in self._done or not at <= offset < at + count:
            return False
        self._done.add(name)
        return True

    def _receipt(self) -> bytes:
        now = self._now
        now.writes += 1
        if not now.receipts or now.writes % now.receipts:
            return b""
        told = struct.pack("<II", *self._offset_and_crc())
        return bytes((ANSWER, Op.CRC, Result.OK)) + told

    # --- execute --------------------------------------------------------------------------

    def _execute(self) -> bytes:
        if self._now.current == COMMAND_OBJECT:
            self._execute_command()
        else:
            self._execute_data()
        return b""

    def _execute_command(self) -> None:
        now = self._now
        if len(now.command) != now.command_size:
            raise _Refused(Result.NOT_PERMITTED)
        if now.packet is not None:
            return  # accepted already: what was transferred is kept
        try:
            packet = self._judged(now.command)
        except _Refused:
            self._now = _Progress(receipts=now.receipts)
            raise
        now.packet = packet
        self.bank.init = now.command
        start, end = REGION
        if _pages(len(self.bank.image)) + _pages(packet.size) > end - start:
            self.bank.image, self.bank.valid = b"", False

    def _judged(self, raw: bytes) -> InitPacket:
        """The packet, if the device takes it: the order of the checks is nrf_dfu_validation's."""
        packet = _packet(raw)
        if packet is None:
            raise _Refused(Result.INVALID_OBJECT)
        if self._faults.extended:
            raise _Refused(Result.EXTENDED, self._faults.extended)
        if packet.signed is None:
            raise _Refused(Result.EXTENDED, Extended.UNSIGNED)
        if packet.signature_type != ECDSA_P256:
            raise _Refused(Result.EXTENDED, Extended.SIGNATURE_TYPE)
        if not is_signed_by(self._signer, packet.signed, packet.command):
            raise _Refused(Result.INVALID_OBJECT)
        problem = self._problem(packet)
        if problem is not None:
            raise _Refused(Result.EXTENDED, problem)
        if packet.size == 0:
            raise _Refused(Result.INVALID_PARAMETER)
        if _pages(packet.size) > REGION[1] - REGION[0]:
            raise _Refused(Result.INSUFFICIENT_RESOURCES)
        return packet

    def _problem(self, packet: InitPacket) -> Extended | None:
        if packet.kind != APPLICATION or packet.hardware is None or packet.version is None:
            return Extended.INIT_INVALID
        if packet.hash_type != SHA_256 or len(packet.digest) != 32:
            return Extended.HASH_TYPE
        if packet.hardware != HARDWARE:
            return Extended.HARDWARE
        if 0 not in packet.softdevices:
            return Extended.SOFTDEVICE
        if packet.version < self.bank.version:
            return Extended.VERSION
        return None

    def _execute_data(self) -> None:
        now = self._now
        if now.packet is None or len(now.data) - now.committed != now.object_size:
            raise _Refused(Result.NOT_PERMITTED)
        now.committed, now.committed_crc, now.object_size = len(now.data), now.crc, 0
        if now.committed == now.packet.size:
            self._activate(now.packet)

    def _activate(self, packet: InitPacket) -> None:
        delay = self._faults.final_delay
        self._pause(self._times.nrf52_final if delay is None else delay)
        image = bytes(self._now.data)
        try:
            self._validated(packet, image)
        except _Refused:
            self.bank.init = b""
            self._now = _Progress(receipts=self._now.receipts)
            raise
        assert packet.version is not None
        self.received = image
        self.bank.image, self.bank.valid, self.bank.version = image, True, packet.version
        self.bank.init = b""
        self.gone = Gone.RESET

    def _validated(self, packet: InitPacket, image: bytes) -> None:
        spoilt = self._faults.bad_image and "spoilt" not in self._done
        self._done.add("spoilt")
        if spoilt or hashlib.sha256(image).digest()[::-1] != packet.digest:
            raise _Refused(Result.EXTENDED, Extended.HASH)
        for kind, signature in packet.boot:
            if kind == BOOT_ECDSA and not is_signed_by(self._signer, signature, image):
                raise _Refused(Result.INVALID_OBJECT)

    # --- keeping --------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        now, bank = self._now, self.bank
        return {
            "image": as_text(bank.image),
            "valid": bank.valid,
            "version": bank.version,
            "init": bank.init.hex(),
            "done": sorted(self._done),
            "lost": self._lost,
            "received": as_text(self.received),
            "current": now.current,
            "command_size": now.command_size,
            "command": now.command.hex(),
            "accepted": now.packet is not None,
            "object_size": now.object_size,
            "data": as_text(bytes(now.data)),
            "committed": now.committed,
            "receipts": [now.receipts, now.writes],
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        bank = self.bank
        bank.image, bank.init = as_bytes(frozen["image"]), bytes.fromhex(frozen["init"])
        bank.valid, bank.version = bool(frozen["valid"]), int(frozen["version"])
        self._done, self._lost = set(frozen["done"]), list(frozen["lost"])
        self.received, self.gone = as_bytes(frozen["received"]), Gone.NO
        data, command = as_bytes(frozen["data"]), bytes.fromhex(frozen["command"])
        committed = int(frozen["committed"])
        self._now = _Progress(
            current=int(frozen["current"]),
            command_size=int(frozen["command_size"]),
            command=command,
            packet=_packet(command) if frozen["accepted"] else None,
            object_size=int(frozen["object_size"]),
            data=bytearray(data),
            crc=zlib.crc32(data),
            committed=committed,
            committed_crc=zlib.crc32(data[:committed]),
            receipts=int(frozen["receipts"][0]),
            writes=int(frozen["receipts"][1]),
        )


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _packet(raw: bytes) -> InitPacket | None:
    try:
        return read_packet(raw)
    except ValueError:
        return None
