"""Readers whose names are not ASCII: a device's own interface or serial string may say anything."""

from __future__ import annotations

import re

import pytest

from console.clock import MachineClock
from console.events import Device
from console.hardware import pcsc
from console.hardware.card import PcscCard
from console.hardware.readers import Reader, join
from console.letters import REPLACED
from tests.hardware.stack import ATR, LONGEST_NAME, NAME, OTHER_ATR, TAG, slot_of
from tests.hardware.watched import Watched
from tests.hostile.texts import must_be_harmless
from tests.sources import sources

PLAIN, ACCENT, CUT = NAME, f"Clé {TAG}", f"{TAG[:10]:a<10} " + "中" * 50
SELECT = bytes.fromhex("00a4040000")


@pytest.fixture
def named(request, machine):
    """Readers of those names, and somebody who watches."""
    machine.do("start", *request.param)
    made = Watched(machine)
    made.until(lambda facts: len(facts.readers) == 2 * len(request.param))
    yield made
    made.readers.close()
    machine.do("end")


def answers(device: Device) -> bool:
    line = PcscCard(device, device.cards[0], MachineClock())
    try:
        return line.transmit(SELECT) == b"\x90\x00"
    finally:
        line.close()


@pytest.mark.parametrize("named", [[ACCENT], [CUT]], ids=["accent", "cut"], indirect=True)
def test_cards_in_such_readers_come_and_go_and_can_be_used(named):
    """One look and the watching thread alike; what is shown of the name is harmless."""
    named.do("insert", 0, ATR)
    named.do("insert", 1, OTHER_ATR)
    named.until_cards(ATR, OTHER_ATR)

    devices = join((), named.facts.readers)
    assert join((), pcsc.look().readers)[1].cards == devices[1].cards
    for device in devices:
        must_be_harmless(device.cards[0].reader, kept="")
        assert answers(device)

    named.do("remove", 0)
    named.until_cards("", OTHER_ATR)


@pytest.mark.parametrize("named", [[PLAIN, ACCENT, CUT]], indirect=True)
def test_such_readers_beside_another_keep_nobody_from_seeing_any_of_them(named):
    """Each of them is told with its own name, again and again, by whoever looks."""
    every = {slot_of(name, number) for name in (PLAIN, ACCENT, CUT) for number in (0, 1)}

    for facts in (named.facts, pcsc.look(), pcsc.look()):
        assert {reader.name for reader in facts.readers} == every
        assert facts.state == ""


def test_the_names_are_shown_as_they_are_but_for_half_a_letter():
    """What was cut is said to be."""
    readers = [Reader(slot_of(name, 0), 0) for name in (ACCENT, CUT)]

    kept = CUT.encode()[:LONGEST_NAME].decode(errors="ignore")
    shown = [device.product for device in join((), readers)]

    assert sorted(shown) == sorted([f"{ACCENT} 00 00", f"{kept}{REPLACED * 2} 00 00"])


def test_no_name_is_given_to_a_library_that_takes_ascii_only():
    """Nor asked of it: SCardConnect, SCardGetStatusChange, SCardListReaders and their like."""
    calls = re.compile(r"scard\.SCard(Connect|GetStatusChange|ListReaders|LocateCards|Status)\b")

    assert [source.place for source in sources() if calls.search(source.text)] == []
