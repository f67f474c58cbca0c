"""Slots that want a finger: told before the command goes out, and a finger that does not come."""

from __future__ import annotations

from functools import partial

import pytest

from console.events import WaitEnded, WaitStarted
from tests.families.openpgp.bench import ADMIN, BY_NAME, bench, events, shop_with

TOUCHY = [BY_NAME[name] for name in ("YubiKey 5", "opcard (Nitrokey 3)", "Gnuk 1.2")]
ON = "00da00d6020120"
SIGN_ONLY = {"slots": "sign", "algorithm": "ed25519", "retry": "stop"}
SIGN, GENERATE = 0x2A, 0x47


def finger(shop) -> list[tuple[str, list[int]]]:
    """Touches it as soon as that is asked for; what was asked, and what had been sent by then."""
    asked: list[tuple[str, list[int]]] = []

    def hear(message: dict) -> None:
        view = shop.bench.runs().get(message.get("run", ""))
        if view is None or view.wait is None or "touch" not in view.wait.what:
            return
        if not asked or asked[-1][0] != view.wait.since:
            asked.append((view.wait.since, [apdu[1] for apdu in shop.bus.sent]))
            shop.clock.later(2.0, partial(shop.bus.press, "touch", "1-1"))

    shop.bench.listen(hear)
    return asked


@pytest.mark.parametrize("row", TOUCHY, ids=lambda row: row.name)
def test_a_touch_is_asked_for_before_the_card_waits_for_it(tmp_path, row):
    """The words come first, then the command; touched, the key is proven."""
    with shop_with(tmp_path, bench(row, ADMIN, ON), **SIGN_ONLY) as shop:
        asked = finger(shop)
        view = shop.run("openpgp.rekey")
        waits = [w for w in events(shop, view.run, WaitStarted) if w.acts == "touch"]

        assert view.verdict == "repaired", view.ended
        assert asked and SIGN not in asked[0][1]
        assert all("your touch, for its signature key" in wait.what for wait in waits)
        # Once for the proof, once for the signature on the certificate.
        assert len(waits) == 2


@pytest.mark.parametrize("row", TOUCHY, ids=lambda row: row.name)
def test_a_finger_that_does_not_come_is_said_and_the_key_is_not_lost(tmp_path, row):
    """The card gives up after its own time; the key is in and named, and a next run proves it."""
    with shop_with(tmp_path, bench(row, ADMIN, ON), **SIGN_ONLY) as shop:
        began = shop.clock.monotonic()
        view = shop.run("openpgp.rekey")
        outcomes = [event.outcome for event in events(shop, view.run, WaitEnded)]
        checked = shop.run("openpgp.check")

        assert view.verdict == "unfinished", view.ended
        assert view.ended.damage == "what was written is there"
        assert shop.clock.monotonic() - began >= 15
        assert "touch" in f"{view.ended.sentence} {view.ended.advice}".lower(), view.ended
        assert "did not answer" in outcomes
        assert checked.verdict == "no fault found", checked.ended
