"""The simulated firmware, held to published bytes: CTAPHID, the admin application, FIDO reset."""

from __future__ import annotations

import json

import pytest
from fido2 import cbor

from console.families.nitrokey3.simulator_admin import Contents
from console.families.nitrokey3.simulator_faults import Faults, FirmwareFaults
from console.families.nitrokey3.simulator_fido2 import Holdings
from console.families.nitrokey3.simulator_key import Build, Mode
from console.families.nitrokey3.simulator_rows import NK3A_MINI, NK3A_NFC, PASSKEY, Version
from console.hardware.simulated import Away, Stall
from console.hardware.simulated_card import exchange
from console.hardware.simulated_composite import endpoints_of
from tests.families.nitrokey3.wires import Gone, Silence, Wires

UUID = bytes.fromhex("a1c40f5b3d2e4752916b0e8d77f35a01")
NONCE = "0102030405060708"
KEEPALIVE = "00000001bb000102"
NOT_TOUCHED = "00000001bf000103"
ADMIN = "00a4040009a00000084700000001"


class Host:
    """A CTAPHID host made of literal reports; its channel is the first one, 00000001."""

    def __init__(self, who=NK3A_NFC, version="1.7.0", faults=None, now=None, **options) -> None:
        build = Build(
            who,
            UUID,
            Version.of(version),
            faults=Faults(firmware=faults or FirmwareFaults()),
            **options,
        )
        self.clock = now
        self.wires = Wires(build, now=None if now is None else lambda: self.clock)
        self.init()

    @property
    def key(self):
        return self.wires.key

    def init(self) -> str:
        return self.ask("ffffffff860008" + NONCE)

    def send(self, report: str) -> None:
        self.wires.send(bytes.fromhex(report).ljust(64, b"\0"))

    def receive(self, count: int, timeout: float = 1.0) -> str:
        """The first `count` bytes of the next report."""
        return self.wires.receive(timeout=timeout)[:count].hex()

    def ask(self, report: str, count: int = 64) -> str:
        self.send(report)
        return self.receive(count)

    def after_keepalives(self, count: int = 8) -> tuple[int, str]:
        """How many keepalives came, and what came then."""
        keepalives = 0
        while (said := self.receive(count)).startswith(KEEPALIVE):
            keepalives += 1
        return keepalives, said

    def reset(self) -> str:
        """authenticatorReset, up to its status byte."""
        self.send("00000001900001" + "07")
        return self.after_keepalives(8)[1][14:16]

    def apdu(self, command: str, patience: float = 60.0) -> str:
        answer = exchange(self.key.slot.card, bytes.fromhex(command), self.wires.pause, patience)
        return "" if answer is None else answer.hex()


# --- CTAPHID ------------------------------------------------------------------------------------


def test_init_gives_channels_in_turn_with_the_version_and_what_it_can():
    """CTAPHID 2, firmware 1.7.0, WINK and CBOR."""
    host = Host()

    assert host.init()[:48] == "ffffffff860011" + NONCE + "00000002" + "02010700" + "05"


@pytest.mark.parametrize(
    ("report", "answer"),
    [
        ("00000009 81 0001 aa", "00000009bf00010b"),  # nobody has been given that channel
        ("00000001 c7 0000", "00000001bf000101"),  # no such command
        ("ffffffff 86 0007 01020304050607", "ffffffffbf000103"),  # a nonce of seven
        ("00000001 81 1dba", "00000001bf000103"),  # 7610 bytes are one too many
        ("00000001 88 0000", "00000001880000"),  # WINK
        ("00000001 81 0003 aabbcc", "00000001810003aabbcc"),
        ("00000001 83 0004 00030000", "000000018300085532465f56329000"),
    ],
)
def test_each_report_has_the_answer_of_the_specification(report, answer):
    """Errors of CTAPHID as well."""
    assert Host().ask(report).startswith(answer)


def test_a_long_message_goes_through_continuations_both_ways():
    """57 bytes, then 59 a report; the answer is cut in the same way."""
    host = Host()
    message = bytes(range(200))
    host.send("000000018100c8" + message[:57].hex())
    for number, at in enumerate(range(57, 200, 59)):
        host.send(f"00000001{number:02x}" + message[at : at + 59].hex())

    first = host.receive(64)
    rest = "".join(host.receive(64)[10:] for _ in range(3))

    assert first[:14] == "000000018100c8"
    assert (first[14:] + rest)[:400] == message.hex()


