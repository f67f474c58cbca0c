"""The program as whole processes, watched while they work: the canary's cage for any family.

The rule: secrets go in as they do at a real bench, each through a descriptor of its own; the
practice hardware's own memory is the simulated silicon, where a PIN and a key are at home.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.processes import Place

SILICON = ("practice.json", ".practice.json.part")


class Watched:
    """Runs of the command line on one place; `secrets` must be in nothing that is seen."""

    def __init__(self, place: Place, *secrets: bytes) -> None:
        self.place = place
        self.root = place.directory
        temporary = self.root / "tmp"
        temporary.mkdir(parents=True)
        place.environ["TMPDIR"] = str(temporary)
        self.secrets = secrets
        self.seen: dict[str, str] = {}
        """What each process of this place was started with, by its id."""
        self.found: list[str] = []
        self.said = ""

    def perform(
        self, flow: str, port: str, plain: Mapping[str, str], secret: Mapping[str, str]
    ) -> int:
        """The exit code of a run to its end."""
        lines = ["[answers]", *(f'{name} = "{value}"' for name, value in plain.items())]
        open_here = []
        for name, value in secret.items():
            read, write = os.pipe()
            os.write(write, value.encode())
            os.close(write)
            open_here.append(read)
            lines.append(f"{name} = {{ fd = {read} }}")
        brought = self.root / "answers.toml"
        brought.write_text("\n".join(lines))
        words = ("run", flow, port, "--yes", "--answers", str(brought))
        code = self._until_it_ends(words, open_here)
        for descriptor in open_here:
            os.close(descriptor)
        return code

    def _until_it_ends(self, words: tuple[str, ...], open_here: list[int]) -> int:
        process = self.place.begin(*words, pass_fds=open_here, stderr=subprocess.STDOUT)
        while True:
            try:
                said, _ = process.communicate(timeout=0.05)
            except subprocess.TimeoutExpired:
                self.look()
                continue
            self.look()
            self.said += said
            return process.returncode

    def look(self) -> None:
        """Every process of this place: what it was started with, as others may read it."""
        for number, shown in _processes():
            everything = b"".join(shown.values())
            # A host that another test runs is told a password as its maker has it told: in argv.
            if os.fsencode(self.root) not in everything:
                continue
            self.seen[number] = repr(everything)
            self.found += [
                part for part, data in shown.items() for each in self.secrets if each in data
            ]

    def files(self) -> dict[Path, bytes]:
        """Everything that was left on disk, but for the silicon."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files if path.name not in SILICON}


def _processes() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The id of each, and its arguments and environment."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parts = ("cmdline", "environ")
                yield folder.name, {part: (folder / part).read_bytes() for part in parts}
            except OSError:
                continue
