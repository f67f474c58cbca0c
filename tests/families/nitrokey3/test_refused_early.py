"""A bootloader that says no before it has erased: nothing was written, and that is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import Damage
from console.families.nitrokey3 import simulator_nrf52
from console.families.nitrokey3.simulator import HEALTHY, INTERRUPTED_LPC55
from console.families.nitrokey3.simulator_faults import (
    Faults,
    FirmwareFaults,
    MbootFaults,
)
from tests.families.nitrokey3.test_back import Watching
from tests.families.nitrokey3.test_flash import bench, flash, with_dfu, with_mboot

EARLY = {"abort_at": 1000, "abort_status": 10115}


@pytest.fixture
def tells_no_firmware(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bootloader that does not know the question for its firmware's version."""

    def unknown(self: object, image: object) -> bytes:
        raise simulator_nrf52._Refused(simulator_nrf52.Result.NOT_SUPPORTED)

    monkeypatch.setattr(simulator_nrf52.DfuBootloader, "_firmware", unknown)


@pytest.mark.parametrize("extended", [1, 5, 8, 0xB])
def test_an_nrf52_that_does_not_tell_its_firmware(tmp_path, tells_no_firmware, extended) -> None:
    view, key = flash(tmp_path, with_dfu(extended=extended))
    assert key.dfu.bank.valid
    assert view.ended.verdict == "unfinished"
    assert view.ended.damage == Damage.NOTHING
    assert "no firmware now" not in view.ended.advice
    assert view.ended.advice.startswith(
        "It refused before it erased anything; whether its firmware is whole, it does not tell"
    )


def test_an_nrf52_that_tells_its_firmware_still_names_it(tmp_path) -> None:
    view, _ = flash(tmp_path, with_dfu(extended=5))
    assert view.ended.damage == Damage.NOTHING
    assert "It still has v1.5.0" in view.ended.advice


def test_in_a_guest_the_old_firmware_is_attached_by_hand(tmp_path) -> None:
    faults = Faults(mboot=MbootFaults(**EARLY), firmware=FirmwareFaults(attach_by_hand=True))
    seen = Watching()
    with bench(tmp_path, replace(HEALTHY, faults=faults)) as shop:
        shop.bus.guest = True
        shop.technician._hands = seen
        view = shop.run("nitrokey3.flash")
        assert shop.bus.scan()[0].pid == "42b2"
    wait = next(wait for wait in seen.waits if wait.what == "what it starts now")
    assert wait.hands == ("Attach 20a0:42b2 to this guest now.",)
    assert wait.acts == "bring"
    assert "Its old firmware starts, as before." in view.ended.advice
    assert view.ended.damage == Damage.NOTHING


def test_one_that_is_not_seen_again_was_not_erased_all_the_same(tmp_path) -> None:
    faults = Faults(mboot=MbootFaults(**EARLY), firmware=FirmwareFaults(boots_never=True))
    view, _ = flash(tmp_path, replace(HEALTHY, faults=faults))
    assert view.ended.damage == Damage.NOTHING
    assert "It refused before it erased anything" in view.ended.advice


def test_one_that_had_no_firmware_has_none_and_lost_nothing(tmp_path) -> None:
    view, _ = flash(tmp_path, replace(INTERRUPTED_LPC55, faults=with_mboot(**EARLY).faults))
    assert view.ended.damage == Damage.NOTHING
    assert "It refused before it erased anything" in view.ended.advice
    assert "bootloader" in view.ended.advice


def test_an_abort_behind_the_signature_is_no_early_one(tmp_path) -> None:
    view, _ = flash(tmp_path, with_mboot(abort_at=100_000, abort_status=10106))
    assert view.ended.damage == Damage.HALF
    assert "before it erased" not in view.ended.advice
