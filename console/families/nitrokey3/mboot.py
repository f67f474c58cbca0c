"""NXP's mboot over HID, as the ROM of the LPC55 speaks it: properties, one SB2.1 stream, reset.

The rule: three commands alone are ever sent, GetProperty, ReceiveSbFile and Reset; none other is
needed for a repair, and a sealed chip refuses them. All bytes taken prove nothing: the final
answer says whether the chip took the image, and only the firmware that comes back proves it.
Source: NXP, "MCU bootloader reference manual", HID transport; SPSDK; flash facts of the vendor.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from console.errors import Garbled, Refused, Silent, Unplugged
from console.hardware.lines import HidLine

COMMAND_OUT, DATA_OUT, RESPONSE_IN, DATA_IN = 1, 2, 3, 4
HEADER = struct.Struct("<BBH")
PACKET = struct.Struct("<BBBB")
DATA_FOLLOWS = 0x01
LARGEST, SMALLEST = 56, 32
"""Bytes of a report's payload on the LPC55; the chip says it itself (property 0x0B). Where it does
not, 32 are taken by each mboot (lpc55-host sends no others)."""
REPORT = 64
ANSWER, BEGINNING = 2.0, 10.0
"""Seconds that a short command may take, and its word on a file that is announced."""
STALE = 8
"""Answers to somebody else's commands that are passed over before one of ours."""
VERIFY_PAUSE = 0.1
"""Seconds of rest at the boot section: the chip verifies an RSA signature then."""
PEEK_EACH = 16
"""Reports between two looks at what the chip says while it is written to."""


class Tag(IntEnum):
    GET_PROPERTY = 0x07
    RECEIVE_SB = 0x08
    RESET = 0x0B
    GENERIC = 0xA0
    PROPERTIES = 0xA7


class Property(IntEnum):
    CURRENT_VERSION = 0x01
    LARGEST_PACKET = 0x0B
    SECURITY = 0x11
    UNIQUE_ID = 0x12
    TARGET_VERSION = 0x18


UNLOCKED, LOCKED = (0, 0x5AA55AA5), (1, 0xC33CC33C)
SUCCESS = 0
PENDING = 10119
"""kStatusRomLdrPendingJumpCommand: it has taken all and is about to start it."""
UNKNOWN_COMMAND, SEALED, ABORTED, UNKNOWN_PROPERTY = 10000, 10001, 10002, 10300
NOT_TOLD = tuple(str(status) for status in (UNKNOWN_COMMAND, SEALED, UNKNOWN_PROPERTY))
"""Codes of a property that it does not have, or does not give."""

_OTHER_FILE = "Take the vendor's file for this device and run flash again."
_AGAIN = "Run flash again: it starts from the first byte."
MEANINGS: dict[int, tuple[str, str]] = {
    1: ("it failed and does not say why", _AGAIN),
    4: ("it does not take that argument", "Export the log for support."),
    5: ("something inside it took too long", _AGAIN),
    UNKNOWN_COMMAND: ("it does not know this command", "Export the log for support."),
    SEALED: ("it is sealed against this command", "Export the log for support."),
    ABORTED: ("it broke the transfer off", _AGAIN),
    10100: ("the file is longer than it says", _OTHER_FILE),
    10101: ("this file was not made for this key: its signature is wrong", _OTHER_FILE),
    10102: ("the file's length is not what it says", _OTHER_FILE),
    10104: ("the file ended too early", _AGAIN),
    10105: ("the transfer was damaged on the way", _AGAIN),
    10106: ("the transfer was damaged on the way", _AGAIN),
    10107: ("the file holds a command that it does not know", _OTHER_FILE),
    10109: ("the transfer was damaged on the way", _AGAIN),
    10112: ("a key that the file needs is not in it", _OTHER_FILE),
    10113: ("it takes only signed files", _OTHER_FILE),
    10115: (
        "the file is older than what this key has already run, and the chip refuses that for good",
        "Take a newer release and run flash again.",
    ),
    10117: ("the file's commands come in an order that it does not take", _OTHER_FILE),
    10118: ("this file was not made for this key: it cannot decrypt it", _OTHER_FILE),
    10200: ("an address of the file is outside its memory", _OTHER_FILE),
    10203: ("the same place was written twice", _AGAIN),
    10207: (
        "what it wrote does not read back",
        "Run flash again. Twice the same: its flash fails.",
    ),
    UNKNOWN_PROPERTY: ("it does not have this property", "Export the log for support."),
    0x5AA5_5AA5: ("its security unit refused", _OTHER_FILE),
}
FLASH_DRIVER = range(100, 153)

