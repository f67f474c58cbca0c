"""Following a run in a plain terminal: its lines as they come, questions where somebody sits.

The rule: the run belongs to the bench. Ctrl-C, a closed pipe or a dropped line leave it be.
"""

from __future__ import annotations

import getpass
import json
import os
import queue
import select
import sys
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TextIO

from console.codec import to_json
from console.commands.words import complain, complete, fall_silent, technician
from console.errors import BadUsage, BenchError, TornJournal
from console.events import Event, Reason, RunEnded, Verdict
from console.history import interruption
from console.journal import Record, Tail, replay
from console.link import Link, holder
from console.state import State
from console.views import QuestionView, RunView, fold_run, run_view
from console.wording import line

LEFT_WAITING = 6

LOOK_AGAIN = 1.0
"""Seconds between two looks at the journal: a nudge can get lost."""
LONGEST_LINE = 4096
"""Bytes of a line as a terminal gives them out at most (N_TTY_BUF_SIZE)."""
LAST_LOOKS = 3
"""Looks at the journal after the bench has gone: somebody else may be closing the run."""

EXIT_CODES: Mapping[str, int] = {
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
    return EXIT_CODES.get(ended.reason, 1)


class _Settled(Exception):
    """The question on the terminal was answered elsewhere, or its run is no more."""


class Follower:
    """Prints a run until it ends; answers its questions from the terminal if there is one."""

    def __init__(
        self, link: Link, state: State, run: str, out: TextIO, *, as_json: bool, interactive: bool
    ) -> None:
        self._link = link
        self._state = state
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
        except (KeyboardInterrupt, EOFError):
            return self.left()
        except OSError:
            fall_silent()  # who read our output, or the terminal itself, has gone
            return self.left()

    def _until_end(self) -> int:
        gone = 0
        while True:
            self._read_on()
            if self.view.ended is not None:
                return exit_code(self.view.ended)
            if gone and (gone >= LAST_LOOKS or not holder(self._state)):
                return self._bench_gone()
            if self.view.question is not None and not gone and not self._ask(self.view.question):
                return self.left()
            gone += self._pause() or gone > 0

    def _read_on(self) -> None:
        for record in self._tail.new():
            self.view = fold_run(self.view, record)
            self._show(record)

    def _show(self, record: Record) -> None:
        show(self._out, self._state, record.event, self.view, as_object(record), self._as_json)

    def _pause(self) -> bool:
        """Wait until it is worth looking again; True once the bench has gone."""
        gone = False
        with suppress(queue.Empty):
            gone = "gone" in self._link.nudges.get(timeout=LOOK_AGAIN)
            while not gone:
                gone = "gone" in self._link.nudges.get_nowait()
        return gone

    def _bench_gone(self) -> int:
        """The run died with its bench; the next bench writes the same into its journal."""
        if holder(self._state):
            raise BenchError(
                f"The line to the bench broke while run {self._run} went on.",
                f"See it: replug attach {self._run}",
            )
        return show_interruption(self._state, self.view, self._out, self._as_json)

    def left(self) -> int:
        """Leave the run to the bench."""
        told = (
            f"Run {self._run} goes on without you. See it: replug attach {self._run}; "
            f"stop it: replug stop {self._run}"
        )
        complain(complete(told, self._state))
        return LEFT_WAITING

    def _ask(self, question: QuestionView) -> bool:
        """Put the open question to the terminal once; False if nobody sits there."""
        if not self._interactive:
            return False
        if question.number > self._answered:
            self._answered = question.number
            with suppress(BadUsage, _Settled):  # somebody else answered it first
                answer = read_answer(question, self._typed, getpass.getpass)
                self._link.ask(
                    "answer",
                    run=self._run,
                    question=question.id,
                    answer=answer,
                    by=technician(),
                )
        return True

    def _typed(self, prompt: str) -> str:
        """One line; keys that were pressed before the question was shown do not answer it.

        Raises EOFError, and _Settled when there is nothing to answer any more.
        """
        asked = self.view.question
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        print(prompt, end="", file=self._out, flush=True)
        while not select.select([sys.stdin], [], [], LOOK_AGAIN)[0]:
            self._read_on()
            if self.view.question != asked or self._link.is_gone:
                raise _Settled
        line = os.read(sys.stdin.fileno(), LONGEST_LINE)
        if not line:
            raise EOFError
        return line.decode(errors="replace")


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
        if question.must_type and answer.casefold() == question.must_type.casefold():
            return question.must_type  # an id, in whatever capitals
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


def show(
    out: TextIO,
    state: State,
    event: Event,
    view: RunView,
    fields: dict[str, object],
    as_json: bool,
) -> None:
    """Print one event as a line, if it needs one; `view` is the run's after it."""
    text = json.dumps(fields) if as_json else complete(line(event, view), state)
    if text:
        print(text, file=out, flush=True)


def show_interruption(state: State, view: RunView, out: TextIO, as_json: bool) -> int:
    """Print the end of a run that died and is not closed yet; its exit code."""
    ended = interruption(view)
    show(out, state, ended, view, {"n": 0, "at": view.at, **to_json(ended)}, as_json)
    return exit_code(ended)


def show_past(state: State, run: str, out: TextIO, *, as_json: bool) -> int:
    """Print a run that nobody performs any more; its exit code. Raises TornJournal."""
    read = replay(state.journal(run))
    view = run_view(read.records)
    for record in read.records:
        show(out, state, record.event, view, as_object(record), as_json)
    if read.broken:
        raise TornJournal(f"The journal of run {run} does not hold together: {read.broken}.")
    if view.ended is None:
        return show_interruption(state, view, out, as_json)
    return exit_code(view.ended)
