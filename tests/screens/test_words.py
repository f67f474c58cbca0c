"""Words and widths: what fits a page of fixed columns, whatever the letters are."""

import pytest
from rich.cells import cell_len

from screens.words import fit, harmless, line, paragraph, rule, wrap
from tests.hostile.texts import TEXTS


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_line_is_wider_than_the_page_and_no_letter_is_lost(text):
    """A wide letter takes two cells."""
    wrapped = wrap(text, 40, " Head  ")

    assert max(map(cell_len, wrapped)) <= 40
    assert "".join("".join(wrapped).split()) == "".join(f"Head{harmless(text)}".split())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_column_is_exactly_as_wide_as_it_is(text):
    """So that the next one begins where it belongs."""
    assert [cell_len(fit(text, width)) for width in (1, 5, 10, 33)] == [1, 5, 10, 33]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_way_to_a_line_makes_its_words_harmless(text):
    """Rules, lines and paragraphs alike."""
    made = [line(text).plain, rule(80, text).plain, *(one.plain for one in paragraph(text, 80))]

    assert [words for words in made if harmless(words) != words] == []


def test_line_ends_and_tabs_are_spaces():
    """What was on two lines is read as two words."""
    assert harmless("a\r\nb\tc") == "a  b c"
