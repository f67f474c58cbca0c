"""A simulated CCID function over a simulated card (USB CCID, revision 1.10).

The rule: it exchanges whole APDUs (short or extended level) and no T=1 blocks. While the card
works it asks the host for more time, as the readers do that bench hosts have failed on; time
passes only through `pause`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from console.hardware.simulated import (
    Pause,
    Setup,
    Stall,
    endpoint_descriptor,
    interface_descriptor,
)
from console.hardware.simulated_card import SLICE, Doing, SimulatedCard, Slot, doing
from console.hardware.simulated_composite import Composite, Identity

CARD_CLASS = (0x0B, 0x00, 0x00)
HEADER = struct.Struct("<BIBB3s")
BULK, INTERRUPT = 2, 3
TOUCH_MULTIPLIER = 0xFF


class Ask(IntEnum):
    """Bulk OUT messages (6.1)."""

    SET_PARAMETERS = 0x61
    POWER_ON = 0x62
    POWER_OFF = 0x63
    SLOT_STATUS = 0x65
    ESCAPE = 0x6B
    GET_PARAMETERS = 0x6C
    RESET_PARAMETERS = 0x6D
    XFR_BLOCK = 0x6F
    ABORT = 0x72


class Tell(IntEnum):
    """Bulk IN messages (6.2), and the one on the interrupt endpoint (6.3.1)."""

    DATA_BLOCK = 0x80
    STATUS = 0x81
    PARAMETERS = 0x82
    ESCAPE = 0x83
    SLOT_CHANGE = 0x50


class Request(IntEnum):
    """Requests to the interface (5.3)."""

    ABORT = 0x01
    CLOCKS = 0x02
    DATA_RATES = 0x03


ACTIVE, INACTIVE, ABSENT = 0, 1, 2  # bmICCStatus (6.2.6)
FAILED, MORE_TIME = 0x40, 0x80  # bmCommandStatus

# bError (6.2.6): the offset of the field that is wrong, or one of these.
NOT_SUPPORTED, BAD_LENGTH, BAD_SLOT, BAD_LEVEL = 0, 1, 5, 8
ABORTED, MUTE, BUSY = 0xFF, 0xFE, 0xE0

# wLevelParameter and bChainParameter of the extended level (6.1.4, 6.2.1).
WHOLE, FIRST, LAST, MIDDLE, GO_ON = 0x00, 0x01, 0x02, 0x03, 0x10


@dataclass(frozen=True)
class Manners:
    """What readers differ in. As made, it is a Gnuk's."""

    features: int = 0x0002047A
    """Of the class descriptor (table 5.1-1): 0x00020000 short APDUs, 0x00040000 extended ones."""
    longest_message: int = 271
    """Bytes, header included, that it takes and gives in one message."""
    more_time_every: float = 1.95
    """Seconds after which it asks for more time while the card works."""
    multiplier: int = 1
    eager: bool = False
    """Does it ask for more time before every answer, however fast that comes?"""
    mute_after: float = 1.4
    """Seconds that it gives a card that does not even ask for more time."""
    protocol: int = 1
    parameters: bytes = bytes.fromhex("11100015 00fe00")
    """T=1: Fi/Di, checksum, guard time, BWI and CWI, clock stop, IFSC, NAD (6.1.7)."""
    clock: int = 4000
    rate: int = 9600

    @property
    def extended(self) -> bool:
        return bool(self.features & 0x00040000)

    @property
    def room(self) -> int:
        """Bytes of data in one message."""
        return self.longest_message - HEADER.size

    @property
    def longest_command(self) -> int:
        return 65544 if self.extended else min(self.room, 261)


GNUK = Manners(eager=True)
SHORT = Manners()
EXTENDED = Manners(features=0x0004047A, longest_message=3072)


@dataclass
class _Exchange:
    """A command that is with the card."""

    sequence: int
    owed: float = 0.0
    """Seconds that have passed and that the card was not given yet."""
    since: float = 0.0
    """Seconds since the host was told anything."""


@dataclass
class _State:
    """What is under way between host and reader."""

    powered: int | None = None
    """Which of the cards that were put in has got its power."""
    told: int | None = None
    """Which of them the host was told of; None: that there is no card."""
    parameters: bytes = b""
    exchange: _Exchange | None = None
    command: bytes = b""
    answer: bytes = b""
    aborting: int | None = None
    outgoing: deque[bytes] = field(default_factory=deque)


