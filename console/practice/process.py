"""The practice board as a process: whoever holds a device may die, the device lives on.

The rule: a device's own state is lost only by what would lose it on a real bench. A connection
that ends lets go of what it held, and nothing more. One thread reads each connection and a
second one does its transfers, so that a device that works for long never delays a goodbye.
"""

from __future__ import annotations

import json
import queue
import select
import socket
import struct
import sys
import threading
import traceback
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from console import sockets
from console.clock import Clock
from console.errors import BadUsage, ConsoleError, RecordError
from console.events import Device
from console.hardware.simulated import Hang, Scenario, Stall
from console.practice.board import Board, gone
from console.practice.messages import pack_devices, pack_error, unpack_setup
from console.practice.opened import Opened
from console.practice.place import Place
from console.state import write_private

IDLE = 600.0
"""Seconds without a connection after which the process keeps its devices and ends."""


class PracticeProcess:
    """Serves one board on one listening socket until it is stopped or idle."""

    def __init__(
        self, place: Place, scenario: Scenario, clock: Clock, idle: float = IDLE, pace: float = 1.0
    ) -> None:
        self._place = place
        self._clock = clock
        self._idle = idle
        self._connections: set[Connection] = set()
        self._wake: queue.Queue[None] = queue.Queue()
        self._publishing = threading.RLock()
        self._saving = threading.Lock()
        self._stopping = False
        self._alone_since = clock.monotonic()
        # a listening socket that is shut down does not wake its accept() (unix, non-blocking)
        self._stop_heard, self._stop_said = socket.socketpair()
        self.board = self._thawed(scenario, pace)

    def _thawed(self, scenario: Scenario, pace: float) -> Board:
        """The board as it was kept; a new one if there is none, or none that can be read."""
        board = Board(scenario, self._clock, self._changed, pace)
        try:
            board.thaw(json.loads(self._place.kept.read_text()))
        except FileNotFoundError:
            return board
        except (OSError, KeyError, TypeError, ValueError, zlib.error):
            traceback.print_exc(file=sys.stderr)
            with suppress(OSError):
                self._place.kept.replace(self._place.kept.with_suffix(".unreadable"))
            return Board(scenario, self._clock, self._changed, pace)
        return board

    # --- its life -------------------------------------------------------------------------

    def serve(self, listener: socket.socket) -> None:
        """Answer connections; returns when stopped, or after `idle` seconds with none."""
        self.save()
        threading.Thread(target=self._tick, daemon=True).start()
        try:
            while not self._stopping:
                sources = [listener, self._stop_heard]
                if listener in select.select(sources, [], [], self._idle_in())[0]:
                    self._accept(listener)
                elif not self._connections and self._idle_in() == 0:
                    break
        finally:
            self.end()

    def _accept(self, listener: socket.socket) -> None:
        connected, _ = listener.accept()
        connection = Connection(self, connected)
        with self._publishing:
            self._connections.add(connection)
        threading.Thread(target=connection.serve, daemon=True).start()

    def _idle_in(self) -> float:
        """Seconds until it has been alone for long enough, if nobody comes."""
        if self._connections:
            return self._idle
        return max(0.0, self._alone_since + self._idle - self._clock.monotonic())

    def _tick(self) -> None:
        """Bring devices back when their time has come, and keep every change."""
        while not self._stopping:
            back_at = self.board.next_return()
            wait = None if back_at is None else max(0.0, back_at - self._clock.monotonic())
            with suppress(queue.Empty):
                self._clock.take(self._wake, wait)
            self.board.look()
            try:
                self.save()
            except RecordError as error:  # the devices matter more than their copy on disk
                print(error.sentence, file=sys.stderr)  # noqa: T201

    def stop(self) -> None:
        """Say goodbye and let serve() return."""
        self._stopping = True
        with self._publishing:
            for connection in self._connections:
                connection.send({"bye": True})
        self._stop_said.send(b"!")

    def end(self) -> None:
        self._stopping = True
        self.board.close()
        self._wake.put(None)
        self.save()
        self._stop_heard.close()
        self._stop_said.close()

    def save(self) -> None:
        with self._saving:
            write_private(self._place.kept, json.dumps(self.board.freeze()).encode())

    # --- what is told to all --------------------------------------------------------------

    def _changed(self) -> None:
        with self._publishing:
            devices = self.board.devices()
            for connection in self._connections:
                connection.tell(devices)
        self._wake.put(None)

    def watched_by(self, connection: Connection) -> None:
        with self._publishing:
            connection.watching = True
            connection.tell(self.board.devices())

    def forget(self, connection: Connection) -> None:
        with self._publishing:
            self._connections.discard(connection)
            self._alone_since = self._clock.monotonic()
        if connection.has_held:
            self._wake.put(None)


