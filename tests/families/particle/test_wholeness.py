"""Torn, foreign and misplaced images: each is refused by what it says of itself."""

from __future__ import annotations

import random

import pytest

from console.errors import BadUsage, ConsoleError, GateClosed
from console.events import Asked
from console.families.particle.simulator_rows import CORE, PHOTON, ROWS
from console.journal import replay
from tests.families.particle.boards import on_the_bench
from tests.families.particle.images import (
    APPLICATION,
    K,
    changes,
    core_module,
    dfuse,
    hex_lines,
    module,
    vectors,
    written,
)
from tests.harness import workshop
from tests.realdata import real

ELECTRON = next(row for row in ROWS if row.name == "Electron")
ARGON = next(row for row in ROWS if row.name == "Argon")
PHOTON_APPLICATION, PHOTON_FACTORY = 0x080A_0000, 0x080E_0000
CORE_FACTORY = 0x2_0000


def refused(words: str, row, name: str, data: bytes, at: int | None = None) -> None:
    """The sentence has the reason; the advice begins with what is safe."""
    with pytest.raises((GateClosed, BadUsage)) as caught:
        changes(row, name, data, at)
    assert words in caught.value.sentence
    assert caught.value.advice.startswith("Nothing is written.")


# --- lines of a HEX file that are lost --------------------------------------------------------


def test_a_hex_file_that_lost_any_line_is_refused():
    """The vendor's application as HEX: its module's own checksum tells; a blank line is none."""
    lines = hex_lines((APPLICATION, real("core_tinker.bin").read_bytes()))
    (whole,) = changes(CORE, "a.hex", b"".join(lines))
    drawn = random.Random(7).sample(range(2, len(lines) - 3), 60)
    for lost in (0, 1, *drawn, len(lines) - 3, len(lines) - 2, len(lines) - 1):
        left = b"".join(lines[:lost] + lines[lost + 1 :])
        if lines[lost][:3] == b":04" and lines[lost][7:9] == b"05":
            continue  # a start address that no bootloader reads
        try:
            (change,) = changes(CORE, "a.hex", left)
        except ConsoleError as error:
            assert error.advice.startswith("Nothing is written.")
            continue
        assert written(change) == written(whole), f"line {lost}"


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (0, "puts bytes at 0x5000"),
        (1, "begins at 0x8005010, where no application begins"),
        (70, "has a hole from 0x8005450 to 0x8005460"),
    ],
)
def test_a_hex_file_without_a_checksum_of_its_own_has_no_hole(lost, words):
    """The line with the upper half of the address, the vectors, one in the middle."""
    lines = hex_lines((APPLICATION, vectors(4 * K)))
    refused(words, CORE, "a.hex", b"".join(lines[:lost] + lines[lost + 1 :]))


def test_a_hole_that_the_modules_checksum_proves_to_be_blank_is_written_as_blank():
    """Linkers leave such holes between sections; the .bin has FF there."""
    whole = core_module(4 * K, blank=range(1030, 1043))
    parts = (APPLICATION, whole[:1030]), (APPLICATION + 1043, whole[1043:])
    for name, data in (("a.hex", b"".join(hex_lines(*parts))), ("a.dfu", dfuse(*parts))):
        (change,) = changes(CORE, name, data)
        assert written(change) == ((APPLICATION, whole),)
    other = core_module(4 * K)
    parts = (APPLICATION, other[:1030]), (APPLICATION + 1043, other[1043:])
    refused("It has 1030 of 4096 bytes.", CORE, "a.hex", b"".join(hex_lines(*parts)))


def test_a_hex_file_goes_on_nowhere_behind_its_end():
    """Two files in one: the second would be passed over in silence."""
    one = b"".join(hex_lines((APPLICATION, vectors(2 * K))))
    refused("goes on behind its end record", CORE, "a.hex", one + one)


def test_a_hex_file_of_a_later_board_holds_modules_and_nothing_else():
    """Its application and a system part; without its first line, or a loose end, it is refused."""
    application = module(PHOTON_APPLICATION, 6, 4 * K, function=5)
    part = module(0x0802_0000, 6, 70 * K)
    lines = hex_lines((0x0802_0000, part), (PHOTON_APPLICATION, application))
    (change,) = changes(PHOTON, "a.hex", b"".join(lines))
    assert written(change) == ((0x0802_0000, part), (PHOTON_APPLICATION, application))
    for lost in (0, 1, 5, len(lines) - 2):
        with pytest.raises(ConsoleError):
            changes(PHOTON, "a.hex", b"".join(lines[:lost] + lines[lost + 1 :]))
    loose = b"".join(hex_lines((PHOTON_APPLICATION, application), (0x0806_0000, b"\x12" * 500)))
    refused("where no application begins", PHOTON, "a.hex", loose)


