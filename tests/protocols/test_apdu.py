"""APDUs as values, and what an exchange makes of cards and readers that take less."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from console.errors import Garbled, Refused
from console.hardware.lines import Traced
from console.protocols.apdu import LONG, SHORT, Command, Exchange, Meaning, Reach, meaning

SECRET = b"kanarienvogel"
WHOLE = Reach(chains=True, longest_command=2000, longest_answer=2000)
CHAINS = Reach(chains=True)


class Paper:
    """A card that answers from a list, behind a reader that carries so many bytes."""

    def __init__(self, *answers: str, longest: int = 70000) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.longest = longest
        self.sent: list[bytes] = []

    def transmit(self, apdu: bytes) -> bytes:
        if len(apdu) > self.longest:
            raise Garbled("The wire to the card failed.")
        self.sent.append(apdu)
        return self.answers.pop(0)

    def transaction(self):
        return nullcontext()

    def reset(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("data", "expected", "short", "extended"),
    [
        ("", 0, "00a40400", "00a40400"),
        ("", 16, "00a4040010", "00a40400000010"),
        ("", SHORT, "00a4040000", "00a40400000100"),
        ("", LONG, "00a4040000", "00a40400000000"),
        ("d276", 0, "00a4040002d276", "00a40400000002d276"),
        ("d276", SHORT, "00a4040002d27600", "00a40400000002d2760100"),
        ("d276", LONG, "00a4040002d27600", "00a40400000002d2760000"),
    ],
)
def test_the_cases_of_an_apdu_in_both_lengths(data, expected, short, extended):
    """ISO 7816-4, 5.1, table 5."""
    command = Command(0, 0xA4, 4, 0, bytes.fromhex(data), expected)
    assert (command.short().hex(), command.extended().hex()) == (short, extended)


@pytest.mark.parametrize("size", [256, 300, 508, 509, 2000])
def test_a_chain_carries_every_byte_once_and_only_its_last_link_asks(size):
    """Each link fits a reader of 261 bytes."""
    data = bytes(n % 251 for n in range(size))
    *first, last = Command(0, 0xDB, 0x3F, 0xFF, data, SHORT).links()

    assert data == b"".join(link.data for link in (*first, last))
    assert {(link.cla, link.expected) for link in first} == {(0x10, 0)}
    assert (last.cla, last.expected) == (0, SHORT)
    assert max(len(link.short()) for link in (*first, last)) <= 261


def test_extended_lengths_where_the_card_has_them_and_never_more_than_it_takes():
    """One APDU; Le is no more than the card's own longest answer."""
    card = Paper("9000")
    assert Exchange(card, WHOLE).send(Command(0, 0xDB, 0x3F, 0xFF, bytes(300), LONG)).ok
    assert card.sent == [bytes.fromhex("00db3fff00012c") + bytes(300) + bytes.fromhex("07d0")]


def test_a_reader_of_short_apdus_gets_chains_and_is_not_asked_twice():
    """The reader fails what is longer than 261 bytes before the card sees it."""
    card = Paper(*["9000"] * 4, longest=261)
    exchange = Exchange(card, WHOLE)
    for _ in range(2):
        assert exchange.send(Command(0, 0xDB, 0x3F, 0xFF, bytes(300))).ok

    assert [apdu[:5].hex() for apdu in card.sent] == ["10db3ffffe", "00db3fff2e"] * 2
    assert not exchange.reach.extended


def test_a_failure_of_a_command_that_every_reader_carries_is_a_failure():
    """Nothing is sent a second time that the card may have seen."""
    card = Paper(longest=6)
    with pytest.raises(Garbled):
        Exchange(card, WHOLE).send(Command(0, 0x47, 0x80, 0, b"\xb6\0", LONG))
    assert card.sent == []


def test_a_card_that_neither_chains_nor_has_extended_lengths_says_so():
    """Before the first byte."""
    card = Paper()
    with pytest.raises(Garbled, match="300 bytes does not fit"):
        Exchange(card).send(Command(0, 0xDB, 0x3F, 0xFF, bytes(300)))


def test_a_chain_ends_at_the_link_that_is_refused():
    """Its status word is the answer."""
    card = Paper("9000", "6a80")
    response = Exchange(card, CHAINS).send(Command(0, 0xDB, 0x3F, 0xFF, bytes(800)))
    assert (response.code, len(card.sent)) == ("6A80", 2)


def test_the_rest_of_an_answer_is_fetched_until_there_is_none():
    """61xx, also with 00 for 256, and 6Cxx in between."""
    card = Paper("01026100", "03" * 256 + "6102", "6c01", "049000")
    response = Exchange(card).send(Command(0, 0x47, 0x81, 0, b"\xb6\0", LONG))

    assert response.data == b"\1\2" + b"\3" * 256 + b"\4"
    assert [apdu.hex() for apdu in card.sent[1:]] == ["00c0000000", "00c0000002", "00c0000001"]


def test_a_wrong_length_is_asked_again_once():
    """6Cxx: the card names the length."""
    card = Paper("6c0a", "00" * 10 + "9000")
    assert len(Exchange(card).send(Command(0, 0xCA, 0x5F, 0x52, b"", SHORT)).data) == 10
    assert card.sent[1].hex() == "00ca5f520a"

    card = Paper("6c0a", "6c0a")
    assert Exchange(card).send(Command(0, 0xCA, 0x5F, 0x52, b"", SHORT)).code == "6C0A"


@pytest.mark.parametrize("answers", [["6110", "6110"], ["00" * 65536 + "6100"] * 3])
def test_an_answer_without_end_is_garbled(answers):
    """A card may not keep the bench for ever."""
    with pytest.raises(Garbled, match="no end"):
        Exchange(Paper(*answers)).send(Command(0, 0xCA, 0, 0x6E, b"", SHORT))


@pytest.mark.parametrize("answer", ["", "90"])
def test_an_answer_without_a_status_word_is_garbled(answer):
    """A reader that gives less than two bytes."""
    with pytest.raises(Garbled, match="status word"):
        Exchange(Paper(answer)).send(Command(0, 0xCA, 0, 0x6E))


def test_a_status_word_is_a_sentence_and_its_code():
    """The family's words first, then the general ones, then that none are known."""
    own = {"63Cx": Meaning("wrong; count again", "Stop.")}
    with pytest.raises(Refused) as caught:
        Exchange(Paper("63c2"), meanings=own).demand(Command(0, 0x20, 0, 0x81), "the PIN")

    assert caught.value.sentence == "The card refused the PIN: wrong; count again."
    assert (caught.value.advice, caught.value.code) == ("Stop.", "63C2")
    assert meaning(0x6982).why == "what has to be unlocked first is not unlocked"
    assert meaning(0x6401, own).why == "it failed inside, and nothing was changed"
    assert meaning(0x1234).why == "it gave no reason that is known here"


def test_no_byte_of_a_command_is_in_a_repr_an_error_or_the_trace():
    """A PIN goes through here."""
    said: list[str] = []
    line = Traced(Paper("9000", SECRET.hex() + "9000", "6982"), said.append, lambda: 0.0)
    exchange = Exchange(line, CHAINS)
    command = Command(0, 0x20, 0, 0x81, SECRET * 20, SHORT)
    said.append(repr(exchange.send(command)))
    said.append(repr(command))
    with pytest.raises(Refused) as caught:
        exchange.demand(Command(0, 0x20, 0, 0x81, SECRET), "the PIN")
    said.append(repr(caught.value) + str(vars(caught.value)))

    assert len(said) == 6
    assert not any(SECRET.decode() in text or SECRET.hex() in text for text in said)
