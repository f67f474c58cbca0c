"""A CCID function at the wire: messages in, messages out (USB CCID 1.10, chapter 6)."""

from __future__ import annotations

import struct

import pytest

from console.hardware.simulated import Setup, Stall, interfaces_of
from console.hardware.simulated_card import SLICE
from console.hardware.simulated_ccid import EXTENDED, GNUK, SHORT, Ccid
from console.hardware.simulated_composite import endpoints_of
from tests.simulated_cards import ATR, ECHO, LONG, MUTE, TOUCH, WORK, ZEBRA, reader

POWER_ON, POWER_OFF, STATUS, XFR, ABORT = 0x62, 0x63, 0x65, 0x6F, 0x72
DATA_BLOCK, SLOT_STATUS, PARAMETERS = 0x80, 0x81, 0x82
OK = "9000"


class Host:
    """The other end of the endpoints; time is what the device lets pass."""

    def __init__(self, **options) -> None:
        self.passed = 0.0
        self.happens: dict[float, str] = {}
        self.device = reader(self._pause, **options)
        self.sequence = 0

    def _pause(self, seconds: float) -> None:
        self.passed += seconds
        for at in [at for at in self.happens if at <= self.passed]:
            self.device.press(self.happens.pop(at))

    def say(self, kind: int, body: bytes = b"", level: int = 0, slot: int = 0) -> None:
        self.sequence += 1
        head = struct.pack("<BIBBBH", kind, len(body), slot, self.sequence, 0, level)
        self.device.send(0x01, head + body)

    def hear(self) -> tuple[int, int, int, int, bytes]:
        """Type, bStatus, bError, the last header byte, the data; all the rest is checked."""
        message = self.device.receive(0x81, 65556)
        assert message is not None
        kind, length, slot, sequence, status, error, last = struct.unpack_from("<BIBBBBB", message)
        assert (length, slot, sequence) == (len(message) - 10, 0, self.sequence)
        return kind, status, error, last, message[10:]

    def ask(self, kind: int, body: bytes = b"", level: int = 0):
        self.say(kind, body, level)
        return self.hear()

    def powered(self) -> Host:
        assert self.ask(POWER_ON) == (DATA_BLOCK, 0, 0, 0, ATR)
        return self


def apdu(instruction: int, p1: int = 0, p2: int = 0, data: bytes = b"") -> bytes:
    return bytes((0, instruction, p1, p2)) + (bytes((len(data),)) + data if data else b"")


def test_the_class_descriptor_is_a_gnuks_byte_for_byte():
    """As read from a Gnuk: short APDUs, 271 bytes a message."""
    device = Host().device.descriptors()
    known = (
        "36211001000102000000a00f0000a00f000000802500008025000000fe00000000000000000000007a040200"
        "0f010000ffff00000001"
    )
    assert device.configuration[18:72].hex() == known
    assert interfaces_of(device.configuration) == {(0, 0): "0b0000"}
    assert [found[0] for found in endpoints_of(device.configuration)[0].found] == [1, 0x81, 0x82]
    assert device.device[14:17].hex() == "010200"


def test_a_card_is_powered_asked_and_switched_off():
    """bmICCStatus: inactive, active, inactive again; the card has lost its state."""
    host = Host()
    assert host.ask(STATUS) == (SLOT_STATUS, 1, 0, 0, b"")
    host.powered()
    assert host.ask(XFR, apdu(0xA4)) == (DATA_BLOCK, 0, 0, 0, bytes.fromhex(OK))
    assert host.device.card.selected
    assert host.ask(POWER_OFF) == (SLOT_STATUS, 1, 0, 0, b"")
    assert not host.device.card.selected
    assert host.ask(XFR, apdu(0xA4)) == (DATA_BLOCK, 0x41, 0xFE, 0, b"")


def test_more_time_is_asked_for_while_the_card_works():
    """Every 1.95 s, with multiplier 1; the answer follows under the same sequence number."""
    host = Host().powered()
    host.say(XFR, apdu(WORK, 5))
    said = [host.hear() for _ in range(3)]
    assert said[:2] == [(DATA_BLOCK, 0x80, 1, 0, b"")] * 2
    assert said[2] == (DATA_BLOCK, 0, 0, 0, bytes.fromhex(OK))
    assert host.passed == pytest.approx(5.0, abs=2 * SLICE)


