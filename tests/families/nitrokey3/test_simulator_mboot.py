"""The simulated ROM bootloader of the LPC55: literal reports, the vendor's own file, each fault."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.families.nitrokey3.simulator_faults import NEVER, Faults, MbootFaults
from console.families.nitrokey3.simulator_key import Build, Mode
from console.families.nitrokey3.simulator_rows import NK3A_NFC, Version
from console.families.nitrokey3.simulator_sb2 import (
    Flash,
    Root,
    Stream,
    checksum,
    crc32_mpeg2,
    is_signed,
)
from console.hardware.simulated import Away, Stall
from tests.families.nitrokey3.container import release
from tests.families.nitrokey3.wires import Gone, Silence, Wires

UUID = bytes.fromhex("a1c40f5b3d2e4752916b0e8d77f35a01")
SB2_OK = "03000c00a00000020000000008000000"
ABORTED = "03000000"
PAUSE_POINT = 3648


def rom(mode=Mode.BOOTLOADER, firmware=True, version="1.5.0", **faults) -> Wires:
    build = Build(
        NK3A_NFC,
        UUID,
        Version.of(version),
        mode=mode,
        firmware=firmware,
        faults=Faults(mboot=MbootFaults(**faults)),
    )
    return Wires(build)


def ask(wires: Wires, report: str, timeout: float = 2.0) -> str:
    """The answer without its padding."""
    wires.send(bytes.fromhex(report))
    return heard(wires, timeout)


def heard(wires: Wires, timeout: float = 2.0) -> str:
    report = wires.receive(timeout=timeout)
    assert len(report) == 60
    return report[: 4 + int.from_bytes(report[2:4], "little")].hex()


def begin(wires: Wires, length: int) -> None:
    assert ask(wires, "0100080008010001" + struct.pack("<I", length).hex()) == SB2_OK


def stream(wires: Wires, data: bytes, chunk: int = 56) -> None:
    for at in range(0, len(data), chunk):
        part = data[at : at + chunk]
        wires.send(struct.pack("<BBH", 2, 0, len(part)) + part)


def flash(wires: Wires, data: bytes, timeout: float = 60.0, chunk: int = 56) -> str:
    begin(wires, len(data))
    stream(wires, data, chunk)
    return heard(wires, timeout)


def status(answer: str) -> int:
    return int.from_bytes(bytes.fromhex(answer)[8:12], "little")


def reset(wires: Wires) -> str:
    answer = ask(wires, "010004000b000000")
    wires.come_back()
    return answer


def reported(wires: Wires) -> str:
    """The version that its firmware tells over CTAPHID."""
    wires.send(bytes.fromhex("ffffffff8600080102030405060708").ljust(64, b"\0"))
    wires.receive()
    wires.send(bytes.fromhex("00000001e1000101").ljust(64, b"\0"))
    said = wires.receive()
    return said[7 : 7 + said[6]].decode()


# --- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "answer"),
    [
        ("01000c00070000021200000000000000", "03001800a700000500000000" + UUID.hex()),
        ("01000c00070000020b00000000000000", "03000c00a70000020000000038000000"),
        ("01000c00070000020100000000000000", "03000c00a7000002000000000000034b"),
        ("01000c00070000021800000000000000", "03000c00a70000020000000004010154"),
        ("01000c0007000002aa00000000000000", "03000800a70000013c280000"),
        ("0100080001000001" + "00000000", "03000c00a00000021127000001000000"),
        ("0100040055000000", "03000c00a00000021027000055000000"),
        ("0100080008010001" + "00000000", "03000c00a00000020400000008000000"),
    ],
)
def test_each_command_has_the_answer_of_a_sealed_rom(report, answer):
    """GetProperty; an erase is refused (10001), nonsense is unknown (10000)."""
    assert ask(rom(), report) == answer


def test_padding_and_short_chunks_are_taken_as_the_rom_takes_them():
    """One host pads its commands and sends 32 bytes at a time."""
    wires = rom()
    padded = "01002000" + "0700000212000000" + "00" * 24

    assert ask(wires, padded).endswith(UUID.hex())
    assert flash(wires, release().sb2, chunk=32) == SB2_OK


def test_it_shows_no_serial_and_is_a_high_speed_device():
    """Manufacturer and product are NXP's, the interface has a name."""
    wires = rom()
    seen = wires.key.descriptors()

    assert (wires.ids, wires.key.speed) == ("20a0:42dd", "high")
    assert (seen.device[16], seen.device[12:14].hex()) == (0, "0003")
    assert list(seen.strings.values()) == [
        "NXP SEMICONDUCTOR INC.",
        "USB COMPOSITE DEVICE",
        "MCU HID GENERIC DEVICE",
    ]


# --- the file -----------------------------------------------------------------------------------