Watch = Callable[[int, int], None]
"""(bytes sent, bytes in all)"""
Pause = Callable[[float], None]


@dataclass(frozen=True)
class Answer:
    """A response packet: its tag and its words, of which the first is the status."""

    tag: int
    words: tuple[int, ...]

    @property
    def status(self) -> int:
        return self.words[0]


def report(number: int, payload: bytes) -> bytes:
    """One report to the chip; nothing is padded, as hidraw and the ROM allow."""
    return HEADER.pack(number, 0, len(payload)) + payload


def packet(tag: Tag, *words: int, data_follows: bool = False) -> bytes:
    head = PACKET.pack(tag, DATA_FOLLOWS if data_follows else 0, 0, len(words))
    return head + struct.pack(f"<{len(words)}I", *words)


def parse(received: bytes) -> Answer | None:
    """A response; None for the empty report by which the chip breaks a stream off.

    What follows the length that the report tells is padding. Raises Garbled.
    """
    if len(received) < HEADER.size:
        raise _garbled("a report is cut off")
    number, _, size = HEADER.unpack_from(received)
    payload = received[HEADER.size : HEADER.size + size]
    if not size:
        return None
    if number != RESPONSE_IN or len(payload) < size or size < PACKET.size + 4:
        raise _garbled(f"report {number} of {size} bytes")
    tag, _, _, count = PACKET.unpack_from(payload)
    if not count or PACKET.size + 4 * count > size:
        raise _garbled(f"a response with {count} words in {size} bytes")
    return Answer(tag, struct.unpack_from(f"<{count}I", payload, PACKET.size))


def refused(status: int) -> Refused:
    """What a status means, in our words; the number stands behind them for support."""
    if status in FLASH_DRIVER:
        why, advice = "its flash memory does not take what is written", _AGAIN
    else:
        why, advice = MEANINGS.get(status, ("it refused", "Export the log for support."))
    return Refused(f"The bootloader says: {why} (status {status}).", advice, code=str(status))


