"""The simulated Core, transfer by transfer: what it is, holds and does."""

from __future__ import annotations

import struct

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from console.families.particle.simulator import Mode, SparkCore
from console.families.particle.simulator_contents import (
    Slot,
    core_serial,
    healthy_memories,
    private_key,
)
from console.families.particle.simulator_dfu import Times
from console.hardware.simulated import Away, Hang, Setup, Stall
from tests.families.particle.core_wire import (
    AT_ENTRY,
    BUSY_30,
    BUSY_50,
    DNLOAD_IDLE,
    ERASE_BOOTLOADER,
    ERASE_PRIVATE,
    ERR_UNKNOWN,
    FIELD_ID,
    FIELD_SERIAL,
    ID,
    IDLE,
    MANIFEST,
    POINT_APPLICATION,
    POINT_BOOTLOADER,
    POINT_PRIVATE,
    POINT_SERVER,
    UPLOAD_IDLE,
    Wire,
    idle,
)

# --- what it is ---------------------------------------------------------------------------


def test_the_serial_in_dfu_mode_derives_from_the_device_id():
    """The id and the serial of a unit from the field."""
    assert core_serial(FIELD_ID) == FIELD_SERIAL


def test_the_device_descriptor_is_the_bootloaders():
    """bcdUSB 1.00, 64-byte endpoint 0, 1d50:607f, release 2.00."""
    assert Wire().standard(6, 0x0100) == "1201000100000040501d7f60000201020301"


def test_the_functional_descriptor_stands_after_the_second_alternate_setting():
    """Download, upload, will detach, 255 ms, 1024 bytes, DfuSe 1.1a."""
    expected = "09022400010100c0320904000000fe0102040904000100fe01020509210bff0000041a01"
    assert expected == Wire().standard(6, 0x0200)


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (1, "Spark Devices     "),
        (2, "CORE DFU "),
        (3, FIELD_SERIAL),
        (4, "@Internal Flash  /0x08000000/20*001Ka,108*001Kg"),
        (5, "@SPI Flash : SST25x/0x00000000/512*04Kg"),
    ],
)
def test_its_strings_are_the_bootloaders(index, text):
    """Trailing spaces included."""
    answer = bytes.fromhex(Wire(FIELD_ID).standard(6, 0x0300 | index, 0x0409))
    assert (bytes((2 + 2 * len(text), 3)) + text.encode("utf-16-le")) == answer


def test_there_are_two_alternate_settings_and_no_third():
    """SET_INTERFACE 1 is remembered, 2 is refused."""
    wire = Wire()
    wire.core.control(Setup(0x01, 11, 1, 0, 0), b"")

    assert wire.core.control(Setup(0x81, 10, 0, 0, 1), b"").hex() == "01"
    with pytest.raises(Stall):
        wire.core.control(Setup(0x01, 11, 2, 0, 0), b"")


# --- the state machine --------------------------------------------------------------------


def test_it_enters_dfu_in_its_error_state_on_purpose():
    """dfuERROR with errFIRMWARE, cleared by one CLRSTATUS."""
    wire = Wire()
    seen = [wire.status(), wire.status(), wire.state()]
    wire.clear()
    assert [*seen, wire.status()] == [AT_ENTRY, AT_ENTRY, "0a", IDLE]


def test_clearing_a_status_that_is_no_error_makes_one():
    """ST's sample: the second CLRSTATUS drives it into errUNKNOWN, the third out again."""
    wire = idle()
    wire.clear()
    erred = wire.status()
    wire.clear()
    assert [erred, wire.status()] == [ERR_UNKNOWN, IDLE]


def test_the_list_of_commands_is_read_only_address_and_erase():
    """More than three bytes asked for ends the upload by itself."""
    wire = idle()
    assert [wire.upload(0, 64), wire.status()] == ["002141", IDLE]
    assert [wire.upload(0, 3), wire.status()] == ["002141", UPLOAD_IDLE]


