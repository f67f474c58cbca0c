"""A backup file of keys: which keys it holds, for which slots, and whether it can be opened.

The rule: all that can be known of a backup is known before the card changes. The file is read
once; what is secret in it stays in memory.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)
from pysequoia.packet import Packet, PacketPile, SignatureType, Tag

from console.errors import BadUsage
from console.families.openpgp.algorithms import Kind
from console.families.openpgp.objects import Slot
from console.families.openpgp.publickey import of_library
from console.families.openpgp.secretkey import Private, SecretKey, of_numbers
from console.families.openpgp.unlock import Locked

LARGEST = 1 << 20
"""Bytes; a key file is smaller."""
CARD_BACKUP = re.compile(r"sk_([0-9A-Fa-f]{16})\.gpg")
"""gpg names the backup that it makes with a card's key after that key's id (sk_*.gpg)."""
PEM = b"-----BEGIN "
DER = b"\x30"
_UNTOUCHED = "Nothing is written."
_NO_KEY = f"Take the file that gpg wrote, or a PKCS#8 or PEM key. {_UNTOUCHED}"
_SELF_SIGNED = (
    SignatureType.GenericCertification,
    SignatureType.PersonaCertification,
    SignatureType.CasualCertification,
    SignatureType.PositiveCertification,
    SignatureType.DirectKey,
    SignatureType.SubkeyBinding,
)
_REVOKED = (SignatureType.KeyRevocation, SignatureType.SubkeyRevocation)
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One key of an OpenPGP file, as its newest self-signature has it.

    `slots` are those that its owner made it for; none: not said. `certifies`: its owner signs keys
    with it, and nothing else. `expires` is 0 where it does not.
    """

    locked: Locked
    slots: tuple[Slot, ...]
    certifies: bool = False
    expires: int = 0
    revoked: bool = False
    signed: int = 0
    """When the newest self-signature was made."""

    def ended(self, now: int) -> str:
        """Why it is of no use any more; "" while it is."""
        if self.revoked:
            return "was revoked"
        if not self.expires or self.expires > now:
            return ""
        return f"expired on {datetime.fromtimestamp(self.expires, UTC):%Y-%m-%d}"

    @property
    def name(self) -> str:
        return self.locked.fingerprint.hex().upper()


@dataclass(frozen=True)
class Backup:
    """A backup file as it was read: the keys of an OpenPGP file, or one bare private key."""

    name: str
    entries: tuple[Entry, ...] = ()
    bare: bytes = field(default=b"", repr=False)

    @property
    def wants_created(self) -> bool:
        """Does it not say itself when its key was made?"""
        return bool(self.bare)

    @property
    def wants_passphrase(self) -> bool:
        if self.bare:
            return _load(self.bare, None) is None
        return any(entry.locked.wants_passphrase for entry in self.entries)

    @property
    def key_id(self) -> bytes:
        """The key that its file name promises (the end of a fingerprint); b"" where it does not."""
        named = CARD_BACKUP.fullmatch(self.name)
        return bytes.fromhex(named[1]) if named else b""

    def keys(
        self, slots: tuple[Slot, ...], passphrase: str, created: int, now: int = 0
    ) -> dict[Slot, SecretKey]:
        """The key for each of the slots; without slots, for each that it has one for.

        `now` is what expiry is measured against, and never earlier than its own signatures.
        Raises BadUsage (wrong passphrase, no key for a slot, only an old one, a damaged key).
        """
        if self.bare:
            return self._one_for(slots or (), passphrase, created)
        wanted = slots or tuple(self._told())
        if not wanted:
            raise BadUsage(
                "The backup does not say what its key is for.",
                f"Name the slot: sign, decrypt or auth. {_UNTOUCHED}",
            )
        chosen = {slot: self._entry(slot, self._moment(now), bool(slots)) for slot in wanted}
        return {slot: _opened(entry, passphrase) for slot, entry in chosen.items()}

    def left_out(self, taken: Collection[SecretKey], now: int = 0) -> tuple[str, ...]:
        """The keys that are of no use any more and were not taken, each with the reason."""
        names = {key.fingerprint for key in taken}
        others = (entry for entry in self.entries if entry.locked.fingerprint not in names)
        ends = ((entry, entry.ended(self._moment(now))) for entry in others)
        return tuple(f"{entry.name} {why}" for entry, why in ends if why)

    def _moment(self, now: int) -> int:
        """No earlier than what was signed in the file: a clock may be slow."""
        return max((now, *(entry.signed for entry in self.entries)))

    def _told(self) -> Iterator[Slot]:
        """Slots that it has keys for; a single key without flags is told by its kind and file.

        gpg's own card backup holds the decryption key and nothing else (gpg, sk_*.gpg).
        """
        for slot in Slot:
            if any(not entry.locked.missing for entry in self._made_for(slot)):
                yield slot
        if len(self.entries) == 1 and not self._said(self.entries[0]):
            kind = self.entries[0].locked.public.algorithm.kind
            if kind is Kind.ECDH or (kind is Kind.RSA and self.name.startswith("sk_")):
                yield Slot.DECRYPT

    @staticmethod
    def _said(entry: Entry) -> bool:
        return bool(entry.slots) or entry.certifies

    def _made_for(self, slot: Slot) -> tuple[Entry, ...]:
        """A key that only certifies is the signing key where there is no other."""
        found = tuple(entry for entry in self.entries if slot in entry.slots)
        if found or slot is not Slot.SIGN:
            return found
        return tuple(entry for entry in self.entries if entry.certifies)

    def _entry(self, slot: Slot, now: int, named: bool) -> Entry:
        """The newest that is of use; one that expired, only where there is no other and `named`.

        An owner may have moved the expiry in a certificate that the backup does not hold.
        """
        made_for = self._made_for(slot)
        for entries in (made_for, tuple(each for each in self.entries if not self._said(each))):
            usable = sorted((each for each in entries if _usable(each, slot)), key=_newest_first)
            for entry in usable:
                if not entry.ended(now):
                    return entry
            if usable and named and not usable[0].revoked:
                return usable[0]
            if usable:
                raise _ended(usable[0], slot, now)
        missing = next((entry.locked.missing for entry in made_for), "")
        why = f" Its secret is {missing}." if missing else ""
        raise BadUsage(
            f"The backup {self.name} holds no key for the {slot.title} slot.{why}", _NO_KEY
        )

    def _one_for(
        self, slots: tuple[Slot, ...], passphrase: str, created: int
    ) -> dict[Slot, SecretKey]:
        if len(slots) != 1:
            raise BadUsage(
                "This file holds one key and does not say what it is for.",
                f"Name the one slot: sign, decrypt or auth. {_UNTOUCHED}",
            )
        private = _load(self.bare, passphrase)
        if private is None:
            raise BadUsage("That is not the passphrase of this backup.", _UNTOUCHED)
        public = of_library(private.public_key(), slots[0] is Slot.DECRYPT)
        if public is None or not _fits(public.algorithm.kind, slots[0]):
            raise BadUsage(f"A key of this kind does not fit the {slots[0].title} slot.", _NO_KEY)
        return {slots[0]: SecretKey(public, created, private)}


