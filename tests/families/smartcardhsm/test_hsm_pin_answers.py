"""What a device may answer to a PIN besides right and wrong, and what is said of its tries then.

The rule: the tries are read again after every answer but 9000; what was sent is never denied.
"""

from __future__ import annotations

import pytest

from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from tests.families.smartcardhsm.others import BACKUP, BY_SO_PIN, UNBLOCK, said
from tests.families.smartcardhsm.sticks import USER, bench, card, of, with_ec
from tests.harness import workshop

VERIFY, RESET_TRIES = 0x20, 0x2C
WRONG = "999999"
ODD = [0x6982, 0x6700, 0x6985, 0x6300, 0x6A88, 0x6984]


def odd(status: int, **options: int) -> Fault:
    """Strikes the VERIFY with a PIN in it: the third, after the tries of both PINs."""
    return Fault(VERIFY, Outcome.REFUSED, status=status, after=2, **options)


def given(shop) -> int:
    return len([apdu for apdu in shop.bus.sent if apdu[1] == VERIFY and len(apdu) > 5])


@pytest.mark.parametrize("status", ODD)
def test_an_answer_that_is_neither_right_nor_wrong_is_said_with_the_tries_after_it(
    tmp_path, status
):
    with workshop(tmp_path, bench(card(setup=with_ec, faults=(odd(status),)))) as shop:
        view = shop.run(BACKUP, answers={"pin": WRONG})

        assert (view.verdict, given(shop)) == ("refused", 1), view.ended
        assert f"answered the PIN with {status:04X}" in view.ended.sentence
        assert "3 tries left" in view.ended.sentence
        assert "No PIN was sent" not in said(view)
        assert "Wrong PIN" not in said(view)


def test_a_try_that_was_spent_under_an_odd_answer_is_a_wrong_pin(tmp_path, monkeypatch):
    """6300 without a counter, as ISO 7816-4 has it: the device counts all the same."""
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        applet = of(shop).applet
        asked = applet.pins.verify

        def uncounted(which, data):
            if data is None:
                return asked(which, data)
            applet.pins.user.tries -= 1
            return 0x6300

        monkeypatch.setattr(applet.pins, "verify", uncounted)
        view = shop.run(BACKUP, answers={"pin": WRONG})

        assert view.verdict in ("refused", "unfinished"), view.ended
        assert "Wrong PIN; 2 tries left" in said(view)


def test_tries_that_are_told_no_more_after_a_pin_are_not_called_unsent(tmp_path):
    """From the PIN on the device says nothing of its tries any more."""
    fault = odd(0x6A81, times=99)
    with workshop(tmp_path, bench(card(setup=with_ec, faults=(fault,)))) as shop:
        view = shop.run(BACKUP, answers={"pin": WRONG})

        assert (view.verdict, given(shop)) == ("refused", 1), view.ended
        assert "tries not told (6A81)" in view.ended.sentence
        assert "No PIN was sent" not in said(view)


def test_a_device_that_is_open_is_open_whatever_it_answered(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        pins = of(shop).applet.pins
        asked = pins.verify
        monkeypatch.setattr(
            pins,
            "verify",
            lambda which, data: 0x6300 if asked(which, data) and data else asked(which, data),
        )
        view = shop.run(BACKUP, answers={"pin": USER})

        assert (view.verdict, given(shop)) == ("repaired", 1), view.ended


def test_a_new_pin_that_gets_an_odd_answer_is_said_with_its_tries(tmp_path):
    """Both PINs are read before it is set, and after."""
    fault = Fault(VERIFY, Outcome.REFUSED, status=0x6982, after=4)
    with workshop(tmp_path, bench(card(setup=with_ec, faults=(fault,)))) as shop:
        view = shop.run(UNBLOCK, answers=BY_SO_PIN)

        assert view.verdict == "refused", view.ended
        assert "3 tries left" in view.ended.sentence
