"""A Spark Core on paper: the bootloader of reference 3.6 as a control line, for the client.

It is written from the reference alone and knows only what the tests below need.
"""

from __future__ import annotations

from console.errors import Refused, Silent, Unplugged

STALL = "stall"
DEVICE = bytes.fromhex("120100010000004050 1d7f600002 01020301".replace(" ", ""))
HEAD = bytes.fromhex("09022400010100c032")
ALT_0 = bytes.fromhex("0904000000fe010204")
ALT_1 = bytes.fromhex("0904000100fe010205")
FUNCTIONAL = bytes.fromhex("09210bff0000041a01")
STRINGS = {
    1: "Spark Devices     ",
    2: "CORE DFU ",
    3: "6D7524674852",
    4: "@Internal Flash  /0x08000000/20*001Ka,108*001Kg",
    5: "@SPI Flash : SST25x/0x00000000/512*04Kg",
}
IDLE, SYNC, BUSY, DNLOAD_IDLE, MANIFEST, UPLOAD_IDLE, ERROR = 2, 3, 4, 5, 7, 9, 10


class PaperCore:
    """What the bootloader answers. `log` holds every DFU request as (name, wValue, length)."""

    def __init__(self) -> None:
        self.flash = bytearray(b"\xff" * 0x200000)
        self.state, self.status = ERROR, 10
        self.pointer = 0
        self.pending: tuple[int, bytes] | None = None
        self.poll = 50
        self.hangs_on_erase = False
        self.keeps_writes = True
        self.stuck: bytes = b""
        self.gone = self.dead = self.closed = False
        self.erased: list[int] = []
        self.log: list[tuple[str, int, int]] = []

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        self._alive(timeout)
        if request_type == 0x80:
            return self._descriptor(value >> 8, value & 0xFF)[:length]
        assert (request_type, index) == (0xA1, 0)
        if request == 3:
            return self._get_status(timeout)
        assert request == 2
        return self._upload(value, length)

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        self._alive(timeout)
        assert (request_type, index) == (0x21, 0)
        name = {1: "DNLOAD", 4: "CLRSTATUS", 6: "ABORT"}[request]
        self.log.append((name, value, len(data)))
        if name == "DNLOAD":
            self._dnload(value, data)
        else:
            self.state, self.status = IDLE, 0

    def select(self, interface: int, alternate: int) -> None:
        self.log.append(("SELECT", alternate, 0))

    def reset(self) -> None:
        self.log.append(("RESET", 0, 0))

    def close(self) -> None:
        self.closed = True

    def _alive(self, timeout: float) -> None:
        if self.gone:
            raise Unplugged("It is gone.")
        if self.dead:
            raise Silent("It does not answer.", waited=timeout)

    def _descriptor(self, kind: int, at: int) -> bytes:
        if kind == 1:
            return DEVICE
        if kind == 2:
            return HEAD + ALT_0 + ALT_1 + FUNCTIONAL
        text = STRINGS[at].encode("utf-16-le")
        return bytes((2 + len(text), 3)) + text

    def _dnload(self, value: int, data: bytes) -> None:
        if self.state not in (IDLE, DNLOAD_IDLE):
            self.state, self.status = ERROR, 15
            raise Refused("It refused the request.", code=STALL)
        if data:
            self.pending, self.state = (value, data), SYNC
        else:
            self.state = MANIFEST

    def _upload(self, value: int, length: int) -> bytes:
        self.log.append(("UPLOAD", value, length))
        if self.state not in (IDLE, UPLOAD_IDLE) or value == 1:
            self.state, self.status = ERROR, 15
            raise Refused("It refused the request.", code=STALL)
        self.state = UPLOAD_IDLE
        if value == 0:
            return bytes.fromhex("002141")
        if self.stuck:
            return (self.stuck * length)[:length]
        start = self.pointer + (value - 2) * 1024
        return bytes(self.flash[start : start + length])

    def _get_status(self, timeout: float) -> bytes:
        if self.state == MANIFEST:
            self.gone = True
            return bytes((0, 0, 0, 0, MANIFEST, 0))
        if self.state == SYNC and self.pending:
            self._work(*self.pending, timeout)
            self.pending = None
            return bytes((0, *self.poll.to_bytes(3, "little"), BUSY, 0))
        if self.state == SYNC:
            self.state = DNLOAD_IDLE
        return bytes((self.status, 0, 0, 0, self.state, 0))

    def _work(self, value: int, data: bytes, timeout: float) -> None:
        if value >= 2:
            self._program(self.pointer + (value - 2) * 1024, data)
            return
        address = int.from_bytes(data[1:], "little")
        if data[0] in (0x21, 0x41):  # ST's sample has one variable for both
            self.pointer = address
        if data[0] == 0x41:
            self._erase(address)

    def _erase(self, address: int) -> None:
        self.erased.append(address)
        if self.hangs_on_erase:
            self.dead = True
            return
        page = address & ~0xFFF
        self.flash[page : page + 4096] = b"\xff" * 4096

    def _program(self, address: int, data: bytes) -> None:
        # NOR flash: writing can only clear bits.
        if self.keeps_writes:
            for at, byte in enumerate(data, start=address):
                self.flash[at] &= byte
