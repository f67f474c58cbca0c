"""A run that has ended, as lines of text: the verdict large, its evidence, what is left to do.

The rule: pure; everything of RunEnded is said, then the plan as it was done.
"""

from __future__ import annotations

from rich.text import Text

from console.events import ArtefactKept, RunEnded
from console.views import RunView, StepView
from screens.lines import Style
from screens.words import line, paragraph, rule, window

GOOD = ("repaired", "no fault found", "cause elsewhere")


def verdict_lines(view: RunView, offset: int, width: int, height: int) -> list[Text]:
    """The page of an ended run, scrolled by `offset` lines."""
    assert view.ended is not None
    return [rule(width), *window(whole_verdict(view, view.ended, width), height - 1, offset)]


def whole_verdict(view: RunView, ended: RunEnded, width: int) -> list[Text]:
    """Every line there is to say about the end."""
    return [
        Text(""),
        _large(ended.verdict, width),
        Text(""),
        *paragraph(ended.sentence, width, style=Style.STRONG),
        *paragraph(ended.advice, width),
        *_if_left_half(ended, width),
        *_each(" Proof:       ", ended.proof, width),
        *_each(" ! Warning:   ", ended.warnings, width),
        *_each(" Still to do: ", ended.to_do, width),
        *_each(" Kept:        ", tuple(map(_kept, view.artefacts)), width),
        *_each(" Noted:       ", _notes(view), width),
        Text(""),
        *[text for n, step in enumerate(view.plan, 1) for text in _step(n, step, width)],
    ]


def _large(verdict: str, width: int) -> Text:
    spaced = " ".join(verdict.upper().replace(" ", "  "))
    style = Style.WELL if verdict in GOOD else Style.NOT_WELL
    return line((f"   {spaced}   ".center(min(width, 80) - 2), style))


def _if_left_half(ended: RunEnded, width: int) -> list[Text]:
    if ended.damage == "nothing written":
        return []
    return [line((f" The device now: {ended.damage}."[:width], Style.CARE))]


def _each(head: str, facts: tuple[str, ...], width: int) -> list[Text]:
    lines = [Text("")] if facts else []
    for fact in facts:
        lines += paragraph(fact, width, head, rest=" " * len(head))
        head = " " * len(head)
    return lines


def _notes(view: RunView) -> tuple[str, ...]:
    return tuple(said.sentence for said in view.said if said.kind == "noted")


def _kept(kept: ArtefactKept) -> str:
    where = "in the vault, never exported" if kept.place == "vault" else "in the report"
    return f"{kept.name}, {kept.size} bytes, {where}. {kept.about}"


def _step(number: int, step: StepView, width: int) -> list[Text]:
    found = f": {step.found}" if step.found else ""
    return paragraph(f"{step.title}{found}", width, f" {step.mark} {number:>2} ", rest=" " * 6)
