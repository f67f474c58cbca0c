"""A board with a battery comes back on USB, and its modem was never off: no power cycle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.families.nrf91.simulator_modem import Modem as SimulatedModem
from console.families.nrf91.simulator_rows import AT_CLIENT, TRACKER, Faults, Keeps
from tests.families.nrf91.modem_bench import CONTENTS, LOST, RESTORE, at_the_switch
from tests.families.nrf91.test_nrf91_faults import answers, held, pictures, unit
from tests.harness import workshop

NEVER = "power-cycle not proven: "


def wiggle(bus, view) -> None:
    """Only the cable is pulled and plugged again."""
    if view.wait is not None and view.wait.hands:
        bus.pull(view.port)
        bus.plug(view.port)


def run(root, hands, flow=RESTORE, application=TRACKER, keeps=Keeps.AT_ONCE, **more):
    """The run's view, and the workshop as it was left."""
    scenario = unit(application=application, on_battery=True, faults=Faults(keeps=keeps), **more)
    given = {"retry": "stop", "tags": "3"} | answers(root / "given")
    with workshop(root / "state", scenario, answers=given, hands=hands) as shop:
        return shop.run(flow), shop, held(shop), shop.bus.simulator("1-1").modem.mode


@pytest.mark.parametrize("keeps", list(Keeps))
def test_a_pulled_cable_is_no_power_cycle(tmp_path, keeps):
    """It is asked for once more, with the battery named; then it is not proven."""
    view, shop, _, mode = run(tmp_path, wiggle, keeps=keeps)
    assert view.verdict == "repaired"
    assert NEVER in view.ended.sentence
    assert "its modem was never off" in view.ended.sentence
    assert any("power cycle" in each for each in view.ended.to_do)
    assert "after-power-cycle" not in pictures(shop, view)
    assert mode == 1


@pytest.mark.parametrize(
    ("keeps", "verdict", "words"),
    [
        (Keeps.AT_ONCE, "repaired", "before and after a power cycle"),
        (Keeps.NEVER, "unfinished", "After the power cycle the store is not as it was"),
    ],
)
def test_asked_once_more_the_switch_proves_it(tmp_path, keeps, verdict, words):
    """The second time somebody uses the switch."""
    asked = []

    def second_time(bus, view):
        if view.wait is not None and view.wait.hands:
            asked.append(view.wait.hands)
            (wiggle if len(asked) == 1 else at_the_switch)(bus, view)

    view, _, now, _ = run(tmp_path, second_time, keeps=keeps)
    assert (view.verdict, words in view.ended.sentence) == (verdict, True), view.ended
    assert (LOST in now) == (verdict == "repaired")
    assert len(asked) == 2
    assert "battery" in " ".join(asked[1])


def test_a_reset_says_so_too(tmp_path):
    """Every change ends with the same proof."""
    view, *_ = run(tmp_path, wiggle, "nrf91.reset", contents=CONTENTS)
    assert NEVER in view.ended.sentence


def test_a_check_before_it_leaves_no_trace_that_looks_like_a_power_cycle(tmp_path):
    """The modem tells its errors as it did when the check came."""
    given = {"retry": "stop"} | answers(tmp_path / "given")
    scenario = unit(application=TRACKER, on_battery=True)
    with workshop(tmp_path / "state", scenario, answers=given, hands=wiggle) as shop:
        shop.run("nrf91.check")
        assert not shop.bus.simulator("1-1").modem._verbose
        assert NEVER in shop.run(RESTORE).ended.sentence


@pytest.mark.parametrize("numbers", [True, False])
@pytest.mark.parametrize("starts_in", [0, 1])
def test_an_application_that_sets_one_of_both_itself_is_not_accused(
    tmp_path, monkeypatch, numbers, starts_in
):
    """Only both as they were left, and other than they were found, say that it was not off."""
    power_on = SimulatedModem.power_on

    def started(self):
        power_on(self)
        self._verbose = numbers

    monkeypatch.setattr(SimulatedModem, "power_on", started)
    application = replace(AT_CLIENT, starts_in=starts_in)
    view, *_ = run(tmp_path, at_the_switch, application=application)
    assert "before and after a power cycle" in view.ended.sentence
