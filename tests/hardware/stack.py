"""The real PC/SC stack over virtual cards: a daemon of our own, and cards that answer APDUs.

The rule: nothing of the machine's own PC/SC is used or disturbed. All of it runs in namespaces
of its own: the daemon's socket lies in our folder, and what its virtual reader listens on
(every interface) is reached from inside only. It is driven over a pipe, a JSON list a line.

    stack.py FOLDER      the inner end. Its words are the public methods of Inner
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from smartcard import scard

from console.hardware import winscard
from console.hardware.simulated_card import SimulatedCard, exchange

ROOT = Path(__file__).parents[2]
FOLDER = Path(tempfile.gettempdir()) / f"replug-pcsc-{os.getpid()}"
ATR = "3b80800101"
OTHER_ATR = "3bde18ff8191fe1fc38031815448534d317380214081071c"
POWER_OFF, POWER_ON, RESET, ASK_ATR = 0, 1, 2, 4
PATIENCE = 600.0
PROGRAM_LIMIT = 300.0
"""Seconds: a share file takes a program 30 million MD5, beside whatever else runs."""
PORT = 35963
LEAVE = 0xEE
"""A command with this instruction takes the card out of the reader before it is answered."""

INSIDE = (
    "mount -t tmpfs none /run && mkdir /run/pcscd && mount --bind {folder} /run/pcscd && "
    "exec {python} {script} {folder}"
)
TAG = os.environ.get("REPLUG_PCSC_TAG") or str(os.getpid())
"""In the reader's name, by which it is locked on the whole machine: tests run side by side."""
NAME = f"Virtual PCD {TAG}"
READER = f"{NAME} 00 00"
LONGEST_NAME = 121
STEP = 0x100
"""Between the ports of two readers; their slots are the same two to the driver, and to cards."""
CONFIGURATION = """FRIENDLYNAME "{name}"
DEVICENAME /dev/null:{port:#x}
LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID {port:#x}
"""
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def address(folder: Path) -> str:
    """Where the daemon of that folder listens, as libpcsclite wants it in its variable."""
    return str(folder / "pcscd.comm")


