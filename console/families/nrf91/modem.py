"""The client of a modem behind an AT line: identity, functional mode, supply, credentials.

The rule: one command in flight, and nothing is sent before it was answered. After silence the
line is brought back into step first. What a command carries is in no sentence of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from console.errors import DeviceError, Garbled, Refused, Silent
from console.families.nrf91 import at
from console.families.nrf91.store import Entry, Picture, digest_of, entry_of, name_of
from console.hardware.lines import SerialLine

PATIENCE = 15.0
WORKS = 60.0
"""Seconds for what the modem works at: a mode change, a write, a new key."""
PROBE, SHORT = 2.0, 5.0
QUIET = 0.3
CHATTER = 3.0
"""Seconds for which a line that never falls quiet is listened to."""
BETWEEN = 0.02
"""Seconds between two slices: a bridge without flow control has small buffers."""
TRIES = len(at.OPENINGS)

OFF, FLIGHT = 0, 4
INACTIVE = (OFF, FLIGHT)
"""Functional modes in which the store may be changed (+CFUN)."""
MODES = {0: "off", 1: "full", 4: "flight mode", 20: "LTE off", 21: "LTE on", 31: "GNSS on"}
_NUMBERS = "AT+CMEE=1"
READABLE = (0, 1, 4)
"""Types whose content is no secret, and which older firmware gives out (%CMNG, opcode 2)."""
GUARDED = (1, 3, 2)
"""The first modem firmware that refuses to write while its supply is too low (528)."""
MAKES_KEYS = (1, 3, 0)
LOW = 3300
"""Millivolts below which nothing is written."""


@dataclass(frozen=True)
class Identity:
    """What the modem says of itself."""

    imei: str
    firmware: str

    @property
    def unit(self) -> str:
        """The IMEI as a ticket may show it: its last seven digits tell two of a kind apart."""
        return f"IMEI ..{self.imei[-7:]}"

    @property
    def guarded(self) -> bool | None:
        """Does its store have brown-out protection? None where its version tells nothing."""
        return self._since(GUARDED)

    @property
    def makes_keys(self) -> bool | None:
        """Does it know %KEYGEN? None where its version tells nothing."""
        return self._since(MAKES_KEYS)

    def _since(self, first: tuple[int, int, int]) -> bool | None:
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", self.firmware)
        if found is None:
            return None
        major, minor, patch = (int(part) for part in found.groups())
        # The chips after the nRF9160 count their versions anew, and can do it all.
        later = re.search(r"nrf91(?!60)", self.firmware, re.IGNORECASE) is not None
        return later or (major, minor, patch) >= first

    def __str__(self) -> str:
        return f"{self.unit}, {self.firmware}"


@dataclass(frozen=True)
class Supply:
    """What the modem tells of its supply; 0 mV where it does not tell."""

    millivolts: int = 0
    warning: bool = False
    watched: bool = False

    @property
    def low(self) -> bool:
        return self.warning or 0 < self.millivolts < LOW

    def __str__(self) -> str:
        volts = f"{self.millivolts / 1000:.2f} V" if self.millivolts else "voltage not told"
        if self.warning:
            return f"{volts}, power-off warning ACTIVE"
        return f"{volts}, {'no power-off warning' if self.watched else 'no warning to ask for'}"


class Modem:
    """A modem behind one serial line; `now` and `pause` are the guide's."""

    def __init__(
        self, line: SerialLine, now: Callable[[], float], pause: Callable[[float], None]
    ) -> None:
        self._line = line
        self._now = now
        self._pause = pause
        self.way = at.Way.PLAIN
        self.noisy = False
        """Has anything come that is no text?"""
        self._in_step = False
        self._numbers = False
        self.numbered: bool | None = None
        """Did it tell errors by number when it was identified? None where it does not say."""
        self._warned = False

    # --- the line ----------------------------------------------------------------------------

    def wake(self, tries: int = TRIES, after: int = 0) -> bool:
        """Bring the line into step, out of quotes that somebody left open. Does it answer AT?

        Finds out how this firmware wants its commands. `after` so many tries of before.
        """
        for attempt in range(after, after + tries):
            way, opening = at.OPENINGS[attempt % len(at.OPENINGS)]
            self._line.send(opening)
            self._listen()
            code = self._greeted(way)
            if code == at.NO_COMMAND:
                code = self._greeted(at.Way.SHELL)
                if code == at.NO_COMMAND:
                    return False  # a shell that knows no AT
            if code == "":
                self._in_step = True
                return True
        self._line.send(at.END)  # whoever else reads here begins with a new line
        return False

    def _greeted(self, way: at.Way) -> str | None:
        """The code of the answer to AT, sent that way; None for silence."""
        self.way = way
        self._line.send(at.encode("AT", way))
        try:
            reply = self._reply("AT", PROBE)
        except Silent:
            return None
        self._listen()
        return reply.code

    def ask(self, command: str, doing: str, patience: float = PATIENCE) -> at.Reply:
        """One command and its answer. Raises Refused (with the modem's code), Silent, Unplugged."""
        if not self._in_step:
            self._resume()
        data = at.encode(command, self.way)
        reply = self._exchange(data, command, patience)
        if reply.code:
            raise at.refusal(reply.code, doing)
        return reply

    def _resume(self) -> None:
        """In step again. Raises Silent where it is not to be woken."""
        if not self.wake():
            raise Silent("The modem does not answer AT any more.", waited=PROBE * TRIES)
        if self._numbers:  # the board may have started anew, and forgotten
            self._exchange(at.encode(_NUMBERS, self.way), _NUMBERS, PATIENCE)

    def _exchange(self, data: bytes, command: str, patience: float) -> at.Reply:
        self._listen(0.0)
        self._in_step = False
        for number, piece in enumerate(at.slices(data)):
            if number:
                self._pause(BETWEEN)
            self._line.send(piece)
        reply = self._reply(command, patience)
        self._in_step = True
        return reply

    def look(self, command: str, doing: str, patience: float = PATIENCE) -> at.Reply:
        """ask() for what changes nothing: asked once more where the answer was lost."""
        try:
            return self.ask(command, doing, patience)
        except Silent:
            return self.ask(command, doing, patience)

    def _if_known(self, command: str, doing: str) -> at.Reply | None:
        """look() for what not every firmware knows: None where it refuses, or says nothing."""
        try:
            return self.look(command, doing, SHORT)
        except (Refused, Silent):
            return None

    def _reply(self, command: str, patience: float) -> at.Reply:
        heard = b""
        until = self._now() + patience
        while (left := until - self._now()) > 0:
            try:
                heard += self._line.receive(left, 4096)
            except Silent:
                break
            reply = at.reply_in(heard, command)
            if reply is not None:
                self._note(heard)
                return reply
        self._note(heard)
        raise Silent(f"The modem did not answer within {patience:g} s.", waited=patience)

    def _listen(self, quiet: float = QUIET) -> None:
        """Take what comes unasked, until the line has been quiet for so many seconds."""
        heard = b""
        until = self._now() + max(quiet, CHATTER)
        while self._now() < until:
            try:
                heard += self._line.receive(quiet, 4096)
            except Silent:
                break
        self._note(heard)

    def _note(self, heard: bytes) -> None:
        self._warned = self._warned or any(map(at.warns, at.lines_of(heard)))
        self.noisy = self.noisy or at.is_noise(heard)

    # --- what it is ----------------------------------------------------------------------------

    def identify(self) -> Identity:
        """IMEI and modem firmware; errors come with their numbers from now on."""
        self.numbered = self._tells_numbers()
        with suppress(Refused):  # without numbers the list still tells what came of a command
            self.look(_NUMBERS, "Asking for error numbers")
            self._numbers = True
        try:
            return self._identity()
        except Garbled:
            # An answer may have been one that came late: listen, and ask once more.
            self._listen(PROBE)
            return self._identity()

    def _tells_numbers(self) -> bool | None:
        """+CMEE: off when a modem starts (3GPP TS 27.007, 9.1), until somebody sets it."""
        told = self._if_known("AT+CMEE?", "Asking how it tells errors")
        found = next(iter(told.telling("+CMEE")), "") if told else ""
        return found != "0" if found.isdigit() else None

    def put_numbers_back(self) -> None:
        """Errors as they were told before identify(); what fails here undoes nothing."""
        if self._numbers and self.numbered is False:
            self._numbers = False
            self._if_known("AT+CMEE=0", "Putting back how it tells errors")

    def _identity(self) -> Identity:
        imei = self._plain("AT+CGSN", (r'(?:\+CGSN: ?)?"?(\d{15})"?',), "its IMEI")
        forms = (r"(mfw\S+)", r"(\S*\d+\.\d+\.\d+\S*)", r"([\w.-]+)")
        return Identity(imei, self._plain("AT+CGMR", forms, "its firmware"))

    def _plain(self, command: str, forms: tuple[str, ...], what: str) -> str:
        """What the first of the forms finds in a line of its own. Raises Garbled."""
        lines = self.look(command, f"Asking for {what}").lines
        for form in forms:
            found = next((it for line in lines if (it := re.fullmatch(form, line))), None)
            if found is not None:
                return found[1]
        raise Garbled(f"The modem answered, but did not tell {what}.")

    def mode(self) -> int:
        """The functional mode (+CFUN)."""
        told = self.look("AT+CFUN?", "Asking for the functional mode").one("+CFUN")
        return at.number(told.partition(",")[0].strip())

    def set_mode(self, mode: int) -> None:
        """Change it; done when the modem itself tells the new one."""
        with suppress(Silent):  # its answer may be lost: what it tells afterwards decides
            self.ask(f"AT+CFUN={mode}", f"Setting functional mode {mode}", WORKS)
        now = self.mode()
        if now != mode:
            raise Garbled(f"The modem took functional mode {mode}, but tells {now}.")

    def supply(self) -> Supply:
        """Its voltage and its power-off warning, as far as this firmware tells them."""
        told = self._if_known("AT%XVBAT", "Asking for the voltage")
        millivolts = next(iter(told.telling("%XVBAT")), "") if told else ""
        # 33: warn below 3.3 V. It stays set until the modem is switched off: the safe side.
        watched = self._if_known("AT%XPOFWARN=1,33", "Asking for the power-off warning")
        if watched:
            self._listen(1.0)
        volts = int(millivolts) if re.fullmatch(r"\d{1,5}", millivolts) else 0
        return Supply(volts, self._warned, watched is not None)

    @property
    def warned(self) -> bool:
        """Has it told of a supply that is too low, at any time?"""
        return self._warned

    # --- its credentials ---------------------------------------------------------------------

    def picture(self, identity: Identity) -> Picture:
        """Every entry there is, with its digest."""
        try:
            entries = self._listed("AT%CMNG=1")
        except Garbled:
            entries = self._listed("AT%CMNG=1")
        return Picture(identity.imei, identity.firmware, tuple(sorted(entries)))

    def find(self, tag: int, kind: int) -> Entry | None:
        """One entry; None where there is none."""
        entries = self._listed(f"AT%CMNG=1,{tag},{kind}")
        return next((entry for entry in entries if entry.pair == (tag, kind)), None)

    def _listed(self, command: str) -> list[Entry]:
        try:
            told = self.look(command, "Listing the credentials").telling("%CMNG")
        except Refused as error:
            if error.code != "CME 513":
                raise
            return []
        return [self._with_digest(entry_of(line)) for line in told]

    def _with_digest(self, entry: Entry) -> Entry:
        """Where the list tells none and the content may be read, the digest of that."""
        if entry.digest or entry.type not in READABLE:
            return entry
        try:
            reply = self.look(f"AT%CMNG=2,{entry.tag},{entry.type}", f"Reading {entry.name}")
            content = at.fields(reply.one("%CMNG"))[3:4]
        except (Refused, Garbled):
            return entry
        if not content or "\ufffd" in content[0]:
            return entry
        return Entry(entry.tag, entry.type, digest_of(content[0]))

    def write(self, tag: int, kind: int, content: str) -> None:
        """Put it in. It is in only when find() says so."""
        self.ask(at.writing(tag, kind, content), f"Writing {name_of(tag, kind)}", WORKS)

    def delete(self, tag: int, kind: int) -> None:
        """Delete it; one that is not there is deleted. It is gone only when find() says so."""
        try:
            self.ask(f"AT%CMNG=3,{tag},{kind}", f"Deleting {name_of(tag, kind)}", WORKS)
        except (Refused, Silent):  # its answer may be lost: the list decides
            if self.find(tag, kind) is not None:
                raise

    def generate(self, tag: int) -> str:
        """Make a private key in the modem; its request and attestation as it gave them out."""
        reply = self.ask(f"AT%KEYGEN={tag},2,0", f"Making a key for tag {tag}", WORKS)
        found = at.fields(reply.one("%KEYGEN"))
        return found[0] if found else ""

    def token(self) -> str:
        """Its attestation token; "" where this firmware gives none."""
        reply = self._if_known("AT%ATTESTTOKEN", "Asking for its token")
        told = reply.telling("%ATTESTTOKEN") if reply else ()
        return next(iter(at.fields(told[0])), "") if told else ""

    def own_store(self) -> int | None:
        """How many credentials a serial modem's own TLS store holds; None where it has none."""
        reply = self._if_known("AT#XCMNG=1", "Asking for a store of the serial modem")
        return len(reply.telling("#XCMNG")) if reply else None

    def parses(self, tag: int, kind: int) -> str:
        """What the modem itself reads as a certificate's end; "" where it cannot tell.

        Raises Refused (code "CME 527") for one that it cannot use.
        """
        try:
            reply = self.look(f"AT%CERTEXPIRY={tag},{kind}", f"Reading {name_of(tag, kind)}")
            told = at.fields(reply.one("%CERTEXPIRY"))
        except DeviceError as error:
            if isinstance(error, Refused) and error.code == "CME 527":
                raise
            if isinstance(error, Refused | Garbled):
                return ""
            raise
        end = told[-1] if told else ""
        date = re.match(r"(\d{4})(\d\d)(\d\d)\d{6}Z", end)
        return "-".join(date.groups()) if date else end
