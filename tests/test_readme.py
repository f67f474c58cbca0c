"""The README never lies: its tables, commands and figures are compared with the program."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from console.cli import parser
from console.errors import ConsoleError
from console.events import Reason, RunEnded, Verdict
from console.families import found, scenarios
from console.following import EXIT_CODES, LEFT_WAITING, exit_code

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
HEADINGS = [
    "Devices",
    "How it is recognised",
    "Modes",
    "Wire",
    "Flows",
    "What is lost",
    "Failures",
    "Practice",
]


def rows(first: str) -> list[list[str]]:
    """The cells of the README's table whose first heading is `first`, headings left out."""
    table = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", README, re.M)
    assert table, f"no table '{first}'"
    return [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in table[1].splitlines()
    ]


def commands() -> list[list[str]]:
    """Every command of the table as its words."""
    return [row[0].strip("`").split() for row in rows("command")]


def known_commands(top: argparse.ArgumentParser, before: tuple[str, ...] = ()) -> set[str]:
    """Every command the parser knows, in full."""
    subs = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    if not subs:
        return {" ".join(before)}
    return set().union(
        *(known_commands(word, (*before, name)) for name, word in subs[0].choices.items())
    )


def test_every_command_is_in_the_table_and_every_row_is_a_command():
    """A command that is not documented, or documented and gone, fails here."""
    known = known_commands(parser())
    words = {" ".join(w for w in row[1:3] if w.isalpha() and w.islower()) for row in commands()}

    assert known == words - {""}


@pytest.mark.parametrize("row", commands(), ids=" ".join)
def test_every_option_of_the_table_is_an_option_of_the_command(row):
    """The row parses as it stands, with its placeholders filled in."""
    values = {
        "ID=VALUE": "a=b",
        "FILE.toml": "f",
        "BUTTONS": "reset",
        "ID": "1",
        "TEXT": "it hums",
        "REF": "Miller",
        "FILE": "f",
        "jsonl": "jsonl",
    }
    words = [re.sub(r"[\[\]]", "", word) for word in row[1:]]

    parser().parse_args([values.get(word, word) for word in words])


def test_the_exit_codes_are_those_of_the_program():
    """Scripts rely on them."""
    told = {int(row[0]) for row in rows("exit code")}
    of_errors = {kind.exit_code for kind in everything(ConsoleError)}

    assert told == {0, 2, LEFT_WAITING, *EXIT_CODES.values(), *of_errors}


def everything(kind: type[ConsoleError]) -> set[type[ConsoleError]]:
    """The whole tree below an error."""
    return {kind}.union(*(everything(below) for below in kind.__subclasses__()))


def test_a_run_beyond_repair_is_never_a_success_for_a_script():
    """Whatever the reason says."""
    ended = RunEnded(Verdict.BEYOND.value, Reason.DONE.value, "Dead.")

    assert exit_code(ended) == 1


def test_the_flows_are_those_of_the_families():
    """Id and title of each."""
    known = [[f.name, f"`{f.name}.{flow.name}`", flow.title] for f in found() for flow in f.flows]

    assert known == rows("family")


def test_the_practice_scenarios_are_those_of_the_simulators():
    """Name and sentence of each."""
    assert [[f"`{s.name}`", s.about] for s in scenarios()] == rows("practice scenario")


def test_every_case_has_its_row():
    """The five field cases the program exists for."""
    assert [row[0] for row in rows("case")] == ["1", "2", "3", "4", "5"]


def test_every_family_has_a_readme_with_the_same_headings():
    """A reader knows where to look."""
    for family in found():
        text = (ROOT / "console" / "families" / family.name / "README.md").read_text()

        assert re.findall(r"^## (.*)$", text, re.M) == HEADINGS


def test_the_top_level_holds_nothing_else():
    """The agreed layout."""
    agreed = {"pyproject.toml", "README.md", "console", "screens", "tests", "LICENSE"}
    seen = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    assert {name for name in seen if not name.endswith(".egg-info")} - {"build"} == agreed


def test_every_file_the_readme_names_is_there():
    """Links and paths in backticks."""
    names = re.findall(r"\]\(([^)]+)\)", README) + re.findall(
        r"`((?:console|tests|screens)/[^` ]+)[^`]*`", README
    )

    assert [name for name in names if not (ROOT / name).exists()] == []
