"""Every row of the table, on the simulated board of that row: two tables from one reference."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_public_key,
)

from console.families.particle import FAMILY
from console.families.particle.platforms import PLATFORMS, named
from console.families.particle.simulator_contents import Slot, later_memories
from console.families.particle.simulator_dfu import Faults
from console.families.particle.simulator_rows import (
    ELECTRON_SETTINGS,
    PHOTON,
    PHOTON_SETTINGS,
    ROWS,
    Personality,
)
from tests.families.particle.boards import on_the_bench
from tests.harness import Workshop, workshop
from tests.realdata import real

ID = "3b0021001747353236343033"
LATER = [row for row in ROWS if row.name != "Spark Core"]
each_later = pytest.mark.parametrize("row", LATER, ids=lambda row: row.name)


def spoilt(row: Personality, private: Slot):
    """The row's memories with that in the private-key slot."""
    settings = row.memories.args[0]
    return lambda device_id: later_memories(settings, device_id, private=private)


def board(row: Personality, private: Slot = Slot.VALID, **options: object):
    return on_the_bench(row, ID, memories=spoilt(row, private), **options)


def store(shop: Workshop) -> bytes:
    return bytes(shop.bus.simulator().memories.external.cells)


def without(cells: bytes, start: int, size: int) -> bytes:
    return cells[:start] + cells[start + size :]


def test_the_client_and_the_simulator_know_the_same_boards():
    """A row that only one of them has proves nothing."""
    assert [row.name for row in PLATFORMS] == [row.name for row in ROWS]
    ids = {(f"{r.vid:04x}", f"{r.dfu_pid:04x}", f"{r.app_pid:04x}") for r in ROWS}
    assert ids == {(p.dfu.vid, p.dfu.pid, p.app.pid) for p in PLATFORMS}
    assert len({mode.name for mode in FAMILY.modes}) == 2 * len(PLATFORMS)


@each_later
def test_a_healthy_board_has_no_fault(tmp_path, row):
    """Both slots are read where this platform keeps them."""
    with workshop(tmp_path, board(row)) as shop:
        before = store(shop)
        view = shop.run("particle.check")
        assert (view.verdict, store(shop)) == ("no fault found", before)


@each_later
def test_a_blank_key_is_replaced_without_an_erase_and_the_neighbours_stay(tmp_path, row):
    """RSA-1024 over TCP, EC P-256 over UDP; in its slot, and nowhere else."""
    place = named(row.name).private
    with workshop(tmp_path, board(row, Slot.BLANK)) as shop:
        before = store(shop)
        view = shop.run(answers={"device_id": ID})
        after = store(shop)
        slot = after[place.address : place.address + place.size]
        key = load_der_private_key(slot[: der_length(slot)], None)
        pem = (shop.state.artefacts(view.run) / "public-key.pem").read_bytes()

        assert (view.verdict, view.ended.warnings) == ("repaired", ())
        assert load_pem_public_key(pem) == key.public_key()
        assert shop.bus.simulator().counts.erased == []
        assert without(after, place.address, place.size) == without(
            before, place.address, place.size
        )


def der_length(der: bytes) -> int:
    return 4 + int.from_bytes(der[2:4], "big") if der[1] == 0x82 else 2 + der[1]


@each_later
def test_a_key_written_as_pkcs8_stays_the_key_and_is_put_right(tmp_path, row):
    """The cloud may know it already."""
    place = named(row.name).private
    with workshop(tmp_path, board(row, Slot.PKCS8)) as shop:
        before = store(shop)[place.address :]
        key = load_der_private_key(
            before[: 4 + int.from_bytes(before[2:4], "big")]
            if before[1] == 0x82
            else before[: 3 + before[2]],
            None,
        )
        wanted = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        found = shop.run("particle.check")
        view = shop.run()
        assert (found.verdict, view.verdict) == ("unfinished", "repaired")
        assert "PKCS#8" in found.ended.sentence
        assert store(shop)[place.address :][: len(wanted)] == wanted


def test_a_photons_long_key_leaves_nothing_behind_its_slot(tmp_path):
    """636 bytes in a slot of 612: the 24 beyond it are blank again, and were backed up."""
    with workshop(tmp_path, "photon-pkcs8") as shop:
        before = store(shop)
        view = shop.run()
        after = store(shop)
        vault = {path.name: path.read_bytes() for path in shop.state.vault.iterdir()}
        assert view.verdict == "repaired"
        assert before[646:670] != b"\xff" * 24
        assert after[646:1250] == b"\xff" * 604
        assert after[1250:] == before[1250:]
        assert vault[f"{view.run}-private-key-slot.bin"] == before[34:646]
        assert vault[f"{view.run}-private-key-page-rest.bin"] == before[646:1250]


@each_later
def test_the_serial_is_the_device_id_itself(tmp_path, row):
    """Another id on the work order is another unit."""
    with workshop(tmp_path, board(row)) as shop:
        right = shop.run("particle.rekey", answers={"device_id": ID.upper()})
        shop.back_to_dfu()
        wrong = shop.run("particle.rekey", answers={"device_id": "54ff73066672524813250167"})
        assert (right.verdict, wrong.verdict) == ("repaired", "refused")


