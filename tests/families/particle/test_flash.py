"""Firmware from a file and from the factory image, at the wire of the simulated Core."""

from __future__ import annotations

import hashlib

import pytest
from intelhex import IntelHex

from console.events import ArtefactKept
from console.families.particle.simulator_contents import healthy_memories
from console.families.particle.simulator_dfu import Faults
from console.journal import replay
from tests.families.particle.boards import on_the_bench
from tests.families.particle.images import APPLICATION, K, dfuse, suffixed, vectors
from tests.harness import Workshop, workshop
from tests.realdata import real


def internal(shop: Workshop, at: int, size: int) -> bytes:
    return shop.bus.simulator().memories.internal.read(at, size)


def flash(root, name: str, data: bytes, scenario="core-healthy", **answers: str):
    """The view of a flash of such a file, its workshop and the pages erased."""
    path = root / name
    path.write_bytes(data)
    with workshop(root / "state", scenario, answers={"image": str(path), **answers}) as shop:
        view = shop.run("particle.flash")
        return view, shop, shop.bus.simulator().counts


# --- it works -------------------------------------------------------------------------------


def test_the_vendors_own_application_is_written_and_read_back(tmp_path):
    """core_tinker.bin, at the default address; the Core starts it."""
    image = real("core_tinker.bin").read_bytes()
    view, shop, counts = flash(tmp_path, "core_tinker.bin", image, "core-firmware-gone")
    pages = [APPLICATION + at * K for at in range(97)]
    assert (view.verdict, view.ended.warnings) == ("repaired", ())
    assert internal(shop, APPLICATION, len(image)) == image
    assert (sorted(counts.erased), shop.bus.simulator().mode) == (pages, "application")


def test_the_image_that_was_written_is_kept_with_its_digest(tmp_path):
    """The record says what the device holds."""
    image = vectors(3 * K)
    view, shop, _ = flash(tmp_path, "app.bin", image)
    kept = [r.event for r in replay(shop.state.journal(view.run)).records]
    kept = [event for event in kept if isinstance(event, ArtefactKept)]
    digest = hashlib.sha256(image).hexdigest()
    assert [(k.name, k.place, k.sha256) for k in kept] == [("image-app.bin", "run", digest)]


def test_an_image_that_holds_a_private_key_is_not_kept(tmp_path):
    """Artefacts are exported."""
    with workshop(tmp_path / "other", "core-healthy") as shop:
        key = shop.bus.simulator().memories.external.read(0x2000, 612)
    view, shop, _ = flash(tmp_path, "app.bin", vectors(K) + key, address="0x08005000")
    assert view.verdict == "repaired"
    assert not shop.state.artefacts(view.run).exists()


@pytest.mark.parametrize("address", ["0x08006400", "134243328"])
def test_an_address_is_hex_or_decimal(tmp_path, address):
    """Only the two pages that are touched are erased."""
    view, shop, counts = flash(tmp_path, "part.bin", b"\x12" * 1500, address=address)
    assert view.verdict == "repaired"
    assert internal(shop, 0x08006400, 1500) == b"\x12" * 1500
    assert sorted(counts.erased) == [0x08006400, 0x08006800]


def test_a_dfuse_file_goes_where_it_says(tmp_path):
    """Two elements on one page: the page is erased once."""
    data = dfuse((APPLICATION, vectors(K + 100)), (0x08005480, b"\xab" * 32))
    view, shop, counts = flash(tmp_path, "app.dfu", data)
    assert view.verdict == "repaired"
    assert internal(shop, 0x08005480, 32) == b"\xab" * 32
    assert sorted(counts.erased) == [0x08005000, 0x08005400]


def test_external_memory_is_a_target_too(tmp_path):
    """Alternate setting 1, pages of 4 KiB."""
    data = dfuse((0x60000, b"\x77" * 5000), alternate=1)
    view, shop, counts = flash(tmp_path, "ota.dfu", data)
    assert view.verdict == "repaired"
    assert shop.bus.simulator().memories.external.read(0x60000, 5000) == b"\x77" * 5000
    assert sorted(counts.erased) == [0x60000, 0x61000]


def test_an_intel_hex_file_goes_where_it_says(tmp_path):
    """Its addresses are its own."""
    made = IntelHex()
    made.puts(APPLICATION, vectors(2 * K))
    path = tmp_path / "made.hex"
    made.write_hex_file(str(path))
    view, shop, _ = flash(tmp_path, "app.hex", path.read_bytes())
    assert view.verdict == "repaired"
    assert internal(shop, APPLICATION, 2 * K) == vectors(2 * K)


def test_a_dfu_file_with_a_suffix_goes_to_the_application(tmp_path):
    """Version 1.0 names no address; the suffix is not written."""
    data = suffixed(vectors(2 * K), version=0x0100)
    view, shop, counts = flash(tmp_path, "app.dfu", data)
    assert (view.verdict, len(counts.erased)) == ("repaired", 2)
    assert internal(shop, APPLICATION, 2 * K) == vectors(2 * K)


