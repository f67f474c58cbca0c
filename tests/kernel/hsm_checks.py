"""A Nitrokey HSM as a reader with its card, through a real kernel, a real pcscd and other hosts.

The rule: the command line alone is used, in processes of its own; what it claims is compared
with the simulated card and with what OpenSC's programs, hosts of other people, read.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

import usbip
from core_checks import LIMIT, replug
from table import Table
from wire_checks import Wires

from console.families.smartcardhsm.simulator import PIN, SHARE, HsmStick, initialised
from console.families.smartcardhsm.simulator_card import HsmCard
from console.families.smartcardhsm.simulator_rows import HSM_3_4, INSTANT
from console.protocols import tlv
from tests.families.smartcardhsm.simulated import Bench

PORT, NUMBER, BUSID = "1-8", 7, "7-9"
SERIAL = "DENK0109001"
DESCRIPTION = bytes.fromhex("00d7c401")
"""UPDATE BINARY of the description of key 1."""


class Stick:
    """The stick in port 1-8; made when first used."""

    made: Stick | None = None

    def __init__(self, table: Table) -> None:
        Wires.of(table)  # pcscd
        self.table = table
        power = usbip.Power()
        self.card = initialised(HsmCard(HSM_3_4, SERIAL, pace=INSTANT))
        stick = HsmStick(power.pause, self.card)
        self.export = table.server.export(BUSID, stick, usbip.FULL, power=power)

    @classmethod
    def plugged(cls, table: Table) -> Stick:
        """The stick in its port, its card known to pcscd."""
        cls.made = cls.made or cls(table)
        table.with_card(cls.made.export, NUMBER)
        return cls.made


def run(flow: str, *words: str) -> dict:
    """The last event of a run."""
    done = replug("run", f"smartcardhsm.{flow}", PORT, "--yes", "--json", *words)
    assert done.stdout, done
    return json.loads(done.stdout.splitlines()[-1])


def backup(folder: Path) -> Path:
    """A key that another card of the same DKEK wrapped, as sc-hsm-tool writes it."""
    bench = Bench(HSM_3_4).set_up(SHARE)
    bench.generate(1)
    blob, _ = bench.wrap(1)
    file = folder / "wrapped.bin"
    file.write_bytes(tlv.encode(0x30, tlv.encode(0x04, blob)))
    return file


def an_hsm_is_checked_through_the_kernel(table: Table) -> None:
    Stick.plugged(table)
    device = table.seen.at(PORT)
    assert (device.vid, device.pid, device.product) == ("20a0", "4230", "Nitrokey HSM"), device
    last = run("check")
    assert last["verdict"] == "no fault found", last
    assert SERIAL in json.dumps(last), last


def sc_hsm_tool_reads_the_hsm_that_we_checked(table: Table) -> None:
    Stick.plugged(table)
    reader = table.seen.at(PORT).cards[0].reader
    command = ["sc-hsm-tool", "--reader", reader]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    said = done.stdout + done.stderr
    assert re.search(r"Version +: 3\.4\n", said), said
    assert re.search(r"SO-PIN tries left +: 15\n", said), said
    assert re.search(r"User PIN tries left +: 3\n", said), said


def an_hsm_pulled_in_a_restore_is_unfinished_and_its_key_is_there(table: Table) -> None:
    stick = Stick.plugged(table)
    with tempfile.TemporaryDirectory() as name:
        file, pin = backup(Path(name)), Path(name) / "pin"
        pin.write_bytes(PIN)
        answers = Path(name) / "answers.toml"
        answers.write_text(f"[answers]\nbackup = {str(file)!r}\npin = {{ file = {str(pin)!r} }}\n")
        stick.export.pull = lambda transfer: DESCRIPTION in transfer.data
        last = run("restore", "--answers", str(answers))
        assert last["verdict"] == "unfinished", last
        assert "unplugged" in last["sentence"], last
        stick.export.pull = None
        assert set(stick.card.applet.keys) == {1}
        table.seen.until(lambda seen: seen.at(PORT) is None)


HSM_CHECKS = (
    an_hsm_is_checked_through_the_kernel,
    sc_hsm_tool_reads_the_hsm_that_we_checked,
    an_hsm_pulled_in_a_restore_is_unfinished_and_its_key_is_there,
)
