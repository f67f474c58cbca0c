"""The AT line of an nRF91 as values: commands to bytes, bytes to lines and a final result.

The rule: pure. What stands between quotes may hold line ends; log output, echo, prompts and
unsolicited lines may come between. No sentence here quotes a command: it may carry a key.
Sources: 3GPP TS 27.007 9.2; Nordic, nRF9160 and nRF91x1 AT Commands; at_host in the nRF SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from console.errors import Garbled, Refused


class Way(StrEnum):
    """How a firmware wants its commands."""

    PLAIN = "plain"
    NUL = "ended by NUL"
    SHELL = "through a Zephyr shell"


END = b"\r\n"
"""Ends a command for at_host built with CR, LF or both; a build with NUL ignores it."""
OPENINGS: tuple[tuple[Way, bytes], ...] = (
    (Way.PLAIN, END),
    (Way.PLAIN, b'"' + END),
    (Way.PLAIN, b'"' + END),
    (Way.NUL, b"\0"),
    (Way.NUL, b'"\0'),
)
"""What is sent before "AT" to a line that may stand inside quotes, by attempt.

A quote ends a text that a broken-off command has left open, and the modem says ERROR; where
none was open it opens one, which the next attempt ends.
"""
LONGEST = 4095
"""Bytes of a command that at_host takes; it drops the rest with a line in its log only."""
SLICE = 256
"""Bytes sent at once: many of the bridges have no flow control."""

_ANSI = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
_PROMPT = re.compile(rb"^[A-Za-z0-9_.-]+:~\$ ")
_FINAL = re.compile(r"OK|ERROR|\+CM[ES] ERROR: ?(?P<code>.+)")
_SHELL_FINAL = re.compile(
    r"(?P<word>\S+): command not found|Sending AT command failed with error code -?\d+"
)
NO_COMMAND = "no command"
"""The code of a shell's answer to what it does not know."""
_TELLING = re.compile(rb"[%+#]|[Aa][Tt]")
"""How a line begins in which quotes mean something: information, or the echo of a command."""


@dataclass(frozen=True)
class Reply:
    """A whole answer: its lines before the final result, and that result's code.

    `code` is "" for OK, "ERROR" without a number, else what stood behind +CME ERROR.
    """

    lines: tuple[str, ...] = field(repr=False)
    code: str = ""

    def telling(self, prefix: str) -> tuple[str, ...]:
        """What stood behind the prefix ("%CMNG"), line by line."""
        head = f"{prefix}:"
        return tuple(line[len(head) :].strip() for line in self.lines if line.startswith(head))

    def one(self, prefix: str) -> str:
        """The first of them. Raises Garbled where there is none."""
        told = self.telling(prefix)
        if not told:
            raise Garbled(f"The modem's answer has no line {prefix}.")
        return told[0]


def encode(command: str, way: Way = Way.PLAIN) -> bytes:
    """A command as it goes out. Raises Refused where the board would cut or change it silently."""
    data = (_quoted(command) if way is Way.SHELL else command).encode("ascii", "replace")
    if len(data) > LONGEST:
        raise Refused(
            f"A command of {len(data)} bytes is longer than the {LONGEST} that the board takes.",
            "Nothing was sent. Split the certificates over several tags.",
            code="length",
        )
    return data + (b"\0" if way is Way.NUL else END)


def writing(tag: int, kind: int, content: str) -> str:
    """The command that puts a credential in (%CMNG, opcode 0)."""
    return f'AT%CMNG=0,{tag},{kind},"{content}"'


def _quoted(command: str) -> str:
    """As the shell's command "at" takes it: a line end is the two characters \\n."""
    if "'" in command or "\\" in command:
        raise Refused(
            "Its shell cannot pass on a text with an apostrophe or a backslash.",
            "Nothing was sent. A firmware with an AT host passes it on.",
            code="shell",
        )
    text = command.replace("\r", "").replace("\n", "\\n")
    return f"at '{text}'" if command != "AT" else "at AT"


def slices(data: bytes) -> Iterator[bytes]:
    return (data[at : at + SLICE] for at in range(0, len(data), SLICE))


def lines_of(data: bytes) -> tuple[str, ...]:
    """The whole lines in what has come, decoded; what has no end yet is left out."""
    found = []
    rest = _ANSI.sub(b"", data).replace(b"\0", b"\n")
    while (end := _line_end(rest)) is not None:
        line = _PROMPT.sub(b"", rest[:end].strip(b"\r\n"))
        rest = rest[end + 1 :]
        if line.strip():
            found.append(line.decode("ascii", "replace").strip(" \t\r\n"))
    return tuple(found)


