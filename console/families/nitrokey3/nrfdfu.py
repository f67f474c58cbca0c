"""Nordic's Secure DFU over a serial line, as the nRF52's bootloader speaks it.

The rule: a missing answer is an error, whatever was asked; offsets and CRCs are believed from the
device alone; an init packet that it holds already is never sent anew, since that would throw away
all that was transferred. Source: nRF5 SDK 17.1, nrf_dfu_req_handler.c and nrf_dfu_serial.c.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from console.errors import Garbled, GateClosed, Refused, Silent, Unplugged
from console.families.nitrokey3.slip import Decoder, encode
from console.families.nitrokey3.version import Version, of_word
from console.hardware.lines import SerialLine

RESPONSE = 0x60
OK, NOT_SUPPORTED, EXTENDED = 0x01, 0x02, 0x0B
PATIENCE = 1.0
"""Seconds for what takes the device no time."""
CREATE, EXECUTE = 2.0, 5.0
"""Seconds: it erases a page; it writes one."""
ACCEPT, LAST_EXECUTE = 20.0, 30.0
"""Seconds: it may erase the old application, 85 ms a page (nRF52840, 6.3.6), for the new one's
room; it hashes and checks the whole image."""
SLOWEST = 500
"""Bytes a second: the operating system takes all at once, and the line may still carry it."""
TRIES = 3
"""How often one object is sent before the line counts as broken."""
WORD = 4
"""Bytes: the flash is written in words, so that no piece may end within one (nrf_fstorage)."""
READY = 30
"""Pings, a second each, until a bootloader counts as mute."""


class Op(IntEnum):
    PROTOCOL = 0x00
    CREATE = 0x01
    SET_RECEIPTS = 0x02
    CRC = 0x03
    EXECUTE = 0x04
    SELECT = 0x06
    MTU = 0x07
    WRITE = 0x08
    PING = 0x09
    HARDWARE = 0x0A
    FIRMWARE = 0x0B


class Kind(IntEnum):
    """The two objects: the init packet, and a piece of the image."""

    COMMAND = 1
    DATA = 2


APPLICATION, UNKNOWN = 0x01, 0xFF
"""Types of an image; the second one: it has none of that number (nrf_dfu_req_handler.c)."""


class NoVersion(StrEnum):
    """Why no version of an application can be named: two facts, which are not to be mixed up."""

    NONE = "it holds no whole firmware"
    NOT_TOLD = "it does not tell what firmware it holds"


RESULTS: dict[int, str] = {
    0x00: "it does not know this code",
    0x02: "it does not support this",
    0x03: "it does not take that parameter",
    0x04: "it has no room for that",
    0x05: "it does not take this file: it is not signed for this key",
    0x07: "it does not know that kind of object",
    0x08: "not in the state that it is in now",
    0x0A: "it failed and does not say why",
}
NOT_NOW, SPOILT = "04 08", "04 0B 0C"
"""Codes of an execute: not in the state that it is in; the image's hash is wrong."""
EXTENDED_RESULTS: dict[int, tuple[str, str]] = {
    0x01: ("it refused and does not say why", "Run flash again."),
    0x02: ("the command has a wrong form", ""),
    0x03: ("it does not know the command", ""),
    0x04: ("the file's init packet is incomplete", "Take the vendor's file."),
    0x05: ("this key refuses older firmware than it has", "Take a newer release."),
    0x06: ("the file is for other hardware", "Take the file for this product."),
    0x07: ("the file wants another SoftDevice", "Take the file for this product."),
    0x08: ("the file is not signed", "Take the vendor's file."),
    0x09: ("the file's digest is of a kind that it does not know", "Take the vendor's file."),
    0x0A: ("it cannot compute the file's digest", "Run flash again."),
    0x0B: ("the file's signature is of a kind that it does not know", "Take the vendor's file."),
    0x0C: ("the copy on the key is damaged", "Run flash again: it sends all of it anew."),
    0x0D: ("it has no room for this image", "Take the file for this product."),
    0x0E: ("it has this very firmware already", ""),
}

