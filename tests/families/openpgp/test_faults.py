"""What every flow must stand: a pull at each transfer, a stop, a swapped card, a slow mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.events import Verdict
from console.families.openpgp import FAMILY
from console.families.openpgp.simulator import nitrokey
from console.families.openpgp.simulator_card import OpenPgpCard
from console.hardware.simulated import Scenario, Unit
from tests.families.openpgp.bench import (
    ADMIN,
    BLOCKED,
    BY_NAME,
    KEYS,
    PASSPHRASE,
    bench,
    sent,
    shop_with,
)

ROW = BY_NAME["opcard (Nitrokey 3)"]
GNUK = BY_NAME["Gnuk 1.2"]
NAMED = {verdict.value for verdict in Verdict}
FLOWS = ("rekey", "reset", "restore", "unblock")
PAST = {
    "rekey": (),
    "reset": (ADMIN, "0047800002b60000"),
    "restore": (),
    "unblock": (ADMIN, "0047800002b60000", *BLOCKED[:3]),
}
VERIFY = 0x20
EVERY = {"rekey": 5, "reset": 2, "restore": 5, "unblock": 3}
"""Which transfers are pulled at; most of them are reads of equal kind."""


def given(flow: str) -> dict[str, str]:
    """Curves, so that no key takes long."""
    backup = {"backup": str(KEYS / "ed25519.asc"), "passphrase": PASSPHRASE}
    return {
        "rekey": {"algorithm": "ed25519"},
        "restore": backup,
        "unblock": {"new_pin": "24681357"},
    }.get(flow, {}) | {"retry": "stop"}


def transfers(root: Path, flow: str, row) -> int:
    with shop_with(root / "count", bench(row, *PAST[flow]), **given(flow)) as shop:
        assert shop.run(f"openpgp.{flow}").verdict == "repaired"
        return shop.bus.calls


@pytest.mark.parametrize("flow", FLOWS)
def test_a_pull_at_every_transfer_ends_in_a_named_state_and_the_next_run_repairs(tmp_path, flow):
    """The reader may be pulled at any moment, while the card works, too."""
    for at in range(1, transfers(tmp_path, flow, ROW) + 1, EVERY[flow]):
        with shop_with(tmp_path / str(at), bench(ROW, *PAST[flow]), **given(flow)) as shop:
            shop.bus.fault = lambda n, at=at, shop=shop: shop.bus.pull("1-1") if n == at else None
            first = shop.run(f"openpgp.{flow}")
            shop.bus.fault = lambda n: None

            assert first.verdict in NAMED, at
            assert first.ended.sentence and first.ended.advice, at
            if first.verdict == "repaired":
                continue
            assert first.verdict == "unfinished", (at, first.ended)
            shop.bus.plug("1-1")
            shop.bench.look_again()
            second = shop.run(f"openpgp.{flow}")

            assert second.verdict == "repaired", (at, second.ended)


STEPS = [(flow, step.id) for flow in FLOWS for step in FAMILY.flow(flow).plan]


@pytest.mark.parametrize(("flow", "step"), STEPS)
def test_a_stop_asked_for_in_any_step_ends_at_a_safe_point(tmp_path, flow, step):
    """In the one-way stretch the run goes on; elsewhere it stops and nothing is written."""
    with shop_with(tmp_path, bench(ROW, *PAST[flow]), **given(flow)) as shop:

        def stop_in_step(message):
            if "run" in message and message["run"] in shop.bench.runs():
                view = shop.bench.runs()[message["run"]]
                current = view.current
                if current is not None and current.id == step and not view.stopping:
                    shop.bench.stop_run(view.run, "test")

        shop.bench.listen(stop_in_step)
        view = shop.run(f"openpgp.{flow}")
        if view.committed:
            # What is written is proven; handing over the public keys may be stopped.
            assert view.verdict == "repaired" or view.ended.damage == "nothing written"
        else:
            assert (view.verdict, view.ended.damage) == ("unfinished", "nothing written")


@pytest.mark.parametrize("flow", FLOWS)
def test_a_script_that_brings_no_consent_and_no_pin_changes_nothing(tmp_path, flow):
    """Unattended and unanswered: no VERIFY goes out."""
    brought = {"restore": {"backup": str(KEYS / "ed25519.asc")}}.get(flow, {})
    with shop_with(tmp_path, bench(ROW, *PAST[flow])) as shop:
        view = shop.run(f"openpgp.{flow}", attended=False, answers=brought)

        assert (view.verdict, view.ended.reason) == ("unfinished", "unanswered")
        assert (view.ended.damage, sent(shop, VERIFY)) == ("nothing written", [])


@pytest.mark.parametrize("flow", ["rekey", "reset"])
def test_a_card_that_was_swapped_while_the_flow_waited_gets_no_pin(tmp_path, flow):
    """Another serial answers after the question: refused, and nothing was sent to it."""
    made: list = []

    def make(pause):
        made.append(nitrokey(pause, OpenPgpCard(ROW, bytes.fromhex("00006fda"))))
        return made[-1]

    scenario = Scenario("swapped", "A card that is swapped.", (Unit("1-1", make),))
    with shop_with(tmp_path, scenario, **given(flow)) as shop:

        def swap(message):
            if "run" not in message or message["run"] not in shop.bench.runs():
                return
            question = shop.bench.runs()[message["run"]].question
            if question is not None and question.id in ("algorithm", "confirm_reset"):
                card = made[-1].slot.card
                other = OpenPgpCard(ROW, bytes.fromhex("0000beef"))
                card.thaw(other.freeze())

        shop.bench.listen(swap)
        view = shop.run(f"openpgp.{flow}")

        assert (view.verdict, view.ended.damage) == ("refused", "nothing written")
        assert sent(shop, VERIFY) == []


def test_the_pins_of_a_run_are_in_no_file(tmp_path):
    """The canary: PINs, passphrase, and the backup's keys, raw and in hex, wherever one looks."""
    own_user, own_admin = "kanari-4711", "kanarienvogel-4712"
    change = "00240081" + f"{6 + len(own_user):02x}" + (b"123456" + own_user.encode()).hex()
    change3 = "00240083" + f"{8 + len(own_admin):02x}" + (b"12345678" + own_admin.encode()).hex()
    told: list[str] = []
    answers = given("restore") | {"pin": own_user, "admin_pin": own_admin}
    with shop_with(tmp_path, bench(ROW, change, change3), **answers) as shop:
        shop.bench.listen(lambda message: told.append(repr(message)))
        wrong = shop.run("openpgp.rekey", attended=False, answers=answers_of(own_user, "999999999"))
        view = shop.run("openpgp.restore")
        secrets = [own_user, own_admin, PASSPHRASE, "999999999"]
        templates = [apdu[20:] for apdu in shop.bus.sent if apdu[1] == 0xDB]
    spelled = [word.encode() for word in secrets] + [
        word.encode().hex().encode() for word in secrets
    ]
    spelled += [part for whole in templates for part in (whole, whole.hex().encode())]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert (wrong.verdict, view.verdict) == ("refused", "repaired")
    assert len(templates) == 3
    for path in files:
        data = path.read_bytes()
        assert not any(word in data for word in spelled), path
    assert not any(word in "".join(told) for word in secrets)


def answers_of(pin: str, admin_pin: str) -> dict[str, str]:
    return {"pin": pin, "admin_pin": admin_pin, "slots": "sign", "algorithm": ""}
