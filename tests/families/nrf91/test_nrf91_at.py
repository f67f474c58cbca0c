"""The AT line's codec: quotes over line ends, what comes between, results, refusals; no device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import Garbled, Refused
from console.families.nrf91 import at
from console.families.nrf91.store import Difference, Entry, Picture, entry_of

PEM = "-----BEGIN X-----\nAA==\n-----END X-----"


@pytest.mark.parametrize(
    ("heard", "lines", "code"),
    [
        (b"\r\nOK\r\n", (), ""),
        (b"352656100000017\r\n\r\nOK\r\n", ("352656100000017",), ""),
        (b"ERROR\r\n", (), "ERROR"),
        (b"+CME ERROR: 513\r\n", (), "513"),
        (b"+CME ERROR:518\r", (), "518"),
        (b'%CMNG: 1,0,"AA","x\nOK\ny"\r\nOK\r\n', ('%CMNG: 1,0,"AA","x\nOK\ny"',), ""),
        (b'log: 5" screw\r\n+CEREG: 2\r\nOK\r\n', ('log: 5" screw', "+CEREG: 2"), ""),
        (b"\x1b[1;32muart:~$ \x1b[m352656100000017\r\nOK\r\n", ("352656100000017",), ""),
        (b"\0\0[00:01] <inf> net: OK now\r\nOK\r\n", ("[00:01] <inf> net: OK now",), ""),
    ],
)
def test_an_answer_ends_with_its_final_result(heard, lines, code):
    """And with nothing that only looks like one."""
    reply = at.reply_in(heard)

    assert reply == at.Reply(lines, code)
    assert at.reply_in(heard[:-2]) is None


@pytest.mark.parametrize(
    "heard", [b"", b"O", b"OK", b'%CMNG: 1,0,"A\r\nOK\r\n', b"NOK\r\n", b"OKAY\r\n"]
)
def test_what_is_not_whole_is_no_answer_yet(heard):
    """A quote that is open hides what follows."""
    assert at.reply_in(heard) is None


def test_the_echo_of_a_command_is_left_out_even_over_several_lines():
    """It would carry the key that was sent."""
    command = f'AT%CMNG=0,3,2,"{PEM}"'
    heard = command.encode() + b"\r\n\r\nOK\r\n"

    assert at.reply_in(heard, command) == at.Reply(())
    assert "BEGIN" not in repr(at.Reply((PEM,)))


@given(
    st.lists(st.sampled_from(["+CEREG: 2", "<inf> log", "%XPOFWARN: 1,33", "[1m x"]), max_size=4),
    st.text(st.characters(codec="ascii", exclude_characters='"\x00\x1b'), max_size=60),
    st.integers(1, 7),
)
def test_an_answer_is_the_same_however_it_is_cut_and_whatever_comes_between(noise, text, size):
    """Bytes come as the bridge likes."""
    whole = "".join(f"{line}\r\n" for line in noise) + f'%CMNG: 7,0,"{text}"\r\nOK\r\n'
    data, heard, reply = whole.encode(), b"", None
    while reply is None:
        assert len(heard) < len(data)
        heard += data[len(heard) : len(heard) + size]
        reply = at.reply_in(heard)

    assert len(heard) >= len(data) - 1
    told = at.fields(reply.one("%CMNG"))
    assert told == ("7", "0", text)


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange(data):
    """Another baud rate sends anything."""
    at.lines_of(data)
    at.reply_in(data)


def test_a_command_longer_than_the_boards_buffer_is_refused():
    """It would be stored cut, with a line in a log that nobody reads."""
    with pytest.raises(Refused) as refused:
        at.encode("A" * 4096)
    assert "4095" in refused.value.sentence
    assert b"".join(at.slices(b"x" * 700)) == b"x" * 700
    assert max(len(piece) for piece in at.slices(b"x" * 700)) <= 256


@pytest.mark.parametrize(
    "code", ["0", "50", "513", "514", "515", "518", "519", "523", "527", "528"]
)
def test_every_known_code_is_a_sentence_and_the_number_stands_behind(code):
    """Never a bare code."""
    error = at.refusal(code, "Writing tag 3 root CA")

    assert error.code == f"CME {code}"
    assert code not in error.sentence
    assert error.sentence.endswith(".")
    assert error.advice
    assert at.refusal("ERROR", "Asking").code == "ERROR"


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ('16842753,0,"' + "AB" * 32 + '"', Entry(16842753, 0, "AB" * 32)),
        ("3,1", Entry(3, 1)),
        ('3,2,"' + "0" * 64 + '"', Entry(3, 2)),
        ('4294967292,11,"' + "cd" * 32 + '"', Entry(4294967292, 11, "CD" * 32)),
    ],
)
def test_a_listed_entry(line, entry):
    """Old firmware tells no digest, or zeros."""
    assert entry_of(line) == entry


@pytest.mark.parametrize("line", ["", "3", "a,1", '3,1,"XY"'])
def test_a_line_that_lists_nothing_is_garbled(line):
    """Nothing is guessed."""
    with pytest.raises(Garbled):
        entry_of(line)


def test_a_picture_comes_back_from_its_json_and_tells_what_moved():
    """Vanished, new, changed."""
    before = Picture("352656100000017", "1.3.6", (Entry(1, 0, "AA"), Entry(2, 0, "BB")))
    after = Picture("352656100000017", "1.3.6", (Entry(2, 0, "CC"), Entry(3, 1, "DD")))

    assert Picture.from_json(before.to_json()) == before
    assert Picture.from_json(b"{}") is None
    assert Picture.from_json(b"\xff") is None
    assert after.since(before) == Difference(
        (Entry(1, 0, "AA"),), (Entry(3, 1, "DD"),), (Entry(2, 0, "CC"),)
    )
    assert not before.since(before)
