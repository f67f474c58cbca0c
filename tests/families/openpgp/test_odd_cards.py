"""Cards with one odd answer: neither an optional object nor an unknown curve shuts out a flow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import Told
from console.families.openpgp.simulator_faults import Fault
from console.families.openpgp.simulator_faults import Kind as FaultKind
from tests.families.openpgp.bench import (
    ADMIN,
    BY_NAME,
    KEYS,
    PASSPHRASE,
    bench,
    events,
    shop_with,
)

ZEITCONTROL = BY_NAME["ZeitControl 3.3"]
PICO = BY_NAME["pico-openpgp 3.4"]
YUBIKEY = BY_NAME["YubiKey 5"]
OPTIONAL = (0xFA, 0xDE, 0xD6, 0xD7, 0xD8, 0x65, 0x7A)
GET_DATA, GENERATE = 0xCA, 0x47
ED448 = (ADMIN, "00da00c104162b6571", "0047800002b60000")
"""A key on a curve that is not known here, in the first slot."""
RESTORE = {"backup": str(KEYS / "ed25519.asc"), "passphrase": PASSPHRASE, "retry": "stop"}


def refused(word: int, *tags: int) -> tuple[Fault, ...]:
    return tuple(Fault(FaultKind.REFUSED, GET_DATA, tag, times=99, word=word) for tag in tags)


@pytest.mark.parametrize(
    ("word", "tags"), [(0x6A83, (0xF9, *OPTIONAL)), (0x6F00, OPTIONAL)], ids=["neo", "others"]
)
@pytest.mark.parametrize(("flow", "verdict"), [("check", "no fault found"), ("reset", "repaired")])
def test_a_card_without_the_optional_objects_is_looked_at(tmp_path, word, tags, flow, verdict):
    """6A83 is a YubiKey NEO's word for what it does not have."""
    row = replace(ZEITCONTROL, discretionary=(0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xCD))
    with shop_with(tmp_path, bench(row, faults=refused(word, *tags)), retry="stop") as shop:
        view = shop.run(f"openpgp.{flow}")
        assert view.verdict == verdict, view.ended
        if flow == "check":
            told = " ".join(each.sentence for each in events(shop, view.run, Told))
            assert "It does not tell how often it has signed." in told


def test_the_list_of_algorithms_is_read_where_its_length_is_two_too_large(tmp_path):
    """As of some YubiKeys: the reset is done, and a curve is offered."""
    row = replace(YUBIKEY, surplus=2)
    with shop_with(tmp_path, bench(row), algorithm="ed25519", retry="stop") as shop:
        assert shop.run("openpgp.rekey").verdict == "repaired"
        assert shop.run("openpgp.reset").verdict == "repaired"


def test_a_key_on_an_unknown_curve_is_there_and_dies_like_any_other(tmp_path):
    """Ed448: looked at, said, named as what dies, replaced by a restore, ended by a reset."""
    with shop_with(tmp_path, bench(PICO, *ED448), confirm_replace="yes", **RESTORE) as shop:
        view = shop.run("openpgp.check")
        told = " ".join(each.sentence for each in events(shop, view.run, Told))
        assert "signature: a key of a kind not known here" in told
        assert "another kind than its attributes say" not in told + view.ended.sentence

        assert shop.run("openpgp.restore").verdict == "repaired"
    with shop_with(tmp_path / "2", bench(PICO, *ED448), retry="stop") as shop:
        view = shop.run("openpgp.reset")
        told = " ".join(each.sentence for each in events(shop, view.run, Told))
        assert view.verdict == "repaired"
        assert "This dies: signature: a key of a kind not known here" in told


def test_a_slot_that_is_not_shown_is_never_called_empty(tmp_path):
    """It is refused in words that mean no absence."""
    fault = Fault(FaultKind.REFUSED, GENERATE, 0x8100, times=99, word=0x6F00)
    with shop_with(tmp_path, bench(ZEITCONTROL, faults=(fault,)), retry="stop") as shop:
        view = shop.run("openpgp.check")
        told = " ".join(each.sentence for each in events(shop, view.run, Told))
        assert "signature: not shown, so maybe a key" in told
        assert shop.run("openpgp.reset").verdict == "unfinished"
