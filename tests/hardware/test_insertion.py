"""A card taken out of a reader that stays, and a card put in: each case and its sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import Card, Device
from console.hardware.atr import card_kind
from console.hardware.identity import Company, Expectation, Grade, Scene, accompany
from console.hardware.insertion import card_left, judge
from console.hardware.readers import MUTE_WORDS

# ZeitControl's OpenPGP cards: life cycle 00, and 05 once it is operational.
NEW = "3bda18ff81b1fe751f030031f573c001600090001c"
USED = "3bda18ff81b1fe751f030031f573c0016005900019"
HSM = "3bde18ff8191fe1fc38031815448534d317380214081071c"
PLAIN = "3b80800101"

READER, OTHER = "Reader 00 00", "Twin 00 00"
OURS = Device("1-1", "1:4:1", "04e6", "5814", cards=(Card(READER, NEW, "", 3),))
TWIN = Device("1-2", "1:5:1", "04e6", "5814", cards=(Card(OTHER, NEW, "", 5),))
EMPTY_TWIN = replace(TWIN, cards=(Card(OTHER, "", "", 6),))


def expecting(*others: Device, **facts) -> Expectation:
    wanted = {"modes": ("card",), "was": "card", "card": OURS.cards[0]} | facts
    return Expectation("1-1", left=OURS, others=others, **wanted)


def reader(atr: str, inserted: int, state: str = "") -> Device:
    return replace(OURS, cards=(Card(READER, atr, state, inserted),))


def scene(*present: Device, out: bool = False) -> Scene:
    modes = {d.visit: "card" if any(card.atr for card in d.cards) else "" for d in present}
    return Scene(present, modes, Company(card_out=out), 100.0)


def judged(expected: Expectation, came: Device, *others: Device):
    return judge(expected, came, scene(came, *others))


@pytest.mark.parametrize(
    ("atr", "other", "same"),
    [
        (NEW, USED, True),
        (NEW, HSM, False),
        (NEW, PLAIN, False),
        (PLAIN, PLAIN, True),
        (HSM, HSM.replace("81071c", "81051e"), True),
        (HSM, HSM.replace("48534d31", "48534d32"), False),
        ("", NEW, False),
        ("3b", "3b", True),
        ("3bff", "3bfe", False),
        ("zz", "zz", True),
    ],
)
def test_an_answer_to_reset_is_compared_without_the_state_that_it_tells(atr, other, same):
    """Terminated and activated again, a card answers with another life cycle byte."""
    assert (card_kind(atr) == card_kind(other)) is same


def test_a_card_that_was_never_out_is_not_back():
    """The reader is there all the time, and so is its card."""
    assert judged(expecting(), OURS) is None
    assert not card_left(expecting(), scene(OURS))


def test_an_empty_reader_has_lost_its_card_and_is_not_back():
    """Out: it has left; nothing is judged."""
    assert judged(expecting(), reader("", 4)) is None
    assert card_left(expecting(), scene(reader("", 4)))


def test_the_same_kind_of_card_in_the_same_reader_is_taken_on_the_technicians_word():
    """No reader can show that it is the very card."""
    for atr in (NEW, USED):
        found = judged(expecting(), reader(atr, 5))

        assert (found.taken, found.grade) == (True, Grade.PORT)
        assert found.why == (
            "Taken: a card with the same answer to reset is in Reader 00 00 again."
        )


def test_another_card_is_a_sentence_with_both_answers():
    """And is not touched."""
    found = judged(expecting(), reader(HSM, 5))

    assert not found.taken
    assert found.why.startswith(f"Not taken: another card is in {READER}: its answer to reset is")
    assert HSM in found.why
    assert NEW in found.why
    assert found.why.endswith("It was not touched. Put ours in.")


def test_a_card_that_is_awaited_in_another_mode_may_answer_otherwise():
    """What was written to it may change its answer; the mode tells."""
    expected = expecting(was="blank")

    assert judged(expected, reader(HSM, 5)).taken


def test_a_card_the_wrong_way_round_is_told():
    """It is in, and does not answer."""
    found = judged(expecting(), reader("", 5, MUTE_WORDS))

    assert not found.taken
    assert found.why == f"A card is in {READER} again. {MUTE_WORDS}"


def test_pcsc_that_was_restarted_is_no_removal():
    """Its count begins again; only an empty reader, seen as such, tells that the card was out."""
    assert judged(expecting(), replace(OURS, cards=())) is None
    assert judged(expecting(), reader(NEW, 1)) is None

    company = accompany(Company(), expecting(), scene(reader("", 1)))
    back = reader(NEW, 2)
    assert company.card_out
    assert judge(expecting(), back, replace(scene(back), company=company)).taken


def test_a_card_that_came_into_another_reader_is_not_taken():
    """Ours goes back into its own."""
    came = replace(TWIN, cards=(Card(OTHER, NEW, "", 7),))
    found = judged(expecting(EMPTY_TWIN), came, reader("", 4))

    assert not found.taken
    assert found.why.startswith(f"Not taken: a card came into {OTHER}, ours left {READER}.")
    assert judged(expecting(EMPTY_TWIN), came, OURS) is None
    assert judged(expecting(TWIN), TWIN, reader("", 4)) is None


def test_two_cards_of_a_kind_that_come_are_both_refused():
    """One in our reader, one in another: nothing tells which is ours."""
    came = replace(TWIN, cards=(Card(OTHER, NEW, "", 7),))
    found = judged(expecting(EMPTY_TWIN), reader(NEW, 5), came)

    assert not found.taken
    assert found.why.startswith("Not taken: two cards of one kind have come")


def test_a_twin_that_left_its_reader_meanwhile_may_be_the_one_that_came():
    """Twins may have been exchanged by hand."""
    for now in ((EMPTY_TWIN,), ()):
        found = judged(expecting(TWIN), reader(NEW, 5), *now)

        assert not found.taken
        assert found.why.startswith(f"Not taken: the card in {OTHER}, of the same kind, left it")
    assert judged(expecting(TWIN), reader(NEW, 5), TWIN).taken


def test_a_card_of_another_kind_elsewhere_is_nobodys_concern():
    """Another job goes on in the next reader."""
    before = replace(TWIN, cards=(Card(OTHER, HSM, "", 5),))
    after = replace(TWIN, cards=(Card(OTHER, "", "", 6),))

    assert judged(expecting(before), reader(NEW, 5), after).taken
    assert judged(expecting(before), after, reader("", 4)) is None


def test_the_other_slot_of_our_own_reader_is_another_reader():
    """A reader with two slots has two cards."""
    two = replace(OURS, cards=(*OURS.cards, Card("Reader 00 01", "", "", 0)))
    expected = replace(expecting(), left=two)
    wrong = replace(two, cards=(Card(READER, "", "", 4), Card("Reader 00 01", NEW, "", 1)))

    assert judged(expected, wrong).why.startswith("Not taken: a card came into Reader 00 01")
    right = replace(two, cards=(Card(READER, NEW, "", 5), Card("Reader 00 01", "", "", 0)))
    assert judged(expected, right).taken


def test_a_reader_that_was_unplugged_and_is_back_is_judged_with_its_card():
    """Empty, with another card, with a card of ours' kind."""
    plugged = replace(OURS, visit="1:9:2")
    empty = replace(plugged, cards=(Card(READER, "", "", 0),))
    other = replace(plugged, cards=(Card(READER, HSM, "", 0),))

    assert judged(expecting(), empty).why == (
        "The reader is back, and no card answers in it. Put the card in."
    )
    assert "another card is in" in judged(expecting(), other).why
    assert judged(expecting(), plugged).taken
