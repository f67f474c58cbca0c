"""The device's certificate chain: device, its issuer, the vendor's root.

The rule: pure; the day comes in. A broken signature is a fault. An unknown root or an expired
issuer is information: the first says whose product it is, the second leaves the card working
(reference 2.6).
`root.cvc` is the vendor's root DESRCACC100001, from OpenSC/OpenSC, etc/DESRCACC100001.cvc.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path

from console.errors import Garbled
from console.families.smartcardhsm.cvc import Certificate, parse

ROOT = Path(__file__).with_name("root.cvc")


class Trust(StrEnum):
    """What the chain proves."""

    VENDOR = "genuine"
    UNKNOWN = "unknown root"
    BROKEN = "broken"
    ABSENT = "absent"


@dataclass(frozen=True)
class Chain:
    """What was found: in a sentence, with what is worth knowing beside it."""

    trust: Trust
    sentence: str
    notes: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = field(default=(), repr=False)

    @property
    def device(self) -> Certificate | None:
        return self.certificates[0] if self.certificates else None

    @property
    def serial(self) -> str:
        """The device's serial: its holder's name without the certificate's number."""
        return self.device.holder if self.device else ""

    @property
    def digest(self) -> str:
        """SHA-256 of the device's certificate: differs once it has another identity."""
        return hashlib.sha256(self.device.raw).hexdigest() if self.device else ""


@cache
def root() -> Certificate:
    """The vendor's root."""
    return parse(ROOT.read_bytes())[0]


def examine(data: bytes, today: date, anchor: Certificate | None = None) -> Chain:
    """What EF.C_DevAut proves; `anchor` stands for the vendor's root."""
    anchor = anchor or root()
    try:
        certificates = parse(data)
    except Garbled as error:
        return Chain(Trust.BROKEN, f"The device certificate cannot be read. {error.sentence}")
    if not certificates:
        return Chain(Trust.ABSENT, "It has no device certificate.")
    certificates = _in_order(certificates)
    device, *above = certificates
    if not above:
        why = "It brings its own certificate without the issuer's, so its origin is not proven."
        return Chain(Trust.UNKNOWN, why, _dates(certificates, today), certificates)
    issuer = above[0]
    if not device.signed(issuer.key_in(anchor), issuer.oid):
        why = f"The device certificate {device.chr} was not signed by {issuer.chr}."
        return Chain(Trust.BROKEN, why, (), certificates)
    notes = _dates(certificates, today)
    if issuer.car != anchor.chr:
        why = f"Its chain ends at {issuer.car}, a root that is not known here: another vendor's, "
        return Chain(Trust.UNKNOWN, f"{why}a newer one, or a clone.", notes, certificates)
    if not issuer.signed(anchor.key, anchor.oid):
        why = f"The issuer {issuer.chr} names the vendor's root, which did not sign it."
        return Chain(Trust.BROKEN, why, notes, certificates)
    why = f"Its certificate chain is good up to the vendor's root {anchor.chr}."
    return Chain(Trust.VENDOR, why, notes, certificates)


def _in_order(certificates: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """The device's first, then whoever signed it: the issuer's may stand before it."""
    signers = {known.car for known in certificates}
    device = next((known for known in certificates if known.chr not in signers), certificates[0])
    above = [known for known in certificates if known is not device]
    above.sort(key=lambda known: known.chr != device.car)
    return device, *above


def _dates(certificates: tuple[Certificate, ...], today: date) -> tuple[str, ...]:
    return tuple(
        f"The certificate {known.chr} expired on {known.expires.isoformat()}; the device works on."
        for known in certificates
        if known.expires is not None and known.expires < today
    )
