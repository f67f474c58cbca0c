"""The DFU state machine of a simulated bootloader, and the ways it can misbehave.

The rule: it does what ST's sample does, oddities included (DFU 1.1 appendix A, DfuSe 1.1a).
Work is done in the status stage of the GETSTATUS that announces it, so a chip that does not
answer shows only in the transfer after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from console.families.particle.simulator_contents import BOOTLOADER_SIZE
from console.families.particle.simulator_flash import INTERNAL_BASE, Memories
from console.hardware.simulated import Hang, Pause, Setup, Stall

SET_ADDRESS, ERASE = 0x21, 0x41
COMMANDS = bytes((0, SET_ADDRESS, ERASE))
OK, ERR_FIRMWARE, ERR_UNKNOWN = 0, 10, 14


class Request(IntEnum):
    DETACH = 0
    DNLOAD = 1
    UPLOAD = 2
    GETSTATUS = 3
    CLRSTATUS = 4
    GETSTATE = 5
    ABORT = 6


class State(IntEnum):
    IDLE = 2
    DNLOAD_SYNC = 3
    DNBUSY = 4
    DNLOAD_IDLE = 5
    MANIFEST_SYNC = 6
    MANIFEST = 7
    WAIT_RESET = 8
    UPLOAD_IDLE = 9
    ERROR = 10
    BOGUS = 15
    """ST's sample puts the status errSTALLEDPKT into its state after UPLOAD of block 1."""


ABORTABLE = (
    State.IDLE,
    State.DNLOAD_SYNC,
    State.DNLOAD_IDLE,
    State.MANIFEST_SYNC,
    State.UPLOAD_IDLE,
)


class Leave(StrEnum):
    """How the GETSTATUS after a DNLOAD of length 0 is answered."""

    MANIFEST = "dfuMANIFEST, then it leaves"
    IDLE = "dfuDNLOAD-IDLE, then it leaves"
    VANISHES = "it leaves without an answer"


class Gone(StrEnum):
    """Why the device has just left the bus."""

    NO = ""
    RESET = "reset"
    UNPLUGGED = "unplugged"


@dataclass(frozen=True)
class Times:
    """What the bootloader announces and takes for its work, in milliseconds."""

    internal_erase: int = 50
    internal_write: int = 50
    external_erase: int = 50
    external_write: int = 30


@dataclass(frozen=True)
class Faults:
    """Everything that can be wrong with a simulated bootloader; the defaults are a healthy Core's.

    `erase_points`: ST's sample keeps one address for both commands, so an erase sets it too.
    The two `unplugged_...` happen once in a unit's life: `..._after` counts DFU requests,
    `..._at` is an address; the write that covers it stops just before.
    """

    start: tuple[int, int] = (State.ERROR, ERR_FIRMWARE)
    zero_polls: int = 0
    poll_ms: int | None = None
    stalls_while_busy: int = 0
    hangs_on_erase: bool = False
    ignores_writes: bool = False
    ignores_erases: bool = False
    fails_with: int = OK
    commands: bytes = COMMANDS
    status_length: int = 6
    leave: Leave = Leave.MANIFEST
    erase_points: bool = True
    transfer_size: int = 1024
    layouts: tuple[str, ...] = (
        "@Internal Flash  /0x08000000/20*001Ka,108*001Kg",
        "@SPI Flash : SST25x/0x00000000/512*04Kg",
    )
    unplugged_after: int = 0
    unplugged_at: int | None = None


@dataclass
class Counts:
    """What the bootloader was asked to do, for tests."""

    requests: int = 0
    set_addresses: int = 0
    uploads: int = 0
    erased: list[int] = field(default_factory=list)
    written: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class _Volatile:
    """What a reset forgets."""

    state: int = State.ERROR
    status: int = ERR_FIRMWARE
    poll: int = 0
    pointer: int = INTERNAL_BASE + BOOTLOADER_SIZE
    block: int = 0
    pending: bytes = b""
    zero_polls: int = 0
    stalls: int = 0
    hung: bool = False