def test_the_serial_that_all_early_photons_share_proves_nothing(tmp_path):
    """00000000010C is no unit's own."""
    old = Personality(**{**vars(PHOTON), "serial": lambda _: "00000000010C"})
    with workshop(tmp_path, board(old)) as shop:
        view = shop.run("particle.rekey", answers={"device_id": ID})
        assert view.verdict == "refused"
        assert "no serial number of its own" in view.ended.sentence


def test_two_early_photons_never_share_a_backup(tmp_path):
    """A broken-off repair of one must not keep the other from being backed up."""
    old = Personality(**{**vars(PHOTON), "serial": lambda _: "00000000010C"})
    broken = {**vars(PHOTON.manners), "unplugged_at": 40}
    with workshop(tmp_path, board(old, faults=Faults(**broken))) as shop:
        first = shop.run()
    with workshop(tmp_path, board(old)) as shop:
        before = store(shop)
        second = shop.run()
        vault = [path.read_bytes() for path in shop.state.vault.iterdir()]
        assert (first.verdict, second.verdict) == ("unfinished", "repaired")
        assert before[34:646] in vault


@each_later
def test_the_vendors_server_key_is_written_into_its_slot_only(tmp_path, row):
    """512 bytes for TCP, 320 for UDP."""
    place = named(row.name).server
    with workshop(tmp_path, board(row)) as shop:
        before = store(shop)
        view = shop.run("particle.restore", answers={"source": "server_key"})
        file = "rsa.pub.der" if row.name in ("Photon", "P1") else "ec.pub.der"
        block = real(f"particle-server-{file}").read_bytes()
        assert view.verdict == "repaired"
        assert store(shop)[place.address : place.address + place.size] == block
        assert without(store(shop), place.address, place.size) == without(
            before, place.address, place.size
        )


def test_a_photon_takes_the_vendors_own_application(tmp_path):
    """Its module says where it belongs; a whole sector is erased for it."""
    path = real("photon_tinker-0.4.5.bin")
    with workshop(tmp_path, board(PHOTON)) as shop:
        view = shop.run("particle.flash", answers={"image": str(path)})
        board_ = shop.bus.simulator()
        assert view.verdict == "repaired"
        assert board_.memories.internal.read(0x080A0000, 5324) == path.read_bytes()
        assert board_.counts.erased == [0x080A0000]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "has 5323 of 5324 bytes"),
        (lambda data: data[:2000] + b"?" + data[2001:], "own checksum is wrong"),
        (lambda data: data[:12] + b"\x08" + data[13:], "It is for the P1."),
        (lambda data: b"\x00" * 8 + data[8:], "head of a module"),
    ],
)
def test_a_photons_application_that_is_not_whole_is_refused(tmp_path, change, words):
    """Truncated, spoilt, for another board, for nowhere."""
    path = tmp_path / "tinker.bin"
    path.write_bytes(change(real("photon_tinker-0.4.5.bin").read_bytes()))
    with workshop(tmp_path / "state", board(PHOTON)) as shop:
        view = shop.run("particle.flash", answers={"image": str(path)})
        assert (view.verdict, shop.bus.simulator().counts.erased) == ("refused", [])
        assert words in view.ended.sentence


@each_later
def test_the_settings_store_is_never_flashed(tmp_path, row):
    """Neither by an address, nor by a file that names it."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"\x55" * 64)
    with workshop(tmp_path / "state", board(row)) as shop:
        before = store(shop)
        view = shop.run("particle.flash", answers={"image": str(path), "address": "34"})
        assert (view.verdict, store(shop)) == ("refused", before)


@pytest.mark.parametrize(
    "settings", [PHOTON_SETTINGS, ELECTRON_SETTINGS], ids=["Photon", "Electron"]
)
def test_the_second_generation_keeps_its_factory_image_inside(tmp_path, settings):
    """Copied from one place of the internal flash to another."""
    row = next(r for r in ROWS if r.dfu_pid == 0xD000 | settings.number)

    def memories(device_id):
        made = later_memories(settings, device_id)
        at = settings.application - settings.base
        made.internal.cells[at : at + 0x2000] = b"\xff" * 0x2000
        return made

    with workshop(tmp_path, on_the_bench(row, ID, memories=memories)) as shop:
        view = shop.run("particle.reset")
        internal = shop.bus.simulator().memories.internal
        factory = internal.read(settings.factory, 5124)
        assert (view.verdict, internal.read(settings.application, 5124)) == ("repaired", factory)


def test_a_board_without_a_factory_image_says_so(tmp_path):
    """The third generation keeps none that could be copied."""
    row = next(r for r in ROWS if r.name == "Boron")
    with workshop(tmp_path, board(row)) as shop:
        view = shop.run("particle.reset")
        assert (view.verdict, shop.bus.simulator().counts.erased) == ("refused", [])
        assert "keeps no factory image" in view.ended.sentence


@pytest.mark.parametrize(
    "layout",
    [
        "@DCT Flash   /0x00000000/01*001Kg",
        "@DCT Flash   /0x00000000/01*016Ka",
        "UNDEFINED",
        "@D/0x0",
    ],
)
def test_a_store_that_the_layout_does_not_declare_is_not_written(tmp_path, layout):
    """Too small, read-only, or nonsense; protected boards declare it so."""
    manners = {**vars(PHOTON.manners), "layouts": (PHOTON.manners.layouts[0], layout)}
    with workshop(tmp_path, board(PHOTON, Slot.BLANK, faults=Faults(**manners))) as shop:
        before = store(shop)
        view = shop.run()
        assert (view.verdict, store(shop)) == ("refused", before)
