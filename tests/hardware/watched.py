"""Somebody who watches the readers of the real PC/SC stack, and can wait for what is told."""

from __future__ import annotations

import queue

from console.clock import MachineClock
from console.hardware import pcsc
from console.hardware.card import PcscCard
from console.hardware.readers import join
from tests.hardware.stack import Stack

LIMIT = 20.0


class Watched:
    """What was told, in order; waiting for it needs no polling."""

    def __init__(self, stack: Stack) -> None:
        self.do = stack.do
        self.readers = pcsc.Readers()
        self._told: queue.Queue[pcsc.Facts] = queue.Queue()
        self.facts = pcsc.Facts()
        self.readers.start(lambda: self._told.put(self.readers.facts))

    def until(self, wanted) -> None:
        while not wanted(self.facts):
            self.facts = self._told.get(timeout=LIMIT)

    def cards(self) -> tuple[str, ...]:
        return tuple(d.cards[0].atr for d in join((), self.facts.readers))

    def until_cards(self, *atrs: str) -> None:
        self.until(lambda _: self.cards() == atrs)

    def device(self):
        return join((), self.facts.readers)[0]

    def open(self, shared: bool = False) -> PcscCard:
        device = self.device()
        return PcscCard(device, device.cards[0], MachineClock(), shared)

    def quiet(self, seconds: float) -> bool:
        try:
            self.facts = self._told.get(timeout=seconds)
        except queue.Empty:
            return True
        return False
