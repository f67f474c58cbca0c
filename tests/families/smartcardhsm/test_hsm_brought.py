"""What is brought to the flows in words: files between commas, numbers, passwords a line each."""

from __future__ import annotations

import pytest

from console.errors import BadUsage
from console.families.smartcardhsm.approach import HEX, TEXT, named_files, so_code
from console.families.smartcardhsm.backup import numbers
from console.families.smartcardhsm.sharing import entries_of


def test_files_stand_between_commas_near_the_first_one(tmp_path):
    """As a command makes only the first of them absolute."""
    for name in ("one/a.pbe", "one/b.pbe", "two/c.pbe"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    first = tmp_path / "one" / "a.pbe"

    assert named_files(f"{first}, b.pbe,two/c.pbe") == (
        first,
        tmp_path / "one" / "b.pbe",
        tmp_path / "two" / "c.pbe",
    )


def test_a_folder_stands_for_its_files_and_a_comma_in_a_name_is_one(tmp_path):
    odd = tmp_path / "share, the second.pbe"
    odd.touch()

    assert named_files(str(tmp_path)) == (odd,)
    assert named_files(str(odd)) == (odd,)


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(BadUsage):
        named_files(str(tmp_path))


def test_key_numbers_are_read_as_people_write_them():
    assert numbers("1, 2;17 0x1F 2") == (1, 2, 17, 31)


@pytest.mark.parametrize("words", ["", "0", "256", "all of them", "1,,x"])
def test_what_is_no_key_number_is_said(words):
    with pytest.raises(BadUsage):
        numbers(words)


def test_an_so_pin_is_eight_bytes_in_either_format():
    assert so_code("3537363231383830", HEX) == so_code("57621880", TEXT) == b"57621880"


@pytest.mark.parametrize(
    ("typed", "form"),
    [("57621880", HEX), ("3537363231383830", TEXT), ("35 37 36 32 31 3", HEX), ("äöü45678", TEXT)],
)
def test_what_cannot_be_an_so_pin_is_none(typed, form):
    assert so_code(typed, form) is None


def test_passwords_stand_a_line_each_and_parts_go_with_their_prime():
    text = "first secret\nPrime ed:55\nShare 1 value 19:63\nShare 2 value ec:d5\nthird"

    assert entries_of(text) == [
        "first secret",
        "Prime ed:55\nShare 1 value 19:63\nShare 2 value ec:d5",
        "third",
    ]
