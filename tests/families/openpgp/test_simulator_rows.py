"""Every personality says and refuses what the reference says such a card says and refuses."""

from __future__ import annotations

from functools import reduce

import pytest

from console.families.openpgp.simulator_rows import (
    GNUK,
    GNUK_NO_LIFE_CYCLE,
    GNUK_START,
    OPCARD,
    PICO,
    ROWS,
    SMARTPGP,
    YUBIKEY_5,
    ZEITCONTROL_2_0,
    ZEITCONTROL_2_1,
    ZEITCONTROL_3_3,
)
from console.protocols import tlv
from tests.families.openpgp.cards import PW1, PW3, Talk

BY_NAME = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
WRONG = b"999999"
SLOTS = ("b6", "b8", "a4")
PLAIN = (0x6982, 0x6982, 0x6982, 0x6983)
WRONG_ANSWERS = {
    ZEITCONTROL_2_0.name: PLAIN,
    ZEITCONTROL_2_1.name: PLAIN,
    ZEITCONTROL_3_3.name: PLAIN,
    GNUK_START.name: PLAIN,
    GNUK.name: PLAIN,
    GNUK_NO_LIFE_CYCLE.name: PLAIN,
    YUBIKEY_5.name: PLAIN,
    OPCARD.name: (0x63C2, 0x63C1, 0x63C0, 0x63C0),
    PICO.name: (0x63C2, 0x63C1, 0x6983, 0x6983),
    SMARTPGP.name: (0x6982, 0x6982, 0x6982, 0x6982),
}


@BY_NAME
def test_the_atr_is_well_formed(row):
    """The check byte (ISO 7816-3, 8.2.5): all of it after TS adds up to nothing."""
    assert reduce(lambda a, b: a ^ b, row.atr[1:]) == 0


@BY_NAME
def test_a_new_card_has_no_keys_all_tries_and_its_name(row):
    """Key presence is what 47 81 answers; there is no fingerprint either."""
    talk = Talk(row)
    assert talk.select() == 0x9000
    whole = tlv.bare(0x6E, talk.get(0x6E))

    assert talk.get(0x4F).hex() == f"d27600012401{row.version.hex()}{row.maker.hex()}00006fda0000"
    assert talk.counters() == (3, row.code_shown, 3)
    assert [talk.sw(f"0047810002{slot}0000") for slot in SLOTS] == [0x6A88] * 3
    assert tlv.find(whole, 0x73, 0xC5) == bytes(60)
    assert tlv.find(whole, 0x73, 0xC0) == row.capabilities
    assert tlv.find(whole, 0x4F) == talk.get(0x4F)
    assert talk.sw("00ca00c700") == 0x6A88


@BY_NAME
def test_wrong_pins_are_answered_in_the_makers_words(row):
    """Counters in C4 are the truth for all of them."""
    talk = Talk(row)
    talk.select()

    assert tuple(talk.verify(0x81, WRONG) for _ in range(4)) == WRONG_ANSWERS[row.name]
    assert talk.counters()[0] == 0
    assert talk.verify(0x81, PW1) == WRONG_ANSWERS[row.name][-1]


@BY_NAME
def test_a_right_pin_gives_the_tries_back_and_works_for_its_purpose_only(row):
    """81 does not unlock what 82 does; a SELECT takes both back."""
    talk = Talk(row)
    talk.select()
    talk.verify(0x81, WRONG)

    assert talk.verify(0x81, PW1) == 0x9000
    assert talk.counters()[0] == 3
    assert talk.sw("0088000004aabbccdd00") == 0x6982
    talk.as_admin()
    assert talk.sw("00200083") == (0x6982 if row.asks_are_tries else 0x9000)
    talk.select()
    assert talk.sw("0047800002b60000") == 0x6982


def test_an_empty_verify_costs_a_try_on_an_old_card():
    """ZeitControl 2.x; a later one tells instead."""
    old, new = Talk(ZEITCONTROL_2_0), Talk(ZEITCONTROL_3_3)
    old.select()
    new.select()

    assert (old.sw("00200081"), old.counters()) == (0x6982, (2, 0, 3))
    assert (new.sw("00200081"), new.counters()) == (0x63C3, (3, 0, 3))


@pytest.mark.parametrize(
    ("row", "tag", "answer"),
    [
        (SMARTPGP, "de", "de06010002000300"),
        (PICO, "de", "000001000200"),
        (OPCARD, "de", "010002000300"),
        (YUBIKEY_5, "de", "0100020003008102"),
        (OPCARD, "f9", ""),
        (GNUK_START, "c0", "75000020000000ff0100"),
        (GNUK, "c0", "75000020080000ff0100"),
        (ZEITCONTROL_3_3, "c4", "01202020030003"),
    ],
)
def test_objects_stand_as_that_maker_has_them(row, tag, answer):
    """Outer tags, key references, lengths."""
    talk = Talk(row)
    talk.select()

    assert talk.get(int(tag, 16)).hex() == answer


