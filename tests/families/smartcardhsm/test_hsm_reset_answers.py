"""What came of INITIALIZE, when its answer is no, or is lost, or leaves things behind.

The rule: the new PIN is given only to a device that has it, as far as that can be told; a device
that still has the old one would spend a try on it.
"""

from __future__ import annotations

import json

import pytest

from console.families.smartcardhsm.simulator import initialised
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.protocols import tlv
from tests.families.smartcardhsm.others import CHECK, RESET, WISHES
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
        of(shop).applet.files.delete(0xCD01)
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


# --- what dies ----------------------------------------------------------------------------------

OBJECTS = "1 CA certificate, 1 data object"
NAMED = ('data object 0 "customer licence"', 'CA certificate 0 "our CA"')


def first_of_each(made):
    """A data object and a CA certificate at the first number that is given to any of theirs."""
    files = initialised(made).applet.files
    for number, label in ((0xC900, b"customer licence"), (0xC800, b"our CA")):
        inner = tlv.encode(0x30, tlv.encode(0x0C, label))
        files.put(number, tlv.encode(0x30, inner, tlv.encode(0x30)))
    files.put(0xCF00, b"licence")
    files.put(0xCA00, b"0\x03abc")
    return made


def consent(shop, run: str) -> str:
    lines = (shop.state.runs / run / "journal.jsonl").read_text().splitlines()
    return next(json.loads(line)["text"] for line in lines if "What dies" in line)


def test_objects_at_number_zero_are_counted_before_they_die(tmp_path):
    """0 is the device's own only among keys, their descriptions and their certificates."""
    with workshop(tmp_path, bench(card(setup=first_of_each))) as shop:
        assert OBJECTS in shop.run(CHECK).ended.sentence
        view = shop.run(RESET, answers=WISHES)

        assert f"What dies: {OBJECTS}" in consent(shop, view.run)
        assert view.verdict == "repaired", view.ended
        assert f"deleted: {OBJECTS}" in view.ended.proof
        assert {f"deleted: {words}" for words in NAMED} <= set(view.ended.proof)


def test_the_devices_own_key_and_certificate_are_not_counted(tmp_path):
    def setup(made):
        for number in (0xCC00, 0xC400, 0xCE00):
            made.applet.files.put(number, b"own")
        return initialised(made)

    with workshop(tmp_path, bench(card(setup=setup))) as shop:
        assert "on it nothing" in shop.run(CHECK).ended.sentence


def test_objects_that_outlive_a_reset_are_said_to_be_there(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=first_of_each))) as shop:
        monkeypatch.setattr(of(shop).applet, "_initialize", lambda command: b"")
        view = shop.run(RESET, answers=WISHES)

        assert view.verdict == "refused", view.ended
        assert f"still lists {OBJECTS}" in view.ended.sentence
        assert given(shop) == []
