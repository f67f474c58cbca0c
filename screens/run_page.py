"""A run as lines of text: the plan, what a pull would cost, whose turn it is, the question.

The rule: pure; a view, a clock's reading and a size go in. "May it be pulled" is always there.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from console.picture import Progress
from console.views import (
    QuestionView,
    RunView,
    Said,
    StepView,
    WaitView,
    clock_of,
    meanwhile,
)
from console.wording import ACTS
from screens.cut import cut
from screens.lines import Style
from screens.words import fit, line, paragraph, port_words, rule, span

STYLE_OF_MARK = {"x": Style.GOOD, "~": Style.STRONG, "?": Style.CARE, "!": Style.DANGER}

HOW_TO_ANSWER = {
    "confirm": "Type yes to go on, no to stop here. Enter alone does nothing.",
    "secret": "What you type is not shown, and kept nowhere.",
    "file": "Type the path of the file.",
}


@dataclass(frozen=True)
class RunLook:
    """What stands around a run: progress, the clock's reading, when this screen was away."""

    progress: Progress | None = None
    now: float = 0.0
    away: tuple[str, str] = ("", "")
    troubles: tuple[str, ...] = ()


def header(view: RunView, where: str, width: int) -> Text:
    """Where, what, for which job, on which device."""
    practice = " PRACTICE " if view.practice else ""
    flow = view.flow.partition(".")[2].upper()
    job = f"  job {view.job}" if view.job else ""
    name = " ".join(view.name.split())
    rest = fit(f"{job}  {name}", max(4, width - len(f"{practice} {where}  {flow}")))
    return line((practice, Style.CHOSEN), f" {where}  ", (flow, Style.STRONG), rest)


def clock(view: RunView, width: int) -> Text:
    """The run, and when something last happened in it."""
    return line(f"run {view.run} {clock_of(view.at, seconds=True)} ".rjust(width))


def run_lines(view: RunView, look: RunLook, width: int, height: int) -> list[Text]:
    """The page of a run that goes on. What was said gives way first, then the plan, then hands.

    The question is whole whatever the height: it stands right above the line to type on.
    """
    pull = pull_line(view, width)
    asked = question_lines(view.question, width)[-height:] if view.question else []
    turn = [*_hands(view, width), *_waiting(view, look, width)]
    troubles = [text for words in look.troubles for text in trouble_lines(words, width)]
    room = height - sum(map(len, (troubles, pull, asked, turn))) - RULES
    steps = max(0, min(PLAN_LEAST, room), min(len(view.steps), room - 1 - SAID_LEAST))
    space = room - steps - bool(turn)
    said = _said(view, look, width, max(0, space - 1))
    left = max(0, space - len(said) - bool(said) - bool(asked))
    plan = _plan(view, width, min(len(view.steps), steps + left))
    top = [rule(width, "" if plan else _which_step(view)), *troubles, *plan, *pull]
    below = [*_apart(turn, space), *_apart(said, space)]
    body = [*top, *below][: max(0, height - len(asked))]
    gap = height - len(body) - len(asked)
    return [*body, *([Text("")] * gap), *asked]


RULES = 2
"""Lines above and below the plan."""
PLAN_LEAST = 3
SAID_LEAST = 5
"""Lines that the plan and what was said have while there is room for them."""


def _apart(lines: list[Text], space: int) -> list[Text]:
    """The lines after a blank one, if there is space for that."""
    return [*([Text("")] if lines and space >= 0 else []), *lines]


def trouble_lines(words: str, width: int) -> list[Text]:
    """What is wrong with the bench itself, or with a permission."""
    return paragraph(words, width, " ! ", Style.DANGER, "   ")


# --- the plan -----------------------------------------------------------------------------


TITLE_LEAST = 20
"""Cells of a step's title that stay beside what was found."""


def _plan(view: RunView, width: int, height: int) -> list[Text]:
    """The steps around the one in hand; the rule below them counts the others."""
    steps = view.plan
    if not height:
        return []
    part = cut(len(steps), height, _in_hand(steps), said=0)
    room = min(max((len(step.title) for step in steps), default=0), width - 42)
    numbered = list(enumerate(steps, start=1))[part.first : part.end]
    rows = [_step(number, step, room, width) for number, step in numbered]
    return [*rows, rule(width, part.more("step"))]


def _in_hand(steps: tuple[StepView, ...]) -> int:
    """Which step goes on, asks, or is the next."""
    first = next((at for at, step in enumerate(steps) if step.mark in "~? "), len(steps) - 1)
    return next((at for at, step in enumerate(steps) if step.mark in "~?"), first)


def _which_step(view: RunView) -> str:
    """What is said of the plan where no line of it has room."""
    return f"step {_in_hand(view.plan) + 1} of {len(view.plan)}" if view.plan else ""


def _step(number: int, step: StepView, room: int, width: int) -> Text:
    """Its title and what was found: both whole if they can be, or else what was found."""
    tail = step.found or (step.usual if step.mark in " ~?" else "")
    left = width - 8 - cell_len(tail)
    if left >= len(step.title):
        room = min(max(room, len(step.title)), left)
    elif left >= TITLE_LEAST:
        room = min(room, left)
    words = f" {step.mark} {number:>2} {fit(step.title, room)}  {tail}"
    return line((fit(words, width).rstrip(), STYLE_OF_MARK.get(step.mark, Style.PLAIN)))


