"""A key domain that is there and empty (80 52 answered 6A88): it can be created, without a reset.

The rule: nobody whose device waits for that is told that its keys can never be exported.
"""

from __future__ import annotations

import pytest

from console.families.smartcardhsm.simulator import with_key
from console.families.smartcardhsm.simulator_blob import Domain
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from tests.families.smartcardhsm.others import BACKUP, CHECK, RESET, RESTORE, SHARES, WISHES, said
from tests.families.smartcardhsm.sticks import (
    USER,
    backed_up,
    bench,
    card,
    fresh,
    initialised,
    kept,
    of,
    quick,
    sealed,
    with_ec,
)
from tests.harness import workshop

__all__ = ["quick"]

WAY_OUT = "create it with the vendor's tool; no reset is needed"
FALSE = ("never", "without key shares", "only a reset")


def of_two_empty_domains(made):
    made = with_key(initialised(made, None), 1, "k")
    made.applet.domains = [None, None]
    return made


def test_an_empty_key_domain_is_said_with_what_helps(tmp_path):
    with workshop(tmp_path, bench(card(setup=of_two_empty_domains))) as shop:
        view = shop.run(CHECK)

        assert f"key domain 0 is empty: {WAY_OUT}" in str(view.ended.proof)
        assert f"key domain 0 is empty: {WAY_OUT}" in said(view)
        assert "without key shares" not in said(view) + str(view.ended.proof)


@pytest.mark.parametrize("flow", [BACKUP, RESTORE])
def test_nothing_goes_out_or_in_before_it_is_created_and_nothing_is_reset(tmp_path, flow):
    with workshop(
        tmp_path, bench(card(setup=with_ec), card("DENK0109002", setup=of_two_empty_domains))
    ) as shop:
        answers = {"pin": USER}
        if flow == RESTORE:
            answers["backup"] = str(backed_up(shop, tmp_path / "backup"))
        before = kept(shop, "1-2")
        view = shop.run(flow, "1-2", answers=answers)
        words = f"{view.ended.sentence} {view.ended.advice}"

        assert view.verdict == "refused", view.ended
        assert "key domain 0 is empty" in words
        assert WAY_OUT in words.lower()
        assert [one for one in FALSE if one in words.lower()] == []
        assert kept(shop, "1-2") == before


def test_once_it_is_created_it_takes_its_share_and_the_keys(tmp_path, quick):
    with workshop(
        tmp_path, bench(card(setup=with_ec), card("DENK0109002", setup=of_two_empty_domains))
    ) as shop:
        files = backed_up(shop, tmp_path / "backup")
        of(shop, "1-2").applet.domains[0] = Domain(1, 1)
        share = sealed(tmp_path / "a.pbe", b"geheim")
        answers = {"backup": str(files), "shares": str(share), "share_passwords": "geheim"}
        view = shop.run(RESTORE, "1-2", answers=answers | {"pin": USER})

        assert view.verdict == "repaired", view.ended


def test_a_card_that_was_never_initialised_has_no_domain_that_could_be_created(tmp_path):
    says_so = Fault(SHARES, Outcome.REFUSED, status=0x6A88, times=99)
    with workshop(tmp_path, bench(card(setup=fresh, faults=(says_so,)))) as shop:
        view = shop.run(CHECK)

        assert "empty" not in said(view) + str(view.ended.proof)
        assert "Run reset" in view.ended.advice


def test_a_reset_without_key_shares_may_leave_an_empty_domain(tmp_path):
    says_so = Fault(SHARES, Outcome.REFUSED, status=0x6A88, times=99)
    with workshop(tmp_path, bench(card(setup=initialised, faults=(says_so,)))) as shop:
        view = shop.run(RESET, answers=WISHES | {"shares": "none"})

        assert view.verdict == "repaired", view.ended
        assert "key domain 0 is empty" in str(view.ended.proof)
