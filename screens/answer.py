"""The line on which a person types: an answer, a consent, a note. Fresh for every question.

The rule: what was typed before the line was drawn never counts, and a secret is kept nowhere.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from console.views import QuestionView
from screens.lines import Lines, Style
from screens.words import harmless, line


class Field(Input):
    """One line of text, without a blinking cursor, deaf until it has been seen."""

    def __init__(self, *, secret: bool) -> None:
        super().__init__(password=secret, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._seen_at: float | None = None

    def validate_value(self, value: str) -> str:
        """What was pasted is sent as it is shown; a secret is not shown, and stays as it is."""
        return value if self.password else harmless(value)

    @property
    def was_seen(self) -> bool:
        """Has it been on the screen, so that it takes what is typed?"""
        return self._seen_at is not None

    def on_mount(self) -> None:
        self.focus()
        self.call_after_refresh(self._seen)

    def _seen(self) -> None:
        self._seen_at = Message().time

    def _is_early(self, event: events.Event) -> bool:
        return self._seen_at is None or event.time < self._seen_at

    async def _on_key(self, event: events.Key) -> None:
        if self._is_early(event):
            event.stop()
            event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        if self._is_early(event):
            event.stop()
            event.prevent_default()


class Answer(Horizontal):
    """The label and the field; gone from the page while nothing is asked."""

    class Given(Message):
        """Enter was pressed. `about` is what open() was told."""

        def __init__(self, about: str, words: str) -> None:
            super().__init__()
            self.about = about
            self.words = words

    def __init__(self) -> None:
        super().__init__(id="answer")
        self.about = ""
        self._hint = ""
        self.display = False

    def compose(self) -> ComposeResult:
        yield Lines("label")
        yield Lines("typed")

    @property
    def is_open(self) -> bool:
        return bool(self.about)

    @property
    def field(self) -> Field | None:
        """The field, once it is there."""
        return next(iter(self.query(Field)), None)

    def open(self, about: str, label: str, *, secret: bool = False, hint: str = "") -> None:
        """Ask with a fresh field; whatever was half typed for another question is dropped.

        How many characters of a secret are typed is shown, after the hint.
        """
        self._empty()
        self.about, self._hint = about, hint
        self._show("#label", f" {label} > ")
        self._show("#typed", counted(0, hint) if secret else "")
        self.display = True
        self.mount(Field(secret=secret), before="#typed")

    def _show(self, part: str, words: str) -> None:
        shown = line((words, Style.STRONG))
        lines = self.query_one(part, Lines)
        lines.styles.width = shown.cell_len
        lines.show(lambda _width, _height: (shown,))

    def close(self) -> None:
        """Nothing is asked any more."""
        self._empty()
        self.about = ""
        self.display = False

    def again(self) -> None:
        """The same field, empty."""
        if self.field is not None:
            self.field.value = ""

    def _empty(self) -> None:
        for field in self.query(Field):
            field.value = ""
            field.remove()

    def on_input_changed(self, event: Input.Changed) -> None:
        if not event.input.password:
            return  # what is no secret may be worth something to the page with each letter
        event.stop()
        if event.input is self.field:
            self._show("#typed", counted(len(event.value), self._hint))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        words, event.value = event.value, ""
        self.post_message(self.Given(self.about, words))


def counted(typed: int, hint: str = "") -> str:
    """How many characters of a secret are typed, in words; nothing else of it is shown."""
    return f" {hint}: {typed} typed " if hint else f" {typed} typed "


def answer_to(question: QuestionView, typed: str) -> tuple[str | None, str]:
    """What is sent for what was typed, and what to say; None: nothing is sent."""
    words = typed if question.kind == "secret" else typed.strip()
    if question.kind in ("confirm", "typed"):
        return _consent(question, words)
    if not words:
        return ("", "Not checked.") if question.optional else (None, "That is empty: not sent.")
    if question.kind == "choice":
        return _choice(question, words)
    return words, ""


def _consent(question: QuestionView, words: str) -> tuple[str | None, str]:
    wanted = question.must_type or "yes"
    if question.must_type and words.casefold() == wanted.casefold():
        return wanted, ""  # an id, in whatever capitals
    if words == wanted or (question.kind == "confirm" and words == "no"):
        return words, ""
    if not words:
        return None, f"Enter alone consents to nothing. Type: {wanted}"
    return None, f'That is not what has to be typed ("{wanted}"). Nothing was sent.'


def _choice(question: QuestionView, words: str) -> tuple[str | None, str]:
    numbered = {str(n): word for n, word in enumerate(question.choices, start=1)}
    chosen = numbered.get(words, words)
    if chosen in question.choices:
        return chosen, ""
    return None, f"One of: {', '.join(question.choices)}."