# --- what a pull costs ----------------------------------------------------------------------


def pull_line(view: RunView, width: int) -> list[Text]:
    """ "SAFE" or "DO NOT UNPLUG", in words first."""
    safe = (view.wait.safe if view.wait else "") or view.safe
    if view.may_pull:
        return paragraph(safe, width, " SAFE: ", Style.GOOD, "       ")
    lost = f"IF IT IS PULLED NOW: {view.damage}."
    return [
        *paragraph(safe, width, "  * *  DO NOT UNPLUG.  * *  ", Style.DANGER, "       "),
        *paragraph(lost, width, "       "),
    ]


# --- whose turn -----------------------------------------------------------------------------


def _hands(view: RunView, width: int) -> list[Text]:
    if not view.checklist:
        return []
    boxes = {"x": "[x]", "<": "[ ]", " ": "[ ]"}
    where = f", {port_words(view.port)}" if view.port else ""
    lines = [line((f" YOUR HANDS{where}:", Style.STRONG))]
    for hand in view.checklist:
        now = hand.mark == "<"
        words = f"{hand.text}   <--- NOW" if now else hand.text
        style = Style.STRONG if now else Style.PLAIN
        lines += paragraph(words, width, f"   {boxes.get(hand.mark, hand.mark)} ", style, " " * 7)
    return lines


def counts(view: RunView) -> bool:
    """Is there a time that passes and is worth a tick each second?"""
    going = view.current is not None and view.current.mark == "~"
    going = going and view.question is None
    return view.ended is None and (view.wait is not None or going)


def _waiting(view: RunView, look: RunLook, width: int) -> list[Text]:
    if view.wait is not None:
        return paragraph(_wait_words(view.wait, look.now), width)
    step = view.current
    if step is None or step.mark != "~" or view.question is not None:
        return []
    words = f"{step.title}: {_elapsed(step.began_mono, look.now)}"
    usual = f"   (usual: {step.usual})" if step.usual else ""
    return [*paragraph(words + usual, width), *_progress(look.progress, width)]


def _wait_words(wait: WaitView, now: float) -> str:
    usual = f"mostly {span(wait.usual)}" if wait.usual else ""
    limit = f"I wait {span(wait.limit)}" if wait.limit else ""
    around_it = "; ".join(part for part in (usual, limit) if part)
    words = f"Waiting {_elapsed(wait.since_mono, now)} for {wait.what}."
    parts = (words, f"  ({around_it})" if around_it else "", _window(wait, now), _who_acts(wait))
    return " ".join(part for part in parts if part)


def _window(wait: WaitView, now: float) -> str:
    """The time that the device itself gives, counted down once it counts."""
    left = wait.left(now)
    if left is not None:
        return f"IT COUNTS: {span(left)} LEFT." if left else "Its time is over."
    return f"It gives {span(wait.window)}, counted from plug-in." if wait.window else ""


def _who_acts(wait: WaitView) -> str:
    """Without hands to show, who acts must be said."""
    return "" if wait.hands else ACTS.get(wait.acts, "")


def _elapsed(since: float, now: float) -> str:
    return span(max(0.0, now - since))


def _progress(progress: Progress | None, width: int) -> list[Text]:
    if progress is None or not 0 < progress.done < progress.total:
        return []
    filled = 30 * progress.done // progress.total
    words = f"{progress.what}: {progress.done} of {progress.total}"
    return [line(fit(f" [{'#' * filled}{'.' * (30 - filled)}]  {words}", width).rstrip())]


# --- what was said ---------------------------------------------------------------------------


def _said(view: RunView, look: RunLook, width: int, height: int) -> list[Text]:
    """The last sentences that fit, whole ones, the newest always."""
    lines = _away(view, look, width)
    for said in reversed(view.said):
        more = _sentence(said, width)
        if len(more) + len(lines) > height:
            break
        lines = [*more, *lines]
    return lines


def _sentence(said: Said, width: int) -> list[Text]:
    style = Style.CARE if said.mark == "!" else Style.PLAIN
    return paragraph(f"{said.sentence} {said.advice}", width, f" {said.mark} ", style, "   ")


def _away(view: RunView, look: RunLook, width: int) -> list[Text]:
    since, until = look.away
    if not since or until < view.started:
        return []
    happened = meanwhile(view, since, until)
    what = f"Meanwhile: {' '.join(happened[-3:])}" if happened else "Meanwhile: nothing new."
    times = f"{clock_of(since, True)} - {clock_of(until, True)}"
    words = f"You were away {times} (line dropped). {what}"
    return paragraph(words, width, " ", Style.CARE)[:3]


# --- the question ------------------------------------------------------------------------------


def question_lines(question: QuestionView, width: int) -> list[Text]:
    """The question, and how it is answered."""
    asked = paragraph(question.text, width, " ", Style.STRONG)
    return [*asked, *paragraph(how_to_answer(question), width)]


def how_to_answer(question: QuestionView) -> str:
    """What to type."""
    if question.kind == "typed":
        return f"Type {question.must_type} to go on. Enter alone does nothing."
    if question.kind == "choice":
        choices = ", ".join(f"{n} {word}" for n, word in enumerate(question.choices, start=1))
        words = f"{choices} (number or word)."
    else:
        words = HOW_TO_ANSWER.get(question.kind, "Type it, then Enter.")
    return f"{words} Enter alone: not checked." if question.optional else words
