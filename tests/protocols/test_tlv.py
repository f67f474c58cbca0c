"""BER-TLV: what cards of several makers send, and what no card may make us believe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import Garbled
from console.protocols.tlv import Tlv, bare, encode, encode_length, find, header, parse

TAGS = st.sampled_from([0x4F, 0x5E, 0x6E, 0x73, 0x81, 0xC1, 0xDE, 0x5F52, 0x7F49, 0x5F48, 0x5F2D])


def test_a_template_is_walked_by_its_path() -> None:
    related = bytes.fromhex("6E12 4F02D276 5F52020031 7307 C00101 C2020203".replace(" ", ""))
    assert find(related, 0x6E, 0x4F) == bytes.fromhex("D276")
    assert find(related, 0x6E, 0x73, 0xC2) == bytes.fromhex("0203")
    assert find(related, 0x6E, 0x73, 0xDE) is None


def test_the_second_of_two_templates_is_looked_into_as_well() -> None:
    assert find(bytes.fromhex("7300 7303C00155".replace(" ", "")), 0x73, 0xC0) == b"\x55"


@pytest.mark.parametrize(
    ("data", "tag", "start", "length"),
    [
        ("81 05", 0x81, 2, 5),
        ("81 81 80", 0x81, 3, 0x80),
        ("7F49 82 0109", 0x7F49, 5, 0x0109),
        ("5F48 83 010000", 0x5F48, 6, 0x010000),
    ],
)
def test_headers_of_all_forms(data: str, tag: int, start: int, length: int) -> None:
    assert header(bytes.fromhex(data)) == (tag, start, length)


@pytest.mark.parametrize(
    "data",
    ["81", "5F", "7F", "8180", "8102 41", "8182 01", "8185 0000000001", "81 80 00", "9F8181"],
)
def test_what_is_cut_off_or_of_no_form_is_garbled(data: str) -> None:
    with pytest.raises(Garbled):
        parse(bytes.fromhex(data))


def test_padding_between_objects_is_no_object() -> None:
    assert parse(bytes.fromhex("0000 810141 FFFF 820142 00".replace(" ", ""))) == (
        Tlv(0x81, b"A"),
        Tlv(0x82, b"B"),
    )


def test_an_outer_tag_is_taken_off_only_where_its_length_fits() -> None:
    assert bare(0xDE, bytes.fromhex("DE0401000200")) == bytes.fromhex("01000200")
    assert bare(0xDE, bytes.fromhex("01000200")) == bytes.fromhex("01000200")
    # a value that begins with the very tag
    assert bare(0x4F, bytes.fromhex("4F0502")) == bytes.fromhex("4F0502")
    assert bare(0x6E, b"") == b""


def test_a_value_is_in_no_repr() -> None:
    assert "5345" not in repr(Tlv(0x81, b"SECRET")) + str(Tlv(0x81, b"SECRET"))
    assert "SECRET" not in repr(Tlv(0x81, b"SECRET"))


@given(st.lists(st.tuples(TAGS, st.binary(max_size=300)), max_size=6))
def test_what_was_encoded_is_parsed_as_it_was(objects: list[tuple[int, bytes]]) -> None:
    data = b"".join(encode(tag, value) for tag, value in objects)
    assert [(found.tag, found.value) for found in parse(data)] == objects


@given(st.integers(min_value=0, max_value=0xFFFFFF))
def test_lengths_are_of_the_shortest_form(length: int) -> None:
    assert header(b"\x81" + encode_length(length))[2] == length
    assert len(encode_length(length)) == 1 + (length > 0x7F) + (length > 0xFF) + (length > 0xFFFF)


@given(st.binary(max_size=64))
def test_any_bytes_are_objects_or_garbled(data: bytes) -> None:
    try:
        objects = parse(data)
    except Garbled:
        return
    assert sum(len(found.value) for found in objects) <= len(data)
