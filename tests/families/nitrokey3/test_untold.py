"""Keys that do not tell their chip, or no id: what is refused early, and what is typed instead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.events import Damage
from console.families.nitrokey3 import simulator_mboot
from console.families.nitrokey3.simulator import HEALTHY, INTERRUPTED_LPC55, MINI, TWIN, unit
from console.families.nitrokey3.simulator_faults import Faults, FirmwareFaults
from console.families.nitrokey3.simulator_key import Build
from console.families.nitrokey3.simulator_rows import Version
from console.hardware.simulated import Scenario
from tests.families.nitrokey3 import made
from tests.families.nitrokey3.container import release
from tests.families.nitrokey3.test_flash import bench, container, hands
from tests.harness import workshop

NEW, OLD = Version(1, 7, 2), Version(1, 3, 1)


def told(length: int, version: Version, build: Build = HEALTHY) -> Build:
    faults = Faults(firmware=FirmwareFaults(status_length=length))
    return replace(build, version=version, faults=faults)


def bare(root: Path) -> str:
    root.mkdir(exist_ok=True)
    file = root / "firmware.sb2"
    file.write_bytes(release().sb2)
    return str(file)


# --- the chip ---------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [HEALTHY, MINI])
def test_a_key_too_old_for_the_file_is_left_in_its_firmware(tmp_path, build: Build) -> None:
    """Also the second time: it is not in its bootloader, where nothing tells what it runs."""
    with bench(tmp_path, told(0, Version(1, 2, 0), build)) as shop:
        for _ in range(2):
            view = shop.run("nitrokey3.flash")
            assert view.ended.verdict == "refused"
            assert "Flash v1.3.1 first" in view.ended.advice
            assert shop.bus.scan()[0].pid == "42b2"
        assert shop.bus.simulator().version == Version(1, 2, 0)


def test_another_products_file_leaves_it_in_its_firmware(tmp_path) -> None:
    file = tmp_path / "passkey.zip"
    file.write_bytes(made.release(product="Nitrokey Passkey", nrf52=made.nrf_package()))
    with bench(tmp_path / "state", told(4, OLD), image=str(file)) as shop:
        view = shop.run("nitrokey3.flash")
        assert shop.bus.scan()[0].pid == "42b2"
    assert "is for the Nitrokey Passkey" in view.ended.sentence


def test_an_older_file_is_asked_about_before_it_is_in_its_bootloader(tmp_path) -> None:
    answers = {"image": container()}
    with bench(tmp_path, told(4, Version(1, 8, 1))) as shop:
        view = shop.run("nitrokey3.flash", attended=False, answers=answers)
        assert shop.bus.scan()[0].pid == "42b2"
    assert "confirm_downgrade" in view.ended.sentence


def test_the_other_chips_file_is_refused_with_where_the_key_is_now(tmp_path) -> None:
    build = told(4, OLD, MINI)
    with bench(tmp_path / "state", build, image=bare(tmp_path)) as shop:
        view = shop.run("nitrokey3.flash")
        assert shop.bus.scan()[0].pid == "42e8"
    assert view.ended.verdict == "refused"
    assert view.ended.damage == Damage.NOTHING
    assert "this device has an nRF52" in view.ended.sentence
    assert "It is in its bootloader: pull it and plug it in" in view.ended.advice


@pytest.mark.parametrize("build", [HEALTHY, MINI])
def test_a_key_that_does_not_tell_its_chip_is_updated(tmp_path, build: Build) -> None:
    with bench(tmp_path, told(4, OLD, build)) as shop:
        view = shop.run("nitrokey3.flash")
        assert shop.bus.simulator().version == NEW
    assert view.ended.verdict == "repaired", view.ended


# --- the id -----------------------------------------------------------------------------------


@pytest.fixture
def no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bootloaders that keep their unique id to themselves."""
    properties = simulator_mboot.properties

    def without(uuid: bytes) -> dict:
        return {which: words for which, words in properties(uuid).items() if which != 0x12}

    monkeypatch.setattr(simulator_mboot, "properties", without)


def test_a_bootloader_without_an_id_that_is_alone_is_named_by_its_usb_id(tmp_path, no_id) -> None:
    with bench(tmp_path, INTERRUPTED_LPC55) as shop:
        view = shop.run("nitrokey3.flash")
        assert shop.bus.simulator().version == NEW
    typed = next(each.answer for each in view.answers if each.question == "confirm_write")
    assert typed == "20a0:42dd"
    assert view.ended.verdict == "repaired", view.ended


@pytest.mark.parametrize("other", [TWIN, MINI, INTERRUPTED_LPC55])
def test_beside_another_key_it_is_not_written(tmp_path, no_id, other: Build) -> None:
    units = (unit("1-1", INTERRUPTED_LPC55), unit("1-2", other))
    answers = {"image": container(), "retry": "stop"}
    with workshop(tmp_path, Scenario("t", "", units), answers=answers, hands=hands) as shop:
        view = shop.run("nitrokey3.flash")
        assert shop.bus.simulator("1-1").rom.counts.data_reports == 0
    assert view.ended.verdict == "refused"
    assert view.ended.advice == "Nothing is written. Pull every other key, then run again."


def test_firmware_without_an_id_is_named_by_its_bootloaders(tmp_path) -> None:
    build = replace(HEALTHY, faults=Faults(firmware=FirmwareFaults(has_uuid=False)))
    with bench(tmp_path, build) as shop:
        view = shop.run("nitrokey3.flash")
    typed = next(each.answer for each in view.answers if each.question == "confirm_write")
    assert typed == "5A01"
    assert view.ended.verdict == "repaired", view.ended


def test_a_reset_without_an_id_is_refused_with_what_helps(tmp_path) -> None:
    build = replace(HEALTHY, faults=Faults(firmware=FirmwareFaults(has_uuid=False)))
    with bench(tmp_path, build, apps="fido2") as shop:
        view = shop.run("nitrokey3.reset")
    assert view.ended.verdict == "refused"
    assert view.ended.advice == "Nothing is erased. Flash newer firmware first, then reset."
