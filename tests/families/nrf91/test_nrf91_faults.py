"""Restore against a modem that fails in every way: a sentence, a named state, both pictures."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from console.events import Verdict
from console.families.nrf91.simulator import Thingy
from console.families.nrf91.simulator_rows import (
    AT_CLIENT,
    MFW_1_2_3,
    MFW_1_3_6,
    MFW_2_0_2,
    REWRITING,
    TRACKER,
    Faults,
    Keeps,
    Supply,
    Torn,
)
from console.hardware.simulated import Scenario, Unit
from tests.families.nrf91.modem_bench import CONTENTS, LOST, RESTORE, bench, digest_of, sheet

IMEI = "352656100000999"
NAMED = {verdict.value for verdict in Verdict}
PSK = {(9, 3): "00112233445566778899aabbccddeeff", (9, 4): "unit-9"}


def unit(firmware=MFW_1_3_6, application=AT_CLIENT, contents=None, **options) -> Scenario:
    held = {p: t for p, t in CONTENTS.items() if p != LOST} if contents is None else contents
    make = lambda pause: Thingy(pause, IMEI, firmware, application, held, **options)  # noqa: E731
    return Scenario("a modem of a test", "One modem.", (Unit("1-1", make),))


def answers(root, *pairs, contents=CONTENTS) -> dict[str, str]:
    path = sheet(root / "sheet", *(pairs or (LOST,)), contents=contents)
    return {"sheet": path, "rewrites_at_start": "no", "confirm_replace": "yes"}


def held(shop) -> dict[tuple[int, int], str]:
    """What the simulated store holds: pair -> digest."""
    return {e.pair: e.digest for e in shop.bus.simulator("1-1").modem.store.entries}


def pictures(shop, view) -> dict[str, set]:
    """Each picture of the run by its moment."""
    found = {}
    for path in shop.state.artefacts(view.run).glob("credentials-*.json"):
        listed = json.loads(path.read_bytes())["credentials"]
        found[path.stem.partition(f"{IMEI}-")[2]] = {
            (e["tag"], e["type"]) for e in listed if e["type"] < 5 and e["tag"] < 2**31
        }
    return found


@pytest.mark.parametrize("code", [513, 514, 515, 518, 519, 520, 527, 528])
def test_a_refused_write_is_a_sentence_with_both_pictures_and_nothing_written(tmp_path, code):
    """The list proves that nothing was written, and the damage class says so."""
    with bench(tmp_path, unit(faults=Faults(refuses_with=code)), **answers(tmp_path)) as shop:
        before = held(shop)
        view = shop.run(RESTORE)

        assert (view.verdict, view.ended.damage) == ("unfinished", "nothing written")
        assert "The store is as it was before." in view.ended.sentence
        assert str(code) not in view.ended.sentence
        assert before == held(shop)
        assert pictures(shop, view) == {"before": set(before), "after": set(before)}
        assert shop.bus.simulator("1-1").modem.mode == 0


@pytest.mark.parametrize(
    ("faults", "verdict", "words"),
    [
        (Faults(errs_after_writing=True), "repaired", "before and after a power cycle"),
        (Faults(loses_answer=12), "repaired", "before and after a power cycle"),
        (Faults(ignores_writes=True), "unfinished", "does not list it as it was sent"),
        (Faults(alters_writes=True), "unfinished", "does not list it as it was sent"),
        (Faults(keeps=Keeps.FLUSHED), "repaired", "before and after a power cycle"),
        (Faults(keeps=Keeps.NEVER), "unfinished", "not as it was written: vanished"),
    ],
)
def test_the_list_decides_and_not_the_answer_to_the_write(tmp_path, faults, verdict, words):
    """Both lies, a store that forgets, and an answer that is lost."""
    with bench(tmp_path, unit(faults=faults), **answers(tmp_path)) as shop:
        view = shop.run(RESTORE)

        assert (view.verdict, words in view.ended.sentence) == (verdict, True), view.ended
        assert (view.verdict == "repaired") == (held(shop).get(LOST) == digest_of(CONTENTS[LOST]))


def test_an_entry_lost_beside_the_written_one_stops_everything(tmp_path):
    """The hazard of the field case: the supply passes the check and sags in the write."""
    faults, pairs = Faults(brown_out_mv=3600), (LOST, (9, 3), (9, 4))
    scenario = unit(MFW_1_2_3, faults=faults, supply=Supply(battery=3500))
    given = answers(tmp_path, *pairs, contents=CONTENTS | PSK)
    with bench(tmp_path, scenario, **given) as shop:
        before = set(held(shop))
        view = shop.run(RESTORE)
        after = set(held(shop))

        assert (view.verdict, view.ended.damage) == (
            "unfinished",
            "contents gone, bootloader alive",
        )
        assert "another entry did not stay as it was" in view.ended.sentence
        assert "LOST: " in view.ended.sentence
        assert "bench supply" in view.ended.advice
        assert len(before - after) == 1
        assert not after & {(9, 3), (9, 4)}
        assert pictures(shop, view) == {"before": before, "after": after}


def test_a_different_entry_is_replaced_only_when_somebody_says_so(tmp_path):
    """No leaves it, and what is missing goes in all the same."""
    other = CONTENTS[1, 0]
    contents = {p: t for p, t in CONTENTS.items() if p != LOST} | {(2, 0): other}
    given = answers(tmp_path, LOST, (2, 0)) | {"confirm_replace": "no"}
    with bench(tmp_path, unit(contents=contents), **given) as shop:
        view = shop.run(RESTORE)

        assert view.verdict == "repaired"
        assert held(shop)[2, 0] == digest_of(other)
        assert held(shop)[LOST] == digest_of(CONTENTS[LOST])
        assert any("Left as it is" in warning for warning in view.ended.warnings)
    with bench(tmp_path, unit(contents=contents), **answers(tmp_path, LOST, (2, 0))) as shop:
        assert shop.run(RESTORE).verdict == "repaired"
        assert held(shop)[2, 0] == digest_of(CONTENTS[2, 0])


def test_a_script_without_hands_ends_restored_and_power_cycle_not_proven(tmp_path):
    """And the functional mode is as it was found."""
    scenario = unit(application=TRACKER)
    with bench(tmp_path, scenario, hands=False, **answers(tmp_path)) as shop:
        view = shop.run(RESTORE, attended=False, answers=answers(tmp_path))

        assert view.verdict == "repaired"
        assert view.ended.sentence.startswith("Restored, power-cycle not proven: ")
        assert shop.bus.simulator("1-1").modem.mode == 1


def test_an_application_that_rewrites_at_start_is_not_started_again(tmp_path):
    """Restored, the cause remains."""
    given = answers(tmp_path) | {"rewrites_at_start": "yes"}
    with bench(tmp_path, unit(MFW_1_2_3, REWRITING), **given) as shop:
        view = shop.run(RESTORE)

        assert view.verdict == "repaired"
        assert view.ended.sentence.startswith("Restored, the cause remains: ")
        assert not any(step.id == "power" and step.mark == "x" for step in view.plan)
        assert shop.bus.simulator("1-1").modem.mode == 1


@pytest.mark.parametrize("torn", list(Torn))
def test_power_lost_in_the_middle_of_a_write_is_mended_by_running_again(tmp_path, torn):
    """What is half there is different, and is replaced."""
    scenario = unit(faults=Faults(cut_in_write=1, torn=torn))
    with bench(tmp_path, scenario, **answers(tmp_path)) as shop:
        first = shop.run(RESTORE)
        assert (first.verdict, first.ended.damage) == (
            "unfinished",
            "contents gone, bootloader alive",
        )
        assert "not known" in first.ended.sentence
        shop.bus.plug("1-1")
        second = shop.run(RESTORE)

        assert (second.verdict, second.continues) == ("repaired", first.run)
        assert held(shop)[LOST] == digest_of(CONTENTS[LOST])


def test_an_unplug_after_each_byte_of_a_short_write_ends_in_a_named_state(tmp_path):
    """The next run mends it, and only then is it in. Two runs a byte: that takes its time."""
    given = answers(tmp_path, (9, 4), contents=PSK)
    with bench(tmp_path / "count", unit(), **given) as shop:
        shop.run(RESTORE)
        sent = b"".join(shop.bus.sent)
    start = sent.index(b"AT%CMNG=0")
    end = sent.index(b"\r\n", start) + 2
    for count in range(start, end + 1):
        scenario = unit(faults=Faults(unplugged_after=count))
        with bench(tmp_path / str(count), scenario, **given) as shop:
            first = shop.run(RESTORE)
            assert first.verdict == "unfinished", (count, first.ended)
            assert first.ended.sentence and first.ended.advice
            shop.bus.plug("1-1")
            second = shop.run(RESTORE)
            assert second.verdict in ("repaired", "no fault found"), (count, second.ended)
            assert held(shop)[9, 4] == digest_of("unit-9"), count


def test_an_unplug_at_any_transfer_ends_in_a_named_state(tmp_path):
    """The cable may go at any moment; running again mends it."""
    given = answers(tmp_path, (9, 4), contents=PSK)
    with bench(tmp_path / "count", unit(), **given) as shop:
        shop.run(RESTORE)
        calls = shop.bus.calls
    for at in range(1, calls + 1, 9):
        with bench(tmp_path / str(at), unit(), **given) as shop:
            shop.bus.fault = lambda n, at=at, shop=shop: shop.bus.pull("1-1") if n == at else None
            first = shop.run(RESTORE)
            shop.bus.fault = lambda n: None
            assert first.verdict in NAMED, at
            assert first.ended.advice, at
            if first.verdict == "repaired":
                assert held(shop)[9, 4] == digest_of("unit-9"), at
                continue
            shop.bus.plug("1-1")
            second = shop.run(RESTORE)
            assert second.verdict in ("repaired", "no fault found"), (at, second.ended)
            assert held(shop)[9, 4] == digest_of("unit-9"), at


@pytest.mark.parametrize("firmware", [MFW_1_2_3, MFW_1_3_6, MFW_2_0_2])
@pytest.mark.parametrize("echoes", [False, True])
@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_every_build_of_the_line_and_every_firmware_is_restored(tmp_path, firmware, echoes, ending):
    """Terminators, echo, and digests that old firmware does not tell."""
    application = replace(TRACKER, ending=type(TRACKER.ending)(ending), echoes=echoes)
    given = answers(tmp_path, LOST, (9, 3), (9, 4), contents=CONTENTS | PSK)
    with bench(tmp_path, unit(firmware, application), **given) as shop:
        view = shop.run(RESTORE)

        assert view.verdict == "repaired", view.ended
        assert held(shop)[LOST] == digest_of(CONTENTS[LOST])
        assert held(shop)[9, 3] == digest_of(PSK[9, 3])
        if firmware is MFW_1_2_3:
            assert any("no brown-out protection" in each for each in view.ended.warnings)
