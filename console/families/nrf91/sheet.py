"""The job sheet: `credentials.toml`, what the customer wants in the modem, checked on the host.

The rule: whatever the modem would refuse or store wrongly is refused here, in a sentence and
before anything is written. Contents come from files, and no sentence quotes one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from console.errors import GateClosed, Refused
from console.families.nrf91 import at
from console.families.nrf91.at import Way
from console.families.nrf91.store import TAG_LIMIT, Entry, Type, counted, digest_of, name_of

MOST = 4000
"""Bytes of content that one command carries: at_host takes 4096 with everything around it."""
TYPES = {each.name.lower(): each for each in Type}
KEYS = {"tag", "type", "file", "sha256"}
UNTOUCHED = "Nothing is written."
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n[A-Za-z0-9+/=\n]+-----END \1-----")


@dataclass(frozen=True)
class Item:
    """One credential of the sheet: what is written, and the digests that mean it is there."""

    tag: int
    type: Type
    file: str
    content: str = field(repr=False)
    digests: frozenset[str]

    @property
    def pair(self) -> tuple[int, int]:
        return self.tag, self.type

    @property
    def name(self) -> str:
        return name_of(self.tag, self.type)

    @property
    def digest(self) -> str:
        """What the modem tells of it once it is written."""
        return digest_of(self.content)

    def is_in(self, entry: Entry | None) -> bool:
        """Is that entry this credential? One without a digest is taken for it."""
        return entry is not None and (not entry.digest or entry.digest in self.digests)

    def is_proven_by(self, entry: Entry | None) -> bool:
        """Is that entry this credential, by its digest? One without may be another."""
        return entry is not None and entry.digest in self.digests


@dataclass(frozen=True)
class Sheet:
    """Every credential that the sheet asks for, in its order."""

    items: tuple[Item, ...]

    def __str__(self) -> str:
        return f"{counted(len(self.items))}, each file checked"

    @classmethod
    def read(cls, path: str) -> Sheet:
        """The sheet and its files. Raises GateClosed for the first thing that is wrong."""
        place = Path(path)
        rows = _rows(place)
        items = tuple(_item(number, row, place.parent) for number, row in enumerate(rows, 1))
        seen: set[tuple[int, int]] = set()
        for item in items:
            if item.pair in seen:
                raise _wrong(f"The sheet names {item.name} twice.", "Each tag has one of a type.")
            seen.add(item.pair)
        sheet = cls(items)
        for item in items:
            _require_pair(item, sheet.find(item.tag, Type.CERT))
        return sheet

    def stored_by(self, way: Way) -> Sheet:
        """The sheet as the store shows it when it is written that way.

        A shell's command "at" makes CR LF of each line end (sdk-nrf, lib/at_shell).
        """
        if way is not Way.SHELL:
            return self
        return Sheet(tuple(map(_with_line_ends, self.items)))

    def find(self, tag: int, kind: Type) -> Item | None:
        return next((item for item in self.items if item.pair == (tag, kind)), None)


def require_passable(items: Iterable[Item], way: Way) -> None:
    """Raises GateClosed for the first that the board could not pass on whole, that way."""
    for item in items:
        try:
            at.encode(at.writing(*item.pair, item.content), way)
        except Refused as error:
            advice = error.advice.removeprefix("Nothing was sent. ")
            raise _wrong(f"{item.file}: {error.sentence}", advice) from None


def _with_line_ends(item: Item) -> Item:
    other = digest_of(item.content.replace("\n", "\r\n"))
    return replace(item, digests=item.digests | {other})


def _wrong(sentence: str, advice: str) -> GateClosed:
    return GateClosed(sentence, f"{UNTOUCHED} {advice}".strip())


def _rows(place: Path) -> list[Any]:
    data = _read(place, "sheet")
    try:
        read = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # What the parser says may quote the line, and somebody may have pasted a key into it.
        raise _wrong(f"The sheet {place.name} is not valid TOML.", _FORM) from None
    rows = read.get("credential")
    if not isinstance(rows, list) or not rows or set(read) != {"credential"}:
        raise _wrong(f"The sheet {place.name} names no credentials.", _FORM)
    return rows


_FORM = (
    "Its form: [[credential]], then tag = 42, type = ca, cert, key, psk or identity (quoted), "
    'file = "ca.pem".'
)


def _item(number: int, row: Any, folder: Path) -> Item:
    where = f"Credential {number} of the sheet"
    if not isinstance(row, dict) or not {"tag", "type", "file"} <= set(row) <= KEYS:
        raise _wrong(f"{where} needs tag, type and file, and may have sha256.", _FORM)
    tag, kind, file = row["tag"], row["type"], row["file"]
    if not isinstance(tag, int) or isinstance(tag, bool) or not 0 <= tag <= TAG_LIMIT:
        raise _wrong(f"{where} has no tag from 0 to {TAG_LIMIT}.", "Others are the modem's own.")
    if not isinstance(kind, str) or kind not in TYPES:
        raise _wrong(f"{where} has an unknown type.", f"One of: {', '.join(TYPES)}.")
    if not isinstance(file, str) or not file:
        raise _wrong(f"{where} names no file.", _FORM)
    raw = _read(folder / file, "file of the sheet")
    content = _content(TYPES[kind], raw, file)
    # What was once written with its last line end, or its comments, is the same credential.
    written = {digest_of(each) for each in (raw, raw.rstrip(), content.encode())}
    _require_digest(row.get("sha256"), written, file)
    return Item(tag, TYPES[kind], file, content, frozenset(written))


def _read(place: Path, what: str) -> bytes:
    try:
        return place.read_bytes()
    except (OSError, ValueError):  # a name with a NUL in it is a ValueError
        raise _wrong(
            f"The {what} {place.name} is not there, or cannot be read.",
            f"It is looked for in {place.parent}.",
        ) from None


def _require_digest(wanted: object, known: set[str], file: str) -> None:
    """Raises GateClosed unless it is one of these: of the file, or as the modem tells it."""
    if wanted is None:
        return
    if not isinstance(wanted, str) or wanted.strip().upper() not in known:
        raise _wrong(
            f"{file} has another SHA-256 than the sheet says.",
            "It is not the file that was meant, or it was changed. Ask for it again.",
        )


# --- contents --------------------------------------------------------------------------------


def _content(kind: Type, raw: bytes, file: str) -> str:
    """The text that is written. Raises GateClosed."""
    if b"\r" in raw:
        raise _wrong(
            f"{file} has CRLF line ends; new modem firmware refuses them, old stores them as is.",
            f"Make them LF: sed -i 's/\\r$//' {file}",
        )
    try:
        text = raw.decode("ascii" if kind in (Type.PSK, Type.IDENTITY) else "utf-8").rstrip()
    except UnicodeDecodeError:
        raise _wrong(f"{file} is no text.", "A certificate or key must be PEM, not DER.") from None
    checked = _CHECKS[kind](text, file)
    if len(checked.encode()) > MOST:
        raise _wrong(
            f"{file} holds {len(checked.encode())} bytes; one command carries {MOST}.",
            "Leave certificates out that are not needed, or split them over several tags.",
        )
    return checked


def _blocks(text: str, file: str, what: str) -> tuple[str, ...]:
    """The PEM blocks without what stands around them."""
    found = tuple(block[0] for block in _BLOCK.finditer(text))
    if not found or text.count("-----BEGIN") != len(found):
        raise _wrong(f"{file} is no whole PEM file of a {what}.", "Ask for the file again.")
    return found


def _authorities(text: str, file: str) -> str:
    return _certificates_alone(text, file, "root CA")


def _certificate(text: str, file: str) -> str:
    return _certificates_alone(text, file, "certificate")


def _certificates_alone(text: str, file: str, what: str) -> str:
    """The certificates of the file, which holds nothing else. Raises GateClosed.

    The library skips other blocks; the modem would store them, and give a certificate's slot out.
    """
    blocks = _blocks(text, file, what)
    labels = [block.partition("-----BEGIN ")[2].partition("-----")[0] for block in blocks]
    if any("PRIVATE KEY" in label for label in labels):
        there = "beside the certificate" if "CERTIFICATE" in labels else "and no certificate"
        raise _wrong(
            f"{file} holds a private key {there}.",
            "A modem gives certificates out. Each belongs in a file, and a row, of its own.",
        )
    if set(labels) != {"CERTIFICATE"}:
        raise _wrong(f"{file} holds something else than certificates.", "Leave the rest out.")
    pem = "\n".join(blocks)
    _certificates(pem, file)
    return pem


def _certificates(pem: str, file: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise _wrong(
            f"{file} holds no certificate that can be read.", "Ask for it again."
        ) from None


def _private_key(text: str, file: str) -> str:
    if "ENCRYPTED" in text:
        raise _wrong(f"{file} is locked with a passphrase.", "The modem needs the plain key.")
    # A curve's parameters may stand before an EC key; the modem wants the key alone.
    blocks = [b for b in _blocks(text, file, "private key") if "PRIVATE KEY" in b]
    if len(blocks) != 1:
        raise _wrong(f"{file} does not hold exactly one private key.", "Ask for it again.")
    _public(blocks[0], file)
    return blocks[0]


def _public(pem: str, file: str) -> PublicKeyTypes:
    try:
        return load_pem_private_key(pem.encode(), None).public_key()
    except (ValueError, TypeError):
        problem = f"{file} holds no private key that can be read."
    except Exception:  # noqa: BLE001 - the library's own words could quote the key
        problem = f"{file} holds a private key of a kind that is not known here."
    raise _wrong(problem, "Ask for it again.")


def _psk(text: str, file: str) -> str:
    if not re.fullmatch(r"([0-9A-Fa-f]{2})+", text):
        raise _wrong(f"{file} is no PSK: that is hex digits, two for each byte.", "No 0x, no gaps.")
    return text


def _identity(text: str, file: str) -> str:
    if not text or not text.isprintable() or '"' in text:
        raise _wrong(f"{file} is no PSK identity: that is one line without quotes.", "")
    return text


_CHECKS = {
    Type.CA: _authorities,
    Type.CERT: _certificate,
    Type.KEY: _private_key,
    Type.PSK: _psk,
    Type.IDENTITY: _identity,
}


def _require_pair(item: Item, certificate: Item | None) -> None:
    """Raises GateClosed where the key is not that of the certificate under the same tag."""
    if item.type is not Type.KEY or certificate is None:
        return
    leaf = _certificates(certificate.content, certificate.file)[0]
    if _spelled(leaf.public_key()) != _spelled(_public(item.content, item.file)):
        raise _wrong(
            f"{item.file} is the key of another certificate than {certificate.file}.",
            f"Both are for tag {item.tag}, so they must belong together.",
        )


def _spelled(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
