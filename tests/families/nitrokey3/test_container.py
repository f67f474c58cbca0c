"""Release containers, SB2.1 files and nRF52 packages: the vendor's own, ours, and broken ones."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from console.errors import GateClosed
from console.families.nitrokey3 import nrfpackage, sb2
from console.families.nitrokey3.container import Chip, read
from console.families.nitrokey3.signers import ROOT_KEYS_HASH
from console.families.nitrokey3.version import Version, of_bcd, of_release, of_text, of_word
from tests.families.nitrokey3 import made
from tests.realdata import real


def vendors() -> bytes:
    return real("firmware-nk3-v1.7.2.zip").read_bytes()


# --- the vendor's own release --------------------------------------------------------------


def test_the_vendors_release_is_whole_and_signed_by_the_vendor() -> None:
    release = read(vendors())
    assert (release.product, release.version) == ("Nitrokey 3", "v1.7.2")
    for image in release.images:
        assert (image.version, image.signed_by, image.official) == (
            Version(1, 7, 2),
            "Nitrokey",
            True,
        )
    assert [image.chip for image in release.images] == [Chip.LPC55, Chip.NRF52]


def test_what_its_lpc55_image_does_is_known_before_it_is_sent() -> None:
    image = read(vendors()).image(Chip.LPC55)
    assert image.sb2 is not None
    assert image.sb2.erases == (range(0x93000),)
    assert image.sb2.least == Version(1, 7, 2)
    assert image.sb2.pause_at == 3648
    assert image.sb2.root_keys_hash == ROOT_KEYS_HASH


@pytest.mark.parametrize("seed", range(40))
def test_one_changed_byte_anywhere_in_it_is_found(seed: int) -> None:
    image = bytearray(read(vendors()).image(Chip.LPC55).sent)
    at = random.Random(seed).randrange(len(image))
    image[at] ^= 0x01
    try:
        found = sb2.read(bytes(image))
    except GateClosed:
        return
    # Only what neither is signed nor has a meaning may differ: padding behind the wrapped key.
    raise AssertionError(f"byte {at} was changed, and {found} was read")


@pytest.mark.parametrize("part", [0, 1, 95, 208, 240, 3000, 3648, 3700, 500_000])
def test_cut_off_it_is_refused(part: int) -> None:
    with pytest.raises(GateClosed):
        sb2.read(read(vendors()).image(Chip.LPC55).sent[:part])
    with pytest.raises(GateClosed):
        read(vendors()[:part])


# --- SB2.1 of ours -------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [False, True])
def test_a_file_of_an_unknown_signer_is_read_and_named_as_such(digest: bool) -> None:
    image = read(made.sb2_file(digest=digest)).image(Chip.LPC55)
    assert (image.signed_by, image.official) == ("", False)
    assert image.version == Version(1, 10, 3)


def test_a_root_of_its_own_beside_a_copied_table_is_found_out() -> None:
    theirs = read(vendors()).image(Chip.LPC55).sent
    table = next(
        theirs[at : at + 128]
        for at in range(208, 3648)
        if hashlib.sha256(theirs[at : at + 128]).digest() == ROOT_KEYS_HASH
    )
    with pytest.raises(GateClosed, match="not in its own table"):
        sb2.read(made.sb2_file(table=table))


def test_a_changed_encrypted_part_under_a_good_digest_is_found_out() -> None:
    file = bytearray(made.sb2_file(digest=True))
    file[-1] ^= 1
    with pytest.raises(GateClosed, match="not the one that was signed"):
        sb2.read(bytes(file))


def test_two_digit_versions_are_decimal() -> None:
    assert of_bcd(bytes.fromhex("0001 0000 0010 0000 0003".replace(" ", ""))) == Version(1, 10, 3)
    assert of_bcd(bytes.fromhex("000A00000001000000020000")) is None
    assert of_release(0x010A) == (1, 10)


@pytest.mark.parametrize(
    "text",
    ["v1.8.3", "1.8.3", "v1.8.3-alpha.20260101", "v1.8.3-rc.2", "1.8.3-rc.1+g12ab34", "1.8.3\0"],
)
def test_versions_as_text_and_word(text: str) -> None:
    version = of_text(text)
    assert version == Version(1, 8, 3)
    assert of_word(version.word) == version


# --- nRF52 packages of ours ----------------------------------------------------------------


def test_a_package_of_an_unknown_signer_is_read_and_named_as_such() -> None:
    image = read(made.nrf_package()).image(Chip.NRF52)
    assert (image.signed_by, image.official, image.product) == ("", False, "")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"kind": 2}, "replace the bootloader"),
        ({"digest": bytes(32)}, "not the one that was signed"),
        ({"hardware": 51}, "other hardware"),
        ({"init": b"\x12\x05\x0a"}, "damaged"),
        ({"init": b"\x0a\x00"}, "not signed"),
        ({"init": b"\xff" * 20}, "damaged"),
    ],
)
def test_a_package_that_does_not_fit_is_refused(facts: dict, words: str) -> None:
    with pytest.raises(GateClosed, match=words):
        read(made.nrf_package(**facts))


def test_an_image_of_another_length_is_refused() -> None:
    init = made.init_packet(b"nrf image" * 500)
    with pytest.raises(GateClosed, match="4500"):
        nrfpackage.read(made.nrf_package(b"nrf image" * 499, init=init))


def test_a_package_may_say_more_of_itself_and_may_not_hold_more() -> None:
    def package(**more: object) -> bytes:
        image = b"nrf image" * 500
        listed = {"application": {"bin_file": "a.bin", "dat_file": "a.dat", "init": {}}, **more}
        manifest = json.dumps({"manifest": listed}).encode()
        init = made.init_packet(image)
        return made.zipped({"manifest.json": manifest, "a.bin": image, "a.dat": init})

    assert read(package(dfu_version=0.5)).image(Chip.NRF52).version == Version(1, 10, 3)
    with pytest.raises(GateClosed, match="more than an application"):
        read(package(bootloader={"bin_file": "a.bin", "dat_file": "a.dat"}))


# --- containers ----------------------------------------------------------------------------


def test_a_container_for_the_other_chip_says_so() -> None:
    release = read(made.release(nrf52=made.nrf_package()))
    with pytest.raises(GateClosed, match="nRF52 and this device has an LPC55"):
        release.image(Chip.LPC55)


@pytest.mark.parametrize(
    ("container", "words"),
    [
        (lambda: made.release(product="Nitrokey Pro", lpc55=b""), "another product"),
        (lambda: made.release(version="latest", lpc55=b""), "tells no version"),
        (lambda: made.release(version="v1.8.0", lpc55=made.sb2_file()), "v1.10.3"),
        (
            lambda: made.release(sums={"firmware-lpc55": "0" * 64}, lpc55=made.sb2_file()),
            "sha256sums",
        ),
        (lambda: made.release(sums={"manifest.json": "0" * 64}), "sha256sums"),
        (lambda: made.release(), "no image"),
        (lambda: made.release(product="Nitrokey Passkey", lpc55=made.sb2_file()), "no LPC55"),
        (lambda: made.zipped({"sha256sums": b""}), "manifest.json"),
        (lambda: made.zipped({"a": b""}), "no package"),
        (lambda: b"PK\x03\x04 not a zip", "neither"),
        (lambda: b"", "neither"),
    ],
)
def test_what_a_container_may_not_be(container, words: str) -> None:
    with pytest.raises(GateClosed, match=words):
        read(container())


def other_release(*, spoilt: str = "", **more: object) -> bytes:
    """A container as another tool might write it: its digests in capitals, names with ./ ahead."""
    files = {"firmware-a.sb2": made.sb2_file(), "firmware-usbip.bin": b"a third variant"}
    images = {"lpc55": "firmware-a.sb2", "usbip": "firmware-usbip.bin"}
    manifest = {"device": "Nitrokey 3", "version": "v1.10.3-rc.2", "images": images, **more}
    files["manifest.json"] = json.dumps(manifest).encode()
    sums = "".join(
        f"{hashlib.sha256(data).hexdigest().upper()}  ./{name}\r\n" for name, data in files.items()
    )
    if spoilt:
        files[spoilt] += b"?"
    return made.zipped({**files, "sha256sums": sums.encode(), "README": b"not in the sums"})


def test_a_container_may_hold_more_variants_entries_and_another_writing_of_its_sums() -> None:
    release = read(other_release(sdk="v0.3.0", pynitrokey="v0.8.0", built=20260101, tags=["rc"]))
    assert release.version == "v1.10.3-rc.2"
    assert [image.chip for image in release.images] == [Chip.LPC55]
    assert release.image(Chip.LPC55).full_version == "v1.10.3-rc.2"


@pytest.mark.parametrize("spoilt", ["firmware-usbip.bin", "firmware-a.sb2", "manifest.json"])
def test_each_image_that_it_lists_must_be_whole_also_one_that_we_do_not_know(spoilt: str) -> None:
    with pytest.raises(GateClosed, match="sha256sums"):
        read(other_release(spoilt=spoilt))


def test_no_image_is_in_a_repr() -> None:
    assert len(repr(read(vendors()))) < 3000
