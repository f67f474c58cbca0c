"""mboot's packets as they were seen on the wire, and what a chip may answer at the wrong time."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from console.errors import Garbled, Refused, Silent, Unplugged
from console.families.nitrokey3.mboot import (
    LARGEST,
    Mboot,
    Property,
    Tag,
    head_of,
    packet,
    parse,
    refused,
    report,
)


class Paper:
    """A HID line that says what it is told to: an answer a read; None is silence."""

    def __init__(self, *answers: bytes | Exception | None, peeks: dict[int, bytes] | None = None):
        self.sent: list[bytes] = []
        self._answers = list(answers)
        self._peeks = peeks or {}

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def send_all(self, reports: Sequence[bytes]) -> None:
        self.sent += reports

    def receive(self, timeout: float, most: int = 64) -> bytes:
        if timeout == 0.0:
            peek = self._peeks.pop(len(self.sent), None)
            if peek is None:
                raise Silent("nothing", waited=0.0)
            return peek
        answer = self._answers.pop(0)
        if answer is None:
            raise Silent("nothing", waited=timeout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None: ...


def spoken(*words: int, tag: int = 0xA0) -> bytes:
    """A response as the chip pads it."""
    payload = bytes((tag, 0, 0, len(words))) + struct.pack(f"<{len(words)}I", *words)
    return (b"\x03\x00" + struct.pack("<H", len(payload)) + payload).ljust(60, b"\0")


ABORT = b"\x03\x00\x00\x00".ljust(60, b"\0")


def mboot(*answers: bytes | Exception | None, **peeks: dict[int, bytes]) -> tuple[Mboot, Paper]:
    paper = Paper(*answers, **peeks)
    return Mboot(paper, lambda seconds: None), paper


@pytest.mark.parametrize(
    ("made", "wire"),
    [
        (packet(Tag.GET_PROPERTY, Property.UNIQUE_ID, 0), "01000C00 07000002 12000000 00000000"),
        (
            packet(Tag.GET_PROPERTY, Property.LARGEST_PACKET, 0),
            "01000C000700 0002 0B000000 00000000",
        ),
        (packet(Tag.RECEIVE_SB, 0x12345, data_follows=True), "01000800 08010001 45230100"),
        (packet(Tag.RESET), "01000400 0B000000"),
    ],
)
def test_commands_are_those_seen_on_the_wire(made: bytes, wire: str) -> None:
    assert report(1, made) == bytes.fromhex(wire.replace(" ", ""))


def test_the_uuid_is_the_four_words_in_wire_order() -> None:
    words = (0x33221100, 0x77665544, 0xBBAA9988, 0xFFEEDDCC)
    chip, _ = mboot(spoken(0, *words, tag=0xA7))
    assert chip.unique_id() == "00112233445566778899AABBCCDDEEFF"


@pytest.mark.parametrize(
    "received", [b"", b"\x03\x00\x08", b"\x03\x00\x08\x00\xa0\x00\x00\x02", b"\x04\x00\x04\x00abcd"]
)
def test_what_no_bootloader_says_is_garbled(received: bytes) -> None:
    with pytest.raises(Garbled):
        parse(received)


def test_all_is_sent_with_one_rest_behind_the_signature() -> None:
    rests: list[int] = []
    paper = Paper(spoken(0, 8), spoken(0, 8))
    chip = Mboot(paper, lambda seconds: rests.append(len(paper.sent)))
    data = bytes(range(256)) * 10
    chip.begin(len(data))
    head = head_of(560, LARGEST)
    chip.stream(data, 0, head, LARGEST, lambda done, total: None)
    chip.verified()
    chip.stream(data, head, len(data), LARGEST, lambda done, total: None)
    assert chip.final(60) == "It took the file."
    assert b"".join(one[4:] for one in paper.sent[1:]) == data
    # 560 bytes are ten reports; the rest comes when the eleventh, which goes beyond, is through
    assert rests == [12]


def test_a_chip_that_breaks_off_in_the_stream_is_heard_and_the_reason_told() -> None:
    chip, paper = mboot(spoken(0, 8), spoken(10101, 8), peeks={17: ABORT})
    chip.begin(56 * 100)
    with pytest.raises(Refused, match="not made for this key") as caught:
        chip.stream(bytes(56 * 100), 0, 56 * 100, LARGEST, lambda done, total: None)
    assert caught.value.code == "10101"
    assert len(paper.sent) == 17


def test_the_empty_report_may_come_before_the_final_status() -> None:
    chip, _ = mboot(ABORT, spoken(10115, 8))
    with pytest.raises(Refused, match="older than what this key has already run"):
        chip.final(60)


def test_a_final_answer_may_be_waited_for_again() -> None:
    chip, _ = mboot(None, spoken(0, 8))
    with pytest.raises(Silent):
        chip.final(60)
    assert chip.final(60) == "It took the file."


def test_a_pending_jump_is_a_success() -> None:
    chip, _ = mboot(spoken(10119, 8))
    assert chip.final(60) == "It is about to start it."


@pytest.mark.parametrize("lost", [None, Unplugged("gone"), Garbled("EIO")])
def test_a_lost_answer_to_reset_is_no_failure(lost: Exception | None) -> None:
    chip, _ = mboot(lost)
    assert chip.reset() == "It left without a last word."


def test_a_refused_reset_is_one() -> None:
    chip, _ = mboot(spoken(10001, 0x0B))
    with pytest.raises(Refused):
        chip.reset()


@pytest.mark.parametrize("status", [1, 101, 10001, 10115, 0x5A5AA5A5])
def test_every_status_is_a_sentence_with_its_number_behind_it(status: int) -> None:
    error = refused(status)
    assert error.sentence.endswith(f"(status {status}).")
    assert error.advice


# --- what other chips and other programs leave behind ---------------------------------------


def test_the_final_answer_of_a_program_that_was_killed_is_no_answer_to_ours() -> None:
    """The chip keeps it until somebody reads: here the next one, who asks for the UUID."""
    words = (1, 2, 3, 4)
    chip, _ = mboot(spoken(0, 8), ABORT, spoken(10101, 8), spoken(0, *words, tag=0xA7))
    assert chip.unique_id() == struct.pack("<4I", *words).hex().upper()


def test_a_property_that_came_too_late_is_forgotten() -> None:
    late = spoken(0, 0x4B030000, tag=0xA7)
    chip, _ = mboot(spoken(0, 1, 2, 3, 4, tag=0xA7), peeks={0: late})
    assert chip.unique_id().startswith("01000000")


def test_answers_to_others_are_not_read_for_ever() -> None:
    chip, _ = mboot(*[spoken(0, 8)] * 50)
    with pytest.raises(Garbled):
        chip.unique_id()


@pytest.mark.parametrize("answer", [spoken(10300, tag=0xA7), spoken(10001, 7), spoken(10000, 7)])
def test_what_a_sealed_chip_does_not_tell_is_not_known(answer: bytes) -> None:
    assert mboot(answer)[0].unique_id() == ""
    assert mboot(answer)[0].told(Property.TARGET_VERSION) == ()
    assert mboot(answer)[0].largest() == 32
    assert mboot(answer)[0].sealed() is None


@pytest.mark.parametrize(("told", "used"), [(8, 8), (32, 32), (56, 56), (60, 60), (1016, 60)])
def test_a_data_report_is_as_long_as_the_chip_says_and_a_report_allows(
    told: int, used: int
) -> None:
    assert mboot(spoken(0, told, tag=0xA7))[0].largest() == used


def test_a_data_report_of_no_length_is_garbled() -> None:
    with pytest.raises(Garbled):
        mboot(spoken(0, 0, tag=0xA7))[0].largest()


@pytest.mark.parametrize(
    ("word", "sealed"),
    [(0, False), (0x5AA55AA5, False), (1, True), (0xC33CC33C, True), (7, None)],
)
def test_the_security_state_has_two_writings(word: int, sealed: bool | None) -> None:
    assert mboot(spoken(0, word, tag=0xA7))[0].sealed() is sealed


def test_two_empty_reports_before_the_reason_hide_it_no_more_than_one() -> None:
    chip, _ = mboot(ABORT, ABORT, spoken(10106, 8))
    with pytest.raises(Refused, match="damaged on the way"):
        chip.final(60)


def test_an_empty_report_and_no_reason_is_an_abort() -> None:
    chip, _ = mboot(ABORT, None)
    with pytest.raises(Refused, match="broke the transfer off"):
        chip.final(60)


def test_a_file_that_is_refused_at_its_announcement() -> None:
    chip, _ = mboot(spoken(10001, 8))
    with pytest.raises(Refused, match="sealed against"):
        chip.begin(1000)
