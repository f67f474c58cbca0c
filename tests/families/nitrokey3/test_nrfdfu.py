"""Secure DFU against bootloaders that are built otherwise than the vendor's of today.

The rule: a small model of its own, with other sizes and other manners than the shipped simulator.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import pytest

from console.errors import Garbled, GateClosed, Refused, Silent, Unplugged
from console.families.nitrokey3.nrfdfu import NoVersion, Op, SecureDfu
from console.families.nitrokey3.slip import Decoder, encode

INIT = bytes(range(1, 141))
IMAGE = bytes(number * 7 % 251 for number in range(10_000))
OK, INVALID, NOT_NOW, EXTENDED = b"\x01", b"\x03", b"\x08", b"\x0b"


@dataclass
class Bootloader:
    """A SerialLine with a bootloader behind it that keeps its own books."""

    largest: int = 1024
    mtu: int = 131
    room_for_init: int = 256
    knows_ping: bool = True
    init: bytes = b""
    accepted: bool = False
    held: bytes = b""
    executed: int = 0
    twice: bool = True
    """May an object be executed once more?"""
    spoilt: int = 0
    """So often the last execute says that the hash is wrong, and keeps all that it has."""
    damaged: int = 0
    """So many writes of the init packet arrive with a wrong byte."""
    firmware: tuple[int, int, int, int] = (1, 1 << 22 | 7 << 6 | 2, 0x1000, 400_000)
    words: bool = True
    """Its flash takes whole words alone."""
    slow: dict[int, float] = field(default_factory=dict)
    """Seconds until it answers that request, once."""
    now: float = 0.0
    asked: list[int] = field(default_factory=list)
    _kind: int = 0
    _said: list[bytes] = field(default_factory=list)
    _due: float = 0.0
    _frames: Decoder = field(default_factory=Decoder)

    def client(self) -> SecureDfu:
        made = SecureDfu(self, lambda: self.now)
        made.wake()
        made.prepare()
        return made

    # --- the line -------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            self.asked.append(frame[0])
            answer = self._answer(frame[0], frame[1:])
            if answer:
                self._due = self.now + self.slow.pop(frame[0], 0.0)
                self._said.append(encode(b"\x60" + frame[:1] + answer))

    def receive(self, timeout: float, most: int = 4096) -> bytes:
        if not self._said or self._due > self.now + timeout:
            self.now += timeout
            raise Silent("nothing", waited=timeout)
        self.now = max(self.now, self._due)
        return self._said.pop(0)

    def close(self) -> None: ...

    # --- what it does ---------------------------------------------------------------------

    def _answer(self, op: int, body: bytes) -> bytes:
        match op:
            case Op.PING:
                return OK + body if self.knows_ping else b"\x02"
            case Op.SET_RECEIPTS:
                return OK
            case Op.MTU:
                return OK + struct.pack("<H", self.mtu)
            case Op.FIRMWARE:
                return OK + struct.pack("<BIII", *self.firmware) if body == b"\1" else INVALID
            case Op.SELECT:
                self._kind = body[0]
                most = self.room_for_init if self._kind == 1 else self.largest
                return OK + struct.pack("<I", most) + self._progress()
            case Op.CRC:
                return OK + self._progress()
            case Op.CREATE:
                return self._create(*struct.unpack("<BI", body))
            case Op.WRITE:
                self._write(body)
                return b""
            case Op.EXECUTE:
                return self._execute()
        return b"\x02"

    def _progress(self) -> bytes:
        data = self.init if self._kind == 1 else self.held
        return struct.pack("<II", len(data), zlib.crc32(data))

    def _create(self, kind: int, size: int) -> bytes:
        self._kind = kind
        if kind == 1:
            self.init, self.held, self.executed, self.accepted = b"", b"", 0, False
            return OK
        if not self.accepted or self.executed + size > len(IMAGE) or size > self.largest:
            return NOT_NOW
        self.held = self.held[: self.executed]
        return OK

    def _write(self, data: bytes) -> None:
        if self._kind == 1:
            wrong, self.damaged = self.damaged > 0, max(0, self.damaged - 1)
            self.init += bytes((data[0] ^ 1,)) + data[1:] if wrong else data
        elif not self.words or not len(data) % 4:
            self.held += data

    def _execute(self) -> bytes:
        if self._kind == 1:
            if self.init != INIT:
                return NOT_NOW
            self.accepted = True
            return OK
        if self.executed == len(self.held) and not self.twice:
            return NOT_NOW
        self.executed = len(self.held)
        if self.executed == len(IMAGE) and self.spoilt:
            self.spoilt -= 1
            return EXTENDED + b"\x0c"
        return OK


def send(device: Bootloader) -> bool:
    client = device.client()
    client.offer_init(INIT)
    client.accept_init()
    client.send_image(IMAGE, lambda done, total: None)
    said = client.finish(IMAGE, lambda done, total: None)
    assert device.held == IMAGE
    assert device.executed == len(IMAGE)
    return said


@pytest.mark.parametrize("largest", [512, 1024, 4096, 8192, 65536])
@pytest.mark.parametrize("mtu", [23, 64, 131, 2051])
def test_sizes_are_the_devices_own(largest: int, mtu: int) -> None:
    """A piece is whole words and fits when each of its bytes is escaped."""
    assert send(Bootloader(largest=largest, mtu=mtu))


@pytest.mark.parametrize("mtu", [0, 3, 8])
def test_a_bootloader_that_takes_no_whole_word_is_none(mtu: int) -> None:
    with pytest.raises(Garbled):
        Bootloader(mtu=mtu).client()


def test_a_bootloader_that_knows_no_ping_is_awake() -> None:
    device = Bootloader(knows_ping=False)
    assert send(device)
    assert device.now < 1.0


ANYWHERE = [(held, held // 1024 * 1024) for held in (4, 512, 1000, 1024, 1028, 9216, 9220)]
UNEXECUTED = [(1024, 0), (9216, 8192), (10_000, 9216)]


@pytest.mark.parametrize("twice", [True, False])
@pytest.mark.parametrize(("held", "executed"), ANYWHERE + UNEXECUTED)
def test_it_goes_on_from_any_offset(held: int, executed: int, twice: bool) -> None:
    device = Bootloader(init=INIT, accepted=True, held=IMAGE[:held], executed=executed, twice=twice)
    assert send(device)
    assert 8 in device.asked or held == len(IMAGE)
    assert len([op for op in device.asked if op == Op.CREATE]) <= 10


def test_an_init_packet_that_it_held_and_does_not_execute_is_sent_anew() -> None:
    """A part of it, with the right CRC, in a bootloader that lost what it was for."""

    class Forgetful(Bootloader):
        def _execute(self) -> bytes:
            if self._kind == 1 and Op.CREATE not in self.asked:
                return NOT_NOW
            return super()._execute()

    device = Forgetful(init=INIT[:100])
    assert send(device)


def test_an_init_packet_that_arrives_damaged_is_sent_again() -> None:
    assert send(Bootloader(damaged=1))
    with pytest.raises(Garbled):
        send(Bootloader(damaged=9))


def test_an_init_packet_that_has_no_room_is_named_before_it_is_sent() -> None:
    device = Bootloader(room_for_init=128)
    with pytest.raises(GateClosed, match="takes init packets of 128 bytes"):
        device.client().offer_init(INIT)
    assert Op.CREATE not in device.asked


def test_a_copy_of_two_transfers_that_is_spoilt_is_sent_whole_once() -> None:
    """The CRC may be right for what it read, and the hash wrong for what it wrote."""
    device = Bootloader(init=INIT, accepted=True, held=IMAGE[:4096], executed=4096, spoilt=1)
    assert send(device)
    assert device.asked.count(Op.CREATE) == 1 + 6 + 10  # the init packet; the rest; all of it


@pytest.mark.parametrize(("spoilt", "begun"), [(1, b""), (2, IMAGE[:4096])])
def test_a_whole_copy_that_is_spoilt_is_said(spoilt: int, begun: bytes) -> None:
    device = Bootloader(init=INIT, accepted=True, held=begun, executed=len(begun), spoilt=spoilt)
    with pytest.raises(Refused, match="the copy on the key is damaged"):
        send(device)


def test_making_room_for_the_image_may_take_its_time() -> None:
    """108 pages of the old application, 85 ms each."""
    device = Bootloader(slow={Op.EXECUTE: 9.2})
    assert send(device)


def test_an_object_of_no_size_is_no_answer() -> None:
    with pytest.raises(Garbled):
        send(Bootloader(largest=0))


def test_a_version_without_an_application_is_none() -> None:
    """It keeps the number when it erases the application to make room."""
    assert str(Bootloader().client().holds()) == "v1.7.2"
    gone = (1, 1 << 22 | 7 << 6 | 2, 0x1000, 0)
    assert Bootloader(firmware=gone).client().holds() is NoVersion.NONE


def test_a_port_that_ends_with_the_last_execute_is_no_error() -> None:
    class Leaves(Bootloader):
        def _execute(self) -> bytes:
            answer = super()._execute()
            if self.executed == len(IMAGE):
                raise Unplugged("gone")
            return answer

    assert send(Leaves()) is False
