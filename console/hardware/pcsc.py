"""PC/SC, live: readers and cards as the daemon tells them, while it lives and after it came back.

The rule: nothing polls. One thread waits in the daemon, on a context of its own; without a
daemon it waits for a nudge or for the next, ever rarer, try. A card is never asked anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace

from smartcard import scard

from console.events import Device
from console.hardware import sightings, winscard
from console.hardware.readers import (
    GONE,
    LASTING,
    Reader,
    has_left,
    place_of,
    usb_of_channel,
)
from console.hardware.rights import NO_POLKIT

PNP = "\\\\?PnP?\\Notification"
RELIST = 60.0
"""Seconds after which the list is read again: pcsc-lite counts readers when the wait begins, so
one that came just before would stay unseen (winscard_clnt.c, SCardGetStatusChange)."""
TRIES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries to reach the daemon; the last one again and again."""
ENOUGH, BREATHER = 20, 1.0
"""Looks in a row that found nothing new, and the seconds between looks from then on."""
RESULT = 0xFFFFFFFF
CHANGED, COUNTER = 0x0002, 0xFFFF0000
REFUSAL = "SCARD_W_SECURITY_VIOLATION"

NO_SERVICE = "Cards cannot be seen: the PC/SC service (pcscd) does not run here. I keep looking."
REFUSED = f"Cards cannot be seen: the PC/SC service refuses this user. {NO_POLKIT}"
BROKEN = "Cards cannot be seen: the PC/SC service does not answer as it should ({code})."

MISTAKE = "Cards cannot be seen: Replug itself made a mistake ({kind}). I keep looking."


class Failed(Exception):
    """A PC/SC call did not succeed; .code is its result. Never leaves console.hardware."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code & RESULT:08X}")
        self.code = code & RESULT


def check(code: int) -> None:
    """Raise Failed unless the call succeeded."""
    if code & RESULT != scard.SCARD_S_SUCCESS & RESULT:
        raise Failed(code)


def check_admitted(code: int) -> None:
    """The same of a call on a context that the daemon has given: it refuses nothing there.

    The library says "refused" whenever a request stays unread (winscard_msg.c, ECONNRESET), which
    is what a daemon leaves behind that dies.
    """
    check(scard.SCARD_E_NO_SERVICE if is_code(code, REFUSAL) else code)


def is_code(code: int, *names: str) -> bool:
    """Is it one of these results?"""
    return code & RESULT in {getattr(scard, name) & RESULT for name in names}


def words_of(code: int) -> str:
    """What a failed call says about PC/SC as a whole."""
    if is_code(code, "SCARD_E_NO_SERVICE", "SCARD_E_SERVICE_STOPPED", "SCARD_F_COMM_ERROR"):
        return NO_SERVICE
    if is_code(code, REFUSAL):
        return REFUSED
    return BROKEN.format(code=f"{code & RESULT:08X}")


def words_for(error: Exception) -> str:
    """The same for whatever was raised; only what PC/SC itself answered is PC/SC's."""
    if isinstance(error, Failed):
        return words_of(error.code)
    return MISTAKE.format(kind=type(error).__name__)


States = list[tuple[str, int, bytes]]


class Context:
    """One context of the daemon. Raises Failed."""

    def __init__(self) -> None:
        code, self.handle = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        if is_code(code, REFUSAL):
            # A daemon that refuses us, or one that just died (see check_admitted): gone now.
            code, self.handle = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        check(code)

    def names(self) -> tuple[str, ...]:
        code, names = winscard.list_readers(self.handle)
        if is_code(code, "SCARD_E_NO_READERS_AVAILABLE"):
            return ()
        check_admitted(code)
        return names

    def states(self, known: dict[str, int], timeout: float) -> States:
        """Wait until a state differs from those known; (name, state, ATR) of all of them."""
        return self._wait(known, timeout)[1]

    def differs(self, known: dict[str, int], timeout: float) -> bool:
        """The same wait: did it end because a state differs?"""
        return self._wait(known, timeout)[0]

    def _wait(self, known: dict[str, int], timeout: float) -> tuple[bool, States]:
        code, found = winscard.get_status_change(self.handle, int(timeout * 1000), known)
        if is_code(code, "SCARD_E_TIMEOUT", "SCARD_E_CANCELLED"):
            return False, found
        check_admitted(code)
        return True, found

    def usb_of(self, name: str) -> tuple[int, int] | None:
        """Which USB device the reader says it is. Sends nothing to a card (SHARE_DIRECT)."""
        code, card, _ = winscard.connect(self.handle, name, scard.SCARD_SHARE_DIRECT, 0)
        check(code)
        code, channel = scard.SCardGetAttrib(card, scard.SCARD_ATTR_CHANNEL_ID)
        scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        told = code & RESULT == scard.SCARD_S_SUCCESS & RESULT
        return usb_of_channel(bytes(channel)) if told else None

    def cancel(self) -> None:
        scard.SCardCancel(self.handle)

    def close(self) -> None:
        scard.SCardReleaseContext(self.handle)


Told = Callable[[], None]
Scan = Callable[[], tuple[Device, ...]]
"""Every USB device now: a reader tells an address, which counts while a device is there."""


@dataclass(frozen=True)
class Facts:
    """What PC/SC shows: its readers, and what is wrong with it as a whole."""

    readers: tuple[Reader, ...] = ()
    state: str = ""


