"""Devices of several functions, serial ports and HID interfaces, at the wire."""

from __future__ import annotations

import pytest

from console.hardware.simulated import Away, Hang, Setup, Stall, interfaces_of
from console.hardware.simulated_composite import Endpoints, endpoints_of
from tests.simulated_cards import REPORTS, Combined, reader


class Made(Combined):
    """With a pause that counts."""

    def __init__(self) -> None:
        self.passed: list[float] = []
        super().__init__(self.passed.append)


def test_all_functions_stand_in_one_configuration():
    """Numbered, with associations for those of two interfaces."""
    found = Made().descriptors()
    kinds = {number: kind for (number, _), kind in interfaces_of(found.configuration).items()}
    assert kinds == {
        **dict.fromkeys((0, 2), "020201"),
        **dict.fromkeys((1, 3), "0a0000"),
        **dict.fromkeys((4, 5), "030000"),
    }
    assert found.configuration[4] == 6
    assert found.configuration[9:17].hex() == "080b000202020100"
    assert found.device[4:7].hex() == "ef0201"


def test_the_endpoints_of_each_interface_are_found():
    """By direction and type; 0 where there is none."""
    by = {each.interface: each for each in endpoints_of(Made().descriptors().configuration)}
    data, hid, only_in = by[3], by[4], by[5]
    assert data == Endpoints(3, "0a0000", ((0x04, 2, 64), (0x84, 2, 64)))
    assert hid.first(into_host=True, kind=3) == 0x85
    assert hid.first(into_host=False, kind=3) == 0x05
    assert only_in.first(into_host=False, kind=3) == 0
    assert hid.packet(0x05) == 64


def test_what_is_sent_reaches_the_function_that_owns_the_endpoint():
    """Two serial ports that are not each other's."""
    device = Made()
    device.send(0x02, b"abc\n")
    device.send(0x04, b"de\nx")
    assert device.receive(0x84, 64) == b"bed\n"
    assert device.receive(0x82, 3) == b"acb"
    assert device.receive(0x82, 64) == b"a\n"
    assert device.receive(0x82, 64) is None
    with pytest.raises(Stall):
        device.send(0x0F, b"")


def test_requests_reach_the_function_that_owns_the_interface():
    """Line coding is the port's own; nobody's interface stalls."""
    device = Made()
    coding = bytes.fromhex("80250000000007")
    device.control(Setup(0x21, 0x20, 0, 2, 7), coding)
    device.control(Setup(0x21, 0x22, 1, 2, 0), b"")
    assert device.control(Setup(0xA1, 0x21, 0, 2, 7), b"") == coding
    assert device.control(Setup(0xA1, 0x21, 0, 0, 7), b"").hex() == "00c20100000008"
    assert [device.functions[1].baud, device.functions[1].dtr] == [9600, True]
    with pytest.raises(Stall):
        device.control(Setup(0xA1, 0x21, 0, 9, 7), b"")
    with pytest.raises(Stall):
        device.control(Setup(0xC0, 0x01, 0, 0, 7), b"")


def test_an_interface_tells_its_report_descriptor():
    """GET_DESCRIPTOR to the interface; standard requests to the device stay the device's."""
    device = Made()
    assert device.control(Setup(0x81, 6, 0x2200, 4, 255), b"") == REPORTS
    assert device.control(Setup(0x81, 6, 0x2200, 4, 5), b"") == REPORTS[:5]
    own = device.control(Setup(0x81, 6, 0x2100, 4, 9), b"")
    assert own.hex() == f"092111010001 22{len(REPORTS):02x}00".replace(" ", "")
    assert device.control(Setup(0x80, 6, 0x0100, 0, 18), b"")[0] == 18
    with pytest.raises(Stall):
        device.control(Setup(0x81, 6, 0x2300, 4, 9), b"")


def test_reports_come_and_go_by_endpoint_or_by_request():
    """SET_REPORT where there is no OUT endpoint; SET_IDLE is remembered."""
    device = Made()
    device.send(0x05, b"\x01\x02")
    assert device.receive(0x85, 64) == b"\x02\x03"
    assert device.receive(0x85, 64) is None
    device.control(Setup(0x21, 0x09, 0x0200, 5, 2), b"\x01\x02")
    assert device.receive(0x86, 64) == b"\x03\x04"
    device.control(Setup(0x21, 0x0A, 0x0400, 5, 0), b"")
    assert device.control(Setup(0xA1, 0x02, 0, 5, 1), b"") == b"\x04"
    for request in (Setup(0xA1, 0x01, 0x0300, 5, 8), Setup(0xA1, 0x03, 0, 5, 1)):
        with pytest.raises(Stall):
            device.control(request, b"")


def test_a_device_that_is_away_answers_nothing():
    """Neither requests nor endpoints."""
    device = Made()
    device.away = Away(None)
    for act in (
        lambda: device.send(0x02, b""),
        lambda: device.receive(0x82, 8),
        lambda: device.control(Setup(0x80, 0, 0, 0, 2), b""),
    ):
        with pytest.raises(Hang):
            act()
    device.power_on()
    assert device.control(Setup(0x80, 0, 0, 0, 2), b"") == b"\0\0"


def test_another_process_may_go_on_with_it():
    """What was not fetched, what was set."""
    device, later = Made(), Made()
    device.send(0x02, b"abc\n")
    device.receive(0x82, 1)
    device.control(Setup(0x21, 0x0A, 0x0400, 5, 0), b"")
    device.control(Setup(0x00, 9, 1, 0, 0), b"")
    device.send(0x02, b"abc\n")
    device.receive(0x82, 1)
    later.thaw(device.freeze())
    assert later.receive(0x82, 64) == b"cba\n"
    assert later.control(Setup(0x80, 8, 0, 0, 1), b"") == b"\x01"


def test_power_and_a_new_configuration_lose_what_was_not_fetched():
    """As a kernel's enumeration does."""
    device = Made()
    device.send(0x02, b"abcdefgh\n")
    device.receive(0x82, 1)
    device.control(Setup(0x00, 9, 1, 0, 0), b"")
    assert device.receive(0x82, 64) is None


def test_slots_are_found_among_the_functions():
    """One in a reader, none elsewhere; its speed is what it says."""
    card = reader(lambda _: None)
    assert [slot.name for slot in card.slots] == ["Stripes Zebra 00 00"]
    assert (Made().slots, Made().speed) == ((), "high")
