"""The client of DfuSe against a script: what it sends, given what it is answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.errors import DeviceError, Garbled, Refused, Silent, Unplugged
from console.protocols.dfu import Attribute, Facts, FunctionalDescriptor, Quirks, describe
from console.protocols.dfuse import DfuSe

STALL = Refused("stalled", code="stall")
ERROR = "0a0000000a00"
VENDOR = "0b0000000a07"
IDLE = "000000000200"
IDLE_VENDOR = "0b0000000200"
SYNC = "000000000300"
BUSY_0 = "000000000400"
BUSY_50 = "003200000400"
BUSY_65_S = "00e8fd000400"
DNLOAD_IDLE = "000000000500"
MANIFEST_SYNC = "000000000600"
MANIFEST = "000000000700"
WAIT_RESET = "000000000800"
UPLOAD_IDLE = "000000000900"
WRITE_FAULT = "030000000a00"
APP = "000000000000"
STRING_NO = bytes.fromhex("06034e006f00")

Answer = str | DeviceError


class Script:
    """A control line that answers GETSTATUS from a list; everything else goes through."""

    def __init__(self, *statuses: Answer) -> None:
        self.statuses = list(statuses)
        self.sent: list[str] = []
        self.timeouts: list[float] = []
        self.uploads: dict[int, bytes | DeviceError] = {}
        self.refuses: dict[str, DeviceError] = {}

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        assert index == (0x0409 if request_type == 0x80 else 3)
        if request_type == 0x80:
            return STRING_NO
        if request == 3:
            self.timeouts.append(timeout)
            return bytes.fromhex(self._raise_or(self.statuses.pop(0)))
        self.sent.append(f"UPLOAD {value} {length}")
        answer = self.uploads.get(value, b"\x5a" * length)
        if isinstance(answer, DeviceError):
            raise answer
        return answer

    @staticmethod
    def _raise_or(answer: Answer) -> str:
        if isinstance(answer, DeviceError):
            raise answer
        return answer

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        assert (request_type, index) == (0x21, 3)
        name = {1: "DNLOAD", 4: "CLRSTATUS", 6: "ABORT"}[request]
        words = f"DNLOAD {value} {data.hex()}".strip() if name == "DNLOAD" else name
        self.sent.append(words)
        if words in self.refuses:
            raise self.refuses[words]

    def select(self, interface: int, alternate: int) -> None:
        self.sent.append(f"SELECT {interface} {alternate}")

    def reset(self) -> None:
        self.sent.append("RESET")

    def close(self) -> None:
        self.sent.append("CLOSE")


def client(
    script: Script,
    size: int = 64,
    pauses: list[float] | None = None,
    each: bool = False,
    points: bool = False,
) -> DfuSe:
    functional = FunctionalDescriptor(Attribute(0x0B), 0.255, size, 0x011A)
    facts = Facts(3, (), functional, 8, Quirks(address_each_block=each, erase_points=points))
    return DfuSe(script, (pauses if pauses is not None else []).append, facts)


# --- coming to rest ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "sent"),
    [
        ([IDLE], []),
        ([ERROR, IDLE], ["CLRSTATUS"]),
        ([ERROR, ERROR, IDLE], ["CLRSTATUS", "CLRSTATUS"]),
        ([DNLOAD_IDLE, IDLE], ["ABORT"]),
        ([UPLOAD_IDLE, IDLE], ["ABORT"]),
        ([IDLE_VENDOR, ERROR, IDLE], ["CLRSTATUS", "CLRSTATUS"]),
        ([SYNC, BUSY_50, DNLOAD_IDLE, IDLE], ["ABORT"]),
        ([MANIFEST_SYNC, MANIFEST, WAIT_RESET, ERROR, IDLE], ["RESET", "CLRSTATUS"]),
    ],
)
def test_every_state_left_behind_is_brought_to_rest(statuses: list[str], sent: list[str]) -> None:
    """What an earlier program left is no fault and nobody hears of it."""
    script = Script(*statuses)
    client(script).normalise()
    assert (script.sent, script.statuses) == (sent, [])


def test_a_device_that_never_rests_is_left_after_six_rounds() -> None:
    """Bounded, with its state for support."""
    script = Script(*[ERROR] * 6)
    with pytest.raises(Refused) as caught:
        client(script).normalise()
    assert caught.value.code == "errFIRMWARE in dfuERROR"


def test_a_device_in_its_application_is_named_as_such() -> None:
    """Run-time mode knows no DfuSe."""
    with pytest.raises(Refused, match="still in its application"):
        client(Script(APP)).normalise()


# --- one command ------------------------------------------------------------------------------


def test_an_address_is_set_little_endian_and_its_poll_time_is_waited() -> None:
    """DNLOAD 0, the first status starts it, the poll time passes, the second one ends it."""
    script, pauses = Script(BUSY_50, DNLOAD_IDLE), list[float]()
    client(script, pauses=pauses).set_address(0x08005000)
    assert script.sent == ["DNLOAD 0 2100500008"]
    assert (pauses, script.timeouts) == ([0.05], [5.0, 5.0])


def test_a_poll_time_of_more_than_a_minute_is_waited_too() -> None:
    """Whatever arrives is obeyed."""
    script, pauses = Script(BUSY_65_S, BUSY_65_S, DNLOAD_IDLE), list[float]()
    client(script, pauses=pauses).erase_page(0x2000)
    assert pauses == [65.0, 65.0]


def test_an_erase_is_given_ten_seconds_for_each_answer() -> None:
    """The watchdog is the transfer's own time limit."""
    script = Script(BUSY_50, SYNC, DNLOAD_IDLE)
    client(script).erase_page(0x1FF000)
    assert script.sent == ["DNLOAD 0 4100f01f00"]
    assert script.timeouts == [10.0, 10.0, 10.0]


