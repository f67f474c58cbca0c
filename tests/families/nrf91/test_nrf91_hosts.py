"""The simulated modem before the field's own hosts: Nordic's nrfcredstore, and smpclient.

They speak to a pseudo terminal; a thread carries the bytes. Neither knows that it is simulated.
"""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from console.families.nrf91.simulator import Mode
from console.families.nrf91.simulator_image import build
from console.families.nrf91.simulator_rows import (
    AT_CLIENT,
    FIRMWARES,
    FULL,
    MFW_1_2_3,
    MFW_1_3_6,
    MFW_2_0_2,
    TRACKER,
    Recovery,
)
from tests.families.nrf91.modem_wire import CA, CASE_5, IMEI, INTO, OUT, Wire, digest
from tests.oracle import oracle, tell

HERE = Path(__file__).parent
CREDSTORE, SMP = HERE / "oracle_nrfcredstore.py", HERE / "oracle_smpclient.py"
IMAGE = build("tracker", (3, 1, 4), 30_001)


@contextmanager
def terminal(wire: Wire, port: int | None = None) -> Iterator[str]:
    """One port of the unit as a pseudo terminal; its path."""
    at = wire.port if port is None else port
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    ended = threading.Event()

    def carry() -> None:
        while not ended.is_set():
            if select.select([ours], [], [], 0.002)[0]:
                wire.unit.send(OUT[at], os.read(ours, 64))
            said = wire.unit.receive(INTO[at], 64)
            if said:
                os.write(ours, said)

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        ended.set()
        thread.join(10)
        os.close(ours)
        os.close(theirs)


def credstore(wire: Wire, *words: str) -> str:
    oracle("hosts")
    with terminal(wire) as path:
        return tell("hosts", CREDSTORE, path, *words)


@pytest.mark.parametrize("firmware", [MFW_1_3_6, MFW_2_0_2], ids=lambda row: row.name)
def test_nordics_tool_lists_what_is_there(firmware):
    """Each pair with its digest, among lines that come of themselves; the radio is off then."""
    wire = Wire(firmware, TRACKER, CASE_5)
    said = credstore(wire, "list")
    rows = {tuple(line.split()[::2]) for line in said.splitlines() if len(line.split()) == 3}
    assert {(str(tag), digest(text)) for (tag, _), text in CASE_5.items()} <= rows
    assert "NORDIC_PUB_KEY" in said
    assert wire.unit.modem.mode == 4


def test_nordics_tool_finds_the_line_and_the_imei():
    """It tries the shell's way first and hears ERROR."""
    assert f"IMEI: {IMEI}" in credstore(Wire(), "imei")


def test_nordics_tool_finds_a_shell_and_goes_through_it(tmp_path):
    """One line goes in as it is; of a PEM the shell makes CR LF."""
    path = tmp_path / "ca.pem"
    path.write_text(CA + "\n")
    wire = Wire(application=replace(AT_CLIENT, shell=True), contents=CASE_5)
    assert f"IMEI: {IMEI}" in credstore(wire, "imei")
    credstore(wire, "write", "16842754", "ROOT_CA_CERT", str(path))
    stored = {entry.pair: entry.digest for entry in wire.store.entries}
    assert stored[16842754, 0] == digest(CA.replace("\n", "\r\n"))
    assert digest(CASE_5[3, 1]) in credstore(wire, "list")


@pytest.mark.parametrize("firmware", FIRMWARES, ids=lambda row: row.name)
def test_nordics_tool_writes_and_deletes(firmware, tmp_path):
    """What stands in its file, without the last line end."""
    path = tmp_path / "ca.pem"
    path.write_text(CA + "\n")
    wire = Wire(firmware)
    credstore(wire, "write", "16842753", "ROOT_CA_CERT", str(path))
    assert wire.listed() == {(16842753, 0): digest(CA)}
    credstore(wire, "delete", "16842753", "ROOT_CA_CERT")
    assert wire.listed() == {}


def test_nordics_tool_gets_a_request_for_a_new_key(tmp_path):
    """A CSR in DER whose signature holds."""
    path, wire = tmp_path / "made.der", Wire()
    credstore(wire, "generate", "42", str(path), "--attributes", "CN=probe-17")
    request = x509.load_der_x509_csr(path.read_bytes())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=probe-17"
    assert set(wire.listed()) == {(42, 2)}


def test_nordics_tool_gets_the_token_and_deletes_all():
    """Every tag of the users', whatever was meant; an old firmware has no token."""
    wire = Wire(contents=CASE_5)
    assert "Attestation token: " in credstore(wire, "attoken")
    credstore(wire, "deleteall")
    assert wire.listed() == {}
    with pytest.raises(AssertionError, match="Failed to get attestation token"):
        credstore(Wire(MFW_1_2_3), "attoken")


def test_nordics_tool_fails_where_the_modem_refuses(tmp_path):
    """Exists already: the one that was there stays."""
    path = tmp_path / "ca.pem"
    path.write_text(CA)
    wire = Wire(contents={(5, 0): CA})
    with pytest.raises(AssertionError, match="Failed to write credential"):
        credstore(wire, "write", "5", "ROOT_CA_CERT", str(path))
    assert wire.listed() == {(5, 0): digest(CA)}


def recover(wire: Wire, *words: str) -> list[str]:
    oracle("hosts")
    with terminal(wire, 0) as path:
        return tell("hosts", SMP, path, *words).splitlines()


@pytest.mark.parametrize("parameters", [False, True], ids=["a line at a time", "by its buffer"])
def test_smpclient_uploads_confirms_and_resets(parameters, tmp_path):
    """Byte for byte, the digest confirmed, the application back on the line."""
    path = tmp_path / "app.bin"
    path.write_bytes(IMAGE)
    wire = Wire(recovery=Recovery(parameters=parameters))
    wire.cycle("bootloader")
    said = recover(wire, str(path), "confirm", "unknown", "reset")
    assert said[0] == "echo hello"
    assert said[1].startswith("image 0 1.4.0 ")
    assert said[2].startswith(f"uploaded {len(IMAGE)} ")
    assert said[3].startswith("image 0 3.1.4 ")
    assert said[4:] == ["confirmed True", "refused True 5", "reset True"]
    assert bytes(wire.unit.bootloader.cells[: len(IMAGE)]) == IMAGE
    wire.listen(1)
    assert (wire.unit.mode, wire.unit.application) == (Mode.APPLICATION, TRACKER)
    wire.port = 1
    wire.boot()
    assert wire.ask("AT+CGSN")[0] == IMEI


def test_smpclient_meets_the_bridges_own_bootloader():
    """Another chip, another image, the same protocol."""
    wire = Wire(recovery=FULL)
    wire.cycle("bridge")
    said = recover(wire, "-", "confirm")
    assert said[1].startswith("image 0 2.0.1 ")
    assert said[-1] == "confirmed True"
