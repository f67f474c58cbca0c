"""The flows of a device, and one flow before it starts, as lines of text.

The rule: pure. All that a flow needs and may do is read before it starts.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from console.events import PlannedStep
from console.offers import ANY_DEVICE, DeviceCard, FlowCard, QuestionCard
from screens.cut import cut
from screens.lines import Style
from screens.words import fit, line, paragraph, rule

CONSENT = "Starting is no consent: nothing is erased or written before you typed it."

KINDS = {
    "confirm": "you type yes",
    "typed": "you type what it names",
    "secret": "not shown, kept nowhere",
}


ABOUT_CHOSEN = 5
"""Lines kept below the list for the flow that is chosen."""


def flow_list(card: DeviceCard, chosen: int, width: int, height: int) -> list[Text]:
    """The flows offered, each on one line; below them what the chosen one does and needs."""
    about = paragraph(f"{card.name}. {card.about}", width)
    if not card.flows:
        return [
            *(rule(width), *about, Text("")),
            *paragraph("No flow is offered for this device.", width),
        ]
    head = [rule(width), *about[: max(1, height // 4)], Text("")][:height]
    room = max(1, height - len(head))
    listed = _listed(card, chosen, width, max(1, min(len(card.flows), room - ABOUT_CHOSEN)))
    return [*head, *listed, *_about_chosen(card.flows[chosen], width, room - len(listed))]


def _listed(card: DeviceCard, chosen: int, width: int, height: int) -> list[Text]:
    """The lines around the chosen one; what is above and below them is counted at both ends."""
    flows = card.flows
    part = cut(len(flows), height, chosen, said=2)
    names = flow_words(flows, in_full=not card.port)
    room = max(len(name) for name in names)
    lines = [
        _listed_flow(at, at == chosen, fit(names[at], room), flows[at].title, width)
        for at in range(part.first, part.end)
    ]
    if part.hidden and height > len(lines) + 1:
        above, below = (f"    .. {n} more" if n else "" for n in (part.first, part.below))
        lines = [line((above, Style.PALE)), *lines, line((below, Style.PALE))]
    return lines


def _listed_flow(at: int, chosen: bool, name: str, title: str, width: int) -> Text:
    number = str(at + 1) if at < 9 else " "
    words = f" {'>' if chosen else ' '}{number} {name}  {title}"
    return line((fit(words, width).rstrip(), Style.STRONG if chosen else Style.PLAIN))


def _about_chosen(flow: FlowCard, width: int, height: int) -> list[Text]:
    lines = [Text(""), *paragraph(flow.about, width), *_needs(flow, width)]
    if len(lines) > height > 1:
        lines = [*lines[: height - 1], line((" .. Enter: all of it", Style.PALE))]
    return lines[: max(0, height)]


def flow_words(flows: tuple[FlowCard, ...], *, in_full: bool = False) -> tuple[str, ...]:
    """What each flow is called: its own word where that means no other one, else its whole id.

    The same as on the command line: a family's own goes before what any device has, and a
    device that is not shown has no family of its own (`in_full`).
    """
    own = [_word(flow) for flow in flows if not _is_for_any(flow)]
    alone = [own.count(_word(flow)) == (0 if _is_for_any(flow) else 1) for flow in flows]
    named = zip(flows, alone, strict=True)
    return tuple(_word(flow) if one and not in_full else flow.id for flow, one in named)


def _word(flow: FlowCard) -> str:
    return flow.id.partition(".")[2]


def _family(flow: FlowCard) -> str:
    return flow.id.partition(".")[0]


def _is_for_any(flow: FlowCard) -> bool:
    return _family(flow) == ANY_DEVICE


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


def flow_lines(flow: FlowCard, device: str, width: int) -> list[Text]:
    """One flow on the device of that name: everything worth knowing before it starts."""
    return [
        *paragraph(f"{_word(flow)} (family {_family(flow)}) on: {device}", width),
        *paragraph(flow.about, width),
        Text(""),
        *_needs(flow, width),
        Text(""),
        line((" The plan (a step that the device does not need is left out):", Style.STRONG)),
        *[_step(number, step, width) for number, step in enumerate(flow.plan, start=1)],
        Text(""),
        *_questions(flow.questions, width),
        *paragraph(
            "Starting is no consent: nothing is erased or written before you typed it.", width
        ),
    ]


def _needs(flow: FlowCard, width: int) -> list[Text]:
    return [
        *_entry("Have ready", " ".join(flow.ready) or "nothing", width),
        *_entry("Hands", flow.hands, width),
        *_entry("Keeps", flow.keeps, width),
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