def test_a_write_costs_six_requests_a_kib_and_no_address(tmp_path):
    """64 KiB on 1 KiB pages: 64 erases and 64 blocks, three requests each; the last erase points.

    So the first page is erased last.
    """
    with workshop(tmp_path, "core-healthy") as shop:
        path = tmp_path / "app.dfu"
        path.write_bytes(dfuse((APPLICATION, vectors(64 * K))))
        counts, at = shop.bus.simulator().counts, {}

        def note(message):
            if "run" in message:
                current = shop.bench.runs()[message["run"]].current
                at.setdefault(current.id if current else "", counts.requests)

        shop.bench.listen(note)
        shop.run("particle.flash", answers={"image": str(path)})
        # One GETSTATUS finds it at rest before the first erase.
        assert at["compare"] - at["erase"] == 1 + 3 * (64 + 64)
        assert (counts.set_addresses, len(counts.erased)) == (2, 64)
        assert counts.erased == [APPLICATION + at * K for at in reversed(range(64))]


def test_a_core_whose_erase_does_not_point_is_written_by_the_letter_in_the_second_try(tmp_path):
    """The read-back finds it, and every address is set then."""
    with workshop(tmp_path, on_the_bench(faults=Faults(erase_points=False))) as shop:
        path = tmp_path / "app.dfu"
        path.write_bytes(dfuse((APPLICATION, vectors(3 * K))))
        view = shop.run("particle.flash", answers={"image": str(path)})

        assert view.verdict == "repaired"
        assert internal(shop, APPLICATION, 3 * K) == vectors(3 * K)


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "address", "words"),
    [
        ("a.bin", vectors(2 * K), "0x08000000", "read-only"),
        ("a.bin", vectors(2 * K), "0x08004C00", "read-only"),
        ("a.bin", vectors(109 * K), "", "too long"),
        ("a.bin", vectors(2 * K), "0x0801FC00", "too long"),
        ("a.bin", vectors(2 * K), "0x09000000", "no memory at"),
        ("a.bin", vectors(2 * K), "0x2000", "overwrite the page of the private key"),
        ("a.bin", vectors(2 * K), "0x1800", "overwrite the page of the server key"),
        ("a.bin", vectors(2 * K), "here", "no address"),
        ("a.bin", vectors(2 * K), "0xFFFFFFFFF", "no address"),
        ("a.bin", vectors(2 * K)[:128], "", "cut off"),
        ("a.bin", bytes(2 * K), "", "not in RAM"),
        ("a.bin", b"", "", "empty"),
        ("a.dfu", dfuse((APPLICATION, vectors(K)))[:-3], "", "torn"),
        ("a.dfu", dfuse((APPLICATION, vectors(K)), pid=0xD006), "", "for the device 1d50:d006"),
        ("a.dfu", dfuse((APPLICATION, vectors(K)), alternate=5), "", "for memory 5"),
        ("a.dfu", dfuse((APPLICATION, vectors(K))), "0x08005000", "one too many"),
        ("a.dfu", dfuse((APPLICATION, vectors(K)), (APPLICATION + 4, b"x")), "", "twice"),
        ("a.dfu", dfuse((0x2100, b"x" * 9), alternate=1), "", "overwrite"),
        ("a.dfu", dfuse(), "", "holds nothing"),
        ("a.dfu", dfuse((APPLICATION, b"")), "", "holds nothing"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_erased(
    tmp_path, name, data, address, words
):
    """The sentence names the reason, the advice says that nothing is written."""
    answers = {"address": address} if address else {}
    view, _, counts = flash(tmp_path, name, data, **answers)
    assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
    assert words in view.ended.sentence
    assert view.ended.advice.startswith("Nothing is written.")
    assert (counts.erased, counts.written) == ([], [])


def test_a_photons_image_is_refused_by_name(tmp_path):
    """The vendor's own file for another board."""
    image = real("photon_tinker-0.4.5.bin").read_bytes()
    view, _, counts = flash(tmp_path, "tinker.bin", image)
    assert (view.verdict, counts.erased) == ("refused", [])
    assert view.ended.sentence.endswith("It is for the Photon.")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """Before the device is opened."""
    with workshop(tmp_path, "core-healthy", answers={"image": str(tmp_path / "no.bin")}) as shop:
        view = shop.run("particle.flash")
        assert (view.verdict, shop.bus.calls) == ("refused", 0)
        assert "cannot be read" in view.ended.sentence


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("UNDEFINED", "no memory at"),
        ("@Internal Flash", "no memory at"),
        ("@Internal Flash  /0x08000000/128*001Ka", "read-only"),
        ("@Internal Flash  /0x08000000/999999*001Bg", "nonsense"),
        ("@Internal Flash  /0x08000000/9999*999Mg", "nonsense"),
        ("@Internal Flash  /0xZZ/128*001Kg", "no memory at"),
        ("@Internal Flash  /0x08000000/0*001Kg,0*0Kg", "no memory at"),
        ("@Internal Flash  /0x08000000/2O*001Ka,108*001Kg", "no memory at"),
    ],
)
def test_a_layout_that_is_nonsense_is_not_believed(tmp_path, layout, words):
    """No erase follows from what cannot be so."""
    faults = Faults(layouts=(layout, "@SPI Flash : SST25x/0x00000000/512*04Kg"))
    view, _, counts = flash(tmp_path, "a.bin", vectors(K), on_the_bench(faults=faults))
    assert (view.verdict, counts.erased) == ("refused", [])
    assert words in view.ended.sentence


