"""Answers that a command brings along: from --answer, and from a file in TOML.

The rule: a secret never stands on a command line or in an answers file; it is named by the
file or the open descriptor that it is read from. What cannot be meant is said before a run.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from console.errors import BadUsage
from console.state import SPOOLED, State, write_private

LARGEST_SECRET = 64 * 1024

Kinds = Mapping[str, str]
"""The kind ("secret", "file", ...) of each question a flow may ask."""


def collect(
    given: Sequence[str],
    file: str | None,
    kinds: Kinds,
    state: State,
    stdin: Callable[[], BinaryIO],
) -> dict[str, str]:
    """Every answer by its question's id. Raises BadUsage."""
    answers = dict(_from_file(Path(file), kinds)) if file else {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise BadUsage(f"--answer {name} has no value.", "Write it as --answer ID=VALUE.")
        _must_be_known(name, kinds)
        if kinds[name] == "secret":
            raise BadUsage(
                f"The answer to {name} is a secret and may not stand on a command line.",
                f"Write it to a file and name that: {name} = {{ file = 'PATH' }} in --answers.",
            )
        answers[name] = value
    from_stdin = [name for name, text in answers.items() if (kinds[name], text) == ("file", "-")]
    if len(from_stdin) > 1:
        raise BadUsage(
            f"The standard input can be one file only, not {' and '.join(from_stdin)}.",
            "Name the others by their paths.",
        )
    return {name: _resolved(name, text, kinds, state, stdin) for name, text in answers.items()}


def _must_be_known(name: str, kinds: Kinds) -> None:
    if name not in kinds:
        known = ", ".join(sorted(kinds)) or "none"
        raise BadUsage(f"This flow has no question {name}.", f"Its questions: {known}.")


def _from_file(path: Path, kinds: Kinds) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise BadUsage(f"The answers file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = str(error).rpartition("(")[2].rstrip(")")
        raise BadUsage(f"The answers file {path} is not TOML ({where}).") from None
    answers = table.get("answers")
    if not isinstance(answers, dict) or set(table) != {"answers"}:
        raise BadUsage(f"The answers file {path} must hold one table, [answers].")
    for name in answers:
        _must_be_known(name, kinds)
    return {name: _value(name, value, kinds) for name, value in answers.items()}


def _value(name: str, value: Any, kinds: Kinds) -> str:
    match value:
        case {"file": str(path)} if kinds[name] == "file" and len(value) == 1:
            return path
        case dict():
            return _pointed_at(name, value)
    if kinds[name] == "secret":
        raise BadUsage(
            f"The answer to {name} is a secret and stands in clear in the answers file.",
            f"Name what it is read from: {name} = {{ file = 'PATH' }} or {{ fd = 3 }}.",
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise BadUsage(f"The answer to {name} must be a text.")
    return value


def _pointed_at(name: str, value: Mapping[str, Any]) -> str:
    match value:
        case {"file": str(path)} if len(value) == 1:
            return _read_secret(name, Path(path))
        case {"fd": int(descriptor)} if len(value) == 1 and not isinstance(descriptor, bool):
            try:
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    return _one_line(name, file.read(LARGEST_SECRET + 1))
            except (OSError, OverflowError):
                raise BadUsage(f"The descriptor {descriptor} for {name} is not open.") from None
        case _:
            raise BadUsage(f"The answer to {name} must be {{ file = 'PATH' }} or {{ fd = N }}.")


def _read_secret(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _one_line(name, file.read(LARGEST_SECRET + 1))
    except OSError as error:
        raise BadUsage(f"The file for {name} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise BadUsage(f"The file for {name} has a name that no file can have.") from None


def _one_line(name: str, data: bytes) -> str:
    if len(data) > LARGEST_SECRET:
        raise BadUsage(f"What was read for {name} is larger than {LARGEST_SECRET} bytes.")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise BadUsage(f"What was read for {name} is not text.") from None


def _resolved(
    name: str, text: str, kinds: Kinds, state: State, stdin: Callable[[], BinaryIO]
) -> str:
    if kinds[name] == "secret":
        return text
    if not text.isprintable():
        raise BadUsage(f"The answer to {name} is not plain text in one line.", "Type it again.")
    if kinds[name] != "file" or not text:
        return text  # an empty answer names no file: it leaves an optional question out
    if text != "-":
        try:
            return str(Path(text).expanduser().absolute())
        except RuntimeError:
            raise BadUsage(f"There is no home directory as {text} for {name} names it.") from None
    path = state.inbox / f"{SPOOLED}{os.getpid()}-{name}"
    write_private(path, stdin().read())
    return str(path)


def standard_input() -> BinaryIO:
    """The bytes of this command's standard input. Raises BadUsage if it has none."""
    if sys.stdin is None:
        raise BadUsage("The standard input is closed, so nothing can be read from it.")
    return sys.stdin.buffer