def _line_end(data: bytes) -> int | None:
    """Where the first line ends (its LF, or its CR where no LF is near); None if nowhere yet."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    bare = _PROMPT.sub(b"", data[start:])
    start = len(data) - len(bare)
    quoted = False
    minds = _TELLING.match(data, start) is not None
    for at in range(start, len(data)):
        byte = data[at]
        if byte == ord('"'):
            quoted = minds and not quoted
        elif byte in b"\r\n" and not quoted:
            return at
    return None


def reply_in(data: bytes, command: str = "") -> Reply | None:
    """The first whole answer in what has come; None while its final result is missing.

    The echo of `command` is left out.
    """
    lines = lines_of(data)
    for number, line in enumerate(lines):
        final = _FINAL.fullmatch(line)
        if final:
            kept = tuple(each for each in lines[:number] if not _is_echo(each, command))
            code = (final["code"] or "").strip()
            return Reply(kept, code or ("" if line == "OK" else "ERROR"))
        told = _SHELL_FINAL.fullmatch(line)
        if told:
            return Reply((), NO_COMMAND if told["word"] else "ERROR")
    return None


def _is_echo(line: str, command: str) -> bool:
    return bool(command) and line.replace("\r", "") == command.replace("\r", "")


def is_noise(data: bytes) -> bool:
    """Is that no text at all? So it looks where both ends do not run at the same speed."""
    strange = sum(not (0x20 <= byte < 0x7F or byte in b"\0\t\r\n\x1b") for byte in data)
    return len(data) >= 8 and strange * 4 > len(data)


def warns(line: str) -> bool:
    """Does the line tell of a supply that is too low?"""
    return re.match(r"%XPOFWARN: ?1\b", line) is not None


# --- refusals in words ---------------------------------------------------------------------

_UNTOUCHED = "The entry is as it was."
MEANINGS: dict[str, tuple[str, str]] = {
    "0": ("The modem does not know this command.", "It needs newer modem firmware for that."),
    "50": ("The modem calls a parameter wrong.", "Export the log for support."),
    "51": ("The command is switched off in this build of the modem firmware.", ""),
    "513": ("The modem has no such entry.", "Run check: it lists what is there."),
    "514": (
        "The modem does not give this entry out.",
        "That is right for keys; their digests can be compared.",
    ),
    "515": (
        "The modem's store is full.",
        f"{_UNTOUCHED} Run reset for tags that nobody needs; nothing is deleted by itself.",
    ),
    "518": (
        "The modem is active, and its store cannot be changed then.",
        f"{_UNTOUCHED} Stop its application, or run again: I switch the radio off (CFUN=4).",
    ),
    "519": ("The entry exists already.", f"{_UNTOUCHED} Replacing it is a decision: run restore."),
    "520": ("The entry exists already, or the signature was not taken.", _UNTOUCHED),
    "523": ("The modem could not make a key.", "Power-cycle it and run rekey again."),
    "527": (
        "The modem refuses the content as invalid.",
        "Line ends must be LF, the certificate whole. Compare the file with the customer's.",
    ),
    "528": (
        "The modem's power-off warning is active: its supply is too low, and it refuses to write.",
        f"{_UNTOUCHED} Charge it or use a bench supply, power-cycle it, run again.",
    ),
    "529": ("The modem could not make the token.", ""),
}


def refusal(code: str, doing: str) -> Refused:
    """What a final result other than OK means; `doing` says what was asked, without content."""
    said, advice = MEANINGS.get(code, ("The modem refused.", "Export the log for support."))
    return Refused(f"{doing}: {said}", advice, code=f"CME {code}" if code.isdigit() else code)


# --- what the answers hold -----------------------------------------------------------------


def fields(text: str) -> tuple[str, ...]:
    """The fields of an information line; commas and line ends between quotes belong to them."""
    found = re.findall(r'\s*(?:"([^"]*)"|([^,"]*))\s*(?:,|$)', text, re.DOTALL)
    values = [quoted or bare.strip() for quoted, bare in found]
    # The pattern also matches the nothing at the end.
    return tuple(values[:-1] if values and not text.rstrip().endswith(",") else values)


def number(text: str) -> int:
    """A decimal field. Raises Garbled."""
    if not re.fullmatch(r"-?\d{1,10}", text):
        raise Garbled("The modem answered something else where a number belongs.")
    return int(text)
