"""SLIP frames (RFC 1055) as Nordic's bootloaders speak it: one END after each frame, none before.

The rule: pure. A byte that may not follow ESC spoils its frame; the next END begins anew.
"""

from __future__ import annotations

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
_MEANT = {ESC_END: END, ESC_ESC: ESC}


def encode(frame: bytes) -> bytes:
    escaped = frame.replace(bytes((ESC,)), bytes((ESC, ESC_ESC)))
    return escaped.replace(bytes((END,)), bytes((ESC, ESC_END))) + bytes((END,))


class Decoder:
    """Bytes as they come in; frames as they become whole."""

    def __init__(self) -> None:
        self._frame = bytearray()
        self._escaped = False
        self._spoilt = False

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now; empty ones are none."""
        whole = []
        for byte in data:
            if byte == END:
                if self._frame and not self._spoilt and not self._escaped:
                    whole.append(bytes(self._frame))
                self._frame.clear()
                self._escaped = self._spoilt = False
            elif self._escaped:
                self._escaped = False
                self._spoilt = self._spoilt or byte not in _MEANT
                self._frame.append(_MEANT.get(byte, 0))
            elif byte == ESC:
                self._escaped = True
            else:
                self._frame.append(byte)
        return whole
