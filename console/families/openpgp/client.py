"""One OpenPGP application over its card line: what is read, sent and made there.

The rule: one method a command of the specification (OpenPGP card 3.4, 7). After every command with
a PIN the counters are read again, and nothing is inferred from its status word.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from console.errors import Garbled, GateClosed, Refused
from console.families.openpgp import algorithms, objects
from console.families.openpgp.algorithms import Algorithm, Offer
from console.families.openpgp.kdf import Kdf, Pin
from console.families.openpgp.objects import ApplicationData, PinStatus, Slot
from console.families.openpgp.publickey import PublicKey
from console.hardware.lines import CardLine
from console.protocols import tlv
from console.protocols.apdu import (
    LONG,
    SHORT,
    Command,
    Exchange,
    Meaning,
    Meanings,
    Reach,
    Response,
)

GET_DATA, PUT_DATA, IMPORT = 0xCA, 0xDA, 0xDB
SELECT, VERIFY, CHANGE, RETRY_COUNTER = 0xA4, 0x20, 0x24, 0x2C
GENERATE, OPERATE, AUTHENTICATE = 0x47, 0x2A, 0x88
TERMINATE, ACTIVATE = 0xE6, 0x44
TERMINATED = (0x6285, 0x6985)
"""What SELECT, or the first read after it, answers between TERMINATE and ACTIVATE."""
ABSENT = (0x6A88, 0x6A82, 0x6A81, 0x6B00, 0x6D00, 0x6A80, 0x6A86, 0x6A83)
"""Answers to a GET DATA of what a card does not have; the older ones differ (YubiKey NEO: 6A83)."""
NO_KEY = (0x6A88, 0x6A82, 0x6985)

_PIN_AGAIN = "The tries that are left are counted by the card: run check to see them."
MEANINGS: Meanings = {
    "6300": Meaning("that is not the right PIN", _PIN_AGAIN),
    "63Cx": Meaning("that is not the right PIN", _PIN_AGAIN),
    "6600": Meaning("nobody touched it in time", "Run again and touch it while it blinks."),
    "6982": Meaning("a PIN is wrong or was not given", _PIN_AGAIN),
    "6983": Meaning("the PIN is blocked", "Run unblock; for a blocked admin PIN, reset."),
    "6985": Meaning("not in the state that it is in now: a PIN too short, or no key in it yet"),
    "6A88": Meaning("there is no such key or entry on it"),
}


@dataclass(frozen=True)
class Foreign(PublicKey):
    """What is in a slot and cannot be read here; `point` is what the card shows, if anything.

    It is a key wherever keys die or slots are empty, and equal to none that is known.
    """

    @property
    def words(self) -> str:
        return "a key of a kind not known here" if self.point else "not shown, so maybe a key"

    @classmethod
    def shown(cls, answer: bytes) -> Foreign:
        return cls(Algorithm(algorithms.Kind.RSA), point=answer)


@dataclass(frozen=True)
class Seen:
    """What a look at the card found; no PIN was sent for it."""

    data: ApplicationData
    kdf: Kdf
    keys: tuple[PublicKey | None, ...]
    offered: dict[Slot, tuple[Offer, ...]]
    holder: str = ""
    signatures: int | None = None

    def key(self, slot: Slot) -> PublicKey | None:
        return self.keys[slot.place]

    def algorithm(self, slot: Slot) -> Algorithm | None:
        """What the slot is set to now."""
        return algorithms.of_slot(self.data.attributes[slot.place], slot)

    @property
    def pins(self) -> PinStatus:
        return self.data.pins

    @property
    def empty(self) -> bool:
        """Has it neither keys nor fingerprints?"""
        return not any(self.keys) and not any(map(any, self.data.fingerprints))

    @property
    def broken(self) -> bool:
        """Does it show placeholders because it cannot read its own memory (opcard)?"""
        return "corrupted" in self.holder.lower()


@dataclass(frozen=True)
class Tried:
    """A PIN was sent: was it taken, and what do the counters say now?"""

    taken: bool
    pins: PinStatus
    response: Response = field(repr=False)


class Session:
    """The application, selected. `terminated`: it takes nothing but ACTIVATE."""

    def __init__(self, line: CardLine) -> None:
        self.line = line
        self.exchange = Exchange(line, meanings=MEANINGS)
        self.terminated = False
        self.kdf = Kdf()

    @classmethod
    def begin(cls, line: CardLine) -> Session:
        """Select it and learn what it takes. Raises GateClosed (no such application), as send()."""
        session = cls(line)
        session.select()
        if not session.terminated:
            session._learn_reach()
            session.kdf = session.read_kdf()
        return session

    def select(self) -> None:
        """SELECT by name: every PIN has to be given again afterwards."""
        response = self.exchange.send(Command(0, SELECT, 4, 0, objects.RID, SHORT))
        self.terminated = response.status in TERMINATED
        if response.status in (0x6A82, 0x6A81, 0x6A86, 0x6D00, 0x6E00):
            raise GateClosed(
                "There is no OpenPGP application on this card.",
                "Look at the card: it may be another one. Nothing was changed.",
            )
        if not response.ok and not self.terminated:
            raise self.exchange.refused(response, "to open its OpenPGP application")
        self.terminated = self.terminated or self._says_nothing()

    def _says_nothing(self) -> bool:
        """Some answer SELECT with 9000 and then refuse every read (CanoKey, YubiKey NEO)."""
        return self.exchange.send(_get(objects.AID, SHORT)).status in TERMINATED

    def again(self) -> None:
        """A reset and a new look at what it is, as after an insertion."""
        self.line.reset()
        self.select()
        if not self.terminated:
            self.kdf = self.read_kdf()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other program gets a word in, so that a PIN stays given until it is used."""
        with self.line.transaction():
            yield

    def _learn_reach(self) -> None:
        """What it says that it takes; extended lengths are tried on a read before they are used."""
        historical = objects.Historical.parse(self.get(objects.HISTORICAL) or b"")
        if not historical.extended:
            self.exchange.reach = Reach(chains=historical.chains)
            return
        data = self.application()
        longest = data.capabilities.longest_command, data.capabilities.longest_answer
        self.exchange.reach = Reach(historical.chains, *(size or 2048 for size in longest))
        try:
            found = self.exchange.send(_get(objects.APPLICATION, LONG))
        except Garbled:
            found = None
        if found is None or not found.ok:
            self.exchange.no_extended()

    # --- reading ------------------------------------------------------------------------------

    def get(self, tag: int) -> bytes | None:
        """A data object; None where the card has none. Raises Refused, as send()."""
        response = self.exchange.send(_get(tag, LONG))
        if response.status in ABSENT:
            return None
        if not response.ok:
            raise self.exchange.refused(response, f"to tell of {tag:04X}")
        return response.data

    def application(self) -> ApplicationData:
        """What it says of itself. Raises Garbled, Refused."""
        raw = self.exchange.demand(_get(objects.APPLICATION, LONG), "to tell what it is")
        data = ApplicationData.parse(raw)
        if data.historical.raw:
            return data
        historical = objects.Historical.parse(self.get(objects.HISTORICAL) or b"")
        return replace(data, historical=historical)

    def pins(self) -> PinStatus:
        """The retry counters, now. No PIN is spent on it."""
        raw = self.exchange.demand(_get(objects.PIN_STATUS, SHORT), "to count its PIN tries")
        return PinStatus.parse(tlv.bare(objects.PIN_STATUS, raw))

    def read_kdf(self) -> Kdf:
        return Kdf.parse(self.get(objects.KDF) or b"")

    def _told(self, tag: int) -> bytes:
        """A data object that nothing depends on; empty where it is refused, in whatever words."""
        with suppress(Refused, Garbled):
            return self.get(tag) or b""
        return b""

    def public_key(self, slot: Slot, attributes: bytes) -> PublicKey | None:
        """The key in a slot (47 81): the one proof that there is one."""
        response = self.exchange.send(_key_command(0x81, slot))
        if response.status in NO_KEY or (response.ok and not response.data):
            return None
        if not response.ok:
            raise self.exchange.refused(response, f"to show its {slot.title} key")
        known = algorithms.of_slot(attributes, slot)
        try:
            # RSA where it is not known, since RSA answers say all themselves.
            return PublicKey.parse(response.data, known or Algorithm(algorithms.Kind.RSA))
        except Garbled:
            if known is not None:
                raise
            return Foreign.shown(response.data)

    def _in_slot(self, slot: Slot, attributes: bytes) -> PublicKey | None:
        """The same for a look: one key that cannot be read hides nothing else."""
        try:
            return self.public_key(slot, attributes)
        except (Refused, Garbled):
            return Foreign.shown(b"")

    def look(self) -> Seen:
        """All of it, without a PIN."""
        data = self.application()
        self.kdf = self.read_kdf()
        keys = tuple(self._in_slot(slot, data.attributes[slot.place]) for slot in Slot)
        if None in data.key_info:
            data = replace(data, key_info=objects.key_info(self._told(objects.KEY_INFO)))
        if None in data.touch:
            data = replace(data, touch=tuple(objects.first(self._told(s.touch)) for s in Slot))
        holder, signatures, offered = "", None, {}
        with suppress(Garbled):
            holder = objects.holder_name(self._told(objects.CARDHOLDER))
        with suppress(Garbled):
            security = self._told(objects.SECURITY)
            signatures = objects.counter(security) if security else None
        with suppress(Garbled):
            offered = algorithms.offered(self._told(objects.ALGORITHMS), data.aid.maker)
        return Seen(data, self.kdf, keys, offered, holder, signatures)

    # --- PINs ---------------------------------------------------------------------------------

    def verify(self, whose: Pin, pin: str) -> Tried:
        """Give a PIN."""
        return self._tried(Command(0, VERIFY, 0, whose, self.kdf.wire(whose, pin)))

    def spoil(self, whose: Pin, size: int) -> PinStatus:
        """Spend one try on something that is no PIN."""
        return self._tried(Command(0, VERIFY, 0, whose, b"\x40" * size)).pins

    def unblock(self, new: str, code: str | None = None) -> Tried:
        """A new user PIN, by the reset code, or by the admin PIN that was given before."""
        pin = self.kdf.wire(Pin.SIGN, new)
        if code is None:
            return self._tried(Command(0, RETRY_COUNTER, 2, Pin.SIGN, pin))
        both = self.kdf.wire(Pin.RESET_CODE, code) + pin
        return self._tried(Command(0, RETRY_COUNTER, 0, Pin.SIGN, both))

    def _tried(self, command: Command) -> Tried:
        response = self.exchange.send(command)
        return Tried(response.ok, self.pins(), response)

    # --- keys ---------------------------------------------------------------------------------

    def set_algorithm(self, slot: Slot, attributes: bytes) -> None:
        """Change what a slot's key is; what is in it is gone when that really changes."""
        what = f"{algorithms.words(attributes)} for its {slot.title} key"
        self.put(slot.attributes, attributes, what)

    def generate(self, slot: Slot) -> None:
        """Make a key on the card; it answers when it is done, which may take minutes."""
        command = _key_command(0x80, slot)
        self.exchange.demand(command, f"to make a {slot.title} key")

    def put_key(self, slot: Slot, template: bytes) -> None:
        """Import a private key, in the form of SecretKey.template()."""
        command = Command(0, IMPORT, 0x3F, 0xFF, template)
        self.exchange.demand(command, f"the {slot.title} key of the backup")

    def put(self, tag: int, value: bytes, what: str) -> None:
        """Write a data object."""
        self.exchange.demand(Command(0, PUT_DATA, tag >> 8, tag & 0xFF, value), what)

    def name_key(self, slot: Slot, fingerprint: bytes, created: int) -> None:
        """Its creation time, then its fingerprint: the card computes neither."""
        self.put(slot.time, created.to_bytes(4, "big"), "the time of a key")
        self.put(slot.fingerprint, fingerprint, "the fingerprint of a key")

    def sign(self, data: bytes) -> bytes:
        """PSO: COMPUTE DIGITAL SIGNATURE."""
        return self.exchange.demand(Command(0, OPERATE, 0x9E, 0x9A, data, LONG), "to sign")

    def decipher(self, data: bytes) -> bytes:
        """PSO: DECIPHER."""
        return self.exchange.demand(Command(0, OPERATE, 0x80, 0x86, data, LONG), "to decrypt")

    def authenticate(self, data: bytes) -> bytes:
        """INTERNAL AUTHENTICATE."""
        command = Command(0, AUTHENTICATE, 0, 0, data, LONG)
        return self.exchange.demand(command, "to authenticate")

    # --- the life of the whole ----------------------------------------------------------------

    def terminate(self) -> Response:
        """TERMINATE DF; what it answers proves nothing."""
        return self.exchange.send(Command(0, TERMINATE, 0, 0))

    def activate(self) -> Response:
        """ACTIVATE FILE; what it answers proves nothing."""
        return self.exchange.send(Command(0, ACTIVATE, 0, 0))


def _get(tag: int, expected: int) -> Command:
    return Command(0, GET_DATA, tag >> 8, tag & 0xFF, b"", expected)


def _key_command(how: int, slot: Slot) -> Command:
    return Command(0, GENERATE, how, 0, bytes((slot.crt, 0)), LONG)
