"""The simulated nRF52 bootloader: literal frames, the vendor's own package, each fault."""

from __future__ import annotations

import json
import struct
import zlib

import pytest

from console.families.nitrokey3.simulator import FOREIGN_INIT
from console.families.nitrokey3.simulator_faults import DfuFaults, Faults
from console.families.nitrokey3.simulator_key import Build, Mode
from console.families.nitrokey3.simulator_packet import read_packet
from console.families.nitrokey3.simulator_rows import NK3A_MINI, PASSKEY, Version
from console.families.nitrokey3.simulator_slip import frame, unframe
from console.hardware.simulated import Away
from tests.families.nitrokey3.container import release
from tests.families.nitrokey3.wires import Gone, Silence, Wires

UUID = bytes.fromhex("5e0b7c19f2d84a6683d14c2fa09e71c3")
BOOTLOADER, FIRMWARE = "20a0:42e8", "20a0:42b2"


class Port:
    """A host on the serial port: requests in hex, answers in hex."""

    def __init__(
        self, who=NK3A_MINI, version="1.5.0", firmware=True, init=b"", is_open=True, **faults
    ) -> None:
        build = Build(
            who,
            UUID,
            Version.of(version),
            mode=Mode.BOOTLOADER,
            firmware=firmware,
            init=init,
            faults=Faults(dfu=DfuFaults(**faults)),
        )
        self.wires = Wires(build)
        if is_open:
            self.wires.open_port()

    def send(self, request: str | bytes) -> None:
        raw = bytes.fromhex(request) if isinstance(request, str) else request
        self.wires.write_port(raw.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc"))
        self.wires.write_port(b"\xc0")

    def heard(self, timeout: float = 1.0) -> str:
        raw = b""
        while not raw.endswith(b"\xc0"):
            raw += self.wires.read_port(timeout)
        body = raw[:-1]
        return body.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb").hex()

    def ask(self, request: str | bytes, timeout: float = 1.0) -> str:
        self.send(request)
        return self.heard(timeout)

    # --- a whole update, step by step -------------------------------------------------------

    def give_init(self, dat: bytes) -> str:
        """The answer to its execute."""
        assert self.ask(b"\x01\x01" + struct.pack("<I", len(dat))) == "600101"
        self.send(b"\x08" + dat)
        offset, crc = self.crc()
        assert (offset, crc) == (len(dat), zlib.crc32(dat))
        return self.ask("04")

    def crc(self) -> tuple[int, int]:
        offset, crc = struct.unpack("<II", bytes.fromhex(self.ask("03"))[3:])
        return offset, crc

    def give_object(self, data: bytes) -> None:
        assert self.ask(b"\x01\x02" + struct.pack("<I", len(data))) == "600101"
        for at in range(0, len(data), 1024):
            self.send(b"\x08" + data[at : at + 1024])

    def give_data(self, data: bytes, start: int = 0, end: int | None = None) -> str:
        """The answer to the last execute."""
        said = ""
        for at in range(start, len(data) if end is None else end, 4096):
            self.give_object(data[at : at + 4096])
            said = self.ask("04", 30.0)
        return said

    def selected(self, kind: int) -> tuple[int, int, int]:
        most, offset, crc = struct.unpack("<III", bytes.fromhex(self.ask(f"06{kind:02x}"))[3:])
        return most, offset, crc

    def come_back(self) -> float:
        return self.wires.come_back()

    def reported(self) -> str:
        self.wires.send(bytes.fromhex("ffffffff8600080102030405060708").ljust(64, b"\0"))
        self.wires.receive()
        self.wires.send(bytes.fromhex("00000001e1000101").ljust(64, b"\0"))
        said = self.wires.receive()
        return said[7 : 7 + said[6]].decode()


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("0905", "60090105"),
        ("00", "60000101"),
        ("07", "6007010308"),
        ("020000", "600201"),
        ("0a", "600a01" + "40280500" + "30444141" + "00001000" + "00000400" + "00100000"),
        ("0b01", "600b01" + "01" + "40014000" + "00100000" + "d0dd0600"),
        ("0b02", "600b01" + "ff" + "00" * 12),
        ("0601", "600601" + "00020000" + "00000000" + "00000000"),
        ("0602", "600601" + "00100000" + "00000000" + "00000000"),
        ("0603", "600607"),
        ("010100000000", "600103"),
        ("010101020000", "600104"),
        ("010200100000", "600108"),
        ("010500100000", "600107"),
        ("0101", "600103"),
        ("55", "605502"),
    ],
)
def test_each_request_has_the_published_answer(request_, answer):
    """MTU 2051, objects of 512 and 4096 bytes, no data before an init packet."""
    assert Port().ask(request_) == answer


