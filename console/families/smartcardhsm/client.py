"""Speaks to a SmartCard-HSM over a card line: files, PINs, keys (reference 2.1 to 2.5).

The rule: every command is its answer or an error in words; a PIN, a share or a blob is in none. It
decides nothing: what a flow may do with an answer, the flow says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from console.errors import Garbled, NotPermitted, Refused
from console.families.smartcardhsm.dkek import KCV_SIZE, NO_KCV
from console.families.smartcardhsm.models import FIRST_WITH_DOMAINS, Version
from console.hardware.lines import CardLine
from console.protocols import tlv
from console.protocols.apdu import Command, Exchange, Meaning, Meanings, Reach, Response

AID = bytes.fromhex("e82b0601040181c31f0201")
PIECE = 400
"""Bytes of a file in one command: fits the smallest buffer of this card's makes (478)."""
LONGEST = 2048
USER, SO = 0x81, 0x88
SO_SIZE = 8
DEVICE_FILE, LABEL_FILE, TRANSFER_FILE = 0x2F02, 0x2F03, 0x2F10
KEY, ABOUT, CERTIFICATE = 0xCC, 0xC4, 0xCE
DEVICE_KEY = 0
RESET_ALLOWED, TRANSPORT = 0x01, 0x02
WRAP, UNWRAP = 0x92, 0x93
RAW_RSA, PKCS1_SHA256, RAW_EC, EC_SHA256 = 0x20, 0x33, 0x70, 0x73
RAW_DECIPHER, ECDH = 0x21, 0x80

END_OF_FILE, NOT_FOUND, FULL, EXISTS = 0x6282, 0x6A82, 0x6A84, 0x6A89
NEVER_INITIALISED, TRANSPORT_PIN, BLOCKED = 0x6A88, 0x6984, 0x6983
WRONG_DATA, NO_REFERENCE = 0x6A80, 0x6A88
ENDED = (0x6283, 0x6285)
"""What SELECT says of an application that was terminated (ISO 7816-4, 5.1.3)."""
NO_KEY_SHARES = (0x6D00, 0x6B00, 0x6A86)
CREATE = "create it with the vendor's tool; no reset is needed"
"""What helps where a key domain is empty (80 52 01 makes one, reference 2.2)."""
BEYOND_END = (0x6B00, 0x6282, 0x6A86, 0x6A80)
NO_TRANSFER = (0x6A82, 0x6A86, 0x6A81, 0x6B00, 0x6D00)
"""Answers to writing the transfer file from a card that takes a blob in one command only."""
MOST_DOMAINS = 16
SHORTEST_STATUS = 2 + KCV_SIZE

WORDS: Meanings = {
    "6A84": Meaning("its memory is full", "Nothing that was on it is lost. Run check."),
    "6A89": Meaning("something of that number is there already"),
    "6982": Meaning("its PIN is not given, or this is not allowed"),
    "6985": Meaning("it is not allowed: a wrong PIN, or a key restricted to other uses"),
    "6A88": Meaning("key shares are missing, or the key is in no key domain"),
    "6D00": Meaning("it was initialised without key shares, so it wraps no keys"),
}


@dataclass(frozen=True)
class Pin:
    """A PIN as the card tells it. `tries` is None while it is verified, or not there yet.

    `silent` is the status word of a card that does not tell them; `odd` that of a VERIFY which says
    neither right nor wrong: the rest is what the card told after it.
    """

    tries: int | None = None
    blocked: bool = False
    verified: bool = False
    initialised: bool = True
    transport: bool = False
    silent: str = ""
    odd: str = ""

    @property
    def words(self) -> str:
        if not self.initialised:
            return "not set: the device was never initialised"
        if self.transport:
            return "in transport state: it has to be changed first"
        if self.blocked:
            return "blocked"
        if self.silent:
            return f"tries not told ({self.silent})"
        if self.verified:
            return "verified"
        return "1 try left" if self.tries == 1 else f"{self.tries} tries left"


