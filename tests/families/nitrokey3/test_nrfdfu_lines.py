"""Secure DFU over lines that are slow, and into bootloaders that have few receive buffers.

The rule: a slow line is no mute one; what a burst overruns is sent again, one write at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from console.errors import Garbled, Silent
from console.families.nitrokey3.nrfdfu import SLOWER, Op
from tests.families.nitrokey3.test_nrfdfu import IMAGE, INIT, Bootloader


@dataclass
class Trickling(Bootloader):
    """Its line takes all at once, as Linux buffers it, and brings so many bytes a second."""

    rate: float = 1000.0
    _under_way: bytes = b""

    def send(self, data: bytes) -> None:
        self._under_way += data

    def receive(self, timeout: float, most: int = 4096) -> bytes:
        until = self.now + timeout
        while self._under_way and not self._said and self.now < until:
            self.now += 0.1
            part = max(1, int(self.rate * 0.1))
            first, self._under_way = self._under_way[:part], self._under_way[part:]
            super().send(first)
        return super().receive(max(0.0, until - self.now), most)


@dataclass
class Shallow(Bootloader):
    """So many receive buffers: of the writes that no request follows, it drops the rest."""

    buffers: int = 3
    _filled: int = 0

    def _answer(self, op: int, body: bytes) -> bytes:
        if op != Op.WRITE:
            self._filled = 0
            return super()._answer(op, body)
        self._filled += 1
        return super()._answer(op, body) if self._filled <= self.buffers else b""


def told_of(device: Bootloader) -> list[tuple[str, str]]:
    """Sends all of it; what was told on the way."""
    told: list[tuple[str, str]] = []
    client = device.client()
    client.offer_init(INIT)
    client.accept_init()
    client.send_image(IMAGE, lambda done, total: None, lambda *words: told.append(words))
    assert client.finish(IMAGE, lambda done, total: None)
    assert device.held == IMAGE
    return told


@pytest.mark.parametrize("rate", [600.0, 1000.0, 3500.0, 20_000.0])
def test_a_line_that_is_slow_is_not_a_mute_one(rate: float) -> None:
    assert told_of(Trickling(largest=4096, mtu=2051, rate=rate)) == []


def test_what_was_sent_has_an_end_all_the_same() -> None:
    """A cut line is named within the time that the slowest one would take."""
    device = Trickling(largest=4096, mtu=2051, rate=20_000.0)
    client = device.client()
    client.offer_init(INIT)
    client.accept_init()
    device.rate = 0.0
    began = device.now
    with pytest.raises(Silent):
        client.send_image(IMAGE, lambda done, total: None)
    assert device.now - began < 12.0


@pytest.mark.parametrize("buffers", [1, 3])
def test_what_a_burst_overran_is_sent_again_one_write_at_a_time(buffers: int) -> None:
    device = Shallow(largest=4096, mtu=131, buffers=buffers)
    assert told_of(device) == [SLOWER]
    # The init packet's 140 bytes are three writes; once is enough to learn it for the rest.
    assert device.asked.count(Op.CREATE) <= 1 + 3 + 2


def test_one_damaged_object_is_told_once_and_what_follows_goes_slower() -> None:
    class Once(Bootloader):
        def _write(self, data: bytes) -> None:
            if self.asked.count(Op.WRITE) != 20:
                super()._write(data)

    device = Once(largest=1024, mtu=131)
    assert told_of(device) == [SLOWER]
    assert device.asked.count(Op.CREATE) == 1 + 10 + 1


def test_a_bootloader_that_takes_no_write_is_broken_off() -> None:
    device = Shallow(largest=4096, mtu=131, buffers=0)
    with pytest.raises(Garbled, match="arrived damaged"):
        device.client().offer_init(INIT)
    assert device.asked.count(Op.CREATE) == 3


def test_a_rest_that_overruns_it_is_sent_again_slower() -> None:
    device = Shallow(
        largest=4096, mtu=131, init=INIT, accepted=True, held=IMAGE[:5000], executed=4096
    )
    assert told_of(device) == [SLOWER]
