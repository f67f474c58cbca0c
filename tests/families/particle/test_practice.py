"""The flows on the practice bench: client and simulator were written apart, from one reference."""

from __future__ import annotations

import pytest

from console.events import ArtefactKept, Device, WaitStarted
from console.hardware.lines import ControlLine
from console.practice.local import InProcessBus
from console.views import rows
from tests.families.particle.paper_core import PaperCore
from tests.families.particle.paper_host import PaperHost
from tests.harness import workshop

BUTTONS = "dfu"
WITHOUT_ERASE = ["backup", "write", "compare", "leave"]
REPLACED = ["backup", "erase", "write", "compare", "leave"]


class PracticeHost(PaperHost):
    """The bench on paper, with a practice bus as its devices; somebody uses the buttons."""

    def __init__(self, scenario: str, **answers: str) -> None:
        super().__init__(PaperCore(), **answers)
        self.bus = InProcessBus(scenario, self.clock)
        self.device = self.bus.scan()[0]
        self.pressed = False

    def present(self) -> tuple[Device, ...]:
        return self.bus.scan()

    def look_again(self) -> None:
        waits = self.of(WaitStarted)
        if waits and waits[-1].hands and not self.pressed:
            self.pressed = True
            self.bus.press(BUTTONS)

    def open_control(self, device: Device) -> ControlLine:  # type: ignore[override]
        return self.bus.open_control(device)


@pytest.mark.parametrize(
    ("scenario", "flow", "verdict", "steps"),
    [
        ("core-healthy", "check", "no fault found", ["identify", "probe"]),
        ("core-blank-key", "check", "unfinished", ["identify", "probe"]),
        ("core-blank-key", "rekey", "repaired", ["identify", "probe", *REPLACED]),
        ("core-app", "rekey", "repaired", ["walk", "identify", "probe", *REPLACED]),
        ("core-firmware-gone", "reset", "repaired", ["identify", "factory", *REPLACED[1:]]),
        ("core-server-key-gone", "check", "unfinished", ["identify", "probe"]),
        ("photon-pkcs8", "check", "unfinished", ["identify", "probe"]),
        ("photon-pkcs8", "rekey", "repaired", ["identify", "probe", *WITHOUT_ERASE]),
        ("case-3", "check", "unfinished", ["identify", "probe"]),
        ("case-3", "rekey", "beyond repair", ["identify", "probe", "backup", "trial"]),
    ],
)
def test_a_flow_ends_as_the_scenario_deserves(
    scenario: str, flow: str, verdict: str, steps: list[str]
) -> None:
    """The verdict, and the steps that led to it."""
    host = PracticeHost(scenario, confirm_erase="yes")
    ended = host.run(flow)
    assert (ended.verdict, host.steps()) == (verdict, steps)


def test_the_hardware_verdict_of_the_field_case_takes_seconds() -> None:
    """It took days in the field."""
    host = PracticeHost("case-3", confirm_erase="yes")
    ended = host.run("rekey")
    assert host.clock.now < 15
    assert ended.proof[-1] == "No second erase was sent."


def test_the_serial_the_client_derives_is_the_one_the_simulator_shows() -> None:
    """The firmware shows the device id itself, the bootloader the serial that follows from it."""
    host = PracticeHost("core-app", confirm_erase="yes")
    host.answers["device_id"] = host.device.serial
    assert host.run("rekey").verdict == "repaired"
    other = PracticeHost("core-healthy", confirm_erase="yes", device_id=host.device.serial)
    assert other.run("rekey").verdict == "refused"


def test_a_repair_that_broke_off_is_run_again_from_what_it_finds() -> None:
    """The cable slips in the middle of the write; the first backup stays the backup."""
    host = PracticeHost("core-unplug-mid-write", confirm_erase="yes")
    first = host.run("rekey")
    assert (first.verdict, first.damage) == ("unfinished", "contents gone, bootloader alive")
    slot = host.kept["private-key-slot.bin"]
    host.first = {e.name: (e, host.kept[e.name]) for e in host.of(ArtefactKept)}
    host.bus.plug()
    host.bus.press(BUTTONS)
    host.clock.pause(5)
    host.device = host.bus.scan()[0]
    second = host.run("rekey")
    assert second.verdict == "repaired"
    assert host.kept["private-key-slot.bin"] == slot


def test_a_core_that_left_in_the_middle_is_said_to_be_unfinished_while_it_is_away(tmp_path):
    """It was gone before the run ended; back again, it says so as well."""
    with workshop(tmp_path, "core-unplug-mid-write") as shop:
        assert shop.run().verdict == "unfinished"
        (away,) = rows(shop.bench.view(), {})
        shop.bus.plug("1-1")
        (back,) = rows(shop.bench.view(), {})

        assert ("away", "!", "finish it") == (away.shown, away.mark, away.next)
        assert (True, "!", "finish it") == (back.here, back.mark, back.next)
