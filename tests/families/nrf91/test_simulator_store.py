"""The simulated store against a dictionary: whatever is done to it, in any order."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from console.families.nrf91.simulator_rows import AT_CLIENT, FIRMWARES, Faults, Supply, Times
from console.families.nrf91.simulator_store import Entry, Store
from tests.families.nrf91.modem_wire import Wire, digest

TAGS = st.integers(1, 4)
KINDS = st.sampled_from([0, 2, 3, 4])
TEXTS = st.text(st.sampled_from("abc,\r\n -=;?"), min_size=1, max_size=20)
QUICK = Times(boot=0.0, list=0.0, write=0.1, delete=0.0, keygen=0.0, functional=0.0)


class Stored(RuleBasedStateMachine):
    """`known` is what a host may rely on, oldest first, `weak` says what its supply is."""

    @initialize(firmware=st.sampled_from(FIRMWARES[:3]))
    def begin(self, firmware) -> None:
        self.firmware = firmware
        self.known: dict[tuple[int, int], str] = {}
        self.weak = self.active = False
        self.wire = Wire(firmware, supply=Supply(battery=3000, bench=3800), times=QUICK)
        self.wire.unit.press("bench")
        self.wire.ask("AT+CMEE=1")

    def _lose(self, touched) -> None:
        others = [pair for pair in self.known if pair != touched]
        if self.weak and others:
            del self.known[others[0]]

    def _take(self, pair, text: str) -> None:
        self.known.pop(pair, None)
        self.known[pair] = text
        self._lose(pair)

    @rule(tag=TAGS, kind=KINDS, text=TEXTS)
    def write(self, tag, kind, text) -> None:
        there = (tag, kind) in self.known
        answer = self.wire.write(tag, kind, text)
        if self.active:
            assert answer == "+CME ERROR: 518"
        elif there and not self.firmware.replaces:
            assert answer == "+CME ERROR: 519"
        else:
            assert answer == "OK"
            self._take((tag, kind), text)

    @rule(tag=TAGS, kind=KINDS)
    def delete(self, tag, kind) -> None:
        there = (tag, kind) in self.known
        (answer,) = self.wire.ask(f"AT%CMNG=3,{tag},{kind}")
        expected = "OK" if there else "+CME ERROR: 513"
        assert answer == ("+CME ERROR: 518" if self.active else expected)
        if answer == "OK":
            del self.known[tag, kind]
            self._lose((tag, kind))

    @precondition(lambda self: not self.active)
    @rule(tag=TAGS, kind=KINDS, text=st.text("abcd", min_size=2, max_size=20))
    def lose_power_in_a_write(self, tag, kind, text) -> None:
        refused = (tag, kind) in self.known and not self.firmware.replaces
        self.wire.send(f'AT%CMNG=0,{tag},{kind},"{text}"\r'.encode())
        self.wire.listen(1)
        self._off_and_on()
        if not refused:
            self._take((tag, kind), text[: len(text) // 2])

    @rule()
    def power_cycle(self) -> None:
        self._off_and_on()

    def _off_and_on(self) -> None:
        self.wire.cycle()
        self.wire.ask("AT+CMEE=1")
        self.active = False

    @rule(mode=st.sampled_from([0, 1, 4]))
    def change_mode(self, mode) -> None:
        assert self.wire.ask(f"AT+CFUN={mode}") == ["OK"]
        self.active = mode == 1

    @rule(weak=st.booleans())
    def change_supply(self, weak) -> None:
        self.wire.unit.press("battery" if weak else "bench")
        self.weak = weak

    @rule()
    def go_on_in_another_process(self) -> None:
        kept = json.loads(json.dumps(self.wire.unit.freeze()))
        later = Wire(self.firmware, AT_CLIENT, supply=Supply(3000, 3800), times=QUICK, boot=False)
        later.unit.thaw(kept)
        self.wire = later

    @invariant()
    def lists_what_is_known(self) -> None:
        if not hasattr(self, "wire"):
            return
        listed = self.wire.listed()
        assert set(listed) == set(self.known)
        for pair, text in self.known.items():
            if pair[1] not in (*self.firmware.no_digest, *self.firmware.short):
                assert listed[pair] == digest(text)


TestStored = Stored.TestCase
TestStored.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_a_weak_supply_takes_the_oldest_entry_that_was_not_touched():
    """One at each change; never the one that is written."""
    store = Store({(3, 0): "a", (1, 0): "b", (2, 0): "c"}, Faults())
    store.write(Entry(9, 0, b"d"), 3099)
    assert [entry.pair for entry in store.entries] == [(1, 0), (2, 0), (9, 0)]
    store.write(Entry(1, 0, b"e"), 3000)
    assert [entry.pair for entry in store.entries] == [(9, 0), (1, 0)]
    store.delete((9, 0), 3000)
    assert (store.entries, store.lost) == ([], [(3, 0), (2, 0), (1, 0)])
    store.write(Entry(1, 0, b"e"), 3000)
    assert [entry.pair for entry in store.find()] == [(1, 0)]


@pytest.mark.parametrize("supply", [3100, 3800])
def test_a_good_supply_loses_nothing(supply):
    """From the threshold on."""
    store = Store({(3, 0): "a", (1, 0): "b"}, Faults())
    store.write(Entry(9, 0, b"d"), supply)
    assert len(store.entries) == 3
