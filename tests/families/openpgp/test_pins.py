"""No PIN try is spent that was not announced."""

from __future__ import annotations

import pytest

from console.events import Asked, Told
from tests.families.openpgp.bench import (
    ADMIN,
    BLOCKED,
    BY_NAME,
    KEYS,
    ROWS,
    WRONG_ADMIN,
    bench,
    events,
    sent,
    shop_with,
)

ROW = BY_NAME["opcard (Nitrokey 3)"]
VERIFY = 0x20
SLOW = {"slots": "sign", "algorithm": "", "retry": "stop"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_wrong_pin_is_counted_by_the_card_and_not_sent_twice(tmp_path, row):
    """The tries are told from the card's own counter, whatever its status word was."""
    with shop_with(tmp_path, bench(row), admin_pin="87654321", **SLOW) as shop:
        view = shop.run("openpgp.rekey")
        told = [event.sentence for event in events(shop, view.run, Told)]

        assert view.verdict == "refused"
        assert len(sent(shop, VERIFY)) == 1
        assert "2 tries left" in view.ended.sentence
        assert any("Wrong admin PIN. 2 tries left; I stop at 1." in words for words in told)


def test_with_one_try_left_the_run_stops(tmp_path):
    """Unless it is told otherwise."""
    past = (WRONG_ADMIN, WRONG_ADMIN)
    with shop_with(tmp_path, bench(ROW, *past), **SLOW) as shop:
        view = shop.run("openpgp.rekey")
        assert (view.verdict, sent(shop, VERIFY)) == ("refused", [])
        assert "One try of the admin PIN is left; I stop here." in view.ended.sentence

    with shop_with(tmp_path / "2", bench(ROW, *past), last_try="last try", **SLOW) as shop:
        view = shop.run("openpgp.rekey")
        asked = [event.question for event in events(shop, view.run, Asked)]
        assert view.verdict == "repaired"
        assert asked.index("last_try") < asked.index("admin_pin")


@pytest.mark.parametrize(("question", "pin"), [("admin_pin", "1234"), ("pin", "00000")])
def test_a_pin_too_short_for_any_card_is_not_sent(tmp_path, question, pin):
    """It would cost a try on some."""
    with shop_with(tmp_path, bench(ROW), **SLOW | {question: pin}) as shop:
        view = shop.run("openpgp.rekey")
        assert view.verdict == "refused"
        assert all(pin.encode() not in apdu for apdu in sent(shop, VERIFY))
        assert len(sent(shop, VERIFY)) == (0 if question == "admin_pin" else 1)


def test_a_blocked_pin_is_not_tried(tmp_path):
    """The user PIN: run unblock. The admin PIN: only a reset."""
    with shop_with(tmp_path, bench(ROW, *BLOCKED[:3]), **SLOW) as shop:
        view = shop.run("openpgp.rekey")
        assert view.verdict == "refused"
        assert "The user PIN is blocked" in view.ended.sentence
        assert "unblock" in view.ended.advice

    with shop_with(tmp_path / "2", bench(ROW, *BLOCKED), **SLOW) as shop:
        view = shop.run("openpgp.rekey")
        assert (view.verdict, sent(shop, VERIFY)) == ("refused", [])


def test_a_wrong_reset_code_is_counted_on_its_own(tmp_path):
    """And the admin PIN keeps its tries."""
    code = "00da00d308" + b"87654321".hex()
    past = (ADMIN, code, *BLOCKED[:3])
    given = {"reset_code": "11111111", "new_pin": "24681357", "retry": "stop"}
    with shop_with(tmp_path, bench(ROW, *past), **given) as shop:
        view = shop.run("openpgp.unblock")
        checked = shop.run("openpgp.check")

        assert view.verdict == "refused"
        assert len(sent(shop, 0x2C)) == 1
        assert "admin PIN 3, reset code 2" in " ".join(checked.ended.proof)


@pytest.mark.parametrize("flow", ["rekey", "restore", "unblock"])
def test_a_terminated_card_is_sent_to_its_reset(tmp_path, flow):
    """Nothing else can be done with it."""
    given = {"backup": str(KEYS / "ed25519.asc"), "new_pin": "24681357"}
    with shop_with(tmp_path, "openpgp-terminated", **given) as shop:
        view = shop.run(f"openpgp.{flow}")
        assert (view.verdict, sent(shop, VERIFY)) == ("refused", [])
        assert "Run reset" in view.ended.advice
