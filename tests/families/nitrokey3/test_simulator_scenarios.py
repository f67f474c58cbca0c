"""The practice benches of the Nitrokey 3: each shows what its sentence says."""

from __future__ import annotations

import json

import pytest

from console.families.nitrokey3.simulator import SCENARIOS
from console.hardware.simulated import Away

SHOWN = {
    "case-1": ["20a0:42b2"],
    "nk3-dead": ["", "046d:c077"],
    "nk3-healthy": ["20a0:42b2", "20a0:42b2"],
    "nk3-interrupted-lpc55": ["20a0:42dd"],
    "nk3-interrupted-nrf52": ["20a0:42e8"],
    "nk3-twins": ["20a0:42b2", "20a0:42b2"],
    "nk3-slow": ["20a0:42b2"],
    "nk3-passkey": ["20a0:42f3"],
}


def made(name: str) -> list:
    scenario = next(each for each in SCENARIOS if each.name == name)
    return [unit.make(lambda seconds: None) for unit in scenario.units]


def shown(key) -> str:
    if key.away is not None:
        return ""
    device = key.descriptors().device
    vid, pid = (int.from_bytes(device[at : at + 2], "little") for at in (8, 10))
    return f"{vid:04x}:{pid:04x}"


def test_every_scenario_is_named_here():
    """One that is added is looked at too."""
    assert {each.name for each in SCENARIOS} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_a_scenario_shows_what_its_sentence_says(name):
    """On the bus, at first; and after a replug just the same."""
    keys = made(name)
    assert [shown(key) for key in keys] == SHOWN[name]

    for key in keys:
        key.away = Away(None)
        key.power_on()
    assert [shown(key) for key in keys] == SHOWN[name]


@pytest.mark.parametrize("name", SHOWN)
def test_a_scenario_can_be_kept(name):
    """As JSON, and it is the same afterwards."""
    for before, after in zip(made(name), made(name), strict=True):
        after.thaw(json.loads(json.dumps(before.freeze())))

        assert shown(after) == shown(before)
        assert after.freeze() == before.freeze()


def test_the_twins_are_alike_on_the_bus():
    """No serial number tells them apart."""
    one, other = made("nk3-twins")

    assert one.descriptors() == other.descriptors()
    assert one.admin.call(0x62, b"") != other.admin.call(0x62, b"")