@dataclass(frozen=True)
class KeyShares:
    """What the card tells of its DKEK; `total` is None where it wraps no keys.

    `empty` is the number of a key domain that is there and in which no key was ever made.
    """

    total: int | None
    missing: int = 0
    kcv: bytes = NO_KCV
    empty: int | None = None

    @property
    def words(self) -> str:
        if self.empty is not None:
            return f"none yet: {self.emptiness}: {CREATE}"
        if self.none:
            return "none: initialised without key shares, no key can be wrapped"
        if self.missing:
            return f"{self.missing} of {self.total} shares missing"
        if self.total == 0:
            return f"made by the device itself, in no other device; check value {self.kcv.hex()}"
        counted = "1 share" if self.total == 1 else f"{self.total} shares"
        return f"{counted}, complete; check value {self.kcv.hex()}"

    @property
    def emptiness(self) -> str:
        return f"key domain {self.empty} is empty"

    @property
    def way_out(self) -> str:
        return f"{CREATE.capitalize()}."

    @property
    def none(self) -> bool:
        """Does it wrap no keys? Some say so with nothing but zeros."""
        return self.total is None or (not self.total and not self.missing and self.kcv == NO_KCV)

    @property
    def ready(self) -> bool:
        """Does it wrap and unwrap?"""
        return self.total is not None and not self.missing


@dataclass(frozen=True)
class Application:
    """What SELECT tells."""

    version: Version
    options: int | None

    @property
    def words(self) -> str:
        """The options, and what they allow."""
        if self.options is None:
            return "It tells no options, as the oldest do: its SO-PIN resets no user PIN."
        may = "may" if self.may_unblock else "may not"
        sent = " It was sent out with a transport PIN." if self.options & TRANSPORT else ""
        return f"Options {self.options:02X}: the SO-PIN {may} reset the user PIN.{sent}"

    @property
    def may_unblock(self) -> bool:
        """May the SO-PIN reset the user PIN?"""
        return bool((self.options or 0) & RESET_ALLOWED)


@dataclass(frozen=True)
class InitData:
    """What INITIALIZE sets. The PINs are secrets."""

    so_pin: bytes = field(repr=False)
    pin: bytes = field(repr=False)
    retries: int
    shares: int | None
    options: int = RESET_ALLOWED

    def encode(self) -> bytes:
        parts = [
            tlv.encode(0x80, self.options.to_bytes(2, "big")),
            tlv.encode(0x81, self.pin),
            tlv.encode(0x82, self.so_pin),
            tlv.encode(0x91, bytes((self.retries,))),
        ]
        if self.shares is not None:
            parts.append(tlv.encode(0x92, bytes((self.shares,))))
        return b"".join(parts)


