"""What the command line takes for a port when something is said of one, and what it refuses."""

from __future__ import annotations

import pytest

from tests.places import app, bench, blank

__all__ = ["app", "bench", "blank"]


@pytest.mark.parametrize("port", ["frnt", "1-", "1-1.", "usb1", "0483:df11"])
def test_a_label_goes_to_no_port_that_is_none(bench, port):
    """A slip of the finger must not be kept as a port."""
    told = bench.replug("label", port, "left")

    assert (4, "") == (told.returncode, told.stdout)
    assert f"No port is called {port}." in told.stderr
    assert "devices" in told.stderr
    assert [""] == [d["label"] for d in bench.json("devices")]


@pytest.mark.parametrize("word", ["hands-off", "clear"])
def test_a_mark_goes_to_no_port_that_is_none(bench, word):
    """Neither set nor taken away."""
    told = bench.replug("mark", "frnt", word)

    assert (4, "") == (told.returncode, told.stdout)
    assert "No port is called frnt." in told.stderr


def test_an_empty_port_has_a_label_and_is_found_by_it(bench):
    """The bench may be labelled before anybody comes, and a label renamed."""
    for port in ("9-4.2", "back"):
        assert 0 == bench.replug("label", port, "back").returncode
    told = bench.replug("label", "back", "far back")

    assert (0, "Port 9-4.2 is called far back now.\n") == (told.returncode, told.stdout)


def test_what_is_plugged_in_names_its_port(bench):
    """By its serial or its ids, as everywhere."""
    (device,) = bench.json("devices")
    for words in (device["serial"], "1d50:607f"):
        told = bench.replug("label", words, "left")
        assert "Port 1-1 is called left now.\n" == told.stdout
    assert "What sits in port 1-1 is hands off" in bench.replug("mark", "left", "hands-off").stdout
