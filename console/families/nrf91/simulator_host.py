"""The application's end of the AT line, byte by byte (sdk-nrf's at_host), and its other port.

The rule: bytes in, bytes out; it knows quotes, ends and its buffer, and nothing of commands.
Work passes in slices, in drain(); what is sent meanwhile is lost but for a few bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.families.nrf91.simulator_modem import Modem
from console.families.nrf91.simulator_rows import Application, Ending, Faults, Times
from console.hardware.simulated import Pause

SLICE = 0.05
"""Seconds that pass in one drain() while it works; a host that waits asks again."""
FIFO = 6
"""Bytes that the UART keeps while nobody reads it."""
BACKSPACES = b"\x08\x7f"
QUOTE = 0x22
PROMPT = b"\x1b[1;32muart:~$ \x1b[m"


def line(text: str) -> bytes:
    return text.encode("latin-1") + b"\r\n"


def _unquoted(argument: str) -> str:
    """The shell's first argument; in credentials two characters are a line end (UNESCAPE_LF)."""
    if argument[:1] == "'":
        argument = argument[1:].partition("'")[0]
    if argument.startswith("AT%CMNG"):
        argument = argument.replace("\\n", "\r\n")
    return argument


class AtHost:
    """`leave` is called when a fault pulls the cable, `die` when one takes the power."""

    def __init__(
        self,
        modem: Modem,
        pause: Pause,
        faults: Faults,
        times: Times,
        *,
        leave: Callable[[], None],
        die: Callable[[], None],
    ) -> None:
        self.modem = modem
        self.application = Application("none", at_port=None)
        self._pause = pause
        self._faults = faults
        self._times = times
        self._leave = leave
        self._die = die
        self._buffer = bytearray()
        self._inside = False
        self._fifo = b""
        self._working = ""
        self._left = 0.0
        self._booting = False
        self._said = b""
        self._commands = self._answers = self._fed = self._turn = 0

    def __repr__(self) -> str:
        return f"AtHost({self.application.name}, working={bool(self._working)})"

    @property
    def busy(self) -> bool:
        return self._booting or bool(self._working)

    def start(self, application: Application) -> None:
        """The application begins; it listens once it is ready."""
        self.application = application
        self._buffer.clear()
        self._inside, self._fifo, self._working = False, b"", ""
        self._said = b"".join(map(line, application.booting))
        self._booting, self._left = True, self._times.boot

    def stop(self) -> None:
        """The supply goes, or a reset comes: what was being written is torn."""
        if self._working:
            self.modem.cut(self._working)
        self._working, self._booting, self._left, self._said = "", False, 0.0, b""

    # --- the line ---------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        limit = self._faults.unplugged_after
        if limit and self._fed < limit <= self._fed + len(data):
            data, self._fed = data[: limit - self._fed], limit
            self._take(data)
            self._leave()
            return
        self._fed += len(data)
        self._take(data)

    def _take(self, data: bytes) -> None:
        if self._booting:
            return
        for at, byte in enumerate(data):
            if self._working:
                self._fifo = (self._fifo + data[at:])[:FIFO]
                return
            self._one(byte)

    def _one(self, byte: int) -> None:
        if self.application.shell:
            self._typed(byte)
            return
        if self.application.echoes:
            self._said += bytes((byte,))
        if byte in BACKSPACES:
            del self._buffer[-1:]
        elif not self._inside and self._ends(byte):
            self._begin()
        elif byte == 0 and not self._inside:
            pass
        elif len(self._buffer) < self.application.buffer - 1:
            self._buffer.append(byte)
            self._inside ^= byte == QUOTE

    def _typed(self, byte: int) -> None:
        """A Zephyr shell's line: CR or LF ends it, quotes or not; each byte comes back."""
        if byte not in b"\r\n":
            if byte and len(self._buffer) < self.application.buffer - 1:
                self._buffer.append(byte)
                self._said += bytes((byte,))
            return
        typed = self._buffer.decode("latin-1").strip()
        self._buffer.clear()
        word, _, rest = typed.partition(" ")
        if not typed:
            return
        self._said += b"\r\n"
        if word != "at":
            self._said += word.encode("latin-1") + b": command not found\r\n" + PROMPT
            return
        self._commands += 1
        self._working = _unquoted(rest.strip())
        self._left = self.modem.seconds(self._working)

    def _ends(self, byte: int) -> bool:
        match self.application.ending:
            case Ending.CRLF:
                return byte == 0x0A and self._buffer[-1:] == b"\r"
            case ending:
                return byte == ord(ending)

    def _begin(self) -> None:
        text = self._buffer.decode("latin-1")
        self._buffer.clear()
        if not text.strip(" \r\n\t"):
            return
        self._commands += 1
        self._working, self._left = text, self.modem.seconds(text)

    # --- its answers ------------------------------------------------------------------------

    def drain(self) -> bytes:
        if not self._said and self.busy:
            self._work(SLICE)
        if not self.busy and not self._said:
            self._said += b"".join(map(line, self.modem.notices()))
        said, self._said = self._said, b""
        return said

    def _work(self, most: float) -> None:
        seconds = min(most, self._left)
        if self._working and self._must_cut():
            self._pause(self._left / 2)
            self._die()
            return
        self._pause(seconds)
        self._left -= seconds
        if self._left <= 1e-9:
            self._finish()

    def _must_cut(self) -> bool:
        """Is it the write that the power is lost in? The unit has only one such write."""
        number = self._faults.cut_in_write
        is_write = self._working.lstrip().upper().startswith("AT%CMNG=0")
        if not number or not is_write or self.modem.writes != number - 1:
            return False
        self.modem.writes += 1
        return True

    def _finish(self) -> None:
        if self._booting:
            self._booting = False
            self._said += b"".join(map(line, self.application.ready))
            return
        text, self._working = self._working, ""
        lines = self._own_answer(text) or self.modem.answer(text)
        self._answers += 1
        mute = self._faults.mute_after and self._commands > self._faults.mute_after
        if not mute and self._answers != self._faults.loses_answer:
            self._say(lines)
        waiting, self._fifo = self._fifo, b""
        self._take(waiting)

    def _own_answer(self, text: str) -> list[str]:
        """A serial modem's own command; none goes to the modem then."""
        own = self.application.own_store
        if own is None or text.strip().upper() != "AT#XCMNG=1":
            return []
        return [*(f"#XCMNG: {tag},{kind}" for tag, kind in own), "OK"]

    def _say(self, lines: list[str]) -> None:
        """With what comes of itself in the middle: before the last line."""
        between = self.application.between
        interjected = between[self._turn % len(between)] if between else ""
        self._turn += 1
        told = [*lines[:-1], *([interjected] if interjected else []), lines[-1]]
        self._said += b"".join(map(line, told))
        if self.application.shell:
            self._said += PROMPT

    def freeze(self) -> dict[str, Any]:
        return {
            "application": self.application.name,
            "buffer": self._buffer.hex(),
            "inside": self._inside,
            "fifo": self._fifo.hex(),
            "working": self._working,
            "left": self._left,
            "booting": self._booting,
            "said": self._said.hex(),
            "counts": [self._commands, self._answers, self._fed, self._turn],
        }

    def thaw(self, frozen: Mapping[str, Any], application: Application) -> None:
        self.application = application
        self._buffer = bytearray.fromhex(frozen["buffer"])
        self._inside, self._fifo = bool(frozen["inside"]), bytes.fromhex(frozen["fifo"])
        self._working, self._left = str(frozen["working"]), float(frozen["left"])
        self._booting, self._said = bool(frozen["booting"]), bytes.fromhex(frozen["said"])
        self._commands, self._answers, self._fed, self._turn = map(int, frozen["counts"])


class Console:
    """The port that talks no AT: a log that takes nothing, or a shell that knows no AT."""

    def __init__(self) -> None:
        self._shell = False
        self._typed = b""
        self._said = b""

    def start(self, lines: tuple[str, ...], *, shell: bool) -> None:
        self._shell, self._typed = shell, b""
        self._said = b"".join(map(line, lines))

    def stop(self) -> None:
        self._shell, self._typed, self._said = False, b"", b""

    def feed(self, data: bytes) -> None:
        if not self._shell:
            return
        for byte in data:
            if byte not in b"\r\n":
                self._typed += bytes((byte,))
                self._said += bytes((byte,))
            elif self._typed:
                word = self._typed.split(b" ")[0]
                self._said += b"\r\n" + word + b": command not found\r\nuart:~$ "
                self._typed = b""

    def drain(self) -> bytes:
        said, self._said = self._said, b""
        return said

    def freeze(self) -> dict[str, Any]:
        return {"shell": self._shell, "typed": self._typed.hex(), "said": self._said.hex()}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._shell = bool(frozen["shell"])
        self._typed = bytes.fromhex(frozen["typed"])
        self._said = bytes.fromhex(frozen["said"])