class SmartCardHsm:
    """One device behind its line."""

    def __init__(self, line: CardLine, application: Application) -> None:
        reach = Reach(longest_command=LONGEST, longest_answer=LONGEST * 2)
        self._cards = Exchange(line, reach, WORDS)
        self.application = application

    @classmethod
    def open(cls, line: CardLine) -> SmartCardHsm:
        """Select its application. Raises NotPermitted if it is no SmartCard-HSM."""
        answer = Exchange(line).send(Command(0, 0xA4, 4, 0, AID, 256))
        found = _application(answer.data) if answer.ok else None
        if answer.status in ENDED:
            raise NotPermitted(
                f"The SmartCard-HSM application on this card was terminated ({answer.code}).",
                "Nothing opens it again. Restore its backup onto another device.",
            )
        if found is None:
            raise NotPermitted(
                "This card does not answer as a SmartCard-HSM.",
                "Nothing was changed on it. Is it the device of this job?",
            )
        return cls(line, found)

    @property
    def version(self) -> Version:
        return self.application.version

    # --- what it tells without a PIN -------------------------------------------------------

    def pin(self, which: int = USER) -> Pin:
        """The state of the user PIN or the SO-PIN; costs no try."""
        answer = self._cards.send(Command(0, 0x20, 0, which))
        # The first line (1.x) says 6984 where later ones say 6A88 (reference 2.3).
        if answer.status == TRANSPORT_PIN and (which == SO or self.version.major < 2):
            return Pin(initialised=False)
        return _pin(answer)

    def key_shares(self, domain: int = 0) -> KeyShares:
        """The state of the DKEK, or of that key domain's key."""
        answer = self._cards.send(Command(0x80, 0x52, 0, domain, expected=256))
        if answer.status in NO_KEY_SHARES:
            return KeyShares(None)
        if answer.status == NO_REFERENCE:
            # A card that was never initialised may say so as well, and has no domain at all.
            return KeyShares(None, empty=domain if self.pin().initialised else None)
        return _shares(self._good(answer, "to tell about its key shares"))

    def key_domains(self) -> tuple[KeyShares, ...]:
        """The state of each key domain, the first always; from 3.x on there may be several."""
        found = [self.key_shares()]
        while self.version.major >= FIRST_WITH_DOMAINS and len(found) < MOST_DOMAINS:
            answer = self._cards.send(Command(0x80, 0x52, 0, len(found), expected=256))
            if answer.ok:
                found.append(_shares(answer.data))
            elif answer.status == NO_REFERENCE:
                found.append(KeyShares(None, empty=len(found)))
            else:
                break
        last = max((at for at, one in enumerate(found) if not one.none), default=0)
        return tuple(found[: last + 1])

    def files(self) -> tuple[int, ...]:
        """The number of every file and key."""
        command = Command(0x80, 0x58, 0, 0, expected=LONGEST)
        data = self._cards.demand(command, "to list its files")
        return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))

    def read(self, number: int) -> bytes | None:
        """The whole file; None if there is no such file."""
        data = b""
        while True:
            wanted = b"\x54\x02" + len(data).to_bytes(2, "big")
            at = divmod(number, 256)
            answer = self._cards.send(Command(0, 0xB1, *at, wanted, PIECE))
            if answer.status == NOT_FOUND and not data:
                return None
            if data and answer.status in BEYOND_END and not answer.data:
                return data
            if answer.status != END_OF_FILE:
                self._good(answer, f"to read its file {number:04X}")
            data += answer.data
            # Fewer than asked for may be the card's own limit: only what the card says ends it.
            if not answer.data or answer.status == END_OF_FILE:
                return data

    def random(self, size: int) -> bytes:
        return self._cards.demand(Command(0, 0x84, 0, 0, expected=size), "random bytes")

    # --- PINs ------------------------------------------------------------------------------

    def verify(self, pin: bytes) -> Pin:
        """Give the user PIN; what the card then says of it, asked again unless it was right."""
        answer = self._cards.send(Command(0, 0x20, 0, USER, pin))
        if answer.ok:
            return _pin(answer)
        said, now = _pin(answer), self.pin()
        if said.tries is None:
            return replace(now, odd=answer.code)
        return said if now.tries is None else now

    def change(self, old: bytes, new: bytes) -> Response:
        """The user PIN that is there, or the transport PIN, by a new one; the answer."""
        return self._cards.send(Command(0, 0x24, 0, USER, old + new))

    def unblock(self, so_pin: bytes, pin: bytes) -> Response:
        """Set a new user PIN by the SO-PIN; the answer, whatever it is."""
        return self._cards.send(Command(0, 0x2C, 0, USER, so_pin + pin))

    def initialize(self, data: InitData) -> Response:
        """Delete everything and begin anew; the answer, whatever it is."""
        return self._cards.send(Command(0x80, 0x50, 0, 0, data.encode()))

    # --- keys ------------------------------------------------------------------------------

    def put_share(self, share: bytes, domain: int = 0) -> KeyShares:
        command = Command(0x80, 0x52, 0, domain, share, 256)
        return _shares(self._cards.demand(command, "the key share"))

    def wrap(self, key: int) -> bytes:
        """The key blob of a key."""
        command = Command(0x80, 0x72, key, WRAP, expected=2 * LONGEST)
        return self._cards.demand(command, f"to export key {key}")

    def unwrap(self, key: int, blob: bytes) -> None:
        """Make it key `key`; the blob goes through the transfer file, piece by piece.

        A card without that file takes the blob in one command, as the oldest lines do.
        """
        what, command = f"to import key {key}", Command(0x80, 0x74, key, UNWRAP)
        try:
            self.write(TRANSFER_FILE, blob)
        except Refused as error:
            if error.code not in {f"{status:04X}" for status in NO_TRANSFER}:
                raise
            self._cards.demand(replace(command, data=blob), what)
            return
        answer = self._cards.send(command)
        if answer.status == WRONG_DATA and self._cleared(TRANSFER_FILE):
            # What a longer blob left behind this one is read as its seal.
            self.write(TRANSFER_FILE, blob)
            answer = self._cards.send(command)
        self._good(answer, what)

    def _cleared(self, number: int) -> bool:
        command = Command(0, 0xE4, 2, 0, number.to_bytes(2, "big"))
        return self._cards.send(command).ok

    def decipher(self, key: int, algorithm: int, data: bytes) -> bytes:
        command = Command(0x80, 0x62, key, algorithm, data, 1024)
        return self._cards.demand(command, f"to decipher by key {key}")

    def generate(self, key: int, order: bytes) -> bytes:
        """A new key pair; the request that the card made of it."""
        command = Command(0, 0x46, key, DEVICE_KEY, order, LONGEST)
        return self._cards.demand(command, "to make a key pair")

    def sign(self, key: int, algorithm: int, data: bytes) -> bytes:
        command = Command(0x80, 0x68, key, algorithm, data, 1024)
        return self._cards.demand(command, f"a signature by key {key}")

    # --- files -----------------------------------------------------------------------------

    def write(self, number: int, data: bytes) -> None:
        """Make the file, or change it from its start on."""
        for offset, piece in _pieces(data):
            body = tlv.encode(0x54, offset.to_bytes(2, "big")) + tlv.encode(0x53, piece)
            command = Command(0, 0xD7, *divmod(number, 256), body)
            self._cards.demand(command, f"to write its file {number:04X}")

    def delete(self, number: int) -> None:
        command = Command(0, 0xE4, 2, 0, number.to_bytes(2, "big"))
        self._cards.demand(command, f"to delete its file {number:04X}")

    def _good(self, answer: Response, what: str) -> bytes:
        if not answer.ok:
            raise self.refused(answer, what)
        return answer.data

    def refused(self, answer: Response, what: str) -> Refused:
        """The error that an answer is, in this card's words."""
        return self._cards.refused(answer, what)


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    for offset in range(0, max(1, len(data)), PIECE):
        yield offset, data[offset : offset + PIECE]


