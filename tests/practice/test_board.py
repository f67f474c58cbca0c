"""The practice board in this process: what a kernel and two hands do to simulated devices."""

from __future__ import annotations

import json
import queue
from datetime import UTC, datetime

import pytest

from console.errors import BadUsage, NoSuchDevice, NotPermitted, Refused, Silent, Unplugged
from console.events import Device, Node
from console.families.particle.simulator import SparkCore
from console.families.particle.simulator_dfu import Faults, Times
from console.hardware.simulated import Scenario, Unit
from console.practice.board import Board
from console.practice.local import InProcessBus

DEVICE_ID = "50ff70065067545611480887"
GETSTATUS = (0xA1, 3, 0, 0, 6, 5.0)
CLRSTATUS = (0x21, 4, 0, 0, b"", 5.0)
ERASE = (0x21, 1, 0, 0, bytes.fromhex("4100200000"), 5.0)
POINT = (0x21, 1, 0, 0, bytes.fromhex("2100200000"), 5.0)
WRITE = (0x21, 1, 2, 0, b"\x30\x82", 5.0)
LEAVE = (0x21, 1, 0, 0, b"", 5.0)


class Clock:
    """Time passes where it is let pass, and `at` a certain time something happens."""

    boot = "test"

    def __init__(self) -> None:
        self.now = 0.0
        self.at: float | None = None
        self.happens = lambda: None

    def wall(self) -> datetime:
        return datetime(2026, 5, 4, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        if self.at is not None and self.now >= self.at:
            self.at = None
            self.happens()

    def take(self, box, timeout):
        try:
            return box.get_nowait()
        except queue.Empty:
            self.pause(timeout)
            raise


class Bench:
    """A practice bus, its clock, and what it told."""

    def __init__(self, scenario: str | Scenario = "core-blank-key") -> None:
        self.clock = Clock()
        self.bus = InProcessBus(scenario, self.clock)
        self.seen: list[list[str]] = []
        self.bus.watch(lambda devices, state: self.seen.append([d.pid for d in devices]))

    def open(self):
        return self.bus.open_control(self.bus.scan()[0])


def cores(**options) -> Scenario:
    """Two Cores, the second one not plugged in."""
    return Scenario(
        "two",
        "Two Cores.",
        (
            Unit("1-1", lambda pause: SparkCore(pause, DEVICE_ID, **options)),
            Unit("1-2", lambda pause: SparkCore(pause, DEVICE_ID), plugged=False),
        ),
    )


def test_a_device_is_described_as_a_kernel_would():
    """Ids, serial, one entry an interface, and a node that may be opened."""
    device = Bench().bus.scan()[0]
    assert device == Device(
        port="1-1",
        visit="practice-1",
        vid="1d50",
        pid="607f",
        serial="8D7947615654",
        product="CORE DFU",
        maker="Spark Devices",
        speed="full",
        interfaces=("fe0102",),
        nodes=(Node("practice:1-1", "usb", True),),
    )


def test_watching_tells_at_once_and_at_each_change():
    """Pulled, plugged in again as its application, sent into DFU, back."""
    bench = Bench()
    bench.bus.pull()
    bench.bus.plug()
    bench.bus.press("dfu")
    bench.clock.pause(4.0)
    bench.bus.scan()
    assert bench.seen == [["607f"], [], ["607d"], [], ["607f"]]


def test_each_arrival_is_another_visit():
    """Of the same device in the same port."""
    bench = Bench()
    first = bench.bus.scan()[0].visit
    bench.bus.pull()
    bench.bus.plug()
    assert (first, bench.bus.scan()[0].visit) == ("practice-1", "practice-2")


def test_a_device_that_resets_itself_is_back_when_its_time_has_passed():
    """Not a moment before."""
    bench = Bench()
    line = bench.open()
    line.write(*CLRSTATUS)
    line.write(*LEAVE)
    line.read(*GETSTATUS)
    gone = bench.bus.scan()
    bench.clock.pause(1.4)
    still = bench.bus.scan()
    bench.clock.pause(0.2)
    assert (gone, still) == ((), ())
    assert bench.bus.scan()[0].pid == "607d"


def test_pace_scales_what_a_device_takes():
    """A fifth of the time for its work and its reset."""
    clock = Clock()
    bus = InProcessBus("core-blank-key", clock, pace=0.2)
    line = bus.open_control(bus.scan()[0])
    line.write(*CLRSTATUS)
    line.write(*ERASE)
    line.read(*GETSTATUS)
    assert clock.now == pytest.approx(0.01)


def test_a_line_speaks_to_the_device_and_says_no_as_a_real_one():
    """A STALL is Refused with its code."""
    line = Bench().open()
    assert line.read(*GETSTATUS).hex() == "0a0000000a00"
    with pytest.raises(Refused) as refused:
        line.write(*ERASE)
    assert refused.value.code == "stall"


def test_the_alternate_setting_is_chosen_and_a_missing_one_refused():
    """SET_INTERFACE goes to the device."""
    line = Bench().open()
    line.select(0, 1)
    assert line.read(0x81, 10, 0, 0, 1, 5.0) == b"\x01"
    with pytest.raises(Refused):
        line.select(0, 7)


def test_a_hang_lets_the_timeout_pass_and_stays():
    """Silent twice, and the seconds are on the clock."""
    bench = Bench("case-3")
    line = bench.open()
    line.write(*CLRSTATUS)
    line.write(*ERASE)
    line.read(*GETSTATUS)
    for _ in range(2):
        with pytest.raises(Silent) as silent:
            line.read(*GETSTATUS)
    assert silent.value.waited == 5.0
    assert bench.clock.now == pytest.approx(10.05)


def test_a_usb_reset_does_not_wake_a_device_that_hangs():
    """The kernel loses it; the button brings it back."""
    bench = Bench("case-3")
    line = bench.open()
    line.write(*CLRSTATUS)
    line.write(*ERASE)
    line.read(*GETSTATUS)
    with pytest.raises(Unplugged):
        line.reset()
    lost = bench.bus.scan()
    bench.bus.press("dfu")
    bench.clock.pause(4.0)
    assert (lost, bench.bus.scan()[0].pid) == ((), "607f")


def test_a_device_is_held_by_one_line_at_a_time():
    """The second is told who holds it, and may come when it is let go."""
    bench = Bench()
    line = bench.open()
    with pytest.raises(NotPermitted, match="line 1 of this test"):
        bench.open()
    line.close()
    line.close()
    assert bench.open().read(*GETSTATUS).hex() == "0a0000000a00"


def test_a_line_to_a_former_visit_reaches_nothing():
    """The device is back and yet it is gone for whoever held it."""
    bench = Bench()
    device = bench.bus.scan()[0]
    line = bench.bus.open_control(device)
    bench.bus.pull()
    bench.bus.plug()
    with pytest.raises(Unplugged):
        line.read(*GETSTATUS)
    with pytest.raises(Unplugged):
        bench.bus.open_control(device)
    line.close()


def test_pulling_ends_the_transfer_under_way_and_its_work_is_not_done():
    """A write that takes 10 s, pulled after one."""
    bench = Bench(cores(times=slow(10_000)))
    line = bench.open()
    core = bench.bus.simulator("1-1")
    line.write(*CLRSTATUS)
    line.write(*POINT)
    line.read(*GETSTATUS)
    line.read(*GETSTATUS)
    before = core.memories.external.read(0x2000, 16)
    line.write(*WRITE)
    bench.clock.at = bench.clock.now + 1.0
    bench.clock.happens = lambda: bench.bus.pull("1-1")
    with pytest.raises(Unplugged):
        line.read(*GETSTATUS)
    assert bench.clock.now == pytest.approx(1.0, abs=0.06)
    assert core.memories.external.read(0x2000, 16) == before


def slow(milliseconds: int) -> Times:
    """A memory that takes that long for a write."""
    return Times(external_write=milliseconds)


def test_a_cable_that_slips_leaves_half_a_write_behind():
    """The port is empty until somebody plugs it in again."""
    bench = Bench(cores(faults=Faults(unplugged_at=0x2001), external_alive=True))
    line = bench.open()
    for request in (CLRSTATUS, ERASE):
        line.write(*request)
    line.read(*GETSTATUS)
    line.read(*GETSTATUS)
    line.write(*WRITE)
    line.read(*GETSTATUS)
    with pytest.raises(Unplugged):
        line.read(*GETSTATUS)
    gone = bench.bus.scan()
    bench.bus.plug("1-1")
    core = bench.bus.simulator("1-1")
    assert (gone, bench.bus.scan()[0].pid) == ((), "607d")
    assert core.memories.external.read(0x2000, 2) == b"\x30\xff"


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda bus: bus.plug("1-1"), BadUsage),
        (lambda bus: bus.pull("1-2"), BadUsage),
        (lambda bus: bus.press("dfu", "1-2"), BadUsage),
        (lambda bus: bus.press("bootsel", "1-1"), BadUsage),
        (lambda bus: bus.pull("3-4"), NoSuchDevice),
        (lambda bus: bus.pull(""), NoSuchDevice),
    ],
    ids=["in already", "not in", "no power", "no such button", "no such port", "which port"],
)
def test_what_hands_cannot_do_is_said(act, error):
    """And nothing changes."""
    bench = Bench(cores())
    with pytest.raises(error):
        act(bench.bus)
    assert [device.port for device in bench.bus.scan()] == ["1-1"]


