"""The program as whole processes: command line, bench, practice hardware; watched while they work.

The rule: secrets go in as they do at a real bench, each through a descriptor of its own; the
practice hardware's own memory is the simulated silicon, where a PIN and a key are at home.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.processes import Place

SILICON = ("practice.json", ".practice.json.part")
SECRET = ("pin", "new_pin", "so_pin", "share_passwords", "second_pin")


class Desk:
    """Runs of the command line on one place; `secrets` must be in nothing that is seen."""

    def __init__(self, place: Place, *secrets: bytes) -> None:
        self.place = place
        self.root = place.directory
        self.temporary = self.root / "tmp"
        self.temporary.mkdir(parents=True)
        place.environ["TMPDIR"] = str(self.temporary)
        self.secrets = secrets
        self.seen: dict[str, str] = {}
        """What each process of this desk was started with, by its id."""
        self.found: list[str] = []
        self.said = ""

    def run(self, flow: str, port: str, **answers: str) -> int:
        """The exit code of a run to its end."""
        lines, open_here = ["[answers]"], []
        for name, value in answers.items():
            if name not in SECRET:
                lines.append(f'{name} = "{value}"')
                continue
            read, write = os.pipe()
            os.write(write, value.encode())
            os.close(write)
            open_here.append(read)
            lines.append(f"{name} = {{ fd = {read} }}")
        brought = self.root / "answers.toml"
        brought.write_text("\n".join(lines))
        code = self._watched(open_here, f"smartcardhsm.{flow}", port, str(brought))
        for descriptor in open_here:
            os.close(descriptor)
        return code

    def _watched(self, open_here: list[int], flow: str, port: str, answers: str) -> int:
        words = ("run", flow, port, "--yes", "--answers", answers)
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
        """Every process of this desk: what it was started with, as others may read it."""
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

    def card(self, port: str) -> dict[str, Any]:
        """The state of the card in a port, as the practice hardware keeps it."""
        kept = json.loads((self.place.state.root / "practice.json").read_text())
        return _applet(kept["slots"][port])

    def private_numbers(self, port: str) -> list[bytes]:
        """Every private number of every key on that card."""
        numbers: list[int] = []
        for _, frozen in self.card(port)["keys"]:
            key = serialization.load_der_private_key(bytes.fromhex(frozen["key"]), None)
            if isinstance(key, rsa.RSAPrivateKey):
                numbers += [key.private_numbers().d, key.private_numbers().p]
            else:
                numbers.append(key.private_numbers().private_value)
        return [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in numbers]


def _applet(kept: Any) -> dict[str, Any]:
    """Where in the device's state the card is, the device knows."""
    if isinstance(kept, dict) and "applet" in kept:
        return kept["applet"]
    inside = kept.values() if isinstance(kept, dict) else kept if isinstance(kept, list) else ()
    return next((found for one in inside if (found := _applet(one))), {})


def _processes() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The id of each, and its arguments and environment."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parts = ("cmdline", "environ")
                yield folder.name, {part: (folder / part).read_bytes() for part in parts}
            except OSError:
                continue
