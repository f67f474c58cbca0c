"""A backup file of keys: which keys it holds, for which slots, and whether it can be opened.

The rule: all that can be known of a backup is known before the card changes. The file is read
once; what is secret in it stays in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)
from pysequoia.packet import Packet, PacketPile, Tag

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
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One key of an OpenPGP file, and the slots that its owner made it for; none: not said."""

    locked: Locked
    slots: tuple[Slot, ...]


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

    def keys(self, slots: tuple[Slot, ...], passphrase: str, created: int) -> dict[Slot, SecretKey]:
        """The key for each of the slots; without slots, for each that it has one for.

        Raises BadUsage (wrong passphrase, no key for a slot, a damaged key).
        """
        if self.bare:
            return self._one_for(slots or (), passphrase, created)
        chosen = {slot: self._entry(slot) for slot in slots or tuple(self._told())}
        if not chosen:
            raise BadUsage(
                "The backup does not say what its key is for.",
                f"Name the slot: sign, decrypt or auth. {_UNTOUCHED}",
            )
        return {slot: _opened(entry, passphrase) for slot, entry in chosen.items()}

    def _told(self) -> Iterator[Slot]:
        """Slots that it has keys for; a single key without flags is told by its kind and file.

        gpg's own card backup holds the decryption key and nothing else (gpg, sk_*.gpg).
        """
        for slot in Slot:
            if any(slot in entry.slots for entry in self.entries):
                yield slot
        if len(self.entries) == 1 and not self.entries[0].slots:
            kind = self.entries[0].locked.public.algorithm.kind
            if kind is Kind.ECDH or (kind is Kind.RSA and self.name.startswith("sk_")):
                yield Slot.DECRYPT

    def _entry(self, slot: Slot) -> Entry:
        made_for = [entry for entry in self.entries if slot in entry.slots]
        unsaid = [entry for entry in self.entries if not entry.slots]
        for entry in (*made_for, *unsaid):
            if not entry.locked.missing and _fits(entry.locked.public.algorithm.kind, slot):
                return entry
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
    """Each secret key with the flags of the signature that follows it."""
    locked: Locked | None = None
    slots: tuple[Slot, ...] = ()
    for known in _packets(name, data):
        if known.tag in (Tag.SecretKey, Tag.SecretSubkey):
            if locked is not None:
                yield Entry(locked, slots)
            locked, slots = Locked.parse(known.body), ()
            if known.fingerprint != locked.fingerprint.hex():
                raise BadUsage(f"{name} holds a key that cannot be read here.", _NO_KEY)
        elif known.tag == Tag.Signature and not slots:
            slots = tuple(_flagged(known))
    if locked is not None:
        yield Entry(locked, slots)


def _flagged(signature: Packet) -> Iterator[Slot]:
    flags = signature.key_flags
    if flags is None:
        return
    if flags.signing or flags.certification:
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
