"""What a bootloader lists of its slots: only the first one counts, and one that waits is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.families.nrf91.simulator_image import judged
from console.families.nrf91.simulator_rows import FULL, OLDEST, PLAIN, Faults
from console.families.nrf91.simulator_smp import Bootloader
from tests.families.nrf91.modem_bench import bench
from tests.families.nrf91.test_nrf91_faults import unit
from tests.families.nrf91.test_nrf91_flows import image

HALF = "contents gone, bootloader alive"
WAITS = {"pending": True, "permanent": True, "slot": 1, "hash": bytes(32), "version": "1.9.0"}


def lists(monkeypatch, change) -> None:
    """A bootloader whose list is changed so."""
    told = Bootloader._list

    def altered(self):
        found = told(self)
        return found | {"images": change(list(found["images"]))}

    monkeypatch.setattr(Bootloader, "_list", altered)


def twin(given) -> dict:
    """The second slot holds the very image: so it is after an update by the application."""
    found = judged(Path(given["image"]).read_bytes().ljust(PLAIN.slot, b"\xff"))
    return {"slot": 1, "hash": found.digest, "version": found.version}


@pytest.mark.parametrize("first", [True, False])
def test_the_image_of_the_second_slot_proves_nothing_of_the_first(tmp_path, monkeypatch, first):
    """A byte fell in the first one; the list begins with either."""
    given = image(tmp_path / "image")
    other = twin(given)
    lists(monkeypatch, lambda images: [other, *images] if first else [*images, other])
    scenario = unit(faults=Faults(flips_image_byte=3000))
    with bench(tmp_path / "s", scenario, **given) as shop:
        ended = shop.run("nrf91.flash").ended
        assert (ended.verdict, ended.damage) == ("unfinished", HALF)
        assert "lists no image in its first slot" in ended.sentence


@pytest.mark.parametrize("other", [{"slot": 1}, {"slot": 0, "image": 1}])
def test_the_first_slot_is_found_wherever_it_stands_in_the_list(tmp_path, monkeypatch, other):
    """Another slot, or another core's image, may come before it."""
    more = other | {"hash": bytes(32), "version": "0.1.0"}
    lists(monkeypatch, lambda images: [more, *images])
    with bench(tmp_path / "s", unit(), **image(tmp_path / "image")) as shop:
        ended = shop.run("nrf91.flash").ended
        assert (ended.verdict, ended.warnings) == ("repaired", ()), ended


def test_an_image_that_it_would_not_start_is_said_to_be_that(tmp_path, monkeypatch):
    """Every byte arrived; another key has signed it."""
    lists(monkeypatch, lambda images: [])
    with bench(tmp_path / "s", unit(), **image(tmp_path / "image")) as shop:
        ended = shop.run("nrf91.flash").ended
        assert (ended.verdict, ended.damage) == ("unfinished", HALF)
        assert "perhaps signed with another key" in ended.sentence
        assert "ask for the image for this board" in ended.advice


def test_an_image_that_waits_in_the_other_slot_is_warned_of(tmp_path, monkeypatch):
    """The next start would take that one in."""
    lists(monkeypatch, lambda images: [*images, WAITS])
    with bench(tmp_path / "s", unit(), **image(tmp_path / "image")) as shop:
        ended = shop.run("nrf91.flash").ended
        assert ended.verdict == "repaired"
        (warning,) = ended.warnings
        assert "1.9.0" in warning


@pytest.mark.parametrize("recovery", [PLAIN, OLDEST])
def test_an_older_bootloader_that_starts_no_such_image_lists_none_either(tmp_path, recovery):
    """One without digests, too: an empty list is an answer."""
    scenario = unit(recovery=recovery, faults=Faults(flips_image_byte=3000))
    with bench(tmp_path / "s", scenario, **image(tmp_path / "image")) as shop:
        assert "lists no image" in shop.run("nrf91.flash").ended.sentence


@pytest.mark.parametrize("recovery", [FULL, PLAIN, OLDEST])
def test_an_image_larger_than_its_slot_has_erased_nothing(tmp_path, recovery):
    """It is refused with its first piece, and the old one is listed still."""
    with bench(tmp_path / "s", unit(recovery=recovery), **image(tmp_path / "i", 470_000)) as shop:
        before = bytes(shop.bus.simulator("1-1").bootloader.cells)
        ended = shop.run("nrf91.flash").ended
        assert bytes(shop.bus.simulator("1-1").bootloader.cells) == before
        assert (ended.verdict, ended.damage) == ("unfinished", "nothing written")
        assert "may be larger than its slot" in ended.sentence
        assert "still lists an application" in ended.sentence


def test_a_first_piece_that_is_refused_with_nothing_listed_may_have_erased(tmp_path, monkeypatch):
    """Then nobody knows whether the application is there."""
    lists(monkeypatch, lambda images: [])
    with bench(tmp_path / "s", unit(), **image(tmp_path / "image", 470_000)) as shop:
        ended = shop.run("nrf91.flash").ended
        assert (ended.verdict, ended.damage) == ("unfinished", HALF)
        assert "may be larger than its slot" in ended.sentence
        assert "lists no application" in ended.sentence


def test_a_first_piece_that_is_refused_after_the_erasing_is_told_from_it(tmp_path):
    """The same number, and the list shows the difference."""
    with bench(
        tmp_path / "s", unit(faults=Faults(fails_upload_with=3)), **image(tmp_path / "image")
    ) as shop:
        assert shop.run("nrf91.flash").ended.damage == HALF
