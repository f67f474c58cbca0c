"""The README's picture is what the screen draws."""

import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from console import manual
from console.cards import card
from console.events import BenchStarted, DevicePlugged, Noted
from console.families import found
from console.state import State
from console.views import bench_view
from screens.portrait import picture_of_bench
from screens.snapshot import Snapshot
from tests.screens.showing import device, records

PICTURE = manual.FOLDER / "bench.svg"
NAME = "Spark Core in DFU mode  6D7524674852"


@pytest.fixture(autouse=True)
def in_utc(monkeypatch):
    """The picture's times are of one time zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def picture():
    """A bench with a Core in DFU mode."""
    core = device("1-1")
    bench = bench_view(
        records(
            BenchStarted("1", 1, "core-blank-key"),
            DevicePlugged(core, ("particle",), "dfu", NAME, "DFU", "Check its keys, or rekey it."),
            Noted("job 2243: flashes red since it was unpacked"),
        )
    )
    cards = {"1-1": card(core, found())}
    shot = Snapshot(bench=bench, cards=cards, host="repair-2", practice="core-blank-key")
    return picture_of_bench(State(Path("/nowhere"), "core-blank-key"), shot)


def test_the_same_snapshot_gives_the_same_picture():
    """Byte for byte, and it is well-formed."""
    first = picture()

    assert picture() == first
    assert ElementTree.fromstring(first).tag.endswith("svg")


def test_the_picture_of_the_readme_is_what_the_screen_draws():
    """Renew it: python -m tests.screens.test_portrait"""
    assert picture() == PICTURE.read_text()


if __name__ == "__main__":
    PICTURE.write_text(picture())
