"""The flows of a device, and one flow before it starts, as lines of text.

The rule: pure. All that a flow needs and may do is read before it starts.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from console.cards import DeviceCard, FlowCard, QuestionCard
from console.events import PlannedStep
from screens.lines import Style
from screens.words import fit, line, paragraph, rule

CONSENT = "Starting is no consent: nothing is erased or written before you typed it."

KINDS = {
    "confirm": "you type yes",
    "typed": "you type what it names",
    "secret": "not shown, kept nowhere",
}


def flow_list(card: DeviceCard, chosen: int, width: int) -> list[Text]:
    """The flows offered, numbered."""
    lines = [rule(width), *paragraph(f"{card.name}. {card.about}", width), Text("")]
    if not card.flows:
        return [*lines, *paragraph("No flow is offered for this device.", width)]
    for at, flow in enumerate(card.flows):
        mark = ">" if at == chosen else " "
        style = Style.STRONG if at == chosen else Style.PLAIN
        lines += paragraph(flow.title, width, f" {mark}{at + 1} ", style)
        lines += paragraph(flow.about, width, "    ")
        lines += [Text("")]
    return lines


def ways_in(ladders: tuple[FlowCard, ...], where: str) -> Callable[[int], list[Text]]:
    """The ladders, numbered, above what the manual says of a device that is not shown."""

    def lines(width: int) -> list[Text]:
        head = f" What is it, {where}? A number shows how it is found out. It sends nothing."
        return [
            rule(width),
            line((fit(head, width).rstrip(), Style.STRONG)),
            *(line(fit(f"   {n} {way.title}", width).rstrip()) for n, way in enumerate(ladders, 1)),
        ]

    return lines


def flow_lines(flow: FlowCard, width: int) -> list[Text]:
    """One flow: everything worth knowing before it starts."""
    return [
        *paragraph(flow.about, width),
        Text(""),
        *_entry("Have ready", " ".join(flow.ready) or "nothing", width),
        *_entry("Hands", flow.hands, width),
        *_entry("Keeps", flow.keeps, width),
        Text(""),
        line((" The plan (a step that the device does not need is left out):", Style.STRONG)),
        *[_step(number, step, width) for number, step in enumerate(flow.plan, start=1)],
        Text(""),
        *_questions(flow.questions, width),
        *paragraph(
            "Starting is no consent: nothing is erased or written before you typed it.", width
        ),
    ]


def _entry(head: str, words: str, width: int) -> list[Text]:
    return paragraph(words, width, f" {head:<11} ", rest=" " * 13) if words else []


def _step(number: int, step: PlannedStep, width: int) -> Text:
    room = width - len(step.usual) - 8
    return line(f"   {number:>2} {fit(step.title, room)} {step.usual}"[:width])


def _questions(questions: tuple[QuestionCard, ...], width: int) -> list[Text]:
    if not questions:
        return [line(" It asks nothing."), Text("")]
    lines = [line((" It will ask:", Style.STRONG))]
    for question in questions:
        how = KINDS.get(question.kind, "")
        lines += paragraph(f"{question.ask} {f'({how})' if how else ''}", width, "    - ")
    return [*lines, Text("")]
