"""Command APDUs as values, and an exchange of them over a card line (ISO 7816-4, 5).

The rule: card-neutral, and no byte of a command or an answer is in a repr or in an error. What a
card or its reader cannot carry in one piece is cut here: chaining, extended lengths, the rest of
an answer. A status word becomes a sentence in one place, refused(); families add their own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from console.errors import Garbled, Refused
from console.hardware.lines import CardLine

SHORT = 256
"""The longest answer that a short Le asks for; it is written as 00 (ISO 7816-4, 5.1)."""
LONG = 65536
"""The longest answer at all; as an extended Le it is written as 0000."""
SHORT_DATA = 255
PIECE = 254
"""Data bytes of one link of a chain: the whole stays within a reader's 261 bytes, Le included."""
SHORT_WIRE = 261
"""Bytes of the longest short APDU; readers of the short-APDU level take no more (CCID 1.1)."""

CHAINED = 0x10
"""The class bit that says: more links follow (ISO 7816-4, 5.1.1.1)."""
GET_RESPONSE = 0xC0
OK = 0x9000
MORE = 0x61
WRONG_LE = 0x6C
MOST_ANSWER = 2 * LONG
"""Bytes after which an answer that never ends is none."""


@dataclass(frozen=True)
class Command:
    """One command. `expected` is the most bytes wanted back (Ne): 0 none, 256 all of a short one.

    Its data may be a secret, so it is in no repr.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    expected: int = 0

    def short(self) -> bytes:
        """As a short APDU, cases 1 to 4; more than 256 bytes back are asked for as 256."""
        assert len(self.data) <= SHORT_DATA
        lc = bytes((len(self.data),)) if self.data else b""
        le = bytes((min(self.expected, SHORT) % SHORT,)) if self.expected else b""
        return self.header() + lc + self.data + le

    def extended(self) -> bytes:
        """As an extended APDU (5.1, table 5); case 1 has no extended form."""
        lc = b"\0" + len(self.data).to_bytes(2, "big") if self.data else b""
        le = (self.expected % LONG).to_bytes(2, "big") if self.expected else b""
        return self.header() + lc + self.data + (b"\0" if le and not lc else b"") + le

    def header(self) -> bytes:
        return bytes((self.cla, self.ins, self.p1, self.p2))

    def links(self) -> tuple[Command, ...]:
        """The same as a chain of short commands; the last one asks for the answer."""
        pieces = [self.data[at : at + PIECE] for at in range(0, len(self.data), PIECE)] or [b""]
        first = (
            replace(self, cla=self.cla | CHAINED, data=piece, expected=0) for piece in pieces[:-1]
        )
        return (*first, replace(self, data=pieces[-1]))


@dataclass(frozen=True)
class Response:
    """What came back. The data may be a secret, so it is in no repr."""

    data: bytes = field(repr=False)
    status: int

    @property
    def ok(self) -> bool:
        return self.status == OK

    @property
    def code(self) -> str:
        """The status word as it is written: four hex digits."""
        return f"{self.status:04X}"


@dataclass(frozen=True)
class Reach:
    """What the card says that it takes: chains, and extended lengths up to so many bytes.

    0 means none. Whether the reader carries them as well is found out by using them.
    """

    chains: bool = False
    longest_command: int = 0
    longest_answer: int = 0

    @property
    def extended(self) -> bool:
        return self.longest_command > SHORT_DATA or self.longest_answer > SHORT


class Meaning(NamedTuple):
    """Why: completes "The card refused X: "; and what to do, where it is known."""

    why: str
    advice: str = ""


Meanings = Mapping[str, Meaning]
"""By status word: "6982"; or by its first three or two digits with x: "63Cx", "64xx"."""

_OTHER = "Close other programs that use the card, then run again."
_SUPPORT = "Export the log; the code in it tells support what the card objected to."
STATUS: Meanings = {
    "6285": Meaning("it is terminated: a reset was begun and not finished"),
    "63Cx": Meaning("that is not the right PIN"),
    "64xx": Meaning("it failed inside, and nothing was changed"),
    "6581": Meaning("its memory failed while it wrote", "Run check: it reads what is there now."),
    "65xx": Meaning("it failed inside, and its memory may have changed"),
    "6700": Meaning("a length is not what it takes"),
    "6881": Meaning("it does not know that channel"),
    "6882": Meaning("it does not know secure messaging"),
    "6883": Meaning("it waits for the rest of an earlier command", _OTHER),
    "6884": Meaning("it cannot take a command in pieces"),
    "6982": Meaning("what has to be unlocked first is not unlocked"),
    "6983": Meaning("that PIN is blocked"),
    "6984": Meaning("what it was given cannot be used"),
    "6985": Meaning("not in the state that it is in now"),
    "6986": Meaning("nothing is selected on it", _OTHER),
    "6A80": Meaning("it does not take these data"),
    "6A81": Meaning("it does not have this function"),
    "6A82": Meaning("there is no such thing on it"),
    "6A84": Meaning("it has no room left"),
    "6A86": Meaning("it does not know that variant"),
    "6A88": Meaning("there is nothing of that kind on it"),
    "6B00": Meaning("it does not know that variant"),
    "6D00": Meaning("it does not know this command"),
    "6E00": Meaning("it does not know this kind of command"),
    "6F00": Meaning("it failed inside and does not say why"),
}
"""The interindustry status words (ISO 7816-4, 5.1.3) for a technician."""


def refused(response: Response, what: str, meanings: Meanings | None = None) -> Refused:
    """The error that a status word is; `what` completes "The card refused ..."."""
    found = meaning(response.status, meanings)
    sentence = f"The card refused {what}: {found.why}."
    return Refused(sentence, found.advice or _SUPPORT, code=response.code)


def meaning(status: int, meanings: Meanings | None = None) -> Meaning:
    """What a status word means; the family's own words before the general ones."""
    code = f"{status:04X}"
    for table in (meanings or {}, STATUS):
        for key in (code, code[:3] + "x", code[:2] + "xx"):
            if key in table:
                return table[key]
    return Meaning("it gave no reason that is known here")


