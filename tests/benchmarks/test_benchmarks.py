"""The figures' program is what the README says, and measures what it says; no figure is judged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks.glass import Glass
from tests.benchmarks.rows import against, at_most
from tests.benchmarks.screen import percentile
from tests.benchmarks.transfers import JOBS, in_process

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_readme_names_the_command_and_its_words():
    """Each command of the README is one the program takes, and each word has its command."""
    named = set(re.findall(r"python -m tests\.benchmarks ?(\w*)", README))

    assert named == {"", "VMLINUZ", *program.WORDS}


def test_an_unknown_word_is_answered_with_the_usage(capsys):
    """And nothing is measured."""
    assert program.main(["fast"]) == 2
    assert "python -m tests.benchmarks" in capsys.readouterr().err


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_both_orders_do_the_same_work(job):
    """Otherwise a ratio would mean nothing."""
    ours, peer = in_process(job), in_process(job, each=True)

    assert ours.is_right
    assert peer.is_right
    assert ours.erased == peer.erased
    assert len(ours.erased) == 65536 // (1024 if job.alternate == 0 else 4096)


def test_a_row_says_whether_the_target_is_met():
    """And whether only its two digits do."""
    assert against("figure", 240, 432, 0.56).meets == "yes"
    assert against("figure", 243, 432, 0.56).meets == "yes, rounded"
    assert against("figure", 247, 432, 0.56).meets == "NO"
    assert at_most("figure", 513, 512, "bytes").cells()[1:] == (
        "513 bytes",
        "-",
        "-",
        "<= 512 bytes",
        "NO",
    )


def test_the_glass_shows_what_was_written_last():
    """A sequence that comes in two halves is one sequence."""
    glass = Glass()
    glass.take(b"\x1b[2J\x1b[3;5Hhere\x1b[1mX\x1b[0m\x1b[3")
    glass.take(b";5Haway\x1b[?25l")

    assert glass.row(2).rstrip() == "    awayX"


def test_the_percentile_is_the_nearest_rank():
    """Of 100 values 99 percent are at most the second greatest."""
    assert percentile([float(value) for value in range(1, 101)], 99) == 99
    assert percentile([3.0, 1.0, 2.0], 50) == 2