@pytest.mark.parametrize(
    "illegal",
    [
        lambda wire: wire.upload(2, 16),
        lambda wire: wire.download(0, POINT_PRIVATE),
        lambda wire: wire.download(0, ""),
        lambda wire: wire.core.control(Setup(0x21, 0, 1000, 0, 0), b""),
        lambda wire: wire.core.control(Setup(0xA1, 9, 0, 0, 1), b""),
    ],
    ids=["upload", "download", "leave", "detach", "no request at all"],
)
def test_what_its_state_does_not_allow_stalls_and_changes_nothing(illegal):
    """Here: everything but asking and clearing while it is in dfuERROR."""
    wire = Wire()
    with pytest.raises(Stall):
        illegal(wire)
    assert wire.status() == AT_ENTRY


def test_an_upload_is_refused_until_the_download_was_aborted():
    """Reading is legal from dfuIDLE and dfuUPLOAD-IDLE only."""
    wire = idle()
    wire.do(0, POINT_SERVER)
    with pytest.raises(Stall):
        wire.upload(2, 4)
    wire.abort()
    assert [wire.upload(2, 4), wire.status()] == ["30820122", UPLOAD_IDLE]


def test_uploading_block_one_leads_into_a_state_that_does_not_exist():
    """ST's sample puts 15 into bState; two CLRSTATUS lead out."""
    wire = idle()
    wire.upload(1, 16)
    lost = wire.status()
    wire.clear()
    wire.clear()
    assert [lost, wire.status()] == ["000000000f00", IDLE]


def test_more_than_a_transfer_size_stalls():
    """1025 bytes do not fit."""
    wire = idle()
    with pytest.raises(Stall):
        wire.download(2, "00" * 1025)


# --- work ---------------------------------------------------------------------------------


def test_the_first_status_says_busy_and_does_the_work_the_second_says_done():
    """The time announced for a command is that of the memory pointed to before."""
    wire = idle()
    assert wire.do(0, POINT_PRIVATE) == (BUSY_50, DNLOAD_IDLE)
    assert wire.do(0, ERASE_PRIVATE) == (BUSY_50, DNLOAD_IDLE)
    assert wire.do(2, "3082") == (BUSY_30, DNLOAD_IDLE)
    assert wire.paused == [0.05, 0.03]


def test_poll_times_are_those_it_was_made_with():
    """A shipped unit may say other times than the header files."""
    wire = idle(times=Times(external_erase=20, external_write=7))
    wire.do(0, POINT_PRIVATE)
    assert wire.do(0, ERASE_PRIVATE)[0] == "001400000400"
    assert wire.do(2, "00")[0] == "000700000400"


def test_writing_can_only_clear_bits_until_the_page_is_erased():
    """NOR flash: F0 over 3C is 30, and only the erase brings the ones back."""
    wire = idle()
    wire.do(0, ERASE_PRIVATE)
    wire.do(2, "3c3c")
    wire.do(2, "f0")
    assert wire.read(POINT_PRIVATE, 3) == "303cff"
    wire.do(0, ERASE_PRIVATE)
    assert wire.read(POINT_PRIVATE, 3) == "ffffff"


def test_an_external_erase_takes_four_kib_and_an_internal_one_one():
    """The page that holds the address, and no byte more."""
    wire = idle()
    wire.do(0, "41ff2f0000")
    wire.do(0, "4101540008")
    assert wire.core.counts.erased == [0x2000, 0x08005400]
    assert wire.read(POINT_PRIVATE, 4) == "ff" * 4
    assert wire.read(POINT_SERVER, 4) == "30820122"
    assert wire.read("2100540008", 4) == "ff" * 4
    assert wire.read(POINT_APPLICATION, 4) == "00500020"


def test_blocks_count_from_the_pointer_in_transfer_sizes():
    """Block 3 lies 1024 bytes behind block 2."""
    wire = idle()
    wire.do(0, ERASE_PRIVATE)
    wire.do(3, "abcd")
    assert wire.read("2100240000", 2) == "abcd"


def test_the_bootloader_itself_takes_neither_erase_nor_write_and_says_nothing():
    """The first 20 KiB are read-only; every answer looks like success."""
    wire = idle()
    before = wire.read(POINT_BOOTLOADER, 64)
    assert wire.do(0, ERASE_BOOTLOADER) == (BUSY_50, DNLOAD_IDLE)
    assert wire.do(2, "00" * 64) == (BUSY_50, DNLOAD_IDLE)
    assert before == wire.read(POINT_BOOTLOADER, 64)


