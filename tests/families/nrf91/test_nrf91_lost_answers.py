"""Whichever answer is lost: what was asked for is done, and is said to be done."""

from __future__ import annotations

import pytest

from console.families.nrf91.simulator_rows import MFW_1_2_3, MFW_1_3_6, Faults
from tests.families.nrf91.modem_bench import CONTENTS, LOST, RESTORE, bench, digest_of
from tests.families.nrf91.test_nrf91_faults import answers, held, unit
from tests.families.nrf91.test_nrf91_flows import new_pair

REPLACED = (2, 0)


@pytest.mark.parametrize("at", range(3, 34, 3))
def test_a_lost_answer_never_makes_a_lie(tmp_path, at):
    """Repaired if and only if it is in."""
    with bench(tmp_path, unit(faults=Faults(loses_answer=at)), **answers(tmp_path)) as shop:
        view = shop.run(RESTORE)
        assert view.verdict == "repaired", (at, view.ended)
        assert held(shop)[LOST] == digest_of(CONTENTS[LOST])


@pytest.mark.parametrize("at", range(10, 28))
def test_a_reset_that_loses_an_answer_still_deletes(tmp_path, at):
    """A deletion that is not answered is looked up in the list."""
    scenario = unit(contents=CONTENTS, faults=Faults(loses_answer=at))
    with bench(tmp_path, scenario, tags="3") as shop:
        view = shop.run("nrf91.reset")
        assert view.verdict == "repaired", (at, view.ended)
        assert set(held(shop)) == {pair for pair in CONTENTS if pair[0] != 3}


@pytest.mark.parametrize("firmware", [MFW_1_2_3, MFW_1_3_6], ids=lambda it: it.short_name)
@pytest.mark.parametrize("at", range(10, 28))
def test_a_replacement_that_loses_an_answer_leaves_no_hole(tmp_path, at, firmware):
    """The old entry is deleted first on most firmware; the new one follows."""
    contents = CONTENTS | {REPLACED: CONTENTS[1, 0]}
    scenario = unit(firmware, contents=contents, faults=Faults(loses_answer=at))
    with bench(tmp_path, scenario, **answers(tmp_path, REPLACED)) as shop:
        view = shop.run(RESTORE)
        assert view.verdict == "repaired", (at, view.ended)
        assert held(shop)[REPLACED] == digest_of(CONTENTS[REPLACED])


@pytest.mark.parametrize("at", range(10, 30))
def test_a_new_pair_goes_in_whichever_answer_is_lost(tmp_path, at):
    """Both halves of it."""
    new, path = new_pair(tmp_path)
    scenario = unit(contents=CONTENTS, faults=Faults(loses_answer=at))
    with bench(tmp_path, scenario, sheet=path, confirm_replace="yes") as shop:
        view = shop.run("nrf91.rekey")
        assert view.verdict == "repaired", (at, view.ended)
        assert {pair: held(shop)[pair] for pair in new} == {p: digest_of(t) for p, t in new.items()}


@pytest.mark.parametrize("at", range(10, 28))
def test_a_key_made_in_the_modem_is_there_whichever_answer_is_lost(tmp_path, at):
    """Only the answer that carries the request cannot be had again: that is said."""
    given = {"sheet": "", "tags": "3", "confirm_replace": "yes"}
    scenario = unit(contents=CONTENTS, faults=Faults(loses_answer=at))
    with bench(tmp_path, scenario, **given) as shop:
        view = shop.run("nrf91.rekey")
        asked = [data for data in shop.bus.sent if b"KEYGEN" in data]
        assert held(shop)[3, 2] != digest_of(CONTENTS[3, 2])
        assert view.verdict == "repaired" or b"KEYGEN" in asked[-1], (at, view.ended)


def test_a_reset_of_what_is_gone_already_ends_well(tmp_path):
    """Run again after one whose end nobody saw; a mistyped tag shows by what is there."""
    with bench(tmp_path, unit(contents=CONTENTS), tags="3") as shop:
        assert shop.run("nrf91.reset").verdict == "repaired"
        ended = shop.run("nrf91.reset").ended
        assert (ended.verdict, ended.damage) == ("no fault found", "nothing written")
        assert "holds nothing under tag 3." in ended.sentence
        assert "It holds: 1, 2, " in ended.advice
