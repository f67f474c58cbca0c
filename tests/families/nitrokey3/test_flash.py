"""The flash flow on practice keys, from the file to the version that the key tells afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.events import Damage
from console.families.nitrokey3.simulator import (
    FIRST,
    HEALTHY,
    INTERRUPTED_LPC55,
    INTERRUPTED_NRF52,
    MINI,
)
from console.families.nitrokey3.simulator_faults import (
    DfuFaults,
    Faults,
    FirmwareFaults,
    MbootFaults,
)
from console.families.nitrokey3.simulator_key import Build, NitrokeyThree
from console.families.nitrokey3.simulator_rows import Version
from console.hardware.simulated import Scenario, Unit
from console.practice.local import InProcessBus
from console.views import RunView
from tests.families.nitrokey3 import made
from tests.harness import workshop
from tests.realdata import real


def hands(bus: InProcessBus, view: RunView) -> None:
    """Touches when asked to touch, replugs when asked to, attaches in a guest."""
    wait = view.wait
    assert wait is not None
    if wait.acts == "touch":
        bus.press("touch", view.port)
    elif any("Attach" in hand for hand in wait.hands):
        away = bus.simulator(view.port).away
        if away is not None and away.seconds is None:  # it does not come by itself
            bus.press("attach", view.port)
    elif wait.hands:
        bus.pull(view.port)
        bus.plug(view.port)


def container() -> str:
    return str(real("firmware-nk3-v1.7.2.zip"))


def bench(root: Path, build: Build, **answers: str):
    scenario = Scenario("test", "", (Unit("1-1", lambda pause: NitrokeyThree(pause, build)),))
    return workshop(
        root, scenario, answers={"image": container(), "retry": "stop", **answers}, hands=hands
    )


def with_mboot(**faults) -> Build:
    return replace(HEALTHY, faults=Faults(mboot=MbootFaults(**faults)))


def with_dfu(**faults) -> Build:
    return replace(MINI, faults=Faults(dfu=DfuFaults(**faults)))


def flash(root: Path, build: Build, **answers: str) -> tuple[RunView, NitrokeyThree]:
    with bench(root, build, **answers) as shop:
        view = shop.run("nitrokey3.flash")
        key = shop.bus.simulator()
        assert isinstance(key, NitrokeyThree)
        return view, key


@pytest.mark.parametrize("build", [HEALTHY, MINI, INTERRUPTED_LPC55, INTERRUPTED_NRF52])
def test_a_key_is_updated_and_says_so_itself(tmp_path, build: Build) -> None:
    view, key = flash(tmp_path, build)
    assert view.ended.verdict == "repaired", view.ended
    assert "v1.7.2" in view.ended.sentence
    assert view.ended.damage == Damage.NOTHING
    assert key.version == Version(1, 7, 2)


def test_what_is_typed_is_the_end_of_its_id(tmp_path) -> None:
    view, _ = flash(tmp_path, HEALTHY)
    asked = next(answer for answer in view.answers if answer.question == "confirm_write")
    assert asked.answer == FIRST.hex().upper()[-4:]


# --- both lies ------------------------------------------------------------------------------


def test_all_bytes_sent_and_the_old_version_back_is_not_repaired(tmp_path) -> None:
    view, _ = flash(tmp_path, with_mboot(keeps_old_version=True))
    assert view.ended.verdict == "unfinished"
    assert "runs v1.7.0 all the same" in view.ended.sentence


def test_all_bytes_sent_and_a_bootloader_back_is_not_repaired(tmp_path) -> None:
    view, _ = flash(tmp_path, with_mboot(stays_bootloader=True))
    assert view.ended.verdict == "unfinished"
    assert "came back as a bootloader" in view.ended.sentence
    assert view.ended.damage == Damage.HALF


@pytest.mark.parametrize(
    "faults",
    [
        {"reset_answer_lost": True},
        {"final_delay": 3.0},
        {"final_delay": 25.0},
        {"final_delay": 100.0},
    ],
)
def test_late_and_lost_answers_are_no_failure(tmp_path, faults: dict) -> None:
    view, _ = flash(tmp_path, with_mboot(**faults))
    assert view.ended.verdict == "repaired", view.ended


def test_silence_for_a_minute_is_said_and_waited_on(tmp_path) -> None:
    view, _ = flash(tmp_path, with_mboot(final_delay=100.0))
    assert any("has not answered for 60 s" in said.sentence for said in view.said)


def test_a_port_that_vanishes_before_the_last_answer_is_no_failure(tmp_path) -> None:
    view, _ = flash(tmp_path, with_dfu(vanishes=True))
    assert view.ended.verdict == "repaired", view.ended


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [(10115, "older than what this key has already run"), (10101, "not made for this key")],
)
def test_an_abort_before_anything_is_erased(tmp_path, status: int, words: str) -> None:
    view, key = flash(tmp_path, with_mboot(abort_at=1000, abort_status=status))
    assert view.ended.verdict == "unfinished"
    assert words in view.ended.sentence
    assert view.ended.damage == Damage.NOTHING
    assert key.version == Version(1, 7, 0)


def test_an_abort_in_the_image_leaves_a_bootloader_and_is_finished_by_the_next_run(
    tmp_path,
) -> None:
    with bench(tmp_path, with_mboot(abort_at=100_000, abort_status=10106)) as shop:
        view = shop.run("nitrokey3.flash")
        assert (view.ended.verdict, view.ended.damage) == ("unfinished", Damage.HALF)
        assert "damaged on the way" in view.ended.sentence


@pytest.mark.parametrize(
    ("extended", "words"), [(5, "refuses older firmware"), (6, "other hardware"), (8, "not signed")]
)
def test_an_init_packet_that_is_refused(tmp_path, extended: int, words: str) -> None:
    view, key = flash(tmp_path, with_dfu(extended=extended))
    assert words in view.ended.sentence
    assert view.ended.verdict == "unfinished"
    assert key.version == Version(1, 5, 0)


@pytest.mark.parametrize(
    "faults",
    [
        {"noise": b"AT\r\nOK\r\n\xc0"},
        {"dropped_at": 6144},
        {"flipped_at": 100_000},
        {"final_delay": 2.5},
        {"mtu": 131, "command_size": 256},
    ],
)
def test_what_a_line_may_do_to_an_nrf52(tmp_path, faults: dict) -> None:
    view, _ = flash(tmp_path, with_dfu(**faults))
    assert view.ended.verdict == "repaired", view.ended


@pytest.mark.parametrize("op", [1, 4])
def test_a_missing_answer_is_an_error_and_the_next_run_finishes(tmp_path, op: int) -> None:
    with bench(tmp_path, with_dfu(lost_answers=(op,))) as shop:
        view = shop.run("nitrokey3.flash")
        assert view.ended.verdict == "unfinished"
        assert "did not answer" in view.ended.sentence
        again = shop.run("nitrokey3.flash")
        assert again.ended.verdict == "repaired", again.ended


def test_nobody_touches_it(tmp_path) -> None:
    scenario = Scenario("t", "", (Unit("1-1", lambda pause: NitrokeyThree(pause, HEALTHY)),))
    with workshop(
        tmp_path, scenario, answers={"image": container(), "retry": "stop"}, hands=lambda *_: None
    ) as shop:
        view = shop.run("nitrokey3.flash")
    assert view.ended.verdict == "unfinished"
    assert "No touch was seen within 15 s" in view.ended.sentence
    assert view.ended.damage == Damage.NOTHING


# --- what is asked before -------------------------------------------------------------------


def test_older_firmware_is_asked_about(tmp_path) -> None:
    view, _ = flash(tmp_path, replace(HEALTHY, version=Version(1, 8, 1)))
    assert "confirm_downgrade" in {answer.question for answer in view.answers}
    assert view.ended.verdict == "unfinished"  # the chip refuses it, and is as it was
    assert view.ended.damage == Damage.NOTHING


def test_another_signers_image_is_asked_about_and_refused_by_the_chip(tmp_path) -> None:
    file = tmp_path / "own.sb2"
    file.write_bytes(made.sb2_file(version=(1, 9, 0), payload=bytes(50_000)))
    view, _ = flash(tmp_path / "state", HEALTHY, image=str(file))
    assert "confirm_signer" in {answer.question for answer in view.answers}
    assert view.ended.verdict == "unfinished"
    assert view.ended.damage == Damage.NOTHING


def test_a_key_that_is_too_old_has_to_take_another_version_first(tmp_path) -> None:
    view, _ = flash(
        tmp_path,
        replace(
            HEALTHY,
            version=Version(1, 2, 0),
            faults=Faults(firmware=FirmwareFaults(status_length=0)),
        ),
    )
    assert view.ended.verdict == "refused"
    assert "v1.3.1" in view.ended.advice


@pytest.mark.parametrize("name", ["missing.zip", "wrong"])
def test_a_file_that_is_none_is_refused_before_the_key_is_asked(tmp_path, name: str) -> None:
    (tmp_path / "wrong").write_bytes(b"no firmware")
    with bench(tmp_path / "state", HEALTHY, image=str(tmp_path / name)) as shop:
        view = shop.run("nitrokey3.flash")
        assert view.ended.verdict == "refused"
        assert shop.bus.sent == []


# --- a guest --------------------------------------------------------------------------------


def test_in_a_guest_both_identities_are_named_and_the_second_is_typed(tmp_path) -> None:
    build = with_mboot(attach_by_hand=True)
    with bench(tmp_path, build) as shop:
        shop.bus.guest = True
        view = shop.run("nitrokey3.flash")
    asked = next(answer for answer in view.answers if answer.question == "confirm_guest")
    assert asked.answer == "20a0:42dd"
    assert view.ended.verdict == "repaired", view.ended


def test_after_a_rehearsal_the_question_is_a_note(tmp_path) -> None:
    with bench(tmp_path, HEALTHY) as shop:
        shop.bus.guest = True
        rehearsed = shop.run("nitrokey3.rehearse")
        assert rehearsed.ended.verdict == "no fault found", rehearsed.ended
        view = shop.run("nitrokey3.flash")
    assert "confirm_guest" not in {answer.question for answer in view.answers}
    assert view.ended.verdict == "repaired", view.ended


def test_a_script_that_says_nothing_of_the_guest_is_refused(tmp_path) -> None:
    with bench(tmp_path, HEALTHY) as shop:
        shop.bus.guest = True
        shop.technician.willing = False
        view = shop.run("nitrokey3.flash", attended=False, answers={"image": container()})
    assert view.ended.verdict == "unfinished"
    assert "confirm_guest" in view.ended.sentence
