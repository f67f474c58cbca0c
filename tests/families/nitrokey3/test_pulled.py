"""A flash that is pulled out: the record names the right class, and running again repairs it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from console.events import Damage
from console.families.nitrokey3.simulator import HEALTHY, MINI
from console.families.nitrokey3.simulator_key import Build
from console.families.nitrokey3.simulator_sb2 import Root
from console.views import RunView
from tests.families.nitrokey3 import made
from tests.families.nitrokey3.test_flash import bench
from tests.harness import Workshop

POINTS = 25
"""Of each chip, 50 in all."""
PER_BENCH = 5
"""Runs add up in a bench's record, and each new one looks at all of them."""


def short_container(folder: Path) -> str:
    """A release of ours for both chips, of a few reports."""
    file = folder / "short.zip"
    file.write_bytes(
        made.release(
            version="v1.9.0",
            lpc55=made.sb2_file(version=(1, 9, 0), payload=bytes(range(256)) * 4),
            nrf52=made.nrf_package(bytes(range(256)) * 40, version=(1, 9, 0)),
        )
    )
    return str(file)


def ours(build: Build) -> Build:
    """The same key, provisioned for the images that a test signs."""
    x, y = made.point()
    signer = f"{x:064x}{y:064x}"
    return replace(build, root=Root(made.rkth()), who=replace(build.who, signer=signer))


@dataclass(frozen=True)
class Pulled:
    """What the run said, and what the key was and is."""

    run: RunView
    had_firmware: bool
    has_firmware: bool
    transfers: int


def has_firmware(shop: Workshop) -> bool:
    """As it starts when it has power: the only thing that counts for the technician."""
    return shop.bus.scan()[0].pid == "42b2"


def pull_before(shop: Workshop, call: int) -> Pulled:
    """A flash in which the cable slips before so many transfers, and the plug after it."""
    shop.bus.calls = 0
    had_firmware = has_firmware(shop)

    def pull(number: int) -> None:
        if number == call:
            shop.bus.pull("1-1")

    shop.bus.fault = pull
    run = shop.run("nitrokey3.flash")
    shop.bus.fault = lambda number: None
    if not shop.bus.scan():
        shop.bus.plug("1-1")
    else:
        shop.bus.pull("1-1")  # it may have been left in a bootloader that a replug ends
        shop.bus.plug("1-1")
    return Pulled(run, had_firmware, has_firmware(shop), shop.bus.calls)


def assert_named(pulled: Pulled) -> None:
    """The class that the record names is never better than what the key has become."""
    ended = pulled.run.ended
    assert ended.verdict in ("unfinished", "repaired"), ended
    assert "Replug itself" not in ended.sentence, ended
    if ended.verdict == "repaired":
        assert pulled.has_firmware
    elif ended.damage == Damage.NOTHING:
        assert pulled.has_firmware == pulled.had_firmware, ended
    else:
        assert ended.damage == Damage.HALF


def classes_of_both_runs(shop: Workshop, call: int) -> list[str]:
    """One run that is pulled, and one that repairs it; what the first one said is lost."""
    pulled = pull_before(shop, call)
    assert_named(pulled)
    if pulled.run.ended.verdict == "repaired":
        return []
    again = shop.run("nitrokey3.flash")
    assert again.ended.verdict == "repaired", (call, again.ended)
    return [pulled.run.ended.damage]


@pytest.mark.parametrize("build", [HEALTHY, MINI], ids=["lpc55", "nrf52"])
def test_pulled_before_every_transfer_of_a_short_image(tmp_path, build: Build) -> None:
    """Each time the class is right, and running again repairs it; until none is left to pull at."""
    short = short_container(tmp_path)
    with bench(tmp_path / "whole", ours(build), image=short) as shop:
        whole = pull_before(shop, 0)
    assert whole.run.ended.verdict == "repaired", whole.run.ended
    classes: list[str] = []
    for first in range(1, whole.transfers + 1, PER_BENCH):
        calls = range(first, min(first + PER_BENCH, whole.transfers + 1))
        with bench(tmp_path / str(first), ours(build), image=short) as shop:
            for call in calls:
                classes += classes_of_both_runs(shop, call)
    assert whole.transfers > 40
    assert len(classes) > whole.transfers - 5
    assert {Damage.NOTHING, Damage.HALF} <= set(classes)


@pytest.mark.parametrize("build", [HEALTHY, MINI], ids=["lpc55", "nrf52"])
def test_pulled_at_seeded_points_of_the_real_image(tmp_path, build: Build) -> None:
    """Each run goes on from where the one before was pulled."""
    points = random.Random(5)
    with bench(tmp_path / "whole", build) as shop:
        whole = pull_before(shop, 0)
    assert whole.run.ended.verdict == "repaired", whole.run.ended
    for number in range(0, POINTS, PER_BENCH):
        with bench(tmp_path / str(number), build) as shop:
            for _ in range(PER_BENCH):
                assert_named(pull_before(shop, points.randrange(1, whole.transfers)))
            last = shop.run("nitrokey3.flash")
            assert last.ended.verdict == "repaired", last.ended