def test_it_is_a_serial_port_whose_number_is_not_the_firmwares():
    """The firmware has no serial number; this hex string is of the chip's own."""
    port = Port()
    serial = list(port.wires.key.descriptors().strings.values())[2]

    assert port.wires.ids == BOOTLOADER
    assert int(serial, 16) and serial.lower() not in UUID.hex()


def test_nothing_is_read_before_dtr():
    """A port that is written to and never opened says nothing; opened, it answers."""
    port = Port(is_open=False)
    port.send("0905")
    with pytest.raises(Silence):
        port.heard()

    port.wires.open_port()
    assert port.heard() == "60090105"


def test_frames_survive_every_byte_and_broken_ones_are_dropped():
    """SLIP: END and ESC are escaped; a byte that may not follow ESC spoils its frame only."""
    everything = bytes(range(256))
    assert unframe(frame(everything)[:-1]) == everything

    port = Port()
    port.wires.write_port(bytes.fromhex("09db05c0") + b"\xc0\xc0")
    with pytest.raises(Silence):
        port.heard()
    assert port.ask("09c0") == "600901c0"
    assert port.ask("09db") == "600901db"


# --- the package --------------------------------------------------------------------------------


def test_the_vendors_package_is_taken_and_the_key_reports_its_version():
    """Whole, byte for byte; the answer comes, then the port vanishes."""
    port = Port(version="1.5.0")

    assert port.give_init(release().dat) == "600401"
    assert port.give_data(release().bin) == "600401"
    assert port.wires.key.dfu.received == release().bin
    assert port.come_back() == 1.5
    assert (port.wires.ids, port.reported()) == (FIRMWARE, "1.7.2")


def test_the_old_application_goes_with_the_init_packet():
    """Two images of that size do not fit; before it, a replug gives the firmware back."""
    for accepted, ids in ((False, FIRMWARE), (True, BOOTLOADER)):
        port = Port()
        if accepted:
            port.give_init(release().dat)
        port.wires.replug()

        assert port.wires.ids == ids


def test_progress_outlives_the_port_and_not_the_power():
    """Reopened: all of it is there. Unplugged: the init packet is, the data is not."""
    port = Port()
    port.give_init(release().dat)
    port.give_data(release().bin, end=8192)
    port.give_object(release().bin[8192:12288])
    port.wires.open_port()

    assert port.selected(1) == (512, len(release().dat), zlib.crc32(release().dat))
    assert port.selected(2) == (4096, 12288, zlib.crc32(release().bin[:12288]))
    assert port.ask("04") == "600401"
    assert port.give_data(release().bin, start=12288) == "600401"

    other = Port()
    other.give_init(release().dat)
    other.give_data(release().bin, end=8192)
    other.wires.replug()
    other.wires.open_port()
    assert other.selected(1)[1:] == (len(release().dat), zlib.crc32(release().dat))
    assert other.ask("04") == "600401"
    assert other.selected(2) == (4096, 0, 0)
    assert other.give_data(release().bin) == "600401"


def test_executing_the_accepted_packet_again_keeps_the_data_and_creating_it_does_not():
    """What a host must not do when the stored packet is the right one."""
    port = Port()
    port.give_init(release().dat)
    port.give_data(release().bin, end=8192)

    assert port.selected(1)[1] == len(release().dat)
    assert port.ask("04") == "600401"
    assert port.selected(2)[1] == 8192
    port.give_init(release().dat)
    assert port.selected(2)[1] == 0


def test_create_rolls_back_to_what_was_committed():
    """An object that was not executed is lost, and only that one."""
    port = Port()
    port.give_init(release().dat)
    port.give_data(release().bin, end=4096)
    port.give_object(release().bin[4096:6144] + b"\xff" * 2048)

    assert port.crc()[0] == 8192
    port.give_object(release().bin[4096:8192])
    assert port.crc() == (8192, zlib.crc32(release().bin[:8192]))
    assert port.ask("04") == "600401"


@pytest.mark.parametrize(("size", "answer"), [(0, "03"), (1000, "03"), (8192, "04"), (4096, "01")])
def test_data_objects_have_the_size_of_a_page(size, answer):
    """Only the last one may be shorter."""
    port = Port()
    port.give_init(release().dat)

    assert port.ask(b"\x01\x02" + struct.pack("<I", size)) == "6001" + answer


