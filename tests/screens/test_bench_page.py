"""The bench as text: what a technician reads on 80 by 24."""

from dataclasses import replace

import pytest

from console.cards import card
from console.events import BenchStarted, BusChanged, DevicePlugged, DeviceUnplugged, Node, Noted
from console.families import found
from console.views import bench_view
from screens.bench_page import BenchLook, bench_lines, clock, header, welcome_back
from screens.lines import Style
from screens.snapshot import Snapshot
from tests.screens.showing import device, records

STARTED = BenchStarted("1", 1)


def plugged(port="1-1", name="Spark Core in DFU mode  6D7524674852", **facts):
    """The event of a Core that was plugged in."""
    return DevicePlugged(
        device(port, **facts), ("particle",), "dfu", name, "DFU", "Check its keys."
    )


def snapshot(*events, **fields):
    """What a screen is given after these events."""
    bench = bench_view(records(STARTED, *events))
    cards = {d.port: card(device(d.port, vid=d.vid, pid=d.pid), found()) for d in bench.devices}
    return Snapshot(bench=bench, cards=cards, host="repair-2", **fields)


def page(shot, look=None, width=80, height=21):
    """The page as lines of plain text."""
    look = look or BenchLook(shot.rows[0].port if shot.rows else "")
    return [text.plain for text in bench_lines(shot, look, width, height)]


@pytest.mark.parametrize("count", [0, 1, 3, 9, 14])
def test_it_fills_80_by_24_and_no_line_is_longer(count):
    """With no device, with one, and with more than there are keys."""
    shot = snapshot(*(plugged(f"1-{n}") for n in range(1, count + 1)))

    lines = page(shot)

    assert len(lines) == 21
    assert max(map(len, lines)) <= 80


def test_an_empty_bench_says_what_to_do_and_offers_practice():
    """With the exact command."""
    text = " ".join(" ".join(page(snapshot())).split())

    assert "Nothing is plugged in." in text
    assert "replug --practice core-blank-key" in text
    assert "d finds out why" in text


def test_a_device_is_told_with_its_flows_and_what_they_need():
    """Name, since when, what it means, and what to have ready."""
    text = "\n".join(page(snapshot(plugged()), height=40))

    assert "Spark Core in DFU mode 6D7524674852" in text
    assert "DFU since 14:00:02" in text
    assert " f 2 rekey          Give it a new private key" in text
    assert " rekey: Give it a new private key. Backs up the key slot" in text
    for head in ("Have ready", "Hands", "Keeps", "Next"):
        assert f" {head} " in text


def test_who_is_away_says_since_when():
    """The port stays in the table."""
    gone = DeviceUnplugged("1-1", "visit 1-1", "Spark Core")

    text = "\n".join(page(snapshot(plugged(), gone)))

    assert "AWAY since 14:00:03" in text
    assert "(empty since 14:00" in text


def test_a_node_that_may_not_be_opened_is_named_with_why_and_what_to_do():
    """A missing udev rule is the most common fault of all."""
    closed = Node("/dev/bus/usb/001/004", "usb", False, "it belongs to root")

    text = " ".join(" ".join(page(snapshot(plugged(nodes=(closed,))))).split())

    assert "! no access" in text
    assert "/dev/bus/usb/001/004 may not be opened: it belongs to root" in text
    assert "udev rule" in text


def test_what_a_device_says_of_itself_is_only_text():
    """Neither markup nor a control character of a product string acts on the terminal."""
    shot = snapshot(plugged(name="[bold red]pwn[/] \x1b[2J\u202eevil"))

    lines = bench_lines(shot, BenchLook("1-1"), 80, 21)

    assert any("[bold red]pwn[/]" in text.plain for text in lines)
    assert not any(c in text.plain for text in lines for c in "\x1b\u202e")


def test_trouble_with_a_bus_is_said_in_words():
    """And the one word in the header sends the eyes there."""
    shot = snapshot(BusChanged("usb", "Hotplug notices do not come; I look every second."))

    assert "TROUBLE" in clock(shot, 17).plain
    assert any("! Hotplug notices do not come" in text for text in page(shot))


def test_the_header_names_host_and_practice():
    """Practice is never mistaken for the real thing."""
    text = header(snapshot(practice="case-3"), 63).plain

    assert "repair-2" in text
    assert "PRACTICE case-3" in text


def test_lately_marks_the_newest_and_moves_no_line():
    """A new line takes the oldest one's place; in hand, the pane shows the newest first."""
    notes = [Noted(f"number {n}") for n in range(50)]
    before, after = page(snapshot(*notes)), page(snapshot(*notes, Noted("customer rings")))

    changed = [new for old, new in zip(before[-3:], after[-3:], strict=True) if old[1:] != new[1:]]
    assert changed == [">14:00:52  note: customer rings"]
    assert sum(text.startswith(">14:") for text in after) == 1

    in_hand = page(snapshot(*notes), BenchLook(pane="lately"))
    assert [text[-9:] for text in in_hand[-3:]] == ["number 49", "number 48", "number 47"]


def test_whoever_was_away_is_told_for_how_long():
    """The first thing said after a dropped line."""
    shot = snapshot(plugged())
    shot = replace(shot, away=("2026-05-04T14:00:01.500Z", "2026-05-04T14:00:09.000Z"))

    assert welcome_back(shot) == "You were away 14:00:01 - 14:00:09. 1 lines under lately are new."


def test_the_chosen_row_is_seen_however_many_there_are():
    """And it carries a mark, not only weight."""
    shot = snapshot(*(plugged(f"1-{n}") for n in range(1, 15)))

    assert any(text.startswith(">") and "1-14" in text for text in page(shot, BenchLook("1-14")))


def test_every_style_is_one_that_a_terminal_without_colour_can_lose():
    """Colours are the terminal's own; none carries a meaning alone."""
    colours = {word for style in Style for word in style.value.split()}

    assert {"bold", "reverse", "dim", "green", "yellow", "red"} == colours
