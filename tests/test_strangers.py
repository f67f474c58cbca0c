"""What is told others of a device that is none of a run's, whatever it calls itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.events import (
    Card,
    Device,
    DeviceJudged,
    PlannedStep,
    RunEnded,
    RunStarted,
    StepDone,
    Told,
)
from console.strangers import hide
from console.ticket import ticket
from tests.screens.showing import records

CORE = Device("1-1", "v", "1d50", "607f", "6D7524674852", "Core")
STARTED = RunStarted("41", "core.rekey", "New key", CORE, "Core", (PlannedStep("a", "Look"),), "1")
KEY = Device("1-1", "v2", "1050", "0407", "", "Acme CEO's YubiKey 5", "Yubico")
HSM = Device("1-1", "v3", "20a0", "4230", "DENK0104711", "Acme HSM", "Acme")
DIFFERENT = "Not taken: a different device is in port 1-1, {}. It was not touched."


def told_of(device: Device, why: str) -> DeviceJudged:
    """The event as it is handed over; the ticket says the same."""
    events = records(STARTED, DeviceJudged(device.port, device, False, why))
    shown = hide(events)[-1].event
    assert isinstance(shown, DeviceJudged)
    assert shown.why in " ".join(ticket(events).split())
    return shown


@pytest.mark.parametrize("device", [KEY, HSM])
def test_a_stranger_in_our_port_is_another_device_in_the_sentence_too(device):
    """With a serial or without one."""
    shown = told_of(device, DIFFERENT.format(f"{device.product} ({device.vid}:{device.pid})"))

    assert DIFFERENT.format("another device") == shown.why
    assert Device("1-1", "", "", "", product="another device") == shown.device


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("1050:0407 is no board.", "another device is no board."),
        ("Yubico made it.", "another device made it."),
        ("ACME CEO'S YUBIKEY 5 came.", "another device came."),
    ],
)
def test_each_of_its_names_is_left_out(said, shown):
    """Alone, and in any spelling."""
    assert shown == told_of(KEY, said).why


def test_its_reader_and_its_serial_are_left_out():
    """PC/SC makes the reader's name of its product and its serial."""
    reader = "Acme HSM (DENK0104711    ) 00 00"
    device = Device("1-1", "v3", "20a0", "4230", "DENK0104711", "HSM", cards=(Card(reader),))

    assert "Not another device." == told_of(device, f"Not {reader}.").why
    assert "Not serial another one." == told_of(device, "Not serial denk0104711.").why


def test_a_name_within_a_word_is_no_name():
    """A device may call itself "a", or nothing."""
    short = Device("1-1", "v4", "1050", "0407", "", "a", " ")

    assert "It was another device that came." == told_of(short, "It was a that came.").why


def test_one_without_a_serial_is_ours_in_our_port_with_our_ids():
    """It lost its serial, not its ids; the same ids in another port are anybody's."""
    nameless = Device("1-1", "v5", "1d50", "607f")
    away = Device("1-2", "v6", "1d50", "607f")

    assert nameless == told_of(nameless, "It is back.").device
    assert "another device" == told_of(away, "It is there.").device.product


def test_a_ticket_has_no_whole_serial_of_ours_in_any_spelling():
    """Some modes write it in capitals, some do not."""
    text = ticket(records(STARTED, Told("Its id is 6d7524674852, not 6D7524674853.")))

    assert "Its id is ..4852, not 6D7524674853." in text


def test_a_stranger_is_named_in_no_other_sentence_of_the_run():
    """Neither in a find nor in the proof; our own name stays."""
    named = f"{KEY.product} ({KEY.vid}:{KEY.pid})"
    events = records(
        STARTED,
        DeviceJudged("1-2", KEY, False, f"{named} is here."),
        StepDone("a", f"{named} shows on port 1-2"),
        RunEnded("unfinished", "fault", "It is dead.", "", (f"Port 1-2: {named} shows.", "Core")),
    )
    told = " ".join(str(record.event) for record in hide(events))

    assert KEY.product not in told
    assert "proof=('Port 1-2: another device shows.', 'Core')" in told
    assert "found='another device shows on port 1-2'" in told


def test_a_stranger_with_our_own_name_changes_no_sentence_of_ours():
    """Two alike: what is said of ours stays."""
    twin = replace(CORE, port="1-2", serial="6D7524674853")
    said = Told("Core (1d50:607f) answers.")

    assert said == hide(records(STARTED, DeviceJudged("1-2", twin, False, "No."), said))[-1].event