# --- made for another place or board ----------------------------------------------------------


@pytest.mark.parametrize("at", [CORE_FACTORY, 0x0800_6000, 0x6_0000, 0x0800_5000])
def test_another_boards_image_goes_nowhere_on_a_core(at):
    """The vendor's file for the Photon, wherever somebody sends it."""
    image = real("photon_tinker-0.4.5.bin").read_bytes()
    refused("It is for the Photon.", CORE, "a.bin", image, at)


@pytest.mark.parametrize("at", [0x0800_5400, 0x0801_0000 - 0x400, 0x6_0000])
def test_a_cores_application_goes_to_no_other_place(at):
    """With the head of its module, or with vectors alone."""
    refused("for a Spark Core at", CORE, "a.bin", core_module(4 * K), at)
    refused("vectors for another place", CORE, "a.bin", vectors(4 * K), at)


def test_the_vendors_application_at_a_wrong_address_is_refused():
    """It says itself where it belongs."""
    image = real("core_tinker.bin").read_bytes()
    refused("It is made for 0x8005000.", CORE, "a.bin", image, 0x0800_5400)


@pytest.mark.parametrize("size", [2000, 5323])
def test_a_torn_image_is_refused_at_the_factory_place_too(size):
    """It is linked to where the application lies, and checked for that."""
    image = real("photon_tinker-0.4.5.bin").read_bytes()
    refused(f"It has {size} of 5324 bytes.", PHOTON, "a.bin", image[:size], PHOTON_FACTORY)


def test_a_whole_application_is_taken_at_the_factory_place():
    """Of a Photon, and of a Core, whose factory place is in its external memory."""
    image = real("photon_tinker-0.4.5.bin").read_bytes()
    core = real("core_tinker.bin").read_bytes()
    for row, data, at in ((PHOTON, image, PHOTON_FACTORY), (CORE, core, CORE_FACTORY)):
        (change,) = changes(row, "a.bin", data, at)
        assert (written(change), change.remark) == (((at, data),), "")


def test_a_cut_or_changed_application_of_a_core_is_known_by_its_module():
    """Vectors alone could not tell."""
    whole = real("core_tinker.bin").read_bytes()
    refused("It has 98900 of 98932 bytes.", CORE, "a.bin", whole[:98900])
    changed = whole[:50000] + b"?" + whole[50001:]
    refused("Its own checksum is wrong.", CORE, "a.bin", changed)
    (change,) = changes(CORE, "a.bin", whole)
    assert written(change) == ((APPLICATION, whole),)


def test_an_application_in_the_middle_of_an_image_is_checked_as_well():
    """A .bin that begins below it and runs into it."""
    below = b"\x12" * K
    (change,) = changes(
        PHOTON, "a.bin", below + module(PHOTON_APPLICATION, 6, 4 * K, 5), PHOTON_APPLICATION - K
    )
    assert (change.size, change.remark) == (5 * K, "")
    refused("no application", PHOTON, "a.bin", below + b"\x34" * 4 * K, PHOTON_APPLICATION - K)


def test_what_an_image_puts_at_the_factory_place_behind_its_application_is_checked_too():
    """An image of a whole memory: blank there, or an application."""
    application = module(PHOTON_APPLICATION, 6, 4 * K, 5)
    filled = application.ljust(PHOTON_FACTORY - PHOTON_APPLICATION, b"\xff")
    for behind in (b"\xff" * 8 * K, application):
        (change,) = changes(PHOTON, "a.bin", filled + behind)
        assert change.size == len(filled + behind)
    refused("It has 4000 of 4096 bytes.", PHOTON, "a.bin", filled + application[:4000])


def test_a_module_may_reach_over_where_smaller_applications_begin():
    """256 KiB on the third generation."""
    large = module(0x000B_4000, 0x0C, 200 * K, function=5)
    (change,) = changes(ARGON, "a.bin", large)
    assert (written(change), change.remark) == (((0x000B_4000, large),), "")


