"""The simulated MCUboot serial recovery, held to boot_serial. The packets are put together here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from dataclasses import replace

import cbor2
import pytest

from console.families.nrf91.simulator import Mode
from console.families.nrf91.simulator_image import build, judged
from console.families.nrf91.simulator_rows import (
    FULL,
    OLDEST,
    PLAIN,
    SILENT,
    TRACKER,
    Faults,
    Times,
)
from console.hardware.simulated import Away, Hang, interfaces_of
from tests.families.nrf91.modem_wire import Wire

READ, WRITE, V2 = 0, 2, 8
OK, INVALID, NO_ENTRY, NOT_SUPPORTED = 0, 3, 5, 8
IMAGE = build("at_client", (1, 5, 2), 9_001)


class Host:
    """A host of SMP on one unit's first port, the unit in one of its bootloaders."""

    def __init__(self, press: str = "bootloader", **options) -> None:
        self.wire = Wire(**options)
        self.wire.port = 0
        self.wire.cycle(press)
        self.sequence = 0

    def packet(self, operation: int, group: int, command: int, body: object) -> bytes:
        self.sequence = (self.sequence + 1) % 256
        raw = cbor2.dumps(body)
        head = struct.pack(">BBHHBB", operation, 0, len(raw), group, self.sequence, command)
        return head + raw

    def lines(self, message: bytes, width: int = 120) -> bytes:
        body = message + binascii.crc_hqx(message, 0).to_bytes(2)
        text = base64.b64encode(len(body).to_bytes(2) + body)
        pieces = [text[at : at + width] for at in range(0, len(text), width)]
        return b"".join(
            (b"\x06\x09" if not number else b"\x04\x14") + piece + b"\n"
            for number, piece in enumerate(pieces)
        )

    def hear(self, asks: int = 200) -> tuple[bytes, object] | None:
        """Header and map of one answer; its lines are as boot_serial writes them."""
        heard = b""
        for _ in range(asks):
            heard += self.wire.listen(1)
            if heard.endswith(b"\n"):
                break
        if not heard:
            return None
        lines = heard.splitlines()
        assert lines[0].startswith(b"\x06\x09")
        assert all(line.startswith(b"\x04\x14") for line in lines[1:])
        assert max(map(len, lines)) <= 126
        whole = base64.b64decode(b"".join(line[2:] for line in lines), validate=True)
        assert int.from_bytes(whole[:2]) == len(whole) - 2
        assert binascii.crc_hqx(whole[2:], 0) == 0
        header, body = whole[2:10], whole[10:-2]
        assert int.from_bytes(header[2:4]) == len(body)
        assert header[6] == self.sequence
        return header, cbor2.loads(body)

    def ask(self, operation: int, group: int, command: int, **body: object):
        self.wire.send(self.lines(self.packet(operation, group, command, body)))
        answer = self.hear()
        assert answer is not None
        assert answer[0][0] == operation + 1
        return answer[1]

    def chunk(self, offset: int, data: bytes, **more: object):
        return self.ask(WRITE, 1, 1, off=offset, data=data, **more)

    def upload(self, image: bytes, size: int = 256, start: int = 0) -> int:
        """As a patient host does; how many chunks it took."""
        offset, chunks = start, 0
        while offset < len(image):
            more = {"len": len(image), "image": 0} if offset == 0 else {}
            answer = self.chunk(offset, image[offset : offset + size], **more)
            assert answer["rc"] == OK
            offset, chunks = answer["off"], chunks + 1
        return chunks

    @property
    def slot(self) -> bytes:
        return bytes(self.wire.unit.bootloader.cells)


# --- two bootloaders ------------------------------------------------------------------------


def test_the_nrf91s_bootloader_speaks_through_the_bridge():
    """SW3 held: the ids stay, the first port talks SMP, the second is silent, AT is gone."""
    host = Host(application=TRACKER)
    told = host.wire.unit.descriptors()
    assert (host.wire.unit.mode, told.device[8:12].hex()) == (Mode.RECOVERY, "15190a91")
    assert host.ask(READ, 1, 0)["images"][0]["version"] == "1.4.0"
    for port in (0, 1):
        host.wire.send(b"AT\r\n", port)
        assert host.wire.listen(20, port) == b""


