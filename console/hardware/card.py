"""The real card line, through PC/SC.

The rule: PC/SC's results end here. meaning() says what each of them is to a technician; no
other line of the program knows one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from smartcard import scard

from console.clock import Clock
from console.errors import DeviceError, Garbled, NotPermitted, Refused, Silent, Unplugged
from console.events import Card, Device
from console.hardware import winscard
from console.hardware.lock import PROC, Held, hold_device, hold_name, who
from console.hardware.pcsc import REFUSAL, RESULT, Context, Failed, check, check_admitted, is_code
from console.hardware.readers import GONE, PRESENT
from console.hardware.rights import NO_POLKIT
from console.hardware.sightings import printable

PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
PATIENCE = 2.0
"""Seconds until PC/SC must know that a card is gone: it looks for cards every 0.4 s."""
STEP = 0.1

STATUS_WORD = 2
"""Bytes that every answer ends with (ISO 7816-4, 5.1)."""

REMOVED = ("SCARD_W_REMOVED_CARD", "SCARD_E_NO_SMARTCARD")
READER_GONE = ("SCARD_E_READER_UNAVAILABLE", "SCARD_E_UNKNOWN_READER")
DAEMON_GONE = (
    *("SCARD_E_NO_SERVICE", "SCARD_E_SERVICE_STOPPED", "SCARD_F_COMM_ERROR"),
    *("SCARD_E_INVALID_HANDLE", "SCARD_E_INVALID_VALUE"),
)
SILENT = ("SCARD_W_UNRESPONSIVE_CARD", "SCARD_W_UNPOWERED_CARD", "SCARD_E_TIMEOUT")


def meaning(code: int, reader: str, gone: bool = False) -> DeviceError:
    """What a PC/SC result means, in our words."""
    if is_code(code, *DAEMON_GONE):
        return Unplugged(
            f"The PC/SC service ended, and with it the wire to the card in {reader}.",
            "Leave the card in. When the service runs again, run the repair again.",
        )
    if is_code(code, *READER_GONE):
        return Unplugged(f"The reader {reader} was unplugged.")
    if is_code(code, *REMOVED) or gone:
        return Unplugged(f"The card was taken out of {reader}.", "Put it in and run again.")
    if is_code(code, "SCARD_W_RESET_CARD"):
        sentence = f"Another program reset the card in {reader}: what was unlocked is locked again."
        return Refused(sentence, "Close that program, then run again.", code="reset")
    if is_code(code, "SCARD_E_SHARING_VIOLATION"):
        return held_by(users_of_pcsc(), reader)
    if is_code(code, REFUSAL):
        sentence = f"The PC/SC service does not let this user open {reader}."
        return NotPermitted(sentence, NO_POLKIT)
    if is_code(code, *SILENT):
        return Silent(f"The card in {reader} does not answer.")
    return Garbled(f"The wire to the card in {reader} failed ({code & RESULT:08X}).")


def held_by(users: tuple[str, ...], reader: str) -> NotPermitted:
    """Somebody else has the card; `users` are the programs that use PC/SC."""
    named = f" PC/SC is used by {', '.join(users)}." if users else ""
    advice = "Close the program that uses it, then run again."
    if any("scdaemon" in user for user in users):
        advice = "It lets go after: gpgconf --kill scdaemon (nothing is lost). Then run again."
    return NotPermitted(f"Another program holds the card in {reader}.{named}", advice)


def users_of_pcsc(proc: Path = PROC) -> tuple[str, ...]:
    """The programs that use PC/SC, as far as this user may see, without ourselves."""
    pids = sorted(int(place.name) for place in proc.iterdir() if place.name.isdigit())
    return tuple(who(proc / str(pid), pid) for pid in pids if _uses_pcsc(proc / str(pid)))


def _uses_pcsc(place: Path) -> bool:
    if place.name == str(os.getpid()):
        return False
    try:
        return (place / "comm").read_text() == "scdaemon\n" or "libpcsclite" in (
            place / "maps"
        ).read_text(errors="replace")
    except OSError:
        return False


class PcscCard:
    """A CardLine to the very card that `device` shows, held for us alone unless shared."""

    def __init__(self, device: Device, card: Card, clock: Clock, shared: bool = False) -> None:
        self._reader = card.reader
        self._clock = clock
        self._mode = scard.SCARD_SHARE_SHARED if shared else scard.SCARD_SHARE_EXCLUSIVE
        self._held: Held | None = None
        self._context: Context | None = None
        self._card: Any = None
        self._protocol = 0
        try:
            self._held = _hold(device, card.reader)
            self._connect(card)
        except Failed as failed:
            error = self._meant(failed)
            self.close()
            raise error from failed
        except OSError as error:
            self.close()
            raise NotPermitted(f"The reader {card.reader} cannot be locked ({error}).") from error
        except BaseException:
            self.close()
            raise

    def _connect(self, card: Card) -> None:
        self._context = Context()
        name = self._name()
        connected = winscard.connect(self._context.handle, name, self._mode, PROTOCOLS)
        if is_code(connected[0], REFUSAL):
            Context().close()  # where it is not refused but the daemon has died, this says so
        check(connected[0])
        _, self._card, self._protocol = connected
        if self._state() >> 16 != card.inserted:
            raise Unplugged(f"Another card is in {self._reader} now, or the same one again.")

    def _name(self) -> str:
        """As PC/SC knows the reader: what we show of a name may have been made printable."""
        assert self._context is not None
        names = [name for name in self._context.names() if printable(name) == self._reader]
        if not names:
            raise Unplugged(f"The reader {self._reader} was unplugged.")
        if len(names) > 1:
            raise NotPermitted(
                f"{len(names)} readers are called {self._reader}.", "Leave only one plugged in."
            )
        return names[0]

    def _state(self) -> int:
        assert self._context is not None
        states = self._context.states({self._name(): 0}, 0.0)
        return states[0][1] if states else GONE

    def transmit(self, apdu: bytes) -> bytes:
        code, answer = scard.SCardTransmit(self._card, self._pci(), list(apdu))
        self._check(code)
        if len(answer) < STATUS_WORD:
            # Drivers have reported a card that went in mid command as one with nothing to say.
            raise meaning(scard.SCARD_F_UNKNOWN_ERROR & RESULT, self._reader, gone=self._left())
        return bytes(value & 0xFF for value in answer)

    def _pci(self) -> Any:
        t0 = self._protocol == scard.SCARD_PROTOCOL_T0
        return scard.SCARD_PCI_T0 if t0 else scard.SCARD_PCI_T1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._check(scard.SCardBeginTransaction(self._card))
        try:
            yield
        finally:
            # It also ends with the card, the reader or the daemon.
            scard.SCardEndTransaction(self._card, scard.SCARD_LEAVE_CARD)

    def reset(self) -> None:
        self._reconnect(scard.SCARD_RESET_CARD)

    def _reconnect(self, what: int) -> None:
        code, self._protocol = scard.SCardReconnect(self._card, self._mode, PROTOCOLS, what)
        self._check(code)

    def close(self) -> None:
        if self._card is not None:
            scard.SCardDisconnect(self._card, scard.SCARD_LEAVE_CARD)
        if self._context is not None:
            self._context.close()
        if self._held is not None:
            self._held.let_go()
        self._card = self._context = self._held = None

    def _check(self, code: int) -> None:
        try:
            check_admitted(code)
        except Failed as failed:
            if is_code(failed.code, "SCARD_W_RESET_CARD"):
                # Nothing can be sent before the reset has been taken note of.
                scard.SCardReconnect(self._card, self._mode, PROTOCOLS, scard.SCARD_LEAVE_CARD)
            raise self._meant(failed) from failed

    def _meant(self, failed: Failed) -> DeviceError:
        unclear = is_code(failed.code, "SCARD_E_NOT_TRANSACTED", "SCARD_F_UNKNOWN_ERROR")
        return meaning(failed.code, self._reader, gone=unclear and self._left())

    def _left(self) -> bool:
        """A pull is first seen as a command that failed; PC/SC tells of it a little later."""
        until = self._clock.monotonic() + PATIENCE
        while self._clock.monotonic() < until:
            with suppress(Failed, Unplugged):
                if self._state() & PRESENT:
                    self._clock.pause(STEP)
                    continue
            return True
        return False


def _hold(device: Device, reader: str) -> Held:
    usb = next((node.path for node in device.nodes if node.kind == "usb"), "")
    return hold_device(device, usb) if usb else hold_name(f"reader {reader}")
