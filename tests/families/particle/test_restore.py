"""Backups and the vendor's server key are put back, proven first."""

from __future__ import annotations

import pytest

from console.events import Asked, WaitStarted
from console.families.particle import serverkey
from console.families.particle.platforms import CORE, PLATFORMS, named
from console.families.particle.simulator_contents import (
    Slot,
    core_serial,
    healthy_memories,
    later_memories,
)
from console.families.particle.simulator_dfu import Faults
from console.families.particle.simulator_rows import CORE as CORE_BOARD
from console.families.particle.simulator_rows import PHOTON, Personality
from console.journal import replay
from tests.families.particle.boards import on_the_bench
from tests.harness import Workshop, workshop
from tests.realdata import real

BACKUP = "1-private-key-slot.bin"
OTHER = "50ff70065067545611480887"


def page(shop: Workshop, at: int = 0x2000) -> bytes:
    return shop.bus.simulator().memories.external.read(at, 4096)


def rekeyed(shop: Workshop) -> bytes:
    """The page as it was before a rekey, whose backup is in the vault now."""
    before = page(shop)
    assert shop.run().verdict == "repaired"
    assert page(shop) != before
    shop.back_to_dfu()
    return before


# --- a raw backup ---------------------------------------------------------------------------


def test_a_backup_from_the_vault_is_put_back_by_its_name(tmp_path):
    """The key that was there before the rekey is there again, byte for byte."""
    with workshop(tmp_path, "core-healthy") as shop:
        before = rekeyed(shop)
        view = shop.run("particle.restore", answers={"source": "backup", "backup": BACKUP})
        assert view.verdict == "repaired"
        assert page(shop) == before
        assert (shop.state.vault / "2-private-key-slot.bin").exists()


def test_a_backup_from_a_file_is_known_by_its_digest(tmp_path):
    """Copied elsewhere under another name: the journal still proves whose it is."""
    with workshop(tmp_path, "core-healthy") as shop:
        before = rekeyed(shop)
        copy = tmp_path / "from-a-stick.bin"
        copy.write_bytes((shop.state.vault / BACKUP).read_bytes())
        view = shop.run("particle.restore", answers={"source": "backup", "backup": str(copy)})
        assert view.verdict == "repaired"
        assert page(shop) == before


def test_the_backup_of_another_unit_is_refused(tmp_path):
    """The journal knows which unit it was made of."""
    with workshop(tmp_path, on_the_bench(device_id=OTHER)) as shop:
        rekeyed(shop)
    with workshop(tmp_path, on_the_bench()) as shop:
        before = page(shop)
        view = shop.run("particle.restore", answers={"source": "backup", "backup": BACKUP})
        assert (view.verdict, view.ended.reason) == ("refused", "gate")
        assert "is of another unit" in view.ended.sentence
        assert page(shop) == before
        journal = shop.state.journal(view.run).read_text()
        assert core_serial(OTHER) not in journal, (
            "what is exported for one customer names nobody else's unit"
        )


def test_a_backup_whose_bytes_were_changed_is_refused(tmp_path):
    """In the vault, or as a file of the same name."""
    with workshop(tmp_path, "core-healthy") as shop:
        rekeyed(shop)
        before = page(shop)
        path = shop.state.vault / BACKUP
        path.write_bytes(b"\x00" + path.read_bytes()[1:])
        for name in (BACKUP, str(path)):
            view = shop.run("particle.restore", answers={"source": "backup", "backup": name})
            assert view.verdict == "refused"
            assert "is not what its run recorded" in view.ended.sentence
        assert page(shop) == before


@pytest.mark.parametrize(("size", "words"), [(1000, "has 1000 bytes"), (1025, "has 1025 bytes")])
def test_a_file_of_another_size_is_refused(tmp_path, size, words):
    """Torn, or of another kind of device."""
    path = tmp_path / "slot.bin"
    path.write_bytes(b"\x30" * size)
    with workshop(tmp_path / "state", "core-healthy") as shop:
        view = shop.run("particle.restore", answers={"source": "backup", "backup": str(path)})
        assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        assert words in view.ended.sentence