@pytest.mark.parametrize(
    ("row", "tag", "word"),
    [
        (GNUK, "00de", 0x6A88),
        (GNUK, "7f66", 0x6A88),
        (GNUK, "0101", 0x6A88),
        (ZEITCONTROL_2_0, "00f9", 0x6A88),
        (ZEITCONTROL_3_3, "00fa", 0x6A88),
        (OPCARD, "00c5", 0x6A80),
        (OPCARD, "0073", 0x6A80),
        (PICO, "0103", 0x6982),
        (OPCARD, "0104", 0x6982),
    ],
)
def test_objects_that_are_not_there_or_not_to_be_had(row, tag, word):
    """Not there, only within another, only after a PIN."""
    talk = Talk(row)
    talk.select()

    assert talk.sw(f"00ca{tag}00") == word


@pytest.mark.parametrize(
    ("row", "old_wrong", "too_short"),
    [
        (OPCARD, 0x6300, 0x6700),
        (PICO, 0x63C2, 0x6700),
        (ZEITCONTROL_3_3, 0x6982, 0x6982),
        (YUBIKEY_5, 0x6982, 0x6A80),
    ],
)
def test_a_refused_change_is_told_in_the_makers_words(row, old_wrong, too_short):
    """With a wrong old PIN; with a new one that is too short."""
    talk = Talk(row)
    talk.select()

    assert talk.put(0x24, 0, 0x81, b"000000111111")[1] == old_wrong
    assert talk.counters()[0] == 2
    assert talk.put(0x24, 0, 0x83, PW3 + b"1234567")[1] == too_short
    assert talk.put(0x24, 0, 0x81, b"123456abcdefgh")[1] == 0x9000
    assert talk.verify(0x82, b"abcdefgh") == 0x9000


def test_a_pin_of_an_impossible_length_is_not_counted_by_pico():
    """6700, and the counter stands."""
    talk = Talk(PICO)
    talk.select()

    assert (talk.verify(0x83, b"1234"), talk.counters()) == (0x6700, (3, 0, 3))


def test_a_gnuk_without_a_key_does_not_change_its_pin():
    """And once a key is written, the PIN is the default again."""
    talk = Talk(GNUK).as_admin()
    assert talk.put(0x24, 0, 0x81, PW1 + b"abcdefgh")[1] == 0x6985
    talk.ok("00da00c10a162b06010401da470f01")
    talk.generate("b6")
    assert talk.put(0x24, 0, 0x81, PW1 + b"abcdefgh")[1] == 0x9000
    assert talk.verify(0x81, b"abcdefgh") == 0x9000

    talk.generate("b6")
    assert talk.verify(0x81, b"abcdefgh") == 0x6982
    assert talk.verify(0x81, PW1) == 0x9000


def test_on_a_gnuk_whose_admin_was_never_set_the_users_pin_is_both():
    """Admin-less: and it is the user's counter that a wrong one costs."""
    talk = Talk(GNUK).as_admin()
    talk.ok("00da00c10a162b06010401da470f01")
    talk.generate("b6")
    talk.put(0x24, 0, 0x81, PW1 + b"abcdefgh")
    talk.select()

    assert talk.verify(0x83, b"99999999") == 0x6982
    assert talk.counters() == (2, 3, 3)
    assert talk.verify(0x83, b"abcdefgh") == 0x9000


def test_a_gnuk_cannot_make_the_longest_rsa_key():
    """By design; it says so after a while."""
    talk = Talk(GNUK).as_admin()
    talk.ok("00da00c106011000002000")

    assert talk.sw("0047800002b60000") == 0x6581
    assert talk.waited > 4.9


def test_a_yubikey_has_commands_of_its_own():
    """Its version, and how many tries each PIN has."""
    talk = Talk(YUBIKEY_5).as_admin()

    assert talk.ok("00f1000000").hex() == "050403"
    assert talk.sw("00f2000003050608") == 0x9000
    assert talk.counters() == (5, 0, 8)
    assert Talk(OPCARD).as_admin().sw("00f1000000") == 0x6D00


def test_names_are_matched_as_that_card_does():
    """A Gnuk wants the six bytes; others take any beginning of their name."""
    assert Talk(GNUK).sw("00a4040005d276000124") == 0x6A82
    assert Talk(OPCARD).sw("00a4040005d276000124") == 0x9000
    assert Talk(OPCARD).sw("00a4040006a00000000101") == 0x6A82