def test_an_object_is_executed_whole_or_not_at_all():
    """Result 08."""
    port = Port()
    port.give_init(release().dat)
    assert port.ask(b"\x01\x02" + struct.pack("<I", 4096)) == "600101"
    port.send(b"\x08" + bytes(1024))

    assert port.ask("04") == "600408"


def test_receipts_come_when_they_were_asked_for():
    """After every second write; what is too long for the object is not taken."""
    port = Port()
    port.give_init(release().dat)
    port.ask("020200")
    port.ask(b"\x01\x02" + struct.pack("<I", 4096))
    data = release().bin[:2048]
    port.send(b"\x08" + data[:1024])
    port.send(b"\x08" + data[1024:])

    assert port.heard() == "600301" + struct.pack("<II", 2048, zlib.crc32(data)).hex()


# --- refusals -----------------------------------------------------------------------------------


def other_dat(**fields: int) -> bytes:
    """The vendor's packet with one number changed: its signature is wrong then."""
    raw = bytearray(release().dat)
    at = release().dat.index(bytes.fromhex("08c28380021034"))
    for name, value in fields.items():
        raw[at + {"hardware": 6, "version": 1}[name]] = value
    return bytes(raw)


@pytest.mark.parametrize("dat", [b"\x00\x01\x02", b"\x12\xff\x01", b"", other_dat])
def test_what_is_no_packet_or_wrongly_signed_is_an_invalid_object(dat):
    """Result 05, and the old firmware is untouched."""
    port = Port()
    raw = dat(hardware=0x35) if callable(dat) else dat or b"\x0a\x00"

    assert port.give_init(raw) == "600405"
    port.wires.replug()
    assert port.wires.ids == FIRMWARE


def test_another_products_package_is_not_signed_for_it():
    """The Passkey has another key."""
    assert Port(PASSKEY).give_init(release().dat) == "600405"


def test_an_older_release_is_refused_and_the_same_one_is_not():
    """Extended error 05."""
    assert Port(version="1.8.0").give_init(release().dat) == "60040b05"
    assert Port(version="1.7.2").give_init(release().dat) == "600401"


def test_a_packet_without_a_signature_is_told_so():
    """Extended error 08: the command alone, unsigned."""
    packet = read_packet(release().dat)
    init = packet.command
    command = b"\x08\x01\x12" + bytes((len(init) & 0x7F | 0x80, len(init) >> 7)) + init
    unsigned = b"\x0a" + bytes((len(command) & 0x7F | 0x80, len(command) >> 7)) + command

    assert Port().give_init(unsigned) == "60040b08"


@pytest.mark.parametrize("error", [0x05, 0x06, 0x08, 0x0D])
def test_every_extended_error_can_be_had(error):
    """As data of a fault."""
    assert Port(extended=error).give_init(release().dat) == f"60040b{error:02x}"


def test_a_wrong_image_is_found_at_the_last_execute():
    """Extended error 0C; the init packet must be given again."""
    port = Port()
    port.give_init(release().dat)
    wrong = release().bin[:-1] + bytes((release().bin[-1] ^ 1,))

    assert port.give_data(wrong) == "60040b0c"
    assert port.ask(b"\x01\x02" + struct.pack("<I", 4096)) == "600108"
    assert port.give_init(release().dat) == "600401"
    assert port.give_data(release().bin) == "600401"


# --- faults -------------------------------------------------------------------------------------


def test_foreign_bytes_may_come_ahead_of_the_first_answer():
    """As when another program has talked to the port."""
    port = Port(noise=b"AT\r\n")

    assert port.ask("0905") == b"AT\r\n".hex() + "60090105"
    assert port.ask("0906") == "60090106"


@pytest.mark.parametrize("op", [0x01, 0x04])
def test_an_answer_may_be_lost_once_and_its_work_is_done(op):
    """Silence is not refusal."""
    port = Port(lost_answers=(op,))
    if op == 0x01:
        port.send(b"\x01\x01" + struct.pack("<I", len(release().dat)))
        with pytest.raises(Silence):
            port.heard()
        assert port.give_init(release().dat) == "600401"
    else:
        with pytest.raises(Silence):
            port.give_init(release().dat)
        assert port.selected(1)[1] == len(release().dat)
        assert port.ask("04") == "600401"


