"""An event as one plain line: the words that a terminal, a log and a report share."""

from __future__ import annotations

import dataclasses

import pytest

from console.codec import KINDS
from console.events import (
    Answered,
    ArtefactKept,
    Asked,
    Device,
    DeviceJudged,
    DeviceLeft,
    Noted,
    PlannedStep,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
    StopAsked,
    Told,
    Unknown,
    WaitEnded,
    WaitStarted,
    Warned,
)
from console.letters import plain
from console.views import RunView, StepView
from console.wording import line

DEVICE = Device("1-1", "v", "1d50", "607f", "6D70")
VIEW = RunView(steps=(StepView("a", "Look", "at once"), StepView("b", "Erase", "")))
STARTED = RunStarted(
    "7", "core.rekey", "New key", DEVICE, "Core 6D70", (PlannedStep("a", "L"),), "1"
)

LINES = [
    (STARTED, "run 7: New key, Core 6D70, port 1-1"),
    (
        dataclasses.replace(STARTED, job="2243", practice="case-3", continues="5"),
        "PRACTICE  run 7: New key, Core 6D70, port 1-1  job 2243  (continues run 5)",
    ),
    (Told("It is well.", "Go on."), "   It is well. Go on."),
    (Told("It is well."), "   It is well."),
    (Warned("It is worn."), " ! It is worn."),
    (
        StepStarted("a", 1, True, "", "Pull it if you like."),
        " ~ 1 Look  at once  Pull it if you like.",
    ),
    (StepStarted("b", 2, False, "", "Do not."), " ~ 2 Erase (attempt 2)  Do not."),
    (StepStarted("z", 1, True, "", "New."), " ~ z  New."),
    (StepDone("a"), " x 1 Look"),
    (StepDone("b", "451 kB"), " x 2 Erase: 451 kB"),
    (StepFailed("b", "It refused.", "Again."), " ! 2 Erase: It refused. Again."),
    (Asked("erase", "confirm", "Erase it?"), " ? erase: Erase it?"),
    (Asked("erase", "typed", "Erase it?", must_type="6D70"), " ? erase: Erase it? Type: 6D70"),
    (Answered("erase", "yes", "anna"), "   erase = yes (anna)"),
    (Answered("pin", "(given)"), "   pin = (given)"),
    (
        WaitStarted("the Core", "device", (), 2.4, 20.0),
        " ~ Waiting for the Core. Mostly 2 s. I wait 20 s.",
    ),
    (
        WaitStarted("it", "you", ("Pull it.", "Plug it in.")),
        " ~ Waiting for it.\n     [ ] Pull it.\n     [ ] Plug it in.",
    ),
    (WaitEnded("came back"), "   it came back"),
    (DeviceLeft("1-1"), "   it left port 1-1"),
    (DeviceLeft("1-1", "Reader 00 00"), "   the card left Reader 00 00"),
    (DeviceJudged("1-1", DEVICE, True, "Same device."), " x Same device."),
    (DeviceJudged("1-2", DEVICE, False, "Not taken."), " ! Not taken."),
    (ArtefactKept("a.pem", "run", "00", 9, "The key."), "   kept: a.pem, 9 bytes. The key."),
    (ArtefactKept("7-s.bin", "vault", "00", 9), "   vault: 7-s.bin, 9 bytes."),
    (Noted("LED is red", "anna"), "   note by anna: LED is red"),
    (Noted("LED is red"), "   note: LED is red"),
    (StopAsked("anna"), "   anna asked to stop"),
    (StopAsked(), "   somebody asked to stop"),
    (RunEnded("repaired", "done", "It has a key."), " = REPAIRED. It has a key."),
    (
        RunEnded("unfinished", "failed", "No.", "Again.", ("p",), ("t",), ("w",)),
        " = UNFINISHED. No.\n   Again.\n   Proof: p\n   Warning: w\n   Still to do: t",
    ),
    (Unknown("Weighed", {"grams": 5}), ""),
]


@pytest.mark.parametrize(("event", "text"), LINES, ids=lambda value: type(value).__name__)
def test_an_event_reads_as_its_line(event, text):
    """The same words wherever a run is shown as lines."""
    assert text == line(event, VIEW)


def test_every_event_of_a_run_has_words():
    """None is passed over by a forgotten case."""
    of_the_bench = {
        *("BenchStarted", "BenchStopped", "BusChanged", "DevicePlugged", "DeviceChanged"),
        *("DeviceUnplugged", "DayTurned", "RunOpened", "RunClosed", "ScreenLost", "ScreenBack"),
        *("PortLabelled", "PortMarked", "JobOpened", "DeviceAssigned", "FileArrived"),
    }
    worded = {type(event).__name__ for event, text in LINES if text}

    assert set(KINDS) - of_the_bench == worded


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[2J\x1b]0;x\x07", "\ufffd[2J\ufffd]0;x\ufffd"),
        ("a\rb", "a\ufffdb"),
        ("\u202egnp", "\ufffdgnp"),
        ("\x9b31m", "\ufffd31m"),
        ("\udcff", "\ufffd"),
        ("g\u00e4nse \N{SNOWMAN}", "g\u00e4nse \N{SNOWMAN}"),
    ],
)
def test_no_text_of_a_device_or_a_person_commands_a_terminal(said, shown):
    """What is not printable is shown as a mark; letters of every language stay."""
    assert f"   {shown}" == line(Told(said), VIEW)


def test_line_ends_and_tabs_of_our_own_stay():
    """A verdict has several lines."""
    assert "a\n\tb" == plain("a\n\tb")
