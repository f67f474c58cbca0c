"""A terminated card is known as one, whatever it answers to SELECT."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.families.openpgp.bench import BLOCKED, BY_NAME, bench, shop_with

ZEITCONTROL = BY_NAME["ZeitControl 3.3"]


@pytest.mark.parametrize("word", [0x6285, 0x6985])
def test_a_terminated_card_that_is_selected_as_if_nothing_were_is_finished(tmp_path, word):
    """CanoKey and YubiKey NEO: only the reads after it are refused."""
    row = replace(ZEITCONTROL, select_terminated=0x9000, terminated=word)
    past = bench(row, *BLOCKED, "00e60000")
    with shop_with(tmp_path, past, retry="stop") as shop:
        view = shop.run("openpgp.check")
        assert "a reset was begun and not finished" in view.ended.sentence
        assert shop.run("openpgp.reset").verdict == "repaired"
        assert shop.run("openpgp.check").verdict == "no fault found"
