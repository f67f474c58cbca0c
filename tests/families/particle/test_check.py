"""The check of a Core's keys reads, judges, and erases nothing."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.families.particle import keys
from tests.families.particle.paper_core import PaperCore
from tests.families.particle.paper_host import APP, DFU, PaperHost

VECTORS = bytes.fromhex("0050002009e10108")


@pytest.fixture
def healthy() -> PaperCore:
    core = PaperCore()
    public = rsa.generate_private_key(65537, 2048).public_key()
    server = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    core.flash[0x1000 : 0x1000 + 294] = server
    private = keys.new_private_key()
    core.flash[0x2000 : 0x2000 + len(private)] = private
    core.flash[0x20000:0x20008] = VECTORS
    return core


def test_a_healthy_core_has_no_fault_and_hands_over_its_public_key(healthy: PaperCore) -> None:
    """No fault found is a result, with the public key to compare."""
    before = bytes(healthy.flash)
    host = PaperHost(healthy)
    ended = host.run("check")
    assert (ended.verdict, ended.damage) == ("no fault found", "nothing written")
    assert list(host.kept) == ["public-key.pem"]
    assert (healthy.erased, bytes(healthy.flash) == before) == ([], True)
    assert healthy.state == 2


def test_a_blank_private_slot_is_a_fault_with_its_cure(healthy: PaperCore) -> None:
    """Fault found, and which flow cures it."""
    healthy.flash[0x2000:0x3000] = b"\xff" * 4096
    host = PaperHost(healthy)
    ended = host.run("check")
    assert (ended.verdict, ended.reason) == ("unfinished", "fault found")
    assert ended.sentence == (
        "Fault found: The private-key slot is blank (FF): there is no key in it."
    )
    assert ended.advice.startswith("Run rekey")
    assert host.kept == {}


def test_a_blank_server_slot_is_a_fault_that_rekey_does_not_cure(healthy: PaperCore) -> None:
    """The advice names the flow that does."""
    healthy.flash[0x1000:0x2000] = b"\xff" * 4096
    ended = PaperHost(healthy).run("check")
    assert ended.sentence.startswith("Fault found: The server-key slot is blank")
    assert "Run restore" in ended.advice


def test_a_memory_that_reads_the_same_everywhere_is_not_called_dead() -> None:
    """Blank or dead cannot be told by reading; the check does not guess, and erases nothing."""
    core = PaperCore()
    ended = PaperHost(core).run("check")
    assert (ended.verdict, core.erased) == ("unfinished", [])
    assert "it is erased, or does not answer" in ended.sentence
    assert len(ended.proof) == 4


def test_a_core_with_its_firmware_is_walked_into_dfu_mode(healthy: PaperCore) -> None:
    """And is told how to get out of it again."""
    host = PaperHost(healthy, APP)
    host.comes = DFU
    assert host.run("check").verdict == "no fault found"
    assert host.steps() == ["walk", "identify", "probe"]
