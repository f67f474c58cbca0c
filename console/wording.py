"""An event as one plain line, for a terminal, a log or a ticket.

The rule: pure; the same words wherever a run is shown as lines. "" means that it needs none.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from console.events import (
    Answered,
    ArtefactKept,
    Asked,
    DeviceJudged,
    DeviceLeft,
    Event,
    Noted,
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
from console.views import RunView

ACTS = {
    "touch": "Touch it.",
    "leave": "Leave it plugged in: it acts by itself.",
    "bring": "Bring it back.",
    "busy": "Leave it plugged in: it is at work.",
}
"""What each kind of wait asks of the technician."""


def line(event: Event, view: RunView) -> str:
    """What a person reads of an event; `view` is the run's after it."""
    return plain(_line(_in_one_line(event), view))


def _in_one_line(event: Event) -> Event:
    """What a device, a file or a person said cannot begin a line that looks like one of ours."""
    if isinstance(event, Unknown):
        return event
    said = {field.name: getattr(event, field.name) for field in fields(event)}
    return replace(event, **{name: _flat(value) for name, value in said.items()})


def _flat(value: object) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_flat, value))
    return value.replace("\n", " ") if isinstance(value, str) else value


def _line(event: Event, view: RunView) -> str:
    match event:
        case RunStarted() as it:
            practice = "PRACTICE  " if it.practice else ""
            job = f"  job {it.job}" if it.job else ""
            goes_on = f"  (continues run {it.continues})" if it.continues else ""
            what = f"{it.title}, {it.name}, port {it.device.port}"
            return f"{practice}run {it.run}: {what}{job}{goes_on}"
        case StepStarted() as it:
            return _step_started(it, view)
        case StepDone(step, found, left_out):
            mark = "-" if left_out else "x"
            return f" {mark} {_numbered(step, view)}{': ' if found else ''}{found}"
        case StepFailed(step, sentence, advice):
            return f" ! {_numbered(step, view)}: {sentence} {advice}".rstrip()
        case RunEnded() as it:
            return _ended(it)
        case _:
            return _between(event)


def _between(event: Event) -> str:
    match event:
        case Told(sentence, advice):
            return f"   {sentence} {advice}".rstrip()
        case Warned(sentence, advice):
            return f" ! {sentence} {advice}".rstrip()
        case Asked() as it:
            must = f" Type: {it.must_type}" if it.must_type else ""
            return f" ? {it.question}: {it.text}{must}"
        case Answered(question, answer, by):
            return f"   {question} = {answer}{f' ({by})' if by else ''}"
        case WaitStarted() as it:
            return _wait(it)
        case WaitEnded(outcome):
            return f"   it {outcome}"
        case DeviceLeft(port, card):
            return f"   the card left {card}" if card else f"   it left port {port}"
        case DeviceJudged() as it:
            return f" {'x' if it.taken else '!'} {it.why}"
        case ArtefactKept() as it:
            where = "vault" if it.place == "vault" else "kept"
            return f"   {where}: {it.name}, {it.size} bytes. {it.about}".rstrip()
        case Noted(text, by):
            return f"   note{f' by {by}' if by else ''}: {text}"
        case StopAsked(by):
            return f"   {by or 'somebody'} asked to stop"
        case _:
            return ""


def _step_started(it: StepStarted, view: RunView) -> str:
    again = f" (attempt {it.attempt})" if it.attempt > 1 else ""
    usual = next((step.usual for step in view.steps if step.id == it.step), "")
    usual = f"  {usual}" if usual else ""
    return f" ~ {_numbered(it.step, view)}{again}{usual}  {it.safe}"


def _numbered(step: str, view: RunView) -> str:
    for number, known in enumerate(view.steps, start=1):
        if known.id == step:
            return f"{number} {known.title}"
    return step


def _wait(it: WaitStarted) -> str:
    hands = "".join(f"\n     [ ] {hand}" for hand in it.hands)
    usual = f" Mostly {it.usual:.0f} s." if it.usual else ""
    limit = f" I wait {it.limit:.0f} s." if it.limit else ""
    acts = f" {ACTS[it.acts]}" if it.acts in ACTS else ""
    since = " from plug-in" if it.window_from == "plug" else ""
    window = f" It gives {it.window:.0f} s{since}." if it.window else ""
    return f" ~ Waiting for {it.what}.{acts}{window}{usual}{limit} {it.safe}".rstrip() + hands


def _ended(it: RunEnded) -> str:
    lines = [f" = {it.verdict.upper()}. {it.sentence}"]
    lines += [f"   {it.advice}"] if it.advice else []
    lines += [f"   Proof: {fact}" for fact in it.proof]
    lines += [f"   Warning: {warning}" for warning in it.warnings]
    lines += [f"   Still to do: {rest}" for rest in it.to_do]
    return "\n".join(lines)