class Ccid:
    """The function; its slot's card is whatever is in `slot` at the moment."""

    def __init__(
        self,
        pause: Pause,
        slot: Slot,
        *,
        interface: int = 0,
        endpoints: tuple[int, int, int] = (0x01, 0x81, 0x82),
        manners: Manners = SHORT,
        string: int = 0,
        escape: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """`endpoints` are bulk OUT, bulk IN and interrupt IN. `escape` answers the vendor's own."""
        self.slot = slot
        slot.longest = manners.longest_command
        self.interfaces = (interface,)
        self.endpoints: tuple[int, ...] = endpoints
        self.manners = manners
        self._pause = pause
        self._string = string
        self._escape = escape
        self._state = _State(parameters=manners.parameters)

    # --- what it says of itself -----------------------------------------------------------

    def descriptor(self) -> bytes:
        out, into, notices = self.endpoints
        head = interface_descriptor(self.interfaces[0], 0, CARD_CLASS, 3, self._string)
        return (
            head
            + self._class_descriptor()
            + endpoint_descriptor(out, BULK, 64)
            + endpoint_descriptor(into, BULK, 64)
            + endpoint_descriptor(notices, INTERRUPT, 4, 255)
        )

    def _class_descriptor(self) -> bytes:
        """Table 5.1-1; one slot, 5 V, no PIN pad."""
        way = self.manners
        return struct.pack(
            "<BBHBBIIIBIIBIIIIIBBHBB",
            *(54, 0x21, 0x0110, 0, 1, 1 << way.protocol, way.clock, way.clock, 0),
            *(way.rate, way.rate, 0, 254, 0, 0, way.features, way.longest_message),
            *(0xFF, 0xFF, 0, 0, 1),
        )

    def control(self, setup: Setup, data: bytes) -> bytes:
        match setup.request_type, setup.request:
            case 0x21, Request.ABORT:
                self._abort_asked(setup.value >> 8)
                return b""
            case 0xA1, Request.CLOCKS:
                return struct.pack("<I", self.manners.clock)
            case 0xA1, Request.DATA_RATES:
                return struct.pack("<I", self.manners.rate)
        raise Stall

    # --- the wire ---------------------------------------------------------------------------

    def send(self, endpoint: int, data: bytes) -> None:
        if len(data) < HEADER.size:
            return
        kind, length, slot, sequence, rest = HEADER.unpack_from(data)
        body = data[HEADER.size :]
        if self._state.aborting is not None and kind != Ask.ABORT:
            self._say(Tell.STATUS, sequence, error=ABORTED)
        elif slot != 0:
            self._push(Tell.STATUS, sequence, FAILED | ABSENT, BAD_SLOT)
        elif length != len(body) or len(data) > self.manners.longest_message:
            self._say(Tell.STATUS, sequence, error=BAD_LENGTH)
        elif self._state.exchange is not None and kind != Ask.ABORT:
            self._say(Tell.STATUS, sequence, error=BUSY)
        else:
            self._take(kind, sequence, rest, body)

    def _take(self, kind: int, sequence: int, rest: bytes, body: bytes) -> None:
        match kind:
            case Ask.POWER_ON:
                self._power_on(sequence)
            case Ask.POWER_OFF:
                self._power_off(sequence)
            case Ask.SLOT_STATUS:
                self._say(Tell.STATUS, sequence)
            case Ask.XFR_BLOCK:
                self._transfer(sequence, int.from_bytes(rest[1:], "little"), body)
            case Ask.GET_PARAMETERS | Ask.SET_PARAMETERS | Ask.RESET_PARAMETERS:
                self._parameters(kind, sequence, body)
            case Ask.ESCAPE if self._escape is not None:
                self._say(Tell.ESCAPE, sequence, self._escape(body))
            case Ask.ABORT:
                self._abort(sequence)
            case _:
                self._say(Tell.STATUS, sequence, error=NOT_SUPPORTED)

    def receive(self, endpoint: int, length: int) -> bytes | None:
        if endpoint == self.endpoints[2]:
            return self._slot_change()
        state = self._state
        if not state.outgoing and state.exchange is not None:
            self._work(state.exchange)
        if not state.outgoing:
            return None
        message = state.outgoing.popleft()
        if len(message) > length:  # a host that reads in pieces
            state.outgoing.appendleft(message[length:])
        return message[:length]

    def _slot_change(self) -> bytes | None:
        """NotifySlotChange: bit 0 the card is there, bit 1 that has changed."""
        now = self.slot.inserted if self.slot.card is not None else None
        if now == self._state.told:
            return None
        self._state.told = now
        return bytes((Tell.SLOT_CHANGE, 0x02 | (now is not None)))

    @property
    def _active(self) -> bool:
        """Is the card in the slot the one that has been powered?"""
        return self.slot.card is not None and self._state.powered == self.slot.inserted

    # --- the card ---------------------------------------------------------------------------

    def _power_on(self, sequence: int) -> None:
        card = self.slot.card
        if card is not None:
            card.reset()
        atr = card.atr if card is not None else b""
        self._state.powered = self.slot.inserted if atr else None
        self._state.command = self._state.answer = b""
        if atr:
            self._say(Tell.DATA_BLOCK, sequence, atr)
        else:
            self._say(Tell.DATA_BLOCK, sequence, error=MUTE)

    def _power_off(self, sequence: int) -> None:
        if self.slot.card is not None:
            self.slot.card.reset()
        self._state.powered = None
        self._say(Tell.STATUS, sequence)

    def _parameters(self, kind: int, sequence: int, body: bytes) -> None:
        if kind == Ask.SET_PARAMETERS:
            self._state.parameters = body
        elif kind == Ask.RESET_PARAMETERS:
            self._state.parameters = self.manners.parameters
        if self.slot.card is None:
            self._say(Tell.PARAMETERS, sequence, error=MUTE)
        else:
            self._say(Tell.PARAMETERS, sequence, self._state.parameters, self.manners.protocol)

    def _transfer(self, sequence: int, level: int, body: bytes) -> None:
        state, card = self._state, self.slot.card
        if card is None or not self._active:
            self._say(Tell.DATA_BLOCK, sequence, error=MUTE)
        elif not self.manners.extended:
            self._begin(card, sequence, body)
        elif level == GO_ON:
            self._give(sequence)
        elif level in (WHOLE, LAST):
            command, state.command = state.command + body, b""
            self._begin(card, sequence, command)
        elif level in (FIRST, MIDDLE):
            state.command = (b"" if level == FIRST else state.command) + body
            self._say(Tell.DATA_BLOCK, sequence, last=GO_ON)
        else:
            self._say(Tell.DATA_BLOCK, sequence, error=BAD_LEVEL)

    def _begin(self, card: SimulatedCard, sequence: int, command: bytes) -> None:
        card.begin(command)
        self._state.exchange = _Exchange(sequence)
        if self.manners.eager:
            self._ask_for_time(sequence, card)

    def _work(self, exchange: _Exchange) -> None:
        """Until the card has answered, left, or the host must be told that it still works."""
        while not self._state.outgoing and self._state.exchange is exchange:
            card = self.slot.card
            if card is None or not self._active:
                self._end(exchange, error=MUTE)
                return
            answer = card.work(exchange.owed)
            exchange.owed = 0.0
            if answer is not None:
                self._end(exchange, answer)
            elif not self._is_due(exchange, card):
                self._pause(SLICE)
                exchange.owed = SLICE
                exchange.since += SLICE

    def _is_due(self, exchange: _Exchange, card: SimulatedCard) -> bool:
        """Has something to be said that is no answer? Then it has been."""
        mute = doing(card) is Doing.MUTE
        limit = self.manners.mute_after if mute else self.manners.more_time_every
        if exchange.since < limit:
            return False
        if mute:
            self._end(exchange, error=MUTE)
        else:
            exchange.since = 0.0
            self._ask_for_time(exchange.sequence, card)
        return True

    def _ask_for_time(self, sequence: int, card: SimulatedCard) -> None:
        touch = doing(card) is Doing.TOUCH
        multiplier = TOUCH_MULTIPLIER if touch else self.manners.multiplier
        self._push(Tell.DATA_BLOCK, sequence, MORE_TIME | ACTIVE, multiplier)

    def _end(self, exchange: _Exchange, answer: bytes = b"", error: int | None = None) -> None:
        self._state.exchange = None
        self._state.answer = answer
        if error is not None:
            self._say(Tell.DATA_BLOCK, exchange.sequence, error=error)
        else:
            self._give(exchange.sequence, beginning=True)

    def _give(self, sequence: int, *, beginning: bool = False) -> None:
        """The answer, or as much of it as one message holds."""
        state, room = self._state, self.manners.room
        piece, state.answer = state.answer[:room], state.answer[room:]
        if beginning:
            chain = FIRST if state.answer else WHOLE
        else:
            chain = MIDDLE if state.answer else LAST
        self._say(Tell.DATA_BLOCK, sequence, piece, chain)

    # --- aborting (5.3.1): a request and a message with the same sequence number ----------------

    def _abort_asked(self, sequence: int) -> None:
        self._state.aborting = sequence
        self._drop()

    def _abort(self, sequence: int) -> None:
        self._drop()
        self._state.aborting = None
        self._say(Tell.STATUS, sequence)

    def _drop(self) -> None:
        exchange, self._state.exchange = self._state.exchange, None
        if exchange is not None:
            self._state.outgoing.clear()
            self._say(Tell.DATA_BLOCK, exchange.sequence, error=ABORTED)

    # --- messages ---------------------------------------------------------------------------

    def _say(
        self, kind: Tell, sequence: int, body: bytes = b"", last: int = 0, error: int | None = None
    ) -> None:
        """With the state of the slot; `last` is the message's own last header byte."""
        inside = ACTIVE if self._active else INACTIVE
        slot = ABSENT if self.slot.card is None else inside
        status = slot if error is None else slot | FAILED
        self._push(kind, sequence, status, error or 0, body, last)

    def _push(
        self, kind: Tell, sequence: int, status: int, error: int, body: bytes = b"", last: int = 0
    ) -> None:
        tail = bytes((status, error, last))
        self._state.outgoing.append(HEADER.pack(kind, len(body), 0, sequence, tail) + body)

    # --- keeping ----------------------------------------------------------------------------

    def start(self) -> None:
        """Nothing is under way, and whether a card is there is news again."""
        self._state = _State(parameters=self.manners.parameters)

    def freeze(self) -> dict[str, Any]:
        """What is under way is not kept: it is lost as on a host that was switched off."""
        card = self.slot.card
        return {
            "inserted": self.slot.inserted,
            "powered": self._state.powered,
            "card": card.freeze() if card is not None else None,
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.start()
        self.slot.inserted = int(frozen["inserted"])
        self._state.powered = frozen["powered"]
        if self.slot.card is not None and frozen["card"] is not None:
            self.slot.card.thaw(frozen["card"])


class CcidReader(Composite):
    """A reader with one slot, and one card that can be put in and taken out.

    Presses: "insert", "remove", and whatever its card knows (a touch).
    """

    gentle = ("insert", "remove", "touch", "")

    def __init__(
        self,
        pause: Pause,
        card: SimulatedCard,
        identity: Identity,
        *,
        present: bool = True,
        reader: str = "",
        manners: Manners = SHORT,
    ) -> None:
        """`reader` is its name as PC/SC would show it; made from the identity where it is ""."""
        self.card = card
        name = reader or f"{identity.maker} {identity.product} 00 00".strip()
        self.slot = Slot(name, card if present else None, inserted=1 if present else 0)
        self.ccid = Ccid(pause, self.slot, manners=manners)
        super().__init__(identity, (self.ccid,))

    def press(self, buttons: str) -> None:
        match buttons:
            case "insert":
                self._insert()
            case "remove":
                self._remove()
            case _ if self.slot.card is not None:
                self.slot.card.press(buttons)
            case _:
                raise ValueError(f'No card is in it that has a "{buttons}".')

    def _insert(self) -> None:
        if self.slot.card is not None:
            raise ValueError("A card is in the reader already.")
        self.card.reset()
        self.slot.card = self.card
        self.slot.inserted += 1

    def _remove(self) -> None:
        if self.slot.card is None:
            raise ValueError("No card is in the reader.")
        self.slot.card = None
        self.card.reset()

    def freeze(self) -> dict[str, Any]:
        present = self.slot.card is not None
        return {**super().freeze(), "present": present, "card": self.card.freeze()}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.slot.card = self.card if frozen["present"] else None
        super().thaw(frozen)
        self.card.thaw(frozen["card"])
