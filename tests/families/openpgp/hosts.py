"""Other people's host programs, run against a simulated card through the real PC/SC stack.

The rule: as tests/hardware/stack.py, nothing of the machine's own PC/SC is used: daemon, reader
and programs live in namespaces of their own. A PIN reaches GnuPG by a pinentry of ours. It is
driven over a pipe, a JSON value a line.

    hosts.py FOLDER      the inner end
    hosts.py --pinentry  what gpg-agent starts to ask for a PIN
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PORT = 35963
ASK_ATR, POWER_ON, RESETS = 4, 1, (0, 1, 2)
INSIDE = (
    "mount -t tmpfs none /run && mkdir /run/pcscd && mount --bind {folder} /run/pcscd && "
    "exec {python} {script} {folder}"
)
CONFIGURATION = """FRIENDLYNAME "Virtual PCD"
DEVICENAME /dev/null:{port:#x}
LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID {port:#x}
"""
PROGRAMS = ("pcscd", "unshare", "gpg", "openpgp-tool", "pkcs15-tool")
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
LIMIT = 120.0
PATIENCE = 3600.0


class Hosts:
    """The outer end: a card of the row that is named, and programs that use it."""

    def __init__(self, folder: Path) -> None:
        for program in PROGRAMS:
            assert shutil.which(program), f"{program} is missing: tests/run names the packages"
        self._folder = folder
        inside = INSIDE.format(folder=folder, python=sys.executable, script=__file__)
        # Root needs no user namespace, and in a changed root it would be refused one.
        mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
        self._process = subprocess.Popen(
            ["unshare", *mapped, "--mount", "--net", "sh", "-c", inside],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        )

    def _do(self, what: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([what, *arguments]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"the hosts ended at: {what} {arguments}"
        return json.loads(answer)

    def insert(self, row: str) -> None:
        """A new card of that row is in the reader."""
        self._do("insert", row)

    def run(self, *words: str, say: str = "") -> tuple[int, str]:
        """What a program answered, and all it said."""
        code, said = self._do("run", list(words), say)
        return code, said

    def memory(self) -> dict[str, Any]:
        """The card's memory, as it freezes it."""
        return self._do("memory")

    def pins(self, user: str, admin: str) -> None:
        """What the person at the keyboard types from here on."""
        (self._folder / "pins").write_text(f"{user}\n{admin}\n")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class Inner:
    """The inner end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._card: Any = None
        self._wire: socket.socket | None = None
        self._powered = threading.Event()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GNUPGHOME": str(folder / "gnupg"),
            "PCSCLITE_CSOCK_NAME": str(folder / "pcscd.comm"),
            "LC_ALL": "C",
        }
        self._daemon: subprocess.Popen[bytes] | None = None
        _loopback_up()

    def _new_home(self) -> None:
        """A person who has no keys yet."""
        home = self._folder / "gnupg"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700)
        asked = self._folder / "pinentry"
        asked.write_text(f"#!/bin/sh\nexec {sys.executable} {__file__} --pinentry {asked}\n")
        asked.chmod(0o755)
        (home / "gpg-agent.conf").write_text(f"pinentry-program {asked}\n")
        (home / "scdaemon.conf").write_text("disable-ccid\n")

    def _start(self) -> None:
        """A daemon of its own for each card: it must not take one for the other."""
        conf = self._folder / "conf"
        conf.mkdir(exist_ok=True)
        (conf / "vpcd").write_text(CONFIGURATION.format(port=PORT))
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                ["pcscd", "--foreground", "--config", str(conf)],
                stdin=subprocess.DEVNULL,
                stdout=log,
            )

    def insert(self, row: str) -> None:
        from console.families.openpgp.simulator_card import OpenPgpCard
        from console.families.openpgp.simulator_rows import ROWS

        self.end()
        self._new_home()
        self._start()
        (wanted,) = (known for known in ROWS if known.name == row)
        self._card = OpenPgpCard(wanted, bytes.fromhex("00006fda"))
        self._wire = _until(lambda: socket.create_connection(("127.0.0.1", PORT)))
        self._powered.clear()
        threading.Thread(target=self._talk, args=(self._wire,), daemon=True).start()
        assert self._powered.wait(LIMIT), "the daemon never powered the card"

    def _talk(self, wire: socket.socket) -> None:
        with suppress(OSError):
            while True:
                (size,) = struct.unpack(">H", _take(wire, 2))
                answer = self._answer(_take(wire, size))
                if answer:
                    wire.sendall(struct.pack(">H", len(answer)) + answer)

    def _answer(self, message: bytes) -> bytes:
        from console.hardware.simulated_card import exchange

        if len(message) > 1:
            answer = exchange(self._card, message, lambda seconds: None, PATIENCE) or b""
            with (self._folder / "apdus").open("a") as log:
                print(message.hex(), "->", answer.hex(), file=log)
            return answer
        if message[0] == POWER_ON:
            self._powered.set()
        if message[0] in RESETS:
            self._card.reset()
        return self._card.atr if message[0] == ASK_ATR else b""

    def run(self, words: list[str], say: str) -> tuple[int, str]:
        done = subprocess.run(
            words,
            input=say,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            timeout=LIMIT,
            check=False,
        )
        return done.returncode, done.stdout

    def memory(self) -> dict[str, Any]:
        return self._card.memory.freeze()

    def _quiet(self) -> None:
        self.run(["gpgconf", "--kill", "all"], "")

    def end(self) -> None:
        if self._daemon is None:
            return
        self._quiet()
        if self._wire is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
        self._daemon.terminate()
        self._daemon.wait(20)
        self._daemon = None


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


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def pinentry(folder: Path) -> None:
    """Assuan, as far as gpg-agent speaks it: the admin's PIN where the admin is asked."""
    asked = ""
    print("OK", flush=True)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word in ("SETDESC", "SETPROMPT"):
            asked += rest
        if word == "GETPIN":
            user, admin = (folder / "pins").read_text().splitlines()
            print("D", admin if "Admin" in asked else user)
            asked = ""
        print("OK", flush=True)
        if word == "BYE":
            return


def main() -> None:
    if sys.argv[1] == "--pinentry":
        pinentry(Path(sys.argv[2]).parent)
        return
    inner = Inner(Path(sys.argv[1]))
    try:
        for line in sys.stdin:
            what, *arguments = json.loads(line)
            print(json.dumps(getattr(inner, what)(*arguments)), flush=True)
    finally:
        inner.end()


if __name__ == "__main__":
    main()
