"""The simulated Core: its faults on demand, and that another process goes on with it."""

from __future__ import annotations

import json

import pytest

from console.families.particle.simulator import SCENARIOS, ParticleBoard
from console.families.particle.simulator_dfu import Faults, Leave
from console.hardware.simulated import Away, Hang, Stall
from tests.families.particle.core_wire import (
    BUSY_30,
    BUSY_50,
    DNLOAD_IDLE,
    ERASE_PRIVATE,
    IDLE,
    POINT_PRIVATE,
    UPLOAD_IDLE,
    Wire,
    idle,
)

# --- faults -------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "says"), [((5, 0), DNLOAD_IDLE), ((9, 0), UPLOAD_IDLE)])
def test_a_former_tool_may_have_left_it_in_the_middle(start, says):
    """ABORT leads out of both."""
    wire = Wire(faults=Faults(start=start))
    found = wire.status()
    wire.abort()
    assert [says, IDLE] == [found, wire.status()]


def test_it_may_say_busy_for_no_time_a_hundred_times():
    """Then it works as usual."""
    wire = idle(faults=Faults(zero_polls=100))
    wire.download(0, POINT_PRIVATE)
    said = [wire.status() for _ in range(102)]
    assert said == ["000000000400"] * 100 + [BUSY_50, DNLOAD_IDLE]


def test_it_may_announce_more_than_a_minute():
    """65 s, little-endian; the work itself is not longer."""
    wire = idle(faults=Faults(poll_ms=65000))
    assert wire.do(0, ERASE_PRIVATE)[0] == "00e8fd000400"
    assert wire.paused == [0.05]


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_it_may_stall_while_it_is_busy(times):
    """The STALL replaces GETSTATUS, nothing is lost."""
    wire = idle(faults=Faults(stalls_while_busy=times))
    wire.download(0, POINT_PRIVATE)
    wire.status()
    for _ in range(times):
        with pytest.raises(Stall):
            wire.status()
    assert wire.status() == DNLOAD_IDLE


def test_it_may_take_writes_and_not_keep_them():
    """Silent write protection: only reading back shows it."""
    wire = idle(faults=Faults(ignores_writes=True))
    wire.do(0, ERASE_PRIVATE)
    assert wire.do(2, "3082")[1] == DNLOAD_IDLE
    assert wire.read(POINT_PRIVATE, 2) == "ffff"


def test_it_may_report_a_failed_erase():
    """errERASE, dfuERROR; the page is as it was."""
    wire = idle(faults=Faults(fails_with=4))
    assert wire.do(0, ERASE_PRIVATE)[1] == "040000000a00"
    assert wire.core.counts.erased == []


def test_its_status_may_be_short():
    """Fewer than six bytes are no status."""
    assert Wire(faults=Faults(status_length=4)).status() == "0a000000"


@pytest.mark.parametrize(("size", "field"), [(0, "0000"), (2048, "0008")])
def test_it_may_claim_another_transfer_size(size, field):
    """As bytes 5 and 6 of the functional descriptor."""
    wire = Wire(faults=Faults(transfer_size=size))
    assert field == wire.standard(6, 0x0200)[2 * 32 : 2 * 34]


def test_it_may_leave_saying_that_it_stays():
    """Particle's later devices answer dfuDNLOAD-IDLE."""
    wire = idle(faults=Faults(leave=Leave.IDLE))
    wire.download(0, "")
    assert ("000100000500", Away(1.5)) == (wire.status(), wire.core.away)


def test_it_may_leave_without_an_answer():
    """Hang while `away` is set: it left in the middle of this transfer."""
    wire = idle(faults=Faults(leave=Leave.VANISHES))
    wire.download(0, "")
    with pytest.raises(Hang):
        wire.status()
    assert Away(1.5) == wire.core.away


def test_its_cable_may_slip_after_a_certain_request():
    """That request is still answered; once is enough."""
    wire = Wire(faults=Faults(unplugged_after=3))
    wire.status()
    wire.clear()
    assert (IDLE, Away(None)) == (wire.status(), wire.core.away)
    with pytest.raises(ValueError, match="plug it in"):
        wire.core.press("dfu")
    wire.core.power_on()
    assert None is wire.core.away


def test_a_write_that_was_cut_off_keeps_its_first_bytes():
    """Byte k of the slot, once in the unit's life."""
    wire = idle(faults=Faults(unplugged_at=0x2002))
    wire.do(0, ERASE_PRIVATE)
    wire.download(2, "30820258")
    assert (BUSY_30, Away(None)) == (wire.status(), wire.core.away)
    wire.core.power_on()
    wire.core.press("dfu")
    wire.core.power_on()
    wire.clear()
    assert wire.read(POINT_PRIVATE, 4) == "3082ffff"
    wire.do(2, "30820258")
    assert wire.read(POINT_PRIVATE, 4) == "30820258"


# --- keeping ------------------------------------------------------------------------------


def test_another_process_goes_on_with_the_same_core():
    """Contents, state machine, pending work and a hang: all of it is JSON."""
    first = idle()
    first.do(0, ERASE_PRIVATE)
    first.download(2, "cafe")
    kept = json.loads(json.dumps(first.core.freeze()))

    second = Wire()
    second.core.thaw(kept)

    assert [second.status(), second.status()] == [BUSY_30, DNLOAD_IDLE]
    assert second.read(POINT_PRIVATE, 2) == "cafe"


def test_a_hang_outlives_the_process():
    """Ending a program heals nothing."""
    first = idle(external_alive=False)
    first.download(0, ERASE_PRIVATE)
    first.status()

    second = Wire(external_alive=False)
    second.core.thaw(first.core.freeze())

    with pytest.raises(Hang):
        second.status()


def test_every_scenario_has_a_sentence_and_a_device():
    """Names are words of the command line; ids differ from unit to unit."""
    made = [unit.make(lambda _: None) for scenario in SCENARIOS for unit in scenario.units]
    names = [scenario.name for scenario in SCENARIOS]
    assert names[:4] == ["core-healthy", "core-blank-key", "case-3", "core-unplug-mid-write"]
    assert len(names) == len(set(names))
    boards = [unit for unit in made if isinstance(unit, ParticleBoard)]
    assert len(boards) == len({board.device_id for board in boards})
    assert all(scenario.about.endswith(".") for scenario in SCENARIOS)
