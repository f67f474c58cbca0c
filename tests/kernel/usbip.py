"""A USB/IP server: simulated devices on real kernels (Linux, Documentation/usb/usbip_protocol).

The rule: it knows USB/IP and nothing of any device. Closing the connection is unplugging; the
transfers of one endpoint are answered in order; one that hangs is answered by nobody until the
kernel unlinks it, and so is one that waits for a device with nothing to say. No loop is busy: a
device is asked again when something has happened to it. It listens on loopback only.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from console.hardware.simulated import Away, Hang, Setup, SimulatedUsb, Stall, interfaces_of

VERSION = 0x0111
REQ_DEVLIST, REP_DEVLIST = 0x8005, 0x0005
REQ_IMPORT, REP_IMPORT = 0x8003, 0x0003
CMD_SUBMIT, CMD_UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4
IN = 1
OPERATION = struct.Struct(">HHI")
BASIC = struct.Struct(">IIIII")
SUBMIT = struct.Struct(">IIIII8s")
RETURN = struct.Struct(">iIIII8x")
UNLINK = struct.Struct(">I24x")
UNLINKED = struct.Struct(">i24x")
FACTS = struct.Struct(">256s32sIIIHHHBBBBBB")

EPIPE, ECONNRESET = -32, -104
WAITS = "waits"
LOW, FULL, HIGH, SUPER = 1, 2, 3, 5
SPEEDS = {"low": LOW, "full": FULL, "high": HIGH}
SLICE = 0.05
"""Seconds that a device works before it notices that it was pulled or touched."""


@dataclass(frozen=True)
class Transfer:
    """One transfer as the kernel sent it."""

    seqnum: int
    direction: int
    endpoint: int
    length: int
    setup: bytes
    data: bytes

    @property
    def request(self) -> Setup:
        return Setup(*struct.unpack("<BBHHH", self.setup))


Pull = Callable[[Transfer], bool]
"""Is the plug pulled before this transfer reaches the device?"""


class PowerLost(Exception):
    """The device was pulled while it worked."""


class Power:
    """A device's own time, to be made with: a pull ends it, a gentle press comes into it."""

    def __init__(self) -> None:
        self.lost = False
        self.pauses = 0
        self.presses: deque[Callable[[], None]] = deque()

    def pause(self, seconds: float) -> None:
        self.pauses += 1
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.lost:
                raise PowerLost
            time.sleep(min(SLICE, left))
            self.take_presses()

    def take_presses(self) -> None:
        """By whoever has the device's lock."""
        while self.presses:
            self.presses.popleft()()


class Happenings:
    """Counts what has happened to a device, for those who wait for something to happen."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def tell(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def after(self, count: int) -> None:
        """Wait until more than that has happened."""
        with self._changed:
            self._changed.wait_for(lambda: self.count != count)


@dataclass
class Export:
    """One simulated device under its bus id, and the kernel that has it, if any."""

    busid: str
    device: SimulatedUsb
    number: int
    always: int = 0
    """Its speed; 0 where it tells that itself, anew at each arrival."""
    speed: int = 0
    back: Callable[[], None] | None = None
    pull: Pull | None = None
    connection: socket.socket | None = None
    control: list[Setup] = field(default_factory=list)
    """Every control transfer that reached the device."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    power: Power = field(default_factory=Power)
    happenings: Happenings = field(default_factory=Happenings)
    asked: int = 0
    """How often it was asked for what it has to say on an IN endpoint."""
    lingers: float = 0.0
    """Seconds that it stays on the bus once it resets itself: what a program has not read from its
    tty until then, the kernel forgets with the tty. It takes every setting meanwhile: a port that
    is closed lowers DTR and waits for that, 5 s (cdc-acm.c, acm_set_control)."""
    _noticed: Away | None = None

    @property
    def lingering(self) -> bool:
        """Is it about to leave by itself, and still on the bus?"""
        away = self.device.away
        return self.lingers > 0 and away is not None and away.seconds is not None

    def plug(self, connection: socket.socket) -> bool:
        """Give it power, unless it has; is it on the bus then, and nobody's yet?"""
        with self.lock:
            if self.device.away is not None and self.device.away.seconds is None:
                self.power.lost = False
                self.device.power_on()
            if self.device.away is not None or self.connection is not None:
                return False
            self.connection = connection
            self.speed = self.always or speed_of(self.device)
            return True

    def unplug(self) -> None:
        """The plug is pulled: the device loses its power, the kernel its device."""
        self.power.lost = True
        with self.lock:
            self.device.away = Away(None)
            self.look()

    def press(self, buttons: str) -> None:
        if buttons in getattr(self.device, "gentle", ()):
            self._press_gently(buttons)
        else:
            with self.lock:
                self.device.press(buttons)
                self.look()
        self.happenings.tell()

    def _press_gently(self, buttons: str) -> None:
        """Also while the device works."""
        done = threading.Event()

        def press() -> None:
            self.device.press(buttons)
            done.set()

        self.power.presses.append(press)
        while not done.is_set():
            if self.lock.acquire(timeout=SLICE):
                try:
                    self.power.take_presses()
                    self.look()
                finally:
                    self.lock.release()

    def look(self) -> None:
        """Has it left the bus? Then the wire ends, and a device that resets itself will be back."""
        away = self.device.away
        if away is None or away is self._noticed:
            return
        self._noticed = away
        if away.seconds is None:
            _hang_up(self.connection)
            return
        _after(self.lingers, _hang_up, self.connection)
        _after(self.lingers + away.seconds, self._return, away)

    def let_go(self) -> None:
        """The wire has ended; if the device did not leave, it was unplugged."""
        self.power.lost = self.device.away is None or self.power.lost
        with self.lock:
            self.connection = None
            if self.device.away is None:
                self.device.away = Away(None)
            self.look()

    def _return(self, away: Away) -> None:
        with self.lock:
            if self.device.away is not away:
                return
            self.power.lost = False
            self.device.power_on()
            shows = self.device.away is None
        if shows and self.back is not None:
            self.back()


