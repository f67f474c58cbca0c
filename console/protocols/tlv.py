"""BER-TLV as cards use it (ISO 7816-4, 5.2.2): pure, from bytes to values and back.

The rule: what is cut off or does not add up is Garbled, never a guess; an indefinite length is no
card's. Tags are numbers as they are written (0x5F52); lengths are the shortest form on the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from console.errors import Garbled

MORE_TAG = 0x1F
"""All five low bits of a first tag byte: the tag goes on (ISO 7816-4, 5.2.2.1)."""
CONSTRUCTED = 0x20
PADDING = (0x00, 0xFF)
"""Bytes that may stand between objects (ISO 7816-4, 5.2.2)."""
LONGEST_LENGTH = 4
LONGEST_TAG = 3


@dataclass(frozen=True)
class Tlv:
    """One data object. Its value may be a secret, so it is in no repr."""

    tag: int
    value: bytes = field(repr=False)

    @property
    def constructed(self) -> bool:
        """Does its value consist of data objects itself?"""
        return bool(_tag_bytes(self.tag)[0] & CONSTRUCTED)


def parse(data: bytes) -> tuple[Tlv, ...]:
    """Every object of `data`, in order. Raises Garbled if it is not a sequence of them."""
    return tuple(_objects(data))


def _objects(data: bytes) -> Iterator[Tlv]:
    at = 0
    while at < len(data):
        if data[at] in PADDING:
            at += 1
            continue
        tag, start, length = _header(data, at)
        if start + length > len(data):
            raise _garbled(f"object {tag:X} says {length} bytes and has {len(data) - start}")
        yield Tlv(tag, data[start : start + length])
        at = start + length


def header(data: bytes) -> tuple[int, int, int]:
    """(tag, where the value starts, its length) of the first object, whose value may be cut off.

    Raises Garbled if not even its header is there.
    """
    return _header(data, 0)


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    tag, at = _tag(data, at)
    length, at = _length(data, at)
    return tag, at, length


def _tag(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise _garbled("a tag is missing")
    tag = data[at]
    at += 1
    if tag & MORE_TAG != MORE_TAG:
        return tag, at
    for _ in range(LONGEST_TAG - 1):
        if at >= len(data):
            raise _garbled("a tag is cut off")
        tag = tag << 8 | data[at]
        at += 1
        if not tag & 0x80:
            return tag, at
    raise _garbled("a tag is too long")


def _length(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise _garbled("a length is missing")
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    size = first & 0x7F
    if not 1 <= size <= LONGEST_LENGTH or at + size > len(data):
        raise _garbled("a length is cut off or of no known form")
    return int.from_bytes(data[at : at + size], "big"), at + size


def encode(tag: int, *values: bytes) -> bytes:
    """One object; several values are joined, as those of a constructed one are."""
    value = b"".join(values)
    return _tag_bytes(tag) + encode_length(len(value)) + value


def encode_length(length: int) -> bytes:
    """A length field in its shortest form."""
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size, "big")


def _tag_bytes(tag: int) -> bytes:
    return tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")


def find(objects: bytes | Iterable[Tlv], *path: int) -> bytes | None:
    """The value of the first object at that path of tags, each within the one before."""
    inside = parse(objects) if isinstance(objects, bytes) else tuple(objects)
    wanted, *rest = path
    for found in inside:
        if found.tag != wanted:
            continue
        deeper = find(found.value, *rest) if rest else found.value
        if deeper is not None:
            return deeper
    return None


def bare(tag: int, data: bytes) -> bytes:
    """The value of the object `tag`, whether the card sent it with its tag and length or without.

    Cards differ in that for constructed objects; only a tag whose length fits the rest is taken
    for one, since a value may begin with the same byte.
    """
    try:
        found, start, length = header(data)
    except Garbled:
        return data
    return data[start:] if found == tag and start + length == len(data) else data


def _garbled(why: str) -> Garbled:
    return Garbled(f"The card's answer does not add up: {why}.", "Try again; then another reader.")
