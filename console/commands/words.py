"""What commands say: to standard output, and beside it.

The rule: a reader that went away, or a full disk behind the output, is never a traceback and
never ends a run. Whoever's words they are, no terminal obeys them.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from console.letters import plain
from console.state import State, state_directory

COMMANDS = (
    *("attach", "bench", "devices", "flows", "job", "label", "log", "mark", "note", "plug"),
    *("press", "pull", "run", "runs", "stop", "ticket", "vault"),
)
"""The commands that are about one state directory."""
_COMMAND = re.compile(rf"\breplug (?=(?:{'|'.join(COMMANDS)})\b)")


def prepare() -> None:
    """What this terminal's letters cannot show is shown as an escape."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def say(*lines: str) -> None:
    """Print lines to standard output, at once."""
    for text in lines:
        print(plain(text), flush=True)  # noqa: T201 - the command's output


def say_json(value: object) -> None:
    say(json.dumps(value, indent=2, default=list))


def complain(*lines: str) -> None:
    """Print lines beside the output, if anybody can still see them."""
    for text in lines:
        if text and sys.stderr is not None:
            with suppress(OSError):
                print(plain(text), file=sys.stderr, flush=True)  # noqa: T201 - beside the output


def complete(text: str, state: State) -> str:
    """The text with each of its commands as it has to be typed for this very state directory.

    A journal and a screen name them short: where they are read, nobody may know the place.
    """
    options = _options(state)
    return _COMMAND.sub(lambda _found: f"replug {options} ", text) if options else text


def _options(state: State) -> str:
    usual = state_directory(None, state.practice)
    above = state.root.parents[1] if state.practice else state.root
    words = [] if state.root == usual.root else ["--state", str(above)]
    return shlex.join([*words, *(["--practice", state.practice] if state.practice else [])])


def fall_silent() -> None:
    """From here on nothing reaches the standard output, nor fails because of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if _is_broken(stream):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_broken(stream: TextIO | None) -> bool:
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        return True
    return False


def somebody_sits_here() -> bool:
    """Is there a person at both ends of this command?"""
    ends: Sequence[TextIO | None] = (sys.stdin, sys.stdout)
    return all(end is not None and end.isatty() for end in ends)


def technician() -> str:
    """Who gives this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # a user without a name, as in some containers
