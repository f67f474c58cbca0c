"""PC/SC's calls that take or give a reader's name, with that name as its very bytes.

The rule: as pyscard's calls of the same name, which take ASCII only: a reader is called what its
device says of itself (hotplug_libudev.c), and pyscard frees a name with other letters twice. A
context or card of one is one of the other: both call the same library in this process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache

from smartcard import scard

LIBRARY = "libpcsclite.so.1"
LONGEST_ATR = 33
ROOM = 0x10000
"""Bytes for all names: pcscd has 16 of 128 bytes (pcsclite.h), and may be built for more."""

Long, Dword = ctypes.c_long, ctypes.c_ulong  # wintypes.h of pcsc-lite


class ReaderState(ctypes.Structure):
    """SCARD_READERSTATE (pcsclite.h)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("user_data", ctypes.c_void_p),
        ("known", Dword),
        ("state", Dword),
        ("atr_size", Dword),
        ("atr", ctypes.c_ubyte * LONGEST_ATR),
    )


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    size = ctypes.POINTER(Dword)
    wanted = {
        "SCardListReaders": (Long, ctypes.c_char_p, ctypes.c_char_p, size),
        "SCardGetStatusChange": (Long, Dword, ctypes.POINTER(ReaderState), Dword),
        "SCardConnect": (Long, ctypes.c_char_p, Dword, Dword, ctypes.POINTER(Long), size),
    }
    for name, takes in wanted.items():
        function = getattr(library, name)
        function.argtypes, function.restype = takes, Long
    return library


def text_of(name: bytes) -> str:
    """Nothing is lost: pcscd cuts a name where its room ends, in the middle of a letter too."""
    return name.decode(errors="surrogateescape")


def bytes_of(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def list_readers(context: int) -> tuple[int, tuple[str, ...]]:
    """SCardListReaders, of all groups: its result, and the names."""
    room, size = ctypes.create_string_buffer(ROOM), Dword(ROOM)
    code = _library().SCardListReaders(context, None, room, size)
    if code != scard.SCARD_S_SUCCESS:
        return code, ()
    return code, tuple(text_of(name) for name in room.raw[: size.value].split(b"\0") if name)


def get_status_change(
    context: int, milliseconds: int, known: Mapping[str, int]
) -> tuple[int, list[tuple[str, int, bytes]]]:
    """SCardGetStatusChange: its result, and (name, state, ATR) of those that were known."""
    asked = (ReaderState * len(known))()
    for entry, (name, state) in zip(asked, known.items(), strict=True):
        entry.name, entry.known = bytes_of(name), state
    code = _library().SCardGetStatusChange(context, milliseconds, asked, len(known))
    return code, [
        (name, entry.state, bytes(entry.atr[: entry.atr_size]))
        for name, entry in zip(known, asked, strict=True)
    ]


def connect(context: int, name: str, share: int, protocols: int) -> tuple[int, int, int]:
    """SCardConnect: its result, the card, and its protocol."""
    card, protocol = Long(0), Dword(0)
    code = _library().SCardConnect(context, bytes_of(name), share, protocols, card, protocol)
    return code, card.value, protocol.value
