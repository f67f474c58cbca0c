"""A device that refuses the change itself: told in its own words, and nothing is called lost."""

from __future__ import annotations

import pytest

from console.families.particle.simulator_dfu import Faults
from console.families.particle.simulator_rows import CORE, PHOTON, Personality
from tests.families.particle.boards import on_the_bench
from tests.families.particle.images import K, core_module
from tests.families.particle.paper_core import PaperCore
from tests.families.particle.paper_host import PaperHost
from tests.harness import workshop

PROTECTED, WRONG_AREA, ERASE_FAULT = 11, 8, 4


def ended(tmp_path, row: Personality, status: int, flow: str):
    """How the flow ends on a board that answers every change with that status, and its counts."""
    path = tmp_path / "app.bin"
    path.write_bytes(core_module(4 * K))
    given = {
        "flash": {"image": str(path)},
        "restore": {"source": "server_key"},
    }.get(flow, {})
    faults = Faults(
        fails_with=status,
        **({} if row is CORE else {"layouts": row.manners.layouts, "transfer_size": 4096}),
    )
    with workshop(tmp_path / "s", on_the_bench(row, faults=faults)) as shop:
        view = shop.run(f"particle.{flow}", answers=given)
        return view.ended, shop.bus.simulator().counts


@pytest.mark.parametrize(
    ("row", "flow"),
    [
        (CORE, "flash"),
        (CORE, "reset"),
        (CORE, "rekey"),
        (CORE, "restore"),
        (PHOTON, "rekey"),
        (PHOTON, "restore"),
    ],
    ids=lambda it: it if isinstance(it, str) else it.name,
)
def test_a_protected_board_has_lost_nothing_and_is_not_sent_round_again(tmp_path, row, flow):
    """The first erase is refused, or the first block where there is none to erase."""
    told, counts = ended(tmp_path, row, PROTECTED, flow)
    assert (told.verdict, told.damage) == ("unfinished", "nothing written")
    assert told.sentence.startswith("It is protected.")
    assert told.advice == "Nothing is written. Its owner has to unlock it first."
    assert (counts.erased, counts.written) == ([], [])


def test_a_board_that_calls_the_area_wrong_has_lost_nothing_either(tmp_path):
    """Its own sentence says so."""
    told, _ = ended(tmp_path, CORE, WRONG_AREA, "flash")
    assert (told.verdict, told.damage) == ("unfinished", "nothing written")
    assert "Nothing was changed there." in told.sentence
    assert told.advice.startswith("Nothing is written. Export the log")


def test_a_fault_of_the_memory_is_still_tried_twice_and_proven(tmp_path):
    """It accuses the memory, not the wish."""
    told, _ = ended(tmp_path, CORE, ERASE_FAULT, "flash")
    assert (told.verdict, len(told.proof)) == ("beyond repair", 2)


def test_a_refusal_after_the_first_erase_says_what_may_be_lost(tmp_path):
    """Nobody is told to run it again: it would be refused again."""
    with workshop(tmp_path, on_the_bench()) as shop:
        bootloader = shop.bus.simulator().bootloader

        def note(message):
            current = shop.bench.runs()[message["run"]].current if "run" in message else None
            if current is not None and current.id == "write":
                bootloader._faults = Faults(fails_with=PROTECTED)

        shop.bench.listen(note)
        path = tmp_path / "app.bin"
        path.write_bytes(core_module(4 * K))
        told = shop.run("particle.flash", answers={"image": str(path)}).ended
    assert (told.verdict, told.damage) == ("unfinished", "contents gone, bootloader alive")
    assert told.advice.startswith(
        "Its owner has to unlock it first. Its firmware may be incomplete"
    )
    assert "run flash again" not in told.advice


def test_an_erase_that_tells_erased_from_dead_may_be_refused_too():
    """All reads alike, so a page that nobody uses is erased first."""
    core = PaperCore()
    plain = core._get_status

    def status(timeout: float) -> bytes:
        erases = core.pending is not None and core.pending[1][:1] == b"\x41"
        if not erases:
            return plain(timeout)
        core.pending, core.state, core.status = None, 10, PROTECTED
        return bytes((PROTECTED, 0, 0, 0, 10, 0))

    core._get_status = status
    told = PaperHost(core, confirm_erase="yes").run("rekey")
    assert (told.verdict, told.damage) == ("unfinished", "nothing written")
    assert told.advice == "Nothing is written. Its owner has to unlock it first."
