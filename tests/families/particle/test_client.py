"""The key memory of a Core, over the wire."""

from __future__ import annotations

import pytest

from console.errors import GateClosed, Silent
from console.families.particle.client import CORE, KeyMemory, Probe
from tests.families.particle.paper_core import STRINGS, PaperCore

KEY_PAGE = bytes(range(256)) * 16
SET_0X2000 = ("DNLOAD", 0, 5)


def opened(core: PaperCore, pauses: list[float] | None = None) -> KeyMemory:
    return KeyMemory.open(core, (pauses if pauses is not None else []).append)


def test_the_entry_state_10_10_is_normal() -> None:
    """ST's bootloaders start in dfuERROR on purpose; one CLRSTATUS and it is at rest."""
    core = PaperCore()
    memory = opened(core)
    assert core.log[:2] == [("SELECT", 1, 0), ("CLRSTATUS", 0, 0)]
    assert memory.about == "Spark Core, SPI Flash : SST25x, blocks of 1024 bytes"


def test_a_place_is_read_in_counted_blocks_after_one_address() -> None:
    """One set-address, ABORT to dfuIDLE, blocks 2 to 5, ABORT."""
    core = PaperCore()
    core.flash[0x2000:0x3000] = KEY_PAGE
    memory = opened(core)
    core.log.clear()
    assert memory.read(CORE.page) == KEY_PAGE
    uploads = [("UPLOAD", block, 1024) for block in (2, 3, 4, 5)]
    assert core.log == [SET_0X2000, ("ABORT", 0, 0), *uploads, ("ABORT", 0, 0)]


def test_a_page_is_written_in_counted_blocks_after_one_address() -> None:
    """One set-address for a contiguous range; the last block may be shorter."""
    core = PaperCore()
    memory = opened(core)
    core.log.clear()
    memory.write(CORE.page.address, KEY_PAGE[:2500])
    blocks = [("DNLOAD", 2, 1024), ("DNLOAD", 3, 1024), ("DNLOAD", 4, 452)]
    assert core.log == [SET_0X2000, *blocks]
    assert bytes(core.flash[0x2000 : 0x2000 + 2500]) == KEY_PAGE[:2500]


def test_the_announced_poll_time_is_waited() -> None:
    """Set address, then one block: two announcements of 70 ms."""
    core = PaperCore()
    pauses: list[float] = []
    memory = opened(core, pauses)
    core.poll = 70
    memory.write(CORE.page.address, b"\x00" * 16)
    assert pauses == [0.07, 0.07]


def test_a_hanging_erase_is_one_erase_and_says_how_long_it_waited() -> None:
    """The announced 50 ms and ten seconds more; nothing is sent again."""
    core = PaperCore()
    memory = opened(core)
    core.hangs_on_erase = True
    with pytest.raises(Silent) as caught:
        memory.erase(CORE.page.address)
    assert caught.value.waited == pytest.approx(10.05)
    assert core.erased == [0x2000]


def test_a_device_silent_before_the_erase_is_no_proof_of_a_hanging_erase() -> None:
    """`waited` below the watchdog means that no erase was taken."""
    core = PaperCore()
    memory = opened(core)
    core.dead = True
    with pytest.raises(Silent) as caught:
        memory.erase(CORE.page.address)
    assert (caught.value.waited, core.erased) == (5.0, [])


def test_the_first_upload_may_be_refused_once() -> None:
    """Some bootloaders refuse the first one; reading is harmless, so it is asked again."""

    class Shy(PaperCore):
        shy = False

        def _upload(self, value: int, length: int) -> bytes:
            if self.shy:
                self.shy = False
                return super()._upload(1, length)
            return super()._upload(value, length)

    core = Shy()
    memory = opened(core)
    core.shy = True
    assert memory.read(CORE.private) == b"\xff" * 1024


def test_leaving_ends_with_the_device_gone_and_no_error() -> None:
    """Every error after the empty DNLOAD is the device on its way."""
    core = PaperCore()
    assert opened(core).leave() == "It said dfuMANIFEST and leaves."
    assert core.pointer == 0x08005000
    assert core.gone


def test_a_device_gone_before_leaving_is_said_and_not_raised() -> None:
    """The repair is done by then."""
    core = PaperCore()
    memory = opened(core)
    core.gone = True
    assert memory.leave().startswith("It did not take the request to start.")


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("@SPI Flash : SST25x/0x00000000/512*04Ka", "protected"),
        ("@SPI Flash : SST25x/0x00000000/001*04Kg", "declares no such page"),
        ("@SPI Flash : SST25x/0x00000000/032*64Kg", "declares no such page"),
        ("SPI Flash", "declares no such page"),
    ],
)
def test_memory_that_is_not_declared_is_not_erased(
    monkeypatch: pytest.MonkeyPatch, layout: str, words: str
) -> None:
    """The gate is closed before anything but reading happened."""
    monkeypatch.setitem(STRINGS, 5, layout)
    with pytest.raises(GateClosed, match=words):
        opened(PaperCore())


def test_a_probe_is_suspicious_only_if_every_place_repeats_itself() -> None:
    """A blank slot beside live firmware is a blank slot, not a dead memory."""
    core = PaperCore()
    memory = opened(core)
    assert memory.probe().suspicious
    core.flash[0x20000:0x20100] = bytes(range(256))
    assert not memory.probe().suspicious


def test_a_probe_says_what_was_read_without_a_byte_of_it() -> None:
    """Only where everything is the same are bytes named."""
    probe = Probe(CORE, KEY_PAGE, b"\xff" * 2048, b"\x00" * 1024, b"\xaa\x55" * 2048)
    assert probe.facts() == (
        "Read at server-key slot (0x1000): 2048 bytes, all FF.",
        "Read at page of the private key (0x2000): 4096 bytes of data.",
        "Read at factory firmware (0x20000): 1024 bytes, all 00.",
        "Read at unused page (0x1FF000): 4096 bytes, all AA 55.",
    )
    assert "\\x01\\x02" not in repr(probe)