def test_the_bridges_own_bootloader_has_its_own_ids_and_one_port():
    """SW4 held: 1915:520F, MCUBOOT; its image is not the modem's application."""
    host = Host("bridge")
    told = host.wire.unit.descriptors()
    assert (told.device[8:12].hex(), told.strings[2]) == ("15190f52", "MCUBOOT")
    assert len(interfaces_of(told.configuration)) == 2
    assert host.ask(READ, 1, 0)["images"][0]["version"] == "2.0.1"
    before = host.slot
    host.upload(IMAGE)
    assert host.slot == before
    assert host.wire.unit.bridge.image.application == "at_client"


def test_a_press_takes_the_unit_off_the_bus_for_a_while():
    """And the switch alone starts the application again."""
    wire = Wire()
    for word, mode in (("bootloader", Mode.RECOVERY), ("reset", Mode.APPLICATION)):
        wire.unit.press(word)
        assert wire.unit.away == Away(5.0)
        wire.unit.power_on()
        assert (wire.unit.mode, wire.unit.away) == (mode, None)


def test_a_reset_over_smp_starts_the_nrf91_alone():
    """The bridge stays on USB; the application boots with its noise, and AT is back."""
    host = Host()
    assert host.ask(WRITE, 0, 5) == {"rc": OK}
    assert host.wire.unit.away is None
    assert "AT host sample" in host.wire.boot()
    assert host.wire.ask("AT") == ["OK"]


def test_a_reset_happens_also_when_nobody_reads_any_more():
    """With the next byte that comes."""
    host = Host()
    host.ask(WRITE, 0, 5)
    host.wire.send(b"AT\r")
    assert host.wire.unit.mode is Mode.APPLICATION


def test_a_reset_of_the_bridge_leaves_the_bus():
    """And it is back with the application's ids."""
    host = Host("bridge")
    assert host.ask(WRITE, 0, 5) == {"rc": OK}
    host.wire.listen(1)
    assert host.wire.unit.away == Away(2.5)
    host.wire.unit.power_on()
    assert host.wire.unit.descriptors().device[10:12].hex() == "0a91"


# --- packets --------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [4, 60, 124])
def test_a_packet_may_come_in_any_number_of_lines(width):
    """And in any number of bytes at a time."""
    host = Host()
    lines = host.lines(host.packet(WRITE, 0, 0, {"d": "hello " * 20}), width)
    for byte in lines:
        host.wire.send(bytes((byte,)))
    answer = host.hear()
    assert answer is not None
    assert answer[1] == {"r": "hello " * 20}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines.replace(b"\x06\x09", b"\x06\x08"),
        lambda lines: lines[:10] + b"!" + lines[11:],
        lambda lines: lines[:-3] + b"\n",
        lambda lines: lines[:8] + bytes((lines[8] ^ 1,)) + lines[9:],
        lambda lines: lines.replace(b"\n", b"A" * 128 + b"\n"),
        lambda lines: b"AT\r\n",
    ],
    ids=["start", "base64", "cut", "CRC", "long line", "no SMP"],
)
def test_what_is_no_packet_is_not_answered(spoil):
    """And the next one is."""
    host = Host()
    host.wire.send(spoil(host.lines(host.packet(READ, 1, 0, {}))))
    assert host.hear(20) is None
    assert "images" in host.ask(READ, 1, 0)


def test_a_packet_larger_than_its_buffer_is_not_answered():
    """512 bytes decoded."""
    host = Host()
    host.wire.send(host.lines(host.packet(WRITE, 0, 0, {"d": "x" * 600})))
    assert host.hear(20) is None


def test_packets_of_version_2_are_answered_as_such_or_not_at_all():
    """Older bootloaders did not know the bits and took them for another operation."""
    assert Host().ask(READ | V2, 1, 0)["images"]
    host = Host(recovery=OLDEST)
    host.wire.send(host.lines(host.packet(READ | V2, 1, 0, {})))
    assert host.hear(20) is None
    assert host.ask(READ, 1, 0)["images"] == [{"slot": 0, "version": "1.4.0"}]


def test_maps_are_of_indefinite_length_as_zcbor_writes_them():
    """A decoder that wants the short form only would fail on the device."""
    host = Host()
    host.wire.send(host.lines(host.packet(WRITE, 0, 1, {})))
    said = host.wire.listen(3)
    assert base64.b64decode(said[2:])[10:].startswith(b"\xbfbrc\x00\xff")


