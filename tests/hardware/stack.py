"""The real PC/SC stack over virtual cards: a daemon of our own, and cards that answer APDUs.

The rule: nothing of the machine's own PC/SC is used or disturbed. The daemon has a mount
namespace of its own, so that its socket lies in our folder; its virtual reader calls the card
on loopback, so that nothing listens anywhere else.
"""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import threading
from pathlib import Path

ATR = bytes.fromhex("3b80800101")
OTHER_ATR = bytes.fromhex("3bde18ff8191fe1fc38031815448534d31738021408107" + "1c")
OFF, ON, RESET, ASK_ATR = 0, 1, 2, 4
NOTHING = b"\0\0"

UNSHARED = (
    "mount -t tmpfs none /run && mkdir /run/pcscd && mount --bind {folder} /run/pcscd && "
    "exec pcscd --foreground --config {conf}"
)


class VirtualCard:
    """One slot on loopback. `card` answers a command, or raises ConnectionError: it was pulled."""

    def __init__(self, port: int) -> None:
        self.atr = b""
        self.commands: list[bytes] = []
        self.card = lambda apdu: b"\x90\x00"
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def insert(self, atr: bytes = ATR) -> None:
        self.atr = atr

    def remove(self) -> None:
        self.atr = b""

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        try:
            while True:
                (size,) = struct.unpack(">H", self._take(connection, 2))
                answer = self._answer(self._take(connection, size))
                if answer is not None:
                    connection.sendall(struct.pack(">H", len(answer)) + answer)
        except OSError:
            return

    def _answer(self, message: bytes) -> bytes | None:
        if len(message) > 1:
            self.commands.append(message)
            return self.card(message)
        return self.atr if message[0] == ASK_ATR else None

    @staticmethod
    def _take(connection: socket.socket, size: int) -> bytes:
        data = connection.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise ConnectionError("the reader hung up")
        return data


def two_slots() -> tuple[VirtualCard, VirtualCard]:
    """Virtual cards on two ports in a row: the reader has two slots, and wants both."""
    while True:
        first = VirtualCard(0)
        try:
            return first, VirtualCard(first.port + 1)
        except OSError:
            first.close()


class Daemon:
    """pcscd, started and killed at will."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._conf = folder / "reader.conf.d"
        self._conf.mkdir(exist_ok=True)
        (self._conf / "vpcd").write_text(
            'FRIENDLYNAME "Virtual \x07Reader"\n'
            f"DEVICENAME 127.0.0.1:{port:#06x}\n"
            "LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\n"
            f"CHANNELID {port:#06x}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = UNSHARED.format(folder=self._folder, conf=self._conf)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", command], stdout=log, stderr=log
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(20)
        self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None
