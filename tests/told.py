"""Events as a run and a bench tell them, and the views that they fold into."""

from __future__ import annotations

from hypothesis import settings

from console.events import (
    Asked,
    BenchStarted,
    Damage,
    Device,
    Event,
    PlannedStep,
    RunStarted,
    StepStarted,
)
from console.journal import Record
from console.views import (
    BenchView,
    RunView,
    bench_view,
    run_view,
)

CORE = Device("1-1", "v1", "1d50", "607f", "A")
PLAN = (
    PlannedStep("look", "Look", "1 s"),
    PlannedStep("erase", "Erase"),
    PlannedStep("end", "End"),
)
STARTED = RunStarted(
    "7", "core.rekey", "New key", CORE, "Core A", PLAN, "0.1", "2243", "", "5", "an"
)
QUICK = settings(max_examples=40, deadline=None, database=None)


def records(*events: Event, since: int = 1) -> list[Record]:
    """One event a second, from 09:00:01."""
    return [
        Record(n, f"2026-05-04T09:00:{n:02}.000Z", 1000.0 + n, "boot", "", event, "")
        for n, event in enumerate(events, start=since)
    ]


def run(*events: Event) -> RunView:
    return run_view(records(STARTED, *events))


def bench(*events: Event) -> BenchView:
    return bench_view(records(BenchStarted("0.1", 1), *events))


def step(name: str, attempt: int = 1, undoable: bool = True, damage: Damage = Damage.NOTHING):
    return StepStarted(
        name, attempt, undoable, damage.value, f"safe {name}", "" if undoable else "End"
    )


ERASE = step("erase", undoable=False, damage=Damage.HALF)
HANDS = ("Hold MODE.", "Unplug it.", "Plug it in.", "Let go.")
ASKED = Asked("job", "text", "Which job?", optional=True, waits=True)


def marks(view: RunView) -> str:
    return "".join(known.mark for known in view.steps)
