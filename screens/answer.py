"""The line on which a person types: an answer, a consent, a note. Fresh for every question.

The rule: what was typed before the line was drawn never counts, no part of it and no more than
its own line; and a secret is kept nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from console.views import QuestionView
from screens.lines import Lines, Style
from screens.words import harmless, line

EARLY = "That was typed before the question was there. Type it again."
ENTER_FIRST = "That was typed before the question was there. Enter, then type it again."
CAME = "A question came while you used the keys. Enter: to the answer. Esc: to the keys."
NOT_THE_SAME = "The two are not the same. Type it again."

HELD = "Held: the next question comes here.  Esc to the keys"
THROWN_AWAY = "Typed too early: thrown away up to Enter.  Esc to the keys"
TO_THE_ANSWER = "A question came.  Enter to the answer   Esc to the keys"
LETTERS_ARE_TEXT = "Letters are text here.  Enter keeps it   Esc puts it aside, not away"
PUT_ASIDE = "Put aside, not sent.  {key} types on   Esc again drops it"

NOT_EDITING = {"submit", "copy", "cut", "paste"}
EDITING = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding) and binding.action not in NOT_EDITING
    for key in binding.key.split(",")
}
"""What the keys do that are no letters. None of them takes what was typed out of the field."""

Typed = events.Key | events.Paste
"""What a keyboard sends."""


class Hand(Enum):
    """What the next letter is."""

    KEYS = "a command"
    FIELD = "text"
    NOBODY = "thrown away"


class Field(Input):
    """One line of text, without a blinking cursor; it takes what it is handed, in that order."""

    def __init__(self, *, secret: bool) -> None:
        super().__init__(password=secret, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.there = asyncio.Event()
        self._seen_at: float | None = None

    def validate_value(self, value: str) -> str:
        """What was pasted is sent as it is shown; a secret is not shown, and stays as it is."""
        return value if self.password else harmless(value)

    @property
    def was_seen(self) -> bool:
        """Has it been on the screen, so that it takes what is typed?"""
        return self._seen_at is not None

    def on_mount(self) -> None:
        self.there.set()
        if isinstance(self.parent, Answer):
            self.parent.settle_focus()
        self.call_after_refresh(self._seen)

    def _seen(self) -> None:
        self._seen_at = Message().time

    def is_early(self, event: Typed) -> bool:
        """Was it typed before the field was on the screen?"""
        return self._seen_at is None or event.time < self._seen_at

    async def take(self, event: Typed) -> None:
        """A letter, the first line of a paste, or a key that edits."""
        words = text_of(event)
        if words:
            self.replace(words, *self.selection)
        elif isinstance(event, events.Key) and event.key in EDITING:
            await self.run_action(EDITING[event.key])


class Answer(Horizontal):
    """The label and the field; gone from the page while nothing is asked.

    A field is a person's own (a note, a name: they opened it with a key, and what they type after
    that key is its text), or it is asked by a run: then only what is typed after it was seen
    counts, and after an answer the keyboard is held for the next question.
    """

    def __init__(self, give: Callable[[str, str], None]) -> None:
        """`give` gets what the field is about, and its words, when Enter was pressed."""
        super().__init__(id="answer")
        self.about = ""
        self.asked = False
        self.hand = Hand.KEYS
        self.keys_used = False
        self.opened_by = ""
        self._give = give
        self._field: Field | None = None
        self._label = self._hint = self._last_asked = ""
        self._secret = self._twice = self._half = self._dropped = False
        self._first: str | None = None
        self.display = False

    def compose(self) -> ComposeResult:
        yield Lines("label")
        yield Lines("typed")

    @property
    def is_open(self) -> bool:
        return bool(self.about)

    @property
    def is_own(self) -> bool:
        """Is it open because a person pressed a key for it?"""
        return self.is_open and not self.asked

    @property
    def field(self) -> Field | None:
        """The field, if there is one."""
        return self._field

    @property
    def words(self) -> str:
        """What stands in the field."""
        return self._field.value if self._field is not None else ""

    def key_line(self) -> str:
        """What the keys do now; "" where the page knows better."""
        if self.hand is Hand.KEYS or (self.hand is Hand.FIELD and self.asked):
            return ""
        if self.is_own:
            aside = PUT_ASIDE.format(key=self.opened_by or "Enter")
            return LETTERS_ARE_TEXT if self.hand is Hand.FIELD else aside
        if self._field is not None:
            return TO_THE_ANSWER
        return THROWN_AWAY if self._half else HELD

    # --- opening and closing ------------------------------------------------------------------

    def open(self, about: str, label: str) -> None:
        """A field of the person's own; what was half typed for another is dropped."""
        self.asked = self._half = self._dropped = self._twice = False
        self._draw_field(about, label, secret=False, hint="")
        self._to(Hand.FIELD)

    def ask(
        self, about: str, label: str, *, secret: bool = False, hint: str = "", twice: bool = False
    ) -> str:
        """The field for a question of a run, and what to say of what was typed before it.

        It has the keyboard at once, unless the person uses the keys: then Enter leads to it.
        How many characters of a secret are typed is shown, after the hint. What has to be typed
        twice is given only if both are the same.
        """
        self._twice = twice
        self._half = self._half or self._is_half_typed
        said = ENTER_FIRST if self._half else EARLY if self._dropped else ""
        known, at_once = about == self._last_asked, not self.keys_used or self._is_expected
        self.asked, self._last_asked, self._dropped = True, about, False
        self._draw_field(about, label, secret=secret, hint=hint)
        self._to(Hand.FIELD if at_once else Hand.KEYS if known else Hand.NOBODY)
        return said

    @property
    def _is_half_typed(self) -> bool:
        return self.asked and self.hand is Hand.FIELD and bool(self.words)

    @property
    def _is_expected(self) -> bool:
        """Is the keyboard with the questions, and not with the keys?"""
        return self.hand is Hand.FIELD or (self.hand is Hand.NOBODY and self._field is None)

    def _draw_field(self, about: str, label: str, *, secret: bool, hint: str) -> None:
        self.about, self._label, self._secret, self._hint = about, label, secret, hint
        self._fresh(label)
        self.display = True

    def _fresh(self, label: str) -> None:
        """A field that nobody has seen yet."""
        self._empty()
        self._show("#label", f" {label} > ")
        self._show("#typed", counted(0, self._hint) if self._secret else "")
        self._field = Field(secret=self._secret)
        self.mount(self._field, before="#typed")

    def _show(self, part: str, words: str) -> None:
        shown = line((words, Style.STRONG))
        lines = self.query_one(part, Lines)
        lines.styles.width = shown.cell_len
        lines.show(lambda _width, _height: (shown,))

    def _empty(self) -> None:
        if self._field is not None:
            self._field.value = ""
            self._field.remove()
        self._field = self._first = None

    def _fold(self) -> None:
        self._empty()
        if self.display:
            self.display = False

    def close(self) -> None:
        """Nothing is asked any more, and the keys are the person's."""
        self._fold()
        self.about = ""
        self.asked = self._half = self._dropped = False
        self._to(Hand.KEYS)

    def hold(self) -> None:
        """The answer is on its way: the next question has the keyboard, and no key acts."""
        self._fold()
        self.keys_used = False
        self._to(Hand.NOBODY)

    def nothing_asked(self, *, ended: bool) -> None:
        """The run asks nothing now. Somebody who typed an answer finishes that line first."""
        self._half = self._half or self._is_half_typed
        free = not self._half and (ended or not self._is_expected)
        if free:
            self.close()
        else:
            self._fold()
            self.about, self.asked = "", True
            self._to(Hand.NOBODY)

    def again(self) -> None:
        """The same field, empty."""
        if self._field is not None:
            self._field.value = ""

    # --- whose the keyboard is ----------------------------------------------------------------

    def _to(self, hand: Hand) -> None:
        self.hand = hand
        self.settle_focus()

    def settle_focus(self) -> None:
        """The cursor stands in the field exactly while letters go there."""
        if self._field is None or self._field.there.is_set():
            self.screen.set_focus(self._field if self.hand is Hand.FIELD else None)

    def take_up(self) -> None:
        """Letters go to the field, which the person has asked for."""
        self.keys_used = self.keys_used and not self.asked
        self._to(Hand.FIELD)

    def put_aside(self) -> None:
        """The field stays, with what is in it, and takes no letter."""
        self._to(Hand.NOBODY)

    def to_the_keys(self) -> None:
        """Letters are commands again."""
        self._half = self._dropped = False
        self._to(Hand.KEYS)

    # --- what is typed ------------------------------------------------------------------------

    async def ready(self) -> None:
        """Wait until the field, if there is one, can take a letter."""
        if self._field is not None:
            await self._field.there.wait()

    async def take(self, event: Typed) -> str:
        """What is typed and is no command; what to say of it, or ""."""
        field = self._field
        if field is None or self.hand is not Hand.FIELD:
            return self._not_taken(event)
        if self.asked and (self._half or field.is_early(event)):
            return self._too_early(event)
        if _key(event) == "enter":
            return self._entered(field.value)
        await field.take(event)
        return ""

    def _entered(self, words: str) -> str:
        first = self._first
        if self._twice and first is None and words:
            self._fresh(f"{self._label}, once more")
            self._first = words
        elif self._twice and first not in (None, words):
            self._fresh(self._label)
            return NOT_THE_SAME
        else:
            self._first = None
            self._give(self.about, words)
        return ""

    def _too_early(self, event: Typed) -> str:
        """All of the line goes, up to its Enter: half an answer may be a worse one than none."""
        if text_of(event):
            self._half = True
            return ENTER_FIRST
        if _key(event) != "enter":
            return ""
        half, self._half = self._half, False
        return EARLY if half else ""

    def _not_taken(self, event: Typed) -> str:
        if self.is_own:
            return self._while_aside(event)
        if self._field is None:
            held = self._half
            self._too_early(event)
            self._dropped = self._dropped or (held and not self._half)
            return ""
        if _key(event) in ("enter", "tab"):
            said, self._half = EARLY if self._half else "", False
            self.take_up()
            return said
        return CAME if self._too_early(event) else ""

    def _while_aside(self, event: Typed) -> str:
        if _key(event) == "enter" or text_of(event) == self.opened_by != "":
            self.take_up()
            return ""
        return self.key_line()

    def on_input_changed(self, event: Input.Changed) -> None:
        if not event.input.password:
            return  # what is no secret may be worth something to the page with each letter
        event.stop()
        if event.input is self.field:
            self._show("#typed", counted(len(event.value), self._hint))


def _key(event: Typed) -> str:
    return event.key if isinstance(event, events.Key) else ""


def text_of(event: Typed) -> str:
    """The letter of a key, the first line of a paste."""
    if isinstance(event, events.Paste):
        return (event.text.splitlines() or [""])[0]
    return event.character or "" if event.is_printable else ""


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
