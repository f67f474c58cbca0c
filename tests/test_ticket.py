"""A run as a few lines for strangers: short, plain, and with nothing of a customer in it."""

from __future__ import annotations

from console.events import (
    Answered,
    Device,
    DeviceJudged,
    Noted,
    PlannedStep,
    RunEnded,
    RunStarted,
    StepDone,
    StepStarted,
    Told,
    Warned,
)
from console.history import view_of
from console.journal import replay
from console.ticket import COLUMNS, LINES, ticket
from tests.harness import workshop
from tests.screens.showing import records

CORE = Device("1-1", "v", "1d50", "607f", "6D7524674852", "Core")
PLAN = (PlannedStep("a", "Look"), PlannedStep("b", "Write"))


def lines(*events, **started):
    first = RunStarted(
        "41", "core.rekey", "New key", CORE, "Core  6D7524674852", PLAN, "0.1", "WO-2243"
    )
    return ticket(records(RunStarted(**{**vars(first), **started}), *events)).splitlines()


def test_a_ticket_says_what_it_was_how_it_ended_and_what_was_done():
    """In that order."""
    told = lines(
        StepStarted("a", 1, True, "nothing written", "You can."),
        StepDone("a", "blank"),
        RunEnded("repaired", "done", "It is.", "Go.", ("p1",), ("t1",), ("w1",)),
    )

    assert "Replug 0.1, core.rekey, run 41, 2026-05-04T14:00 UTC." == told[0]
    assert ["Device: Core ..4852", "Seen as: 1d50:607f Core", "REPAIRED. It is. Go."] == told[1:4]
    assert ["Proof: p1", "Warning: w1", "Still to do: t1"] == told[5:8]
    assert " x 1 Look: blank" in told


def test_nothing_of_a_customer_is_in_a_ticket():
    """No job, no answer, no note, no whole serial, nobody else's device."""
    other = Device("1-2", "v2", "20a0", "42b2", "OTHER-SERIAL")
    text = "\n".join(
        lines(
            Answered("job", "WO-2243", "ann"),
            Answered("device_id", "0123456789abcdef", "ann"),
            Noted("Mr Miller rings at two", "ann"),
            Told("The id 0123456789abcdef belongs to 6D7524674852, job WO-2243."),
            DeviceJudged("1-2", other, False, "Not taken: serial OTHER-SERIAL."),
        )
    )

    for secret in ("WO-2243", "0123456789abcdef", "Miller", "ann", CORE.serial, "OTHER", "42b2"):
        assert secret not in text, secret
    assert "The id (given) belongs to ..4852, job (given)." in text
    assert "Not ended." in text


def test_a_ticket_fits_whatever_the_run_said():
    """40 lines of 78 columns; the rest is counted, and where it stands is named."""
    told = lines(*(Warned(f"{n} " + "word " * 40) for n in range(50)))

    assert LINES == len(told)
    assert max(map(len, told)) <= COLUMNS
    assert told[-1].endswith("more lines in the record: replug log export 41)")


def test_a_ticket_is_plain_text():
    """Nothing in it that a terminal would obey."""
    text = "".join(lines(Told("a\x1b[2Jb"), name="Core\x07"))

    assert text.isprintable()


def test_the_ticket_of_a_real_repair_is_whole(tmp_path):
    """The practice Core, from the blank key to the last line."""
    with workshop(tmp_path, "core-blank-key") as shop:
        view = shop.run()
        told = ticket(replay(shop.state.journal(view.run)).records)

    assert "PRACTICE" in told
    assert "REPAIRED." in told
    assert view_of(shop.state, view.run).device.serial not in told
    assert len(told.splitlines()) <= LINES
