"""A Gnuk's PINs: which of them counts, and which of them holds after keys were written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import Asked, Told
from console.families.openpgp.simulator import lived, start
from console.families.openpgp.simulator_card import OpenPgpCard
from console.hardware.simulated import Scenario, Unit
from tests.families.openpgp.bench import (
    ADMIN,
    BLOCKED,
    BY_NAME,
    KEYS,
    PASSPHRASE,
    SERIAL,
    bench,
    events,
    sent,
    shop_with,
)

GNUK = BY_NAME["Gnuk 1.2"]
VERIFY = 0x20
OWN = "777777"
MADE = (ADMIN, "0047800002b60000")
NO_ADMIN_PIN = (*MADE, "002400810c" + b"123456".hex() + OWN.encode().hex())
"""Its user PIN was changed with a key on it and no admin PIN set: it is the admin PIN, too."""
OWN_ADMIN_PIN = (*MADE, "0024008310" + b"12345678".hex() + b"87654321".hex())
SIGN = {"slots": "sign", "retry": "stop", "last_try": ""}
COUNTS = "This Gnuk has no admin PIN of its own: its user PIN counts."


class Turns(dict):
    """Answers; one that is a list gives its next each time, and its last for ever."""

    def get(self, name, default=None):
        answer = super().get(name, default)
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer


def told(shop, view) -> list[str]:
    return [event.sentence for event in events(shop, view.run, Told)]


def wrong_ones(shop) -> None:
    """The technician gives another wrong admin PIN each time."""
    wrong = [f"wrong-A{turn}" for turn in range(1, 5)]
    shop.technician._answers = Turns(shop.technician._answers | {"admin_pin": wrong})


@pytest.mark.parametrize("flow", ["rekey", "unblock"])
def test_the_user_pin_that_does_the_admin_pins_work_keeps_its_last_try(tmp_path, flow):
    """Its counter is the one that falls: it is told, and the run stops before the last."""
    given = SIGN | {"new_pin": "24681357"}
    with shop_with(tmp_path, bench(GNUK, *NO_ADMIN_PIN), **given) as shop:
        wrong_ones(shop)
        view = shop.run(f"openpgp.{flow}")
        said = told(shop, view)
        after = shop.run("openpgp.check")

        assert (view.verdict, len(sent(shop, VERIFY))) == ("refused", 2)
        assert COUNTS in said
        assert [line for line in said if "left" in line and "Wrong" in line] == [
            "Wrong admin PIN. 2 tries left; I stop at 1.",
            "Wrong user PIN. 1 try left; I stop at 1.",
        ]
        assert "One try of the user PIN is left; I stop here." in view.ended.sentence
        assert "user PIN 1, admin PIN 3" in " ".join(after.ended.proof)


def test_one_try_of_a_gnuks_user_pin_is_not_spent_on_its_admin_pin(tmp_path):
    """It cannot be known beforehand which of the two counts."""
    past = (*NO_ADMIN_PIN, *BLOCKED[:2])
    with shop_with(tmp_path, bench(GNUK, *past), **SIGN) as shop:
        view = shop.run("openpgp.rekey")
        assert (view.verdict, sent(shop, VERIFY)) == ("refused", [])
        assert "it may count for the admin PIN" in view.ended.sentence

    given = SIGN | {"last_try": "last try", "admin_pin": "wrong-A1"}
    with shop_with(tmp_path / "2", bench(GNUK, *past), **given) as shop:
        view = shop.run("openpgp.rekey")
        asked = [event.question for event in events(shop, view.run, Asked)]
        assert asked.index("last_try") < asked.index("admin_pin")
        assert (view.verdict, len(sent(shop, VERIFY))) == ("refused", 1)
        assert "Wrong. The user PIN is blocked now." in view.ended.sentence
        assert "reset code" in view.ended.advice


def test_a_blocked_user_pin_that_would_have_to_do_is_named(tmp_path):
    """Not the admin PIN, whose counter is full and means nothing."""
    past = (*NO_ADMIN_PIN, *BLOCKED[:3])
    with shop_with(tmp_path, bench(GNUK, *past), new_pin="24681357", **SIGN) as shop:
        view = shop.run("openpgp.unblock")
        assert (view.verdict, COUNTS in told(shop, view)) == ("refused", True)
        assert "The user PIN is blocked." in view.ended.sentence


def test_an_admin_pin_of_its_own_counts_by_itself(tmp_path):
    """Also where the user PIN is blocked, which it then frees."""
    past = (*OWN_ADMIN_PIN, *BLOCKED[:3])
    given = SIGN | {"new_pin": "24681357"}
    with shop_with(tmp_path, bench(GNUK, *past), **given) as shop:
        answers = shop.technician._answers
        shop.technician._answers = Turns(answers | {"admin_pin": ["wrong-A1", "87654321"]})
        view = shop.run("openpgp.unblock")

        assert view.verdict == "repaired", view.ended
        assert "Wrong admin PIN. 2 tries left; I stop at 1." in told(shop, view)
        assert COUNTS not in told(shop, view)


# --- after keys ---------------------------------------------------------------------------------


def user_pins(shop) -> list[bytes]:
    """The user PINs that went out, in their order."""
    return [apdu[5:] for apdu in sent(shop, VERIFY) if apdu[3] != 0x83]


def is_the_default_again(lines) -> bool:
    return any("123456" in line for line in lines)


def test_keys_that_are_in_already_leave_a_gnuks_user_pin_alone(tmp_path):
    """Nothing was written, so the PIN that was just taken holds, and nothing else is tried."""
    given = {"backup": str(KEYS / "ed25519.asc"), "passphrase": PASSPHRASE, "retry": "stop"}
    card = OpenPgpCard(GNUK, bytes.fromhex(SERIAL))
    lived(card, *OWN_ADMIN_PIN)
    scenario = Scenario("gnuk", "A test.", (Unit("1-1", lambda pause: start(pause, card)),))
    with shop_with(tmp_path, scenario, **given) as shop:
        answers = shop.technician._answers = shop.technician._answers | {"admin_pin": "87654321"}
        first = shop.run("openpgp.restore")
        lived(card, NO_ADMIN_PIN[-1])
        shop.bus.sent.clear()
        shop.technician._answers = answers | {"pin": OWN}
        again = shop.run("openpgp.restore")

        assert (first.verdict, again.verdict) == ("repaired", "repaired")
        assert is_the_default_again(told(shop, first))
        assert is_the_default_again(first.ended.to_do)
        assert set(user_pins(shop)) == {OWN.encode()}
        assert not is_the_default_again(told(shop, again))
        assert not is_the_default_again(again.ended.to_do)


def test_an_adopted_key_leaves_a_gnuks_user_pin_alone(tmp_path):
    """It was made before; only its name is written."""
    given = SIGN | {"admin_pin": OWN, "pin": OWN}
    with shop_with(tmp_path, bench(GNUK, *NO_ADMIN_PIN), **given) as shop:
        view = shop.run("openpgp.rekey")

        assert view.verdict == "repaired", view.ended
        assert set(user_pins(shop)) == {OWN.encode()}
        assert not is_the_default_again(told(shop, view))
        assert not is_the_default_again(view.ended.to_do)


def test_a_default_pin_that_a_gnuk_refuses_is_tried_once(tmp_path):
    """It kept the customer's own over a new key, against its kind: that one is given then."""
    kept = replace(GNUK, admin_less=False)
    past = (ADMIN, NO_ADMIN_PIN[-1])
    given = {"pin": OWN, "algorithm": "ed25519", "retry": "stop"}
    with shop_with(tmp_path, bench(kept, *past), **given) as shop:
        view = shop.run("openpgp.rekey")

        assert view.verdict == "repaired", view.ended
        assert user_pins(shop).count(b"123456") == 1
        assert not is_the_default_again(view.ended.to_do)
