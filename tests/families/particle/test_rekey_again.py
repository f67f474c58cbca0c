"""A rekey that broke off is run again: the key that its first backup holds is not given up."""

from __future__ import annotations

import pytest

from console.events import Asked
from console.families.particle import keys
from console.families.particle.platforms import named
from console.families.particle.simulator_contents import Slot, healthy_memories, later_memories
from console.families.particle.simulator_rows import CORE, ROWS, Personality
from console.journal import replay
from tests.families.particle.boards import on_the_bench
from tests.harness import Workshop, workshop

ELECTRON = next(row for row in ROWS if row.name == "Electron")
PHOTON = next(row for row in ROWS if row.name == "Photon")
SAME = "The same key is written again in the right format."


def board(row: Personality, private: Slot):
    """A board of the row with that in its private-key slot."""
    if row is CORE:
        return on_the_bench(memories=lambda unit: healthy_memories(unit, private=private))
    settings = row.memories.args[0]
    return on_the_bench(row, memories=lambda unit: later_memories(settings, unit, private=private))


def found(shop: Workshop, row: Personality) -> keys.Finding:
    """What the slot holds now."""
    platform = named(row.name)
    slot = shop.bus.simulator().memories.external.read(platform.page.address, platform.page.size)
    size = platform.private.size
    return keys.private_slot(slot[:size], platform.form, slot[size:])


def blank(shop: Workshop, row: Personality) -> None:
    """The slot as an erase leaves it."""
    at, size = named(row.name).private.address, named(row.name).private.size
    shop.bus.simulator().memories.external.cells[at : at + size] = b"\xff" * size


def pulled_at(shop: Workshop, step: str) -> None:
    """It is pulled once, when that step begins."""
    done = []

    def note(message):
        if "run" in message and not done:
            view = shop.bench.runs()[message["run"]]
            if view.current is not None and view.current.id == step:
                done.append(1)
                shop.bus.pull("1-1")

    shop.bench.listen(note)


def consent(shop: Workshop, run: str) -> str:
    records = replay(shop.state.journal(run)).records
    asked = [record.event for record in records if isinstance(record.event, Asked)]
    (text,) = [event.text for event in asked if event.question == "confirm_erase"]
    return text


@pytest.mark.parametrize("row", [CORE, PHOTON, ELECTRON], ids=lambda row: row.name)
@pytest.mark.parametrize("step", ["write", "compare"])
def test_a_key_in_the_wrong_format_stays_the_key_after_an_interruption(tmp_path, row, step):
    """The slot is blank, torn or right by then; the backup still holds the customer's key."""
    with workshop(tmp_path, board(row, Slot.PKCS8)) as shop:
        key = found(shop, row).key
        pulled_at(shop, step)
        first = shop.run()
        assert (first.verdict, consent(shop, first.run).count(SAME)) == ("unfinished", 1)
        shop.back_to_dfu()
        if step == "write":
            blank(shop, row)
        second = shop.run()
        assert (second.verdict, found(shop, row).key) == ("repaired", key)
        assert SAME in consent(shop, second.run)
        assert second.ended.to_do[0].startswith("If the key was never registered: ")
        kept = shop.state.artefacts(second.run) / "public-key.pem"
        assert kept.read_bytes() == keys.public_pem(key)


@pytest.mark.parametrize("row", [CORE, PHOTON], ids=lambda row: row.name)
def test_a_valid_key_that_was_lost_on_the_way_is_written_again(tmp_path, row):
    """The new one never arrived, and the cloud knows the old one; a third run makes a new one."""
    with workshop(tmp_path, board(row, Slot.VALID)) as shop:
        key = found(shop, row).key
        pulled_at(shop, "write")
        assert shop.run().verdict == "unfinished"
        shop.back_to_dfu()
        blank(shop, row)
        second = shop.run()
        assert (second.verdict, found(shop, row).key) == ("repaired", key)
        assert "The valid key of the backup is written again" in consent(shop, second.run)
        assert "the key of its backup" in second.ended.sentence
        shop.back_to_dfu()
        third = shop.run()
        assert (third.verdict, found(shop, row).key == key) == ("repaired", False)
        assert "A new key is written" in consent(shop, third.run)


def test_a_new_key_that_arrived_is_not_replaced_by_the_one_before_it(tmp_path):
    """The slot holds a valid key that is not the backup's: a new one was asked for."""
    with workshop(tmp_path, board(CORE, Slot.VALID)) as shop:
        key = found(shop, CORE).key
        pulled_at(shop, "compare")
        assert shop.run().verdict == "unfinished"
        assert found(shop, CORE).content is keys.Content.VALID
        shop.back_to_dfu()
        second = shop.run()
        assert second.verdict == "repaired"
        assert "A new key is written" in consent(shop, second.run)
        assert found(shop, CORE).key != key


def test_a_backup_that_holds_no_key_gives_none(tmp_path):
    """Blank before, blank after the interruption."""
    with workshop(tmp_path, board(CORE, Slot.BLANK)) as shop:
        pulled_at(shop, "write")
        assert shop.run().verdict == "unfinished"
        shop.back_to_dfu()
        second = shop.run()
        assert second.verdict == "repaired"
        assert "A new key is written" in consent(shop, second.run)
