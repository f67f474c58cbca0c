"""Cards to talk to: one command at a time, the waiting done in no time."""

from __future__ import annotations

from console.families.openpgp.simulator import lived
from console.families.openpgp.simulator_card import OpenPgpCard
from console.families.openpgp.simulator_faults import Fault, Kind
from console.families.openpgp.simulator_rows import ROWS, Personality
from console.hardware.simulated_card import exchange

SERIAL = bytes.fromhex("00006fda")
SELECT = "00a4040006d27600012401"
PW1, PW3 = b"123456", b"12345678"
EVER = 3600.0


class Talk:
    """A card and what was said to it; `waited` is the time the card took, in seconds."""

    def __init__(self, row: Personality, serial: bytes = SERIAL, **options) -> None:
        self.row = row
        self.card = OpenPgpCard(row, serial, **options)
        self.waited = 0.0

    def pause(self, seconds: float) -> None:
        self.waited += seconds

    def raw(self, command: bytes) -> bytes | None:
        return exchange(self.card, command, self.pause, EVER)

    def send(self, command: str | bytes) -> tuple[bytes, int]:
        """The data and the status word, fetched to the end."""
        wanted = bytes.fromhex(command) if isinstance(command, str) else command
        answer = self.raw(wanted)
        assert answer is not None, "the card is mute"
        data = answer[:-2]
        while answer[-2] == 0x61:
            answer = self.raw(bytes.fromhex("00c00000") + answer[-1:])
            assert answer is not None
            data += answer[:-2]
        return data, int.from_bytes(answer[-2:], "big")

    def sw(self, command: str | bytes) -> int:
        return self.send(command)[1]

    def ok(self, command: str | bytes) -> bytes:
        data, sw = self.send(command)
        assert sw == 0x9000, f"{sw:04x}"
        return data

    def put(self, ins: int, p1: int, p2: int, data: bytes, le: bool = False) -> tuple[bytes, int]:
        """A command with any amount of data: chained, or extended where there is no chaining."""
        if len(data) > 255 and not self.row.chaining:
            ending = b"\0\0" if le else b""
            head = bytes((0, ins, p1, p2, 0)) + len(data).to_bytes(2, "big")
            return self.send(head + data + ending)
        while len(data) > 255:
            assert self.sw(bytes((0x10, ins, p1, p2, 254)) + data[:254]) == 0x9000
            data = data[254:]
        body = bytes((len(data),)) + data if data else b""
        return self.send(bytes((0, ins, p1, p2)) + body + (b"\0" if le else b""))

    # --- what is said often ---------------------------------------------------------------

    def select(self) -> int:
        return self.sw(SELECT)

    def verify(self, mode: int, pin: bytes) -> int:
        return self.put(0x20, 0, mode, pin)[1]

    def get(self, tag: int) -> bytes:
        return self.ok(bytes((0, 0xCA, tag >> 8, tag & 0xFF, 0)))

    def counters(self) -> tuple[int, int, int]:
        first, code, third = self.get(0xC4)[4:]
        return first, code, third

    def as_admin(self) -> Talk:
        self.select()
        assert self.verify(0x83, PW3) == 0x9000
        return self

    def generate(self, template: str) -> bytes:
        return self.ok(f"0047800002{template}0000")


def in_slot(row: str, serial: str, seconds: float, *past: str) -> OpenPgpCard:
    """A card for the PC/SC stack (tests/hardware/stack.py): `seconds` a key, and its past."""
    (wanted,) = (known for known in ROWS if known.name == row)
    slow = Fault(Kind.SLOW, 0x47, 0x8000, times=99, seconds=seconds)
    card = OpenPgpCard(wanted, bytes.fromhex(serial))
    lived(card, *past)
    frozen = card.freeze()
    card = OpenPgpCard(wanted, bytes.fromhex(serial), faults=(slow,))
    card.thaw(frozen | {"met": [0]})
    return card