def look(scan: Scan = sightings.scan) -> Facts:
    """One look, without waiting for anything."""
    try:
        with closing(Context()) as context:
            return Facts(_readers(context, _states(context), (), scan))
    except Exception as error:  # noqa: BLE001 - a library's mistake costs the cards, not the rest
        return Facts(state=words_for(error))


def _states(context: Context) -> States:
    names = context.names()
    return context.states(dict.fromkeys(names, 0), 0.0) if names else []


def _readers(
    context: Context, states: States, before: tuple[Reader, ...], scan: Scan, arrival: int = 0
) -> tuple[Reader, ...]:
    """Every reader now."""
    known = {reader.name: reader for reader in before}
    return tuple(
        _placed(
            context,
            replace(
                known.get(name) or Reader(name, 0, arrival=arrival),
                state=state & LASTING,
                atr=atr,
            ),
            scan,
        )
        for name, state, atr in states
        if not state & GONE
    )


def _placed(context: Context, reader: Reader, scan: Scan) -> Reader:
    """Where the reader is; it is asked once a visit, for asking is itself a change of state."""
    if reader.asked:
        return reader
    try:
        told = context.usb_of(reader.name)
    except Failed as failed:
        # While somebody has it for himself alone it cannot be asked; it tells when it is free.
        return replace(reader, asked=not is_code(failed.code, "SCARD_E_SHARING_VIOLATION"))
    return replace(reader, usb=place_of(told, scan()) or reader.usb, asked=True)


def _to_be_asked(readers: tuple[Reader, ...], scan: Scan) -> tuple[Reader, ...]:
    """Those whose device has left are asked anew: one of that name may have come elsewhere."""
    if all(reader.usb is None for reader in readers):
        return readers
    devices = scan()
    return tuple(
        replace(reader, asked=False) if has_left(reader, devices) else reader for reader in readers
    )


class Readers:
    """A thread that knows every reader and card, and says when something has changed."""

    def __init__(self, scan: Scan = sightings.scan) -> None:
        self.facts = Facts()
        self._scan = scan
        self._told: Told | None = None
        self._closed = False
        self._context: Context | None = None
        self._arrivals = 0
        self._count = 0
        self._in_vain = 0
        self._left = 0
        self._differed = True
        self._nudged = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readers", daemon=True)

    def start(self, told: Told) -> None:
        """Begin to look; `told` is called, from this thread, after every change."""
        self._told = told
        self._thread.start()

    def ready(self, timeout: float) -> bool:
        """Wait until the first look is over."""
        return self._ready.wait(timeout)

    def nudge(self) -> None:
        """Something was plugged: look again, and try to reach the daemon now."""
        self._nudged.set()
        context = self._context
        if context is not None:
            context.cancel()

    def close(self) -> None:
        """Stop; returns when nothing will be told any more."""
        self._closed = True
        while self._thread.is_alive() and self._thread is not threading.current_thread():
            # A cancel that comes before the wait begins is lost.
            self.nudge()
            self._thread.join(0.1)

    def _run(self) -> None:
        tries = 0
        while not self._closed:
            began = self._arrivals
            error = self._follow()
            with suppress(Exception):  # the state is kept, whoever fails in being told
                self._tell(Facts((), words_for(error) if error else ""))
            # What is our mistake comes back as soon as the daemon is reached.
            reached = self._arrivals != began and isinstance(error, Failed)
            tries = 0 if reached else tries + 1
            self._nudged.wait(TRIES[min(tries, len(TRIES) - 1)])
            self._nudged.clear()

    def _follow(self) -> Exception | None:
        """Tell what a daemon shows until it ends, or we do; what went wrong then."""
        try:
            with closing(Context()) as context:
                self._arrivals += 1
                self._stay(context)
        except Exception as error:  # noqa: BLE001 - the watching lives as long as the bench
            return error
        return None

    def _stay(self, context: Context) -> None:
        self._context = context
        try:
            while not self._closed:
                self._look(context)
        finally:
            self._context = None

    def _look(self, context: Context) -> None:
        again = self._nudged.is_set() or not self._differed
        self._nudged.clear()
        self._arrivals += 1
        # Newer versions count the comings and goings of readers in this state's high half: a
        # count from before the list is read makes sure that none is missed.
        counted = {name: state for name, state, _ in context.states({PNP: self._count}, 0.0)}
        self._count = counted.get(PNP, 0) & COUNTER
        states = _states(context)
        before = self.facts.readers
        if again:
            before = _to_be_asked(before, self._scan)
        self._tell(Facts(_readers(context, states, before, self._scan, self._arrivals)))
        known = {name: state & ~CHANGED for name, state, _ in states}
        if self._in_vain > ENOUGH:
            # Others come and go in the daemon, or it does not wait as it should.
            self._nudged.wait(BREATHER)
        if not self._nudged.is_set() and not self._closed:
            self._differed = context.differs(known | {PNP: self._count}, self._patience())

    def _patience(self) -> float:
        """How long to wait for news. Where a device has left and its reader has not, either the
        reader goes soon, or it came back between two looks, and nothing will be told of that.
        """
        devices = self._scan() if any(reader.usb for reader in self.facts.readers) else ()
        left = any(has_left(reader, devices) for reader in self.facts.readers)
        self._left = self._left + 1 if left else 0
        return TRIES[min(self._left, len(TRIES)) - 1] if left else RELIST

    def _tell(self, facts: Facts) -> None:
        before, self.facts = self.facts, facts
        self._in_vain = self._in_vain + 1 if before == facts else 0
        if (before != facts or not self._ready.is_set()) and self._told and not self._closed:
            self._ready.set()
            self._told()
        self._ready.set()