def _after(seconds: float, do: Callable[..., None], *given: Any) -> None:
    if not seconds:
        do(*given)
        return
    timer = threading.Timer(seconds, do, given)
    timer.daemon = True
    timer.start()


class Server:
    """Exports devices on a free port of loopback, until close()."""

    def __init__(self) -> None:
        self.exports: dict[str, Export] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def export(
        self,
        busid: str,
        device: SimulatedUsb,
        speed: int = 0,
        back: Callable[[], None] | None = None,
        power: Power | None = None,
    ) -> Export:
        """Offer a device. `back` is called when it has come back by itself, to plug it in again.

        `power` is whose pause it was made with.
        """
        number = len(self.exports) + 1
        offer = Export(busid, device, number, speed, speed or speed_of(device), back)
        offer.power = power or offer.power
        self.exports[busid] = offer
        return offer

    def close(self) -> None:
        self._listener.close()
        for export in self.exports.values():
            export.unplug()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            _, operation, _ = OPERATION.unpack(_take(connection, OPERATION.size))
            if operation == REQ_DEVLIST:
                connection.sendall(self._devlist())
            elif operation == REQ_IMPORT:
                self._import(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _devlist(self) -> bytes:
        exports = [export for export in self.exports.values() if export.connection is None]
        head = OPERATION.pack(VERSION, REP_DEVLIST, 0) + struct.pack(">I", len(exports))
        return head + b"".join(facts_of(export) + _interfaces(export) for export in exports)

    def _import(self, connection: socket.socket) -> None:
        busid = _take(connection, 32).rstrip(b"\0").decode()
        export = self.exports.get(busid)
        if export is None or not export.plug(connection):
            connection.sendall(OPERATION.pack(VERSION, REP_IMPORT, 1))
            return
        try:
            connection.sendall(OPERATION.pack(VERSION, REP_IMPORT, 0) + facts_of(export))
            Attached(export, connection).serve()
        finally:
            export.let_go()


class Attached:
    """A kernel has the device: its transfers go to the device, the answers back."""

    def __init__(self, export: Export, connection: socket.socket) -> None:
        self._export = export
        self._connection = connection
        self._sending = threading.Lock()
        self._open: set[int] = set()
        self._endpoints: dict[int, queue.Queue[Transfer | None]] = {}
        self._ended = False

    def serve(self) -> None:
        try:
            while self._command():
                pass
        except OSError:
            pass
        finally:
            self._ended = True
            self._export.happenings.tell()
            for transfers in list(self._endpoints.values()):
                transfers.put(None)

    def _command(self) -> bool:
        command, seqnum, _, direction, endpoint = BASIC.unpack(_take(self._connection, BASIC.size))
        if command == CMD_SUBMIT:
            self._submit(seqnum, direction, endpoint)
        elif command == CMD_UNLINK:
            self._unlink(seqnum)
        return command in (CMD_SUBMIT, CMD_UNLINK)

    def _submit(self, seqnum: int, direction: int, endpoint: int) -> None:
        _, length, _, _, _, setup = SUBMIT.unpack(_take(self._connection, SUBMIT.size))
        data = b"" if direction == IN else _take(self._connection, length)
        with self._sending:
            self._open.add(seqnum)
        transfer = Transfer(seqnum, direction, endpoint, length, setup, data)
        self._endpoint(direction << 7 | endpoint).put(transfer)

    def _endpoint(self, address: int) -> queue.Queue[Transfer | None]:
        """One thread an endpoint (both directions of endpoint 0 are one): answers in order."""
        address = 0 if address & 0x0F == 0 else address
        if address not in self._endpoints:
            self._endpoints[address] = queue.Queue()
            threading.Thread(target=self._work, args=(address,), daemon=True).start()
        return self._endpoints[address]

    def _unlink(self, seqnum: int) -> None:
        (victim,) = UNLINK.unpack(_take(self._connection, UNLINK.size))
        with self._sending:
            status = ECONNRESET if victim in self._open else 0
            self._open.discard(victim)
            self._connection.sendall(
                BASIC.pack(RET_UNLINK, seqnum, 0, 0, 0) + UNLINKED.pack(status)
            )
        self._export.happenings.tell()

    def _work(self, address: int) -> None:
        transfers = self._endpoints[address]
        try:
            while (transfer := transfers.get()) is not None:
                self._perform(transfer)
        except OSError:
            _hang_up(self._connection)

    def _perform(self, transfer: Transfer) -> None:
        export = self._export
        while not self._ended:
            before, pauses = export.happenings.count, export.power.pauses
            with export.lock:
                if export.pull is not None and export.pull(transfer):
                    export.unplug()
                    return
                answer = self._ask(transfer)
                if isinstance(answer, tuple):
                    self._answer(transfer, *answer)
                export.look()
            if answer is not WAITS:
                export.happenings.tell()
                return
            # Where its own time has passed it has worked, and is asked how far it is.
            if export.power.pauses == pauses:
                export.happenings.after(before)

    def _ask(self, transfer: Transfer) -> tuple[int, bytes] | str | None:
        """(status, data) of this transfer; None for no answer ever, WAITS for none yet."""
        if transfer.seqnum not in self._open:
            return None
        try:
            return self._asked(transfer)
        except Stall:
            return EPIPE, b""
        except (Hang, PowerLost):
            is_setting = transfer.endpoint == 0 and transfer.direction != IN
            return (0, b"") if is_setting and self._export.lingering else None

    def _asked(self, transfer: Transfer) -> tuple[int, bytes] | str:
        export = self._export
        if transfer.endpoint == 0:
            export.control.append(transfer.request)
            answer = export.device.control(transfer.request, transfer.data)
            return 0, answer[: transfer.length]
        if transfer.direction != IN:
            export.device.send(transfer.endpoint, transfer.data)
            return 0, b""
        export.asked += 1
        said = export.device.receive(0x80 | transfer.endpoint, transfer.length)
        return WAITS if said is None else (0, said)

    def _answer(self, transfer: Transfer, status: int, data: bytes) -> None:
        if transfer.direction == IN:
            actual = len(data)
        else:
            actual, data = (len(transfer.data) if status == 0 else 0), b""
        head = BASIC.pack(RET_SUBMIT, transfer.seqnum, 0, 0, 0)
        with self._sending:
            if transfer.seqnum in self._open:
                self._open.discard(transfer.seqnum)
                self._connection.sendall(head + RETURN.pack(status, actual, 0, 0, 0) + data)


def facts_of(export: Export) -> bytes:
    """The device as USB/IP describes it (usbip_protocol, OP_REP_IMPORT)."""
    raw = export.device.descriptors()
    vid, pid, release = struct.unpack_from("<HHH", raw.device, 8)
    return FACTS.pack(
        f"/sys/devices/simulated/{export.busid}".encode(),
        export.busid.encode(),
        1,
        export.number,
        export.speed,
        vid,
        pid,
        release,
        *raw.device[4:7],
        raw.configuration[5],
        raw.device[17],
        raw.configuration[4],
    )


def _interfaces(export: Export) -> bytes:
    numbers = interfaces_of(export.device.descriptors().configuration)
    first = [kind for (_, alternate), kind in numbers.items() if alternate == 0]
    return b"".join(bytes.fromhex(kind) + b"\0" for kind in first)


def speed_of(device: SimulatedUsb) -> int:
    """What it says itself, or else what its version of USB allows."""
    told = SPEEDS.get(getattr(device, "speed", ""))
    (usb,) = struct.unpack_from("<H", device.descriptors().device, 2)
    return told or (FULL if usb < 0x0200 else HIGH if usb < 0x0300 else SUPER)


def _take(connection: socket.socket, size: int) -> bytes:
    """Exactly that many bytes; OSError when the other end has gone."""
    taken = b""
    while len(taken) < size:
        more = connection.recv(size - len(taken))
        if not more:
            raise ConnectionError("the kernel let go")
        taken += more
    return taken


def _hang_up(connection: socket.socket | None) -> None:
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