class Bootloader:
    """Answers DFU requests; `gone` says that it left the bus with the last one."""

    def __init__(self, memories: Memories, pause: Pause, times: Times, faults: Faults) -> None:
        self.memories = memories
        self.counts = Counts()
        self.gone = Gone.NO
        self.alternate = 0
        self._pause = pause
        self._times = times
        self._faults = faults
        self._unplugged_once = False
        self._now = _Volatile()
        self.start()

    def start(self) -> None:
        """As after a reset into DFU: dfuERROR / errFIRMWARE, on purpose."""
        state, status = self._faults.start
        self._now = _Volatile(state=state, status=status)
        self.gone = Gone.NO

    @property
    def state(self) -> int:
        return self._now.state

    @property
    def hung(self) -> bool:
        return self._now.hung

    def request(self, setup: Setup, data: bytes) -> bytes:
        """One class request. Raises Stall, Hang."""
        if self._now.hung:
            raise Hang
        self.counts.requests += 1
        answer = self._dispatch(setup, data)[: setup.length]
        if self.counts.requests == self._faults.unplugged_after:
            self._unplug()
        return answer

    def _dispatch(self, setup: Setup, data: bytes) -> bytes:
        if setup.index != 0:
            raise Stall
        match setup.request_type, setup.request:
            case (0x21, Request.DNLOAD):
                return self._download(setup.value, data)
            case (0xA1, Request.UPLOAD):
                return self._upload(setup.value, setup.length)
            case (0xA1, Request.GETSTATUS):
                return self._get_status()
            case (0xA1, Request.GETSTATE):
                return bytes((self._now.state,))
            case (0x21, Request.CLRSTATUS):
                return self._clear_status()
            case (0x21, Request.ABORT):
                return self._abort()
            case _:  # DETACH too: this is no run-time interface
                raise Stall

    # --- the requests ---------------------------------------------------------------------

    def _download(self, block: int, data: bytes) -> bytes:
        now = self._now
        if now.state not in (State.IDLE, State.DNLOAD_IDLE) or len(data) > self._size:
            raise Stall
        now.block, now.pending = block, data
        now.state = State.DNLOAD_SYNC if data else State.MANIFEST_SYNC
        now.zero_polls = self._faults.zero_polls
        return b""

    def _upload(self, block: int, length: int) -> bytes:
        now = self._now
        if now.state not in (State.IDLE, State.UPLOAD_IDLE):
            raise Stall
        now.poll = 0
        if block == 1:
            now.state = State.BOGUS
            return b""
        if block == 0:
            # ST's sample: a host that asks for more than three bytes gets a short packet, the end
            known = self._faults.commands
            now.state = State.IDLE if length > len(known) or not length else State.UPLOAD_IDLE
            return known
        self.counts.uploads += 1
        now.state = State.UPLOAD_IDLE if length else State.IDLE
        return self._read(now.pointer + (block - 2) * self._size, length)

    def _get_status(self) -> bytes:
        now = self._now
        if now.stalls:
            now.stalls -= 1
            raise Stall
        match now.state:
            case State.DNLOAD_SYNC | State.DNBUSY if now.pending:
                return self._announce_and_work()
            case State.DNLOAD_SYNC:
                now.state, now.poll = State.DNLOAD_IDLE, 0
            case State.MANIFEST_SYNC:
                return self._leave()
        return self._status()

    def _clear_status(self) -> bytes:
        now = self._now
        if now.state == State.ERROR:
            now.state, now.status = State.IDLE, OK
        else:
            now.state, now.status = State.ERROR, ERR_UNKNOWN
        now.poll = 0
        return b""

    def _abort(self) -> bytes:
        now = self._now
        if now.state in ABORTABLE:
            now.state, now.status, now.poll = State.IDLE, OK, 0
            now.block, now.pending = 0, b""
        return b""

    # --- work -----------------------------------------------------------------------------

    def _announce_and_work(self) -> bytes:
        now = self._now
        now.state = State.DNBUSY
        if now.zero_polls:
            now.zero_polls -= 1
            now.poll = 0
            return self._status()
        now.poll = self._announced()
        answer = self._status()
        try:
            self._work()
        except Hang:
            now.hung = True
            return answer
        now.block, now.pending, now.poll = 0, b"", 0
        now.stalls = self._faults.stalls_while_busy
        return answer

    def _announced(self) -> int:
        """The time announced comes from the memory under the pointer as it was before."""
        if self._faults.poll_ms is not None:
            return self._faults.poll_ms
        erases = self._now.block == 0 and self._now.pending[0] == ERASE
        return self._time(self._now.pointer, erases)

    def _time(self, address: int, erases: bool) -> int:
        times = self._times
        if self.memories.at(address, self.alternate) is self.memories.external:
            return times.external_erase if erases else times.external_write
        return times.internal_erase if erases else times.internal_write

    def _work(self) -> None:
        now = self._now
        if now.block == 0:
            self._command(now.pending)
        elif now.block > 1:
            self._write(now.pointer + (now.block - 2) * self._size, now.pending)
        if now.state == State.DNBUSY:
            now.state = State.DNLOAD_SYNC

    def _command(self, command: bytes) -> None:
        if len(command) != 5 or command[0] not in (SET_ADDRESS, ERASE):
            return  # ST's sample passes over what it does not know, as if it were done
        address = int.from_bytes(command[1:], "little")
        if command[0] == SET_ADDRESS:
            self.counts.set_addresses += 1
        if command[0] == SET_ADDRESS or self._faults.erase_points:
            self._now.pointer = address
        if command[0] == ERASE:
            self._erase(address)

    def _erase(self, address: int) -> None:
        if self._faults.hangs_on_erase:
            raise Hang
        memory = self.memories.at(address, self.alternate)
        if memory is None or self._fails() or self._faults.ignores_erases:
            return
        self._pause(self._time(address, erases=True) / 1000)
        self.counts.erased.append(memory.erase(address))

    def _write(self, address: int, data: bytes) -> None:
        memory = self.memories.at(address, self.alternate)
        if memory is None or self._fails() or self._faults.ignores_writes:
            return
        self._pause(self._time(address, erases=False) / 1000)
        cut = self._faults.unplugged_at
        if cut is not None and not self._unplugged_once and 0 <= cut - address < len(data):
            data = data[: cut - address]
            self._unplug()
        memory.write(address, data)
        self.counts.written.append((address, len(data)))

    def _fails(self) -> bool:
        if self._faults.fails_with:
            self._now.state, self._now.status = State.ERROR, self._faults.fails_with
        return bool(self._faults.fails_with)

    def _read(self, address: int, length: int) -> bytes:
        memory = self.memories.at(address, self.alternate)
        if memory is None:
            # the sample reads through a null pointer, where the internal flash is mirrored
            return self.memories.internal.read(self.memories.internal.base, length)
        return memory.read(address, length)

    def _leave(self) -> bytes:
        now = self._now
        self.gone = Gone.RESET
        if self._faults.leave is Leave.VANISHES:
            raise Hang
        now.state = State.MANIFEST if self._faults.leave is Leave.MANIFEST else State.DNLOAD_IDLE
        now.poll = 1
        return self._status()

    def _unplug(self) -> None:
        if not self._unplugged_once:
            self._unplugged_once = True
            self.gone = Gone.UNPLUGGED

    @property
    def _size(self) -> int:
        return self._faults.transfer_size or 1024

    def _status(self) -> bytes:
        now = self._now
        poll = now.poll.to_bytes(3, "little")
        return bytes((now.status, *poll, now.state, 0))[: self._faults.status_length]

    # --- keeping --------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        now = {**vars(self._now), "pending": self._now.pending.hex()}
        return {
            "now": now,
            "unplugged_once": self._unplugged_once,
            "memories": self.memories.freeze(),
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        now = dict(frozen["now"])
        self._now = _Volatile(**{**now, "pending": bytes.fromhex(now["pending"])})
        self._unplugged_once = bool(frozen["unplugged_once"])
        self.memories.thaw(frozen["memories"])
        self.gone = Gone.NO
