"""What an SB2.1 file costs the owner of a key: read from its commands, said before it is sent."""

from __future__ import annotations

import pytest

from console.families.nitrokey3 import rules
from console.families.nitrokey3.container import Chip, Image, read
from tests.families.nitrokey3 import made

LOAD, FILL, ERASE = 2, 3, 7
ALL, ALL_AND_UNSECURE = 1, 2
STAYS = "passkeys and OpenPGP keys stay"
WHOLE = "the whole flash is erased"


def ordered(commands: bytes, erases: tuple[int, int] = (0, 0x93000)) -> Image:
    """A file that says these commands after its erase of `erases`."""
    return read(made.sb2_file(erases=erases, commands=commands)).image(Chip.LPC55)


@pytest.mark.parametrize("flags", [ALL, ALL_AND_UNSECURE, ALL | 8 << 8])
def test_a_file_that_erases_all_is_said_to(flags: int) -> None:
    """NXP's tools write no address and no count for it: the flag is all that says it."""
    image = ordered(made.order(ERASE, 0, 0, flags=flags))
    assert rules.loses_data(image)
    words = rules.loses(image)
    assert WHOLE in words and "WITH IT" in words and STAYS not in words
    assert "0x0 to 0x0" not in words


def test_an_erase_of_nothing_is_not_counted() -> None:
    image = ordered(made.order(ERASE, 0x94000, 0))
    assert not rules.loses_data(image)
    assert rules.loses(image) == f"The firmware is replaced (0x0 to 0x93000 is erased); {STAYS}."


@pytest.mark.parametrize(
    ("address", "count", "lost"),
    [(0x94000, 512, True), (0x92FFC, 8, True), (0x92F00, 256, False), (0x9DE00, 256, False)],
)
def test_what_is_written_where_the_owners_store_is_counts_too(
    address: int, count: int, lost: bool
) -> None:
    for command in (
        made.order(FILL, address, count, 0xFFFF_FFFF),
        made.load(b"\xff" * count, address),
    ):
        image = ordered(command)
        assert rules.loses_data(image) is lost
        words = rules.loses(image)
        assert ("WITH IT" in words) is lost
        assert (f"0x{address:X} to 0x{address + count:X} is written over" in words) is lost


def test_of_many_areas_the_first_are_named() -> None:
    image = ordered(b"".join(made.order(FILL, 0x94000 + at * 64, 4) for at in range(200)))
    assert "and 197 more is written over" in rules.loses(image)
    assert len(rules.loses(image)) < 240


def test_a_flag_of_another_command_erases_nothing() -> None:
    assert not rules.loses_data(ordered(made.order(FILL, 0x1000, 64, 0, flags=3)))