def test_the_vendors_file_is_taken_and_the_key_reports_its_version():
    """Whole, byte for byte; at 50 kB a second that takes ten seconds."""
    wires = rom(version="1.5.0")

    assert flash(wires, release().sb2) == SB2_OK
    assert wires.key.rom.received == release().sb2
    assert 10.0 < wires.passed < 12.0
    assert reset(wires) == "03000c00a0000002000000000b000000"
    assert (wires.ids, reported(wires)) == ("20a0:42b2", "1.7.2")


def test_nothing_is_erased_before_the_pause_point_and_all_of_it_after():
    """Up to there a replug gives the old firmware back; then only the bootloader is left."""
    for sent, ids in ((PAUSE_POINT - 8, "20a0:42b2"), (PAUSE_POINT + 200, "20a0:42dd")):
        wires = rom()
        begin(wires, len(release().sb2))
        stream(wires, release().sb2[:sent])
        wires.replug()

        assert wires.ids == ids


def test_all_bytes_sent_is_not_done():
    """Unplugged between the last byte and the final answer, the image is not whole."""
    wires = rom(final_delay=12.0)
    begin(wires, len(release().sb2))
    stream(wires, release().sb2)
    with pytest.raises(Silence):
        heard(wires, 2.0)
    wires.replug()

    assert wires.ids == "20a0:42dd"
    assert flash(wires, release().sb2) == SB2_OK


def test_an_interrupted_key_is_repaired_by_sending_it_again():
    """From the first byte: there is no resume."""
    wires = rom(firmware=False)
    wires.replug()

    assert wires.ids == "20a0:42dd"
    assert flash(wires, release().sb2) == SB2_OK
    reset(wires)
    assert reported(wires) == "1.7.2"


def test_an_older_file_is_refused_and_costs_nothing():
    """10115, before anything is erased; swallowed to the end, and the key is as it was."""
    wires = rom(version="1.8.0")
    begin(wires, len(release().sb2))
    stream(wires, release().sb2)

    assert heard(wires) == ABORTED
    assert status(heard(wires)) == 10115
    reset(wires)
    assert reported(wires) == "1.8.0"


SPOILT = {
    "header": (20, 1),
    "signature": (3300, 10101),
    "certificate": (900, 10101),
    "key blob": (130, 10101),
    "section tag": (PAUSE_POINT + 3, 10101),
    "image": (300_000, 10101),
}


@pytest.mark.parametrize("place", SPOILT)
def test_one_wrong_byte_anywhere_is_found(place):
    """Where it is found decides what is lost: nothing, or the firmware."""
    at, code = SPOILT[place]
    data = bytearray(release().sb2)
    data[at] ^= 0x20
    wires = rom()
    begin(wires, len(data))
    stream(wires, bytes(data))

    assert heard(wires, 10.0) == ABORTED
    assert status(heard(wires)) == code
    wires.replug()
    assert wires.ids == ("20a0:42dd" if place == "image" else "20a0:42b2")


def test_a_truncated_file_announced_as_such_does_not_pass():
    """The header knows the real length."""
    wires = rom()
    begin(wires, 200_000)
    stream(wires, release().sb2[:200_000])

    assert heard(wires) == ABORTED
    assert status(heard(wires)) == 10102


def test_only_roots_of_the_fused_table_may_sign():
    """The vendor's own file on a chip with other roots: 10101."""
    head = release().sb2[:PAUSE_POINT]

    assert is_signed(head, Root().rkth)
    assert not is_signed(head, bytes(32))


def test_a_file_for_another_encryption_key_is_named_so():
    """10118: the key blob does not open."""
    stream_in = Stream(Flash(), len(release().sb2), Root(kek=bytes(32)))
    stream_in.feed(release().sb2)

    assert stream_in.refused == 10118


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(700, 90_000), min_size=1, max_size=12))
def test_however_the_file_is_cut_the_verdict_is_the_same(sizes):
    """It is judged byte by byte."""
    data, flash_in = release().sb2, Flash()
    one, at = Stream(flash_in, len(data)), 0
    while at < len(data):
        for size in sizes:
            one.feed(data[at : at + size])
            at += size

    assert (one.finish(), str(one.version), len(flash_in.image)) == (0, "1.7.2", 511_136)


def test_the_checks_of_commands_are_the_published_ones():
    """CRC-32/MPEG-2's check value; 0x5A and the sum of the rest."""
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7
    assert checksum(bytes.fromhex("27010180000000 00ce7c000001000000")) == 0x27


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [3.0, 10.0, 25.0])
def test_the_final_answer_may_take_long(seconds):
    """Two seconds of patience are too few; a minute is enough."""
    wires = rom(final_delay=seconds)
    begin(wires, len(release().sb2))
    stream(wires, release().sb2)
    start = wires.passed
    with pytest.raises(Silence):
        heard(wires, 2.0)

    assert heard(wires, 60.0) == SB2_OK
    # the key's own time and the host's between two questions
    assert seconds <= wires.passed - start <= seconds * 1.25


def test_the_final_answer_may_never_come():
    """Then no image is whole."""
    with pytest.raises(Silence):
        flash(rom(final_delay=NEVER), release().sb2, 60.0)


