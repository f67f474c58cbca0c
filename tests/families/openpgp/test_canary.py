"""The canary in real processes: command line, bench, practice hardware; and all that they wrote.

The rule: each secret of the family is one word that occurs nowhere else, and is looked for as it
stands, in hex, in base64, and as the card got it; in files, arguments and environments.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from console.families.openpgp.simulator import RESET_CODE
from tests.processes import Place, place

SCENARIO = "case-4"
SILICON = ("practice.json", ".practice.json.part")
"""What simulated devices are kept in: a PIN of the card's is in the card."""
SECRETS = {
    "pin": "kanari-neu-4711",
    "admin_pin": "kanari-admin-4712",
    "reset_code": "kanari-code-4713",
    "new_pin": "kanari-neu-4711",
    "passphrase": "kanari-satz-4714",
}
DEFAULT = {"admin_pin": "12345678"}


class Desk:
    """Runs of the command line, each watched while it goes on."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.state = place.directory
        self.backup = folder / "brought.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        self.number = key.private_numbers().private_value.to_bytes(32, "big")
        sealed = BestAvailableEncryption(SECRETS["passphrase"].encode())
        self.backup.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        self.seen: set[str] = set()
        self.said = ""

    def spelled(self) -> list[bytes]:
        """What must be nowhere."""
        bare = [*(word.encode() for word in SECRETS.values()), self.number]
        number = str(int.from_bytes(self.number, "big")).encode()
        encoded = [base64.b64encode(word).rstrip(b"=") for word in bare]
        return [*bare, *(word.hex().encode() for word in bare), *encoded, number]

    def run(self, flow: str, plain: dict[str, str], secret: dict[str, str]) -> int:
        """The exit code; every secret comes through a descriptor of its own."""
        lines, open_here = ["[answers]"], []
        for name, value in plain.items():
            lines.append(f'{name} = "{value}"')
        for name, value in secret.items():
            read, write = os.pipe()
            os.write(write, value.encode())
            os.close(write)
            open_here.append(read)
            lines.append(f"{name} = {{ fd = {read} }}")
        answers = self.state.parent / "answers.toml"
        answers.write_text("\n".join(lines))
        code = self._watched(open_here, flow, str(answers))
        for descriptor in open_here:
            os.close(descriptor)
        return code

    def _watched(self, open_here: list[int], flow: str, answers: str) -> int:
        process = self.place.begin(
            *("run", f"openpgp.{flow}", "1-1", "--yes", "--answers", answers),
            pass_fds=open_here,
            stderr=subprocess.STDOUT,
        )
        while True:
            try:
                said, _ = process.communicate(timeout=0.05)
            except subprocess.TimeoutExpired:
                self.look()
                continue
            self.said += said
            self.look()
            return process.returncode

    def look(self) -> None:
        """Every process of this desk: what it was started with."""
        for where, data in processes():
            if str(self.state).encode() in data:
                self.seen.add(where.parts[2])
            assert not any(word in data for word in self.spelled()), where


def processes() -> Iterator[tuple[Path, bytes]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            for part in ("cmdline", "environ"):
                try:
                    yield folder / part, (folder / part).read_bytes()
                except OSError:
                    continue


@pytest.fixture
def desk(tmp_path, request):
    """A bench of the test's own, ended in the end."""
    with place(tmp_path / "state", getattr(request, "param", SCENARIO)) as made:
        yield Desk(made, tmp_path)


def test_no_secret_is_in_any_file_argument_or_environment(desk):
    """Taken, refused and brought along in vain; the private key of the backup, too."""
    plain = {"backup": str(desk.backup), "slots": "sign", "created": "1715938200"}
    given = {name: SECRETS[name] for name in ("pin", "passphrase")}
    freed = {"new_pin": SECRETS["new_pin"]}
    unblocked = desk.run("unblock", {}, freed | DEFAULT)
    restored = desk.run("restore", plain, given | DEFAULT)
    refused = desk.run("restore", plain, given | {"admin_pin": SECRETS["admin_pin"]})
    files = left_behind(desk)
    traces = [data for data in files.values() if b"apdu 00 20 00 83" in data]

    assert (unblocked, restored) == (0, 0), desk.said
    assert refused != 0
    # The command line, the bench and the practice hardware were all seen at work.
    assert len(desk.seen) >= 4
    assert traces, sorted(files)


@pytest.mark.parametrize("desk", ["openpgp-reset-code"], indirect=True)
def test_a_reset_code_is_in_no_file_argument_or_environment(desk):
    """Sent to a card that refuses it, beside the PIN that the right one sets."""
    new = {"new_pin": SECRETS["new_pin"]}
    refused = desk.run("unblock", {}, new | {"reset_code": SECRETS["reset_code"]})
    taken = desk.run("unblock", {}, new | {"reset_code": RESET_CODE})
    traces = [data for data in left_behind(desk).values() if b"apdu 00 2c 00 81" in data]

    assert (refused == 0, taken) == (False, 0), desk.said
    assert len(traces) == 2


def left_behind(desk: Desk) -> dict[Path, bytes]:
    """Every file that was written; none has a secret, and nothing was said that has one."""
    files = {path: path.read_bytes() for path in desk.state.rglob("*") if path.is_file()}
    # What the card holds for good is the card's: its memory is the simulated silicon.
    silicon = {path for path in files if path.name in SILICON}
    assert len(files) - len(silicon) >= 4
    for path, data in files.items():
        if path not in silicon:
            assert not any(word in data for word in desk.spelled()), path
    assert not any(word in desk.said.encode() for word in desk.spelled())
    return files
