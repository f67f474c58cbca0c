"""What came of INITIALIZE, when its answer is no, or is lost, or leaves things behind.

The rule: the new PIN is given only to a device that has it, as far as that can be told; a device
that still has the old one would spend a try on it.
"""

from __future__ import annotations

import pytest

from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from tests.families.smartcardhsm.others import RESET, WISHES
from tests.families.smartcardhsm.restoring import waiting
from tests.families.smartcardhsm.sticks import NEW, USER, bench, card, fresh, of
from tests.harness import workshop

INITIALIZE, VERIFY = 0x50, 0x20


def given(shop) -> list[bytes]:
    """Every VERIFY that had a PIN in it."""
    return [apdu for apdu in shop.bus.sent if apdu[1] == VERIFY and len(apdu) > 5]


def one_try(made):
    made = waiting(1)(made)
    made.applet.files.put(0xCD01, b"private")
    made.applet.pins.user.tries = 1
    return made


@pytest.mark.parametrize("pin", [USER, NEW])
@pytest.mark.parametrize("status", [0x6A80, 0x6700, 0x6D00])
def test_a_reset_that_was_refused_tries_no_pin(tmp_path, status, pin):
    """Without keys nothing on it tells the device before from the one after but its answer."""
    no = Fault(INITIALIZE, Outcome.REFUSED, status=status)
    with workshop(tmp_path, bench(card(setup=waiting(1), faults=(no,)))) as shop:
        view = shop.run(RESET, answers=WISHES | {"new_pin": pin})

        assert view.verdict == "refused", view.ended
        assert f"({status:04X})" in view.ended.sentence
        assert "15 tries left before, 15 tries left now" in view.ended.sentence
        assert "other format" not in view.ended.advice
        assert (given(shop), of(shop).applet.pins.user.tries) == ([], 3)


def test_a_refused_reset_does_not_block_a_pin_with_one_try_left(tmp_path):
    no = Fault(INITIALIZE, Outcome.REFUSED, status=0x6A80)
    with workshop(tmp_path, bench(card(setup=one_try, faults=(no,)))) as shop:
        view = shop.run(RESET, answers=WISHES)

        assert view.verdict == "refused", view.ended
        assert (given(shop), of(shop).applet.pins.user.tries) == ([], 1)
        assert 0xCD01 in of(shop).applet.files


def test_a_lost_answer_with_nothing_changed_is_unfinished(tmp_path, monkeypatch):
    lost = Fault(INITIALIZE, Outcome.GARBLED)
    with workshop(tmp_path, bench(card(setup=waiting(1), faults=(lost,)))) as shop:
        monkeypatch.setattr(of(shop).applet, "_initialize", lambda command: b"")
        view = shop.run(RESET, answers=WISHES | {"label": "bench 7"})

        assert view.verdict == "unfinished", view.ended
        assert "answer" in view.ended.sentence
        assert "lost" in view.ended.sentence
        assert "run check" in view.ended.advice.lower()
        assert (given(shop), of(shop).applet.pins.user.tries) == ([], 3)


@pytest.mark.parametrize("setup", [fresh, one_try])
def test_a_lost_answer_is_made_up_for_by_tries_that_are_others_now(tmp_path, setup):
    """No key was on it, and still the device shows that it began anew."""
    lost = Fault(INITIALIZE, Outcome.GARBLED)
    with workshop(tmp_path, bench(card(setup=setup, faults=(lost,)))) as shop:
        view = shop.run(RESET, answers=WISHES)

        assert view.verdict == "repaired", view.ended
        assert of(shop).applet.pins.user.value == NEW.encode()


def test_a_reset_that_was_said_and_not_done_spends_no_last_try(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=one_try))) as shop:
        monkeypatch.setattr(of(shop).applet, "_initialize", lambda command: b"")
        view = shop.run(RESET, answers=WISHES)

        assert view.verdict == "unfinished", view.ended
        assert "was not tried" in view.ended.sentence
        assert (given(shop), of(shop).applet.pins.user.tries) == ([], 1)


def test_a_device_that_is_open_after_its_reset_is_still_asked_for_the_new_pin(
    tmp_path, monkeypatch
):
    """An emulation leaves the user PIN verified, and tells no tries then."""
    with workshop(tmp_path, bench(card(setup=one_try))) as shop:
        applet = of(shop).applet
        done = applet._initialize

        def leaves_it_open(command):
            done(command)
            applet.pins.user.verified = True
            return b""

        monkeypatch.setattr(applet, "_initialize", leaves_it_open)
        view = shop.run(RESET, answers=WISHES)

        assert (view.verdict, len(given(shop))) == ("repaired", 1), view.ended
