"""Following a run in a plain terminal: its lines as they come, questions where somebody sits.

The rule: the run belongs to the bench. Ctrl-C, a closed pipe or a dropped line leave it be.
"""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable
from typing import TextIO

from console.errors import BadUsage, BenchError
from console.events import Reason, RunEnded, Verdict, to_json
from console.journal import Record, Tail
from console.link import Link
from console.state import State
from console.views import QuestionView, RunView, fold_run
from console.wording import line

LEFT_WAITING = 6

EXIT_CODES = {
    Reason.DONE: 0,
    Reason.FAULT: 1,
    Reason.FAILED: 1,
    Reason.INTERRUPTED: 1,
    Reason.UNANSWERED: 3,
    Reason.GATE: 5,
    Reason.STOPPED: 130,
}


def exit_code(ended: RunEnded) -> int:
    """The exit code a command gives for the end of a run."""
    if ended.verdict == Verdict.BEYOND:
        return 1
    return EXIT_CODES.get(Reason(ended.reason), 1)


class Follower:
    """Prints a run until it ends; answers its questions from the terminal if there is one."""

    def __init__(
        self, link: Link, state: State, run: str, out: TextIO, *, as_json: bool, interactive: bool
    ) -> None:
        self._link = link
        self._run = run
        self._tail = Tail(state.journal(run))
        self._out = out
        self._as_json = as_json
        self._interactive = interactive
        self._answered = 0
        self.view = RunView()

    def follow(self) -> int:
        """The exit code: the run's, or "left waiting"."""
        try:
            return self._until_end()
        except KeyboardInterrupt:
            return self._left()

    def _until_end(self) -> int:
        gone = False
        while True:
            for record in self._tail.new():
                self.view = fold_run(self.view, record)
                self._print(record)
            if self.view.ended is not None:
                return exit_code(self.view.ended)
            if gone:
                raise BenchError(
                    f"The bench has ended while run {self._run} went on.",
                    "Its next start closes the run; then run the repair again.",
                )
            if self.view.question is not None and not self._ask(self.view.question):
                return self._left()
            gone = "gone" in self._next_nudge()

    def _next_nudge(self) -> dict[str, object]:
        nudge = self._link.nudges.get()
        while not self._link.nudges.empty() and "gone" not in nudge:
            nudge = self._link.nudges.get()
        return nudge

    def _left(self) -> int:
        words = f"Run {self._run} goes on without you. See it: replug attach {self._run}"
        print(f"{words}; stop it: replug stop {self._run}", file=sys.stderr)  # noqa: T201
        return LEFT_WAITING

    def _print(self, record: Record) -> None:
        shown = line(record.event, self.view)
        text = json.dumps(as_object(record)) if self._as_json else shown
        if text:
            print(text, file=self._out, flush=True)

    def _ask(self, question: QuestionView) -> bool:
        """Put the open question to the terminal once; False if nobody sits there."""
        if not self._interactive:
            return False
        if question.number > self._answered:
            self._answered = question.number
            answer = read_answer(question, input, getpass.getpass)
            try:
                by = getpass.getuser()
                self._link.ask("answer", run=self._run, question=question.id, answer=answer, by=by)
            except BadUsage:
                pass  # somebody else answered it first
        return True


def read_answer(
    question: QuestionView, read: Callable[[str], str], read_secret: Callable[[str], str]
) -> str:
    """One line from the person; consent is typed out, an empty line never consents."""
    if question.kind == "secret":
        return read_secret(f"   {question.id} > ")
    hint = {
        "confirm": "type yes or no",
        "typed": f"type {question.must_type}",
        "choice": " or ".join(question.choices),
    }.get(question.kind, "Enter alone: not checked" if question.optional else "")
    while True:
        answer = read(f"   {question.id}{f' ({hint})' if hint else ''} > ").strip()
        if _is_answer(question, answer):
            return answer


def _is_answer(question: QuestionView, answer: str) -> bool:
    match question.kind:
        case "confirm":
            return answer in ("yes", "no")
        case "typed":
            return answer == question.must_type
        case "choice":
            return answer in question.choices
        case _:
            return bool(answer) or question.optional


def as_object(record: Record) -> dict[str, object]:
    """A record as `--json` prints it: the event's own fields, its number and its time."""
    return {"n": record.number, "at": record.at, **to_json(record.event)}