class Connection:
    """One program that uses the board. It may hold one visit of one device."""

    def __init__(self, process: PracticeProcess, connected: socket.socket) -> None:
        self._process = process
        self._board = process.board
        self._socket = connected
        self._transfers = ThreadPoolExecutor(1)
        self._held: Opened | None = None
        self._unanswered: int | None = None
        self.watching = False
        pid, _, _ = struct.unpack(
            "3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        )
        self._who = f"process {pid}"
        self._commands: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "hello": self._hello,
            "scan": lambda _: {"devices": pack_devices(self._board.devices())},
            "open": self._open,
            "reset": self._reset,
            "plug": lambda m: self._by_hand(self._board.plug, m["port"]),
            "pull": lambda m: self._by_hand(self._board.pull, m["port"]),
            "press": lambda m: self._by_hand(self._board.press, m["buttons"], m["port"]),
            "status": lambda _: self._status(),
        }
        # What may take as long as the device likes: in order, on a thread of its own.
        self._deeds: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "transfer": self._transfer,
            "send": _done(lambda m: self._holding().send(bytes.fromhex(m["data"]))),
            "receive": lambda m: _data(self._holding().receive(m["seconds"], m["most"])),
            "transmit": lambda m: _data(self._holding().transmit(bytes.fromhex(m["data"]))),
            "begin": _done(lambda _: self._holding().begin_transaction()),
            "end": _done(lambda _: self._holding().end_transaction()),
            "reset card": _done(lambda _: self._holding().reset_card()),
        }

    def serve(self) -> None:
        try:
            while message := sockets.receive(self._socket):
                self._take(message)
        finally:
            self._end()

    def _take(self, message: dict[str, Any]) -> None:
        if message["do"] in self._deeds:
            self._transfers.submit(self._answer, message, self._deeds[message["do"]])
        elif message["do"] == "watch":
            self._process.watched_by(self)  # answered by what is seen, now and from now on
        elif message["do"] == "stop":
            self._answer(message, lambda _: {})
            self._process.stop()
        else:
            self._answer(message, self._commands.get(message["do"], _unknown))

    def _answer(
        self, message: dict[str, Any], act: Callable[[dict[str, Any]], dict[str, Any] | None]
    ) -> None:
        try:
            answer = act(message)
        except ConsoleError as error:
            answer = pack_error(error)
        except (KeyError, TypeError, ValueError):
            traceback.print_exc(file=sys.stderr)
            answer = pack_error(BadUsage("The practice hardware does not understand this."))
        if answer is not None:
            self.send({"id": message["id"], **answer})

    @property
    def has_held(self) -> bool:
        """Has it changed anything in a device?"""
        return self._held is not None

    def _end(self) -> None:
        self._transfers.shutdown(wait=False, cancel_futures=True)
        if self._held is not None:
            self._held.close()
        self._process.forget(self)
        self._socket.close()

    # --- commands -------------------------------------------------------------------------

    def _hello(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"scenario": self._board.scenario.name}

    def _status(self) -> dict[str, Any]:
        return {
            "scenario": self._board.scenario.name,
            "about": self._board.scenario.about,
            "ports": self._board.status(),
        }

    def _open(self, message: dict[str, Any]) -> dict[str, Any]:
        port, visit, kind = message["port"], message["visit"], message.get("kind", "control")
        self._held = Opened(self._board, port, visit, self._who, kind, message.get("name", ""))
        return {}

    def _reset(self, _: dict[str, Any]) -> dict[str, Any]:
        held = self._holding()
        self._board.reset(held.port, held.visit)
        return {}

    def _by_hand(self, act: Callable[..., None], *words: str) -> dict[str, Any]:
        act(*words)
        self._process.save()
        return {}

    def _transfer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """One transfer; None if the device hangs, which is answered only when it is pulled."""
        held = self._holding()
        setup, data = unpack_setup(message["setup"]), bytes.fromhex(message["data"])
        try:
            data = self._board.transfer(held.port, held.visit, setup, data)
        except Stall:
            return {"stall": True}
        except Hang:
            self._unanswered = message["id"]
            self._answer_if_gone()
            return None
        return _data(data)

    def _holding(self) -> Opened:
        if self._held is None:
            raise BadUsage("Open the device first.")
        return self._held

    # --- what was not asked for -----------------------------------------------------------

    def tell(self, devices: tuple[Device, ...]) -> None:
        """The board has changed."""
        if self.watching:
            self.send({"seen": pack_devices(devices)})
        self._answer_if_gone()

    def _answer_if_gone(self) -> None:
        number, held = self._unanswered, self._held
        if number is None or held is None or self._board.is_here(held.port, held.visit):
            return
        self._unanswered = None
        self.send({"id": number, **pack_error(gone(held.port))})

    def send(self, message: dict[str, Any]) -> None:
        """Never waits: who does not read what it asked to be told is let go."""
        if not sockets.send(self._socket, message):
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _done(act: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A deed whose answer is that it is done."""

    def answered(message: dict[str, Any]) -> dict[str, Any]:
        act(message)
        return {}

    return answered


def _data(data: bytes) -> dict[str, Any]:
    return {"data": data.hex()}


def _unknown(_: dict[str, Any]) -> dict[str, Any]:
    raise BadUsage("The practice hardware does not know this command.")
