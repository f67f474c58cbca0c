"""What every simulated device answers: standard requests over its descriptors (USB 2.0, 9.4)."""

from __future__ import annotations

import pytest

from console.hardware.simulated import (
    Descriptors,
    Setup,
    Stall,
    StandardRequests,
    configuration_descriptor,
    device_descriptor,
    endpoint_descriptor,
    interface_descriptor,
    interfaces_of,
    is_standard,
)

DEVICE = "120100020000004009120100030201020301"
CONFIGURATION = "0902220001010080320904000001ff000000070581024000000904000100fe010204"
THING = Descriptors(
    device_descriptor(vid=0x1209, pid=0x0001, release=0x0203),
    configuration_descriptor(
        (
            interface_descriptor(0, 0, (0xFF, 0, 0), 1),
            endpoint_descriptor(0x81, 2, 64),
            interface_descriptor(0, 1, (0xFE, 1, 2), 0, string=4),
        ),
        1,
    ),
    {1: "Maker", 2: "Grün", 3: ""},
)


def get(request_type: int, request: int, value: int = 0, index: int = 0, length: int = 255) -> str:
    """The answer of a device that was just plugged in."""
    setup = Setup(request_type, request, value, index, length)
    return StandardRequests().answer(THING, setup).hex()


@pytest.mark.parametrize(
    ("value", "length", "answer"),
    [
        (0x0100, 255, DEVICE),
        (0x0100, 8, DEVICE[:16]),
        (0x0200, 255, CONFIGURATION),
        (0x0200, 9, CONFIGURATION[:18]),
        (0x0300, 255, "04030904"),
        (0x0302, 255, "0a0347007200fc006e00"),
        (0x0303, 255, "0203"),
    ],
    ids=["device", "its head", "configuration", "its head", "language", "text", "empty text"],
)
def test_descriptors_are_given_as_far_as_they_are_asked_for(value, length, answer):
    """GET_DESCRIPTOR; texts are UTF-16, index 0 is the list of languages."""
    assert get(0x80, 6, value, 0x0409, length) == answer


@pytest.mark.parametrize("value", [0x0304, 0x0600, 0x0201, 0x2100])
def test_a_descriptor_it_does_not_have_stalls(value):
    """No such text, no high speed, no second configuration, nothing of a class."""
    with pytest.raises(Stall):
        get(0x80, 6, value)


def test_its_status_is_neither_halted_nor_able_to_wake_the_host():
    """Two bytes of zeros, for the device and for an interface."""
    assert (get(0x80, 0), get(0x81, 0)) == ("0000", "0000")


def test_what_the_host_sets_it_remembers():
    """Configuration and alternate setting; a new configuration forgets the latter."""
    device = StandardRequests()
    asks = (Setup(0x80, 8, 0, 0, 1), Setup(0x81, 10, 0, 0, 1))
    device.answer(THING, Setup(0x00, 9, 1, 0, 0))
    device.answer(THING, Setup(0x01, 11, 1, 0, 0))
    chosen = [device.answer(THING, ask) for ask in asks]
    device.answer(THING, Setup(0x00, 9, 1, 0, 0))
    assert chosen == [b"\x01", b"\x01"]
    assert [device.answer(THING, ask) for ask in asks] == [b"\x01", b"\x00"]


@pytest.mark.parametrize(
    "setup",
    [Setup(0, 9, 2, 0, 0), Setup(1, 11, 2, 0, 0), Setup(1, 11, 0, 1, 0), Setup(0, 99, 0, 0, 0)],
)
def test_what_is_not_there_cannot_be_chosen(setup):
    """A second configuration, a third setting, a second interface, an unknown request."""
    with pytest.raises(Stall):
        StandardRequests().answer(THING, setup)


def test_class_and_vendor_requests_are_not_standard():
    """Bits 5 and 6 of the request type."""
    types = (0x00, 0x80, 0x01, 0x21, 0xA1, 0x40, 0xC0)
    assert [is_standard(Setup(each, 0, 0, 0, 0)) for each in types] == [True] * 3 + [False] * 4


def test_interfaces_are_found_between_other_descriptors():
    """Each alternate setting with its class; a length of nothing ends the search."""
    expected = {(0, 0): "ff0000", (0, 1): "fe0102"}
    assert interfaces_of(THING.configuration) == expected
    assert interfaces_of(THING.configuration + b"\x00\x04") == expected
