"""Rules that hold for one form of file, or for one product, and for no other: pure values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.errors import GateClosed
from console.families.nitrokey3 import flash, rules
from console.families.nitrokey3.admin import Status, Trouble
from console.families.nitrokey3.container import Chip, Image
from console.families.nitrokey3.products import PRODUCTS
from console.families.nitrokey3.version import Version
from tests.families.nitrokey3 import made
from tests.families.nitrokey3.test_rules import a_key, an_image

RC = "v1.8.3-rc.1"


# --- a file whose form has no room for a suffix -------------------------------------------------


def image_of(folder: Path, data: bytes, chip: Chip) -> Image:
    """As the flow reads it."""
    file = folder / "image"
    file.write_bytes(data)
    return flash._read(str(file)).image(chip)


BARE = {
    Chip.LPC55: made.sb2_file(version=(1, 8, 3)),
    Chip.NRF52: made.nrf_package(version=(1, 8, 3)),
}


@pytest.mark.parametrize("chip", list(Chip))
def test_a_bare_file_of_a_test_build_is_proven_by_its_numbers(tmp_path, chip: Chip) -> None:
    """It carries three numbers: that the name stayed the same is no sign that it was not taken."""
    image = image_of(tmp_path, BARE[chip], chip)
    assert rules.runs(image, a_key(RC, chip), a_key(RC, chip))
    assert rules.runs(image, a_key("", chip), a_key(RC, chip))
    assert not rules.runs(image, a_key(RC, chip), a_key("v1.8.2", chip))


@pytest.mark.parametrize("chip", list(Chip))
def test_a_containers_name_is_held_against_the_keys(tmp_path, chip: Chip) -> None:
    """Its manifest can name a suffix: where it names none, the old name is still the old build."""
    whole = made.release(version="v1.8.3", **{chip.value: BARE[chip]})
    image = image_of(tmp_path, whole, chip)
    key = a_key(RC, chip)
    assert not rules.runs(image, key, key)
    assert rules.runs(image, key, a_key("v1.8.3", chip))


# --- the Nitrokey 3's own rules ----------------------------------------------------------------


def test_a_passkey_has_no_old_store_and_no_version_that_comes_first() -> None:
    key = replace(a_key("v1.0.0"), product=PRODUCTS[1])
    image = replace(an_image("v1.8.3"), product=PRODUCTS[1].name)
    assert not rules.migrates(image, key)
    assert rules.back_within(image, key) == rules.BACK
    rules.check_steps(image, replace(key, status=None))
    rules.check_steps(image, replace(key, status=Status(Trouble(0), 0)))


def test_a_nitrokey_3_has_both() -> None:
    assert rules.migrates(an_image("v1.8.3"), a_key("v1.0.0"))
    with pytest.raises(GateClosed, match="too old to be taken straight"):
        rules.check_steps(an_image("v1.8.3"), replace(a_key("v1.0.0"), status=None))
    assert a_key("v1.0.0").version == Version(1, 0, 0)
