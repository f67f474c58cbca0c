"""CTAPHID over one of our HID lines: the fido2 library's framing, our wire and our errors.

The rule: the library does the protocol; what a report does or does not, our line says. A call ends
with an answer, or with one of our errors; keepalives tell that the key waits for a touch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from fido2.ctap import STATUS, CtapError
from fido2.hid import CAPABILITY, ConnectionFailure, CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

from console.errors import Garbled, Refused
from console.hardware.lines import HidLine

T = TypeVar("T")

REPORT = 64
PATIENCE = 3.0
"""Seconds without even a keepalive, which come each 0.1 s, until the key counts as silent."""

OnTouch = Callable[[], None]
"""Called once, when the key says that it waits for a touch."""


class _Reports(CtapHidConnection):
    """What the library reads and writes: reports without their number, which is 0."""

    def __init__(self, line: HidLine) -> None:
        self._line = line

    def read_packet(self) -> bytes:
        return self._line.receive(PATIENCE, REPORT)

    def write_packet(self, data: bytes) -> None:
        self._line.send(b"\0" + data)

    def close(self) -> None:
        """The line is closed by whom it was opened."""


class Ctap:
    """One channel of one key. `device` is what the fido2 library's own sessions take."""

    def __init__(self, line: HidLine) -> None:
        facts = HidDescriptor("", 0, 0, REPORT, REPORT, None, None)
        self.device = _translated(lambda: CtapHidDevice(facts, _Reports(line)))

    @property
    def has_ctap2(self) -> bool:
        return bool(self.device.capabilities & CAPABILITY.CBOR)

    def call(self, command: int, data: bytes = b"", on_touch: OnTouch | None = None) -> bytes:
        """The answer to a command (its number without the top bit).

        Raises Refused (code "CTAPHID 01" and the like), Silent, Unplugged, Garbled.
        """
        return _translated(lambda: self.device.call(command, data, on_keepalive=told(on_touch)))


def told(on_touch: OnTouch | None) -> Callable[[int], None]:
    """The library's keepalives, as the one word that matters here."""

    def heard(status: int) -> None:
        if status == STATUS.UPNEEDED and on_touch is not None:
            on_touch()

    return heard


def _translated(act: Callable[[], T]) -> T:
    try:
        return act()
    except CtapError as error:
        raise refused(error) from None
    except (ConnectionFailure, struct.error) as error:
        raise Garbled(f"The key answered what CTAPHID does not know ({error}).") from None


MEANINGS: dict[int, tuple[str, str]] = {
    0x01: ("its firmware does not know this command", "Flash a newer firmware, then run again."),
    0x05: ("it lost a part of the message", "Plug it into the computer itself, run again."),
    0x06: ("another program is talking to it", "Close browsers and agents, then run again."),
    0x0A: ("another program has locked it", "Close browsers and agents, then run again."),
    0x27: ("it was told no", "Run it again and touch the key while it blinks."),
    0x2D: ("the request was cancelled", "Run it again and touch the key while it blinks."),
    0x2F: ("no touch was seen in time", "Run it again and touch the key while it blinks."),
    0x30: (
        "it does not allow that now; a reset it allows within 10 s of being plugged in",
        "Plug it into the computer itself, no hub, no guest; then run again.",
    ),
    0x3A: ("no touch was seen in time", "Run it again and touch the key while it blinks."),
}
"""What CTAPHID errors (below 10) and CTAP2 statuses mean here (CTAP 2.1, 8.2 and 11.2.9)."""


def refused(error: CtapError) -> Refused:
    """The library's error in our words; its number stands behind them for support."""
    number = int(error.code)
    why, advice = MEANINGS.get(number, ("it refused", ""))
    return Refused(f"The key says: {why} (CTAP code {number:02X}).", advice, code=f"{number:02X}")
