"""SLIP frames, whole and broken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.families.nitrokey3.slip import Decoder, encode


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=5), st.integers(1, 7))
def test_what_was_sent_comes_out_however_it_is_cut(frames: list[bytes], step: int) -> None:
    wire = b"".join(encode(frame) for frame in frames)
    decoder, found = Decoder(), []
    for at in range(0, len(wire), step):
        found += decoder.feed(wire[at : at + step])
    assert found == frames


def test_a_bad_escape_spoils_its_frame_alone() -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex("0102DB0304C0 6009C0".replace(" ", ""))) == [b"\x60\x09"]
    assert decoder.feed(bytes.fromhex("C0C0C0")) == []
    assert decoder.feed(bytes.fromhex("60DBC0 6001C0".replace(" ", ""))) == [b"\x60\x01"]


@given(st.binary(max_size=200))
def test_noise_never_raises(noise: bytes) -> None:
    Decoder().feed(noise)
