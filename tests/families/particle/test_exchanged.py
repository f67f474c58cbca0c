"""Another board is put where ours was: its serial, in whatever mode, says that it is another."""

from __future__ import annotations

import pytest

from console.events import DeviceJudged
from console.families.particle.simulator import Mode, ParticleBoard
from console.families.particle.simulator_rows import CORE, PHOTON
from console.hardware.simulated import Scenario, Unit
from console.journal import replay
from tests.harness import workshop

A, B = "48ff6b065067555017321587", "50ff70065067545611480887"


def two(row) -> Scenario:
    """Ours, in its application, and one of another customer, not plugged in."""

    def board(identity):
        return lambda pause: ParticleBoard(pause, identity, row, mode=Mode.APPLICATION)

    units = (Unit("1-1", board(A)), Unit("1-2", board(B), plugged=False))
    return Scenario("two boards", "Two boards.", units)


def judgements(shop, view) -> list[DeviceJudged]:
    events = (record.event for record in replay(shop.state.journal(view.run)).records)
    return [event for event in events if isinstance(event, DeviceJudged)]


@pytest.mark.parametrize("row", [CORE, PHOTON], ids=["Core", "Photon"])
def test_another_board_in_our_port_is_not_written_to(tmp_path, row):
    """The walk into DFU ends with the other one there: its page is never erased."""

    def exchange(bus, view):
        if view.wait is not None and view.wait.hands:
            bus.pull("1-1")
            bus.plug("1-1", of="1-2")
            bus.press("dfu", "1-1")

    with workshop(tmp_path, two(row), hands=exchange) as shop:
        view = shop.run("particle.rekey")
        other = shop.bus.simulator("1-1")

        assert (B, "unfinished") == (other.device_id, view.verdict)
        assert [] == other.counts.erased
        assert [False] * len(judgements(shop, view)) == [j.taken for j in judgements(shop, view)]
        assert any("left this port" in judgement.why for judgement in judgements(shop, view))


def test_our_own_core_is_known_by_its_serial_in_each_mode(tmp_path):
    """The bootloader's serial follows from the device id that the firmware shows."""
    with workshop(tmp_path, "core-app") as shop:
        view = shop.run("particle.check")
        taken = [judgement for judgement in judgements(shop, view) if judgement.taken]

        assert {"serial"} == {judgement.grade for judgement in taken}