def test_what_it_was_built_with_is_what_it_can():
    """The rest is rc 8; the parameters only where they are built in."""
    full, plain = Host(), Host(recovery=PLAIN)
    assert full.ask(READ, 1, 6)["images"][0]["slots"][0]["size"] == FULL.slot
    assert full.ask(WRITE, 0, 0, d="x") == {"r": "x"}
    assert full.ask(WRITE, 0, 0, d=1) == {"rc": INVALID}
    for group, command in ((1, 6), (0, 0), (0, 6), (1, 5), (8, 0)):
        assert plain.ask(READ, group, command) == {"rc": NOT_SUPPORTED}
    assert plain.ask(WRITE, 1, 0, confirm=True) == {"rc": NOT_SUPPORTED}
    told = Host(recovery=replace(FULL, parameters=True)).ask(READ, 0, 6)
    assert told == {"buf_size": 512, "buf_count": 1}


# --- upload ---------------------------------------------------------------------------------


def test_an_image_is_uploaded_confirmed_started():
    """Byte for byte; the digest that is listed is that of header and body, not of the file."""
    host = Host(application=SILENT)
    host.upload(IMAGE)
    assert host.slot[: len(IMAGE)] == IMAGE
    assert set(host.slot[len(IMAGE) :]) == {0xFF}
    (told,) = host.ask(READ, 1, 0)["images"]
    digest = hashlib.sha256(IMAGE[: 512 + 9_001]).digest()
    assert (told["hash"], told["version"], told["bootable"]) == (digest, "1.5.2", True)
    assert host.ask(WRITE, 1, 0, hash=digest, confirm=True)["images"][0]["confirmed"]
    host.ask(WRITE, 0, 5)
    host.wire.boot()
    assert host.wire.ask("AT") == ["OK"]


def test_the_first_chunk_erases_the_whole_slot_and_takes_its_time():
    """Seconds, while nothing is answered."""
    host = Host()
    before = host.wire.passed
    first = host.lines(host.packet(WRITE, 1, 1, {"off": 0, "data": b"abcd", "len": 100}))
    host.wire.send(first)
    assert host.hear(20) is None
    assert host.hear() is not None
    assert host.wire.passed - before == pytest.approx(Times().erase + Times().flash, abs=0.06)
    assert host.slot[:4] == b"abcd"
    assert set(host.slot[4:]) == {0xFF}


def test_a_chunk_that_does_not_follow_is_answered_with_the_place_it_should():
    """No error: rc 0 and the offset; nothing is written."""
    host = Host()
    assert host.chunk(0, IMAGE[:256], len=len(IMAGE)) == {"rc": OK, "off": 256}
    assert host.chunk(512, IMAGE[512:768]) == {"rc": OK, "off": 256}
    assert host.chunk(128, IMAGE[128:256]) == {"rc": OK, "off": 256}
    host.upload(IMAGE, start=256)
    assert host.slot[: len(IMAGE)] == IMAGE


def test_only_whole_words_are_written_but_at_the_end():
    """The odd bytes are asked for again."""
    host = Host()
    assert host.chunk(0, IMAGE[:255], len=len(IMAGE)) == {"rc": OK, "off": 252}
    host.upload(IMAGE, size=99, start=252)
    assert host.slot[: len(IMAGE)] == IMAGE
    assert len(IMAGE) % 4


@pytest.mark.parametrize(
    ("body", "rc"),
    [
        ({"data": b"x", "len": 9}, INVALID),
        ({"off": 0, "len": 9}, INVALID),
        ({"off": 0, "data": b"x"}, INVALID),
        ({"off": 0, "data": b"x", "len": FULL.slot + 1}, INVALID),
        ({"off": 0, "data": b"x", "len": 9, "image": 1}, INVALID),
        ({"off": 0, "data": b"x", "len": 9, "image": 2}, NO_ENTRY),
        ({"off": 0, "data": b"abcdefghijkl", "len": 8}, INVALID),
    ],
)
def test_an_upload_that_cannot_be_meant_is_refused(body, rc):
    """Without an offset, data, a length that fits; for another image."""
    host = Host()
    assert host.ask(WRITE, 1, 1, **body) == {"rc": rc}


def test_a_digest_that_is_sent_along_is_not_looked_at():
    """The last rc 0 proves no more than that bytes were taken."""
    host = Host()
    host.chunk(0, IMAGE[:256], len=len(IMAGE), sha=bytes(32), upgrade=True)
    host.upload(IMAGE, start=256)
    assert len(host.ask(READ, 1, 0)["images"]) == 1


