"""The serial line of the nRF52's bootloader: SLIP frames around its requests (RFC 1055).

The rule: a frame ends with END and has none in front; what is broken is dropped up to the next
END. Nothing is read before the host has raised DTR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.families.nitrokey3.simulator_nrf52 import DfuBootloader

END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD


def frame(message: bytes) -> bytes:
    escaped = message.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return escaped + bytes((END,))


def unframe(body: bytes) -> bytes | None:
    """What stood in a frame, its END taken off; None if it is broken."""
    parts = body.split(bytes((ESCAPE,)))
    message = bytearray(parts[0])
    for part in parts[1:]:
        if part[:1] == bytes((ESCAPED_END,)):
            message.append(END)
        elif part[:1] == bytes((ESCAPED_ESCAPE,)):
            message.append(ESCAPE)
        else:
            return None
        message += part[1:]
    return bytes(message)


class DfuLine:
    """A ByteStream over the bootloader. `listens` says whether the host has raised DTR."""

    def __init__(
        self, bootloader: DfuBootloader, listens: Callable[[], bool], mtu: int, noise: bytes = b""
    ) -> None:
        self._bootloader = bootloader
        self._listens = listens
        self._mtu = mtu
        self._noise = noise
        self._incoming = b""
        self._outgoing = b""

    def start(self) -> None:
        self._incoming, self._outgoing = b"", b""

    def feed(self, data: bytes) -> None:
        self._incoming += data
        self._read()

    def drain(self) -> bytes:
        self._read()
        said, self._outgoing = self._outgoing, b""
        return said

    @property
    def silent(self) -> bool:
        """Nothing is left to be fetched."""
        return not self._outgoing

    def _read(self) -> None:
        if not self._listens():
            return
        while (end := self._incoming.find(END)) >= 0:
            body, self._incoming = self._incoming[:end], self._incoming[end + 1 :]
            message = unframe(body)
            # three buffers of one MTU each: a longer frame fits into none
            if message and len(body) < self._mtu:
                self._say(self._bootloader.request(message))

    def _say(self, answer: bytes) -> None:
        if answer:
            noise, self._noise = self._noise, b""
            self._outgoing += noise + frame(answer)

    def freeze(self) -> dict[str, Any]:
        return {
            "incoming": self._incoming.hex(),
            "outgoing": self._outgoing.hex(),
            "noise": self._noise.hex(),
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._incoming = bytes.fromhex(frozen["incoming"])
        self._outgoing = bytes.fromhex(frozen["outgoing"])
        self._noise = bytes.fromhex(frozen["noise"])
