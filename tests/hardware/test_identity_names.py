"""What a family knows of a unit in every mode: one name is one unit, another is another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import Device
from console.hardware.identity import Company, Expectation, Grade, Scene, judge

APP, BOOT = ("1d50", "607d"), ("1d50", "607f")
LEFT = Device("1-1", "v1", *APP, serial="4dff6b066672524829470167")
SHOWN = "6D75"
OURS = Expectation("1-1", ("boot",), LEFT, name="unit A")


def judged(came: Device, name: str, expected=OURS, company=Company(gone=True), **others: str):  # noqa: B008
    modes = {came.visit: "boot"}
    return judge(expected, came, Scene((came,), modes, company, 100.0, {came.visit: name} | others))


def boot(port="1-1", serial=SHOWN) -> Device:
    return Device(port, "v2", *BOOT, serial=serial)


def test_the_same_name_in_another_mode_is_surer_than_its_port():
    """And says which serial was seen."""
    found = judged(boot(), "unit A")

    assert (True, Grade.SERIAL) == (found.taken, found.grade)
    assert "serial 6D75 (ours, as this mode shows it) came back" in found.why


def test_another_name_in_our_port_is_another_unit():
    """The ids differ, so its serial alone would say nothing."""
    found = judged(boot(serial="8D79"), "unit B")

    assert not found.taken
    assert "serial 8D79, but 4dff6b066672524829470167 left this port" in found.why


@pytest.mark.parametrize(
    ("name", "words"),
    [("unit A", "is ours, but it is in port 1-3"), ("unit B", "on port 1-3 is not ours")],
)
def test_elsewhere_the_name_says_which_it_is(name, words):
    found = judged(boot("1-3"), name)

    assert not found.taken
    assert words in found.why


@pytest.mark.parametrize(("ours", "theirs"), [("", "unit B"), ("unit A", ""), ("", "")])
def test_where_one_mode_shows_no_name_the_port_decides(ours, theirs):
    found = judged(boot(), theirs, expected=replace(OURS, name=ours))

    assert (True, Grade.PORT) == (found.taken, found.grade)


def test_a_name_that_another_one_shows_as_well_proves_nothing():
    """As with serials that are made alike: its port and the order decide."""
    clone = Device("1-2", "t1", *APP, serial=LEFT.serial)
    beside = replace(OURS, others=(clone,))
    company = Company(kin=(clone,), gone=True)
    found = judged(boot(), "unit A", beside, company, t1="unit A")

    assert found is None or found.grade is not Grade.SERIAL