@pytest.mark.parametrize(("statuses", "waited"), [([], 10.0), ([BUSY_50], 10.05)])
def test_an_erase_that_never_answers_is_silent_with_the_time_waited(
    statuses: list[str], waited: float
) -> None:
    """Hung in the first status or in the second: sent once, and the seconds are said."""
    script = Script(*statuses, Silent("timeout"))
    with pytest.raises(Silent) as caught:
        client(script).erase_page(0x2000)
    assert caught.value.waited == pytest.approx(waited)
    assert script.sent == ["DNLOAD 0 4100200000"]


def test_an_erase_that_is_busy_for_ever_is_silent_after_the_watchdog() -> None:
    """A device that only ever says busy does not end either."""
    script, pauses = Script(*[BUSY_50] * 300), list[float]()
    with pytest.raises(Silent) as caught:
        client(script, pauses=pauses).erase_page(0x2000)
    assert caught.value.waited == pytest.approx(10.05)
    assert sum(pauses) == pytest.approx(10.05)


def test_busy_a_hundred_times_without_a_wait_is_stuck() -> None:
    """A poll time of zero would be asked for ever."""
    script = Script(*[BUSY_0] * 200)
    with pytest.raises(Garbled, match="stuck"):
        client(script).set_address(0)
    assert len(script.statuses) == 100


@pytest.mark.parametrize(("stalls", "goes"), [(1, True), (3, True), (4, False)])
def test_a_busy_device_may_stall_three_times(stalls: int, goes: bool) -> None:
    """STM32L4 stalls when asked too early; the last poll time is waited again."""
    script, pauses = Script(BUSY_50, *[STALL] * stalls, DNLOAD_IDLE), list[float]()
    dfu = client(script, pauses=pauses)
    if goes:
        dfu.set_address(0)
        assert pauses == [0.05] * (stalls + 1)
    else:
        with pytest.raises(Refused):
            dfu.set_address(0)


def test_a_stall_before_it_was_busy_is_a_refusal() -> None:
    """Only a busy device is excused."""
    with pytest.raises(Refused):
        client(Script(STALL)).set_address(0)


def test_an_error_status_is_a_sentence_with_its_code() -> None:
    """The person reads a sentence, support reads the code."""
    with pytest.raises(Refused) as caught:
        client(Script(BUSY_50, WRITE_FAULT)).set_address(0)
    assert caught.value.sentence == "Its memory reports a write fault."
    assert caught.value.code == "errWRITE in dfuERROR"


def test_a_vendors_error_is_read_in_its_own_words() -> None:
    """Its string index is followed."""
    with pytest.raises(Refused) as caught:
        client(Script(BUSY_50, VENDOR)).set_address(0)
    assert caught.value.sentence.endswith('It adds: "No".')


