"""Letters that may be shown: the one place where any text is made safe for whatever shows it.

The rule: pure. A device, a file's name or a person may say anything. What comes out of here is
drawn in its own cells, in its own place, and no terminal obeys it; doing it twice changes nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

REPLACED = "\N{REPLACEMENT CHARACTER}"
MARKS = 2
"""Marks that one letter may carry, as in Vietnamese; a tower of them paints over other lines."""

LEFT_OUT = frozenset(
    chr(code)
    for first, last in (
        (0x180B, 0x180D),  # Mongolian variation selectors
        (0xFE00, 0xFE0F),  # variation selectors
        (0x1F3FB, 0x1F3FF),  # skin tones
        (0xE0100, 0xE01EF),  # more variation selectors
    )
    for code in range(first, last + 1)
)
"""They only choose how the letter before them is drawn, and terminals differ in its width then."""

NOTHING_TO_SEE = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),  # combining grapheme joiner
        (0x115F, 0x11FF),  # Hangul fillers, and parts of syllables that have no width
        (0x17B4, 0x17B5),  # Khmer vowels that are never drawn
        (0x2800, 0x2800),  # Braille without a dot
        (0x3164, 0x3164),  # Hangul filler
        (0xD7B0, 0xD7FF),  # more parts of syllables
        (0xFFA0, 0xFFA0),  # Hangul filler, half as wide
    )
    for code in range(first, last + 1)
)
"""Letters to Unicode, and nothing, or of no certain width, on a terminal."""


def harmless(text: str) -> str:
    """The text in one line, with everything replaced that a terminal might obey or misplace.

    That is every control character, line ends too, every mark that turns the direction of
    writing, half surrogates, what has no width, and more than two marks on one letter.
    """
    return text if text.isascii() and text.isprintable() else "".join(_letters(text, ""))


def plain(text: str) -> str:
    """As harmless(), for text of several lines: line ends and tabs stay."""
    return "".join(_letters(text, "\n\t"))


def _letters(text: str, kept: str) -> Iterator[str]:
    marks = MARKS  # at the start there is no letter yet that could carry one
    for sign in text:
        if sign in LEFT_OUT:
            continue
        if sign in kept:
            marks = MARKS
            yield sign
        elif not sign.isprintable() or sign in NOTHING_TO_SEE or sign == REPLACED:
            marks = MARKS
            yield REPLACED
        elif unicodedata.category(sign).startswith("M"):
            marks += 1
            if marks <= MARKS + 1:
                yield sign if marks <= MARKS else REPLACED
        else:
            marks = 0
            yield sign


def telling(serial: str) -> str:
    """The serial, if it can name a unit; "" where letters were replaced: two may look the same."""
    return "" if REPLACED in serial else serial


def cells(text: str) -> int:
    """How many cells of a terminal a harmless text takes (Unicode's East Asian Width)."""
    return len(text) if text.isascii() else sum(_width(sign) for sign in text)


def pieces(word: str, width: int, measure: Callable[[str], int] = cells) -> Iterator[str]:
    """The word, cut where that many cells are full."""
    piece = ""
    for sign in word:
        if measure(piece + sign) > width and piece:
            yield piece
            piece = ""
        piece += sign
    yield piece


def _width(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
