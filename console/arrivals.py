"""What comes on the bus while a run looks, who was there, and a question the bus may answer.

The rule: it looks at what is there now, not at notices, so nothing that came can be missed; and
what the bus shows goes before what somebody says of it.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.events import Answered, Asked, Device, Told, WaitEnded, WaitStarted
from console.flow import Question
from console.reconnect import LOOK_AGAIN, Acts

if TYPE_CHECKING:
    from console.guide import Guide
    from console.host import Host, Reply

BUS = "the bus"
"""Who answered, when it was an arrival."""
CLOCK = "the clock"
"""Who answered, when the time was over."""

Look = Callable[[Device], bool]
"""Is what came what the question is about?"""
Hear = Callable[[str], str]
""" "" if the answer can be; otherwise what to say before it is asked again."""


@dataclass(frozen=True)
class Watch:
    """What is awaited while the question is open: `what` completes "Waiting for ..."."""

    what: str
    hands: tuple[str, ...]
    safe: str
    usual: float
    limit: float


class Attendance:
    """Who was on the bench while the run went on: with whom, and since when.

    What is there now tells nobody's beginning; a wait that is armed late needs it all the same.
    Two threads note what they see: each note is one write, and of two the earlier moment stays.
    `theirs` are the visits that other runs work on, or did.
    """

    def __init__(self, theirs: Set[str] = frozenset()) -> None:
        self.theirs = theirs
        self._first: tuple[Device, ...] | None = None
        self._seen: dict[str, Device] = {}
        self._since: dict[str, float] = {}
        self._company: dict[str, dict[str, Device]] = {}

    def note(self, present: tuple[Device, ...], now: float) -> None:
        """One more look."""
        if self._first is None:
            self._first = present
        here = {device.visit: device for device in present}
        self._seen = self._seen | here
        for visit in here:
            self._since.setdefault(visit, now)
            self._company[visit] = self._company.get(visit, {}) | here

    @property
    def seen(self) -> tuple[Device, ...]:
        """Every visit that ever was there, also those that have left."""
        return tuple(self._seen.values())

    def since(self, device: Device) -> float:
        """When its visit was first seen, on the monotonic clock; 0.0 if it never was."""
        return self._since.get(device.visit, 0.0)

    def company(self, device: Device) -> tuple[Device, ...]:
        """All that were ever there together with it; those of the first look if it never was."""
        known = self._company.get(device.visit)
        return tuple(known.values()) if known else (self._first or ())


class Arrivals:
    """Every device that comes after this was made, each told once."""

    def __init__(self, guide: Guide, host: Host) -> None:
        self._guide = guide
        self._host = host
        self._known: set[tuple[str, str]] = set()
        self.new()

    def new(self) -> tuple[Device, ...]:
        """What has come since the last look, or is known only now for what it is.

        A card names itself a second after its reader was seen.
        """
        here = {(known.visit, self._host.mode_of(known)): known for known in self._host.present()}
        came = tuple(device for key, device in here.items() if key not in self._known)
        self._known |= here.keys()
        return came

    def ask(
        self, question: Question, text: str, watch: Watch, look: Look, hear: Hear
    ) -> Device | str | None:
        """The device that answered the question, or a person's answer; None if there was neither.

        Nobody is waited for where the answer was brought along or nobody is there. Raises
        Stopped, GateClosed as Guide.ask() does.
        """
        here = self._came(look)
        if here is not None:
            return here
        if self._host.given(question.id) is not None or not self._host.attended():
            return self._guide.ask(question, text)
        self._forget_replies()
        self._host.post(
            WaitStarted(
                *(watch.what, Acts.BRING.who, watch.hands, watch.usual, watch.limit, watch.safe),
                acts=Acts.BRING.value,
            )
        )
        # After the wait: on a plain terminal what hands do stands above the prompt then.
        # Whoever is asked leaves it out by a word of its own, never by an empty Enter.
        asked = Asked(question.id, question.kind.value, text, False, "", question.choices, True)
        self._host.post(asked)
        came, answered = self._until(question, asked, watch.limit, look, hear)
        self._host.post(WaitEnded("came" if came else "did not come"))
        self._host.post(answered)
        return came or (answered.answer if question.fits(answered.answer) else None)

    def _forget_replies(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._host.signals.get_nowait()

    def _came(self, look: Look) -> Device | None:
        return next((device for device in self.new() if look(device)), None)

    def _until(
        self, question: Question, asked: Asked, limit: float, look: Look, hear: Hear
    ) -> tuple[Device | None, Answered]:
        clock = self._host.clock
        until = clock.monotonic() + limit
        while True:
            came = self._came(look)
            if came is not None:
                return came, Answered(question.id, question.choices[0], BUS)
            if clock.monotonic() >= until:
                return None, Answered(question.id, "not checked", CLOCK)
            self._guide.safe_point()
            reply = self._next_reply(question, until - clock.monotonic())
            if reply is None:
                continue
            self._host.look_again()
            came = self._came(look)
            if came is not None:
                return came, Answered(question.id, question.choices[0], BUS)
            objection = self._objection(question, reply, hear)
            if not objection:
                return None, Answered(question.id, reply.answer, reply.by)
            self._host.post(Told(objection))
            self._host.post(asked)  # anew: what was typed is gone from every screen

    def _next_reply(self, question: Question, remaining: float) -> Reply | None:
        try:
            signal = self._host.clock.take(self._host.signals, min(remaining, LOOK_AGAIN))
        except queue.Empty:
            self._host.look_again()
            return None
        if isinstance(signal, str) or signal.question != question.id:
            return None  # a Signal is a word; the bus and the stop are looked up
        return signal

    def _objection(self, question: Question, reply: Reply, hear: Hear) -> str:
        return hear(reply.answer) if question.fits(reply.answer) else question.misfit()
