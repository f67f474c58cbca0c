"""The flash flow on benches that are not simple: twins, slow wires, closed nodes, wrong files."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from console.errors import NotPermitted
from console.events import Damage
from console.families.nitrokey3.simulator import (
    A_PASSKEY,
    HEALTHY,
    INTERRUPTED_LPC55,
    INTERRUPTED_NRF52,
    MINI,
    SECOND,
    SLOW,
    unit,
)
from console.families.nitrokey3.simulator_faults import Faults, MbootFaults
from console.families.nitrokey3.simulator_key import Build, NitrokeyThree
from console.families.nitrokey3.simulator_rows import Version
from console.families.nitrokey3.simulator_sb2 import NITROKEY_RKTH
from console.hardware.simulated import Scenario
from console.practice.local import InProcessBus
from console.views import RunView
from tests.families.nitrokey3 import made
from tests.families.nitrokey3.container import release
from tests.families.nitrokey3.test_flash import bench, container, hands
from tests.families.nitrokey3.test_pulled import ours
from tests.harness import Workshop, workshop

LATE_TO_COME = replace(HEALTHY, faults=Faults(mboot=MbootFaults(attach_by_hand=True)))
NEW = Version(1, 7, 2)
OTHER_LOADER = replace(INTERRUPTED_LPC55, uuid=SECOND)


def key(shop: Workshop, port: str) -> NitrokeyThree:
    found = shop.bus.simulator(port)
    assert isinstance(found, NitrokeyThree)
    return found


# --- twins ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ours_comes", [True, False])
def test_another_bootloader_in_another_port_is_not_taken(tmp_path, ours_comes: bool) -> None:
    """It has no serial number, and comes while ours is away: only the port tells them apart."""

    def act(bus: InProcessBus, view: RunView) -> None:
        assert view.wait is not None
        if view.wait.acts == "touch":
            bus.press("touch", "1-1")
        elif "bootloader" in view.wait.what:
            bus.plug("1-2")
            if ours_comes:
                bus.press("attach", "1-1")

    units = (unit("1-1", LATE_TO_COME), unit("1-2", OTHER_LOADER, plugged=False))
    answers = {"image": container(), "retry": "stop"}
    with workshop(tmp_path, Scenario("t", "", units), answers=answers, hands=act) as shop:
        view = shop.run("nitrokey3.flash")
        other = key(shop, "1-2").rom.counts
    assert (other.data_reports, other.commands) == (0, [])
    assert view.ended.verdict == ("repaired" if ours_comes else "unfinished"), view.ended
    assert ours_comes or view.ended.damage == Damage.NOTHING


def test_the_twin_that_leaves_and_comes_meanwhile_is_not_mistaken_for_ours(tmp_path) -> None:
    """Both of nk3-twins; the second one is pulled and plugged while the first is away."""

    def act(bus: InProcessBus, view: RunView) -> None:
        bus.pull("1-2")
        bus.plug("1-2")
        hands(bus, view)

    answers = {"image": container(), "retry": "stop"}
    with workshop(tmp_path, "nk3-twins", answers=answers, hands=act) as shop:
        view = shop.run("nitrokey3.flash")
        assert [key(shop, port).version for port in ("1-1", "1-2")] == [NEW, HEALTHY.version]
        assert view.ended.verdict == "unfinished"  # two came, and neither has a serial number
        assert "nothing that it says tells" in view.ended.sentence
        again = shop.run("nitrokey3.check")
        assert again.ended.verdict == "no fault found"
        assert "1.7.2" in again.ended.sentence


def test_another_bootloader_in_our_own_port_is_said_before_the_write(tmp_path) -> None:
    """The ids of both modes are compared; a difference is said, and consent is still to come."""

    def act(bus: InProcessBus, view: RunView) -> None:
        assert view.wait is not None
        if view.wait.acts == "touch":
            bus.press("touch", "1-1")
        elif "bootloader" in view.wait.what:
            bus.pull("1-1")
            bus.plug("1-1", of="1-2")

    units = (unit("1-1", LATE_TO_COME), unit("1-2", OTHER_LOADER, plugged=False))
    answers = {"image": container(), "retry": "stop"}
    with workshop(tmp_path, Scenario("t", "", units), answers=answers, hands=act) as shop:
        view = shop.run("nitrokey3.flash")
    said = [*view.ended.warnings, *(told.sentence for told in view.said)]
    assert any("ends in B6E2" in sentence for sentence in said), said


# --- slow -----------------------------------------------------------------------------------


def test_a_slow_write_is_said_once_and_goes_on(tmp_path) -> None:
    with bench(tmp_path, SLOW) as shop:
        view = shop.run("nitrokey3.flash")
    said = [told.sentence for told in view.said if told.sentence.startswith("It is slow")]
    assert len(said) == 1
    assert "usual is 50 kB/s" in said[0]
    assert view.ended.verdict == "repaired", view.ended


# --- a node that is not ours yet --------------------------------------------------------------


@pytest.mark.parametrize("build", [INTERRUPTED_LPC55, INTERRUPTED_NRF52])
@pytest.mark.parametrize("seconds", [8.0, 0.0])
def test_a_node_that_opens_later_is_waited_for(tmp_path, build: Build, seconds: float) -> None:
    """ModemManager probes a new port for some seconds, udev gives rights a little late."""
    with bench(tmp_path, build) as shop:
        opens_at = shop.clock.monotonic() + seconds
        open_line = shop.bus.open

        def late(device, kind, name=""):
            if shop.clock.monotonic() < opens_at:
                raise NotPermitted("The port is in use by ModemManager.", "Stop it.")
            return open_line(device, kind, name)

        shop.bus.open = late
        view = shop.run("nitrokey3.flash")
    assert view.ended.verdict == "repaired", view.ended


@pytest.mark.parametrize("build", [INTERRUPTED_LPC55, INTERRUPTED_NRF52])
def test_a_node_that_never_opens_is_said_with_its_holder(tmp_path, build: Build) -> None:
    with bench(tmp_path, build) as shop:

        def never(device, kind, name=""):
            raise NotPermitted("The port is in use by minicom (process 411).", "End it.")

        shop.bus.open = never
        view = shop.run("nitrokey3.flash")
        assert shop.bus.sent == []
    assert view.ended.verdict != "repaired"
    assert "in use by minicom" in view.ended.sentence
    assert view.ended.damage == Damage.NOTHING


# --- files ------------------------------------------------------------------------------------


def refused_offline(tmp_path: Path, data: bytes, build: Build = HEALTHY) -> RunView:
    """A file that is refused before anything is written."""
    file = tmp_path / "image"
    file.write_bytes(data)
    with bench(tmp_path / "state", build, image=str(file)) as shop:
        view = shop.run("nitrokey3.flash")
        assert key(shop, "1-1").version == build.version
        assert key(shop, "1-1").rom.counts.data_reports == 0
    assert view.ended.verdict in ("refused", "unfinished"), view.ended
    assert view.ended.damage == Damage.NOTHING
    assert "Replug itself" not in view.ended.sentence
    return view


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_container_that_is_cut_off(tmp_path, share: float) -> None:
    whole = Path(container()).read_bytes()
    refused_offline(tmp_path, whole[: int(len(whole) * share)])


def test_a_container_whose_digests_are_wrong(tmp_path) -> None:
    image = made.sb2_file(version=(1, 9, 0))
    data = made.release(version="v1.9.0", lpc55=image, sums={"firmware-lpc55": "0" * 64})
    view = refused_offline(tmp_path, data)
    assert "not what its sha256sums says" in view.ended.sentence


@pytest.mark.parametrize(("build", "product"), [(MINI, "Nitrokey Passkey"), (A_PASSKEY, "")])
def test_another_products_container(tmp_path, build: Build, product: str) -> None:
    own = made.release(product=product, nrf52=made.nrf_package())
    view = refused_offline(tmp_path, own if product else Path(container()).read_bytes(), build)
    assert "Passkey" in view.ended.sentence


def test_a_root_of_ones_own_beside_a_copied_table(tmp_path) -> None:
    """The table hashes to the vendor's, and the certificate is not in it: not the vendor's."""
    whole = release().sb2
    found = (whole[at : at + 128] for at in range(0, 8192, 4))
    table = next(each for each in found if sha256(each).digest() == NITROKEY_RKTH)
    view = refused_offline(tmp_path, made.sb2_file(version=(1, 9, 0), table=table))
    assert "not in its own table" in view.ended.sentence


@pytest.mark.parametrize(
    ("build", "words"),
    [(HEALTHY, "older than what this key has already run"), (MINI, "refuses older firmware")],
)
def test_the_device_itself_refuses_what_is_older(tmp_path, build: Build, words: str) -> None:
    """10115 of the LPC55, extended error 05 of the nRF52: its own rules, and no fault of ours."""
    file = tmp_path / "old.zip"
    file.write_bytes(
        made.release(
            version="v1.4.0",
            lpc55=made.sb2_file(version=(1, 4, 0)),
            nrf52=made.nrf_package(version=(1, 4, 0)),
        )
    )
    with bench(tmp_path / "state", ours(build), image=str(file)) as shop:
        view = shop.run("nitrokey3.flash")
    assert "confirm_downgrade" in {answer.question for answer in view.answers}
    assert view.ended.verdict == "unfinished", view.ended
    assert words in view.ended.sentence
    assert view.ended.damage == Damage.NOTHING


# --- case 1 and its healthy twin --------------------------------------------------------------


def test_case_1_is_repaired_in_its_guest(tmp_path) -> None:
    """Attached twice by hand, mute the first time, and 12 s until its own answer."""

    def act(bus: InProcessBus, view: RunView) -> None:
        assert view.wait is not None
        if view.wait.acts == "touch":
            bus.press("touch", "1-1")
        elif any("ttach" in hand for hand in view.wait.hands):
            bus.press("attach", "1-1")

    answers = {"image": container(), "retry": "stop"}
    with workshop(tmp_path, "case-1", answers=answers, hands=act) as shop:
        assert shop.bus.guest
        view = shop.run("nitrokey3.flash")
        assert key(shop, "1-1").version == NEW
    assert view.ended.verdict == "repaired", view.ended
    asked = [answer.question for answer in view.answers]
    assert asked.index("confirm_guest") < asked.index("confirm_write")
    assert any("does not answer" in told.sentence for told in view.said)


def test_its_healthy_twin_needs_no_hands_but_a_touch(tmp_path) -> None:
    answers = {"image": container(), "retry": "stop"}
    with workshop(tmp_path, "nk3-healthy", answers=answers, hands=hands) as shop:
        assert not shop.bus.guest
        view = shop.run("nitrokey3.flash")
    assert view.ended.verdict == "repaired", view.ended
    assert "confirm_guest" not in {answer.question for answer in view.answers}