@pytest.mark.parametrize(
    "image",
    [
        IMAGE[:-1] + bytes((IMAGE[-1] ^ 1,)),
        IMAGE[:600] + b"!" + IMAGE[601:],
        build("at_client", (1, 0, 0), 5_000, signer="somebody else"),
        b"no image at all " * 100,
    ],
    ids=["signature", "body", "foreign", "none"],
)
def test_an_image_that_may_not_be_started_is_taken_and_not_listed(image):
    """All bytes were accepted; after the reset both ports are silent."""
    host = Host()
    host.upload(image)
    assert host.slot[: len(image)] == image
    assert host.ask(READ, 1, 0) == {"images": []}
    assert host.ask(WRITE, 1, 0, confirm=True) == {"rc": NO_ENTRY}
    host.ask(WRITE, 0, 5)
    host.wire.listen(5)
    for port in (0, 1):
        host.wire.send(b"AT\r", port)
        assert host.wire.listen(20, port) == b""
    host.wire.cycle("bootloader")
    host.upload(IMAGE)
    assert host.ask(READ, 1, 0)["images"]


def test_the_state_can_be_set_of_the_image_that_is_there_only():
    """rc 5 for another, rc 3 for what is no digest or would be a trial."""
    host = Host()
    digest = judged(host.slot).digest
    assert host.ask(WRITE, 1, 0, hash=bytes(32), confirm=True) == {"rc": NO_ENTRY}
    assert host.ask(WRITE, 1, 0, hash=b"short", confirm=True) == {"rc": INVALID}
    assert host.ask(WRITE, 1, 0, hash=digest, confirm=False) == {"rc": INVALID}
    assert host.ask(WRITE, 1, 0, hash=digest, confirm=True)["images"][0]["hash"] == digest


# --- faults ---------------------------------------------------------------------------------


def test_the_cable_can_slip_in_an_upload_once():
    """What was written stays, the place is forgotten: offset 0 is asked for."""
    host = Host(faults=Faults(unplugged_at=3_000))
    with pytest.raises(Hang):
        host.upload(IMAGE)
    assert host.slot[:3_000] == IMAGE[:3_000]
    assert host.slot[3_000] == 0xFF
    host.wire.unit.power_on()
    assert host.wire.unit.mode is Mode.APPLICATION
    assert host.wire.unit.application is None
    host.wire.cycle("bootloader")
    assert host.ask(READ, 1, 0) == {"images": []}
    assert host.chunk(3_000, IMAGE[3_000:3_100])["off"] == 0
    host.upload(IMAGE)
    assert host.slot[: len(IMAGE)] == IMAGE


def test_on_its_battery_the_place_outlives_the_cable():
    """The same chunk again, and it goes on."""
    host = Host(faults=Faults(unplugged_at=3_000), on_battery=True)
    with pytest.raises(Hang):
        host.upload(IMAGE)
    host.wire.unit.power_on()
    place = host.chunk(9_999, b"????")["off"]
    assert 2_700 < place <= 3_000
    host.upload(IMAGE, start=place)
    assert host.slot[: len(IMAGE)] == IMAGE


def test_a_lost_answer_is_mended_by_the_same_chunk_again():
    """The device had done it: it names the next place."""
    host = Host(faults=Faults(loses_answer=2))
    host.chunk(0, IMAGE[:256], len=len(IMAGE))
    second = {"off": 256, "data": IMAGE[256:512]}
    host.wire.send(host.lines(host.packet(WRITE, 1, 1, second)))
    assert host.hear(20) is None
    assert host.ask(WRITE, 1, 1, **second) == {"rc": OK, "off": 512}


def test_the_flash_can_lie_and_the_upload_can_fail():
    """One bit that is not as it was sent; any rc."""
    host = Host(faults=Faults(flips_image_byte=700))
    host.upload(IMAGE)
    assert host.ask(READ, 1, 0) == {"images": []}
    assert Host(faults=Faults(fails_upload_with=1)).chunk(0, b"abcd", len=8) == {"rc": 1}


def test_another_process_goes_on_in_the_middle_of_an_upload():
    """Frozen while half a line has come and an erase goes on."""
    host, other = Host(), Wire(boot=False)
    host.wire.send(host.lines(host.packet(WRITE, 1, 1, {"off": 0, "data": b"ab", "len": 2})))
    host.wire.listen(1)
    host.wire.send(b"\x06\x09AA")
    kept = json.loads(json.dumps(host.wire.unit.freeze()))
    other.unit.thaw(kept)
    assert other.unit.freeze() == kept
    host.wire = other
    answer = host.hear()
    assert answer is not None
    assert answer[1] == {"rc": OK, "off": 2}


def test_a_slot_of_another_size_is_not_thawed():
    """It is of another unit."""
    kept = Wire(recovery=replace(FULL, slot=4096 * 10)).unit.freeze()
    with pytest.raises(ValueError, match="another size"):
        Wire().unit.thaw(kept)