@pytest.mark.parametrize(
    "segments",
    [
        "2O*001Ka,108*001Kg",
        "20*0x1Ka,108*001Kg",
        "20*001Ke,108*001Kg",
        "20*001Kg,108*001Kg",
        "2*001Ka,126*001Kg",
        "128*001Kg",
    ],
)
def test_no_layout_makes_the_bootloader_writable(tmp_path, segments):
    """Its row says where the bootloader ends, whatever the device declares after a fault."""
    layouts = (f"@Internal Flash  /0x08000000/{segments}", "@SPI Flash /0x00000000/512*04Kg")
    scenario = on_the_bench(faults=Faults(layouts=layouts))
    for address in ("0x08000000", "0x08004C00"):
        view, _, counts = flash(tmp_path, "a.bin", b"\x12" * 4096, scenario, address=address)
        assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        assert (counts.erased, counts.written) == ([], [])


@pytest.mark.parametrize("address", ["0x2000", ""])
def test_memories_in_another_order_than_the_rows_are_not_written(tmp_path, address):
    """The keys would not be where the row says, nor the application."""
    layouts = (
        "@SPI Flash : SST25x/0x00000000/512*04Kg",
        "@Internal Flash  /0x08000000/20*001Ka,108*001Kg",
    )
    scenario = on_the_bench(faults=Faults(layouts=layouts))
    answers = {"address": address} if address else {}
    view, _, counts = flash(tmp_path, "a.bin", b"\x12" * 4096, scenario, **answers)
    assert (view.verdict, counts.erased) == ("refused", [])
    assert "no memory at 0x8005000" in view.ended.sentence
    assert view.ended.advice.startswith("Nothing is written.")


def test_a_memory_without_the_page_of_the_keys_is_not_written(tmp_path):
    """What cannot be compared with the row is not believed."""
    layouts = ("@Internal Flash  /0x08000000/20*001Ka,108*001Kg", "@SPI Flash /0x4000/4*04Kg")
    view, _, counts = flash(
        tmp_path, "a.bin", vectors(K), on_the_bench(faults=Faults(layouts=layouts))
    )
    assert (view.verdict, counts.erased) == ("refused", [])
    assert "no memory at 0x2000" in view.ended.sentence


def test_an_element_that_begins_outside_of_its_memory_is_not_called_too_long(tmp_path):
    """An internal address in the external memory."""
    data = dfuse((0x08005000, vectors(K)), alternate=1)
    view, _, counts = flash(tmp_path, "a.dfu", data)
    assert (view.verdict, counts.erased) == ("refused", [])
    assert view.ended.sentence == "SPI Flash : SST25x has no memory at 0x8005000."


# --- the factory image ----------------------------------------------------------------------


def test_the_factory_image_is_copied_back_and_compared(tmp_path):
    """The firmware is gone, the factory image is there; afterwards the Core starts."""
    with workshop(tmp_path, "core-firmware-gone") as shop:
        core = shop.bus.simulator()
        factory = core.memories.external.read(0x20000, 12 * K)
        keys = core.memories.external.read(0, 0x20000)
        view = shop.run("particle.reset")

        assert (view.verdict, view.ended.warnings) == ("repaired", ())
        assert internal(shop, APPLICATION, 12 * K) == factory
        assert sorted(core.counts.erased) == [APPLICATION + at * K for at in range(12)]
        assert core.memories.external.read(0, 0x20000) == keys


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda cells: b"\xff" * 16 * K, "is missing"),
        (lambda cells: bytes(16 * K), "is missing"),
        (lambda cells: b"\x00" * 4 + cells[4:], "not in RAM"),
        (lambda cells: cells[:100] + b"\xff" * (16 * K - 100), "cut off"),
    ],
)
def test_a_factory_image_that_is_none_is_not_copied(tmp_path, spoil, words):
    """Nothing is erased for it, and flash is named as the way on."""

    def memories(device_id):
        made = healthy_memories(device_id, firmware=False)
        cells = made.external.cells
        cells[0x20000 : 0x20000 + 112 * K] = (
            spoil(bytes(cells[0x20000 : 0x20000 + 16 * K])) + spoil(b"\xff" * 16 * K)[:1] * 96 * K
        )
        return made

    with workshop(tmp_path, on_the_bench(memories=memories)) as shop:
        view = shop.run("particle.reset")
        assert (view.verdict, shop.bus.simulator().counts.erased) == ("refused", [])
        assert words in view.ended.sentence
        assert "flash" in view.ended.advice
