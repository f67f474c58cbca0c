"""CTAPHID: 64-byte reports to messages and back (CTAP 2.1, 11.2).

The rule: one message at a time, on one channel; others are told that it is busy. While a person
is asked for a touch it says so every tenth of a second.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from console.families.nitrokey3.simulator_touch import Asks, Leave, Presence, Reply, Touch
from console.hardware.simulated import Hang, Pause, Stall

REPORT = 64
BROADCAST = 0xFFFF_FFFF
LONGEST = 7609
FIRST_ROOM, NEXT_ROOM = REPORT - 7, REPORT - 5
PROTOCOL, WINKS_AND_CBOR = 2, 0x05
PROCESSING, TOUCH_NEEDED = 1, 2


class Command(IntEnum):
    PING = 0x01
    MSG = 0x03
    INIT = 0x06
    WINK = 0x08
    CBOR = 0x10
    CANCEL = 0x11
    KEEPALIVE = 0x3B
    ERROR = 0x3F


class Error(IntEnum):
    INVALID_CMD = 0x01
    INVALID_LEN = 0x03
    INVALID_SEQ = 0x04
    CHANNEL_BUSY = 0x06
    INVALID_CHANNEL = 0x0B


Dispatch = Callable[[int, bytes], Reply | Asks | None]
"""A command and its data to what the application answers; None: no such command."""


@dataclass
class _Incoming:
    """A message that has not come in whole."""

    channel: int
    command: int
    length: int
    data: bytes
    sequence: int = 0


@dataclass
class _Waiting:
    """A message whose touch is awaited."""

    channel: int
    command: int
    data: bytes
    asks: Asks
    keepalives: int = 0


@dataclass
class _State:
    channels: int = 0
    incoming: _Incoming | None = None
    waiting: _Waiting | None = None
    out: deque[bytes] = field(default_factory=deque)


class CtapHid:
    """The reports behind the FIDO interface. `leave` takes the key off the bus."""

    def __init__(
        self,
        dispatch: Dispatch,
        presence: Presence,
        pause: Pause,
        leave: Callable[[Leave | None], None],
        *,
        interval: float = 0.1,
        gone_after: int = 0,
    ) -> None:
        """`gone_after`: keepalives after which the key is lost; it is told by leave(None)."""
        self.version = (0, 0, 0)
        self._dispatch = dispatch
        self._presence = presence
        self._pause = pause
        self._leave = leave
        self._interval = interval
        self._gone_after = gone_after
        self._now = _State()

    def start(self) -> None:
        self._now = _State()

    # --- reports --------------------------------------------------------------------------

    def take(self, report: bytes, kind: int) -> None:
        if kind != 2 or len(report) < 7:
            raise Stall
        report = report.ljust(REPORT, b"\0")[:REPORT]
        channel, first = struct.unpack_from(">IB", report)
        if first & 0x80:
            self._begin(channel, first & 0x7F, report)
        else:
            self._go_on(channel, first, report[5:])

    def give(self) -> bytes | None:
        if not self._now.out and self._now.waiting is not None:
            self._wait(self._now.waiting)
        return self._now.out.popleft() if self._now.out else None

    def show(self, kind: int, number: int) -> bytes:
        """GET_REPORT: it speaks through its interrupt endpoints alone."""
        raise Stall

    # --- messages in ----------------------------------------------------------------------

    def _begin(self, channel: int, command: int, report: bytes) -> None:
        length = int.from_bytes(report[5:7], "big")
        data = report[7 : 7 + min(length, FIRST_ROOM)]
        if command == Command.INIT:
            self._init(channel, length, data)
        elif not 0 < channel <= self._now.channels:
            self._error(channel, Error.INVALID_CHANNEL)
        elif command == Command.CANCEL:
            self._cancel(channel)
        elif self._busy(channel):
            self._error(channel, Error.CHANNEL_BUSY)
        elif self._now.incoming is not None:
            self._now.incoming = None
            self._error(channel, Error.INVALID_SEQ)
        elif length > LONGEST:
            self._error(channel, Error.INVALID_LEN)
        elif len(data) < length:
            self._now.incoming = _Incoming(channel, command, length, data)
        else:
            self._message(channel, command, data)

    def _busy(self, channel: int) -> bool:
        incoming = self._now.incoming
        other = incoming is not None and incoming.channel != channel
        return other or self._now.waiting is not None or self._presence.busy

    def _go_on(self, channel: int, sequence: int, data: bytes) -> None:
        incoming = self._now.incoming
        if incoming is None or incoming.channel != channel:
            return  # a stray one: the specification says to ignore it
        if sequence != incoming.sequence:
            self._now.incoming = None
            self._error(channel, Error.INVALID_SEQ)
            return
        incoming.sequence += 1
        incoming.data += data[: min(NEXT_ROOM, incoming.length - len(incoming.data))]
        if len(incoming.data) == incoming.length:
            self._now.incoming = None
            self._message(channel, incoming.command, incoming.data)

    def _init(self, channel: int, length: int, nonce: bytes) -> None:
        if length != 8:
            self._error(channel, Error.INVALID_LEN)
        elif channel == BROADCAST:
            self._now.channels += 1
            self._welcome(channel, nonce, self._now.channels)
        elif 0 < channel <= self._now.channels:
            if self._now.incoming is not None and self._now.incoming.channel == channel:
                self._now.incoming = None
            self._abandon(channel)
            self._welcome(channel, nonce, channel)
        else:
            self._error(channel, Error.INVALID_CHANNEL)

    def _welcome(self, channel: int, nonce: bytes, own: int) -> None:
        about = (PROTOCOL, *self.version, WINKS_AND_CBOR)
        self._answer(channel, Command.INIT, nonce + struct.pack(">I5B", own, *about))

    def _cancel(self, channel: int) -> None:
        """Never answered itself; what it cancels is."""
        waiting = self._now.waiting
        if waiting is not None and waiting.channel == channel:
            self._abandon(channel)
            self._reply(channel, waiting.command, waiting.asks.cancelled)

    def _abandon(self, channel: int) -> None:
        if self._now.waiting is not None and self._now.waiting.channel == channel:
            self._now.waiting = None
            self._presence.forget()

    # --- answers --------------------------------------------------------------------------

    def _message(self, channel: int, command: int, data: bytes) -> None:
        if command == Command.PING:
            self._answer(channel, command, data)
            return
        said = self._dispatch(command, data)
        if said is None:
            self._error(channel, Error.INVALID_CMD)
        elif isinstance(said, Asks):
            self._now.waiting = _Waiting(channel, command, data, said)
            self._presence.ask(said.seconds)
        else:
            self._reply(channel, command, said)

    def _wait(self, waiting: _Waiting) -> None:
        """A tenth of a second later: touched, too late, or still waiting, which is said."""
        if waiting.keepalives and not self._presence.given:
            self._pause(self._interval)
        match self._presence.wait(self._interval if waiting.keepalives else 0.0):
            case Touch.GIVEN:
                self._now.waiting = None
                self._reply(waiting.channel, waiting.command, waiting.asks.given(), told=True)
            case Touch.LATE:
                self._now.waiting = None
                self._reply(waiting.channel, waiting.command, waiting.asks.late)
            case Touch.WAITING:
                self._keep_alive(waiting)

    def _keep_alive(self, waiting: _Waiting) -> None:
        if self._gone_after and waiting.keepalives >= self._gone_after:
            self._leave(None)
            raise Hang
        waiting.keepalives += 1
        self._answer(waiting.channel, Command.KEEPALIVE, bytes((TOUCH_NEEDED,)))

    def _reply(self, channel: int, command: int, reply: Reply, told: bool = False) -> None:
        """`told`: the host is listening right now, so it sees the pipe break."""
        if reply.leave is not None:
            self._leave(reply.leave)
            if told:
                raise Hang
        elif reply.refusal is not None:
            self._error(channel, reply.refusal.hid)
        else:
            self._answer(channel, command, reply.data)

    def _error(self, channel: int, code: int) -> None:
        self._answer(channel, Command.ERROR, bytes((code,)))

    def _answer(self, channel: int, command: int, data: bytes) -> None:
        head = struct.pack(">IBH", channel, 0x80 | command, len(data))
        self._now.out.append((head + data[:FIRST_ROOM]).ljust(REPORT, b"\0"))
        for sequence, at in enumerate(range(FIRST_ROOM, len(data), NEXT_ROOM)):
            part = struct.pack(">IB", channel, sequence) + data[at : at + NEXT_ROOM]
            self._now.out.append(part.ljust(REPORT, b"\0"))

    # --- keeping --------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        """A message that is half in is lost, as a host's time-out would lose it."""
        waiting = self._now.waiting
        return {
            "channels": self._now.channels,
            "out": [report.hex() for report in self._now.out],
            "waiting": [waiting.channel, waiting.command, waiting.data.hex(), waiting.keepalives]
            if waiting
            else [],
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        out = deque(bytes.fromhex(report) for report in frozen["out"])
        self._now = _State(channels=int(frozen["channels"]), out=out)
        if frozen["waiting"]:
            channel, command, data, keepalives = frozen["waiting"]
            asks = self._dispatch(command, bytes.fromhex(data))  # nothing is done before a touch
            if isinstance(asks, Asks):
                self._now.waiting = _Waiting(
                    channel, command, bytes.fromhex(data), asks, keepalives
                )
