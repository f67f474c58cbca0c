"""The canary in real processes: command line, bench, practice hardware; and all that they wrote.

The rule: each secret of the family is one word that occurs nowhere else, and is looked for as it
stands, in hex, in base64, and as the card got it; in files, arguments and environments.
"""

from __future__ import annotations

import base64
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
from tests.watched import Watched

SCENARIO = "case-4"
SECRETS = {
    "pin": "kanari-neu-4711",
    "admin_pin": "kanari-admin-4712",
    "reset_code": "kanari-code-4713",
    "new_pin": "kanari-neu-4711",
    "passphrase": "kanari-satz-4714",
}
DEFAULT = {"admin_pin": "12345678"}


class Desk(Watched):
    """Runs of this family's flows, and a backup that is brought along."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.backup = folder / "brought.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        number = key.private_numbers().private_value
        sealed = BestAvailableEncryption(SECRETS["passphrase"].encode())
        self.backup.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        super().__init__(place, *spelled(number))

    def run(self, flow: str, plain: dict[str, str], secret: dict[str, str]) -> int:
        return self.perform(f"openpgp.{flow}", "1-1", plain, secret)


def spelled(number: int) -> list[bytes]:
    """What must be nowhere: as it stands, in hex, in base64, and the key's number in decimals."""
    bare = [*(word.encode() for word in SECRETS.values()), number.to_bytes(32, "big")]
    encoded = [base64.b64encode(word).rstrip(b"=") for word in bare]
    return [*bare, *(word.hex().encode() for word in bare), *encoded, str(number).encode()]


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
    files = desk.files()
    assert len(files) >= 4
    leaks = [path for path, data in files.items() if any(word in data for word in desk.secrets)]
    assert leaks == []
    assert desk.found == []
    assert not any(word in desk.said.encode() for word in desk.secrets)
    return files