def test_a_file_that_no_record_knows_needs_the_serial_typed(tmp_path):
    """It may come from another bench; a wrong serial ends it."""
    with workshop(tmp_path / "one", "core-healthy") as shop:
        before = page(shop)
        path = tmp_path / "slot.bin"
        path.write_bytes(before[:1024])
        serial = shop.bus.scan()[0].serial
        assert shop.run().verdict == "repaired"
        for run in list(shop.state.vault.iterdir()):
            run.unlink()
    with workshop(tmp_path / "two", "core-blank-key") as shop:
        wanted = {"source": "backup", "backup": str(path)}
        wrong = shop.run("particle.restore", answers={**wanted, "confirm_unit": serial})
        assert (wrong.verdict, page(shop)[:1024]) == ("refused", b"\xff" * 1024)
        right = shop.run("particle.restore", answers=wanted)
        assert (right.verdict, page(shop)) == ("repaired", before)


def test_a_backup_that_is_nowhere_is_refused(tmp_path):
    """Neither a file nor a name in the vault."""
    with workshop(tmp_path, "core-healthy") as shop:
        view = shop.run("particle.restore", answers={"source": "backup", "backup": "none.bin"})
        assert (view.verdict, shop.bus.calls) == ("refused", 0)


# --- a backup that is no key ------------------------------------------------------------------


def spoilt(row: Personality, private: Slot):
    """A board of the row with that in its private-key slot."""
    if row is CORE_BOARD:
        return on_the_bench(memories=lambda unit: healthy_memories(unit, private=private))
    settings = row.memories.args[0]
    return on_the_bench(row, memories=lambda unit: later_memories(settings, unit, private=private))


def consents(shop: Workshop, run: str) -> list[str]:
    """What was asked before the erase."""
    records = replay(shop.state.journal(run)).records
    events = [record.event for record in records]
    return [e.text for e in events if isinstance(e, Asked) and e.question == "confirm_erase"]


@pytest.mark.parametrize("row", [CORE_BOARD, PHOTON], ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("private", "words"),
    [(Slot.BLANK, "is blank (FF)"), (Slot.PKCS8, "PKCS#8"), (Slot.NOISE, "no key in any format")],
)
def test_a_backup_that_is_no_valid_key_is_written_back_and_is_no_repair(
    tmp_path, row, private, words
):
    """It is said before the consent too; rekey is the way on."""
    with workshop(tmp_path, spoilt(row, private)) as shop:
        before = bytes(shop.bus.simulator().memories.external.cells)
        assert shop.run().verdict == "repaired"
        shop.back_to_dfu()
        rest = shop.state.vault / "1-private-key-page-rest.bin"
        for name in (BACKUP, *([rest.name] if rest.exists() else [])):
            view = shop.run("particle.restore", answers={"source": "backup", "backup": name})
            shop.back_to_dfu()
            if name == BACKUP:
                (asked,) = consents(shop, view.run)
                assert "no key the firmware can use" in asked
        assert view.verdict == "unfinished"
        assert view.ended.sentence.startswith("Written back as it was")
        assert "no key the firmware can use" in view.ended.sentence
        assert words in view.ended.sentence
        assert view.ended.advice.startswith("Run rekey")
        assert bytes(shop.bus.simulator().memories.external.cells) == before


def test_a_server_key_backup_that_is_blank_is_no_repair(tmp_path):
    """The vendor's block is the way on."""
    with workshop(tmp_path, "core-server-key-gone") as shop:
        before = page(shop, 0x1000)
        first = shop.run("particle.restore", answers={"source": "server_key"})
        shop.back_to_dfu()
        name = f"{first.run}-server-key-page.bin"
        view = shop.run("particle.restore", answers={"source": "backup", "backup": name})
        assert (first.verdict, view.verdict) == ("repaired", "unfinished")
        assert "no key the firmware can use" in view.ended.sentence
        assert "server key as its source" in view.ended.advice
        assert page(shop, 0x1000) == before


def test_what_is_safe_while_it_starts_is_said_of_what_was_written(tmp_path):
    """A restored server key is not "the key"."""
    with workshop(tmp_path, "core-healthy") as shop:
        view = shop.run("particle.restore", answers={"source": "server_key"})
        events = [record.event for record in replay(shop.state.journal(view.run)).records]
        safe = [event.safe for event in events if isinstance(event, WaitStarted)]
        assert safe == ["It is written and compared. Nothing is lost if you pull it now."]