Watch = Callable[[int, int], None]
"""(bytes that the device holds, bytes in all)"""
Tell = Callable[[str, str], None]
"""(a sentence, advice)"""
SLOWER = (
    "A piece did not arrive whole. I send it again, and the rest slower, one by one.",
    "Leave it plugged in; it goes on.",
)


@dataclass(frozen=True)
class Held:
    """What the device holds of an object: its largest size, how far it is, and the CRC so far."""

    largest: int
    offset: int
    crc: int

    def begins(self, data: bytes) -> bool:
        """Is what it holds the beginning of these bytes?"""
        return self.offset <= len(data) and zlib.crc32(data[: self.offset]) == self.crc


@dataclass(frozen=True)
class Resumed:
    """Where a transfer began: bytes of the image that the device held already."""

    held: int
    total: int


def refused(op: Op, result: int, extended: int = 0) -> Refused:
    """What a result means, in our words; the codes stand behind them for support."""
    if result == EXTENDED:
        why, advice = EXTENDED_RESULTS.get(extended, ("it refused", ""))
        code = f"{op:02X} {result:02X} {extended:02X}"
    else:
        why, advice = RESULTS.get(result, "it refused"), ""
        code = f"{op:02X} {result:02X}"
    return Refused(f"The bootloader says: {why} (code {code}).", advice, code=code)