def test_a_stalled_download_is_explained_by_the_status() -> None:
    """The stall itself says nothing."""
    script = Script("0f0000000a00")
    script.refuses["DNLOAD 0 2100000000"] = STALL
    with pytest.raises(Refused) as caught:
        client(script).set_address(0)
    assert caught.value.code == "errSTALLEDPKT in dfuERROR"


@pytest.mark.parametrize("answer", ["0000000005", UPLOAD_IDLE, "00000000ff00"])
def test_an_answer_that_fits_nothing_is_garbled(answer: str) -> None:
    """Short, in a state that cannot be, or no state at all."""
    with pytest.raises(Garbled):
        client(Script(answer)).set_address(0)


# --- memory -----------------------------------------------------------------------------------


def test_a_range_is_read_after_one_address_and_asks_for_less_at_the_end() -> None:
    """Set address, ABORT, blocks 2 and 3, ABORT."""
    script, seen = Script(IDLE, IDLE, BUSY_50, DNLOAD_IDLE), list[tuple[int, int]]()
    data = client(script).read(0x2000, 100, lambda *at: seen.append(at))
    expected = ["DNLOAD 0 2100200000", "ABORT", "UPLOAD 2 64", "UPLOAD 3 36", "ABORT"]
    assert script.sent == expected
    assert (data, seen) == (b"\x5a" * 100, [(64, 100), (100, 100)])


def test_a_range_is_written_after_one_address() -> None:
    """Blocks 2 and 3; block 1 is never used."""
    once = [BUSY_50, DNLOAD_IDLE]
    script, seen = Script(IDLE, *once * 3), list[tuple[int, int]]()
    client(script, size=8).write(0x2000, b"0123456789", lambda *at: seen.append(at))
    expected = ["DNLOAD 0 2100200000", "DNLOAD 2 3031323334353637", "DNLOAD 3 3839"]
    assert (script.sent, seen) == (expected, [(8, 10), (10, 10)])


def test_a_device_with_the_quirk_gets_an_address_before_each_block() -> None:
    """Then the block is always 2."""
    once = [BUSY_50, DNLOAD_IDLE]
    script = Script(IDLE, *once * 4)
    client(script, size=8, each=True).write(0x2000, b"0123456789")
    first = ["DNLOAD 0 2100200000", "DNLOAD 2 3031323334353637"]
    assert script.sent == [*first, "DNLOAD 0 2108200000", "DNLOAD 2 3839"]


class Prompt(Script):
    """Every piece of work is done when it is asked for."""

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        works = bool(self.sent) and self.sent[-1].startswith("DNLOAD")
        self.statuses = [DNLOAD_IDLE if works else IDLE]
        return super().read(request_type, request, value, index, length, timeout)


SET, DATA = "DNLOAD 0 2100200000", "DNLOAD 2 30"


@pytest.mark.parametrize(
    ("points", "erased", "between", "sent"),
    [
        (True, 0x2000, lambda _: None, [DATA]),
        (False, 0x2000, lambda _: None, [SET, DATA]),
        (True, 0x1000, lambda _: None, [SET, DATA]),
        (True, 0x2000, lambda dfu: dfu.select(1), ["SELECT 3 1", SET, DATA]),
        (True, 0x2000, lambda dfu: dfu.set_address(0x3000), ["DNLOAD 0 2100300000", SET, DATA]),
        (True, 0x2000, lambda dfu: dfu.set_every_address(), [SET, DATA]),
    ],
    ids=["it points", "it does not", "another page", "other memory", "set since", "mistrusted"],
)
def test_an_address_is_left_out_only_right_after_an_erase_that_points_there(
    points: bool, erased: int, between: Callable[[DfuSe], None], sent: list[str]
) -> None:
    """Anything that was sent since may have moved it."""
    script = Prompt()
    dfu = client(script, points=points)
    dfu.erase_page(erased)
    between(dfu)
    dfu.write(0x2000, b"0")
    assert script.sent[1:] == sent


def test_the_page_that_is_written_first_is_erased_last_where_an_erase_points() -> None:
    """Only there."""
    pages = (0x1000, 0x2000, 0x3000)
    assert client(Script(), points=True).erasing_order(pages) == (0x3000, 0x2000, 0x1000)
    assert client(Script()).erasing_order(pages) == pages