def _fits(kind: Kind, slot: Slot) -> bool:
    return kind is Kind.RSA or (kind is Kind.ECDH) == (slot is Slot.DECRYPT)


def _usable(entry: Entry, slot: Slot) -> bool:
    return not entry.locked.missing and _fits(entry.locked.public.algorithm.kind, slot)


def _newest_first(entry: Entry) -> tuple[bool, int]:
    return entry.revoked, -entry.locked.created


def _ended(entry: Entry, slot: Slot, now: int) -> BadUsage:
    if entry.revoked:
        advice = "Name the other slots that are wanted, or take a newer backup."
    else:
        advice = f"Name the slots that are wanted; with {slot.word} among them it is taken."
    sentence = f"The {slot.title} key of the backup, {entry.name}, {entry.ended(now)}."
    return BadUsage(sentence, f"{advice} {_UNTOUCHED}")


def _opened(entry: Entry, passphrase: str) -> SecretKey:
    locked = entry.locked
    return of_numbers(locked.public, locked.created, locked.open(passphrase), locked.kdf)


# --- reading -------------------------------------------------------------------------------


def read(name: str) -> Backup:
    """The backup in a file. Raises BadUsage (no such file, no private key in it)."""
    path = Path(name).expanduser()
    try:
        if path.stat().st_size > LARGEST:
            raise BadUsage(f"{path.name} is too large for a key.", _NO_KEY)
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise BadUsage(f"There is no file {name} that can be read.", _UNTOUCHED) from error
    return parse(path.name, data)


def parse(name: str, data: bytes) -> Backup:
    """The same from its bytes."""
    if data.startswith(PEM) and b"PGP" not in data[:40]:
        return _bare(name, data)
    if data.startswith(DER):
        return _bare(name, data)
    entries = tuple(_entries(name, data))
    if not entries:
        raise BadUsage(f"{name} holds public keys only, no secret one.", _NO_KEY)
    if all(entry.locked.missing for entry in entries):
        why = entries[0].locked.missing
        raise BadUsage(f"{name} names its keys, but their secret is {why}.", _NO_KEY)
    return Backup(name, entries)


def _bare(name: str, data: bytes) -> Backup:
    if b"PUBLIC KEY" in data[:60] or b"CERTIFICATE" in data[:60]:
        raise BadUsage(f"{name} is a public key; there is no secret in it.", _NO_KEY)
    _load(data, None)
    return Backup(name, bare=data)


