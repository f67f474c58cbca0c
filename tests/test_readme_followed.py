"""The README's own commands, followed as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from console.cli import parser
from console.hardware.rights import INSTALL
from tests.processes import place

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)
PLACEHOLDERS = ("FAMILY", "PORT", "RUN", "TEXT", "FILE", "NAME", "FROM", "SCENARIO", "ID")


def commands(text: str) -> list[list[str]]:
    """The words of each `replug` in the text, up to what the shell does with it."""
    parts = re.split(r"&&|\|\||[|;\n]", text)
    words = [shlex.split(part) for part in parts]
    return [said[1:] for said in words if said and said[0].rpartition("/")[2] == "replug"]


def test_every_command_of_a_block_is_one():
    """As it is typed, options and all."""
    known = [words for block in BLOCKS for words in commands(block)]
    for words in known:
        parser().parse_args(words)

    assert ["--practice", "core-blank-key"] in known
    assert ["udev"] in known


def test_every_command_in_a_sentence_is_one():
    """Where it names no placeholder; those stand in the table."""
    inline = [said for said in re.findall(r"`(replug(?: [^`\n]+)?)`", README) if "[" not in said]
    plain = [said for said in inline if not any(word in said for word in PLACEHOLDERS)]
    for said in plain:
        parser().parse_args(shlex.split(said)[1:])

    assert len(plain) > 10


def test_replug_is_put_where_the_shell_finds_it_before_it_is_called_bare():
    """From top to bottom: the first bare command comes after the PATH."""
    first = next(number for number, block in enumerate(BLOCKS) if "replug/bin:$PATH" in block)
    bare = [
        number
        for number, block in enumerate(BLOCKS)
        if re.search(r"(?:^|&& |\| )replug\b", block, re.M)
    ]

    assert bare
    assert first < min(bare)


def test_what_is_installed_is_what_is_needed():
    """Cards are seen and opened through a service that no library brings with it."""
    (line,) = (block for block in BLOCKS if "apt-get install" in block)

    assert {"pcscd", "libpcsclite-dev", "libusb-1.0-0", "python3-venv"} <= set(line.split())


def test_the_rules_are_installed_by_the_command_that_a_refusal_names():
    """One command, in one place."""
    assert any(INSTALL in block for block in BLOCKS)


def test_the_dead_core_changes_places_with_the_mouse(tmp_path):
    """As it is told for another terminal."""
    (block,) = (block for block in BLOCKS if "core-dead pull" in block)
    with place(tmp_path, "core-dead") as made:
        for words in commands(block):
            assert words[:2] == ["--practice", "core-dead"]
            done = made.replug(*words[2:])
            assert (0, "") == (done.returncode, done.stderr)
        assert [("1-1", "046d")] == [(d["port"], d["vid"]) for d in made.json("devices")]
        assert made.replug("plug", "1-2").returncode == 0