def test_an_unknown_scenario_is_refused_with_the_names_there_are():
    """As advice."""
    with pytest.raises(BadUsage) as refused:
        InProcessBus("case-99", Clock())
    assert "case-3, case-4, case-5, core-app" in refused.value.advice


def test_a_board_that_was_kept_goes_on_where_it_was():
    """The same visit, the same half-done work; a reset under way begins anew."""
    first, clock = Bench(), Clock()
    line = first.open()
    line.write(*CLRSTATUS)
    line.write(*POINT)
    again = Board(first.bus.board.scenario, clock)
    again.thaw(first.bus.board.freeze())
    visit = again.devices()[0].visit
    first.bus.press("dfu")
    later = Board(first.bus.board.scenario, clock)
    later.thaw(first.bus.board.freeze())
    away = later.devices()
    clock.pause(4.0)
    assert (visit, away) == ("practice-1", ())
    assert [device.visit for device in later.devices()] == ["practice-2"]


def test_what_was_kept_of_another_scenario_is_not_taken():
    """ValueError, for whoever loads it."""
    with pytest.raises(ValueError, match="another scenario"):
        Bench("case-3").bus.board.thaw(Bench("core-app").bus.board.freeze())


# --- what the kernel writes, and devices that change places ---------------------------------


def test_the_kernel_writes_who_came_and_who_left():
    """As it does of real devices; a port has its own lines."""
    bench = Bench("core-healthy")
    bench.bus.pull("1-1")
    bench.bus.plug("1-1")

    (line,) = bench.bus.kernel_log("1-1").lines
    assert ": new full-speed USB device number 2 " in line
    bench.bus.pull("1-1")
    assert bench.bus.kernel_log("1-1").lines[-1].endswith("USB disconnect, device number 2")
    assert () == bench.bus.kernel_log("1-2").lines


