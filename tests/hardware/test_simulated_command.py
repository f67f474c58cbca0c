"""A command as a card takes it apart: the examples are written by hand from ISO 7816-4, 5.1."""

from __future__ import annotations

import pytest

from console.hardware.simulated_command import Command, parse

LONG = bytes(range(256)) + b"!"

CASES = {
    "00a40400": Command(0, 0xA4, 4, 0),
    "00b2010c00": Command(0, 0xB2, 1, 0x0C, expected=256),
    "00b2010c0a": Command(0, 0xB2, 1, 0x0C, expected=10),
    "0020008103313233": Command(0, 0x20, 0, 0x81, b"123"),
    "00a4040002600100": Command(0, 0xA4, 4, 0, bytes.fromhex("6001"), 256),
    "00b2010c000000": Command(0, 0xB2, 1, 0x0C, expected=65536, extended=True),
    "00b2010c000102": Command(0, 0xB2, 1, 0x0C, expected=258, extended=True),
    "002000810000023132": Command(0, 0x20, 0, 0x81, b"12", extended=True),
    "0020008100000231320000": Command(0, 0x20, 0, 0x81, b"12", 65536, extended=True),
    f"80780000000101{LONG.hex()}": Command(0x80, 0x78, 0, 0, LONG, extended=True),
    f"80780000000101{LONG.hex()}0010": Command(0x80, 0x78, 0, 0, LONG, 16, extended=True),
}


@pytest.mark.parametrize(("raw", "command"), CASES.items(), ids=lambda case: str(case)[:20])
def test_all_seven_forms_are_read(raw, command):
    """No data or some, no Le or one, short and extended; zero is the longest."""
    assert parse(bytes.fromhex(raw)) == command


@pytest.mark.parametrize(
    "raw",
    [
        *("", "00", "00a404", "0020008104313233", "00200081033132330000"),
        *("00a404000000", "00a4040000000361", "00a40400000002616200", "00a40400000000000000"),
    ],
)
def test_lengths_that_do_not_add_up_are_none(raw):
    """Cut at any byte, or a byte too long; an empty one is no command at all."""
    assert parse(bytes.fromhex(raw)) is None


def test_what_it_holds_is_in_no_repr():
    """It may be a PIN."""
    command = parse(bytes.fromhex("00200081064b414e415249"))

    assert command is not None
    assert command.data == b"KANARI"
    assert "KANARI" not in repr(command)
    assert command.parameters == 0x0081
