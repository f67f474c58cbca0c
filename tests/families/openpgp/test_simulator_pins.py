"""PINs under any sequence of commands: a model of the reference's tables against each card."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from console.families.openpgp.simulator_rows import (
    OPCARD,
    PICO,
    SMARTPGP,
    YUBIKEY_5,
    ZEITCONTROL_2_0,
    ZEITCONTROL_2_1,
    ZEITCONTROL_3_3,
    Personality,
)
from tests.families.openpgp.cards import PW1, PW3, Talk

CODE = b"resetcod"
NEW = (b"abcdefgh", b"another-pin", PW3)
WRONG = st.sampled_from((b"999999", b"00000000", b"@" * 32))

# What each card says to a wrong PIN with so many tries left (after it), by the reference.
WORDS = {
    "ZeitControl 2.0": lambda left, was: 0x6982 if was else 0x6983,
    "ZeitControl 2.1": lambda left, was: 0x6982 if was else 0x6983,
    "ZeitControl 3.3": lambda left, was: 0x6982 if was else 0x6983,
    "YubiKey 5": lambda left, was: 0x6982 if was else 0x6983,
    "opcard (Nitrokey 3)": lambda left, was: 0x63C0 + left,
    "pico-openpgp 3.4": lambda left, was: 0x63C0 + left if left else 0x6983,
    "SmartPGP 3.4": lambda left, was: 0x6982,
}
CHANGE_WORD = {"opcard (Nitrokey 3)": 0x6300}
TERMINATED = {
    "opcard (Nitrokey 3)": 0x6985,
    "SmartPGP 3.4": 0x6D00,
}
REFUSED = {
    "opcard (Nitrokey 3)": 0x6985,
    "ZeitControl 2.0": 0x6985,
    "ZeitControl 2.1": 0x6985,
}
OK = 0x9000


class Book:
    """What the reference says about one card, kept as plain facts."""

    def __init__(self) -> None:
        self.pin = {1: PW1, 3: PW3}
        self.left = {1: 3, 3: 3}
        self.code: bytes | None = None
        self.code_left = 0
        self.given: set[int] = set()
        self.terminated = False

    @property
    def admin(self) -> bool:
        return 0x83 in self.given


class Dialogue(RuleBasedStateMachine):
    """VERIFY, CHANGE, RESET RETRY COUNTER, the reset code, E6, 44, SELECT, power, in any order."""

    row: Personality

    def __init__(self) -> None:
        super().__init__()
        self.talk = Talk(self.row)
        self.book = Book()
        assert self.talk.select() == OK

    def word(self, left: int, was: int) -> int:
        return WORDS[self.row.name](left, was)

    def tried(self, which: int, pin: bytes) -> int | None:
        """The word for a wrong one, None for a right one; counted in the book."""
        was = self.book.left[which]
        if was and pin == self.book.pin[which]:
            self.book.left[which] = 3
            return None
        self.book.left[which] = max(0, was - 1)
        return self.word(self.book.left[which], was)

    def closed(self) -> int:
        return TERMINATED.get(self.row.name, 0x6285)

    @rule(mode=st.sampled_from((0x81, 0x82, 0x83)), right=st.booleans(), wrong=WRONG)
    def verify(self, mode: int, right: bool, wrong: bytes) -> None:
        pin = self.book.pin[3 if mode == 0x83 else 1] if right else wrong
        said = self.talk.verify(mode, pin)
        if self.book.terminated:
            assert said == self.closed()
            return
        which = 3 if mode == 0x83 else 1
        if self.row is PICO and len(pin) < (8 if which == 3 else 6):
            assert said == 0x6700
            return
        told = self.tried(which, pin)
        assert said == (told or OK)
        # A wrong one takes back what was given before, but for opcard's.
        if told is None:
            self.book.given.add(mode)
        elif self.row is not OPCARD:
            self.book.given.discard(mode)

    @rule(which=st.sampled_from((1, 3)), right=st.booleans(), new=st.sampled_from(NEW))
    def change(self, which: int, right: bool, new: bytes) -> None:
        own = self.book.pin[which]
        old = own if right else own[::-1]
        said = self.talk.put(0x24, 0, 0x81 if which == 1 else 0x83, old + new)[1]
        if self.book.terminated:
            assert said == self.closed()
            return
        wrong = self.tried(which, old)
        if wrong is None:
            self.book.pin[which] = new
            self.book.given -= {0x81, 0x82} if which == 1 else set()
            assert said == OK
        else:
            assert said == CHANGE_WORD.get(self.row.name, wrong)

    @rule(code=st.sampled_from((CODE, b"")))
    def set_code(self, code: bytes) -> None:
        said = self.talk.put(0xDA, 0, 0xD3, code)[1]
        if self.book.terminated:
            assert said == self.closed()
        elif not self.book.admin:
            assert said == 0x6982
        else:
            assert said == OK
            self.book.code, self.book.code_left = (code or None), (3 if code else 0)

    @rule(new=st.sampled_from(NEW))
    def unblock_by_admin(self, new: bytes) -> None:
        said = self.talk.put(0x2C, 2, 0x81, new)[1]
        if self.book.terminated:
            assert said == self.closed()
        elif not self.book.admin:
            assert said == 0x6982
        else:
            assert said == OK
            self.book.pin[1], self.book.left[1] = new, 3
            self.book.given -= {0x81, 0x82}

    @rule(code=st.sampled_from((CODE, b"wrongcod")), new=st.sampled_from(NEW))
    def unblock_by_code(self, code: bytes, new: bytes) -> None:
        said = self.talk.put(0x2C, 0, 0x81, code + new)[1]
        book = self.book
        if book.terminated:
            assert said == self.closed()
        elif book.code and book.code_left and code == book.code:
            assert said == OK
            book.pin[1], book.left[1], book.code_left = new, 3, 3
            book.given -= {0x81, 0x82}
        else:
            was = book.code_left
            book.code_left = max(0, was - 1)
            assert said == self.word(book.code_left, was)

    @rule()
    def terminate(self) -> None:
        said = self.talk.sw("00e60000")
        book = self.book
        if book.terminated:
            assert said == (OK if self.row is OPCARD else self.closed())
            return
        allowed = not book.left[3] or (book.admin and self.row is not ZEITCONTROL_2_0)
        assert said == (OK if allowed else REFUSED.get(self.row.name, 0x6982))
        if allowed and self.row is PICO:
            self.book = Book()
        elif allowed:
            book.terminated, book.given = True, set()

    @rule()
    def activate(self) -> None:
        assert self.talk.sw("00440000") == OK
        if self.book.terminated:
            self.book = Book()

    @rule(power=st.booleans())
    def begin_anew(self, power: bool) -> None:
        if power:
            self.talk.card.reset()
        assert self.talk.select() == (0x6285 if self.book.terminated else OK)
        self.book.given = set()

    @precondition(lambda self: not self.book.terminated)
    @invariant()
    def the_counters_are_the_truth(self) -> None:
        book = self.book
        assert self.talk.counters() == (book.left[1], book.code_left, book.left[3])
        if self.row.asks_are_tries:
            return
        for mode, which in ((0x81, 1), (0x82, 1), (0x83, 3)):
            word = OK if mode in book.given else 0x63C0 + book.left[which]
            assert self.talk.sw(bytes((0, 0x20, 0, mode))) == word

    @precondition(lambda self: self.book.terminated)
    @invariant()
    def a_terminated_card_tells_nothing(self) -> None:
        assert self.talk.sw("00ca00c400") == self.closed()


ROWS = (
    *(ZEITCONTROL_2_0, ZEITCONTROL_2_1, ZEITCONTROL_3_3),
    *(OPCARD, YUBIKEY_5, PICO, SMARTPGP),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_any_dialogue_ends_as_the_reference_says(row: Personality) -> None:
    """A model written from the tables, against the card, in whatever order."""
    machine = type("DialogueWith", (Dialogue,), {"row": row})
    quick = settings(
        max_examples=30,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine.TestCase.settings = quick
    machine.TestCase().runTest()
