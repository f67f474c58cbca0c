"""Image files: what they say, and that a torn one never says anything."""

from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import BadUsage
from console.protocols.dfufile import Element, Suffix, Target, parse
from tests.realdata import real

# Made by hand from the tables: prefix, one target of alternate 1 with two elements.
ELEMENTS = struct.pack("<II", 0x1000, 3) + b"abc" + struct.pack("<II", 0x2000, 2) + b"de"
TARGET = b"Target" + bytes((1,)) + bytes(4 + 255) + struct.pack("<II", len(ELEMENTS), 2)
BODY = b"DfuSe" + struct.pack("<BIB", 1, 11 + 274 + len(ELEMENTS), 1) + TARGET + ELEMENTS
HEX = b":020000040800F2\n:10500000000102030405060708090A0B0C0D0E0F28\n:00000001FF\n"


def with_suffix(body: bytes, vid: int = 0x1D50, pid: int = 0x607F, version: int = 0x011A) -> bytes:
    whole = body + struct.pack("<HHHH3sB", 0xFFFF, pid, vid, version, b"UFD", 16)
    return whole + struct.pack("<I", ~zlib.crc32(whole) & 0xFFFFFFFF)


def test_a_dfuse_file_gives_its_targets_and_elements() -> None:
    """Each element with its own address, in its own memory."""
    found = parse(with_suffix(BODY), "image.dfu")
    elements = (Element(0x1000, b"abc"), Element(0x2000, b"de"))
    assert (found.kind, found.targets) == ("DfuSe file", (Target(1, elements),))
    assert found.suffix == Suffix(0xFFFF, 0x607F, 0x1D50, 0x011A)


def test_a_dfu_file_gives_what_stands_before_its_suffix() -> None:
    """Version 1.0: no addresses in it."""
    found = parse(with_suffix(b"hello", version=0x0100))
    assert (found.kind, found.plain, found.targets) == ("DFU file", b"hello", ())


def test_a_real_dfu_file_of_another_project_is_read() -> None:
    """Its payload is the .bin that lies beside it, its ids are wild cards."""
    found = parse(real("example.dfu").read_bytes(), "example.dfu")
    assert found.plain == real("example.bin").read_bytes()
    assert found.suffix is not None
    assert found.suffix.is_for(0x1D50, 0x607F)


@pytest.mark.parametrize(
    ("vid", "pid", "meant"),
    [
        (0x1D50, 0x607F, True),
        (0xFFFF, 0x607F, True),
        (0x1D50, 0xFFFF, True),
        (0x2B04, 0x607F, False),
        (0x1D50, 0xD006, False),
    ],
)
def test_ids_of_a_suffix_may_be_wild_cards(vid: int, pid: int, meant: bool) -> None:
    """FFFF stands for any."""
    assert Suffix(0, pid, vid, 0).is_for(0x1D50, 0x607F) is meant


def test_an_intel_hex_file_gives_its_segments() -> None:
    """The extended address counts."""
    found = parse(HEX, "image.hex")
    assert found.targets == (Target(None, (Element(0x08005000, bytes(range(16))),)),)


def test_bytes_without_any_mark_are_a_plain_image() -> None:
    """Most .bin files."""
    assert parse(b"\x00\x50\x00\x20", "a.bin").plain == b"\x00\x50\x00\x20"


WHOLE = with_suffix(BODY)


def dfuse(*elements: tuple[int, bytes]) -> bytes:
    """A DfuSe file of one target."""
    packed = b"".join(struct.pack("<II", at, len(data)) + data for at, data in elements)
    head = b"Target" + bytes(1 + 4 + 255) + struct.pack("<II", len(packed), len(elements))
    size = 11 + len(head) + len(packed)
    return with_suffix(b"DfuSe" + struct.pack("<BIB", 1, size, 1) + head + packed)


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "a.bin", "empty"),
        (WHOLE[:-1], "a.dfu", "without its suffix"),
        (WHOLE[:100], "a.dfu", "without its suffix"),
        (WHOLE[:-1] + b"\x00", "a.dfu", "checksum is wrong"),
        (WHOLE[:300] + b"?" + WHOLE[301:], "a.dfu", "checksum is wrong"),
        (with_suffix(BODY[:-1]), "a.dfu", "says it has"),
        (with_suffix(BODY + b"x"), "a.dfu", "says it has"),
        (with_suffix(BODY.replace(b"Target", b"TARGET")), "a.dfu", "no target"),
        (with_suffix(b"no prefix"), "a.dfu", "no DfuSe prefix"),
        (with_suffix(b"", version=0x0100), "a.dfu", "nothing but its suffix"),
        (with_suffix(b"DfuSe" + struct.pack("<BIB", 1, 11, 0)), "a.dfu", "holds nothing"),
        (dfuse(), "a.dfu", "holds nothing"),
        (dfuse((0x1000, b"")), "a.dfu", "element at 0x1000 .* holds nothing"),
        (dfuse((0x1000, b"abc"), (0x2000, b"")), "a.dfu", "element at 0x2000 .* holds nothing"),
        (HEX[:-12], "a.hex", "no end record"),
        (HEX.replace(b"0F28", b"0F29"), "a.hex", "cannot be read"),
        (b":00000001FF", "a.hex", "no data"),
    ],
)
def test_a_torn_file_is_refused_with_a_reason(data: bytes, name: str, words: str) -> None:
    """Never half an image."""
    with pytest.raises(BadUsage, match=words) as caught:
        parse(data, name)
    assert caught.value.advice.startswith("Nothing is written.")


def test_a_dfuse_file_whose_lengths_contradict_each_other_is_refused() -> None:
    """An element longer than the file, a target longer than its elements."""
    long = BODY.replace(struct.pack("<II", 0x2000, 2), struct.pack("<II", 0x2000, 99))
    wrong = BODY.replace(struct.pack("<II", len(ELEMENTS), 2), struct.pack("<II", 7, 2))
    for body in (long, wrong):
        with pytest.raises(BadUsage):
            parse(with_suffix(body))


@given(st.binary(max_size=400), st.sampled_from(["a.bin", "a.dfu", "a.hex", ""]))
def test_no_bytes_raise_anything_but_bad_usage(data: bytes, name: str) -> None:
    """Whatever somebody names as an image."""
    with contextlib.suppress(BadUsage):
        parse(with_suffix(data), name)
    with contextlib.suppress(BadUsage):
        parse(b"DfuSe" + data, name)
    with contextlib.suppress(BadUsage):
        parse(b":" + data, name)