# --- packages of updates ----------------------------------------------------------------------


@pytest.mark.parametrize("flags", [0x01, 0x02, 0x04, 0x08, 0x03, 0x11])
def test_a_package_of_an_update_is_no_image_of_memory(flags):
    """Its head is to be dropped, or its body unpacked, by the device (device-os, module_info.h)."""
    words = "It is an update package, not an image of memory."
    refused(words, ARGON, "a.bin", module(0x1000, 0x0C, 6 * K, 6, flags))
    refused(words, ARGON, "a.bin", module(0x000D_4000, 0x0C, 6 * K, 5, flags))
    refused(words, CORE, "a.bin", core_module(6 * K, flags=flags))


def test_a_module_with_extensions_behind_its_head_lies_in_memory_so():
    """The one flag that says nothing of an update."""
    data = module(0x000D_4000, 0x0C, 6 * K, 5, flags=0x10)
    (change,) = changes(ARGON, "a.bin", data)
    assert written(change) == ((0x000D_4000, data),)


# --- pieces -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "at"),
    [
        (CORE, 0x0800_6400),
        (CORE, CORE_FACTORY + 4 * K),
        (PHOTON, PHOTON_APPLICATION + 16 * K),
        (PHOTON, PHOTON_FACTORY + 16),
        (ELECTRON, 0x080A_0000 + 4 * K),
    ],
)
def test_a_piece_goes_where_somebody_sends_it_and_nowhere_else(row, at):
    """An address that was typed is a wish; a file that leaves out the beginning is torn."""
    (change,) = changes(row, "a.bin", b"\x12" * 1500, at)
    assert change.remark.startswith("It is a piece, not a whole ")


def test_a_dfuse_file_that_leaves_out_the_beginning_is_refused():
    """With it, further elements go where they say."""
    refused("leaves out how the app", CORE, "a.dfu", dfuse((0x0800_6000, b"\x12" * 99)))
    data = dfuse((APPLICATION, vectors(2 * K)), (0x0800_7000, b"z" * 100))
    (change,) = changes(CORE, "a.dfu", data)
    assert (len(change.written), change.remark) == (2, "")


def test_bytes_outside_of_any_application_are_no_piece_of_one():
    """Data in an external memory."""
    (change,) = changes(CORE, "a.bin", b"\x12" * 1500, 0x6_0000)
    assert change.remark == ""


def test_numbers_in_a_row_are_no_head_of_a_module():
    """A table of small numbers, sent to some place."""
    table = b"".join(at.to_bytes(4, "little") for at in (100, 900, 0, 0, 5, 9)) * 40
    (change,) = changes(PHOTON, "a.bin", table, 0x0802_0000)
    assert change.size == len(table)


@pytest.mark.parametrize(("at", "piece"), [("0x08006400", True), ("0x60000", False)])
def test_the_consent_says_that_it_is_a_piece(tmp_path, at, piece):
    """Before anything is erased."""
    path = tmp_path / "part.bin"
    path.write_bytes(b"\x12" * 1500)
    with workshop(tmp_path / "s", "core-healthy", answers={"image": str(path)}) as shop:
        view = shop.run("particle.flash", answers={"address": at})
        events = [record.event for record in replay(shop.state.journal(view.run)).records]
        (asked,) = [
            e.text for e in events if isinstance(e, Asked) and e.question == "confirm_erase"
        ]
        assert ("It is a piece, not a whole application" in asked) is piece
        assert view.verdict == "repaired"


def test_no_page_is_erased_for_what_is_refused(tmp_path):
    """A HEX file without its first line would erase 33 pages of the external memory."""
    lines = hex_lines((APPLICATION, core_module(20 * K)))
    cases = {
        "first.hex": (b"".join(lines[1:]), {}),
        "hole.hex": (b"".join(lines[:90] + lines[91:]), {}),
        "photon.bin": (module(PHOTON_APPLICATION, 6, 5 * K, 5), {"address": "0x20000"}),
    }
    with workshop(tmp_path / "state", on_the_bench()) as shop:
        for name, (data, answers) in cases.items():
            path = tmp_path / name
            path.write_bytes(data)
            view = shop.run("particle.flash", answers={"image": str(path), **answers})
            assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        counts = shop.bus.simulator().counts
        assert (counts.erased, counts.written) == ([], [])