class Stack:
    """The outer end: what a test does with the daemon and the cards."""

    def __init__(self, folder: Path = FOLDER) -> None:
        folder.mkdir(mode=0o700)
        self._folder = folder
        for tool in ("pcscd", "unshare"):
            assert shutil.which(tool), f"{tool} is missing: tests/run names the packages"
        inside = INSIDE.format(folder=folder, python=sys.executable, script=__file__)
        # Root needs no user namespace, and in a changed root it would be refused one.
        mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", *mapped, "--mount", "--net", "sh", "-c", inside]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "REPLUG_PCSC_TAG": TAG},
        )

    def do(self, *words: object) -> Any:
        """Have it done; returns when it is."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(words), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"the PC/SC stack ended at: {words}"
        return json.loads(answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()
        shutil.rmtree(self._folder)


class Agreeing:
    """A card that has an ATR and answers 9000 to everything."""

    def __init__(self, atr: bytes) -> None:
        self.atr = atr

    def begin(self, command: bytes) -> None:
        if command[1] == LEAVE:
            raise ConnectionError("it was pulled")

    def work(self, _seconds: float) -> bytes:
        return b"\x90\x00"

    def reset(self) -> None:
        pass

    def freeze(self) -> dict[str, Any]:
        return {}


class VirtualSlot:
    """One slot of the virtual reader: what vpcd sends is 16 bits of length, then an order."""

    def __init__(self) -> None:
        self.port, self.reader = PORT, READER
        self.sent: list[str] = []
        self.card: SimulatedCard | None = None
        self._wire: socket.socket | None = None

    def insert(self, card: SimulatedCard) -> None:
        """Returns when the daemon tells its clients that there is such a card."""
        self.remove()
        _until_shown(self.reader, b"")
        self.card = card
        self._wire = _until(lambda: socket.create_connection(("127.0.0.1", self.port)))
        threading.Thread(target=self._talk, args=(self._wire, card), daemon=True).start()
        _until_shown(self.reader, card.atr)

    def remove(self) -> None:
        if self._wire is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
        self._wire = None

    def _talk(self, wire: socket.socket, card: SimulatedCard) -> None:
        try:
            while True:
                (size,) = struct.unpack(">H", _take(wire, 2))
                answer = self._answer(wire, card, _take(wire, size))
                if answer:
                    wire.sendall(struct.pack(">H", len(answer)) + answer)
        except OSError:
            card.reset()
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def _answer(self, wire: socket.socket, card: SimulatedCard, message: bytes) -> bytes:
        if len(message) == 1:
            if message[0] in (POWER_OFF, POWER_ON, RESET):
                card.reset()
            return card.atr if message[0] == ASK_ATR else b""
        self.sent.append(message.hex())

        def pause(seconds: float) -> None:
            time.sleep(seconds)
            if self._wire is not wire:
                raise ConnectionError("it was pulled while it worked")

        answer = exchange(card, message, pause, PATIENCE)
        if answer is None:
            raise ConnectionError("a mute card is of no use here")
        return answer


def _take(wire: socket.socket, size: int) -> bytes:
    """So many bytes. The daemon writes a length and then the rest, which Nagle's algorithm holds
    back until the length is acknowledged: 40 ms a command, unless that is done at once (tcp(7)).
    """
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    data = wire.recv(size, socket.MSG_WAITALL)
    if len(data) < size:
        raise ConnectionError("the reader hung up")
    return data


def _until(act):
    """Act until it succeeds: the daemon opens its port when it is ready."""
    last = time.monotonic() + 20
    while True:
        try:
            return act()
        except OSError:
            if time.monotonic() > last:
                raise
            time.sleep(0.02)


def _until_shown(reader: str, atr: bytes) -> None:
    """Wait until the daemon says that this is in the reader (b"": nothing is)."""
    last = time.monotonic() + 20
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    state, shown = scard.SCARD_STATE_UNAWARE, None
    try:
        while shown != atr and time.monotonic() < last:
            _, found = winscard.get_status_change(context, 1000, {reader: state})
            for _, state, told in found:
                shown = told if state & scard.SCARD_STATE_PRESENT else b""
    finally:
        scard.SCardReleaseContext(context)


def _expect_listed(slots: int) -> None:
    """OSError until the daemon lists as many: it adds one after the other."""
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code == scard.SCARD_S_SUCCESS:
        _, names = winscard.list_readers(context)
        scard.SCardReleaseContext(context)
    if code != scard.SCARD_S_SUCCESS or len(names) < slots:
        raise BlockingIOError("not all readers are there yet")


def slot_of(reader: str, number: int) -> str:
    """How its slot is called: pcscd cuts names by bytes (readerfactory.c, RFAddReader)."""
    return winscard.text_of(reader.encode()[:LONGEST_NAME]) + f" 00 {number:02x}"


class Inner:
    """The inner end."""

    def __init__(self, folder: Path) -> None:
        os.environ["PCSCLITE_CSOCK_NAME"] = address(folder)
        self._folder = folder
        self._slots = (VirtualSlot(), VirtualSlot())
        self._home = folder / "home"
        self._daemon: subprocess.Popen[bytes] | None = None
        _loopback_up()

    def start(self, *readers: str) -> None:
        """With readers of these names; cards are put into the slots of the last one."""
        names = readers or (NAME,)
        for number, slot in enumerate(self._slots):
            slot.sent.clear()
            slot.port = PORT + STEP * (len(names) - 1) + number
            slot.reader = slot_of(names[-1], number)
        conf = self._folder / "conf"
        conf.mkdir(exist_ok=True)
        texts = (CONFIGURATION.format(port=PORT + STEP * n, name=s) for n, s in enumerate(names))
        (conf / "vpcd").write_text("\n".join(texts))
        command = ["pcscd", "--foreground", "--config", str(conf)]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log)
        _until((self._folder / "pcscd.comm").stat)
        _until(lambda: _expect_listed(2 * len(names)))

    def end(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)
        for left in ("pcscd.comm", "pcscd.pid"):
            (self._folder / left).unlink(missing_ok=True)

    def _end(self, how: signal.Signals) -> None:
        self.leave()
        for slot in self._slots:
            slot.remove()
        if self._daemon is not None:
            self._daemon.send_signal(how)
            self._daemon.wait(20)
        self._daemon = None

    def insert(self, slot: int, what: str, *given: Any) -> None:
        """`what` is an ATR in hex, or "module:callable" that makes the card of what is given."""
        module, _, name = what.partition(":")
        made = getattr(importlib.import_module(module), name)(*given) if name else None
        self._slots[slot].insert(made or Agreeing(bytes.fromhex(what)))

    def remove(self, slot: int) -> None:
        self._slots[slot].remove()

    def press(self, slot: int, buttons: str) -> None:
        card = self._slots[slot].card
        assert card is not None
        card.press(buttons)

    def later(self, seconds: float, do: str, *words: Any) -> None:
        """Have it done while something else is: a touch, a pull."""
        threading.Timer(seconds, getattr(self, do), words).start()

    def frozen(self, slot: int) -> dict[str, Any]:
        """What the card in that slot is, or was that was in it last."""
        card = self._slots[slot].card
        assert card is not None
        return card.freeze()

    def sent(self) -> list[str]:
        return [command for slot in self._slots for command in slot.sent]

    def run(self, words: list[str], given: str = "") -> dict[str, Any]:
        """A program of others, in a home of its own; `given` is its standard input."""
        self._make_home()
        environment = {**os.environ, "HOME": str(self._home), "LC_ALL": "C.UTF-8"}
        environment.pop("GNUPGHOME", None)
        done = subprocess.run(
            words,
            input=given.encode(),
            capture_output=True,
            env=environment,
            timeout=PROGRAM_LIMIT,
            cwd=self._home,
        )
        texts = {"stdout": done.stdout, "stderr": done.stderr}
        return {"rc": done.returncode} | {
            name: text.decode(errors="replace") for name, text in texts.items()
        }

    def run_together(self, programs: list[tuple[list[str], str]]) -> list[dict[str, Any]]:
        """Several programs at the same time, each as run() does it."""
        self._make_home()
        with ThreadPoolExecutor(len(programs)) as pool:
            return list(pool.map(lambda program: self.run(*program), programs))

    def _make_home(self) -> None:
        """With a scdaemon that goes through PC/SC and not by itself to USB."""
        gnupg = self._home / ".gnupg"
        if not gnupg.exists():
            gnupg.mkdir(mode=0o700, parents=True)
            (gnupg / "scdaemon.conf").write_text("disable-ccid\npcsc-shared\n")

    def leave(self) -> None:
        """GnuPG's daemons outlive what started them."""
        if self._home.exists() and shutil.which("gpgconf"):
            self.run(["gpgconf", "--kill", "all"])


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def main() -> None:
    inner = Inner(Path(sys.argv[1]))
    try:
        for line in sys.stdin:
            do, *words = json.loads(line)
            print(json.dumps(getattr(inner, do)(*words) or []), flush=True)
    finally:
        inner.end()


if __name__ == "__main__":
    main()
