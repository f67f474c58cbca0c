"""SMP frames out of a stream of bytes, and a bootloader on paper that asks for odd offsets."""

from __future__ import annotations

from collections import deque

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp import packet
from smp.header import Header

from console.errors import Garbled, Refused, Silent
from console.families.nrf91.recovery import CHUNK, Recovery, next_frame

FRAME = bytes.fromhex("0b00000600010101") + b"\xbf\x62rc\x00\xff"


def lines(frame: bytes, length: int = 127) -> bytes:
    return b"".join(packet.encode(frame, length))


@given(
    st.binary(min_size=8, max_size=300),
    st.text(st.characters(codec="ascii", exclude_characters="\x06"), max_size=40),
    st.integers(1, 9),
    st.sampled_from([127, 64, 20]),
)
def test_a_frame_is_found_however_it_is_cut_and_whatever_is_logged_before(
    frame, noise, size, length
):
    """A bootloader logs on the same line."""
    whole, heard, found = noise.encode() + b"\r\n" + lines(frame, length), b"", None
    for start in range(0, len(whole), size):
        found, heard = next_frame(heard + whole[start : start + size])
    assert (found, heard) == (frame, b"")


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(data):
    """Another baud rate sends anything."""
    next_frame(data)
    next_frame(b"\x06\x09" + data + b"\n")


def test_a_frame_whose_checksum_is_wrong_is_left_out_and_the_next_one_is_found():
    """A byte fell on the way."""
    bad = bytearray(lines(FRAME))
    bad[8] ^= 1
    found, rest = next_frame(bytes(bad) + lines(FRAME) + b"more")
    assert (found, rest) == (FRAME, b"more")


class PaperBoot:
    """Answers each request by the next of its answers: a map, or None for silence."""

    def __init__(self, *answers) -> None:
        self.answers = deque(answers)
        self.asked: list[dict] = []
        self.out = b""
        self.heard = b""
        self.now = 0.0

    def send(self, data: bytes) -> None:
        self.heard += data
        frame, self.heard = next_frame(self.heard)
        if frame is None:
            return
        head, body = Header.loads(frame[:8]), cbor2.loads(frame[8:])
        self.asked.append(body)
        answer = self.answers.popleft() if self.answers else None
        if answer is not None:
            raw = cbor2.dumps(answer)
            reply = bytes((head.op + 1, 0, *len(raw).to_bytes(2, "big")))
            reply += head.group_id.to_bytes(2, "big") + bytes((head.sequence, head.command_id))
            self.out += b"<log>\r\n" + lines(reply + raw)

    def receive(self, timeout: float, most: int = 4096) -> bytes:
        piece, self.out = self.out[:most], self.out[most:]
        if not piece:
            self.now += timeout
            raise Silent("nothing", waited=timeout)
        return piece

    def close(self) -> None:
        pass


def uploaded(data: bytes, *answers) -> PaperBoot:
    boot = PaperBoot(*answers)
    Recovery(boot, lambda: boot.now).upload(data, lambda done, total: None)
    return boot


def test_an_upload_goes_on_from_the_offset_that_the_device_asks_for():
    """Resumed behind what it has, and back where it lost a piece."""
    data = bytes(range(256)) * 4
    boot = uploaded(data, {"off": 512}, {"off": 300}, {"rc": 0, "off": 556}, {"off": 1024})
    assert [(each["off"], len(each["data"])) for each in boot.asked] == [
        (0, CHUNK),
        (512, CHUNK),
        (300, CHUNK),
        (556, CHUNK),
    ]
    assert all(each["data"] == data[each["off"] : each["off"] + CHUNK] for each in boot.asked)
    assert (boot.asked[0]["len"], len(boot.asked[0]["sha"])) == (1024, 32)
    assert "sha" not in boot.asked[1]


def test_the_same_piece_is_sent_again_after_silence_and_not_for_ever():
    """The first one erases: it is given 40 s."""
    boot = uploaded(b"x" * 10, None, {"off": 10})
    assert (boot.asked[0], boot.now) == (boot.asked[1], 40.0)
    with pytest.raises(Silent):
        uploaded(b"x" * 10)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([{"rc": 2}], Refused),
        ([{"err": {"group": 1, "rc": 30}}], Refused),
        ([{"off": 11}], Garbled),
        ([{"off": "x"}], Garbled),
        ([{"off": 0}] * 20, Garbled),
    ],
)
def test_an_answer_that_makes_no_sense_ends_it(answers, error):
    """Each in a sentence; no endless loop."""
    with pytest.raises(error) as raised:
        uploaded(b"x" * 10, *answers)
    assert raised.value.sentence.endswith(".")
    assert raised.value.advice
