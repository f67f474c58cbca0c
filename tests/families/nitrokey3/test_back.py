"""Behind the last byte: who is waited for, for how long, who is asked, and what decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console.errors import Silent
from console.events import Damage
from console.families.nitrokey3.simulator import HEALTHY, INTERRUPTED_LPC55, INTERRUPTED_NRF52, MINI
from console.families.nitrokey3.simulator_faults import (
    DfuFaults,
    Faults,
    FirmwareFaults,
    MbootFaults,
    Times,
)
from console.families.nitrokey3.simulator_key import Build
from console.families.nitrokey3.simulator_rows import Version
from console.practice.local import InProcessBus
from console.views import RunView, WaitView
from tests.families.nitrokey3.test_flash import bench, container, hands, with_mboot

NEW = Version(1, 7, 2)
OLD_STORE = replace(MINI, version=Version(1, 2, 2))


class Watching:
    """Hands as willing as ever, except where `does` says no; keeps the waits that it saw."""

    def __init__(self, does: Callable[[WaitView], bool] = lambda wait: True) -> None:
        self.waits: list[WaitView] = []
        self._does = does

    def __call__(self, bus: InProcessBus, view: RunView) -> None:
        assert view.wait is not None
        self.waits.append(view.wait)
        if self._does(view.wait):
            hands(bus, view)

    def for_firmware(self) -> WaitView:
        return next(wait for wait in self.waits if wait.what == "its firmware")


def flash(root: Path, build: Build, does: Watching, guest: bool = False, **request: object):
    """(the run, the version that the key has then, seconds that passed)"""
    with bench(root, build) as shop:
        shop.technician._hands = does
        shop.bus.guest = guest
        began = shop.clock.monotonic()
        view = shop.run("nitrokey3.flash", **request)
        return view, shop.bus.simulator().version, shop.clock.monotonic() - began


# --- a store that is converted ----------------------------------------------------------------


def converting(seconds: float, **faults: object) -> Build:
    times = replace(OLD_STORE.times, migration=seconds)
    return replace(OLD_STORE, times=times, faults=Faults(**faults))


@pytest.mark.parametrize("seconds", [31.0, 200.0, 245.0])
def test_a_key_that_converts_its_store_is_left_alone_until_it_is_back(tmp_path, seconds) -> None:
    seen = Watching()
    view, version, passed = flash(tmp_path, converting(seconds), seen)
    assert view.ended.verdict == "repaired", view.ended
    assert version == NEW
    assert passed > seconds
    wait = seen.for_firmware()
    assert (wait.limit, wait.usual, wait.acts) == (250.0, 180.0, "leave")
    assert "while its light is on" in wait.safe
    assert not wait.hands  # nobody is asked to do anything
    assert any("up to 3 minutes" in told.sentence for told in view.said)


def test_a_key_that_never_comes_back_from_it_ends_with_what_to_do(tmp_path) -> None:
    build = converting(150.0, firmware=FirmwareFaults(boots_never=True))
    view, _, passed = flash(tmp_path, build, Watching())
    assert view.ended.verdict == "unfinished"
    assert "nothing came back in time" in view.ended.sentence
    assert "leave it for 3 minutes" in view.ended.advice
    assert view.ended.damage == Damage.HALF
    assert 250.0 < passed < 400.0


def test_without_a_conversion_half_a_minute_is_enough(tmp_path) -> None:
    build = replace(MINI, faults=Faults(firmware=FirmwareFaults(boots_never=True)))
    seen = Watching()
    view, _, passed = flash(tmp_path, build, seen)
    assert view.ended.verdict == "unfinished"
    assert seen.for_firmware().limit == 30.0
    assert passed < 150.0


def test_an_unknown_version_counts_as_an_old_one(tmp_path) -> None:
    """Found in its bootloader: nobody knows what it ran, so the wait is the long one."""
    seen = Watching()
    view, _, _ = flash(tmp_path, INTERRUPTED_NRF52, seen)
    assert view.ended.verdict == "repaired", view.ended
    assert seen.for_firmware().limit == 250.0


# --- a guest: it has to be given to it once more ------------------------------------------------


def let_go(build: Build) -> Build:
    return replace(
        build,
        faults=Faults(
            firmware=FirmwareFaults(attach_by_hand=True),
            mboot=MbootFaults(attach_by_hand=True),
            dfu=DfuFaults(attach_by_hand=True),
        ),
    )


@pytest.mark.parametrize("build", [HEALTHY, MINI], ids=["lpc55", "nrf52"])
def test_in_a_guest_the_hands_are_asked_to_attach_it_once_more(tmp_path, build: Build) -> None:
    seen = Watching()
    view, version, _ = flash(tmp_path, let_go(build), seen, guest=True)
    assert view.ended.verdict == "repaired", view.ended
    assert version == NEW
    wait = seen.for_firmware()
    assert wait.hands[0] == "Attach 20a0:42b2 to this guest now."
    assert wait.acts == "bring"
    assert wait.limit >= 600.0


def test_hands_that_take_five_minutes_are_waited_for(tmp_path) -> None:
    with bench(tmp_path, let_go(HEALTHY)) as shop:
        shop.bus.guest = True

        def late(bus: InProcessBus, view: RunView) -> None:
            assert view.wait is not None
            if view.wait.what == "its firmware":
                shop.clock.later(300.0, lambda: bus.press("attach", "1-1"))
            else:
                hands(bus, view)

        shop.technician._hands = late
        view = shop.run("nitrokey3.flash")
    assert view.ended.verdict == "repaired", view.ended


def test_a_script_without_hands_ends_in_a_state_that_has_a_name(tmp_path) -> None:
    """The host gives the guest the bootloader by itself and forgets the firmware."""
    build = replace(HEALTHY, faults=Faults(firmware=FirmwareFaults(attach_by_hand=True)))
    seen = Watching(lambda wait: wait.acts == "touch")
    answers = {"image": container(), "confirm_guest": "20a0:42dd", "confirm_write": "5A01"}
    view, version, passed = flash(
        tmp_path, build, seen, guest=True, attended=False, answers=answers
    )
    assert view.ended.verdict == "unfinished"
    assert "was not attached to this guest" in view.ended.sentence
    assert "Attach 20a0:42b2 and run check: it must run v1.7.2" in view.ended.advice
    assert version == NEW  # it is written; only nobody here can see it
    assert passed < 900.0


# --- answers that do not come --------------------------------------------------------------------


def test_a_final_answer_that_is_lost_is_made_up_for_by_what_comes_back(tmp_path) -> None:
    view, version, _ = flash(tmp_path, with_mboot(final_lost=True), Watching())
    assert view.ended.verdict == "repaired", view.ended
    assert version == NEW
    answer = next(step for step in view.plan if step.id == "answer")
    assert "its answer was lost" in answer.found


def test_a_bootloader_that_is_mute_behind_the_last_byte_is_not_given_up_in_silence(
    tmp_path,
) -> None:
    view, _, passed = flash(tmp_path, with_mboot(final_delay=-1.0), Watching())
    assert view.ended.verdict == "unfinished"
    assert passed > 300.0
    assert view.ended.damage == Damage.HALF


def test_a_bootloader_that_takes_no_reset_is_started_by_hand(tmp_path) -> None:
    seen = Watching()
    view, version, _ = flash(tmp_path, with_mboot(reset_refused=True), seen)
    assert view.ended.verdict == "repaired", view.ended
    assert version == NEW
    assert seen.for_firmware().hands == ("Pull it out.", "Plug it back in, same port.")


@pytest.mark.parametrize(("mute", "verdict"), [(3, "repaired"), (99, "unfinished")])
@pytest.mark.parametrize("attended", [True, False])
def test_a_key_that_is_back_and_still_at_work_is_asked_again(
    tmp_path, mute: int, verdict: str, attended: bool
) -> None:
    """The first status right after an update may fail (nitrokey-3-firmware, issue 404)."""
    with bench(tmp_path, INTERRUPTED_LPC55) as shop:
        left = [mute]
        open_line = shop.bus.open

        def late(device, kind, name=""):
            if device.pid == "42b2" and left[0]:
                left[0] -= 1
                raise Silent("The device sent nothing.")
            return open_line(device, kind, name)

        shop.bus.open = late
        answers = {"image": container(), "confirm_write": "5A01"}
        view = shop.run("nitrokey3.flash", attended=attended, answers=answers)
    assert view.ended.verdict == verdict, view.ended
    if verdict == "unfinished":
        assert "does not say yet what it runs" in view.ended.sentence
        assert "it must run v1.7.2" in view.ended.advice


# --- what is claimed ------------------------------------------------------------------------------


def test_the_verdict_claims_nothing_of_the_store_that_it_did_not_read(tmp_path) -> None:
    view, _, _ = flash(tmp_path, HEALTHY, Watching())
    assert "did not read it" in view.ended.advice


def test_a_bootloader_that_told_another_id_is_said_with_the_verdict(tmp_path) -> None:
    """Found in its bootloader, where it tells the chip's id; its firmware then tells another."""
    build = replace(HEALTHY, mode=INTERRUPTED_NRF52.mode, firmware=False, times=Times())
    with bench(tmp_path, build) as shop:
        key = shop.bus.simulator()
        key.admin._uuid = bytes(16)
        view = shop.run("nitrokey3.flash")
    assert any("Is it the same key?" in warning for warning in view.ended.warnings), view.ended
    assert view.ended.verdict == "repaired"
