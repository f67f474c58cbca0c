"""What an nRF91 board looks like, and what is none."""

from __future__ import annotations

import pytest

from console.events import Device
from console.families import found

NRF91 = next(family for family in found() if family.name == "nrf91")


@pytest.mark.parametrize(
    ("vid", "pid", "serial", "mode"),
    [
        ("1915", "910a", "THINGY91_4F58FAC2694", "app"),
        ("1915", "910a", "", "app"),
        ("1915", "520f", "", "recovery"),
        ("1915", "910b", "THINGY91X_1234", "bridge"),
        ("1915", "9100", "PCA20035_12AB", "bridge"),
        ("1366", "1015", "000960012345", "dk"),
        ("1366", "1059", "001050912345", "dk"),
        ("1366", "1015", "000683012345", ""),
        ("1366", "1015", "", ""),
        ("1915", "521f", "A1B2C3", ""),
        ("1d50", "607f", "THINGY91", ""),
    ],
)
def test_a_board_is_known_by_its_ids_and_its_serial(vid, pid, serial, mode):
    """A J-Link may sit on any board: without a serial that tells, it is nobody's."""
    known = NRF91.mode_of(Device("1-1", "v", vid, pid, serial))
    assert (known.name if known else "") == mode


def test_every_flow_that_writes_asks_before_it_does():
    """Ids of the questions are the contract with scripts."""
    asked = {flow.name: [question.id for question in flow.questions] for flow in NRF91.flows}
    assert asked == {
        "check": ["sheet"],
        "restore": ["sheet", "rewrites_at_start", "confirm_replace"],
        "rekey": ["sheet", "tags", "confirm_replace"],
        "reset": ["tags", "confirm_reset"],
        "flash": ["image"],
    }
