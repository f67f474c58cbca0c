"""A card that fails inside (65xx, 6Fxx) has not said what it wrote: what it shows decides."""

from __future__ import annotations

import pytest

from console.families.openpgp import simulator_card
from console.families.openpgp.simulator_faults import Fault, Kind
from tests.families.openpgp.bench import ADMIN, BLOCKED, BY_NAME, bench, sent, shop_with

PICO, ZEIT = BY_NAME["pico-openpgp 3.4"], BY_NAME["ZeitControl 3.3"]
VERIFY, PUT, UNBLOCK = 0x20, 0xDA, 0x2C
FAILED = (0x6581, 0x6500, 0x6F00)
SIGN = {"slots": "sign", "algorithm": "ed25519", "retry": "stop"}
NEW = {"new_pin": "24681357", "retry": "stop"}
CODE = "00da00d308" + b"87654321".hex()


def failing(ins: int, parameters: int, word: int) -> tuple[Fault, ...]:
    return (Fault(Kind.REFUSED, ins, parameters, times=99, word=word),)


def done_and(word: int, ins: int, p2: int, monkeypatch) -> None:
    """Such a command is carried out, and answered so."""
    answered = simulator_card.OpenPgpCard._answer

    def answer(card, chip, command):
        found = answered(card, chip, command)
        struck = (command.ins, command.p2) == (ins, p2) and found == b"\x90\x00"
        return word.to_bytes(2, "big") if struck else found

    monkeypatch.setattr(simulator_card.OpenPgpCard, "_answer", answer)


@pytest.mark.parametrize("word", [*FAILED, 0x6985])
def test_attributes_that_the_card_failed_to_write_are_not_an_algorithm_that_it_lacks(
    tmp_path, word
):
    """The card's own error, and no other form is tried on top."""
    faults = failing(PUT, 0x00C1, word)
    with shop_with(tmp_path, bench(PICO, faults=faults), **SIGN) as shop:
        view = shop.run("openpgp.rekey")

        assert view.verdict == "unfinished"
        assert len([apdu for apdu in sent(shop, PUT) if apdu[3] == 0xC1]) == 1
        assert "ed25519" in view.ended.sentence
        assert "has no" not in view.ended.sentence
        assert "as it was" not in view.ended.advice


@pytest.mark.parametrize("word", [0x6A80, 0x6A88, 0x6700, 0x6A86])
def test_attributes_that_the_card_does_not_know_are_an_algorithm_that_it_lacks(tmp_path, word):
    """After every form of them."""
    faults = failing(PUT, 0x00C1, word)
    with shop_with(tmp_path, bench(PICO, faults=faults), **SIGN) as shop:
        view = shop.run("openpgp.rekey")
        assert view.verdict == "refused"
        assert "The card has no ed25519 for its signature slot." in view.ended.sentence


@pytest.mark.parametrize("word", FAILED)
def test_an_error_after_the_attributes_were_written_is_none(tmp_path, word, monkeypatch):
    """They are read back, and are the wanted ones."""
    with shop_with(tmp_path, bench(PICO), **SIGN) as shop:
        done_and(word, PUT, 0xC1, monkeypatch)
        view = shop.run("openpgp.rekey")
        assert view.verdict == "repaired", view.ended


@pytest.mark.parametrize("word", FAILED)
@pytest.mark.parametrize("code", ["", "87654321"])
def test_a_new_pin_that_the_card_failed_to_write_is_not_called_nothing(tmp_path, word, code):
    """Its counter did not rise, so the new PIN is not tried either."""
    faults = failing(UNBLOCK, 0x0081 if code else 0x0281, word)
    scenario = bench(ZEIT, ADMIN, CODE, *BLOCKED[:3], faults=faults)
    with shop_with(tmp_path, scenario, reset_code=code, **NEW) as shop:
        view = shop.run("openpgp.unblock")

        assert view.verdict == "unfinished"
        assert "refused the new PIN" in view.ended.sentence
        assert "Nothing was written" not in view.ended.sentence
        assert [apdu[3] for apdu in sent(shop, VERIFY)] == ([] if code else [0x83])


@pytest.mark.parametrize("code", ["", "87654321"])
def test_a_new_pin_that_is_in_all_the_same_is_found_by_its_counter(tmp_path, code, monkeypatch):
    """The card wrote it, answered an error, and takes it."""
    with shop_with(
        tmp_path, bench(ZEIT, ADMIN, CODE, *BLOCKED[:3]), reset_code=code, **NEW
    ) as shop:
        done_and(0x6581, UNBLOCK, 0x81, monkeypatch)
        view = shop.run("openpgp.unblock")
        assert view.verdict == "repaired", view.ended
        assert sent(shop, VERIFY)[-1][5:] == b"24681357"


def test_a_pin_that_the_card_refuses_in_words_costs_nothing(tmp_path):
    """As before: any other status says that nothing was written."""
    faults = failing(UNBLOCK, 0x0281, 0x6A80)
    with shop_with(tmp_path, bench(ZEIT, *BLOCKED[:3], faults=faults), **NEW) as shop:
        view = shop.run("openpgp.unblock")
        assert view.verdict == "refused"
        assert view.ended.sentence.endswith("Nothing was written.")