def test_an_external_memory_that_is_dead_reads_blank_and_hangs_at_the_erase():
    """The erase itself is accepted; no answer comes from then on, to anything."""
    wire = idle(external_alive=False)
    assert wire.read(POINT_PRIVATE, 16) == "ff" * 16
    wire.download(0, ERASE_PRIVATE)
    assert wire.status() == BUSY_50
    for ask in (wire.status, wire.state, lambda: wire.standard(6, 0x0100)):
        with pytest.raises(Hang):
            ask()


@pytest.mark.parametrize("wake", [SparkCore.power_on, lambda core: core.press("dfu")])
def test_only_power_or_a_button_ends_a_hang(wake):
    """A tap on RESET is hardware and works."""
    wire = idle(external_alive=False)
    wire.download(0, ERASE_PRIVATE)
    wire.status()
    wake(wire.core)
    wire.core.power_on()
    assert wire.standard(6, 0x0100, length=1) == "12"


# --- leaving, coming, buttons ---------------------------------------------------------------


def test_leaving_starts_the_application_under_another_name():
    """DNLOAD of length 0, then the GETSTATUS that does it."""
    wire = idle()
    wire.download(0, "")
    assert (MANIFEST, Away(1.5)) == (wire.status(), wire.core.away)
    wire.core.power_on()
    facts = wire.core.descriptors()
    assert (facts.device[8:12].hex(), facts.strings[3]) == ("501d7d60", ID)


def test_an_application_that_does_not_show_stays_away():
    """Its power is on, and yet there is nothing on the bus."""
    wire = idle(shows=False)
    wire.download(0, "")
    wire.status()
    wire.core.power_on()
    assert (Mode.APPLICATION, Away(None)) == (wire.core.mode, wire.core.away)


def test_the_buttons_lead_into_dfu_and_plugging_in_does_not():
    """A Core that was pulled comes back as its application."""
    wire = idle()
    wire.core.away = Away(None)
    wire.core.power_on()
    assert Mode.APPLICATION is wire.core.mode
    wire.core.press("dfu")
    assert Away(4.0) == wire.core.away
    wire.core.power_on()
    assert wire.status() == AT_ENTRY


def test_a_core_without_firmware_stays_in_dfu():
    """The bootloader looks at the stack pointer of what it would start."""
    wire = idle(memories=lambda device_id: healthy_memories(device_id, firmware=False))
    wire.core.press("reset")
    wire.core.power_on()
    assert Mode.DFU is wire.core.mode


def test_a_button_it_does_not_have_is_named():
    """ValueError, with the words there are."""
    with pytest.raises(ValueError, match="dfu, reset"):
        Wire().core.press("bootsel")


# --- contents -----------------------------------------------------------------------------


def test_a_healthy_core_holds_keys_that_are_keys():
    """PKCS#1 RSA-1024 in its own slot, SPKI RSA-2048, name and port in the server's."""
    memories = healthy_memories(ID)
    private = bytes(memories.external.cells[0x2000:0x3000]).rstrip(b"\xff")
    server = bytes(memories.external.cells[0x1000:0x2000])

    assert load_der_private_key(private, None).key_size == 1024
    assert load_der_public_key(server[:294]).key_size == 2048
    assert (server[384:402], server[450:452]) == (b"\x01\x0fdevice.spark.io\xff", b"\xff\xff")
    assert struct.unpack("<II", memories.external.read(0x20000, 8)) == (0x20005000, 0x08005101)


@pytest.mark.parametrize(
    ("slot", "begins"),
    [
        (Slot.BLANK, b"\xff\xff\xff"),
        (Slot.ZEROS, b"\x00\x00\x00"),
        (Slot.PKCS8, b"\x30\x82\x02"),
        (Slot.TRUNCATED, b"\x30\x82\x02"),
    ],
)
def test_a_key_slot_can_be_spoilt_in_the_ways_of_the_field(slot, begins):
    """Blank, zeros, the wrong format, half a key."""
    content = healthy_memories(ID, private=slot).external.read(0x2000, 700)
    assert begins == content[:3]
    assert (slot is Slot.PKCS8) == (content[7:9] == b"\x30\x0d")
    assert (slot is Slot.TRUNCATED) == (content[0] == 0x30 and content[400:] == b"\xff" * 300)


def test_each_unit_has_a_key_of_its_own():
    """No private key lies in the source."""
    assert private_key() != private_key()
