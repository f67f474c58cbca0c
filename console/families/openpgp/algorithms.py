"""Algorithms of a slot: the attributes on the wire (OpenPGP card 3.4, 4.4.3.9), and their words.

The rule: a table; what is not in it is shown by its bytes and never chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from console.families.openpgp import objects
from console.families.openpgp.objects import Slot
from console.protocols import tlv


class Kind(Enum):
    """The first byte of the attributes; the same numbers as in OpenPGP (RFC 4880, 9.1)."""

    RSA = 0x01
    ECDH = 0x12
    ECDSA = 0x13
    EDDSA = 0x16


@dataclass(frozen=True)
class Curve:
    """A curve: its word, its OID without tag and length, the bits of its field.

    `kdf` is the hash and cipher of a decryption key's KDF as GnuPG writes it (RFC 6637, 7), `hash`
    the bits of the digest that fits.
    """

    word: str
    oid: bytes
    bits: int
    kdf: bytes
    hash: int

    @property
    def size(self) -> int:
        """Bytes of one coordinate."""
        return (self.bits + 7) // 8


_C256, _C384, _C512 = bytes((8, 7)), bytes((9, 8)), bytes((10, 9))
CURVES = (
    Curve("nistp256", bytes.fromhex("2A8648CE3D030107"), 256, _C256, 256),
    Curve("nistp384", bytes.fromhex("2B81040022"), 384, _C384, 384),
    Curve("nistp521", bytes.fromhex("2B81040023"), 521, _C512, 512),
    Curve("secp256k1", bytes.fromhex("2B8104000A"), 256, _C256, 256),
    Curve("brainpoolp256r1", bytes.fromhex("2B2403030208010107"), 256, _C256, 256),
    Curve("brainpoolp384r1", bytes.fromhex("2B240303020801010B"), 384, _C384, 384),
    Curve("brainpoolp512r1", bytes.fromhex("2B240303020801010D"), 512, _C512, 512),
    Curve("ed25519", bytes.fromhex("2B06010401DA470F01"), 256, _C256, 512),
    Curve("x25519", bytes.fromhex("2B060104019755010501"), 256, _C256, 256),
)
RSA_SIZES = (2048, 3072, 4096)
CHOICES = (*(f"rsa{bits}" for bits in RSA_SIZES), *(c.word for c in CURVES if c.word != "x25519"))
"""The words that a technician chooses from; ed25519 means x25519 where it is to decrypt."""


@dataclass(frozen=True)
class Algorithm:
    """What a slot's key is. RSA has `bits`, the rest a curve.

    How it is imported (`exponent` and `form` of RSA, `with_public`) makes no other algorithm.
    """

    kind: Kind
    bits: int = 0
    exponent: int = field(default=32, compare=False)
    form: int = field(default=0, compare=False)
    curve: Curve | None = None
    with_public: bool = field(default=False, compare=False)

    @property
    def word(self) -> str:
        return f"rsa{self.bits}" if self.curve is None else self.curve.word

    def attributes(self) -> bytes:
        """As C1 to C3 carry it."""
        if self.curve is None:
            sizes = self.bits.to_bytes(2, "big") + self.exponent.to_bytes(2, "big")
            return bytes((self.kind.value,)) + sizes + bytes((self.form,))
        ending = b"\xff" if self.with_public else b""
        return bytes((self.kind.value,)) + self.curve.oid + ending


def parse(raw: bytes) -> Algorithm | None:
    """The algorithm that attributes name; None where none of ours is."""
    if len(raw) < 2 or raw[0] not in (kind.value for kind in Kind):
        return None
    kind = Kind(raw[0])
    if kind is Kind.RSA:
        return _rsa(raw)
    oid = raw[1:]
    with_public = oid.endswith(b"\xff")
    if oid[-1] in (0x00, 0xFF):
        oid = oid[:-1]
    curve = next((curve for curve in CURVES if curve.oid == oid), None)
    return Algorithm(kind, curve=curve, with_public=with_public) if curve else None


def _rsa(raw: bytes) -> Algorithm | None:
    if len(raw) not in (5, 6):
        return None
    bits, exponent = int.from_bytes(raw[1:3], "big"), int.from_bytes(raw[3:5], "big")
    return Algorithm(Kind.RSA, bits, exponent, raw[5] if len(raw) > 5 else 0)


def of_slot(raw: bytes, slot: Slot) -> Algorithm | None:
    """As parse(), told by its slot and curve: some cards write one number for several uses.

    None where the curve is of no use in the slot: x25519 only agrees on keys, ed25519 only signs.
    """
    found = parse(raw)
    if found is None or found.curve is None:
        return found
    decrypts, word = slot is Slot.DECRYPT, found.curve.word
    if word in ("ed25519", "x25519") and (word == "x25519") != decrypts:
        return None
    signs = Kind.EDDSA if word == "ed25519" else Kind.ECDSA
    return replace(found, kind=Kind.ECDH if decrypts else signs)


def words(raw: bytes) -> str:
    """Attributes for people."""
    found = parse(raw)
    return found.word if found else f"an algorithm not known here ({raw.hex()})"


def named(word: str, slot: Slot) -> Algorithm:
    """The algorithm that a word of CHOICES means in a slot."""
    if word.startswith("rsa"):
        return Algorithm(Kind.RSA, int(word[3:]))
    if slot is Slot.DECRYPT and word == "ed25519":
        word = "x25519"
    curve = next(curve for curve in CURVES if curve.word == word)
    if slot is Slot.DECRYPT:
        return Algorithm(Kind.ECDH, curve=curve)
    return Algorithm(Kind.EDDSA if word == "ed25519" else Kind.ECDSA, curve=curve)


@dataclass(frozen=True)
class Offer:
    """An algorithm that a card offers for a slot, and its attributes as the card writes them."""

    algorithm: Algorithm
    raw: bytes


def offered(raw: bytes, maker: int = 0) -> dict[Slot, tuple[Offer, ...]]:
    """Algorithm information (FA) by slot, with its outer tag or without; what we know of it.

    Raises Garbled.
    """
    by_tag = {slot.attributes: slot for slot in Slot}
    found: dict[Slot, list[Offer]] = {}
    for known in _listed(raw):
        slot = by_tag.get(known.tag)
        algorithm = of_slot(known.value, slot) if slot else None
        if slot and algorithm is not None:
            found.setdefault(slot, []).append(Offer(algorithm, _own(known.value, algorithm)))
    if maker == objects.YUBICO:
        _complete(found)
    return {slot: tuple(offers) for slot, offers in found.items()}


def _listed(raw: bytes) -> tuple[tlv.Tlv, ...]:
    """What it lists. YubiKeys are known whose outer length counts two bytes that are not there."""
    whole = tlv.bare(objects.ALGORITHMS, raw)
    if whole == raw:
        whole = tlv.bare(objects.ALGORITHMS, raw + bytes(2))
        whole = raw if whole == raw + bytes(2) else whole
    return tlv.parse(whole)


def _own(raw: bytes, algorithm: Algorithm) -> bytes:
    """As the card writes them, but for x25519 as EdDSA, which it lists and does not take."""
    if algorithm.kind is Kind.ECDH and raw[0] == Kind.EDDSA.value:
        return bytes((Kind.ECDH.value,)) + raw[1:]
    return raw


def _complete(found: dict[Slot, list[Offer]]) -> None:
    """A YubiKey that has ed25519 has x25519, also where it lists that for signing only."""
    signs, decrypts = named("ed25519", Slot.SIGN), named("ed25519", Slot.DECRYPT)
    has = {slot: [offer.algorithm for offer in offers] for slot, offers in found.items()}
    if signs in has.get(Slot.SIGN, ()) and decrypts not in has.get(Slot.DECRYPT, ()):
        found.setdefault(Slot.DECRYPT, []).append(Offer(decrypts, decrypts.attributes()))