def test_a_wrong_sequence_number_ends_the_message():
    """ERR_INVALID_SEQ, and the next message is taken."""
    host = Host()
    host.send("000000018100c8" + "00" * 57)

    assert host.ask("0000000101" + "00" * 59, 8) == "00000001bf000104"
    assert host.ask("00000001810001aa", 8) == "00000001810001aa"


def test_another_channel_is_told_that_it_is_busy():
    """While a touch is awaited, nobody else gets in; a stray continuation is ignored."""
    host = Host()
    host.init()
    host.send("00000001d10000")
    host.send("0000000100aabb")

    assert host.ask("00000002e20000", 8) == "00000002bf000106"
    assert host.receive(8) == KEEPALIVE


# --- the admin application ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "answer"),
    [
        ("00000001e10000", "00000001e10004004001c0"),
        ("00000001e1000101", "00000001e10005" + b"1.7.0".hex()),
        ("00000001e20000", "00000001e20010" + UUID.hex()),
        ("00000001e30000", "00000001e3000101"),
        ("00000001e00000", "00000001e00039"),
        ("00000001f2000180", "00000001f20007003c01d5010001"),
        ("00000001f20001" + "62", "00000001f20010" + UUID.hex()),
        ("00000001f2000161", "00000001f20004004001c0"),
        ("00000001f20000", "00000001bf000103"),
        ("00000001f2000199", "00000001bf000101"),
    ],
)
def test_the_admin_commands_answer_as_published(report, answer):
    """Directly, or as the first byte behind 72."""
    assert Host().ask(report).startswith(answer)


def test_random_bytes_are_new_each_time():
    """57 bytes fill a report."""
    host = Host()

    assert host.ask("00000001e00000") != host.ask("00000001e00000")


@pytest.mark.parametrize("length", [1, 4, 5, 7])
def test_an_older_firmware_tells_less_of_its_status(length):
    """The reply grew with the years."""
    host = Host(faults=FirmwareFaults(status_length=length, status_flags=0x84))

    assert host.ask("00000001f2000180", 8) == f"00000001f200{length:02x}84"


def test_firmware_older_than_that_knows_no_status_and_the_oldest_no_uuid():
    """An unknown command is age, not a fault."""
    host = Host(faults=FirmwareFaults(status_length=0, has_uuid=False))

    assert host.ask("00000001f2000180", 8) == "00000001bf000101"
    assert host.ask("00000001e20000", 7) == "00000001e20000"


def test_update_waits_fifteen_seconds_for_a_touch():
    """Keepalives ask for it; then an error that borrows the code of a wrong length."""
    host = Host()
    host.send("00000001d10000")
    start = host.wires.passed

    assert host.after_keepalives() == (150, NOT_TOUCHED)
    assert host.wires.passed - start == pytest.approx(15.0)
    assert (host.key.away, host.key.mode) == (None, Mode.FIRMWARE)


@pytest.mark.parametrize(("who", "ids"), [(NK3A_NFC, "20a0:42dd"), (NK3A_MINI, "20a0:42e8")])
def test_a_touch_takes_it_to_the_bootloader_of_its_chip(who, ids):
    """No answer: the pipe breaks, and another identity comes up 0.3 s later."""
    host = Host(who)
    host.wires.touches_after = 3.0
    host.send("00000001d10000")
    with pytest.raises(Gone):
        host.after_keepalives()

    assert host.wires.come_back() == 0.3
    assert host.wires.ids == ids


def test_a_touch_before_it_is_asked_for_counts_for_nothing():
    """A resting finger is no consent."""
    host = Host()
    host.key.press("touch")
    host.send("00000001d10000")

    assert host.after_keepalives()[1] == NOT_TOUCHED


def test_a_data_byte_of_01_with_update_erases_the_lpc55_for_good():
    """Unplugged and plugged in, it is still its bootloader; without the byte it is not."""
    for data, ids in (("01", "20a0:42dd"), ("00", "20a0:42b2")):
        host = Host()
        host.wires.touches_after = 0.5
        host.send("00000001d10001" + data)
        with pytest.raises(Gone):
            host.after_keepalives()
        host.wires.come_back()
        host.wires.replug()

        assert host.wires.ids == ids


def test_the_same_byte_is_a_plain_reset_on_the_nrf52():
    """It comes back as what it was."""
    host = Host(NK3A_MINI)
    host.wires.touches_after = 0.5
    host.send("00000001d1000101")
    with pytest.raises(Gone):
        host.after_keepalives()
    host.wires.come_back()

    assert host.wires.ids == "20a0:42b2"