# --- the vendor's server key ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [("Spark Core", "particle-server-rsa.pub.der"), ("Electron", "particle-server-ec.pub.der")],
)
def test_the_products_blocks_are_the_vendors_own(name, file):
    """Byte for byte those of the vendor's tool; a Core's slot is filled up with FF."""
    row = named(name)
    block = serverkey.block(row, None, None)
    assert block == real(file).read_bytes().ljust(row.server.size, b"\xff")


def test_a_cores_padded_block_is_the_vendors_padded_file():
    """2048 bytes, as its older tool wrote them."""
    assert (
        serverkey.block(CORE, None, None) == real("particle-server-rsa.pub-padded.der").read_bytes()
    )


def test_the_server_key_is_written_where_it_was_gone(tmp_path):
    """And the check that found the fault finds none any more."""
    with workshop(tmp_path, "core-server-key-gone") as shop:
        private = page(shop)
        found = shop.run("particle.check")
        view = shop.run("particle.restore", answers={"source": "server_key"})
        shop.back_to_dfu()
        after = shop.run("particle.check")
        verdicts = (found.verdict, view.verdict, after.verdict)
        assert verdicts == ("unfinished", "repaired", "no fault found")
        assert page(shop, 0x1000)[:2048] == serverkey.block(CORE, None, None)
        assert page(shop) == private
        assert (shop.state.vault / f"{view.run}-server-key-page.bin").exists()


def test_what_else_lies_on_the_page_of_the_server_key_stays(tmp_path):
    """The slot is half of the page that is erased."""
    rest = bytes(range(256)) * 8

    def memories(device_id):
        made = healthy_memories(device_id, server=Slot.NOISE)
        made.external.cells[0x1800:0x2000] = rest
        return made

    with workshop(tmp_path, on_the_bench(memories=memories)) as shop:
        view = shop.run("particle.restore", answers={"source": "server_key"})
        assert view.verdict == "repaired"
        assert page(shop, 0x1000)[2048:] == rest


@pytest.mark.parametrize("row", PLATFORMS, ids=lambda row: row.name)
def test_address_and_port_can_be_edited(row):
    """Type, length, value; the port is big-endian; nothing else changes."""
    at, plain = row.block, serverkey.block(row, None, None)
    by_name = serverkey.block(row, "cloud.example", "7000")
    by_number = serverkey.block(row, "10.0.0.7", None)
    assert by_name[at.address_at :][:15] == b"\x01\x0dcloud.example"
    assert by_name[at.port_at :][:2] == b"\x1b\x58"
    assert by_number[at.address_at :][:7] == b"\x00\x04\x0a\x00\x00\x07\xff"
    assert by_number[at.port_at :] == plain[at.port_at :]
    assert by_name[: at.address_at] == by_number[: at.address_at] == plain[: at.address_at]
    assert serverkey.described(by_name, row) == "cloud.example, port 7000"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"server_address": "x" * 65}, "65 characters"),
        ({"server_address": "not a name"}, "neither a name"),
        ({"server_address": "10.0.0.700"}, "neither a name"),
        ({"server_port": "0"}, "no port"),
        ({"server_port": "65535"}, "no port"),
        ({"server_port": "coap"}, "no port"),
    ],
)
def test_an_address_or_a_port_that_cannot_be_meant_is_refused(tmp_path, answers, words):
    """A name of 65 characters would run into the port."""
    with workshop(tmp_path, "core-server-key-gone") as shop:
        view = shop.run("particle.restore", answers={"source": "server_key", **answers})
        assert (view.verdict, shop.bus.calls) == ("refused", 0)
        assert words in view.ended.sentence


# --- both lies ------------------------------------------------------------------------------


def test_a_store_that_takes_all_bytes_and_keeps_none_is_seen(tmp_path):
    """Every transfer went well; the read-back says otherwise, twice."""
    faults = Faults(ignores_writes=True)
    with workshop(tmp_path, on_the_bench(faults=faults)) as shop:
        view = shop.run("particle.restore", answers={"source": "server_key"})
        assert view.verdict == "beyond repair"
        assert sum("read back are not what was written" in fact for fact in view.ended.proof) == 2