def test_a_touch_is_waited_for_with_another_multiplier():
    """0xFF until it is touched."""
    host = Host().powered()
    host.happens[4.5] = "touch"
    host.say(XFR, apdu(TOUCH))
    said = [host.hear() for _ in range(3)]
    assert [each[:3] for each in said] == [
        (DATA_BLOCK, 0x80, 0xFF),
        (DATA_BLOCK, 0x80, 0xFF),
        (DATA_BLOCK, 0, 0),
    ]


def test_a_gnuk_asks_for_time_before_every_answer():
    """However fast it is."""
    host = Host(manners=GNUK).powered()
    assert host.ask(XFR, apdu(0xA4)) == (DATA_BLOCK, 0x80, 1, 0, b"")
    assert (host.hear()[4], host.passed) == (bytes.fromhex(OK), 0.0)


def test_a_mute_card_is_given_up():
    """ICC_MUTE after the waiting time, and no extension before."""
    host = Host().powered()
    assert host.ask(XFR, apdu(MUTE)) == (DATA_BLOCK, 0x40, 0xFE, 0, b"")
    assert host.passed == pytest.approx(SHORT.mute_after, abs=2 * SLICE)


def test_a_card_without_an_answer_to_reset_is_mute():
    """The wrong way round: it is there, and not active."""
    host = Host()
    host.device.card.atr = b""
    assert host.ask(POWER_ON) == (DATA_BLOCK, 0x41, 0xFE, 0, b"")


def test_taking_the_card_out_ends_its_work_and_is_told():
    """The block fails without a card; the interrupt endpoint says that it changed."""
    host = Host().powered()
    assert host.device.receive(0x82, 8) == b"\x50\x03"
    assert host.device.receive(0x82, 8) is None
    host.happens[1.0] = "remove"
    assert host.ask(XFR, apdu(WORK, 60)) == (DATA_BLOCK, 0x42, 0xFE, 0, b"")
    assert host.device.receive(0x82, 8) == b"\x50\x02"
    assert host.passed < 1.5
    assert host.device.card.done == 0


def test_another_card_is_told_and_has_no_power():
    """Also where it came between two looks."""
    host = Host().powered()
    host.device.receive(0x82, 8)
    host.device.press("remove")
    host.device.press("insert")
    assert host.device.receive(0x82, 8) == b"\x50\x03"
    assert host.ask(STATUS) == (SLOT_STATUS, 1, 0, 0, b"")
    assert host.device.slots[0].inserted == 2


def test_an_empty_reader_says_so_in_every_answer():
    """bmICCStatus 2."""
    host = Host(present=False)
    assert host.ask(STATUS) == (SLOT_STATUS, 2, 0, 0, b"")
    assert host.ask(POWER_ON) == (DATA_BLOCK, 0x42, 0xFE, 0, b"")
    assert host.device.receive(0x82, 8) is None


@pytest.mark.parametrize("word", ["remove", "touch"])
def test_what_cannot_be_done_by_hand_is_said(word):
    """As ValueError with a sentence."""
    with pytest.raises(ValueError, match=r"[Nn]o card"):
        Host(present=False).device.press(word)


def test_unknown_commands_slots_and_lengths_are_refused():
    """The error names the offset of the field that is wrong."""
    host = Host().powered()
    assert host.ask(0x99) == (SLOT_STATUS, 0x40, 0, 0, b"")
    assert host.ask(0x6B, b"vendor") == (SLOT_STATUS, 0x40, 0, 0, b"")
    assert host.ask(XFR, bytes(262)) == (SLOT_STATUS, 0x40, 1, 0, b"")
    host.sequence += 1
    host.device.send(0x01, struct.pack("<BIBB3x", STATUS, 0, 3, host.sequence))
    assert host.hear() == (SLOT_STATUS, 0x42, 5, 0, b"")


def test_a_second_command_while_the_card_works_is_refused():
    """CMD_SLOT_BUSY, and the first is answered all the same."""
    host = Host().powered()
    host.say(XFR, apdu(WORK, 1))
    assert host.ask(XFR, apdu(0xA4)) == (SLOT_STATUS, 0x40, 0xE0, 0, b"")
    host.sequence -= 1
    assert host.hear() == (DATA_BLOCK, 0, 0, 0, bytes.fromhex(OK))