def test_the_final_answer_may_be_lost_although_all_is_done():
    """The other lie: it looks like failure and is none."""
    wires = rom(final_lost=True)
    with pytest.raises(Silence):
        flash(wires, release().sb2, 60.0)
    reset(wires)

    assert reported(wires) == "1.7.2"


@pytest.mark.parametrize(("at", "code"), [(0, 10101), (100_000, 10106), (514_927, 10115)])
def test_it_may_abort_at_any_byte(at, code):
    """An empty report, then why; what is sent afterwards is swallowed."""
    wires = rom(abort_at=at, abort_status=code)
    begin(wires, len(release().sb2))
    stream(wires, release().sb2)

    assert (heard(wires), status(heard(wires))) == (ABORTED, code)
    with pytest.raises(Silence):
        heard(wires)


@pytest.mark.parametrize(
    ("at", "ids"),
    [(0, "20a0:42b2"), (2000, "20a0:42b2"), (4000, "20a0:42dd"), (514_000, "20a0:42dd")],
)
def test_it_may_lose_its_power_at_any_byte_once(at, ids):
    """Plugged in again it is what its flash says, and can be flashed."""
    wires = rom(leaves_at=at)
    with pytest.raises(Gone):
        flash(wires, release().sb2)
    assert wires.key.away == Away(None)
    wires.replug()

    assert wires.ids == ids
    if ids == "20a0:42dd":
        assert flash(wires, release().sb2) == SB2_OK


def test_it_may_die_right_behind_the_last_byte():
    """The key of case 1: whatever is done, nothing enumerates."""
    wires = rom(leaves_at=10_000_000, dies=True)
    with pytest.raises(Gone):
        flash(wires, release().sb2)
    wires.replug()

    assert wires.key.away == Away(None)


def test_the_answer_to_reset_may_be_lost():
    """It leaves all the same."""
    wires = rom(reset_answer_lost=True)
    flash(wires, release().sb2)
    wires.send(bytes.fromhex("010004000b000000"))
    with pytest.raises(Gone):
        wires.receive()

    wires.come_back()
    assert reported(wires) == "1.7.2"


@pytest.mark.parametrize(
    ("fault", "ids", "version"),
    [("stays_bootloader", "20a0:42dd", ""), ("keeps_old_version", "20a0:42b2", "1.5.0")],
)
def test_success_may_be_a_lie(fault, ids, version):
    """It says 0, and what comes back is not what was written."""
    wires = rom(version="1.5.0", **{fault: True})

    assert flash(wires, release().sb2) == SB2_OK
    reset(wires)
    assert wires.ids == ids
    if version:
        assert reported(wires) == version


def test_a_crawling_transfer_takes_the_time_it_takes():
    """100 bytes a second."""
    wires = rom(rate=100.0)
    begin(wires, len(release().sb2))
    start = wires.passed
    stream(wires, release().sb2[:1000])

    assert wires.passed - start == pytest.approx(10.0, abs=0.6)


# --- in a guest ---------------------------------------------------------------------------------


def entered(**faults) -> Wires:
    """Its firmware has been told to go to the bootloader, and touched."""
    wires = rom(Mode.FIRMWARE, **faults)
    wires.touches_after = 0.2
    wires.send(bytes.fromhex("ffffffff8600080102030405060708").ljust(64, b"\0"))
    wires.receive()
    wires.send(bytes.fromhex("00000001d10000").ljust(64, b"\0"))
    with pytest.raises(Gone):
        while True:
            wires.receive()
    return wires


def test_a_bootloader_that_nobody_attaches_does_not_appear():
    """It waits; unplugged and plugged in it is its firmware again."""
    wires = entered(attach_by_hand=True)
    assert wires.key.away == Away(None)

    wires.key.press("attach")
    wires.come_back()
    assert wires.ids == "20a0:42dd"

    other = entered(attach_by_hand=True)
    other.replug()
    assert other.ids == "20a0:42b2"


@pytest.mark.parametrize("fault", ["refused_attachments", "mute_attachments"])
def test_the_first_attachment_may_be_useless_and_the_second_works(fault):
    """A write that fails, or silence: as behind a hypervisor that resets nothing."""
    wires = entered(**{fault: 1})
    wires.come_back()
    with pytest.raises((Stall, Silence)):
        ask(wires, "01000c00070000021200000000000000")

    wires.key.press("attach")
    wires.come_back()
    assert ask(wires, "01000c00070000021200000000000000").endswith(UUID.hex())


def test_it_goes_on_in_another_process_where_it_was():
    """Frozen in the middle of the file, it takes the rest."""
    wires = rom()
    begin(wires, len(release().sb2))
    stream(wires, release().sb2[:56_000])
    frozen = json.loads(json.dumps(wires.key.freeze()))
    other = rom()
    other.key.thaw(frozen)
    stream(other, release().sb2[56_000:])

    assert heard(other) == SB2_OK
    reset(other)
    assert reported(other) == "1.7.2"
