"""Waiting for a device, or its card, to be back, and who acts: a person, or the device itself.

The rule: armed before the act that makes the device leave. It looks at what is there now, not
at notices, so none can be missed; console.hardware.identity and .insertion judge what has come.
"""

from __future__ import annotations

import queue
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from console.events import Device, DeviceJudged, DeviceLeft, WaitEnded, WaitStarted
from console.hardware.identity import Company, Expectation, Judgement, Scene, accompany
from console.hardware.insertion import card_left, judge

if TYPE_CHECKING:
    from console.arrivals import Attendance
    from console.guide import Guide
    from console.host import Host

LOOK_AGAIN = 1.0
"""Seconds between two looks at the bus while a reconnect is awaited: notices get lost."""


class Acts(StrEnum):
    """What is waited for: each asks something else of the technician."""

    TOUCH = "touch"
    LEAVE = "leave"
    BRING = "bring"
    BUSY = "busy"

    @property
    def who(self) -> str:
        return "device" if self in (Acts.LEAVE, Acts.BUSY) else "you"


def judged(device: Device, found: Judgement, since: float) -> DeviceJudged:
    """What came, what it was held to be, and since when it is there."""
    why, grade = found.why, found.grade.value
    return DeviceJudged(device.port, device, found.taken, why, grade, since)


class Reconnect:
    """An armed wait."""

    def __init__(
        self,
        guide: Guide,
        host: Host,
        expectation: Expectation,
        what: str,
        attendance: Attendance,
        looked: float,
    ) -> None:
        self._guide = guide
        self._host = host
        self._attendance = attendance
        self._looked = looked
        self._due = host.clock.monotonic() + LOOK_AGAIN
        self._expectation = self._of_now(expectation)
        self._what = what
        self._said: dict[str, str] = {}
        self._left = False
        self._company = Company()
        self._scene()

    def _of_now(self, expectation: Expectation) -> Expectation:
        """With the device as it stands now: a card may have been changed since the run began."""
        here = (d for d in self._host.present() if d.visit == expectation.visit)
        left = next(here, expectation.left)
        if left is None:
            return expectation
        was = self._host.mode_of(left)
        # A token is what it is without its card too: only unplugging it is leaving.
        emptied = replace(left, cards=tuple(replace(card, atr="") for card in left.cards))
        by_card = self._host.mode_of(emptied) != was
        card = next((card for card in left.cards if card.atr), None) if by_card else None
        name = self._host.name_of(left)
        return replace(expectation, left=left, was=was, card=card, name=name)

    def wait(
        self,
        *,
        limit: float,
        usual: float = 0.0,
        hands: tuple[str, ...] = (),
        safe: str = "",
        acts: Acts | None = None,
        window: float = 0.0,
    ) -> Device | None:
        """The device that came back, now the guide's device; None when `limit` seconds passed.

        Without `acts`, hands mean that a person brings it, none that it acts by itself. `window`
        is the time that the device gives after it was plugged in, for the last of the hands.
        """
        clock = self._host.clock
        until = clock.monotonic() + limit
        acts = acts or (Acts.BRING if hands else Acts.LEAVE)
        since = "plug" if window else ""
        started = WaitStarted(
            self._what, acts.who, hands, usual, limit, safe, acts.value, window, since
        )
        self._host.post(started)
        while True:
            came = self._look()
            if came is not None:
                self._host.post(WaitEnded("came back"))
                self._host.moved(came)
                return came
            if clock.monotonic() >= until:
                self._host.post(WaitEnded("did not come back"))
                return None
            self._guide.safe_point()
            self._sleep(until - clock.monotonic())

    def _sleep(self, remaining: float) -> None:
        clock = self._host.clock
        with suppress(queue.Empty):
            due = max(0.0, self._due - clock.monotonic())
            clock.take(self._host.signals, min(remaining, due))
            if clock.monotonic() < self._due:
                return
        # Signals may be of others, and those of ours lost: they never put the next look off.
        self._looked = clock.monotonic()
        self._host.look_again()
        self._due = clock.monotonic() + LOOK_AGAIN

    def _look(self) -> Device | None:
        scene = self._scene()
        self._notice_leaving(scene)
        for device in scene.present:
            found = judge(self._expectation, device, scene)
            if found is None or self._said.get(device.visit) == found.why:
                continue
            # What was refused is judged anew each time: the other one may have been pulled.
            self._said[device.visit] = found.why
            # A card put in again: its reader was there all the time, and tells nothing of it.
            again = device.visit == self._expectation.visit
            since = 0.0 if again else self._attendance.since(device)
            self._host.post(judged(device, found, since))
            if found.taken:
                return device
        return None

    def _scene(self) -> Scene:
        present = self._host.present()
        now = self._host.clock.monotonic()
        self._attendance.note(present, now)
        known = (*self._expectation.others, *present)
        modes = {device.visit: self._host.mode_of(device) for device in known}
        names = {device.visit: self._host.name_of(device) for device in known}
        # What is told now was seen when the last look began, at the earliest.
        scene = Scene(present, modes, self._company, self._looked, names)
        self._company = accompany(self._company, self._expectation, scene)
        return replace(scene, company=self._suspects(), now=now)

    def _suspects(self) -> Company:
        """For a device that may come anywhere, what another run awaits is that run's concern."""
        if self._expectation.port:
            return self._company
        theirs = self._attendance.theirs
        kin = tuple(kin for kin in self._company.kin if kin.visit not in theirs)
        return replace(self._company, kin=kin)

    def _notice_leaving(self, scene: Scene) -> None:
        expected = self._expectation
        gone = not scene.here(expected.visit)
        card = expected.card
        if self._left or not expected.visit or not (gone or card_left(expected, scene)):
            return
        self._left = True
        reader = card.reader if card and not gone else ""
        self._host.post(DeviceLeft(expected.port, reader))
