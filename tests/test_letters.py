"""What may be shown of any text: nothing that a terminal obeys, misplaces or paints elsewhere."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.letters import LEFT_OUT, MARKS, NOTHING_TO_SEE, cells, harmless, pieces, plain, telling

ANY = st.text(st.characters(exclude_categories=()), max_size=60)
"""Half surrogates too."""


@given(ANY)
def test_nothing_that_is_shown_is_a_control_a_direction_or_nothing(text):
    """Whatever was said."""
    shown = harmless(text)

    assert shown.isprintable()
    assert not (LEFT_OUT | NOTHING_TO_SEE) & set(shown)
    assert not any(unicodedata.bidirectional(sign) in CONTROLS for sign in shown)


CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN", "B", "S"}


@given(ANY)
def test_no_letter_carries_a_tower_and_no_mark_stands_alone(text):
    """A tower paints over the lines above it; a lone mark changes what stands before it."""
    marks = MARKS
    for sign in harmless(text):
        marks = marks + 1 if unicodedata.category(sign).startswith("M") else 0
        assert marks <= MARKS


@given(ANY)
def test_doing_it_twice_changes_nothing(text):
    """A name passes through several rooms."""
    assert harmless(harmless(text)) == harmless(text)
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "Core 6D75",
        "Stra\u00dfe",
        "Vi\u1ec7t",
        "e\u0323\u0302",
        "\u5b57\u5e55",
        "\u05e9\u05dc\u05d5\u05dd",
        "\U0001f600",
    ],
)
def test_words_of_every_language_stay(text):
    """Two marks on a letter are Vietnamese, not an attack."""
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\ufffd[2J"),
        ("\x9b31m\x9c", "\ufffd31m\ufffd"),
        ("a\r\nb", "a\ufffd\ufffdb"),
        ("\u202ex\u2066\u200b\u200d\ufeff", "\ufffdx\ufffd\ufffd\ufffd\ufffd"),
        ("\ud800x", "\ufffdx"),
        ("\u0301x", "\ufffdx"),
        ("x" + "\u0301" * 60, "x\u0301\u0301\ufffd"),
        ("\u2764\ufe0f\U0001f44d\U0001f3fb", "\u2764\U0001f44d"),
        ("\u3164\u115f\u1160\uffa0\u034f", "\ufffd" * 5),
    ],
)
def test_what_is_dangerous_is_shown_as_a_mark(text, shown):
    """So that it is seen that something was there."""
    assert harmless(text) == shown


def test_text_of_several_lines_keeps_them_and_nothing_else():
    """Lines that we made ourselves."""
    assert plain("a\n\tb\r\x0b\x85\u2028") == "a\n\tb\ufffd\ufffd\ufffd\ufffd"
    assert plain("a\n\u0301b") == "a\n\ufffdb"


def test_a_serial_that_cannot_be_read_whole_names_no_unit():
    """Two units with broken descriptors may read the same."""
    assert telling("6D75") == "6D75"
    assert telling(harmless("\x01")) == telling(harmless("\x02")) == ""


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("\u5b57\u5e55", 4), ("e\u0301", 1), ("\U0001f600", 2)]
)
def test_cells_are_what_a_terminal_needs(text, width):
    """Wide letters take two."""
    assert cells(text) == width


@given(ANY.map(harmless), st.integers(2, 20))
def test_pieces_are_the_word_and_none_is_too_wide(word, width):
    """Cut by cells, not by letters."""
    cut = list(pieces(word, width))

    assert "".join(cut) == word
    assert all(cells(piece) <= width for piece in cut)
