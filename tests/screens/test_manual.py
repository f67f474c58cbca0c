"""The manual and the keys: what the program has, its pages tell."""

import inspect

import pytest

from console.families import found
from console.manual import FOLDER, page
from screens import bench, flows, job, run, text
from screens.base import Page

PAGES = sorted(path.stem for path in FOLDER.glob("*.md"))
SCREENS = [
    screen
    for module in (bench, flows, job, run, text)
    for _, screen in inspect.getmembers(module, inspect.isclass)
    if issubclass(screen, Page) and screen is not Page
]
PLAIN = {"question_mark": "?", "escape": "Esc", "enter": "Enter", "tab": "Tab", "up": "Up"} | {
    "down": "Down",
    "ctrl+l": "Ctrl-L",
    "full_stop": ".",
    "slash": "/",
    "ctrl+c": "Ctrl-C",
}
SCROLLING = {"space", "minus", "pageup", "pagedown", "up", "down"}


def keys_of(screen):
    """Every key that a screen and what it is made of binds."""
    for ancestor in screen.__mro__:
        for binding in ancestor.__dict__.get("BINDINGS", ()):
            if issubclass(ancestor, Page):
                yield from binding.key.split(",")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_screen(name):
    """78 columns of plain text, that begin with a heading."""
    lines = page(name).splitlines()

    assert max(map(len, lines)) <= 78
    assert lines[0].startswith("# ")


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_no_key_is_one_that_a_bad_line_or_tmux_takes_away(screen):
    """No function key, no Alt, no flow control; nor the letters of a split arrow key."""
    for key in keys_of(screen):
        assert not key.startswith(("f1", "f2", "alt+", "shift+"))
        assert key not in {f"ctrl+{letter}" for letter in "sqabz"}
        assert key not in {"A", "B", "C", "D", "O", "[", "left_square_bracket"}


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_every_key_is_told_by_the_pages_of_its_screen(screen):
    """A key that ? does not name is a key that nobody finds."""
    named = ("run",) if screen is run.RunPage else screen.MANUAL
    told = " ".join(page(name) for name in {*named, "bench"}).split()

    for key in set(keys_of(screen)) - SCROLLING:
        assert any(PLAIN.get(key, key) == word for word in told) or key.isdigit()


def test_every_family_with_flows_has_a_page():
    """The run screen's ? goes on with it."""
    assert all(page(family.name) for family in found() if family.flows)
