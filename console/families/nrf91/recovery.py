"""The client of MCUboot's serial recovery: SMP over a serial line (Zephyr, SMP transport, console).

The rule: messages, their checksum and their lines are the library's (smp); ours are the serial
line, patience, and what an answer means. One request in flight; the device's offset decides.
"""

from __future__ import annotations

import binascii
import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from smp import packet
from smp.exceptions import SMPException
from smp.header import Header, Version
from smp.image_management import ImageStatesReadRequest, ImageUploadWriteRequest
from smp.message import Request
from smp.os_management import ResetWriteRequest

from console.errors import Garbled, Refused, Silent
from console.hardware.lines import SerialLine

CHUNK = 256
"""Bytes of image in a request: with its frame it fits the 512 bytes that every MCUboot takes."""
GREETING, USUAL, ERASES = 2.0, 10.0, 40.0
"""Seconds to wait for a first answer, for any, and for the first piece: it erases the slot."""
SENDS = 3
"""Times a request is sent before silence counts."""
STALLS = 8
TOO_LARGE = "size"
"""The code of a refusal of the first piece, for its length perhaps."""
START = b"\x06\x09"

RC = {
    1: "something unknown went wrong",
    2: "it has no memory left",
    3: "it calls the request wrong",
    4: "it took too long itself",
    5: "it has no such thing",
    6: "it cannot do that now",
    8: "it does not know this request",
}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Slots:
    """What a bootloader tells of its images: only those that it would start.

    `listed` says that one is in the first slot, `digest` is that one's (empty where none is told),
    `waiting` the version of one in another slot that the next start is to take in.
    """

    listed: bool
    digest: bytes = b""
    waiting: str = ""


class Recovery:
    """A bootloader behind one serial line; `now` is the guide's."""

    def __init__(self, line: SerialLine, now: Callable[[], float]) -> None:
        self._line = line
        self._now = now
        self._sequence = 0

    def greets(self) -> bool:
        """Does a bootloader answer here? Any answer of its protocol will do."""
        try:
            self._exchange(ImageStatesReadRequest, GREETING, 1)
        except Refused:
            return True
        except (Silent, Garbled):
            return False
        return True

    def slots(self) -> Slots | None:
        """What it lists of its images; None where it lists none of anything."""
        try:
            told = self._exchange(ImageStatesReadRequest, USUAL).get("images")
        except Refused:
            return None
        return _slots(told) if isinstance(told, list) else None

    def upload(self, data: bytes, progress: Progress) -> None:
        """All of it, from the offset that the device asks for. Raises Refused, Silent, Garbled."""
        total, at, stalls = len(data), 0, 0
        sha = hashlib.sha256(data).digest()
        while at < total:
            piece = data[at : at + CHUNK]
            first = {"image": 0, "len": total, "sha": sha} if at == 0 else {}
            patience = ERASES if at == 0 else USUAL
            try:
                answer = self._exchange(
                    ImageUploadWriteRequest, patience, SENDS, off=at, data=piece, **first
                )
            except Refused as error:
                raise _at_first(error, total) if at == 0 else error from None
            wanted = answer.get("off")
            if not isinstance(wanted, int) or not 0 <= wanted <= total:
                raise Garbled("The bootloader asks for an offset that is not in the image.")
            stalls = 0 if wanted > at else stalls + 1
            if stalls > STALLS:
                raise Garbled("The bootloader asks for the same piece again and again.")
            at = wanted
            progress(at, total)

    def leave(self) -> str:
        """Start the application; what was seen of it, whatever that was."""
        try:
            self._exchange(ResetWriteRequest, USUAL, 1)
        except (Silent, Garbled, Refused) as error:
            return f"asked to start; it said: {error.sentence}"
        return "it starts the application"

    # --- one request and its answer ------------------------------------------------------------

    def _exchange(
        self, kind: type[Request], patience: float, sends: int = SENDS, **body: Any
    ) -> Mapping[str, Any]:
        self._sequence = (self._sequence + 1) % 256
        # Version 1: the first bootloaders take the version's bits for a part of the operation.
        request = kind(version=Version.V1, sequence=self._sequence, **body)
        for attempt in range(sends):
            for piece in packet.encode(bytes(request)):
                self._line.send(piece)
            try:
                return self._answer(request.header, patience)
            except Silent:
                if attempt + 1 == sends:
                    raise
        raise AssertionError("it is sent at least once")

    def _answer(self, asked: Header, patience: float) -> Mapping[str, Any]:
        heard = b""
        until = self._now() + patience
        while (left := until - self._now()) > 0:
            try:
                heard += self._line.receive(left, 4096)
            except Silent:
                break
            frame, heard = next_frame(heard)
            while frame is not None:
                body = _body(frame, asked)
                if body is not None:
                    return _without_error(body)
                frame, heard = next_frame(heard)
        sentence = f"The bootloader did not answer within {patience:g} s."
        raise Silent(sentence, waited=patience)


def _at_first(error: Refused, total: int) -> Refused:
    """What a refusal of the first piece means: boot_serial compares the length with the slot."""
    if error.code != "SMP 3":
        return error
    return Refused(
        f"The bootloader refused the first piece: the image ({total} bytes) may be larger than "
        "its slot.",
        "Ask for the image for this board.",
        code=TOO_LARGE,
    )


def _slots(told: list[Any]) -> Slots:
    """The first slot of the first image (slot 0, image 0 or none named), wherever it stands."""
    images = [each for each in told if isinstance(each, dict)]
    first = [each for each in images if not each.get("slot") and not each.get("image")]
    found = first[0].get("hash") if first else None
    waiting = [each for each in images if each not in first and each.get("pending") is True]
    return Slots(
        bool(first),
        bytes(found) if isinstance(found, bytes) else b"",
        str(waiting[0].get("version", "?")) if waiting else "",
    )


def next_frame(heard: bytes) -> tuple[bytes | None, bytes]:
    """The first whole frame in what was heard, and the rest; (None, what may become one).

    Log lines between frames, and frames whose checksum is wrong, are left out.
    """
    while (at := heard.find(START)) >= 0:
        heard = heard[at:]
        decoder = packet.decode()
        next(decoder)
        rest = heard
        try:
            while b"\n" in rest:
                line, _, rest = rest.partition(b"\n")
                decoder.send(line.rstrip(b"\r") + b"\n")
            return None, heard
        except StopIteration as done:
            return bytes(done.value), rest
        except (SMPException, binascii.Error, struct.error, IndexError):
            heard = heard[len(START) :]
    return None, heard[-1:] if heard.endswith(START[:1]) else b""


def _body(frame: bytes, asked: Header) -> Mapping[str, Any] | None:
    """The answer to the request in the frame; None for one to another request, or noise."""
    try:
        head = Header.loads(frame[: Header.SIZE])
        body = cbor2.loads(frame[Header.SIZE :])
    except (ValueError, struct.error, AssertionError, cbor2.CBORDecodeError):
        return None
    ours = (asked.sequence, asked.group_id, asked.command_id)
    mine = (head.sequence, head.group_id, head.command_id) == ours and head.op == asked.op + 1
    return body if mine and isinstance(body, dict) else None


def _without_error(body: Mapping[str, Any]) -> Mapping[str, Any]:
    fault = body.get("err")
    code = fault.get("rc") if isinstance(fault, dict) else body.get("rc", 0)
    if not code:
        return body
    words = RC.get(code, "it gives a reason that I do not know") if isinstance(code, int) else ""
    raise Refused(f"The bootloader refused: {words}.", code=f"SMP {code}")
