"""Old modem firmware tells no digest of a key: what it holds then is not known, and said so."""

from __future__ import annotations

import pytest

from console.families.nrf91.simulator_modem import Modem as SimulatedModem
from console.families.nrf91.simulator_modem import _Refused
from console.families.nrf91.simulator_rows import MFW_1_2_3, Faults
from tests.families.nrf91.modem_bench import CONTENTS, RESTORE, bench, digest_of, sheet
from tests.families.nrf91.test_nrf91_faults import answers, held, unit
from tests.families.nrf91.test_nrf91_flows import new_pair

KEY, CERT = (3, 2), (3, 1)
UNPROVEN = "of tag 3 private key the modem tells no digest, so its content is not proven"


def refusing(monkeypatch, kind: int, code: int) -> None:
    """A modem that takes everything but that type."""
    accepted = SimulatedModem._accepted

    def choosy(self, command):
        if command.number(2) == kind:
            raise _Refused(code)
        return accepted(self, command)

    monkeypatch.setattr(SimulatedModem, "_accepted", choosy)


@pytest.mark.parametrize("flow", [RESTORE, "nrf91.rekey"])
def test_a_replaced_key_without_a_digest_is_never_called_as_before(tmp_path, monkeypatch, flow):
    """The key went in, its certificate did not: the pictures are alike and the store is not."""
    new = new_pair(tmp_path)[0]
    path = sheet(tmp_path / "sheet", KEY, CERT, contents=new)
    refusing(monkeypatch, 1, 515)
    given = {"sheet": path, "confirm_replace": "yes", "rewrites_at_start": "no"}
    with bench(tmp_path / "s", unit(MFW_1_2_3, contents=CONTENTS), **given) as shop:
        ended = shop.run(flow).ended

        assert held(shop)[KEY] == digest_of(new[KEY])
        assert (ended.verdict, ended.damage) == ("unfinished", "contents gone, bootloader alive")
        assert "as it was before" not in ended.sentence
        assert "tag 3 private key was sent" in ended.sentence
        assert "what is there now is not known" in ended.sentence


def test_a_key_that_the_modem_refused_before_anything_is_as_it_was(tmp_path, monkeypatch):
    """It looks for room first; nothing else was sent."""
    path = sheet(tmp_path / "sheet", KEY, CERT, contents=new_pair(tmp_path)[0])
    refusing(monkeypatch, 2, 515)
    given = {"sheet": path, "confirm_replace": "yes"}
    with bench(tmp_path / "s", unit(MFW_1_2_3, contents=CONTENTS), **given) as shop:
        ended = shop.run("nrf91.rekey").ended
        assert "The store is as it was before." in ended.sentence
        assert ended.damage == "nothing written"
        assert held(shop)[KEY] == digest_of(CONTENTS[KEY])


def test_a_key_that_was_not_sent_yet_is_not_called_done(tmp_path, monkeypatch):
    """The old one is listed just as the new one would be."""
    path = sheet(tmp_path / "sheet", CERT, KEY, contents=new_pair(tmp_path)[0])
    refusing(monkeypatch, 2, 515)
    given = {"sheet": path, "confirm_replace": "yes"}
    with bench(tmp_path / "s", unit(MFW_1_2_3, contents=CONTENTS), **given) as shop:
        said = shop.run("nrf91.rekey").ended.sentence
        assert "Done: tag 3 client certificate; 1 still to do." in said


@pytest.mark.parametrize("hands", [True, False])
@pytest.mark.parametrize("alters", [True, False])
def test_a_key_without_a_digest_is_listed_and_no_more(tmp_path, alters, hands):
    """A byte lost on the way looks the same: only a connection proves it."""
    left = {pair: text for pair, text in CONTENTS.items() if pair != KEY}
    scenario = unit(MFW_1_2_3, contents=left, faults=Faults(alters_writes=alters))
    given = answers(tmp_path, KEY)
    with bench(tmp_path / "s", scenario, hands=hands, **given) as shop:
        ended = shop.run(RESTORE, **({} if hands else {"attended": False, "answers": given})).ended
        assert ended.verdict == "repaired"
        assert "right digests" not in ended.sentence
        assert UNPROVEN in ended.sentence
        assert any("connect" in each for each in ended.to_do)


def test_what_has_a_digest_is_said_beside_what_has_none(tmp_path):
    """A whole pair: the certificate is proven, the key is not."""
    left = {pair: text for pair, text in CONTENTS.items() if pair[0] != 3}
    given = answers(tmp_path, CERT, KEY)
    with bench(tmp_path / "s", unit(MFW_1_2_3, contents=left), **given) as shop:
        said = shop.run(RESTORE).ended.sentence
        assert f"right digests before and after a power cycle; {UNPROVEN}." in said
    remains = given | {"rewrites_at_start": "yes"}
    with bench(tmp_path / "r", unit(MFW_1_2_3, contents=left), **remains) as shop:
        assert UNPROVEN in shop.run(RESTORE).ended.sentence


@pytest.mark.parametrize("flow", [RESTORE, "nrf91.check"])
def test_a_sheet_whose_key_is_only_listed_is_not_said_to_be_in(tmp_path, flow):
    """It may be another key."""
    given = answers(tmp_path, CERT, KEY)
    with bench(tmp_path / "s", unit(MFW_1_2_3, contents=CONTENTS), **given) as shop:
        ended = shop.run(flow).ended
        assert ended.verdict == "no fault found"
        assert "very credential of the sheet is listed" in ended.sentence
        assert UNPROVEN in ended.sentence