class Exchange:
    """Commands to one card over its line, however they have to be cut.

    Extended lengths are used where the card has them; once the reader has failed to carry one,
    chains and GET RESPONSE are. `reach` is set when the card has said what it takes.
    """

    def __init__(
        self, line: CardLine, reach: Reach | None = None, meanings: Meanings | None = None
    ) -> None:
        self.line = line
        self.reach = reach or Reach()
        self._meanings = meanings

    def demand(self, command: Command, what: str) -> bytes:
        """The data of an answer of 9000. Raises Refused (its code the status word), as send()."""
        response = self.send(command)
        if not response.ok:
            raise self.refused(response, what)
        return response.data

    def refused(self, response: Response, what: str) -> Refused:
        """The error that this answer is, in the words of this kind of card."""
        return refused(response, what, self._meanings)

    def send(self, command: Command) -> Response:
        """The whole answer, whatever its status word says.

        Raises Garbled (too long for card and reader, or an answer without end), and as the line.
        """
        if not self._wants_extended(command):
            return self._cut(command)
        wire = self._extended(command)
        try:
            return self._whole(wire, command)
        except Garbled:
            # A reader of the short-APDU level fails what is longer before the card sees it.
            if len(wire) <= SHORT_WIRE or not self.reach.chains:
                raise
        self.no_extended()
        return self._cut(command)

    def no_extended(self) -> None:
        """The reader does not carry extended lengths: none are sent from now on."""
        self.reach = replace(self.reach, longest_command=0, longest_answer=0)

    def _wants_extended(self, command: Command) -> bool:
        if len(command.data) > SHORT_DATA:
            return len(command.data) <= self.reach.longest_command
        return command.expected > SHORT and self.reach.longest_answer > SHORT

    def _extended(self, command: Command) -> bytes:
        most = self.reach.longest_answer or SHORT
        return replace(command, expected=min(command.expected, most)).extended()

    def _cut(self, command: Command) -> Response:
        """As short commands: one, or a chain where it is too long for one."""
        if len(command.data) <= SHORT_DATA:
            return self._whole(command.short(), command)
        if not self.reach.chains:
            raise Garbled(
                f"A command of {len(command.data)} bytes does not fit through this reader.",
                "The card takes it in one piece only: use a reader for extended APDUs.",
            )
        *first, last = command.links()
        for link in first:
            response = self._once(link.short())
            if not response.ok:
                return response
        return self._whole(last.short(), last)

    def _whole(self, wire: bytes, command: Command) -> Response:
        """The answer with what the card keeps back (61xx), or wants asked for anew (6Cxx)."""
        response = self._once(wire)
        if response.status >> 8 == WRONG_LE:
            # Only the length was wrong: the card has done nothing yet (ISO 7816-3, 12.2).
            expected = response.status & 0xFF or SHORT
            response = self._once(replace(command, expected=expected).short())
        return self._rest(response, command.cla)

    def _rest(self, response: Response, cla: int) -> Response:
        data = bytearray(response.data)
        while response.status >> 8 == MORE:
            ask = Command(cla, GET_RESPONSE, 0, 0, expected=response.status & 0xFF or SHORT)
            response = self._once(ask.short())
            if response.status >> 8 == WRONG_LE:
                ask = replace(ask, expected=response.status & 0xFF or SHORT)
                response = self._once(ask.short())
            data += response.data
            endless = response.status >> 8 == MORE and not response.data
            if endless or len(data) > MOST_ANSWER:
                raise Garbled("The card's answer has no end.")
        return Response(bytes(data), response.status)

    def _once(self, wire: bytes) -> Response:
        answer = self.line.transmit(wire)
        if len(answer) < 2:
            raise Garbled("The card answered without a status word.")
        return Response(answer[:-2], int.from_bytes(answer[-2:], "big"))
