"""A reset and a new key, pulled at every transfer and stopped in every step."""

from __future__ import annotations

import pytest

from console.families import found
from tests.families.smartcardhsm.sticks import NEW, SO, USER, backed_up, bench, card, of, with_ec
from tests.harness import workshop

FAMILY = next(family for family in found() if family.name == "smartcardhsm")
ANSWERS = {
    "reset": {"shares": "1", "so_pin_format": "16 hex digits", "so_pin": SO, "new_pin": NEW},
    "rekey": {"algorithm": "ec-p256", "label": "mail", "pin": USER},
}


def transfers(root, flow: str) -> int:
    with workshop(root, bench(card(setup=with_ec))) as shop:
        assert shop.run(f"smartcardhsm.{flow}", answers=ANSWERS[flow]).verdict == "repaired"
        return shop.bus.calls


@pytest.mark.parametrize("flow", ANSWERS)
def test_an_unplug_at_every_transfer_is_named_and_the_next_run_does_it(tmp_path, flow):
    """No key that was there is lost by rekey; no SO-PIN try is lost by reset."""
    for at in range(1, transfers(tmp_path / "count", flow) + 1):
        with workshop(tmp_path / str(at), bench(card(setup=with_ec))) as shop:
            shop.bus.fault = lambda n, at=at, shop=shop: shop.bus.pull("1-1") if n == at else None
            first = shop.run(f"smartcardhsm.{flow}", answers=ANSWERS[flow])
            shop.bus.fault = lambda n: None
            assert first.verdict in ("unfinished", "repaired"), (at, first.ended)
            assert first.ended.sentence, at
            assert first.ended.advice, at
            assert "mistake" not in first.ended.sentence, at
            if not shop.bus.scan():
                shop.bus.plug("1-1")
            second = shop.run(f"smartcardhsm.{flow}", answers=ANSWERS[flow])

            assert second.verdict == "repaired", (at, second.ended)
            assert of(shop).applet.pins.so.tries == 15, at
            assert flow == "reset" or 1 in of(shop).applet.keys, at


def test_a_cable_that_slips_in_practice_is_an_unplug_and_the_next_run_mends_it(tmp_path):
    """As the practice bench has it: not a silent card, but a device that is gone."""
    with workshop(tmp_path, "hsm-slips") as shop:
        files = backed_up(shop, tmp_path / "backup")
        answers = {"backup": str(files), "pin": USER}
        first = shop.run("smartcardhsm.restore", "1-2", answers=answers)

        assert first.verdict == "unfinished", first.ended
        assert "was unplugged" in first.ended.sentence
        assert [device.port for device in shop.bus.scan()] == ["1-1"]
        assert "1-2" not in {row["port"] for row in shop.bus.board.status() if row["on_bus"]}

        shop.bus.plug("1-2")
        second = shop.run("smartcardhsm.restore", "1-2", answers=answers)
        assert second.verdict == "repaired", second.ended
        assert set(of(shop, "1-2").applet.keys) == {1, 2}


@pytest.mark.parametrize("step", [step.id for step in FAMILY.flow("restore").plan])
def test_a_stop_in_any_step_of_a_restore_leaves_nothing_that_the_next_run_does_not_mend(
    tmp_path, step
):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")

        def stop(message):
            view = shop.bench.runs().get(message.get("run", ""))
            if view and view.current and view.current.id == step and not view.stopping:
                shop.bench.stop_run(view.run, "test")

        shop.bench.listen(stop)
        answers = {"backup": str(files), "pin": USER}
        first = shop.run("smartcardhsm.restore", "1-2", answers=answers)
        shop.bench.unlisten(stop)
        second = shop.run("smartcardhsm.restore", "1-2", answers=answers)

        assert first.verdict in ("unfinished", "repaired"), first.ended
        assert first.ended.advice
        assert second.verdict == "repaired", second.ended
        assert set(of(shop, "1-2").applet.keys) == {1}