def test_reboot_needs_no_touch_and_has_no_answer():
    """It is gone at once."""
    host = Host()
    host.send("00000001d30000")

    assert host.key.away == Away(1.5)
    host.wires.come_back()
    assert host.wires.ids == "20a0:42b2"


def test_a_key_that_is_lost_while_it_waits_breaks_the_pipe():
    """The same broken pipe as success: only what comes back tells them apart."""
    host = Host(faults=FirmwareFaults(gone_while_waiting=5))
    host.send("00000001d10000")
    with pytest.raises(Gone):
        host.after_keepalives()

    assert host.key.away == Away(None)
    with pytest.raises(ValueError, match="plug it in first"):
        host.key.press("touch")


# --- the same by its card -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("00610000", "004001c09000"),
        ("0061000101" + "01", "004001c09000"),  # the mode is looked for in P1, not in P2
        ("00610100", b"1.7.0".hex() + "9000"),
        ("0062000010", UUID.hex() + "9000"),
        ("00800000", "003c01d50100019000"),
        ("00990000", "6d00"),
        ("00850000037069" + "78", "029000"),
    ],
)
def test_the_card_reader_reaches_the_same_application(command, answer):
    """After SELECT by its AID."""
    host = Host()

    assert host.apdu("00620000") == "6d00"
    assert host.apdu(ADMIN) == "9000"
    assert host.apdu(command) == answer


def test_update_by_card_is_not_confirmed_with_6985():
    """The card's own word for no touch."""
    host = Host()
    host.apdu(ADMIN)

    assert host.apdu("00510000") == "6985"
    assert host.apdu("00a4040006d27600012402") == "6a82"


def test_update_by_card_breaks_the_pipe_once_touched():
    """A message on the wire: XfrBlock, then nothing but a device that is gone."""
    host = Host()
    host.wires.touches_after = 1.0
    for message in (
        "62000000000000000000",
        "6f0e000000000100 0000" + ADMIN,
        "6f04000000000200 0000" + "00510000",
    ):
        raw = bytes.fromhex(message)
        host.wires.send(raw, "0b0000", 2)
        if raw[0] == 0x62 or raw[6] == 1:
            host.wires.receive("0b0000", 2)
    with pytest.raises((Gone, Silence)):
        for _ in range(20):
            host.wires.receive("0b0000", 2, timeout=20.0)

    assert host.key.away == Away(0.3)
    assert host.key.slot.card is None
    host.wires.come_back()
    assert (host.wires.ids, host.wires.key.speed) == ("20a0:42dd", "high")


# --- factory reset, configuration ---------------------------------------------------------------


def full() -> dict:
    return {
        "contents": Contents({"fido", "secrets"}, {"fido.disable_skip_up_timeout": "true"}),
        "holdings": Holdings(pin_set=True, pin_tries=3, residents=7),
    }


def test_a_factory_reset_needs_a_touch_and_then_reboots():
    """01 without one; afterwards nothing of the owner's is left."""
    host = Host(**full())
    host.send("00000001f2000184")
    assert host.after_keepalives()[1] == "00000001f2000101"
    assert host.key.contents.used == {"fido", "secrets"}

    host.wires.touches_after = 1.0
    host.send("00000001f2000184")
    with pytest.raises(Gone):
        host.after_keepalives()

    assert (host.key.contents.used, host.key.contents.settings) == (set(), {})
    assert (host.key.holdings.pin_set, host.key.holdings.residents) == (False, 0)


@pytest.mark.parametrize(
    ("name", "answer"),
    [(b"secrets", "00"), (b"fido", "00"), (b"telephone", "02"), (b"\xff\xfe", "03")],
)
def test_one_application_is_reset_by_its_name(name, answer):
    """What is not reset is untouched."""
    host = Host(**full())
    host.wires.touches_after = 1.0
    host.send(f"00000001f200{len(name) + 1:02x}85" + name.hex())

    assert host.after_keepalives()[1] == f"00000001f20001{answer}"
    wiped = {name.decode()} if answer == "00" else set()
    assert host.key.contents.used == {"fido", "secrets"} - wiped
    assert host.key.holdings.residents == (0 if b"fido" == name else 7)


def test_the_configuration_is_listed_read_and_set():
    """CBOR both ways; the destructive field needs a touch."""
    host = Host()
    listed = bytes.fromhex(host.ask("00000001f2000186")[10:])
    length = int.from_bytes(listed[:2], "big")
    rest = b""
    while len(listed) - 2 + len(rest) < length:
        rest += bytes.fromhex(host.receive(64))[5:]
    fields = cbor.decode((listed[2:] + rest)[:length])

    assert [each["n"] for each in fields] == [
        "fido.disable_skip_up_timeout",
        "opcard.use_se050_backend",
    ]
    assert [each["d"] for each in fields] == [False, True]


