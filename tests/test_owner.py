"""The owner: one after the other, and nobody waits for one that is gone."""

from __future__ import annotations

import threading

import pytest

from console.errors import BadUsage
from console.owner import Owner, OwnerGone


@pytest.fixture
def owner():
    made = Owner()
    made.start()
    yield made
    made.let_go()


def test_work_is_done_in_order_by_one_thread_and_told(owner):
    """Whoever asks waits for his own; what is not waited for is done before it."""
    done: list[tuple[int, str]] = []
    for number in range(50):
        owner.soon(lambda number=number: done.append((number, threading.current_thread().name)))

    assert owner.do(lambda: len(done)) == 50
    assert done == [(number, "owner") for number in range(50)]


def test_the_owner_itself_waits_for_nobody(owner):
    """Work that asks for work has it done at once."""
    assert owner.do(lambda: owner.do(lambda: "inner")) == "inner"


def test_an_error_is_raised_where_it_was_asked_for_and_the_owner_goes_on(owner):
    """Of whatever kind it is."""

    def fail() -> None:
        raise BadUsage("That was wrong.", "Do it right.")

    with pytest.raises(BadUsage):
        owner.do(fail)

    assert owner.do(lambda: 1) == 1


def test_what_was_asked_before_it_was_let_go_is_done(owner):
    """And nothing that comes later, nor does anybody wait for it."""
    began, go_on = threading.Event(), threading.Event()
    done: list[str] = []
    owner.soon(lambda: (began.set(), go_on.wait(20)))
    owner.soon(lambda: done.append("asked in time"))
    assert began.wait(20)
    owner.let_go()
    with pytest.raises(OwnerGone):
        owner.do(lambda: done.append("too late"))
    with pytest.raises(OwnerGone):
        owner.soon(lambda: done.append("too late"))
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "owner":
            thread.join(20)

    assert done == ["asked in time"]
