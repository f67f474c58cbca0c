"""The udev rules that `replug udev` prints, held against the families' own tables."""

from __future__ import annotations

import dataclasses
import re

import pytest

from console import cli
from console.commands.udev import identities
from console.errors import NotPermitted
from console.events import Device
from console.families import Mode, found
from console.hardware.rights import FILE, INSTALL, NO_POLKIT, NO_RULE, rules

RULE = re.compile(
    r'^ATTRS\{idVendor\}=="([0-9a-f]{4})", ATTRS\{idProduct\}=="([0-9a-f]{4})", '
    r'ENV\{\.REPLUG\}="1"$',
    re.M,
)
KEY = re.compile(
    r"(ACTION|SUBSYSTEM|ATTRS\{\w+\}|ENV\{\.?\w+\}|MODE|GROUP|TAG|GOTO|LABEL)"
    r'(==|!=|\+=|=)"[^"]*"'
)


@pytest.fixture
def printed(capsys):
    assert 0 == cli.main(["udev"])
    return capsys.readouterr().out


def named(text: str) -> list[str]:
    return [f"{vid}:{pid}" for vid, pid in RULE.findall(text)]


def test_every_mode_of_every_family_has_its_rule_once(printed):
    """A family that is there is in it, and nothing else is."""
    shown = {f"{mode.vid}:{mode.pid}" for f in found() for mode in f.modes if mode.pid}

    assert named(printed) == sorted(shown)
    assert len(shown) > 20


def test_the_faces_of_a_nitrokey_3_are_all_there(printed):
    """Its firmware (hidraw), the bootloader of either chip (hidraw, a serial port)."""
    assert {"20a0:42b2", "20a0:42dd", "20a0:42e8"} <= set(named(printed))


def test_a_new_family_is_in_it_by_its_table_alone():
    """One folder, and no other edit."""
    mode = Mode("app", "1209", "0001", "Lamp", "app")
    family = dataclasses.replace(found()[0], name="lamp", modes=(mode,))

    assert {"1209:0001": "Lamp"} == identities((family,))
    assert {"1209:0001": "Lamp"} == identities((family, family))


def test_a_mode_that_is_told_by_other_signs_has_no_rule():
    """A card in whatever reader."""
    mode = Mode("card", "", "", "Card", "card", when=lambda device: bool(device.cards))
    family = dataclasses.replace(found()[0], modes=(mode,))

    assert mode.fits(Device("1-1", "v", "", "")) is False
    assert {} == identities((family,))


def test_each_line_is_a_rule_as_udev_reads_it(printed):
    """Keys, operators and quoted values, parted by commas; or a comment; or nothing."""
    for line in printed.splitlines():
        parts = line.split(", ") if line and not line.startswith("#") else []
        assert all(KEY.fullmatch(part) for part in parts), line


def test_usb_hidraw_and_serial_ports_are_opened_to_people_and_to_groups(printed):
    """By uaccess where somebody sits; over SSH there is no seat, and the group counts."""
    assert 'SUBSYSTEM=="usb|hidraw", MODE="0660", GROUP="plugdev", TAG+="uaccess"' in printed
    assert 'SUBSYSTEM=="tty", MODE="0660", GROUP="dialout", TAG+="uaccess"' in printed
    assert "usermod -aG plugdev,dialout" in printed


def test_every_way_out_has_its_label(printed):
    """udev passes over a rule whose label it does not find."""
    assert set(re.findall(r'GOTO="(\w+)"', printed)) == set(re.findall(r'LABEL="(\w+)"', printed))


def test_its_number_comes_before_the_rule_that_acts_on_uaccess():
    """73-seat-late.rules."""
    assert "/etc/udev/rules.d/70-replug.rules" == FILE


def test_the_lines_fit_a_terminal(printed):
    """Comments are for people; a rule is one line, however long."""
    assert [line for line in printed.splitlines() if len(line) > 100] == []


def test_the_file_says_how_it_is_installed_and_who_opens_cards():
    """Alone, without a README beside it."""
    told = rules({})
    for words in (INSTALL, "udevadm control --reload", "pcscd", "org.debian.pcsc-lite."):
        assert words in told


def test_what_is_said_of_a_missing_right_names_the_command():
    """In a refusal and on the bench."""
    for advice in (NO_RULE, NO_POLKIT, NotPermitted.advice_by_default):
        assert "replug udev" in advice