class Mboot:
    """The chip's bootloader over one HID line."""

    def __init__(self, line: HidLine, pause: Pause) -> None:
        self._line = line
        self._pause = pause

    # --- short commands -------------------------------------------------------------------

    def property(self, which: Property) -> tuple[int, ...]:
        """Its words, without the status. Raises Refused, Silent, Garbled, Unplugged."""
        self._forget_stale()
        self._line.send(report(COMMAND_OUT, packet(Tag.GET_PROPERTY, which, 0)))
        answer = self._response(Tag.GET_PROPERTY, ANSWER)
        _good(answer)
        if answer.tag != Tag.PROPERTIES:
            raise _garbled(f"tag {answer.tag:02X} where a property was asked for")
        return answer.words[1:]

    def told(self, which: Property) -> tuple[int, ...]:
        """The same; () where the chip does not know it, or keeps it to itself."""
        try:
            return self.property(which)
        except Refused as error:
            if error.code in NOT_TOLD:
                return ()
            raise

    def unique_id(self) -> str:
        """The chip's UUID: four words in wire order, as 32 capital hex digits; "" if untold."""
        words = self.told(Property.UNIQUE_ID)
        if not words:
            return ""
        if len(words) < 4:
            raise _garbled(f"a UUID of {len(words)} words")
        return struct.pack("<4I", *words[:4]).hex().upper()

    def largest(self) -> int:
        """Bytes that one data report may carry. Raises as property()."""
        words = self.told(Property.LARGEST_PACKET)
        if not words:
            return SMALLEST
        if not words[0]:
            raise _garbled("a data report of no possible length")
        return min(words[0], REPORT - HEADER.size)

    def sealed(self) -> bool | None:
        """Does it take signed files alone? None where it does not tell."""
        words = self.told(Property.SECURITY)
        if not words or words[0] not in (*UNLOCKED, *LOCKED):
            return None
        return words[0] in LOCKED

    def reset(self) -> str:
        """Have it start anew; what was seen of it. The answer may be lost: it is leaving."""
        try:
            self._line.send(report(COMMAND_OUT, packet(Tag.RESET)))
            _good(self._response(Tag.RESET, ANSWER))
        except (Silent, Unplugged, Garbled):
            return "It left without a last word."
        return "It said that it starts anew."

    # --- the stream -----------------------------------------------------------------------

    def begin(self, size: int) -> None:
        """Announce an SB2.1 file of so many bytes. Raises Refused: nothing was erased then."""
        command = packet(Tag.RECEIVE_SB, size, data_follows=True)
        self._line.send(report(COMMAND_OUT, command))
        self._for_stream(self._response(Tag.RECEIVE_SB, BEGINNING))

    def stream(self, data: bytes, start: int, end: int, largest: int, watch: Watch) -> None:
        """The file's bytes from `start` to `end`; the chip is listened to meanwhile.

        Raises Refused as soon as the chip breaks off, Silent, Unplugged.
        """
        at = start
        while at < end:
            self._peek()
            watch(at, len(data))
            until = min(at + largest * PEEK_EACH, end)
            places = range(at, until, largest)
            self._line.send_all(
                [report(DATA_OUT, data[place : min(place + largest, until)]) for place in places]
            )
            at = until
        watch(end, len(data))

    def verified(self) -> None:
        """Header, certificates and signature are with the chip: let it check them undisturbed.

        Raises Refused if it says at once that it takes none of it.
        """
        self._pause(VERIFY_PAUSE)
        self._peek()

    def final(self, timeout: float) -> str:
        """Wait for the chip's word on the whole file; what it said.

        Raises Refused; Silent after `timeout` seconds, after which it may be called again.
        """
        answer = self._after_abort(self._one(timeout))
        self._for_stream(answer)
        return "It is about to start it." if answer.status == PENDING else "It took the file."

    def _peek(self) -> None:
        """Has the chip broken off? Costs nothing while it is silent."""
        try:
            received = self._line.receive(0.0, REPORT)
        except Silent:
            return
        self._for_stream(self._after_abort(parse(received)))
        raise _garbled("an end of the file before its last byte")

    def _after_abort(self, answer: Answer | None) -> Answer:
        """The empty report is followed by the status that says why."""
        for _ in range(STALE):
            if answer is not None:
                return answer
            try:
                answer = self._one(ANSWER)
            except Silent:
                break
        return answer or Answer(Tag.GENERIC, (ABORTED, Tag.RECEIVE_SB))

    def _for_stream(self, answer: Answer) -> None:
        if answer.tag != Tag.GENERIC or answer.words[1:2] not in ((Tag.RECEIVE_SB,), ()):
            raise _garbled(f"tag {answer.tag:02X} where the file's fate was asked for")
        if answer.status != PENDING:
            _good(answer)

    # --- answers --------------------------------------------------------------------------

    def _one(self, timeout: float) -> Answer | None:
        return parse(self._line.receive(timeout, REPORT))

    def _response(self, to: Tag, timeout: float) -> Answer:
        """The response to that command.

        What an earlier program did not fetch comes first: the chip keeps it until it is read, and
        one that was killed behind its last byte leaves the final answer, or the end of a stream.
        """
        for _ in range(STALE):
            answer = self._one(timeout)
            if answer is None:
                continue
            if answer.tag == Tag.PROPERTIES and to != Tag.GET_PROPERTY:
                continue
            if answer.tag != Tag.GENERIC or answer.words[1:2] in ((to,), ()):
                return answer
        raise _garbled("answers to commands that were not sent")

    def _forget_stale(self) -> None:
        for _ in range(STALE):
            try:
                self._line.receive(0.0, REPORT)
            except Silent:
                return


def _good(answer: Answer) -> None:
    if answer.status != SUCCESS:
        raise refused(answer.status)


def _garbled(what: str) -> Garbled:
    return Garbled(f"The bootloader answered what no bootloader says: {what}.")


def head_of(pause_at: int, largest: int) -> int:
    """Bytes of the whole reports that carry all that lies before `pause_at`, and more than that."""
    return (pause_at // largest + 1) * largest
