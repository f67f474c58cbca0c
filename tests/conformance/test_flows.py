"""What every flow must stand: an unplug at each transfer, a stop, two lies, and its own journal."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_public_key

from console.events import Verdict
from console.families import found
from console.history import view_of
from console.journal import replay
from console.views import run_view
from tests.harness import Workshop, workshop

SLOT = 0x2000
ERASE = b"\x41"
PARTICLE = next(family for family in found() if family.name == "particle")
NAMED_STATES = {verdict.value for verdict in Verdict}


def key_in(slot: bytes):
    """The private key that a slot begins with (DER: the length stands in bytes 2 and 3)."""
    return load_der_private_key(slot[: 4 + int.from_bytes(slot[2:4])], None)


def slot_of(shop: Workshop, port: str = "1-1") -> bytes:
    """What the simulated Core keeps in its private-key slot."""
    return shop.bus.simulator(port).memories.external.read(SLOT, 1024)


def test_a_blank_key_is_replaced_and_the_devices_own_answer_says_so(tmp_path):
    """The key in the slot and the exported public key are one pair."""
    with workshop(tmp_path, "core-blank-key") as shop:
        view = shop.run()

        key = key_in(slot_of(shop))
        pem = (shop.state.artefacts(view.run) / "public-key.pem").read_bytes()

        assert view.verdict == "repaired"
        assert load_pem_public_key(pem) == key.public_key()
        assert key.key_size == 1024


def test_the_live_view_equals_the_replayed_journal(tmp_path):
    """Screens that watched and screens that came later see the same."""
    with workshop(tmp_path, "core-blank-key") as shop:
        live = []
        shop.bench.listen(
            lambda message: (
                live.append(shop.bench.runs()[message["run"]]) if "run" in message else None
            )
        )
        view = shop.run()

        assert live[-1] == view
        assert live[-1] == run_view(replay(shop.state.journal(view.run)).records)


def test_every_step_that_ran_was_part_of_the_plan_and_nothing_was_asked_after_the_erase(tmp_path):
    """What was promised is what happens."""
    with workshop(tmp_path, "core-blank-key") as shop:
        view = shop.run()
        records = replay(shop.state.journal(view.run)).records
        kinds = [type(record.event).__name__ for record in records]
        one_way = next(
            n
            for n, record in enumerate(records)
            if kinds[n] == "StepStarted" and not record.event.undoable
        )
        planned = {step.id for step in view.steps}
        started = {r.event.step for r in records if type(r.event).__name__ == "StepStarted"}

        assert started <= planned
        assert "Asked" not in kinds[one_way:]


def transfers_of_a_repair(tmp_path) -> int:
    with workshop(tmp_path / "count", "core-blank-key") as shop:
        shop.run()
        return shop.bus.calls


def test_an_unplug_at_every_transfer_ends_in_a_named_state_and_is_repaired_by_running_again(
    tmp_path,
):
    """The cable may go at any moment; nothing is left half said, and the next run mends it."""
    for at in range(1, transfers_of_a_repair(tmp_path) + 1):
        with workshop(tmp_path / str(at), "core-blank-key") as shop:
            shop.bus.fault = lambda n, at=at, shop=shop: shop.bus.pull("1-1") if n == at else None
            first = shop.run()
            shop.bus.fault = lambda n: None

            assert first.verdict in NAMED_STATES, at
            assert first.ended.sentence, at
            assert first.ended.advice, at
            if first.verdict == "repaired":
                key_in(slot_of(shop))
                continue
            assert first.verdict == "unfinished", at
            shop.back_to_dfu()
            second = shop.run()

            assert second.verdict == "repaired", (at, second.ended)
            key_in(slot_of(shop))
            assert (first.run if first.committed else "") == second.continues, at


def test_the_first_backup_stays_the_backup_when_a_repair_is_continued(tmp_path):
    """A second run must not overwrite what the first one saved with what it left behind."""
    with workshop(tmp_path, "core-unplug-mid-write") as shop:
        before = slot_of(shop)
        first = shop.run()
        shop.back_to_dfu()
        second = shop.run()
        vault = {path.name: path.read_bytes() for path in shop.state.vault.iterdir()}

        assert (first.verdict, second.verdict) == ("unfinished", "repaired")
        assert first.run == second.continues
        assert before == vault[f"{first.run}-private-key-slot.bin"]
        assert f"{second.run}-private-key-slot.bin" not in vault


def test_a_broken_off_repair_is_continued_whatever_serial_the_unit_shows_now(tmp_path):
    """Plugged in again it starts its firmware, which shows another serial than its bootloader."""
    with workshop(tmp_path, "core-unplug-mid-write") as shop:
        first = shop.run()
        shop.bus.plug("1-1")
        shop.bench.look_again()
        (shown,) = shop.bench.present()
        second = shop.run()

        assert first.device.serial != shown.serial
        assert first.run == second.continues
        assert "repaired" == second.verdict


def test_a_dead_external_memory_is_proven_by_one_erase_only(tmp_path):
    """Case 3: the verdict in minutes, with the evidence, and no second erase."""
    with workshop(tmp_path, "case-3") as shop:
        view = shop.run()

        assert view.verdict == "beyond repair"
        assert view.ended.proof
        assert sum(data[:1] == ERASE and len(data) == 5 for data in shop.bus.sent) == 1


def test_a_core_that_shows_its_firmware_is_walked_to_its_bootloader(tmp_path):
    """The technician is told which buttons, and the device that comes is judged."""
    with workshop(tmp_path, "core-app") as shop:
        view = shop.run()

        assert view.verdict in ("repaired", "unfinished")
        assert any("Same device" in said.sentence for said in view.said)
        assert view.verdict == "repaired"


def test_a_wrong_unit_for_the_job_is_refused_before_anything_is_read(tmp_path):
    """The device id of the work order belongs to another Core."""
    with workshop(tmp_path, "core-blank-key") as shop:
        view = shop.run(answers={"device_id": "54ff73066672524813250167"})

        assert (view.verdict, view.ended.reason) == ("refused", "gate")
        assert view.ended.damage == "nothing written"


def test_an_unattended_run_without_consent_ends_unanswered_and_untouched(tmp_path):
    """No script can erase by leaving a question out."""
    with workshop(tmp_path, "core-blank-key") as shop:
        before = slot_of(shop)
        view = shop.run(attended=False)

        assert (view.verdict, view.ended.reason) == ("unfinished", "unanswered")
        assert before == slot_of(shop)


@pytest.mark.parametrize("step", [step.id for step in PARTICLE.flow("rekey").plan])
def test_a_stop_asked_for_in_any_step_ends_at_a_safe_point(tmp_path, step):
    """In the one-way stretch the run goes on to its read-back; elsewhere it stops at once."""
    with workshop(tmp_path, "core-app") as shop:

        def stop_in_step(message):
            if "run" in message and message["run"] in shop.bench.runs():
                view = shop.bench.runs()[message["run"]]
                current = view.current
                if current is not None and current.id == step and not view.stopping:
                    shop.bench.stop_run(view.run, "test")

        shop.bench.listen(stop_in_step)
        view = shop.run()
        slot = slot_of(shop)

        assert view.verdict in ("repaired", "unfinished")
        if view.committed:
            key_in(slot)
            assert view.verdict == "repaired"
        else:
            assert view.ended.damage == "nothing written"


def spellings(secret: bytes) -> list[bytes]:
    """A secret as it could leak: raw, hex, base64."""
    return [secret, secret.hex().encode(), base64.b64encode(secret)]


def test_no_private_key_is_in_any_file_outside_the_vault(tmp_path):
    """The canary: neither the old key nor the new one, in no spelling."""
    with workshop(tmp_path, "core-healthy") as shop:
        old = slot_of(shop)[:600]
        view = shop.run()
        new = slot_of(shop)[:600]
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        outside = [path for path in files if shop.state.vault not in path.parents]

        assert view.verdict == "repaired"
        assert old != new
        for path in outside:
            data = path.read_bytes()
            for part in (old[40:200], new[40:200]):
                assert not any(word in data for word in spellings(part)), path


def test_a_run_that_died_is_closed_as_interrupted_with_its_damage_class(tmp_path):
    """kill -9 in the middle of the write: the next bench says what is lost and what to do."""
    with workshop(tmp_path, "core-blank-key") as shop:
        view = shop.run()
        path = shop.state.journal(view.run)
    lines = path.read_text().splitlines(keepends=True)
    write = next(n for n, text in enumerate(lines) if json.loads(text).get("step") == "write")
    path.write_text("".join(lines[: write + 1]) + lines[write + 1][:20])
    with workshop(tmp_path, "core-blank-key") as shop:
        died = view_of(shop.state, view.run)
        again = shop.run()

        assert (died.state, died.verdict) == ("interrupted", "unfinished")
        assert died.ended.damage == "contents gone, bootloader alive"
        assert died.run == again.continues
        assert again.verdict == "repaired"
