"""The life of a card: blocked, terminated, activated, in each maker's way."""

from __future__ import annotations

import pytest

from console.families.openpgp.simulator_rows import (
    GNUK,
    GNUK_NO_LIFE_CYCLE,
    OPCARD,
    PICO,
    ROWS,
    SMARTPGP,
    YUBIKEY_5,
    ZEITCONTROL_2_0,
    ZEITCONTROL_3_3,
)
from console.families.openpgp.simulator_state import Life
from tests.families.openpgp.cards import PW1, PW3, Talk

TERMINATE, ACTIVATE = "00e60000", "00440000"
DUMMY = b"@" * 32
RESETTABLE = [row for row in ROWS if row.life_cycle]
BY_NAME = pytest.mark.parametrize("row", RESETTABLE, ids=lambda row: row.name)


def block(talk: Talk, *modes: int) -> None:
    for mode in modes:
        for _ in range(4):
            talk.verify(mode, DUMMY)


def with_key(talk: Talk) -> Talk:
    talk.as_admin()
    talk.ok("00da00c106010800002000")
    talk.generate("b6")
    talk.ok("00da00c714" + "11" * 20)
    return talk


@BY_NAME
def test_a_card_of_any_state_is_new_after_the_whole_ladder(row):
    """Both blocked with 32 bytes, E6, 44, reset: counters at default, nothing in the slots."""
    talk = with_key(Talk(row))
    talk.card.reset()
    talk.select()
    block(talk, 0x81, 0x83)
    assert talk.counters()[::2] == (0, 0)
    talk.sw(TERMINATE)
    talk.sw(ACTIVATE)
    talk.card.reset()

    assert talk.select() == 0x9000
    assert talk.counters() == (3, row.code_shown, 3)
    assert talk.sw("0047810002b60000") == 0x6A88
    assert not talk.card.memory.fingerprints[0].strip(b"\0")
    assert talk.verify(0x83, PW3) == 0x9000


@pytest.mark.parametrize(
    ("row", "refused"),
    [(OPCARD, 0x6985), (GNUK, 0x6982), (ZEITCONTROL_3_3, 0x6982), (PICO, 0x6982)],
)
def test_it_is_not_terminated_by_anybody(row, refused):
    """Nobody's PIN given, nothing blocked: refused, and nothing has changed."""
    talk = Talk(row)
    talk.select()

    assert talk.sw(TERMINATE) == refused
    assert talk.select() == 0x9000


def test_an_old_card_wants_its_admin_blocked():
    """2.0: the right PIN does not do; later ones take it."""
    old = Talk(ZEITCONTROL_2_0).as_admin()
    assert old.sw(TERMINATE) == 0x6985
    block(old, 0x83)
    assert old.sw(TERMINATE) == 0x9000
    assert Talk(ZEITCONTROL_3_3).as_admin().sw(TERMINATE) == 0x9000


@pytest.mark.parametrize(
    ("row", "selected", "others", "again"),
    [
        (GNUK, 0x6285, 0x6285, 0x6285),
        (OPCARD, 0x6285, 0x6985, 0x9000),
        (SMARTPGP, 0x6285, 0x6D00, 0x6D00),
        (YUBIKEY_5, 0x6285, 0x6285, 0x6285),
    ],
)
def test_what_a_terminated_card_answers(row, selected, others, again):
    """Until ACTIVATE FILE, which alone brings it back."""
    talk = Talk(row).as_admin()
    talk.ok(TERMINATE)
    talk.card.reset()

    assert talk.select() == selected
    assert (talk.sw("00ca00c400"), talk.verify(0x81, PW1)) == (others, others)
    assert talk.sw(TERMINATE) == again
    assert (talk.sw(ACTIVATE), talk.select()) == (0x9000, 0x9000)


@pytest.mark.parametrize(("row", "word"), [(GNUK, 0x6A88), (OPCARD, 0x9000), (PICO, 0x9000)])
def test_activating_what_is_active_changes_nothing(row, word):
    """The old scripts send 44 before E6."""
    talk = with_key(Talk(row))

    assert talk.sw(ACTIVATE) == word
    assert talk.sw("0047810002b60000") == 0x9000


def test_one_card_is_wiped_at_once():
    """No second command, and no state in between."""
    talk = with_key(Talk(PICO))

    assert (talk.sw(TERMINATE), talk.select()) == (0x9000, 0x9000)
    assert talk.sw("0047810002b60000") == 0x6A88


def test_a_gnuk_whose_admin_was_never_set_goes_by_its_users_counter():
    """PW3 blocked is not enough; PW1 blocked is."""
    talk = Talk(GNUK)
    talk.select()
    block(talk, 0x83)
    assert talk.counters() == (3, 3, 0)
    assert talk.sw(TERMINATE) == 0x6982
    block(talk, 0x81)
    assert talk.sw(TERMINATE) == 0x9000


def test_a_gnuk_without_life_cycle_has_neither_command():
    """6D00; its historical bytes say so (00)."""
    talk = Talk(GNUK_NO_LIFE_CYCLE).as_admin()

    assert (talk.sw(TERMINATE), talk.sw(ACTIVATE)) == (0x6D00, 0x6D00)
    assert talk.get(0x5F52)[7] == 0


def test_a_corrupted_card_can_still_be_reset():
    """opcard answers with placeholders, and lets itself be terminated without any PIN."""
    talk = Talk(OPCARD)
    talk.card.memory.life = Life.CORRUPTED
    talk.select()

    assert b"Card state corrupted" in talk.get(0x65)
    assert talk.counters() == (3, 3, 3)
    assert talk.get(0xDE).hex() == "010002000300"
    assert talk.verify(0x81, PW1) == 0x6500
    assert (talk.sw(TERMINATE), talk.sw(ACTIVATE)) == (0x9000, 0x9000)
    assert (talk.select(), talk.verify(0x81, PW1)) == (0x9000, 0x9000)
