"""Hands for practice hardware: plug, pull and press from the keyboard.

The rule: outside practice these keys only say that a person's own hands do this.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.binding import Binding

from console.clock import MachineClock
from screens.base import Page

PRACTICE_KEYS = (
    Binding("x", "plug", "practice: plug in or pull out"),
    Binding("y", "press", "practice: its buttons, or its touch"),
)


class PracticeHands(Page):
    """What BenchPage and RunPage share."""

    @property
    def port_in_hand(self) -> str:
        """The port whose device the hands would take."""
        raise NotImplementedError  # every page has its own

    def action_plug(self) -> None:
        from console.practice import bus  # late: not for the first picture

        device = self.shot.device(self.port_in_hand)
        if device is not None and device.here:
            self._by_hand(bus.pull, "Pulled.")
        else:
            self._by_hand(bus.plug, "Plugged in.")

    def action_press(self) -> None:
        self._by_hand(press, "Its buttons were used, as its family has them.")

    def _by_hand(self, act: Callable[[Path, MachineClock, str], None], done: str) -> None:
        if not self.shot.practice:
            self.say("That is for practice hardware; here your own hands plug and pull.")
            return
        root, port = self.console_app.feed.state.root, self.port_in_hand
        self.send(lambda: act(root, MachineClock(), port), lambda _: self.say(done))


def press(root: Path, clock: MachineClock, port: str) -> None:
    """What a hand would do first with the device that is there."""
    from console.practice import bus

    bus.press(root, clock, "", port)