def test_an_abort_ends_the_command_in_either_order():
    """The request alone refuses what comes until its message arrives (5.3.1)."""
    host = Host().powered()
    host.say(XFR, apdu(WORK, 60))
    host.device.control(Setup(0x21, 1, 0x0500, 0, 0), b"")
    assert host.hear() == (DATA_BLOCK, 0x40, 0xFF, 0, b"")
    assert host.ask(XFR, apdu(0xA4)) == (SLOT_STATUS, 0x40, 0xFF, 0, b"")
    assert host.ask(ABORT) == (SLOT_STATUS, 0, 0, 0, b"")
    assert host.ask(XFR, apdu(0xA4))[4] == bytes.fromhex(OK)
    assert host.passed == 0.0


def test_parameters_are_kept_and_reset():
    """T=1: protocol number 1 and seven bytes."""
    host = Host().powered()
    first = host.ask(0x6C)
    assert (first[0], first[3], len(first[4])) == (PARAMETERS, 1, 7)
    assert host.ask(0x61, bytes(7))[4] == bytes(7)
    assert host.ask(0x6C)[4] == bytes(7)
    assert host.ask(0x6D) == first


def test_requests_to_the_interface_tell_clock_and_rate():
    """And nothing else is known there."""
    device = Host().device
    assert device.control(Setup(0xA1, 2, 0, 0, 4), b"") == struct.pack("<I", 4000)
    assert device.control(Setup(0xA1, 3, 0, 0, 4), b"") == struct.pack("<I", 9600)
    with pytest.raises(Stall):
        device.control(Setup(0xA1, 9, 0, 0, 4), b"")


def test_a_host_that_reads_in_pieces_gets_the_whole_message():
    """One packet at a time."""
    host = Host().powered()
    host.say(XFR, apdu(LONG, 0, 200))
    pieces = []
    while piece := host.device.receive(0x81, 64):
        pieces.append(piece)
    assert [len(piece) for piece in pieces] == [64, 64, 64, 20]
    assert b"".join(pieces)[10:] == bytes(range(200)) + bytes.fromhex(OK)


def test_long_commands_and_answers_are_chained_at_the_extended_level():
    """wLevelParameter 1, 3, 2 for the command; 16 asks for more of the answer."""
    host = Host(manners=EXTENDED).powered()
    command = bytes((0, ECHO, 0, 0, 0)) + (7000).to_bytes(2, "big") + bytes(7000)
    assert host.ask(XFR, command[:3062], 1)[3] == 0x10
    assert host.ask(XFR, command[3062:6124], 3)[3] == 0x10
    first = host.ask(XFR, command[6124:], 2)
    second, third = host.ask(XFR, b"", 16), host.ask(XFR, b"", 16)
    assert [first[3], second[3], third[3]] == [1, 3, 2]
    assert first[4] + second[4] + third[4] == command + bytes.fromhex(OK)
    assert host.device.card.begun == [command]


def test_the_level_is_said_in_the_descriptor_and_kept_by_the_slot():
    """261 bytes at the short level."""
    device = Host(manners=EXTENDED).device
    assert struct.unpack_from("<II", device.descriptors().configuration, 18 + 40) == (
        0x0004047A,
        3072,
    )
    assert (device.slots[0].longest, Host().device.slots[0].longest) == (65544, 261)


def test_power_ends_what_was_under_way():
    """The card forgets, the message is lost."""
    host = Host().powered()
    host.say(XFR, apdu(WORK, 60))
    host.device.power_on()
    assert host.device.receive(0x81, 64) is None
    assert host.ask(STATUS) == (SLOT_STATUS, 1, 0, 0, b"")


def test_another_process_may_go_on_with_it():
    """The card, whether it is in, and its power."""
    host, later = Host().powered(), Host(present=False)
    host.ask(XFR, apdu(WORK, 1))
    later.device.thaw(host.device.freeze())
    assert later.ask(STATUS) == (SLOT_STATUS, 0, 0, 0, b"")
    assert later.device.card.done == 1
    host.device.press("remove")
    later.device.thaw(host.device.freeze())
    assert later.ask(STATUS) == (SLOT_STATUS, 2, 0, 0, b"")


def test_escape_is_the_vendors_own():
    """Answered where somebody answers it."""
    host = Host()
    host.device.functions = (Ccid(host._pause, host.device.slots[0], escape=lambda b: b[::-1]),)
    assert host.ask(0x6B, b"abc") == (0x83, 1, 0, 0, b"cba")
    assert ZEBRA.speed == host.device.speed
