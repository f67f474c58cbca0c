"""Modules that are not the application: their own head says where, for whom, and whether whole."""

from __future__ import annotations

import pytest

from console.errors import GateClosed
from console.families.particle.simulator_rows import PHOTON, ROWS, Personality
from tests.families.particle.boards import on_the_bench
from tests.families.particle.images import K, changes, module
from tests.harness import workshop

LATER = [row for row in ROWS if row.name != "Spark Core"]
SYSTEM_PART = 0x0802_0000
SECOND_PLACE = 0x000B_4000
"""Where an application of 256 KiB begins on the third generation."""


def elsewhere(row: Personality) -> int:
    """A place of modules of this board that is not the application's."""
    return SECOND_PLACE if row.dfu_pid >= 0xD00C else SYSTEM_PART


def spoilt(row: Personality, change: str) -> bytes:
    """A module for there that must not be written."""
    at, number = elsewhere(row), row.dfu_pid & 0xFF
    whole = module(at, number, 20 * K)
    return {
        "torn": whole[: 9 * K],
        "changed": whole[:5000] + b"?!" + whole[5002:],
        "another": module(at, 0x08 if number == 0x06 else 0x06, 20 * K),
        "unknown": module(at, 99, 20 * K),
    }[change]


@pytest.mark.parametrize("row", LATER, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("torn", "It has 9216 of 20480 bytes."),
        ("changed", "Its own checksum is wrong."),
        ("another", "It is for the P"),
        ("unknown", "It is for the platform 99."),
    ],
)
def test_a_module_that_is_torn_or_for_another_board_is_refused_wherever_it_lies(row, change, words):
    """A system part decides whether the board starts, as much as its application."""
    at = elsewhere(row)
    with pytest.raises(GateClosed) as refused:
        changes(row, "part.bin", spoilt(row, change), at)
    assert f"no module for a {row.name} at 0x{at:X}." in refused.value.sentence
    assert words in refused.value.sentence
    assert refused.value.advice.startswith("Nothing is written.")


@pytest.mark.parametrize("row", LATER, ids=lambda row: row.name)
def test_a_whole_module_for_the_board_is_taken(row):
    """At its own place, and with the blank that may follow it."""
    at = elsewhere(row)
    whole = module(at, row.dfu_pid & 0xFF, 20 * K) + b"\xff" * 512
    (change,) = changes(row, "part.bin", whole, at)
    assert (change.written[0].address, change.size) == (at, len(whole))


def test_bytes_without_a_head_go_where_they_are_sent():
    """Nobody can judge them."""
    (change,) = changes(PHOTON, "part.bin", b"\x12" * 1500, SYSTEM_PART)
    assert change.size == 1500


def test_a_module_for_another_place_is_refused_whole_or_torn():
    """Its head is no data like any other."""
    for size in (1 * K, 2 * K):
        with pytest.raises(GateClosed) as refused:
            changes(PHOTON, "part.bin", module(0x0804_0000, 0x06, 2 * K)[:size], SYSTEM_PART)
        assert "It is made for 0x8040000." in refused.value.sentence


@pytest.mark.parametrize("change", ["torn", "another"])
def test_no_page_is_erased_for_a_system_part_that_is_refused(tmp_path, change):
    """Its head says where it belongs, or somebody typed it."""
    path = tmp_path / "system-part1.bin"
    path.write_bytes(spoilt(PHOTON, change))
    answers = {"image": str(path), "address": f"0x{SYSTEM_PART:X}"}
    with workshop(tmp_path / "state", on_the_bench(PHOTON)) as shop:
        for given in (answers, {"image": str(path)}):
            view = shop.run("particle.flash", answers=given)
            assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        counts = shop.bus.simulator().counts
        assert (counts.erased, counts.written) == ([], [])
