"""Key shares without a key: what they make is compared with what the device has."""

from __future__ import annotations

import pytest

from console.families.smartcardhsm.simulator import OTHER_SHARE, SHARE
from console.families.smartcardhsm.simulator_blob import Domain
from tests.families.smartcardhsm.restoring import RESTORE, waiting
from tests.families.smartcardhsm.sticks import (
    KCV,
    USER,
    bench,
    card,
    initialised,
    kept,
    quick,
    sealed,
)
from tests.harness import workshop

__all__ = ["quick"]


def answers(*paths, **more: str) -> dict[str, str]:
    named = ",".join(map(str, paths))
    return {"shares": named, "share_passwords": "geheim", "pin": USER, **more}


def of_two(made):
    """Complete, with two shares."""
    made = initialised(made, None)
    made.applet.domains = [Domain(2, 2)]
    for share in (OTHER_SHARE, bytes(a ^ b for a, b in zip(SHARE, OTHER_SHARE, strict=True))):
        made.applet.domains[0].add(share)
    return made


def of_two_domains(made):
    """Both complete; the second has the DKEK of SHARE."""
    made = initialised(made, None)
    made.applet.domains = [Domain(1, 1), Domain(1, 1)]
    made.applet.domains[0].add(OTHER_SHARE)
    made.applet.domains[1].add(SHARE)
    return made


def test_a_share_of_another_set_is_never_called_the_devices(tmp_path, quick):
    """The device is complete under its own DKEK, and nothing is sent to it."""
    with workshop(tmp_path / "shop", bench(card())) as shop:
        before = kept(shop, "1-1")
        view = shop.run(RESTORE, answers=answers(sealed(tmp_path / "a.pbe", b"geheim", b"x" * 32)))

        assert view.verdict == "refused", view.ended
        assert KCV in view.ended.sentence
        assert "the shares make" in view.ended.sentence
        assert kept(shop, "1-1") == before


def test_shares_that_the_device_has_are_no_repair(tmp_path, quick):
    with workshop(tmp_path / "shop", bench(card())) as shop:
        path = sealed(shop.state.inbox / "a.pbe", b"geheim")
        view = shop.run(RESTORE, answers=answers(path, remove_files="remove"))

        assert view.verdict == "no fault found", view.ended
        assert "already" in view.ended.sentence
        assert KCV in view.ended.sentence
        assert not path.exists()


def test_the_domain_that_has_that_dkek_is_the_one_compared(tmp_path, quick):
    with workshop(tmp_path / "shop", bench(card(setup=of_two_domains))) as shop:
        view = shop.run(RESTORE, answers=answers(sealed(tmp_path / "a.pbe", b"geheim")))

        assert view.verdict == "no fault found", view.ended
        assert KCV in view.ended.sentence


def test_one_of_two_shares_cannot_be_compared_and_is_not_called_the_devices(tmp_path, quick):
    with workshop(tmp_path / "shop", bench(card(setup=of_two))) as shop:
        path = sealed(tmp_path / "a.pbe", b"geheim", OTHER_SHARE)
        view = shop.run(RESTORE, answers=answers(path))

        assert view.verdict == "refused", view.ended
        assert "already" in view.ended.sentence
        assert "Bring all 2" in view.ended.advice


def test_shares_are_removed_once_the_device_has_them(tmp_path, quick):
    with workshop(tmp_path / "shop", bench(card(setup=waiting(1)))) as shop:
        path = sealed(shop.state.inbox / "a.pbe", b"geheim")
        view = shop.run(RESTORE, answers=answers(path, remove_files="remove"))

        assert view.verdict == "repaired", view.ended
        assert not path.exists()
        assert any("Removed" in said.sentence for said in view.said)


@pytest.mark.parametrize("share", [SHARE, OTHER_SHARE], ids=["the right one", "another"])
def test_a_share_that_completes_what_was_begun_stays_in_the_inbox(tmp_path, quick, share):
    """Alone it makes no check value here, so which set it was of is not proven."""
    with workshop(tmp_path / "shop", bench(card(setup=waiting(2, got=1)))) as shop:
        path = sealed(shop.state.inbox / "a.pbe", b"geheim", share)
        view = shop.run(RESTORE, answers=answers(path, remove_files="remove"))

        assert view.verdict == "repaired", view.ended
        assert "compare" in view.ended.advice
        assert path.exists()
        assert any("stay in the inbox" in said.sentence for said in view.said)
