"""Held honest: GnuPG and OpenSC use the simulated cards as they use real ones."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from console.families.openpgp.simulator_rows import GNUK, OPCARD, ZEITCONTROL_3_3, Personality
from tests.families.openpgp.hosts import Hosts

ROWS = [ZEITCONTROL_3_3, GNUK, OPCARD]
EMPTY = ["", "", ""]
WILMA = "wilma@example.org"


@pytest.fixture(scope="module")
def folder():
    """Short: a socket's whole path must fit into 108 bytes."""
    made = Path(tempfile.mkdtemp(prefix="replug-hosts-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def hosts(folder):
    """The programs, and the reader they look into."""
    made = Hosts(folder)
    yield made
    made.close()


@pytest.fixture(params=ROWS, ids=lambda row: row.name)
def row(hosts, request) -> Personality:
    """A fresh card of each kind is in the reader, and its default PINs are typed."""
    hosts.pins("123456", "12345678")
    hosts.insert(request.param.name)
    return request.param


def gpg(hosts: Hosts, *words: str, say: str = "") -> str:
    code, said = hosts.run("gpg", "--no-tty", "--status-fd", "1", *words, say=say)
    assert code == 0, said
    return said


def edit(hosts: Hosts, *lines: str) -> str:
    said = "".join(f"{line}\n" for line in (*lines, "quit"))
    return gpg(hosts, "--command-fd", "0", "--card-edit", say=said)


def status(hosts: Hosts) -> dict[str, list[str]]:
    """What `gpg --card-status` says, by the first word of each line."""
    lines = gpg(hosts, "--with-colons", "--card-status").splitlines()
    return {line.split(":")[0]: line.split(":")[1:-1] for line in lines if ":" in line}


def generate(hosts: Hosts) -> None:
    edit(hosts, "admin", "generate", "n", "0", "Wilma Test", WILMA, "")


def proven(hosts: Hosts, folder: Path) -> None:
    """What is signed with the card verifies, what is encrypted for it is read with it."""
    plain, signed, secret = folder / "plain", folder / "signed", folder / "secret"
    plain.write_text("The quick brown fox.\n")
    gpg(hosts, "--batch", "--yes", "-o", str(signed), "-s", str(plain))
    for_her = ("--batch", "--yes", "--trust-model", "always", "-r", WILMA)
    gpg(hosts, *for_her, "-o", str(secret), "-e", str(plain))

    assert "GOODSIG" in gpg(hosts, "--verify", str(signed))
    assert "The quick brown fox." in gpg(hosts, "--batch", "-o", "-", "-d", str(secret))


def test_gpg_reads_a_fresh_card(hosts, row):
    """Name, version, counters, attributes, and that there is no key."""
    said = status(hosts)
    version = row.version.hex()

    assert f"D27600012401{version}" in ":".join(said["Reader"])
    assert said["version"] == [version]
    assert said["pinretry"] == ["3", "3" if row.admin_less else "0", "3"]
    assert said["fpr"] == EMPTY


def test_gpg_makes_keys_on_the_card_and_they_work(hosts, row, folder):
    """Three keys, their fingerprints; a signature and a decryption with them."""
    generate(hosts)
    prints = status(hosts)["fpr"]
    memory = hosts.memory()

    assert [found.upper() for found in memory["fingerprints"]] == prints
    assert [key[2] for key in memory["keys"]] == ["generated"] * 3
    assert memory["signatures"] > 0
    proven(hosts, folder)


def test_gpg_moves_keys_onto_the_card_and_they_work(hosts, row, folder):
    """keytocard: RSA to the old hand, curves to the others, whose attributes change with it."""
    sign, encrypt = ("rsa2048", "rsa2048") if row is ZEITCONTROL_3_3 else ("ed25519", "cv25519")
    quick = ("--batch", "--pinentry-mode", "loopback", "--passphrase", "")
    gpg(hosts, *quick, "--quick-generate-key", f"Wilma Test <{WILMA}>", sign, "sign", "0")
    made = gpg(hosts, "--with-colons", "--list-keys", WILMA)
    own = next(line.split(":")[9] for line in made.splitlines() if line.startswith("fpr"))
    gpg(hosts, *quick, "--quick-add-key", own, encrypt, "encr", "0")
    moves = ("keytocard", "y", "1", "key 1", "keytocard", "2", "save")
    gpg(hosts, "--command-fd", "0", "--edit-key", own, say="".join(f"{m}\n" for m in moves))
    memory = hosts.memory()

    assert [key and key[2] for key in memory["keys"]] == ["imported", "imported", None]
    assert memory["fingerprints"][0].upper() == own
    assert memory["symmetric"] == ""
    proven(hosts, folder)


def test_gpg_resets_the_card(hosts, row):
    """Whatever was on it; it is as new afterwards, with all its tries."""
    generate(hosts)
    edit(hosts, "admin", "factory-reset", "y", "yes")
    said = status(hosts)

    assert said["fpr"] == EMPTY
    assert said["pinretry"] == ["3", "3" if row.admin_less else "0", "3"]
    assert hosts.memory()["keys"] == [None, None, None]


def test_opensc_reads_the_card_and_its_keys(hosts, row):
    """Both of its tools, with what is written on it."""
    generate(hosts)
    edit(hosts, "admin", "lang", "en")
    prints = hosts.memory()["fingerprints"]
    hosts.run("gpgconf", "--kill", "scdaemon")
    _, told = hosts.run("openpgp-tool", "--card-info", "--key-info", "--user-info")

    assert [found for found in prints if found not in told.replace(":", "").lower()] == []
    assert f"Version:         {row.version[0]}.{row.version[1]}" in told
    assert "Language:        en" in told
    if row.version < b"\x03":
        return  # OpenSC 0.23 sends SELECT DATA to 2.x cards and gives all of them up (fixed later)
    code, dumped = hosts.run("pkcs15-tool", "--dump")
    assert code == 0
    assert dumped.count("ModLength      : 2048") == 6
    assert dumped.count("Tries left     : 3") >= 2


def test_opensc_checks_a_pin(hosts, row):
    """A wrong one costs one try, the right one gives it back."""
    words = ("openpgp-tool", "--verify", "CHV1", "--pin")
    wrong, _ = hosts.run(*words, "654321")
    left = hosts.memory()["pins"]["pw1"][1]
    right, _ = hosts.run(*words, "123456")

    assert (wrong != 0, left) == (True, 2)
    assert (right, hosts.memory()["pins"]["pw1"][1]) == (0, 3)
