"""One open line to a practice device, at the board's end: reports, serial bytes, cards.

The rule: what a real line raises, in the same cases and words. Between looks at the device its
lock is free, so that a hand or another program never waits for a card that works for minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from console.errors import Garbled, NoLine, NotPermitted, Silent, Unplugged
from console.hardware.sightings import printable
from console.hardware.simulated import Away, Hang, Setup, SimulatedUsb, Stall
from console.hardware.simulated_card import SLICE, Doing, SimulatedCard, Slot, doing
from console.hardware.simulated_cdc import CODING_115200_8N1
from console.practice.board import Board
from console.practice.outlets import Outlet, outlets_of, slots_of

T = TypeVar("T")

WRITE_PATIENCE = 5.0
"""Seconds until a device that takes nothing has failed, for the kernel and for pyserial."""
MUTE_AFTER = 3.0
"""Seconds that a reader and its driver give a card which does not ask for more time."""
NOT_TRANSACTED = "80100016"
"""SCARD_E_NOT_TRANSACTED: PC/SC tells a mute card and a failed transfer as the same."""
STATUS_WORD = 2
SET_LINE_CODING, SET_CONTROL_LINE_STATE, SET_REPORT, OUTPUT = 0x20, 0x22, 0x09, 0x02
DTR_AND_RTS = 3


class Opened:
    """A line of one kind ("control", "hid", "serial", "card") to one visit of one device.

    `name` is the node's path or the reader's name where the device has several. Raises
    Unplugged, NotPermitted (held by another; no such line).
    """

    def __init__(
        self, board: Board, port: str, visit: str, who: str, kind: str = "control", name: str = ""
    ) -> None:
        self.port = port
        self.visit = visit
        self._board = board
        self._who = who
        self._kind = kind.removeprefix("shared ")
        self._reader = ""
        self._inserted = 0
        self._outlet: Outlet | None = None
        self._in_transaction = False
        board.open(port, visit, who)
        try:
            self._find(name)
        except BaseException:
            board.release(port, visit, who)
            raise

    def _find(self, name: str) -> None:
        if self._kind == "card":
            slot = self._use(lambda device: self._slot_with_card(device, name))
            self._reader, self._inserted = printable(slot.name), slot.inserted
        elif self._kind != "control":
            self._outlet = self._use(lambda device: self._outlet_of(device, name))
            if self._kind == "serial":
                self._set_up()

    def _slot_with_card(self, device: SimulatedUsb, name: str) -> Slot:
        for slot in slots_of(device):
            if slot.card is not None and slot.card.atr and name in ("", printable(slot.name)):
                return slot
        raise NotPermitted(f"No card answers in {name or self.port}.", "Put the card in and wait.")

    def _outlet_of(self, device: SimulatedUsb, name: str) -> Outlet:
        for outlet in outlets_of(self.port, device.descriptors().configuration):
            if outlet.kind == self._kind and name in ("", outlet.path):
                return outlet
        raise NoLine(f"The device in port {self.port} offers no {self._kind} line.")

    def _use(self, act: Callable[[SimulatedUsb], T]) -> T:
        return self._board.use(self.port, self.visit, act, self._who)

    def _request(self, request: int, value: int, data: bytes = b"") -> None:
        """One to the outlet's own interface, whatever becomes of it."""
        assert self._outlet is not None
        setup = Setup(0x21, request, value, self._outlet.own, len(data))
        try:
            self._use(lambda device: device.control(setup, data))
        except (Stall, Hang):
            return

    def _set_up(self) -> None:
        """What the kernel's driver and pyserial ask for when a port is opened."""
        self._request(SET_LINE_CODING, 0, CODING_115200_8N1)
        self._request(SET_CONTROL_LINE_STATE, DTR_AND_RTS)

    def close(self) -> None:
        """Let go; a card that is left in a transaction is reset, as the PC/SC daemon does."""
        try:
            if self._kind == "card":
                with self._board.exchange(self.port):
                    if self._in_transaction:
                        self.reset_card()
            elif self._kind == "serial" and self._outlet is not None:
                self._request(SET_CONTROL_LINE_STATE, 0)
        except Unplugged:
            pass
        finally:
            self._board.release(self.port, self.visit, self._who)

    # --- reports and bytes ------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """An output report with its number first, or serial bytes."""
        try:
            if self._kind == "hid":
                self._send_report(data)
            else:
                self._use(lambda device: device.send(self._out(), data))
        except Stall:
            raise self._failed("it refused") from None
        except Hang:
            self._board.clock.pause(WRITE_PATIENCE)
            self._use(lambda _: None)
            if self._kind == "hid":
                raise self._failed("it takes nothing") from None
            sentence = f"The device in port {self.port} takes no more bytes."
            raise Silent(sentence, waited=WRITE_PATIENCE) from None

    def _send_report(self, data: bytes) -> None:
        if len(data) < 2:  # hidraw takes no report without a number and something after it
            raise self._failed("an empty report")
        assert self._outlet is not None
        number, report = data[0], data if data[0] else data[1:]
        if self._outlet.out:
            self._use(lambda device: device.send(self._out(), report))
            return
        value = OUTPUT << 8 | number
        setup = Setup(0x21, SET_REPORT, value, self._outlet.own, len(report))
        self._use(lambda device: device.control(setup, report))

    def _out(self) -> int:
        assert self._outlet is not None
        return self._outlet.out

    def _failed(self, why: str) -> Garbled:
        return Garbled(f"The wire to the device in port {self.port} failed ({why}).")

    def receive(self, timeout: float, most: int) -> bytes:
        """The next input report, or what serial bytes there are. Raises Silent."""
        clock, outlet = self._board.clock, self._outlet
        assert outlet is not None
        length = outlet.packet if self._kind == "hid" else most
        until = clock.monotonic() + timeout
        while not (data := self._heard(outlet, length)):
            left = until - clock.monotonic()
            if left <= 0:
                sentence = f"The device in port {self.port} sent nothing in {timeout:g} s."
                raise Silent(sentence, waited=timeout)
            clock.pause(min(SLICE, left))
        return data[:most]

    def _heard(self, outlet: Outlet, length: int) -> bytes | None:
        try:
            return self._use(lambda device: device.receive(outlet.into, length))
        except Stall:
            raise self._failed("it refused") from None
        except Hang:
            return None

    # --- cards ------------------------------------------------------------------------------

    def transmit(self, apdu: bytes) -> bytes:
        """The card's answer, however long it works."""
        with self._board.exchange(self.port):
            longest = self._with_card(lambda slot, _: slot.longest)
            if len(apdu) > longest or len(apdu) < 4:
                raise Garbled(f"The wire to the card in {self._reader} failed ({NOT_TRANSACTED}).")
            answer = self._answer(apdu)
        if len(answer) < STATUS_WORD:
            raise Garbled(f"The card in {self._reader} sent no status.")
        return answer

    def _answer(self, apdu: bytes) -> bytes:
        def begin(_: Slot, card: SimulatedCard) -> bytes | None:
            card.begin(apdu)
            return card.work(0.0)

        answer = self._with_card(begin)
        silent = 0.0
        while answer is None:
            self._board.rest(SLICE)
            answer = self._with_card(lambda _, card: card.work(SLICE))
            mute = self._with_card(lambda _, card: doing(card) is Doing.MUTE)
            silent = silent + SLICE if mute else 0.0
            if answer is None and silent > MUTE_AFTER:
                raise Garbled(f"The wire to the card in {self._reader} failed ({NOT_TRANSACTED}).")
        return answer

    def _with_card(self, act: Callable[[Slot, SimulatedCard], T]) -> T:
        """Do it with the very card this line was opened to."""

        def find(device: SimulatedUsb) -> T:
            slots = (slot for slot in slots_of(device) if printable(slot.name) == self._reader)
            slot = next(slots, None)
            if slot is None or slot.card is None or slot.inserted != self._inserted:
                raise _Taken
            try:
                return act(slot, slot.card)
            finally:
                if getattr(slot.card, "pulled", False):  # its own fault: card and reader are gone
                    device.away = Away(None)

        try:
            return self._use(find)
        except _Taken:
            sentence = f"The card was taken out of {self._reader}."
            raise Unplugged(sentence, "Put it in and run again.") from None
        except Unplugged:
            raise Unplugged(f"The reader {self._reader} was unplugged.") from None

    def begin_transaction(self) -> None:
        self._with_card(lambda *_: None)
        self._in_transaction = True

    def end_transaction(self) -> None:
        """It also ends with the card or the reader."""
        self._in_transaction = False

    def reset_card(self) -> None:
        """A warm reset."""
        self._with_card(lambda _, card: card.reset())


class _Taken(Exception):
    """The card is in the reader no more."""