def _application(answer: bytes) -> Application | None:
    """From the proprietary part of the FCP (62; some wrap it in an FCI, 6F), read from its end."""
    try:
        told = tlv.find(answer, 0x62, 0x85) or tlv.find(answer, 0x6F, 0x62, 0x85)
        told = told or tlv.find(answer, 0x6F, 0x85) or b""
    except Garbled:
        return None
    if len(told) < 2:
        return None
    applet = told[-3] if len(told) >= 3 else None
    return Application(Version(told[-2], told[-1], applet), told[-4] if len(told) >= 4 else None)


def _pin(answer: Response) -> Pin:
    if answer.ok:
        return Pin(verified=True)
    if answer.status == NEVER_INITIALISED:
        return Pin(initialised=False)
    if answer.status == TRANSPORT_PIN:
        return Pin(transport=True)
    if answer.status == BLOCKED or answer.code == "63C0":
        return Pin(tries=0, blocked=True)
    if answer.code.startswith("63C"):
        return Pin(tries=answer.status & 0xF)
    return Pin(silent=answer.code)


def _shares(data: bytes) -> KeyShares:
    """Total, missing, check value; what follows names the key domain (3.x)."""
    if len(data) < SHORTEST_STATUS:
        raise Garbled("The card's answer about its key shares does not add up.")
    return KeyShares(data[0], data[1], data[2:SHORTEST_STATUS])
