"""Rekey with one fault at every transfer in turn: what is said is always what is true."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from console.errors import DeviceError, Garbled, Refused, Silent, Unplugged
from console.events import Device
from console.families.particle import keys
from console.hardware.lines import ControlLine, Faulty
from tests.families.particle.paper_core import PaperCore
from tests.families.particle.paper_host import PaperHost

FAULTS = {
    "stall": Refused("The device refused a request.", code="stall"),
    "silence": Silent("The device did not answer within 5 s.", waited=5.0),
    "pull": Unplugged("The device is gone."),
    "noise": Garbled("Its answer has no meaning."),
}
STAYS = ("pull", "silence")
"""Faults after which nothing is answered any more."""


class FaultyHost(PaperHost):
    """A bench whose line fails once, or for good, at the transfer number `at`."""

    def __init__(self, core: PaperCore, fault: str, at: int) -> None:
        super().__init__(core, confirm_erase="yes")
        self.fault, self.at = fault, at
        self.line: Faulty | None = None

    def open_control(self, device: Device) -> ControlLine:  # type: ignore[override]
        self.line = Faulty(self.core, self._fault)
        return self.line

    def _fault(self, call: int) -> None:
        if call == self.at or (call > self.at and self.fault in STAYS):
            error: DeviceError = FAULTS[self.fault]
            raise error


@pytest.fixture(scope="module")
def key() -> bytes:
    return keys.new_private_key()


def core_with(key: bytes) -> PaperCore:
    """Its key is there in the wrong format: no new one has to be made for every fault."""
    core = PaperCore()
    wrong = load_der_private_key(key, None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    core.flash[0x2000 : 0x2000 + len(wrong)] = wrong
    return core


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_transfer_ends_in_a_true_verdict(fault: str, key: bytes) -> None:
    """Repaired if and only if the key is in; the slot never lost without saying so."""
    page = bytes(core_with(key).flash[0x2000:0x3000])
    at, reached = 1, True
    while reached:
        core = core_with(key)
        host = FaultyHost(core, fault, at)
        ended = host.run("rekey")
        assert host.line is not None
        reached = host.line.calls >= at
        now = bytes(core.flash[0x2000:0x3000])
        held = keys.private_slot(now[:1024]).content is keys.Content.VALID
        said = (fault, at, ended.verdict, ended.sentence)
        assert ended.verdict != "repaired" or held, said
        assert now == page or held or ended.damage == "contents gone, bootloader alive", said
        assert host.kept.get("private-key-slot.bin", page[:1024]) == page[:1024], said
        assert core.erased.count(0x2000) <= (1 if fault in STAYS else 2), said
        at += 1
    assert at > 60
