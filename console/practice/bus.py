"""The practice bus: devices of a practice process, seen and opened as on a real bench.

The rule: the process is started when it is needed and somebody has not switched it off. What
happens to this program does nothing to the devices but let go of them.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.clock import Clock
from console.errors import BenchSilent, ConsoleError, Unplugged
from console.events import Device
from console.hardware.bus import Seen
from console.hardware.kernel import KernelLog
from console.hardware.lines import ControlLine, Line
from console.hardware.simulated import Setup
from console.practice.client import (
    ANSWER,
    Connected,
    NotRunning,
    connect,
    connect_or_start,
    scenario_kept,
)
from console.practice.line import PracticeLine, line_over, refused, silent
from console.practice.local import scenario_named
from console.practice.messages import pack_setup, unpack_devices
from console.practice.place import Place

SWITCHED_OFF = "The practice hardware is switched off."


class PracticeBus:
    """A Bus over the practice process of one state directory."""

    def __init__(self, scenario: str, root: Path, clock: Clock, pace: float = 1.0) -> None:
        chosen = scenario_named(scenario)
        self.practice = chosen.name
        self.guest = chosen.guest
        self._root = root
        self._clock = clock
        self._pace = pace
        self._state = ""
        self._switched_off = False
        self._closed = False
        self._seen: Seen | None = None
        self._watching: Connected | None = None
        self._changing = threading.Lock()

    def scan(self) -> tuple[Device, ...]:
        try:
            with self._connect() as process:
                devices = unpack_devices(_asked(process, "scan")["devices"])
        except NotRunning:
            return ()
        self._watch_again()
        return devices

    def state(self) -> str:
        return self._state

    def card_state(self) -> str:
        return ""

    def watch(self, seen: Seen) -> None:
        self._seen = seen
        self._switched_off = False
        self._start_watching()

    def open_control(self, device: Device) -> ControlLine:
        return PracticeLine(_Remote(self._open(device, "control"), device))

    def open(self, device: Device, kind: str, name: str = "") -> Line:
        return line_over(_RemoteLine(self._open(device, kind, name), device), kind)

    def _open(self, device: Device, kind: str, name: str = "") -> Connected:
        try:
            process = self._connect()
        except NotRunning:
            raise Unplugged(SWITCHED_OFF) from None
        try:
            where = {"port": device.port, "visit": device.visit}
            _asked(process, "open", **where, kind=kind, name=name)
        except ConsoleError:
            process.hang_up()
            raise
        return process

    def kernel_log(self, port: str) -> KernelLog:
        try:
            with self._connect() as process:
                return KernelLog(tuple(_asked(process, "kernel", port=port)["lines"]))
        except (NotRunning, ConsoleError):
            return KernelLog(trouble=SWITCHED_OFF)

    def close(self) -> None:
        self._closed = True
        with self._changing:
            if self._watching is not None:
                self._watching.hang_up()

    def _connect(self) -> Connected:
        """Starts the process if need be, unless it was switched off. Raises NotRunning then."""
        if self._switched_off:
            return connect(self._root)
        return connect_or_start(self._root, self.practice, self._clock, self._pace)

    # --- watching -------------------------------------------------------------------------

    def _watch_again(self) -> None:
        """After it was switched off and on again by somebody else."""
        if self._switched_off and self._seen is not None:
            self._switched_off = False
            self._start_watching()

    def _start_watching(self) -> None:
        process = self._connected_again()
        threading.Thread(target=self._follow, args=(process,), daemon=True).start()

    def _connected_again(self) -> Connected:
        process = self._connect()
        self._state = ""
        with self._changing:
            self._watching = process
        return process

    def _follow(self, process: Connected) -> None:
        while not self._closed:
            try:
                said_goodbye = self._pass_on(process)
            except (OSError, EOFError, ConsoleError):
                said_goodbye = False
            process.hang_up()
            if self._closed:
                return
            if said_goodbye:
                self._gone_dark(SWITCHED_OFF)
                return
            self._gone_dark("The practice hardware has ended; I start it again.")
            try:
                process = self._connected_again()
            except (NotRunning, ConsoleError):
                self._gone_dark("The practice hardware has ended and does not start again.")
                return

    def _pass_on(self, process: Connected) -> bool:
        """Tell what is seen until the process ends; True if it said that it was switched off."""
        process.watch()
        while True:
            message = process.hear()
            if "bye" in message:
                return True
            if "seen" in message and self._seen is not None:
                self._seen(unpack_devices(message["seen"]), self._state)

    def _gone_dark(self, state: str) -> None:
        self._state = state
        self._switched_off = state == SWITCHED_OFF
        if self._seen is not None:
            self._seen((), state)


class _Held:
    """A connection that holds the device."""

    def __init__(self, process: Connected, device: Device) -> None:
        self._process = process
        self._device = device

    def _ask(self, do: str, timeout: float | None, **fields: Any) -> dict[str, Any]:
        """As long as it takes, where `timeout` is None."""
        try:
            return self._process.ask(do, timeout, **fields)
        except TimeoutError:
            raise silent(timeout or 0.0) from None
        except EOFError:
            raise Unplugged(f"The device on port {self._device.port} is gone.") from None

    def close(self) -> None:
        self._process.hang_up()


class _RemoteLine(_Held):
    """The wire of any other line: console.practice.opened does it at the other end."""

    def send(self, data: bytes) -> None:
        self._ask("send", None, data=data.hex())

    def receive(self, timeout: float, most: int) -> bytes:
        answer = self._ask("receive", timeout + ANSWER, seconds=timeout, most=most)
        return bytes.fromhex(answer["data"])

    def transmit(self, apdu: bytes) -> bytes:
        return bytes.fromhex(self._ask("transmit", None, data=apdu.hex())["data"])

    def begin_transaction(self) -> None:
        self._ask("begin", None)

    def end_transaction(self) -> None:
        with suppress(ConsoleError):  # it ends with the device, too
            self._ask("end", None)

    def reset_card(self) -> None:
        self._ask("reset card", None)


class _Remote(_Held):
    """The wire of a control line."""

    def transfer(self, setup: Setup, data: bytes, timeout: float) -> bytes:
        answer = self._ask("transfer", timeout, setup=pack_setup(setup), data=data.hex())
        if "stall" in answer:
            raise refused()
        return bytes.fromhex(answer["data"])

    def reset(self) -> None:
        self._ask("reset", ANSWER)


# --- what hands do, for the command line ---------------------------------------------------


def plug(root: Path, clock: Clock, port: str = "", of: str = "") -> None:
    _by_hand(root, clock, "plug", port=port, of=of)


def pull(root: Path, clock: Clock, port: str = "") -> None:
    _by_hand(root, clock, "pull", port=port)


def press(root: Path, clock: Clock, buttons: str, port: str = "") -> None:
    _by_hand(root, clock, "press", buttons=buttons, port=port)


def status(root: Path) -> dict[str, Any] | None:
    """The scenario and its ports; None if nothing runs."""
    try:
        with connect(root) as process:
            return _asked(process, "status")
    except NotRunning:
        return None


def stop(root: Path) -> bool:
    """Switch the process off; its devices are kept as they are. False if none ran."""
    try:
        with connect(root) as process:
            _asked(process, "stop")
            with suppress(EOFError, OSError):
                while True:
                    process.hear()
    except NotRunning:
        return False
    return True


def start_over(root: Path) -> None:
    """Forget what was done to the devices: the next start is the scenario's beginning."""
    stop(root)
    Place(root).kept.unlink(missing_ok=True)


def _by_hand(root: Path, clock: Clock, do: str, **words: str) -> None:
    with connect_or_start(root, _scenario(root), clock) as process:
        _asked(process, do, **words)


def _scenario(root: Path) -> str:
    """What runs here, or was practised here last. Raises BadUsage."""
    now = status(root)
    return str(now["scenario"]) if now else scenario_kept(root)


def _asked(process: Connected, do: str, **fields: Any) -> dict[str, Any]:
    try:
        return process.ask(do, **fields)
    except (TimeoutError, EOFError):
        raise BenchSilent("The practice hardware does not answer.") from None