def test_the_last_execute_may_take_its_time():
    """It says nothing for longer than the vendor's host waits."""
    port = Port(final_delay=2.5)
    port.give_init(release().dat)
    last = len(release().bin) // 4096 * 4096
    port.give_data(release().bin, end=last)
    port.give_object(release().bin[last:])
    start = port.wires.passed

    assert port.ask("04", 30.0) == "600401"
    assert port.wires.passed - start >= 2.5


@pytest.mark.parametrize(
    ("fault", "offset"), [({"dropped_at": 5000}, 7168), ({"flipped_at": 5000}, 8192)]
)
def test_a_write_may_be_dropped_or_damaged_once(fault, offset):
    """Offset or CRC tell, and the object sent again is right."""
    port = Port(**fault)
    port.give_init(release().dat)
    port.give_data(release().bin, end=4096)
    port.give_object(release().bin[4096:8192])

    assert port.crc()[0] == offset
    assert port.crc()[1] != zlib.crc32(release().bin[:8192])
    port.give_object(release().bin[4096:8192])
    assert port.crc() == (8192, zlib.crc32(release().bin[:8192]))


@pytest.mark.parametrize("at", [0, 4095, 250_000, 503_235])
def test_it_may_lose_its_power_at_any_byte_once(at):
    """Its bootloader is back, knows the init packet, and takes all of it again."""
    port = Port(leaves_at=at)
    port.give_init(release().dat)
    with pytest.raises(Gone):
        port.give_data(release().bin)
    assert port.wires.key.away == Away(None)
    port.wires.replug()
    port.wires.open_port()

    assert port.selected(1)[1] == len(release().dat)
    assert port.ask("04") == "600401"
    assert port.give_data(release().bin) == "600401"


def test_the_port_may_vanish_before_the_last_answer():
    """It looks like failure, and the firmware is there."""
    port = Port(vanishes=True)
    port.give_init(release().dat)
    with pytest.raises(Gone):
        port.give_data(release().bin)
    port.come_back()

    assert port.reported() == "1.7.2"


def test_the_image_may_be_found_damaged_once():
    """0C on the key's own account; sent again it passes."""
    port = Port(bad_image=True)
    port.give_init(release().dat)
    assert port.give_data(release().bin) == "60040b0c"

    assert port.give_init(release().dat) == "600401"
    assert port.give_data(release().bin) == "600401"


def test_another_build_has_smaller_buffers():
    """MTU 131 and init packets of 256 bytes: a host that asks gets through, others do not."""
    port = Port(mtu=131, command_size=256)

    assert port.ask("07") == "6007018300"
    assert port.selected(1)[0] == 256
    port.ask(b"\x01\x01" + struct.pack("<I", 209))
    port.send(b"\x08" + release().dat)
    assert port.crc()[0] == 0
    for at in range(0, 209, 64):
        port.send(b"\x08" + release().dat[at : at + 64])
    assert port.ask("04") == "600401"


def test_a_stored_packet_of_another_release_is_shown_by_its_crc():
    """As an interrupted update leaves it; given anew, it is replaced."""
    port = Port(firmware=False, init=FOREIGN_INIT, version="1.2.2")

    assert port.selected(1) == (512, len(FOREIGN_INIT), zlib.crc32(FOREIGN_INIT))
    assert port.give_init(release().dat) == "600401"
    assert port.give_data(release().bin) == "600401"


def test_the_file_system_is_converted_for_minutes_once():
    """From 1.2.2 or older; power lost in the middle shows in the status ever after."""
    port = Port(version="1.2.2")
    port.give_init(release().dat)
    port.give_data(release().bin)
    assert port.wires.key.away == Away(150.0)

    port.wires.replug()
    port.wires.send(bytes.fromhex("ffffffff8600080102030405060708").ljust(64, b"\0"))
    port.wires.receive()
    port.wires.send(bytes.fromhex("00000001f2000180").ljust(64, b"\0"))
    assert port.wires.receive()[7] == 0x08

    later = Port(version="1.3.0")
    later.give_init(release().dat)
    later.give_data(release().bin)
    assert later.wires.key.away == Away(1.5)


def test_it_goes_on_in_another_process_where_it_was():
    """Frozen within an object, it takes the rest."""
    port = Port()
    port.give_init(release().dat)
    port.give_data(release().bin, end=4096)
    frozen = json.loads(json.dumps(port.wires.key.freeze()))
    other = Port()
    other.wires.key.thaw(frozen)

    assert other.selected(2)[1] == 4096
    assert other.give_data(release().bin, start=4096) == "600401"
