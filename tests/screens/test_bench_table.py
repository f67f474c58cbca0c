"""The bench's table: its columns at every width, and more rows than room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import Asked, Node, RunStarted, StepStarted
from console.views import run_view
from screens.bench_page import BenchLook
from tests.screens.showing import device, records
from tests.screens.test_bench_page import page, plugged, snapshot

CLOSED = (Node("/dev/hidraw0", "hidraw", False, "it belongs to root"),)


def labelled(event, label="front right", job="WO-22408"):
    """The same event on a port with a name, for a job."""
    return replace(event, label=label, job=job)


def row(shot, width=80):
    """The chosen row."""
    return next(text for text in page(shot, width=width) if text.startswith(">"))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_row_is_longer_than_the_screen(width):
    """Whatever its columns hold."""
    long = labelled(plugged(name="A device with a long name  0123456789AB"), "x" * 30, "W" * 40)

    assert max(map(len, page(snapshot(long), width=width)[:3])) <= width


def test_a_label_and_a_job_are_whole_at_80_columns():
    """And the serial, which tells two alike apart; what it is gives way."""
    text = row(snapshot(labelled(plugged())))

    for words in (" front right ", " WO-22408 ", " Spark Core in ", " 6D7524674852 ", "see below"):
        assert words in text


def test_on_a_wide_screen_nothing_is_cut_that_has_room():
    """Port up to 16; the device and what comes next share the rest."""
    shot = snapshot(labelled(plugged(), "front right hub2", "WO-22408-a"))
    text = row(shot, 120)

    for words in ("front right hub2 ", "mode  6D7524674852", "WO-22408-a", "- Check its keys."):
        assert words in text


def test_a_port_has_16_cells_at_most():
    """What is left belongs to the device."""
    text = row(snapshot(labelled(plugged(), "a label of twenty let")), 200)

    assert "a label of twe.. Spark" in text


def many(count, **of_some):
    """That many devices; those named by their port's last number differ."""
    return snapshot(*(plugged(f"1-{n}", **of_some.get(f"n{n}", {})) for n in range(1, count + 1)))


def table(shot, chosen, height=20):
    """The rows between the head and the next pane."""
    lines = page(shot, BenchLook(chosen), height=height)
    first = next(at for at, text in enumerate(lines) if text.startswith("   PORT")) + 1
    last = next(at for at, text in enumerate(lines) if at > first and text.startswith("- "))
    return lines[first:last]


def test_rows_without_room_are_counted():
    """Nine devices on six lines."""
    assert "   .. 4 more" == table(many(9), "1-1")[-1]
    assert "   .. 4 more above" == table(many(9), "1-9")[-1]
    assert any(text.startswith(">5 port 1-5") for text in table(many(9), "1-5"))
    assert not any(".. " in text and "more" in text for text in table(many(6), "1-1"))


def test_a_row_without_room_that_waits_for_somebody_is_named():
    """Its mark and its port: nobody has to look for it."""
    shot = many(9, n8={"nodes": CLOSED})

    assert "   .. 4 more, ! on port 1-8" == table(shot, "1-1")[-1]
    assert any(text.startswith(" 8 port 1-8") for text in table(shot, "1-9"))


def test_a_question_on_a_row_without_room_is_named_by_the_ports_label():
    """As everywhere."""
    shot = many(9)
    last = shot.bench.devices[-1]
    started = RunStarted("7", "a.check", "T", device(last.port), "Core", (), "1")
    step = StepStarted("s", 1, True, "nothing written", "")
    asked = Asked("pin", "secret", "Its PIN?", waits=True)
    run = run_view(records(started, step, asked))
    bench = replace(
        shot.bench, devices=(*shot.bench.devices[:-1], replace(last, label="back left"))
    )
    shot = replace(shot, bench=bench, runs={"7": run})

    assert "   .. 4 more, ? on back left" == table(shot, "1-1")[-1]


def test_where_too_many_wait_the_rest_of_them_is_counted():
    """The line is as long as the screen and no longer."""
    shot = many(40, **{f"n{n}": {"nodes": CLOSED} for n in range(1, 41)})
    said = table(shot, "1-1")[-1]

    assert len(said) <= 80
    assert said.startswith("   .. 35 more, ! on port 1-6, ! on port 1-7")
    assert said.endswith(" more wait")
    named = said.count("! on port")
    assert f"{35 - named} more wait" in said


def test_what_was_begun_stands_in_the_row_and_below():
    """The mark in letters, and what it was."""
    begun = "rekey, run 1 of 2026-01-01, unfinished: contents gone, bootloader alive."
    shot = snapshot(replace(plugged(), begun=begun))

    assert "! finish it" in row(shot)
    assert "Begun      rekey, run 1 of 2026-01-01, unfinished" in "\n".join(page(shot))
