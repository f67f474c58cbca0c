"""The real PC/SC stack over virtual cards: a daemon of our own, and cards that answer APDUs.

The rule: nothing of the machine's own PC/SC is used or disturbed. All of it runs in namespaces
of its own: the daemon's socket lies in our folder, and what its virtual reader listens on
(every interface) is reached from inside only. It is driven over a pipe, a line at a time.

    stack.py FOLDER      the inner end: start, end, kill, insert SLOT ATR, remove SLOT, sent
"""

from __future__ import annotations

import fcntl
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
from contextlib import suppress
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / f"replug-pcsc-{os.getpid()}"
ATR = "3b80800101"
OTHER_ATR = "3bde18ff8191fe1fc38031815448534d317380214081071c"
ASK_ATR = 4
PORT = 35963
LEAVE = 0xEE
"""A command with this instruction takes the card out of the reader before it is answered."""

INSIDE = (
    "mount -t tmpfs none /run && mkdir /run/pcscd && mount --bind {folder} /run/pcscd && "
    "exec {python} {script} {folder}"
)
CONFIGURATION = """FRIENDLYNAME "Virtual PCD"
DEVICENAME /dev/null:{port:#x}
LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID {port:#x}
"""
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


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
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, *words: object) -> list[str]:
        """Have it done; returns when it is."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*words, file=self._process.stdin, flush=True)
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


class VirtualCard:
    """A card in one slot: vpcd's protocol (length in 16 bits, then an order or a command)."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent: list[str] = []
        self._atr = b""
        self._wire: socket.socket | None = None

    def insert(self, atr: bytes) -> None:
        self.remove()
        self._atr = atr
        self._wire = _until(lambda: socket.create_connection(("127.0.0.1", self.port)))
        threading.Thread(target=self._talk, args=(self._wire,), daemon=True).start()

    def remove(self) -> None:
        if self._wire is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
        self._wire, self._atr = None, b""

    def _talk(self, wire: socket.socket) -> None:
        try:
            while True:
                (size,) = struct.unpack(">H", _take(wire, 2))
                answer = self._answer(_take(wire, size))
                if answer:
                    wire.sendall(struct.pack(">H", len(answer)) + answer)
        except OSError:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def _answer(self, message: bytes) -> bytes:
        if len(message) == 1:
            return self._atr if message[0] == ASK_ATR else b""
        self.sent.append(message.hex())
        if message[1] == LEAVE:
            raise ConnectionError("it was pulled")
        return b"\x90\x00"


def _take(wire: socket.socket, size: int) -> bytes:
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


class Inner:
    """The inner end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cards = (VirtualCard(PORT), VirtualCard(PORT + 1))
        self._daemon: subprocess.Popen[bytes] | None = None
        _loopback_up()

    def start(self) -> None:
        conf = self._folder / "conf"
        conf.mkdir(exist_ok=True)
        (conf / "vpcd").write_text(CONFIGURATION.format(port=PORT))
        command = ["pcscd", "--foreground", "--config", str(conf)]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log)
        _until((self._folder / "pcscd.comm").stat)

    def end(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)
        for left in ("pcscd.comm", "pcscd.pid"):
            (self._folder / left).unlink(missing_ok=True)

    def _end(self, how: signal.Signals) -> None:
        for card in self._cards:
            card.remove()
        if self._daemon is not None:
            self._daemon.send_signal(how)
            self._daemon.wait(20)
        self._daemon = None

    def insert(self, slot: str, atr: str) -> None:
        self._cards[int(slot)].insert(bytes.fromhex(atr))

    def remove(self, slot: str) -> None:
        self._cards[int(slot)].remove()

    def sent(self) -> list[str]:
        return [command for card in self._cards for command in card.sent]


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def main() -> None:
    inner = Inner(Path(sys.argv[1]))
    try:
        for line in sys.stdin:
            do, *words = line.split()
            print(json.dumps(getattr(inner, do)(*words) or []), flush=True)
    finally:
        inner.end()


if __name__ == "__main__":
    main()