class SecureDfu:
    """The bootloader over one serial line."""

    def __init__(self, line: SerialLine, now: Callable[[], float]) -> None:
        self._line = line
        self._now = now
        self._decoder = Decoder()
        self._waiting: list[bytes] = []
        self._piece = 0
        self._init = b""
        self._known = False
        self._kept = False
        self._slowly = False
        self._tell: Tell = _nobody

    # --- requests -------------------------------------------------------------------------

    def wake(self, times: int = READY) -> None:
        """Ping it until it answers. Raises Silent after so many seconds."""
        for number in range(times):
            mark = number % 255 + 1
            try:
                self._ping(mark)
            except (Silent, Garbled):
                continue
            return
        raise Silent(
            f"The bootloader did not answer in {times} s.",
            "ModemManager or another program may have its port: stop it, then run again.",
            waited=float(times),
        )

    def _ping(self, mark: int) -> None:
        """Until this very ping is answered: answers to earlier ones and noise are passed over."""
        self._line.send(encode(bytes((Op.PING, mark))))
        until = self._now() + PATIENCE
        while True:
            frame = self._frame(until, PATIENCE)
            if frame == bytes((RESPONSE, Op.PING, OK, mark)):
                return
            if frame == bytes((RESPONSE, Op.PING, NOT_SUPPORTED)):
                return  # older builds know no ping; that is an answer, too

    def prepare(self) -> None:
        """Receipts off; how much one write may carry."""
        self._ask(Op.SET_RECEIPTS, struct.pack("<H", 0))
        (mtu,) = _unpack("<H", self._ask(Op.MTU))
        piece = (mtu - 1) // 2 - 1  # every byte may be escaped (nrf_dfu_serial.c)
        if piece < WORD:
            raise _garbled(b"")
        self._piece = piece - piece % WORD

    def holds(self) -> Version | NoVersion:
        """The version of its application, or why it names none.

        With a SoftDevice the application is image 2, else image 1. Its version is kept when it is
        erased, so a size of 0 is none. Raises Silent, Unplugged, Garbled.
        """
        none, refusals = False, 0
        for image in (1, 2):
            try:
                kind, word, _, size = _unpack("<BIII", self._ask(Op.FIRMWARE, bytes((image,))))
            except Refused:
                refusals += 1
                continue
            if kind == APPLICATION and size:
                return of_word(word)
            none = none or kind == APPLICATION or (kind == UNKNOWN and not refusals)
        return NoVersion.NONE if none or not refusals else NoVersion.NOT_TOLD

    def select(self, kind: Kind) -> Held:
        held = Held(*_unpack("<III", self._ask(Op.SELECT, bytes((kind,)))))
        if not held.largest:
            raise Garbled("The bootloader says that an object holds nothing.", "Run flash again.")
        return held

    def _create(self, kind: Kind, size: int) -> None:
        self._ask(Op.CREATE, struct.pack("<BI", kind, size), CREATE)

    def _crc(self) -> tuple[int, int]:
        offset, crc = _unpack("<II", self._ask(Op.CRC))
        return offset, crc

    # --- the init packet ------------------------------------------------------------------

    def offer_init(self, init: bytes) -> bool:
        """Hand over the init packet, unless it holds that one; was it the one that it holds?

        Nothing is checked by the device yet, and nothing is touched. Raises GateClosed if it
        has no room for such a packet.
        """
        self._init = init
        held = self.select(Kind.COMMAND)
        if held.largest < len(init):
            raise GateClosed(
                f"Its bootloader takes init packets of {held.largest} bytes, and this file's has "
                f"{len(init)}.",
                "Nothing is written. Take the vendor's file for this product.",
            )
        self._known = bool(held.offset) and held.begins(init)
        if self._known:
            if self._write(init[held.offset :]) == (len(init), zlib.crc32(init)):
                return True
            self._known = False
        for _ in range(TRIES):
            self._create(Kind.COMMAND, len(init))
            if self._write(init) == (len(init), zlib.crc32(init)):
                return False
            self._slowly = True
        raise Garbled("The init packet arrived damaged.", "Run flash again.")

    def accept_init(self) -> None:
        """Have it check the packet that was offered; from here on the old firmware may be gone.

        Raises Refused: what runs on the device was not touched then.
        """
        try:
            self._ask(Op.EXECUTE, patience=ACCEPT)
        except Refused as error:
            if not (self._known and error.code == NOT_NOW):
                raise
            self._init_anew()  # what it held of it was of no use: from the beginning, then

    def _init_anew(self) -> None:
        self._create(Kind.COMMAND, len(self._init))
        self._write(self._init)
        self._ask(Op.EXECUTE, patience=ACCEPT)

    # --- the image ------------------------------------------------------------------------

    def resume(self, image: bytes) -> Resumed:
        """How much of the image it holds; what it holds of another one is thrown away later."""
        held = self.select(Kind.DATA)
        return Resumed(held.offset if held.begins(image) else 0, len(image))

    def send_image(self, image: bytes, watch: Watch, tell: Tell | None = None) -> None:
        """Send what it lacks, object by object; the last one is there and not executed.

        `tell` hears once that it has to be sent slower. Raises Refused, Silent, Unplugged, Garbled.
        """
        self._tell = tell or _nobody
        if self._slowly:
            self._tell(*SLOWER)
        held = self.select(Kind.DATA)
        self._kept = bool(held.offset)
        self._send_rest(image, held, watch)

    def finish(self, image: bytes, watch: Watch) -> bool:
        """Have it check the whole; did it say that it is good?

        False: its port ended with the last object, as it does when it starts the firmware. A copy
        that was put together from two transfers and is spoilt is sent once more as a whole.
        Raises Refused, Silent, Unplugged, Garbled.
        """
        try:
            return self._last_execute()
        except Refused as error:
            if not self._kept or error.code != SPOILT:
                raise
        self._init_anew()
        self._send_rest(image, self.select(Kind.DATA), watch)
        return self._last_execute()

    def _send_rest(self, image: bytes, held: Held, watch: Watch) -> None:
        at = self._finish_begun(image, held)
        crc = zlib.crc32(image[:at])
        while at < len(image):
            end = min(at + held.largest, len(image))
            crc = zlib.crc32(image[at:end], crc)
            self._send_object(image, at, end, crc)
            if end < len(image):
                self._ask(Op.EXECUTE, patience=EXECUTE)
            at = end
            watch(at, len(image))

    def _finish_begun(self, image: bytes, held: Held) -> int:
        """The first byte that no executed object holds; an object that was begun is finished."""
        if not held.offset:
            return 0
        if not held.begins(image):
            return self._roll_back(image, held)
        start = held.offset - (held.offset % held.largest or min(held.largest, held.offset))
        end = min(start + held.largest, len(image))
        whole = zlib.crc32(image[held.offset : end], held.crc)
        if held.offset < end and self._write(image[held.offset : end]) != (end, whole):
            self._send_object(image, start, end, whole)
        if end < len(image):
            self._execute_begun(whole=held.offset == end)
        return end

    def _execute_begun(self, whole: bool) -> None:
        """An object that it held whole may have been executed before: then it may say no."""
        try:
            self._ask(Op.EXECUTE, patience=EXECUTE)
        except Refused as error:
            if not (whole and error.code == NOT_NOW):
                raise

    def _roll_back(self, image: bytes, held: Held) -> int:
        """The object under way is bad: a new one takes us back to what was executed before it.

        Where that is of another image as well, the init packet is sent anew, which throws all away.
        """
        start = max(0, (held.offset - 1) // held.largest * held.largest)
        try:
            self._create(Kind.DATA, max(1, min(held.largest, len(image) - start)))
            offset, crc = self._crc()
            if not offset % held.largest and zlib.crc32(image[:offset]) == crc:
                return offset
        except Refused:
            pass  # its state does not allow it: from the beginning, then
        self._init_anew()
        return 0

    def _send_object(self, image: bytes, start: int, end: int, crc: int) -> None:
        """`crc` is that of the image up to its end."""
        for _ in range(TRIES):
            self._create(Kind.DATA, end - start)
            if self._write(image[start:end]) == (end, crc):
                return
            self._slow_down()
        raise Garbled(
            f"Bytes {start} to {end} arrived damaged {TRIES} times.",
            "Take another cable and port, no hub; then run flash again: it goes on from there.",
        )

    def _slow_down(self) -> None:
        """It may have fewer receive buffers than a burst fills: what is lost once is lost again."""
        if not self._slowly:
            self._slowly = True
            self._tell(*SLOWER)

    def _write(self, data: bytes) -> tuple[int, int]:
        """Send it all; how many bytes it holds of the object's kind then, and their CRC.

        No write is answered. So all of them and the question after them are one send, or, slowly,
        each of them is asked for.
        """
        pieces = (data[at : at + self._piece] for at in range(0, len(data), self._piece))
        writes = [encode(bytes((Op.WRITE,)) + piece) for piece in pieces]
        bursts = writes if self._slowly else [b"".join(writes)]
        offset, crc = 0, 0
        for burst in bursts:
            patience = PATIENCE + len(burst) // SLOWEST
            offset, crc = _unpack("<II", self._ask(Op.CRC, patience=patience, before=burst))
        return offset, crc

    def _last_execute(self) -> bool:
        try:
            self._ask(Op.EXECUTE, patience=LAST_EXECUTE)
        except Unplugged:
            return False
        return True

    # --- frames ---------------------------------------------------------------------------

    def _ask(
        self, op: Op, body: bytes = b"", patience: float = PATIENCE, before: bytes = b""
    ) -> bytes:
        """The payload of its answer; `before` are frames that are not answered.

        Raises Refused, Silent, Garbled, Unplugged.
        """
        self._line.send(before + encode(bytes((op,)) + body))
        return self._answer(op, patience)

    def _answer(self, op: Op, patience: float) -> bytes:
        """The answer to this very request; what was said to an earlier one is passed over."""
        until = self._now() + patience
        noise = b""
        while True:
            try:
                frame = self._frame(until, patience)
            except Silent:
                if noise:
                    raise _garbled(noise) from None
                raise
            if len(frame) < 3 or frame[0] != RESPONSE:
                noise = frame
                continue
            if frame[1] != op:
                continue
            if frame[2] != OK:
                raise refused(op, frame[2], frame[3] if len(frame) > 3 else 0)
            return frame[3:]

    def _frame(self, until: float, patience: float) -> bytes:
        while not self._waiting:
            left = until - self._now()
            if left <= 0:
                raise Silent(f"The bootloader did not answer in {patience:g} s.", waited=patience)
            with suppress(Silent):
                self._waiting = self._decoder.feed(self._line.receive(left))
        return self._waiting.pop(0)


def _nobody(sentence: str, advice: str) -> None:
    """Where nobody listens."""


def _unpack(form: str, payload: bytes) -> tuple[int, ...]:
    if len(payload) < struct.calcsize(form):
        raise _garbled(payload)
    return struct.unpack_from(form, payload)


def _garbled(frame: bytes) -> Garbled:
    return Garbled(
        f"The bootloader's port says what no bootloader says ({len(frame)} bytes).",
        "Another program may use its port: close it, then run again.",
    )
