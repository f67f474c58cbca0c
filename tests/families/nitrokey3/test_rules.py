"""What may be written on what, and what a key's own word on its version proves: pure values."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from console.errors import Garbled, GateClosed, Refused
from console.families.nitrokey3 import rules
from console.families.nitrokey3.admin import Admin, Command, Status, Trouble, over_ctaphid
from console.families.nitrokey3.container import Chip, Image, read
from console.families.nitrokey3.products import PRODUCTS
from console.families.nitrokey3.rules import Found
from console.families.nitrokey3.version import Version, of_text
from tests.families.nitrokey3 import made


def an_image(version: str, chip: Chip = Chip.NRF52) -> Image:
    found = of_text(version)
    assert found is not None
    return Image(chip, "Nitrokey 3", found, version, "Nitrokey", True, "", b"")


def a_key(version: str, chip: Chip = Chip.NRF52, **more: object) -> Found:
    told = of_text(version) if version else None
    return replace(Found(PRODUCTS[0], chip, "AB", told, version, Status(Trouble(0))), **more)


# --- does it run it now ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "before", "now", "runs"),
    [
        ("v1.8.3", "v1.7.2", "v1.8.3", True),
        ("v1.8.3", "v1.7.2", "v1.7.2", False),
        ("v1.8.3", "v1.8.3", "v1.8.3", True),
        ("v1.8.0-rc.2", "v1.8.0-rc.1", "v1.8.0-rc.2", True),
        ("v1.8.0-rc.2", "v1.8.0-rc.1", "v1.8.0-rc.1", False),
        ("v1.8.0", "v1.8.0-rc.1", "v1.8.0-rc.1", False),
        ("v1.8.0-rc.1", "v1.7.2", "v1.8.0", True),  # not all firmware tells the rest
        ("v1.8.0", "", "v1.8.0-rc.1", True),  # a bare file names three numbers
        ("v1.8.0-rc.2", "", "v1.8.0-rc.1", True),
    ],
)
def test_what_it_says_afterwards_is_held_against_what_it_said_before(
    image: str, before: str, now: str, runs: bool
) -> None:
    assert rules.runs(an_image(image), a_key(before), a_key(now)) is runs


# --- conversions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "key", "chip", "due"),
    [
        ("v1.3.0", "v1.2.2", Chip.NRF52, True),
        ("v1.8.3", "v1.0.4", Chip.NRF52, True),
        ("v1.8.3", "", Chip.NRF52, True),
        ("v1.8.3", "v1.3.0-alpha.1", Chip.NRF52, False),
        ("v1.2.2", "v1.2.1", Chip.NRF52, False),
        ("v1.8.3", "v1.2.2", Chip.LPC55, False),
    ],
)
def test_whose_store_is_converted(image: str, key: str, chip: Chip, due: bool) -> None:
    found = rules.migrates(an_image(image, chip), a_key(key, chip))
    assert found is due
    assert rules.back_within(an_image(image, chip), a_key(key, chip)) == (250.0 if due else 30.0)


@pytest.mark.parametrize(
    ("key", "free", "image", "goes"),
    [
        ("v1.8.1", 4, "v1.8.2", False),
        ("v1.8.1", 5, "v1.8.2", True),
        ("v1.8.2", 0, "v1.8.3", True),
        ("v1.7.2", 0, "v1.8.1", True),
        ("v1.7.2", None, "v1.8.3", True),
    ],
)
def test_room_for_the_converted_store(key: str, free: int | None, image: str, goes: bool) -> None:
    found = a_key(key, status=Status(Trouble(0), free))
    if goes:
        rules.check_steps(an_image(image), found)
    else:
        with pytest.raises(GateClosed, match="only 4 of the 5 blocks"):
            rules.check_steps(an_image(image), found)


# --- what a file erases ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("erases", "lost"),
    [((0, 0x93000), False), ((0, 0x93001), True), ((0x9DE00, 512), False), ((0, 0xA0000), True)],
)
def test_a_file_that_erases_the_owners_store_is_said_to(erases: tuple, lost: bool) -> None:
    image = read(made.sb2_file(erases=erases)).image(Chip.LPC55)
    assert rules.loses_data(image) is lost
    assert ("WITH IT" in rules.loses(image)) is lost


# --- what the admin app answers ------------------------------------------------------------------


class Paper:
    """A channel whose answers are by command; an error is raised."""

    def __init__(self, answers: Callable[[int, bytes], bytes]) -> None:
        self._answers = answers

    def call(self, command: int, data: bytes = b"", on_touch: object = None) -> bytes:
        return self._answers(command, data)


def admin(answers: Callable[[int, bytes], bytes]) -> Admin:
    return Admin(over_ctaphid(Paper(answers)))


WORD = struct.pack(">I", 1 << 22 | 12 << 6 | 3)


@pytest.mark.parametrize(
    ("text", "version", "full"),
    [
        (b"1.8.3", Version(1, 8, 3), "v1.8.3"),
        (b"v1.8.3\0\0", Version(1, 8, 3), "v1.8.3"),
        (b"1.7.0-alpha.20230531+dirty", Version(1, 7, 0), "v1.7.0-alpha.20230531+dirty"),
        (WORD, Version(1, 12, 3), "v1.12.3"),  # the oldest know no text
        (b"my own build", Version(1, 12, 3), "v1.12.3"),
        (b"", Version(1, 12, 3), "v1.12.3"),
    ],
)
def test_the_version_in_each_writing(text: bytes, version: Version, full: str) -> None:
    assert admin(lambda _, data: text if data else WORD).version() == (version, full)


def test_a_key_that_names_no_version_at_all_is_garbled() -> None:
    with pytest.raises(Garbled):
        admin(lambda _, data: b"my own build").version()


def test_an_empty_status_is_none() -> None:
    assert admin(lambda command, data: b"").status() is None


def test_a_reset_that_old_firmware_does_not_know_is_named_so() -> None:
    def unknown(command: int, data: bytes) -> bytes:
        raise Refused("?", code="01")

    with pytest.raises(Refused, match="too old to reset"):
        admin(unknown).reset_app("opcard", None)
    with pytest.raises(Refused, match="too old to reset"):
        admin(unknown).factory_reset(None)
    with pytest.raises(Refused, match="too old to reset"):
        Admin(lambda command, data, on_touch: unknown(Command.UUID, b"")).reset_app("piv", None)
