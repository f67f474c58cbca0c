"""What every flow that writes must stand: an unplug at each transfer, a stop, two lies."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from console.events import Verdict
from console.families import found
from console.families.particle import serverkey
from console.families.particle.platforms import CORE
from console.families.particle.simulator import SparkCore
from console.families.particle.simulator_contents import Slot, healthy_memories
from console.families.particle.simulator_dfu import Faults, Leave
from console.hardware.simulated import Scenario, Unit
from tests.harness import Workshop, workshop

APPLICATION = 0x08005000
ID = "48ff6b065067555017321587"
NAMED_STATES = {verdict.value for verdict in Verdict}
SHORT = struct.pack("<16I", 0x20005000, *[APPLICATION + 0x101] * 15)
SHORT += hashlib.shake_256(b"short").digest(1500)
PARTICLE = next(family for family in found() if family.name == "particle")
FLOWS = ("flash", "reset", "restore")
EVERY = {"flash": 1, "reset": 4, "restore": 1}
"""Which transfers are unplugged; most of a reset is one long reading of equal ones."""


def sick(device_id: str):
    """Neither firmware nor server key; a short factory image."""
    memories = healthy_memories(device_id, server=Slot.BLANK, firmware=False)
    memories.external.cells[0x20000:0x40000] = SHORT.ljust(0x20000, b"\xff")
    return memories


def bench(**faults: object) -> Scenario:
    make = lambda pause: SparkCore(  # noqa: E731
        pause, ID, memories=sick, faults=Faults(**faults)
    )
    return Scenario("sick core", "A Core that lacks much.", (Unit("1-1", make),))


def answers(root: Path) -> dict[str, str]:
    path = root / "short.bin"
    path.write_bytes(SHORT)
    return {"image": str(path), "source": "server_key"}


def is_in(shop: Workshop, flow: str) -> bool:
    """Does the device hold what the flow promises?"""
    memories = shop.bus.simulator().memories
    if flow == "restore":
        return memories.external.read(0x1000, 2048) == serverkey.block(CORE, None, None)
    return memories.internal.read(APPLICATION, len(SHORT)) == SHORT


def transfers(root: Path, flow: str) -> int:
    root.mkdir()
    with workshop(root / "count", bench(), answers=answers(root)) as shop:
        assert shop.run(f"particle.{flow}").verdict == "repaired"
        return shop.bus.calls


@pytest.mark.parametrize("flow", FLOWS)
def test_an_unplug_at_every_transfer_ends_in_a_named_state_and_is_repaired_by_running_again(
    tmp_path, flow
):
    """Success is said only where the device holds it; the next run makes it so."""
    count = transfers(tmp_path / "all", flow)
    for at in range(1, count + 1, EVERY[flow]):
        given = answers(tmp_path)
        with workshop(tmp_path / str(at), bench(), answers=given) as shop:
            shop.bus.fault = lambda n, at=at, shop=shop: shop.bus.pull("1-1") if n == at else None
            first = shop.run(f"particle.{flow}")
            shop.bus.fault = lambda n: None

            assert first.verdict in NAMED_STATES, at
            assert first.ended.sentence, at
            assert first.ended.advice, at
            if first.verdict == "repaired":
                assert is_in(shop, flow), at
                continue
            assert first.verdict == "unfinished", (at, first.ended)
            shop.back_to_dfu()
            second = shop.run(f"particle.{flow}")

            assert second.verdict == "repaired", (at, second.ended)
            assert is_in(shop, flow), at


@pytest.mark.parametrize("flow", FLOWS)
def test_all_bytes_sent_is_not_done_where_the_read_back_differs(tmp_path, flow):
    """The first lie: every transfer went well, the memory kept nothing."""
    with workshop(tmp_path, bench(ignores_writes=True), answers=answers(tmp_path)) as shop:
        view = shop.run(f"particle.{flow}")
        assert view.verdict == "beyond repair"
        assert any("read back are not what was written" in fact for fact in view.ended.proof)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("way", list(Leave))
def test_an_error_after_leaving_is_success(tmp_path, flow, way):
    """The second lie: the last transfer fails, or answers as if it stayed, and all is well."""
    with workshop(tmp_path, bench(leave=way), answers=answers(tmp_path)) as shop:
        view = shop.run(f"particle.{flow}")
        assert view.verdict == "repaired"
        assert is_in(shop, flow)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_page_that_does_not_erase_is_seen_at_the_read_back(tmp_path, flow):
    """Reported as done; the old bits are still there."""
    with workshop(tmp_path, bench(ignores_erases=True), answers=answers(tmp_path)) as shop:
        cells = shop.bus.simulator().memories
        cells.internal.cells[0x5000:0x5800] = bytes(0x800)
        cells.external.cells[0x1000:0x1800] = bytes(0x800)
        view = shop.run(f"particle.{flow}")
        assert view.verdict == "beyond repair"


@pytest.mark.parametrize("flow", FLOWS)
def test_an_erase_that_hangs_is_sent_once(tmp_path, flow):
    """The bootloader waits for ever; the proof is in the record."""
    with workshop(tmp_path, bench(hangs_on_erase=True), answers=answers(tmp_path)) as shop:
        view = shop.run(f"particle.{flow}")
        assert view.verdict == "beyond repair"
        assert view.ended.proof[-1] == "No second erase was sent."
        assert sum(data[:1] == b"\x41" and len(data) == 5 for data in shop.bus.sent) == 1


@pytest.mark.parametrize("flow", FLOWS)
def test_without_consent_nothing_is_erased(tmp_path, flow):
    """Nobody there, and no answer brought along."""
    with workshop(tmp_path, bench()) as shop:
        known = {question.id for question in PARTICLE.flow(flow).questions}
        given = {name: text for name, text in answers(tmp_path).items() if name in known}
        view = shop.run(f"particle.{flow}", attended=False, answers=given)
        counts = shop.bus.simulator().counts
        assert (view.verdict, view.ended.reason) == ("unfinished", "unanswered")
        assert (counts.erased, counts.written) == ([], [])


STEPS = [(flow, step.id) for flow in FLOWS for step in PARTICLE.flow(flow).plan]


@pytest.mark.parametrize(("flow", "step"), STEPS)
def test_a_stop_asked_for_in_any_step_ends_at_a_safe_point(tmp_path, flow, step):
    """In the one-way stretch the run goes on to its read-back; elsewhere it stops at once."""
    with workshop(tmp_path, bench(), answers=answers(tmp_path)) as shop:

        def stop_in_step(message):
            if "run" in message and message["run"] in shop.bench.runs():
                view = shop.bench.runs()[message["run"]]
                current = view.current
                if current is not None and current.id == step and not view.stopping:
                    shop.bench.stop_run(view.run, "test")

        shop.bench.listen(stop_in_step)
        view = shop.run(f"particle.{flow}")
        if view.committed:
            assert view.verdict == "repaired"
            assert is_in(shop, flow)
        else:
            assert (view.verdict, view.ended.damage) == ("unfinished", "nothing written")
