"""What goes wrong on purpose: each fault strikes once, where it says, and is survived."""

from __future__ import annotations

import json

import pytest

from console.families.smartcardhsm.simulator import SCENARIOS
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.hardware.simulated import Hang
from console.hardware.simulated_card import Doing
from tests.families.smartcardhsm.simulated import DONE, SELECT, Bench, write

ONES = b"\x11" * 32
UNWRAP, UPDATE, GENERATE = 0x74, 0xD7, 0x46


def test_power_lost_between_unwrap_and_description_leaves_a_key_that_no_host_shows():
    source = Bench().set_up(ONES)
    source.generate(1)
    slip = Fault(UPDATE, Outcome.PULLED, p1=0xC4)
    target = Bench(faults=(slip,)).set_up(ONES)
    assert target.unwrap(1, source.wrap(1)[0]) == DONE
    assert target.raw(write(0xC401, b"about it")) is None
    assert target.card.pulled
    assert target.raw(SELECT) is None
    target.card.reset()
    target.ok(SELECT)
    assert target.tries() == 0x63C3
    assert target.listed() == ["c400", "cc00", "cc01"]
    target.verify()
    assert target.write(0xC401, b"about it") == DONE


def test_memory_is_full_at_the_third_key():
    full = Fault(GENERATE, Outcome.REFUSED, after=2, times=99, status=0x6A84)
    bench = Bench(faults=(full,)).set_up()
    assert [bench.generate(number)[1] for number in (1, 2, 3)] == [DONE, DONE, 0x6A84]
    assert "cc03" not in bench.listed()


def test_a_failure_of_memory_is_said_and_over_the_next_time():
    bench = Bench(faults=(Fault(UPDATE, Outcome.REFUSED),)).set_up()
    assert bench.write(0xCF01, b"x") == 0x6581
    assert "cf01" not in bench.listed()
    assert bench.write(0xCF01, b"x") == DONE


def test_an_answer_may_be_lost_although_it_was_done():
    bench = Bench(faults=(Fault(UPDATE, Outcome.UNANSWERED),)).set_up()
    assert bench.raw(write(0xCF01, b"x")) is None
    assert bench.card.doing is Doing.MUTE
    bench.card.reset()
    assert bench.card.doing is Doing.WORKING
    bench.ok(SELECT)
    assert bench.read(0xCF01) == b"x"


def test_a_mute_card_has_not_done_it():
    bench = Bench(faults=(Fault(UPDATE, Outcome.MUTE),)).set_up()
    assert bench.raw(write(0xCF01, b"x")) is None
    assert bench.raw(SELECT) is None
    bench.card.reset()
    bench.ok(SELECT)
    assert "cf01" not in bench.listed()


def test_a_garbled_answer_is_not_the_answer():
    bench = Bench(faults=(Fault(0x58, Outcome.GARBLED),)).set_up()
    spoilt, right = bench.raw("80580000000000"), bench.raw("80580000000000")
    assert spoilt != right
    assert spoilt[-2:] != right[-2:]


def test_a_fault_that_has_struck_does_not_strike_again_in_another_process():
    fault = Fault(UPDATE, Outcome.REFUSED)
    bench = Bench(faults=(fault,)).set_up()
    bench.write(0xCF01, b"x")
    other = Bench(faults=(fault,), selected=False)
    other.card.thaw(json.loads(json.dumps(bench.card.freeze())))
    assert other.write(0xCF01, b"x") == DONE


# --- as they are plugged in -------------------------------------------------------------------


def units():
    return [
        pytest.param(unit, id=f"{scenario.name} {unit.port}")
        for scenario in SCENARIOS
        for unit in scenario.units
    ]


@pytest.mark.parametrize("unit", units())
def test_each_stick_describes_itself_as_the_real_one_and_survives_freezing(unit):
    stick = unit.make(lambda seconds: None)
    shown = stick.descriptors()
    serial = shown.strings[3]
    assert shown.device[8:12] == bytes.fromhex("a0203042")
    assert (shown.strings[1], shown.strings[2]) == ("Nitrokey", "Nitrokey HSM")
    assert serial == f"{serial[:11]}0000         "
    other = unit.make(lambda seconds: None)
    other.thaw(json.loads(json.dumps(stick.freeze())))
    assert other.freeze() == stick.freeze()
    with pytest.raises(ValueError, match="no button"):
        stick.press("touch")


def message(kind, body=b"", sequence=1):
    return bytes((kind,)) + len(body).to_bytes(4, "little") + bytes((0, sequence, 0, 0, 0)) + body


def told(stick):
    answer = None
    while answer is None or answer[7] & 0x80:
        answer = stick.receive(0x81, 3072)
    return answer[10:]


def ask(stick, command):
    stick.send(0x01, message(0x6F, bytes.fromhex(command)))
    return told(stick)


def test_a_slipping_cable_takes_the_whole_stick_off_the_bus_once():
    unit = next(s for s in SCENARIOS if s.name == "hsm-slips").units[1]
    stick = unit.make(lambda seconds: None)
    stick.send(0x01, message(0x62))
    assert told(stick) == stick.card.atr
    ask(stick, SELECT)
    assert ask(stick, "0020008106363438323139") == b"\x90\x00"
    with pytest.raises(Hang):
        ask(stick, "00d7c4010654020000530100"[:-2] + "aa")
    assert stick.away is not None
    stick.power_on()
    assert stick.away is None
    stick.send(0x01, message(0x62))
    told(stick)
    ask(stick, SELECT)
    assert ask(stick, "0020008106363438323139") == b"\x90\x00"
    assert ask(stick, "00d7c40107540200005301aa") == b"\x90\x00"


def test_the_stick_of_case_2_refuses_over_its_reader_what_the_other_exported():
    case = next(s for s in SCENARIOS if s.name == "case-2")
    source, target = (unit.make(lambda seconds: None) for unit in case.units[:2])
    blobs = {}
    for stick in (source, target):
        stick.send(0x01, message(0x62))
        told(stick)
        ask(stick, SELECT)
        ask(stick, "0020008106363438323139")
    for number in (1, 2):
        blobs[number] = ask(source, f"8072{number:02x}92000000")[:-2]
    answers = [
        ask(target, f"8074{number:02x}9300{len(blob):04x}{blob.hex()}")
        for number, blob in blobs.items()
    ]
    assert answers == [b"\x90\x00", b"\x6f\x00"]
