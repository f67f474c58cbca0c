"""What is sent for what was typed: consent is typed in full, and nothing else consents."""

import pytest

from console.views import QuestionView
from screens.answer import answer_to, counted


def question(kind, optional=False, must_type="", choices=()):
    """An open question of that kind."""
    return QuestionView("q", kind, "?", optional, must_type, choices, 1)


@pytest.mark.parametrize(
    ("asked", "typed", "sent"),
    [
        (question("confirm"), "yes", "yes"),
        (question("confirm"), "no", "no"),
        (question("confirm"), "", None),
        (question("confirm"), "y", None),
        (question("confirm"), "YES", None),
        (question("typed", must_type="4F9C"), "4F9C", "4F9C"),
        (question("typed", must_type="4F9C"), "4f9c", "4F9C"),
        (question("typed", must_type="4F9C"), "4f9", None),
        (question("typed", must_type="4F9C"), "yes", None),
        (question("typed", must_type="4F9C"), "", None),
        (question("choice", choices=("again", "stop")), "2", "stop"),
        (question("choice", choices=("again", "stop")), "again", "again"),
        (question("choice", choices=("again", "stop")), "3", None),
        (question("choice", choices=("again", "stop")), "", None),
        (question("text", optional=True), "", ""),
        (question("text"), "", None),
        (question("text"), " 2243 ", "2243"),
        (question("secret"), " 12 34", " 12 34"),
        (question("file"), "/tmp/image.bin", "/tmp/image.bin"),
    ],
)
def test_only_what_answers_is_sent(asked, typed, sent):
    """None means that nothing is sent; then it is said why."""
    words, said = answer_to(asked, typed)

    assert words == sent
    assert sent is not None or said


def test_what_a_secret_was_is_never_said():
    """Not even when it is refused."""
    _, said = answer_to(question("secret"), "")

    assert said == "That is empty: not sent."


@pytest.mark.parametrize(
    ("typed", "hint", "shown"),
    [(0, "", " 0 typed "), (7, "16 hex digits", " 16 hex digits: 7 typed ")],
)
def test_what_is_typed_of_a_secret_is_counted(typed, hint, shown):
    """After what is wanted, where the question says so."""
    assert counted(typed, hint) == shown
