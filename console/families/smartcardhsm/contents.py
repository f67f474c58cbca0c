"""What is on the device: its keys, each with its description and certificate, and other files.

The rule: read without a PIN, and nothing is changed. A key that others cannot see (no description)
and a description without its key are told from whole ones: a broken-off restore leaves the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from console.errors import Garbled, Refused
from console.families.smartcardhsm import cvc
from console.families.smartcardhsm.blob import PublicKey
from console.families.smartcardhsm.client import ABOUT, CERTIFICATE, DEVICE_KEY, KEY, SmartCardHsm
from console.families.smartcardhsm.description import Description, label_in
from console.protocols import tlv

DATA, PRIVATE_DATA, CA_CERTIFICATE = 0xCF, 0xCD, 0xCA
KINDS = {
    KEY: ("key", "keys"),
    CERTIFICATE: ("certificate or request", "certificates or requests"),
    CA_CERTIFICATE: ("CA certificate", "CA certificates"),
    DATA: ("data object", "data objects"),
    PRIVATE_DATA: ("private data object", "private data objects"),
}
DESCRIBED_IN = {CA_CERTIFICATE: 0xC8, DATA: 0xC9, PRIVATE_DATA: 0xC9}
OWN = frozenset(kind << 8 | DEVICE_KEY for kind in (KEY, ABOUT, CERTIFICATE))
LAST = 0xFF
NOTHING = "nothing"


@dataclass(frozen=True)
class HeldKey:
    """A key by its number on the card, as far as it is there."""

    number: int
    present: bool
    about: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)

    @property
    def description(self) -> Description | None:
        try:
            return Description.parse(self.about)
        except Garbled:
            return None

    @property
    def label(self) -> str:
        return self.description.label if self.description else ""

    @property
    def public(self) -> PublicKey | None:
        """Its public half, from the certificate or request beside it."""
        return cvc.public_key_in(self.certificate) if self.certificate else None

    @property
    def half(self) -> bool:
        """Is the key there and other programs cannot see it?"""
        return self.present and (not self.about or torn(self.about))

    @property
    def torn(self) -> bool:
        """Was its certificate or request written in part only?"""
        return self.present and torn(self.certificate)

    @property
    def whole(self) -> bool:
        """Is nothing missing? A certificate that outlived its key does no harm."""
        if not self.present:
            return not self.about
        return not self.half and not self.torn

    @property
    def words(self) -> str:
        named = f'key {self.number} "{self.label}"' if self.label else f"key {self.number}"
        seen = self.description
        kind = f" ({seen.kind} {seen.bits})" if seen and seen.bits else ""
        if not self.present:
            left = "description" if self.about else "certificate"
            return f"{named}: only its {left}, the key is not there"
        if self.half:
            return f"{named}: without its description, so other programs do not see it"
        if self.torn:
            return f"{named}{kind}: its certificate was written in part only"
        return f"{named}{kind}"


@dataclass(frozen=True)
class Contents:
    """Every file by its number, the keys among them, and what else there is, in words."""

    files: tuple[int, ...]
    keys: tuple[HeldKey, ...]
    others: tuple[str, ...] = ()

    @property
    def present(self) -> tuple[HeldKey, ...]:
        return tuple(key for key in self.keys if key.present)

    @property
    def taken(self) -> frozenset[int]:
        """Numbers at which a key, a description or a certificate is."""
        return frozenset(key.number for key in self.keys)

    def free(self, besides: frozenset[int] = frozenset()) -> int | None:
        """The first number at which nothing is; None if there is none."""
        taken = self.taken | besides
        return next((number for number in range(1, LAST + 1) if number not in taken), None)

    def key(self, number: int) -> HeldKey | None:
        return next((key for key in self.keys if key.number == number), None)

    @property
    def words(self) -> str:
        counted = (
            f"{count} {words[count > 1]}"
            for kind, words in KINDS.items()
            if (count := self._count(kind))
        )
        return ", ".join(counted) or NOTHING

    def _count(self, kind: int) -> int:
        """Without the device's own key and certificate; other kinds are counted from 0 on."""
        return sum(number >> 8 == kind and number not in OWN for number in self.files)


def torn(data: bytes) -> bool:
    """Is that the beginning of an object whose rest is missing? Nothing at all is not."""
    try:
        _, start, length = tlv.header(data)
    except Garbled:
        return bool(data)
    return start + length > len(data)


def read(
    hsm: SmartCardHsm, told: Callable[[int, int], None] = lambda done, total: None
) -> Contents:
    """Everything that is on it, as far as it may be read without a PIN."""
    files = hsm.files()
    of_keys = (number for number in files if number >> 8 in (KEY, ABOUT, CERTIFICATE))
    numbers = sorted({number & 0xFF for number in of_keys} - {DEVICE_KEY})
    keys = []
    for done, number in enumerate(numbers, start=1):
        keys.append(_held(hsm, number, files))
        told(done, len(numbers))
    others = (_other(hsm, number, files) for number in files if number >> 8 in DESCRIBED_IN)
    return Contents(files, tuple(keys), tuple(others))


def _other(hsm: SmartCardHsm, number: int, files: tuple[int, ...]) -> str:
    """A certificate or data object, with the label that its description gives it (PKCS#15)."""
    kind, at = divmod(number, 256)
    about = DESCRIBED_IN[kind] << 8 | at
    label = label_in(readable(hsm, about) if about in files else b"")
    return f'{KINDS[kind][0]} {at} "{label}"' if label else f"{KINDS[kind][0]} {at}"


def again(hsm: SmartCardHsm, held: Contents, number: int) -> Contents:
    """The same with one key read anew."""
    files = hsm.files()
    others = (key for key in held.keys if key.number != number)
    keys = sorted((*others, _held(hsm, number, files)), key=lambda key: key.number)
    return Contents(files, tuple(keys), held.others)


def _held(hsm: SmartCardHsm, number: int, files: tuple[int, ...]) -> HeldKey:
    present = (KEY << 8 | number) in files

    def content(kind: int) -> bytes:
        """Some cards list a key without what lies beside it; to read it is the only way to know."""
        name = kind << 8 | number
        return readable(hsm, name) if present or name in files else b""

    return HeldKey(number, present, content(ABOUT), content(CERTIFICATE))


def readable(hsm: SmartCardHsm, number: int) -> bytes:
    """The file; b"" where there is none, or where the card keeps it to itself."""
    try:
        return hsm.read(number) or b""
    except Refused as error:
        if error.code == "reset":
            raise
        return b""