def _load(data: bytes, passphrase: str | None) -> Private | None:
    """The private key of a PEM or DER file; None if another passphrase is wanted."""
    load = load_pem_private_key if data.startswith(PEM) else load_der_private_key
    try:
        key = load(data, passphrase.encode() if passphrase else None)
    except TypeError:
        # A passphrase where none is wanted, or none where one is.
        return _load(data, None) if passphrase else None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase:
            return None
        raise BadUsage("The file holds no private key that can be read.", _NO_KEY) from None
    if not isinstance(key, Private):
        raise BadUsage("No OpenPGP card holds a private key of this kind.", _NO_KEY)
    return key


def _entries(name: str, data: bytes) -> Iterator[Entry]:
    """Each secret key as the self-signatures after it have it (RFC 4880, 11.1).

    Raises BadUsage where the keys are of several owners: which is the card's, nobody has said.
    """
    groups: list[list[Packet]] = []
    for known in _packets(name, data):
        if known.tag in (Tag.SecretKey, Tag.SecretSubkey, Tag.PublicKey, Tag.PublicSubkey):
            groups.append([known])
        elif groups:
            groups[-1].append(known)
    _must_be_one(name, {group[0].fingerprint for group in groups if group[0].tag == Tag.SecretKey})
    primary, revoked = "", False
    for key, *others in groups:
        if key.tag in (Tag.SecretKey, Tag.PublicKey):
            primary = key.fingerprint or ""
            revoked = any(_is_self(each, primary, _REVOKED) for each in others)
        if key.tag in (Tag.SecretKey, Tag.SecretSubkey):
            entry = _described(_read_key(name, key), others, primary)
            yield replace(entry, revoked=entry.revoked or revoked)


def _must_be_one(name: str, primaries: set[str | None]) -> None:
    if len(primaries) > 1:
        words = ", ".join(sorted(str(primary).upper() for primary in primaries))
        raise BadUsage(
            f"{name} holds the keys of several owners: {words}.",
            f"Export the one that is wanted: gpg --export-secret-keys FINGERPRINT. {_UNTOUCHED}",
        )


def _read_key(name: str, key: Packet) -> Locked:
    locked = Locked.parse(key.body)
    if key.fingerprint != locked.fingerprint.hex():
        raise BadUsage(f"{name} holds a key that cannot be read here.", _NO_KEY)
    return locked


def _described(locked: Locked, others: list[Packet], primary: str) -> Entry:
    """By the newest of its self-signatures; one with flags goes before one without."""
    revoked = any(_is_self(each, primary, _REVOKED) for each in others)
    own = [each for each in others if _is_self(each, primary, _SELF_SIGNED)]
    newest = max(own, key=lambda each: (each.key_flags is not None, _made(each)), default=None)
    if newest is None:
        return Entry(locked, (), revoked=revoked)
    slots, flags, valid = tuple(_flagged(newest)), newest.key_flags, newest.key_validity_period
    certifies = flags is not None and flags.certification and not slots
    expires = locked.created + int(valid.total_seconds()) if valid else 0
    signed = max(_made(each) for each in own)
    return Entry(locked, slots, certifies, expires, revoked, signed)


def _is_self(signature: Packet, primary: str, kinds: tuple[SignatureType, ...]) -> bool:
    """Is it one of these, by the owner? Others may have certified or revoked in vain."""
    if signature.tag != Tag.Signature or signature.signature_type not in kinds:
        return False
    issuer = signature.issuer_fingerprint or signature.issuer_key_id or ""
    return not primary or primary.endswith(issuer)


def _made(signature: Packet) -> int:
    found = signature.signature_created
    return int(found.timestamp()) if found else 0


def _flagged(signature: Packet) -> Iterator[Slot]:
    flags = signature.key_flags
    if flags is None:
        return
    if flags.signing:
        yield Slot.SIGN
    if flags.transport_encryption or flags.storage_encryption:
        yield Slot.DECRYPT
    if flags.authentication:
        yield Slot.AUTH


def _packets(name: str, data: bytes) -> list[Packet]:
    try:
        return list(PacketPile.from_bytes(data))
    except Exception:  # noqa: BLE001 - the library names no narrower one
        raise BadUsage(f"{name} is no key file that is known here.", _NO_KEY) from None


def moment(text: str, now: int) -> int:
    """A creation time: seconds since 1970, or a date and time (UTC where it says nothing).

    Raises BadUsage.
    """
    wrong = BadUsage(
        f"{text} is no creation time.", "Such as 2024-05-17T09:30:00Z, or 1715938200 (seconds)."
    )
    try:
        found = int(text) if text.isdigit() else int(_dated(text).timestamp())
    except ValueError:
        raise wrong from None
    if not _EARLIEST.timestamp() <= found <= now:
        raise wrong
    return found


def _dated(text: str) -> datetime:
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)
