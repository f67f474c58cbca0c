"""In a guest: what has to be said before anything is written, and which rehearsal frees from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.events import Damage
from console.families.nitrokey3.simulator import (
    HEALTHY,
    INTERRUPTED_LPC55,
    INTERRUPTED_NRF52,
    MINI,
    unit,
)
from console.families.nitrokey3.simulator_faults import Faults, FirmwareFaults, MbootFaults
from console.families.nitrokey3.simulator_key import Build
from console.families.nitrokey3.simulator_rows import Version
from console.hardware.simulated import Scenario
from console.views import RunView
from tests.families.nitrokey3.test_flash import bench, container, hands
from tests.harness import workshop

NEW, OLD = Version(1, 7, 2), Version(1, 3, 1)
LPC55_LOADER, NRF52_LOADER = "20a0:42dd", "20a0:42e8"
TELLS_NO_CHIP = FirmwareFaults(status_length=4)


def run(root: Path, build: Build, flow: str = "flash", guest: bool = True, **answers: str):
    """(the run, the version of the key afterwards), of one key at one port"""
    scenario = Scenario("test", "", (unit("1-1", build),))
    brought = {"image": container(), "retry": "stop", **answers}
    with workshop(root, scenario, answers=brought, hands=hands) as shop:
        shop.bus.guest = guest
        view = shop.run(f"nitrokey3.{flow}")
        return view, shop.bus.simulator().version


def typed(view: RunView) -> str | None:
    """What was typed as to the guest; None where it was not asked."""
    found = [answer.answer for answer in view.answers if answer.question == "confirm_guest"]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("build", "loader"), [(INTERRUPTED_LPC55, LPC55_LOADER), (INTERRUPTED_NRF52, NRF52_LOADER)]
)
def test_a_key_that_is_in_its_bootloader_is_no_exception(tmp_path, build, loader) -> None:
    view, version = run(tmp_path, build)
    assert typed(view) == loader
    assert version == NEW
    assert view.ended.verdict == "repaired", view.ended
    assert any("20a0:42b2" in warned and loader in warned for warned in view.ended.warnings)


def test_a_script_that_says_nothing_of_the_guest_writes_to_no_bootloader(tmp_path) -> None:
    with bench(tmp_path, INTERRUPTED_LPC55) as shop:
        shop.bus.guest = True
        shop.technician.willing = False
        view = shop.run("nitrokey3.flash", attended=False, answers={"image": container()})
        assert shop.bus.simulator().rom.counts.data_reports == 0
    assert "confirm_guest" in view.ended.sentence


@pytest.mark.parametrize(
    ("first", "in_guest", "second", "asked"),
    [
        (HEALTHY, True, HEALTHY, False),
        (HEALTHY, True, INTERRUPTED_LPC55, False),
        (MINI, True, MINI, False),
        (HEALTHY, False, HEALTHY, True),  # it was no guest then
        (HEALTHY, True, MINI, True),  # another identity: nobody has seen the host attach that
        (MINI, True, HEALTHY, True),
    ],
)
def test_which_rehearsal_counts(tmp_path, first, in_guest, second, asked) -> None:
    rehearsed, _ = run(tmp_path, first, "rehearse", guest=in_guest)
    assert rehearsed.ended.verdict == "no fault found", rehearsed.ended
    view, version = run(tmp_path, second)
    assert (typed(view) is not None) is asked
    assert version == NEW


def test_a_rehearsal_that_did_not_end_well_leaves_nothing_that_counts(tmp_path) -> None:
    lost = replace(HEALTHY, faults=Faults(firmware=FirmwareFaults(boots_never=True)))
    rehearsed, _ = run(tmp_path, lost, "rehearse")
    assert rehearsed.ended.verdict == "unfinished"
    view, _ = run(tmp_path, HEALTHY)
    assert typed(view) == LPC55_LOADER


# --- firmware that does not tell its chip -----------------------------------------------------


def untold(build: Build, **faults: object) -> Build:
    return replace(build, version=OLD, faults=Faults(firmware=TELLS_NO_CHIP, **faults))


@pytest.mark.parametrize(("build", "loader"), [(HEALTHY, LPC55_LOADER), (MINI, NRF52_LOADER)])
def test_either_identity_may_be_typed_where_the_chip_is_not_told(tmp_path, build, loader) -> None:
    view, version = run(tmp_path, untold(build), confirm_guest=loader)
    assert typed(view) == loader
    assert view.ended.verdict == "repaired", view.ended
    assert version == NEW


def test_only_the_identity_that_was_typed_is_waited_for(tmp_path) -> None:
    build = untold(HEALTHY, mboot=MbootFaults(attach_by_hand=True))
    view, version = run(tmp_path, build, confirm_guest=NRF52_LOADER)
    assert view.ended.verdict == "unfinished"
    assert "Its nRF52 bootloader did not appear" in view.ended.sentence
    assert (view.ended.damage, version) == (Damage.NOTHING, OLD)


def test_neither_identity_typed_is_no_consent(tmp_path) -> None:
    answers = {"image": container(), "confirm_guest": "20a0:42b2"}
    with bench(tmp_path, untold(HEALTHY)) as shop:
        shop.bus.guest = True
        view = shop.run("nitrokey3.flash", attended=False, answers=answers)
        assert shop.bus.scan()[0].pid == "42b2"
    assert view.ended.verdict == "refused"


def test_a_rehearsal_does_not_stand_for_an_identity_that_it_did_not_see(tmp_path) -> None:
    rehearsed, _ = run(tmp_path, untold(HEALTHY), "rehearse")
    assert rehearsed.ended.verdict == "no fault found", rehearsed.ended
    view, _ = run(tmp_path, untold(HEALTHY), confirm_guest=LPC55_LOADER)
    assert typed(view) is not None  # only one of the two identities was seen
    assert view.ended.verdict == "repaired", view.ended