def test_a_dead_device_and_a_bad_port_fail_in_the_kernels_words():
    """Each attempt, wherever the dead one is; in a bad port, everything."""
    dead, bad = Bench("core-dead"), Bench("core-bad-port")
    bad.bus.pull("1-1")
    bad.bus.plug("1-1", "1-2")

    for bench in (dead, bad):
        lines = bench.bus.kernel_log("1-1").lines
        assert "usb 1-1: device descriptor read/64, error -71" in lines
        assert "usb usb1-port1: unable to enumerate USB device" == lines[-1]
        assert () == bench.bus.scan()


def test_devices_change_places_while_both_are_out():
    """The one that lay at 1-2 is plugged into 1-1; the other one lies at 1-2 then."""
    bench = Bench("core-bad-port")
    with pytest.raises(BadUsage, match="Pull the device on port 1-1 first"):
        bench.bus.plug("1-2", "1-1")
    bench.bus.pull("1-1")
    bench.bus.plug("1-2", "1-1")

    assert [("1-2", "1d50")] == [(seen.port, seen.vid) for seen in bench.bus.scan()]
    bench.bus.press("dfu", "1-2")
    bench.clock.pause(10)
    assert ["607f"] == [seen.pid for seen in bench.bus.scan()]


def test_a_board_that_was_kept_knows_who_sits_where_and_what_the_kernel_wrote():
    """The next process goes on with both."""
    first, second = Bench("core-bad-port"), Bench("core-bad-port")
    first.bus.pull("1-1")
    first.bus.plug("1-2", "1-1")
    second.bus.board.thaw(json.loads(json.dumps(first.bus.board.freeze())))

    assert [("1-2", "1d50")] == [(seen.port, seen.vid) for seen in second.bus.scan()]
    assert first.bus.kernel_log("1-1") == second.bus.kernel_log("1-1")
    assert first.bus.kernel_log("").faults == second.bus.kernel_log("").faults != ()
