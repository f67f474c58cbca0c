"""An OpenPGP card in a stick of short commands, through a real kernel, driver and pcscd.

The rule: the command line alone is used, in processes of its own; what it claims is compared
with the simulated card's memory and with what gpg, a host of other people, reads.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import usbip
from core_checks import LIMIT, replug
from table import Table
from wire_checks import Wires

from console.families.openpgp.simulator import Stick, start
from console.families.openpgp.simulator_card import OpenPgpCard
from console.families.openpgp.simulator_faults import Fault, Kind
from console.families.openpgp.simulator_rows import GNUK

PORT, NUMBER, BUSID = "1-5", 4, "7-5"
SERIAL = "43211507"
WORKS = 12.0
"""Seconds that it makes a key: the host's own limit for an answer is shorter (CCID, 6.2.1)."""
GENERATE, MAKE = 0x47, 0x8000
MORE_TIME, STATUS_BYTE = 0x80, 7


class OneStick:
    """A Gnuk in port 1-5, and how often it asked for more time; made when first used."""

    made: OneStick | None = None

    def __init__(self, table: Table) -> None:
        Wires.of(table)  # whose pcscd it is
        self.table = table
        self.more_time = 0
        slow = Fault(Kind.SLOW, GENERATE, MAKE, times=9, seconds=WORKS)
        self.card = OpenPgpCard(GNUK, bytes.fromhex(SERIAL), faults=(slow,))
        power = usbip.Power()
        self.stick = self._counted(start(power.pause, self.card))
        self.export = table.server.export(BUSID, self.stick, usbip.FULL, power=power)

    def _counted(self, stick: Stick) -> Stick:
        below = stick.receive

        def receive(endpoint: int, length: int) -> bytes | None:
            message = below(endpoint, length)
            if message is not None and len(message) > STATUS_BYTE:
                self.more_time += message[STATUS_BYTE] == MORE_TIME
            return message

        stick.receive = receive  # type: ignore[method-assign]
        return stick

    @classmethod
    def of(cls, table: Table) -> OneStick:
        cls.made = cls.made or cls(table)
        return cls.made

    def plugged(self) -> OneStick:
        self.table.with_card(self.export, NUMBER)
        return self


def run(flow: str, *words: str) -> tuple[int, dict]:
    """The exit code of a flow and its last event."""
    done = replug("run", f"openpgp.{flow}", PORT, "--yes", "--json", *words)
    assert done.stdout, done
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "RunEnded", (last, done.stderr)
    return done.returncode, last


def pins() -> str:
    """A file of answers that names where the PINs are."""
    folder = Path(tempfile.mkdtemp(prefix="replug-pins-"))
    lines = ["[answers]"]
    for name, pin in (("pin", "123456"), ("admin_pin", "12345678")):
        (folder / name).write_text(pin)
        lines.append(f"{name} = {{ file = '{folder / name}' }}")
    (folder / "answers.toml").write_text("\n".join(lines))
    return str(folder / "answers.toml")


def an_openpgp_card_is_checked_through_the_kernel(table: Table) -> None:
    OneStick.of(table).plugged()
    code, last = run("check")
    assert (code, last["verdict"]) == (0, "no fault found"), last
    assert any(f"serial {SERIAL}" in fact for fact in last["proof"]), last


def an_openpgp_card_is_waited_for_while_it_asks_for_more_time(table: Table) -> None:
    stick = OneStick.of(table).plugged()
    before, began = stick.more_time, time.monotonic()
    words = ("--answers", pins(), "--answer", "slots=sign", "--answer", "algorithm=ed25519")
    code, last = run("rekey", *words)
    assert (code, last["verdict"]) == (0, "repaired"), last
    assert time.monotonic() - began > WORKS
    assert stick.more_time - before >= 5, stick.more_time
    memory = stick.card.memory.freeze()
    assert memory["keys"][0][2] == "generated", memory["keys"]
    assert any(memory["fingerprints"][0].upper() in fact for fact in last["proof"]), last


def gpg_sees_the_openpgp_key_that_our_run_made(table: Table) -> None:
    stick = OneStick.of(table).plugged()
    replug("bench", "stop")
    home = Path(tempfile.mkdtemp(prefix="replug-gpg-"))
    (home / "scdaemon.conf").write_text("disable-ccid\n")
    gpg = ["gpg", "--homedir", str(home), "--with-colons"]
    listed = subprocess.run(
        [*gpg, "--card-status"], capture_output=True, text=True, timeout=LIMIT
    ).stdout
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], timeout=LIMIT)
    prints = next((line for line in listed.splitlines() if line.startswith("fpr:")), listed)
    assert prints.split(":")[1] == stick.card.memory.freeze()["fingerprints"][0].upper(), listed


OPENPGP_CHECKS = (
    an_openpgp_card_is_checked_through_the_kernel,
    an_openpgp_card_is_waited_for_while_it_asks_for_more_time,
    gpg_sees_the_openpgp_key_that_our_run_made,
)
"""In this order: the third reads what the second has made."""
