"""Damaged files: whatever happened to the bytes on the way, the answer is a sentence with advice.

The rule: seeded, so that a failure can be had again by its number.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from functools import cache

import pytest

from console.errors import ConsoleError, GateClosed
from console.families.nitrokey3 import sb2
from console.families.nitrokey3.container import Chip, read
from tests.families.nitrokey3 import made
from tests.realdata import real

PACKINGS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
ROUNDS = 60
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
CERTIFICATE = sb2.CERTIFICATES + 32 + 4


@cache
def whole(kind: str) -> bytes:
    """The vendor's container, one of its two images alone, or ours in another packing."""
    if kind in PACKINGS:
        return packed(made.release(nrf52=made.nrf_package()), PACKINGS[kind])
    container = real("firmware-nk3-v1.7.2.zip").read_bytes()
    if kind == "container":
        return container
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        return archive.read(json.loads(archive.read("manifest.json"))["images"][kind])


def packed(data: bytes, how: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as had, zipfile.ZipFile(out, "w", how) as archive:
        for name in had.namelist():
            archive.writestr(name, had.read(name))
    return out.getvalue()


def with_field(data: bytes, mark: bytes, at: int, value: int) -> bytes:
    """A 16-bit field of each record of a zip that begins with `mark` is another one."""
    changed, start = bytearray(data), data.find(mark)
    while start >= 0:
        struct.pack_into("<H", changed, start + at, value)
        start = data.find(mark, start + 4)
    return bytes(changed)


def told(data: bytes) -> str:
    """What is said of it; "" where it is read. Anything else than a ConsoleError is a mistake."""
    try:
        read(data)
    except ConsoleError as error:
        assert error.advice
        return error.sentence
    return ""


# --- anywhere ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("kind", ["container", Chip.LPC55, Chip.NRF52, *PACKINGS])
def test_whatever_is_damaged_is_said_in_a_sentence(kind: str) -> None:
    data = whole(kind)
    spots = structure(data)
    for seed in range(ROUNDS):
        chance = random.Random(f"{kind} {seed}")
        changed = bytearray(data)
        at = chance.choice((chance.choice(spots), chance.randrange(len(data))))
        changed[at] ^= chance.choice((1 << chance.randrange(8), chance.randrange(1, 256)))
        told(bytes(changed))
        assert told(data[:at]), f"cut off at {at}"


def structure(data: bytes) -> list[int]:
    """Where a changed byte is read as a length, a kind or an offset."""
    if data[20:24] == b"STMP":
        return list(range(4000))
    starts = [at for at in range(len(data)) if data[at : at + 4] in (LOCAL, CENTRAL, END)]
    return [at for start in starts for at in range(start, min(start + 46, len(data)))]


@pytest.mark.parametrize("kind", ["container", "stored"])
def test_a_container_without_its_end_is_not_taken_for_the_package_in_it(kind: str) -> None:
    data = whole(kind)
    assert "neither" in told(data[: data.rfind(CENTRAL) + 20])


# --- what zipfile has words of its own for ---------------------------------------------------


@pytest.mark.parametrize("flag", [0x0001, 0x0020, 0x0040])
@pytest.mark.parametrize("file", [made.nrf_package, lambda: made.release(lpc55=made.sb2_file())])
def test_a_zip_that_is_encrypted_or_patched_cannot_be_used(file, flag: int) -> None:
    data = with_field(with_field(file(), LOCAL, 6, flag), CENTRAL, 8, flag)
    assert "cannot be used" in told(data)


@pytest.mark.parametrize("method", [1, 6, 8, 9, 12, 14, 93, 99])
@pytest.mark.parametrize("file", [made.nrf_package, lambda: made.release(lpc55=made.sb2_file())])
def test_a_zip_that_is_packed_otherwise_than_it_says_cannot_be_used(file, method: int) -> None:
    data = with_field(with_field(file(), LOCAL, 8, method), CENTRAL, 10, method)
    assert "cannot be used" in told(data)


def test_a_zip_of_a_later_kind_cannot_be_used() -> None:
    assert "neither" in told(with_field(made.nrf_package(), CENTRAL, 6, 99))


@pytest.mark.parametrize(
    "manifest", [b"[" * 100_000, b'{"manifest":' + b"[" * 100_000, b"\xff", b"7", b'{"manifest":7}']
)
def test_a_manifest_that_is_none_is_no_mistake_of_ours(manifest: bytes) -> None:
    assert "no package" in told(made.zipped({"manifest.json": manifest}))


def test_numbers_that_are_no_numbers_are_damage() -> None:
    """A field that should be a varint and is thousands of bytes."""
    inner = made.number(1, 1) + made.nested(2, b"\xff" * 4000)
    command = made.number(1, 1) + made.nested(2, inner)
    init = made.nested(2, made.nested(1, command) + made.number(2, 0) + made.nested(3, bytes(64)))
    with pytest.raises(GateClosed):
        read(made.nrf_package(init=init))
    with pytest.raises(GateClosed, match="tells no version"):
        read(made.release(version=f"v{'1' * 5000}.0.0", nrf52=made.nrf_package()))


# --- certificates that the library cannot use -------------------------------------------------


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_certificate_whose_key_cannot_be_read_is_damage() -> None:
    file = made.sb2_file()
    end = CERTIFICATE + len(made.root())
    for at in range(CERTIFICATE, end):
        for value in (0x00, 0xFF, file[at] ^ 1, file[at] ^ 4):
            told(file[:at] + bytes((value,)) + file[at + 1 :])
