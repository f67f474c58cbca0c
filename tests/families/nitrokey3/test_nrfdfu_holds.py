"""Which application an nRF52's bootloader holds: a version, none, or it does not tell."""

from __future__ import annotations

import struct

import pytest

from console.errors import Silent
from console.families.nitrokey3.nrfdfu import NoVersion, Op
from console.families.nitrokey3.version import Version
from tests.families.nitrokey3.test_nrfdfu import OK, Bootloader

WORD = 1 << 22 | 7 << 6 | 2
SOFTDEVICE, APPLICATION, UNKNOWN = 0, 1, 0xFF
REFUSED = b"\x02"


def listed(*images: tuple[int, int, int] | None) -> Bootloader:
    """Its images from number 1 on as (type, version, size); None where it refuses to say."""

    class Listing(Bootloader):
        def _answer(self, op: int, body: bytes) -> bytes:
            if op != Op.FIRMWARE:
                return super()._answer(op, body)
            image = images[body[0] - 1] if body[0] <= len(images) else (UNKNOWN, 0, 0)
            if image is None:
                return REFUSED
            return OK + struct.pack("<BIII", image[0], image[1], 0x1000, image[2])

    return Listing()


@pytest.mark.parametrize(
    ("images", "holds"),
    [
        (((APPLICATION, WORD, 400_000),), Version(1, 7, 2)),
        (((SOFTDEVICE, 0, 9), (APPLICATION, WORD, 400_000)), Version(1, 7, 2)),
        ((None, (APPLICATION, WORD, 400_000)), Version(1, 7, 2)),
        (((APPLICATION, WORD, 0),), NoVersion.NONE),
        (((UNKNOWN, 0, 0),), NoVersion.NONE),
        (((SOFTDEVICE, 0, 9),), NoVersion.NONE),
        ((None, None), NoVersion.NOT_TOLD),
        (((SOFTDEVICE, 0, 9), None), NoVersion.NOT_TOLD),
        ((None, (APPLICATION, WORD, 0)), NoVersion.NONE),
        (((UNKNOWN, 0, 0), None), NoVersion.NONE),
        ((None, (UNKNOWN, 0, 0)), NoVersion.NOT_TOLD),
    ],
)
def test_none_is_one_thing_and_not_told_another(images: tuple, holds: Version | NoVersion) -> None:
    client = listed(*images).client()
    assert client.holds() == holds


def test_an_answer_that_does_not_come_is_neither() -> None:
    class Mute(Bootloader):
        def _answer(self, op: int, body: bytes) -> bytes:
            return b"" if op == Op.FIRMWARE else super()._answer(op, body)

    with pytest.raises(Silent):
        Mute().client().holds()
