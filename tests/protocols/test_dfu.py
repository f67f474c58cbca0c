"""DFU 1.1 and DfuSe: what the bytes mean."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import Garbled
from console.protocols.dfu import (
    Attribute,
    Facts,
    FunctionalDescriptor,
    Layout,
    Segment,
    State,
    Status,
    StatusAnswer,
)

ENTRY = bytes.fromhex("0a0000000a00")
BUSY_50 = bytes.fromhex("003200000400")
NO_SUCH_STATE = bytes.fromhex("000000000f00")
FOUR_HOURS = bytes.fromhex("00ffffff0400")
CORE_FUNCTIONAL = bytes.fromhex("09210bff0000041a01")
DFU_1_0 = bytes.fromhex("07210bff000004")


def facts(transfer_size: int, max_packet_0: int = 64) -> Facts:
    functional = FunctionalDescriptor(Attribute(0x0B), 0.255, transfer_size, 0x011A)
    return Facts(0, (), functional, max_packet_0)


def test_a_status_answer_has_status_poll_time_and_state() -> None:
    """Status 10 and state 10 are different things; the poll time is 24 bits of ms."""
    assert StatusAnswer.parse(ENTRY) == StatusAnswer(Status.errFIRMWARE, 0.0, State.dfuERROR)
    assert StatusAnswer.parse(BUSY_50) == StatusAnswer(Status.OK, 0.05, State.dfuDNBUSY)


@pytest.mark.parametrize("answer", [b"", ENTRY[:5], NO_SUCH_STATE, FOUR_HOURS])
def test_a_status_answer_without_meaning_is_garbled(answer: bytes) -> None:
    """Too short, a state that does not exist, a wait of four hours."""
    with pytest.raises(Garbled):
        StatusAnswer.parse(answer)


@given(st.binary(max_size=12))
def test_no_bytes_of_a_status_answer_raise_anything_but_garbled(answer: bytes) -> None:
    """A device may answer what it likes."""
    with contextlib.suppress(Garbled):
        StatusAnswer.parse(answer)


def test_the_functional_descriptor_of_the_core() -> None:
    """Not manifestation tolerant, 1024 bytes, DfuSe."""
    assert FunctionalDescriptor.parse(CORE_FUNCTIONAL) == FunctionalDescriptor(
        Attribute.CAN_DOWNLOAD | Attribute.CAN_UPLOAD | Attribute.WILL_DETACH, 0.255, 1024, 0x011A
    )


def test_a_functional_descriptor_without_a_version_is_dfu_1_0() -> None:
    """Seven bytes were the whole of it."""
    assert FunctionalDescriptor.parse(DFU_1_0).version == 0x0100


@pytest.mark.parametrize(
    ("declared", "block", "each"),
    [(1024, 1024, False), (2048, 2048, False), (8192, 4096, True), (32, 64, True)],
)
def test_the_transfer_size_is_obeyed_within_what_can_be_sent(
    declared: int, block: int, each: bool
) -> None:
    """Blocks of another size than declared need their address each: the device multiplies."""
    found = facts(declared)
    assert (found.block, found.address_each_block) == (block, each)


def test_a_transfer_size_of_0_is_garbled() -> None:
    """There is no block to be sent."""
    with pytest.raises(Garbled):
        _ = facts(0).block


def segment(start: int, count: int, page: int, may: str) -> Segment:
    return Segment(start, count, page, "r" in may, "e" in may, "w" in may)


K = 1024


@pytest.mark.parametrize(
    ("text", "name", "segments"),
    [
        (
            "@Internal Flash  /0x08000000/20*001Ka,108*001Kg",
            "Internal Flash",
            [segment(0x08000000, 20, K, "r"), segment(0x08005000, 108, K, "rew")],
        ),
        (
            "@SPI Flash : SST25x/0x00000000/512*04Kg",
            "SPI Flash : SST25x",
            [segment(0, 512, 4 * K, "rew")],
        ),
        (
            "@Option Bytes  /0x1FFFF800/01*016 e",
            "Option Bytes",
            [segment(0x1FFFF800, 1, 16, "rw")],
        ),
        ("@Odd /0x00000000/01*016a", "Odd", [segment(0, 1, 16, "r")]),
        (
            "@Device Feature/0xFFFF0000/01*004 e",
            "Device Feature",
            [segment(0xFFFF0000, 1, 4, "rw")],
        ),
        (
            "@Two /0x0/1*1Ma,2*2Bg/0x1000-0x2000/ 3 * 4 K d",
            "Two",
            [
                segment(0, 1, K * K, "r"),
                segment(K * K, 2, 2, "rew"),
                segment(0x1000, 3, 4 * K, "w"),
            ],
        ),
        ("@Nothing", "Nothing", []),
        (
            "@Option Bytes  /0x1FFFF800/01*016 g",
            "Option Bytes",
            [segment(0x1FFFF800, 1, 16, "rew")],
        ),
        ("@DCT Flash   /0x00000000/01*016Kg", "DCT Flash", [segment(0, 1, 16 * K, "rew")]),
        ("@DCT Flash   /0x00000000/1*016Ke", "DCT Flash", [segment(0, 1, 16 * K, "rw")]),
        (
            "@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg",
            "Internal Flash",
            [
                segment(0x08000000, 3, 16 * K, "r"),
                segment(0x0800C000, 1, 16 * K, "rew"),
                segment(0x08010000, 1, 64 * K, "rew"),
                segment(0x08020000, 7, 128 * K, "rew"),
            ],
        ),
        (
            "@Device Feature/0xFFFF0000/01*004 g",
            "Device Feature",
            [segment(0xFFFF0000, 1, 4, "rw")],
        ),
        (
            "@All /0x0/1*1Bb,1*1Bc,1*1Bf",
            "All",
            [
                segment(0, 1, 1, "e"),
                segment(1, 1, 1, "re"),
                segment(2, 1, 1, "ew"),
            ],
        ),
    ],
)
def test_a_memory_layout_is_parsed_in_all_its_odd_forms(
    text: str, name: str, segments: list[Segment]
) -> None:
    """Colons in names, blank and missing units, several groups, aliases, spaces."""
    assert Layout.parse(text) == Layout(name, tuple(segments))


@pytest.mark.parametrize(
    ("segments", "placed"),
    [
        ("2O*001Ka,108*001Kg", 0),
        ("20*0x1Ka,108*001Kg", 0),
        ("20*001Ka;108*001Kg", 0),
        ("*001Ka,108*001Kg", 0),
        ("0*001Ka,108*001Kg", 0),
        ("20*000Ka,108*001Kg", 0),
        (",20*001Ka,108*001Kg", 0),
        ("20*001Ka,108*0x1Kg", 1),
        ("20*001Ka,,108*001Kg", 1),
        ("20*001Ka,108*001Kg,", 2),
        ("20*001Kh,108*001Kg", 0),
    ],
)
def test_a_segment_that_cannot_be_read_ends_its_group(segments: str, placed: int) -> None:
    """What follows it would slide down, and a bootloader would be writable."""
    layout = Layout.parse(f"@Internal Flash  /0x08000000/{segments}/0x1000/1*1Kg")
    assert layout is not None
    before = [segment(0x08000000, 20, K, "r"), segment(0x08005000, 108, K, "rew")][:placed]
    assert layout.segments == (*before, segment(0x1000, 1, K, "rew"))


@pytest.mark.parametrize("text", ["", "UNDEFINED", "UNKNOWN", "CORE DFU "])
def test_a_string_that_is_no_layout_is_none(text: str) -> None:
    """An unreadable string comes as an empty one."""
    assert Layout.parse(text) is None


def test_the_segment_at_an_address_ends_before_the_next() -> None:
    """The bootloader's own pages are readable only."""
    layout = Layout.parse("@Internal Flash  /0x08000000/20*001Ka,108*001Kg")
    assert layout is not None
    below, above = layout.at(0x08004FFF), layout.at(0x08005000)
    assert (below and below.erasable, above and above.erasable) == (False, True)
    assert layout.at(0x0801FFFF + 1) is None


def test_the_pages_that_a_range_touches_follow_the_segments() -> None:
    """Sectors of different sizes, and a gap at the end."""
    layout = Layout.parse("@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg")
    assert layout is not None
    touched = [page for page, _ in layout.pages(0x0800FFFF, 0x08020001)]
    assert touched == [0x0800C000, 0x08010000, 0x08020000]
    *_, (end, nothing) = layout.pages(0x080FFFFF, 0x08100002)
    assert (end, nothing) == (0x08100000, None)


@given(st.text(alphabet="@/0x19*,KMBaeg -", max_size=60), st.integers(0, 1 << 33))
def test_no_layout_string_and_no_address_raise_anything(text: str, address: int) -> None:
    """Nonsense gives few segments or none."""
    layout = Layout.parse("@" + text)
    assert layout is not None
    layout.at(address)
    list(zip(range(3), layout.pages(address, address + 10), strict=False))
