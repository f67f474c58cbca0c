"""A run as a few plain lines, to paste into a forum or a ticket.

The rule: at most 40 lines of 78 columns, and nothing in it that belongs to a customer: no job, no
typed answer, no whole serial, no other device. A choice is a word of the program's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from console.events import Asked, RunEnded
from console.journal import Record
from console.letters import cells, harmless, pieces
from console.strangers import hide
from console.views import RunView, run_view

LINES, COLUMNS = 40, 78
INDENT = "   "
SHORTEST_SECRET = 4
"""Letters from which a typed answer is struck out wherever it stands; "yes" is no secret."""


def ticket(records: tuple[Record, ...]) -> str:
    """The lines, each with its line end."""
    view = run_view(hide(records))
    ours = {word for r in records if isinstance(r.event, Asked) for word in r.event.choices}
    typed = {view.job, *(given.answer for given in view.answers)} - ours
    lines = [piece for words in _parts(view) for piece in _wrapped(_harmless(words, view, typed))]
    if len(lines) > LINES:
        left = len(lines) - LINES + 1
        more = f"({left} more lines in the record: replug log export {view.run})"
        lines = [*lines[: LINES - 1], more]
    return "".join(f"{line}\n" for line in lines)


def _parts(view: RunView) -> Iterator[str]:
    """What to say, the most important first."""
    practice = f" PRACTICE ({view.practice}), no real device." if view.practice else ""
    yield f"Replug {view.version}, {view.flow}, run {view.run}, {view.started[:16]} UTC.{practice}"
    yield f"Device: {' '.join(view.name.split())}"
    ids = (f"{d.vid}:{d.pid} {d.product}".strip() for d in view.seen_as if d.vid)
    yield f"Seen as: {', '.join(dict.fromkeys(ids)) or 'nothing: it was not shown'}"
    yield from _verdict(view.ended) if view.ended else ("Not ended.",)
    for number, step in enumerate(view.plan, start=1):
        found = f": {step.found}" if step.found else ""
        yield f" {step.mark} {number} {step.title}{found}"
    yield from _said(view)


def _verdict(ended: RunEnded) -> Iterator[str]:
    yield f"{ended.verdict.upper()}. {ended.sentence} {ended.advice}".rstrip()
    yield f"Damage class: {ended.damage}."
    yield from (f"Proof: {fact}" for fact in ended.proof)
    yield from (f"Warning: {warning}" for warning in ended.warnings)
    yield from (f"Still to do: {rest}" for rest in ended.to_do)


def _said(view: RunView) -> Iterator[str]:
    for said in view.said:
        if said.kind != "noted":  # a note is for the bench: it may name anybody
            yield f" {said.mark} {said.sentence} {said.advice}".rstrip()


def _harmless(text: str, view: RunView, typed: Iterable[str]) -> str:
    for serial in _longest_first(known.serial for known in view.seen_as):
        short = f"..{serial[-4:]}" if len(serial) > SHORTEST_SECRET else ".."
        # An id is the same in capitals.
        text = short.join(re.split(re.escape(serial), text, flags=re.IGNORECASE))
    for answer in _longest_first(typed):
        if len(answer) >= SHORTEST_SECRET and answer not in ("(given)", "not checked"):
            text = text.replace(answer, "(given)")
    return harmless(text)


def _longest_first(words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word}, key=len, reverse=True)


def _wrapped(text: str) -> list[str]:
    """The words in lines of at most COLUMNS cells; a letter may take two."""
    lines: list[str] = []
    current = text[: len(text) - len(text.lstrip())]
    for word in text.split():
        for piece in pieces(word, COLUMNS - len(INDENT)):
            joined = f"{current} {piece}" if current.strip() else current + piece
            if current.strip() and cells(joined) > COLUMNS:
                lines.append(current)
                joined = INDENT + piece
            current = joined
    return [*lines, current]