# --- FIDO ---------------------------------------------------------------------------------------


def test_get_info_is_cbor_with_the_keys_own_facts():
    """NFC only where there is an antenna; clientPin says whether a PIN is set."""
    for who, transports in ((NK3A_NFC, ["nfc", "usb"]), (PASSKEY, ["usb"])):
        host = Host(who, holdings=Holdings(pin_set=True))
        raw = bytes.fromhex(host.ask("0000000190000104"))
        length = int.from_bytes(raw[5:7], "big")
        data = raw[7:]
        while len(data) < length:
            data += bytes.fromhex(host.receive(64))[5:]
        info = cbor.decode(data[1:length])

        assert data[0] == 0
        assert info[3].hex() == who.aaguid
        assert (info[4]["clientPin"], info[9]) == (True, transports)


def test_pin_tries_are_told_without_a_pin():
    """clientPIN, getPINRetries."""
    host = Host(holdings=Holdings(pin_set=True, pin_tries=3))

    assert host.ask("0000000190000606a201010201")[14:26] == "00a2030304f4"


@pytest.mark.parametrize(("uptime", "status"), [(0.0, "00"), (10.9, "00"), (11.0, "30")])
def test_a_reset_is_taken_within_ten_whole_seconds_of_power(uptime, status):
    """10.999 s pass, because the firmware drops the fraction."""
    host = Host(faults=FirmwareFaults(uptime=uptime), **full())
    host.wires.touches_after = 0.0

    assert host.reset() == status
    assert host.key.holdings.residents == (0 if status == "00" else 7)


def test_the_window_is_measured_by_the_clock_it_is_given():
    """Time that the key does not work in counts too, and power begins it anew."""
    host = Host(now=100.0, **full())
    host.clock = 112.0
    assert host.reset() == "30"

    host.wires.replug()
    host.init()
    host.wires.touches_after = 0.0
    host.clock += 5.0
    assert host.reset() == "00"


def test_a_reset_that_nobody_touches_changes_nothing():
    """USER_ACTION_TIMEOUT after 30 s; KEEPALIVE_CANCEL when the host cancels."""
    host = Host(**full())
    host.send("0000000190000107")
    assert host.after_keepalives() == (300, "000000019000012f")

    other = Host(**full())
    other.send("0000000190000107")
    assert other.receive(8) == KEEPALIVE
    other.send("00000001910000")
    assert other.after_keepalives()[1] == "000000019000012d"
    assert host.key.holdings.residents == other.key.holdings.residents == 7


# --- what it is on the bus ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "ids", "classes"),
    [
        (NK3A_NFC, "20a0:42b2", ["0b0000", "030000"]),
        (NK3A_MINI, "20a0:42b2", ["0b0000", "030000"]),
        (PASSKEY, "20a0:42f3", ["030000"]),
    ],
)
def test_firmware_shows_no_serial_and_its_version_as_plain_bytes(who, ids, classes):
    """bcdDevice of 1.10 is 010A."""
    wires = Wires(Build(who, UUID, Version(1, 10, 3)))
    seen = wires.key.descriptors()

    assert wires.ids == ids
    assert (seen.device[12:14].hex(), seen.device[16]) == ("0a01", 0)
    assert [each.class_code for each in endpoints_of(seen.configuration)] == classes


def test_the_buttons_it_has_are_named():
    """Anything else is refused in words."""
    key = Wires(Build(NK3A_NFC, UUID, Version(1, 7, 0))).key

    with pytest.raises(ValueError, match="there is: touch, attach"):
        key.press("reset")
    with pytest.raises(ValueError, match="runs its firmware"):
        key.press("attach")
    with pytest.raises(Stall):
        key.send(0x07, b"")


def test_a_key_goes_on_in_another_process_where_it_was():
    """Frozen while it waits for a touch, it still waits; what it holds is what it held."""
    host = Host(**full())
    host.send("00000001f2000485" + b"piv".hex())
    assert host.receive(8) == KEEPALIVE
    frozen = json.loads(json.dumps(host.key.freeze()))

    other = Host()
    other.key.thaw(frozen)
    other.wires.touches_after = 0.0

    assert other.after_keepalives()[1] == "00000001f2000100"
    assert other.key.holdings == host.key.holdings
    assert other.key.contents.settings == host.key.contents.settings
