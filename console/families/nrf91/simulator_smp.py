"""MCUboot's serial recovery: SMP packets in base64 lines, answered in CBOR (boot_serial).

The rule: what the bootloader's source does, its oddities included: an upload's place is in
RAM and starts anew with offset 0, a digest sent along is not looked at, and what is no whole
packet is not answered at all.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import cbor2

from console.families.nrf91.simulator_image import Image, judged
from console.families.nrf91.simulator_rows import Faults, Recovery, Times
from console.hardware.simulated import Pause

START, MORE, END = b"\x06\x09", b"\x04\x14", b"\n"
FRAME = 124
"""Base64 characters a line of the answer."""
HEADER = struct.Struct(">BBHHBB")
READ, WRITE = 0, 2
OS, IMAGE = 0, 1
ECHO, ECHO_CONTROL, RESET, PARAMETERS = 0, 1, 5, 6
STATE, UPLOAD, SLOT_INFO = 0, 1, 6
OK, UNKNOWN, NO_MEMORY, INVALID, NO_ENTRY, BAD_STATE, NOT_SUPPORTED = 0, 1, 2, 3, 5, 6, 8
ERASED = 0xFF
SLICE = 0.05


class Bootloader:
    """One chip's MCUboot and its slot. `reset` is called when a host has asked for that."""

    def __init__(
        self,
        recovery: Recovery,
        image: bytes,
        pause: Pause,
        faults: Faults,
        times: Times,
        *,
        reset: Callable[[], None],
        leave: Callable[[], None],
    ) -> None:
        self.recovery = recovery
        self.cells = bytearray(image.ljust(recovery.slot, bytes((ERASED,))))
        self._pause = pause
        self._faults = faults
        self._times = times
        self._reset = reset
        self._leave = leave
        self._unplugged = False
        self._answered = 0
        self.start()

    def start(self) -> None:
        """It runs anew: what it had in RAM is gone."""
        self._line = b""
        self._packet = b""
        self._queue: list[bytes] = []
        self._left = 0.0
        self._said = b""
        self._offset = self._size = 0
        self._leaving = False

    @property
    def image(self) -> Image | None:
        """What is in the slot, if it may be started."""
        return judged(bytes(self.cells))

    # --- the line ---------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        if self._leaving:
            self._go()
            return
        for byte in data:
            if byte != END[0]:
                self._line += bytes((byte,))
                continue
            whole, self._line = self._line, b""
            if len(whole) + 1 <= self.recovery.line:
                self._take(whole)

    def drain(self) -> bytes:
        """Work first, a slice at a time; then the next packet that waits."""
        if self._left == 0.0 and self._queue and not self._said:
            self._perform(self._queue.pop(0))
        if self._left > 0:
            seconds = min(SLICE, self._left)
            self._pause(seconds)
            self._left = max(0.0, self._left - seconds - 1e-9)
        if self._left > 0:
            return b""
        said, self._said = self._said, b""
        if self._leaving and not said:
            self._go()
        return said

    def _go(self) -> None:
        """Its answer has been sent; a moment later the chip starts anew."""
        self._leaving = False
        self._pause(self._times.reset)
        self._reset()

    def _take(self, line: bytes) -> None:
        """A line of base64: the first of a packet, or one more."""
        if line.startswith(START):
            self._packet = b""
        elif not line.startswith(MORE):
            return
        try:
            self._packet += base64.b64decode(line[2:].strip(b"\r"), validate=True)
        except binascii.Error:
            return
        if len(self._packet) > self.recovery.buffer:
            self._packet = b""
            return
        if len(self._packet) <= 2:
            return
        (length,) = struct.unpack_from(">H", self._packet)
        body = self._packet[2:]
        if length != len(body) or length <= 2 or binascii.crc_hqx(body, 0) != 0:
            return
        self._packet = b""
        self._queue.append(body[:-2])

    def _perform(self, message: bytes) -> None:
        if len(message) < HEADER.size:
            return
        first, _, length, group, sequence, command = HEADER.unpack_from(message)
        operation = first & 7 if self.recovery.versions else first
        body = message[HEADER.size :]
        if operation not in (READ, WRITE) or length < len(body):
            return
        answer = self._answer(operation, group, command, body)
        if answer is None:
            return
        self._answered += 1
        if self._answered != self._faults.loses_answer:
            raw = cbor2.dumps(answer, indefinite_containers=True)
            head = HEADER.pack(first + 1, 0, len(raw), group, sequence, command)
            self._said += framed(head + raw)

    # --- commands ---------------------------------------------------------------------------

    def _answer(self, operation: int, group: int, command: int, body: bytes) -> Any:
        match group, command:
            case 1, 0:
                return self._list() if operation == READ else self._set_state(_map(body))
            case 1, 1:
                return self._upload(_map(body))
            case 1, 6 if self.recovery.slot_info:
                return self._slots()
            case 0, 0 if self.recovery.echo:
                return self._echo(_map(body))
            case 0, 1:
                return {"rc": OK}
            case 0, 5:
                self._leaving = True
                return {"rc": OK}
            case 0, 6 if self.recovery.parameters:
                return {"buf_size": self.recovery.buffer, "buf_count": 1}
        return {"rc": NOT_SUPPORTED}

    def _echo(self, asked: dict[str, Any]) -> dict[str, Any]:
        said = asked.get("d")
        return {"r": said} if isinstance(said, str) else {"rc": INVALID}

    def _list(self) -> dict[str, Any]:
        """Only what may be started is listed."""
        found = self.image
        if found is None:
            return {"images": []}
        told: dict[str, Any] = {}
        if self.recovery.states:
            if found.bootable:
                told["bootable"] = True
            told["confirmed"] = True  # nothing waits in another slot to be swapped in
        told["slot"] = 0
        if self.recovery.hashes:
            told["hash"] = found.digest
        told["version"] = found.version
        return {"images": [told]}

    def _set_state(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The only slot is the primary one: it can be confirmed, never tested."""
        if not self.recovery.states:
            return {"rc": NOT_SUPPORTED}
        digest, confirm = asked.get("hash", b""), asked.get("confirm", False)
        if not isinstance(digest, bytes) or len(digest) not in (0, 32):
            return {"rc": INVALID}
        found = self.image
        if found is None or digest not in (b"", found.digest):
            return {"rc": NO_ENTRY}
        if confirm is not True:
            return {"rc": INVALID}
        return self._list()

    def _slots(self) -> dict[str, Any]:
        slot = {"slot": 0, "size": self.recovery.slot, "upload_image_id": 0}
        return {"images": [{"image": 0, "slots": [slot]}]}

    def _upload(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """One chunk, into the primary slot. Offset 0 erases it whole and begins anew."""
        offset, data = asked.get("off"), asked.get("data")
        if not isinstance(offset, int) or not isinstance(data, bytes) or offset < 0:
            return {"rc": INVALID}
        if offset == 0:
            refused = self._begin(asked)
            if refused != OK:
                return {"rc": refused}
        elif offset != self._offset:
            return {"rc": OK, "off": self._offset}
        if self._offset + len(data) > self._size:
            return {"rc": INVALID}
        return self._write(data)

    def _begin(self, asked: dict[str, Any]) -> int:
        number, size = asked.get("image", 0), asked.get("len")
        if number not in (0, 1):
            return NO_ENTRY
        if number != 0 or not isinstance(size, int) or size > self.recovery.slot:
            return INVALID
        self.cells[:] = bytes((ERASED,)) * self.recovery.slot
        self._offset, self._size = 0, size
        self._left += self._times.erase
        return OK

    def _write(self, data: bytes) -> dict[str, Any] | None:
        """Whole words; the rest is asked for again, except at the end of the image."""
        odd = len(data) % self.recovery.align
        if odd and self._offset + len(data) < self._size:
            data = data[:-odd]
        limit = self._faults.unplugged_at
        covers = limit is not None and self._offset <= limit < self._offset + len(data)
        if covers and not self._unplugged:
            assert limit is not None
            self._unplugged = True
            self._put(data[: limit - self._offset])
            self._leave()
            return None
        if self._faults.fails_upload_with:
            return {"rc": self._faults.fails_upload_with}
        self._put(data)
        self._left += self._times.flash
        self._offset += len(data)
        return {"rc": OK, "off": self._offset}

    def _put(self, data: bytes) -> None:
        self.cells[self._offset : self._offset + len(data)] = data
        flipped = self._faults.flips_image_byte
        if flipped is not None and self._offset <= flipped < self._offset + len(data):
            self.cells[flipped] ^= 0x01

    # --- keeping ----------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        return {
            "cells": base64.b64encode(zlib.compress(bytes(self.cells), 6)).decode("ascii"),
            "line": self._line.hex(),
            "packet": self._packet.hex(),
            "queue": [message.hex() for message in self._queue],
            "left": self._left,
            "said": self._said.hex(),
            "upload": [self._offset, self._size],
            "leaving": self._leaving,
            "unplugged": self._unplugged,
            "answered": self._answered,
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        cells = zlib.decompress(base64.b64decode(frozen["cells"]))
        if len(cells) != len(self.cells):
            raise ValueError("a slot of another size")
        self.cells[:] = cells
        self._line, self._packet = bytes.fromhex(frozen["line"]), bytes.fromhex(frozen["packet"])
        self._queue = [bytes.fromhex(message) for message in frozen["queue"]]
        self._left, self._said = float(frozen["left"]), bytes.fromhex(frozen["said"])
        self._offset, self._size = map(int, frozen["upload"])
        self._leaving, self._unplugged = bool(frozen["leaving"]), bool(frozen["unplugged"])
        self._answered = int(frozen["answered"])


def framed(message: bytes) -> bytes:
    """The lines of one packet: length, message and CRC in base64."""
    body = message + struct.pack(">H", binascii.crc_hqx(message, 0))
    text = base64.b64encode(struct.pack(">H", len(body)) + body)
    pieces = [text[at : at + FRAME] for at in range(0, len(text), FRAME)]
    heads = (START, *(MORE for _ in pieces[1:]))
    return b"".join(head + piece + END for head, piece in zip(heads, pieces, strict=True))


def _map(body: bytes) -> dict[str, Any]:
    """The request's map; {} if it is none, which every command refuses as invalid."""
    try:
        found = cbor2.loads(body)
    except (cbor2.CBORDecodeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