def test_reading_with_the_quirk_aborts_before_each_address() -> None:
    """UPLOAD is legal from idle only, and so is the next address."""
    once = [BUSY_50, DNLOAD_IDLE]
    script = Script(IDLE, IDLE, *once, UPLOAD_IDLE, IDLE, *once)
    client(script, size=8, each=True).read(0x2000, 10)
    first = ["DNLOAD 0 2100200000", "ABORT", "UPLOAD 2 8"]
    second = ["ABORT", "DNLOAD 0 2108200000", "ABORT", "UPLOAD 2 2", "ABORT"]
    assert script.sent == first + second


def test_fewer_bytes_than_asked_are_garbled() -> None:
    """A short upload in the middle is not the end of a file here."""
    script = Script(IDLE, IDLE, BUSY_50, DNLOAD_IDLE)
    script.uploads[2] = b"\x00" * 3
    with pytest.raises(Garbled, match="3 of 64 bytes"):
        client(script).read(0x2000, 100)


# --- leaving ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "seen"),
    [
        (MANIFEST, "It said dfuMANIFEST and leaves."),
        (DNLOAD_IDLE, "It said dfuDNLOAD_IDLE and leaves."),
        (STALL, "It left without a last word. (stalled)"),
        (Silent("timeout"), "It left without a last word. (timeout)"),
        (Unplugged("gone"), "It left without a last word. (gone)"),
    ],
)
def test_whatever_the_last_status_says_leaving_is_done(last: Answer, seen: str) -> None:
    """The device is on its way off the bus."""
    script = Script(IDLE, BUSY_50, DNLOAD_IDLE, last)
    assert client(script).leave(0x08005000) == seen
    assert script.sent == ["DNLOAD 0 2100500008", "DNLOAD 2"]


# --- descriptors ------------------------------------------------------------------------------


class Described(Script):
    """A line that knows only descriptors."""

    parts: dict[int, bytes]

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        assert (request_type, request) == (0x80, 6)
        if value not in self.parts:
            raise STALL
        return self.parts[value][:length]


DEVICE = bytes.fromhex("120100010000004050 1d7f60000201020301".replace(" ", ""))
TWO_ALTERNATES = bytes.fromhex(
    "09022400010100c0320904000000fe0102040904000100fe01020509210bff0000041a01"
)
NO_DFU = bytes.fromhex("09021200010100c032090400000003000000")


def test_the_functional_descriptor_after_the_last_alternate_counts_for_all() -> None:
    """As the Core has it; a string that cannot be read leaves the layout open."""
    line = Described()
    name = "@F/0x0/1*1Kg".encode("utf-16-le")
    line.parts = {0x100: DEVICE, 0x200: TWO_ALTERNATES, 0x304: bytes((2 + len(name), 3)) + name}
    facts = describe(line)
    assert (facts.interface, facts.block, facts.max_packet_0) == (0, 1024, 64)
    first, second = facts.layout(0), facts.layout(1)
    assert (first and first.name, second) == ("F", None)


@pytest.mark.parametrize(
    ("serial", "pages"), [(b"3CBJ", 128), (b"3C8J", 64), (b"3C6J", 32), (b"3C4J", 16), (b"", 0)]
)
def test_a_gd32s_pages_stand_in_its_serial(serial: bytes, pages: int) -> None:
    """Its layout says 512 pages of 2 KiB; its serial is in UTF-8."""
    line = Described()
    name = "@Internal Flash  /0x08000000/512*002Kg".encode("utf-16-le")
    gd32 = DEVICE[:8] + bytes.fromhex("e9288901") + DEVICE[12:]
    line.parts = {0x100: gd32, 0x200: TWO_ALTERNATES}
    line.parts[0x304] = bytes((2 + len(name), 3)) + name
    line.parts[0x303] = bytes((2 + len(serial), 3)) + serial
    facts = describe(line)
    layout = facts.layout(0)
    assert layout is not None
    assert [(part.count, part.page) for part in layout.segments] == [(pages, 1024)]
    assert facts.address_each_block


def test_a_device_without_a_dfu_interface_is_garbled() -> None:
    """It enumerates as if it had one."""
    line = Described()
    line.parts = {0x100: DEVICE, 0x200: NO_DFU}
    with pytest.raises(Garbled, match="no DFU interface"):
        describe(line)
