"""What a version of GnuPG means for a card that needs time."""

from __future__ import annotations

import pytest

from console.hardware.gnupg import GnuPG, gnupg, parse, said, uses_pcsc


@pytest.mark.parametrize(
    ("version", "own_driver", "impatient"),
    [
        ("2.0.22", True, True),
        ("2.1.19", True, True),
        ("2.1.20", True, False),
        ("2.2.40", True, False),
        ("2.0.22", False, False),
        ("2.4.0-beta3", True, False),
        ("", True, False),
    ],
)
def test_a_host_gives_up_after_five_seconds_or_waits(version, own_driver, impatient):
    """Up to 2.1.19, and only with its own driver."""
    assert GnuPG(version, version, own_driver).impatient is impatient


def test_what_was_found_is_a_sentence():
    """Each with its meaning; nothing there, and nothing to be seen, are said, too."""
    assert "after 5 s." in GnuPG("2.0.22", "2.0.22").sentence
    assert "as long as the card asks" in GnuPG("2.4.3", "2.4.3").sentence
    assert "while a key is made" in GnuPG("2.2.40", "2.2.40").sentence
    assert "uses PC/SC" in GnuPG("2.0.22", "", own_driver=False).sentence
    assert GnuPG().sentence == "There is no gpg on this machine."
    assert GnuPG(trouble="No.").sentence == "No."


def test_versions_are_read_from_what_the_programs_print():
    """The first line only; the library's version is another."""
    assert said(b"gpg (GnuPG) 2.2.40\nlibgcrypt 1.10.1\n") == "2.2.40"
    assert said(b"scdaemon (GnuPG) 2.2.40\n") == "2.2.40"
    assert said(b"sh: not found\n") == ""
    assert parse("2.1.20") == (2, 1, 20)


def test_a_line_in_its_configuration_turns_the_own_driver_off():
    """A comment does not."""
    assert uses_pcsc("card-timeout 5\ndisable-ccid  # shared\n")
    assert not uses_pcsc("# disable-ccid\n")


def test_looking_at_this_machine_raises_nothing():
    """Whatever is installed."""
    assert gnupg().sentence
