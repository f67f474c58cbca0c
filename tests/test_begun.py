"""What earlier runs have begun on a unit and not finished, as its row on the bench says it."""

from __future__ import annotations

import pytest

from console.events import Device
from console.views import rows
from tests.floor import LEFT, RIGHT, floor


@pytest.fixture
def shop(tmp_path):
    with floor(tmp_path, LEFT, RIGHT) as made:
        yield made


def at(shop, port="1-1"):
    return shop.bench.view().at_port(port)


def marks(shop):
    return [(row.mark, row.next) for row in rows(shop.bench.view(), {})]


def test_a_unit_whose_repair_did_not_finish_says_so_in_its_row(shop):
    """The other unit of its kind does not; a run that finishes takes it away."""
    shop.ended(shop.run("read"))
    assert [("!", "finish it"), ("-", "Check it.")] == marks(shop)
    assert "read, run 1 of 2026" in at(shop).begun
    assert "contents gone, bootloader alive" in at(shop).begun
    shop.ended(shop.run("erase"))

    assert [("-", "Check it.")] * 2 == marks(shop)


def test_a_unit_that_was_taken_away_half_done_says_so_where_it_was(shop):
    """It is what the technician must not forget."""
    shop.ended(shop.run("read"))
    shop.bus.here = (RIGHT,)

    assert [("!", "finish it"), ("-", "Check it.")] == marks(shop)


def test_what_was_begun_goes_with_the_unit_to_another_port_and_day(tmp_path):
    """A serial names it, in whatever mode it is; its old port says nothing of the next one."""
    with floor(tmp_path, LEFT) as first:
        first.ended(first.run("read"))
    moved = (Device("1-1", "v8", "0a0a", "0001", "C"), Device("1-5", "v9", "0a0a", "0002", "A"))
    with floor(tmp_path, *moved) as second:
        assert ["", True] == [at(second).begun, bool(at(second, "1-5").begun)]


def test_of_a_unit_that_nothing_names_nothing_is_said_to_be_begun(tmp_path):
    """The next one in its port looks just like it."""
    with floor(tmp_path, Device("1-1", "v1", "0a0a", "0001")) as shop:
        shop.ended(shop.run("read"))

        assert [("-", "Check it.")] == marks(shop)


def test_what_a_killed_bench_was_writing_is_said_by_the_next(tmp_path):
    """Nothing but the run's own record is left of it."""
    with floor(tmp_path, LEFT) as first:
        first.ended(first.run("read"))
    whole = first.state.journal("1").read_bytes().splitlines(keepends=True)
    first.state.journal("1").write_bytes(b"".join(whole[:-2]))  # neither its failure nor its end
    with floor(tmp_path, LEFT) as second:
        assert [("!", "finish it")] == marks(second)
        assert "contents gone, bootloader alive" in at(second).begun


def test_a_mode_may_tell_that_something_was_begun(tmp_path):
    """Elsewhere, perhaps: no run of ours is needed for it."""
    with floor(tmp_path, Device("1-1", "v1", "0a0a", "0003")) as shop:
        assert "An update, most often." == at(shop).begun
        assert [("!", "finish it")] == marks(shop)


def test_a_run_that_wrote_nothing_leaves_what_was_begun(shop):
    """A check does not finish a repair."""
    shop.ended(shop.run("read"))
    shop.ended(shop.run("quick"))

    assert ("!", "finish it") == marks(shop)[0]
