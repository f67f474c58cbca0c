"""Long contents as text, so that another process may go on with a device."""

from __future__ import annotations

import base64
import zlib


def as_text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 1)).decode("ascii")


def as_bytes(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
