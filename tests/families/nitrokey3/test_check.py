"""The check in each mode, and which flows a key's card brings along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.cards import families_of
from console.families import found
from console.families.nitrokey3.simulator import (
    A_PASSKEY,
    HEALTHY,
    INTERRUPTED_LPC55,
    INTERRUPTED_NRF52,
    MINI,
    unit,
)
from console.families.nitrokey3.simulator_faults import Faults, FirmwareFaults
from console.families.nitrokey3.simulator_key import Build
from console.hardware.simulated import Scenario
from console.practice.local import InProcessBus
from console.views import RunView
from tests.harness import VirtualClock, workshop

INTERRUPTED_PASSKEY = replace(A_PASSKEY, mode=INTERRUPTED_NRF52.mode, firmware=False)


def check(root: Path, build: Build) -> RunView:
    with workshop(root, Scenario("test", "", (unit("1-1", build),))) as shop:
        return shop.run("nitrokey3.check")


@pytest.mark.parametrize(
    ("build", "chip"), [(HEALTHY, "LPC55"), (MINI, "nRF52"), (A_PASSKEY, "nRF52")]
)
def test_a_key_that_runs_tells_chip_version_and_id(tmp_path, build: Build, chip: str) -> None:
    ended = check(tmp_path, build).ended
    assert ended.verdict == "no fault found", ended
    assert str(build.version) in ended.sentence
    assert f"{chip}, UUID ..{build.uuid.hex().upper()[-4:]}" in ended.proof[0]


@pytest.mark.parametrize(
    ("build", "chip"),
    [(INTERRUPTED_LPC55, "LPC55"), (INTERRUPTED_NRF52, "nRF52"), (INTERRUPTED_PASSKEY, "nRF52")],
)
def test_a_bootloader_is_named_by_its_chip_before_any_advice(tmp_path, build, chip: str) -> None:
    ended = check(tmp_path, build).ended
    assert ended.verdict == "unfinished"
    assert f"in its {chip} bootloader, which answers" in ended.sentence
    assert f"the file for the {chip}" in ended.advice


def test_status_flags_are_said_in_words(tmp_path) -> None:
    build = replace(MINI, faults=Faults(firmware=FirmwareFaults(status_flags=0x08)))
    ended = check(tmp_path, build).ended
    assert ended.verdict == "unfinished"
    assert "Flash the same version again" in ended.advice


@pytest.mark.parametrize("length", [0, 1, 4])
def test_firmware_that_is_too_old_to_tell_its_status_has_no_fault(tmp_path, length: int) -> None:
    build = replace(HEALTHY, faults=Faults(firmware=FirmwareFaults(status_length=length)))
    assert check(tmp_path, build).ended.verdict == "no fault found"


def test_a_key_with_a_card_belongs_to_two_families_and_its_bootloader_to_one() -> None:
    """The OpenPGP flows come from its card by themselves; a Passkey has none."""

    def families(build: Build) -> list[str]:
        bus = InProcessBus(Scenario("test", "", (unit("1-1", build),)), VirtualClock())
        return [family.name for family in families_of(bus.scan()[0], found())]

    assert families(HEALTHY) == ["nitrokey3", "openpgp"]
    assert families(MINI) == ["nitrokey3", "openpgp"]
    assert families(INTERRUPTED_LPC55) == ["nitrokey3"]
    assert families(A_PASSKEY) == ["nitrokey3"]
