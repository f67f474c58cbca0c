"""The practice scenarios: what is found in each stick, over its reader."""

from __future__ import annotations

import json

import pytest

from console.families.openpgp.simulator import SCENARIOS, Stick
from console.hardware.simulated_card import exchange

SELECT = "00a4040006d27600012401"


def stick(name: str) -> Stick:
    """The device of that scenario; time passes in none."""
    (unit,) = next(scenario for scenario in SCENARIOS if scenario.name == name).units
    made = unit.make(lambda seconds: None)
    assert isinstance(made, Stick)
    return made


def say(device: Stick, *commands: str) -> list[str]:
    """Each answer, in hex, from the card in its slot."""
    assert device.slot.card is not None
    said = [
        exchange(device.slot.card, bytes.fromhex(command), lambda seconds: None, 200.0)
        for command in commands
    ]
    return [answer.hex() if answer is not None else "" for answer in said]


@pytest.mark.parametrize(
    ("name", "ids", "product", "serial"),
    [
        ("case-4", "20a0:4108", "Nitrokey Pro", "000000000000000000006FDA"),
        ("openpgp-blocked", "20a0:4211", "Nitrokey Start", "FSIJ-1.2.19-43211507"),
        ("openpgp-terminated", "20a0:4109", "Nitrokey Storage", "000000000000000000005B1C"),
        ("openpgp-orphan", "20a0:4108", "Nitrokey Pro", "000000000000000000007A33"),
    ],
)
def test_the_stick_says_of_itself_what_the_real_one_says(name, ids, product, serial):
    """Ids and strings of the product; the serial in the strings is the card's."""
    device = stick(name)
    who = device.identity

    assert (f"{who.vid:04x}:{who.pid:04x}", who.product, who.serial) == (ids, product, serial)
    assert device.slot.name.startswith(f"Nitrokey {product} ({serial})")


def test_the_card_of_the_field_case_is_healthy_and_takes_its_time():
    """The very card of the case; a key takes it 1 min 45 s, and then it is there."""
    device = stick("case-4")
    waited = []
    aid, counters = say(device, SELECT, "00ca004f00", "00ca00c400")[1:]
    say(device, "00200083083132333435363738")
    answer = exchange(device.card, bytes.fromhex("0047800002b60000"), waited.append, 200.0)

    assert aid == "d276000124010303000500006fda00009000"
    assert counters == "01202020030003" + "9000"
    assert answer is not None and answer[:4].hex() == "7f498201"
    assert 104.9 < sum(waited) < 105.1


def test_what_is_refused_is_refused_at_once():
    """Only the making of a key takes 105 s, not a no."""
    device = stick("case-4")
    waited = []
    say(device, SELECT)

    assert exchange(device.card, bytes.fromhex("0047800002b60000"), waited.append, 9) == b"\x69\x82"
    assert waited == []


def test_both_pins_of_the_blocked_stick_are_blocked_and_its_key_is_there():
    """With a fingerprint and a time, as its host wrote them."""
    device = stick("openpgp-blocked")
    counters, key, prints = say(device, SELECT, "00ca00c400", "0047810002b60000", "00ca00c500")[1:]

    assert counters == "007f7f7f000300" + "9000"
    assert key.startswith("7f498201")
    assert prints[:40].strip("0") and not prints[40:-4].strip("0")
    right = "0020008308" + b"87654321".hex()
    assert say(device, right, "00e60000", SELECT) == ["6983", "9000", "6285"]


def test_the_terminated_stick_is_repaired_by_one_command():
    """ACTIVATE FILE; all was forfeited before."""
    device = stick("openpgp-terminated")

    assert say(device, SELECT, "00ca00c400", "00440000", SELECT) == ["6285", "6285", "9000", "9000"]
    assert say(device, "00ca00c400", "0047810002b60000") == ["01202020030003" + "9000", "6a88"]


def test_the_orphan_is_a_key_without_a_fingerprint():
    """Made on the card; nothing was written after."""
    device = stick("openpgp-orphan")
    key, prints, times = say(device, SELECT, "0047810002b60000", "00ca00c500", "00ca00cd00")[1:]

    assert key.startswith("7f498201")
    assert prints == "00" * 60 + "9000"
    assert times == "00" * 12 + "9000"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_stick_goes_on_in_another_process(scenario):
    """Frozen to JSON and thawed in a new one, it answers the same."""
    first, second = stick(scenario.name), stick(scenario.name)
    second.thaw(json.loads(json.dumps(first.freeze())))
    questions = (SELECT, "00ca006e00", "0047810002b60000")

    assert say(second, *questions) == say(first, *questions)
