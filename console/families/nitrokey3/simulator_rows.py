"""The keys that can be simulated, a row each: names and ids, chip, whose signature counts.

The rule: data only, from published facts (kernel logs, the vendor's firmware and updater); it
shares no row with the client.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Chip(IntEnum):
    """The number is the one that STATUS answers in its fifth byte (admin-app)."""

    LPC55 = 1
    NRF52 = 2


class Model(IntEnum):
    """STATUS, sixth byte."""

    NK3 = 0
    PASSKEY = 1


@dataclass(frozen=True, order=True)
class Version:
    """A firmware version as images and the VERSION command carry it."""

    major: int
    minor: int
    patch: int

    @classmethod
    def of(cls, text: str) -> Version:
        major, minor, patch = (int(part) for part in text.split("."))
        return cls(major, minor, patch)

    @classmethod
    def unpacked(cls, number: int) -> Version:
        """From major << 22 | minor << 6 | patch."""
        return cls(number >> 22, number >> 6 & 0xFFFF, number & 0x3F)

    @property
    def packed(self) -> int:
        return self.major << 22 | self.minor << 6 | self.patch

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


NITROKEY = 0x20A0
EVERY_APP = ("fido", "opcard", "secrets", "piv")


@dataclass(frozen=True)
class Personality:
    """One kind of key. `signer` is the P-256 point (x, y) that an nRF52 image is checked with."""

    name: str
    chip: Chip
    model: Model
    revision: int
    firmware_pid: int
    bootloader_pid: int
    product: str
    bootloader_maker: str
    bootloader_product: str
    bootloader_release: int
    aaguid: str
    apps: tuple[str, ...] = EVERY_APP
    has_card: bool = True
    """Does the firmware show a card reader beside FIDO?"""
    signer: str = ""


_NK3_SIGNER = (
    "a0849b19007ccd4661c01c533804b7fd0c4d8c0e7583653f1f36a8331afff298"
    "b542bd00a3dc47c16bf428ac4d2864137d63f702d89e5b42674e0549b4232618"
)
_PASSKEY_SIGNER = (
    "45121cdf7a10826faa58c8cbe7bb1a40fe71c85c7756324eac09610d4710e9da"
    "dd473c0c9d35838b5cce301e796b2e14a8c29c86f0eb15f36325096506e275e6"
)

NK3A_NFC = Personality(
    name="Nitrokey 3A NFC",
    chip=Chip.LPC55,
    model=Model.NK3,
    revision=1,
    firmware_pid=0x42B2,
    bootloader_pid=0x42DD,
    product="Nitrokey 3",
    bootloader_maker="NXP SEMICONDUCTOR INC.",
    bootloader_product="USB COMPOSITE DEVICE",
    bootloader_release=0x0300,
    aaguid="2cd2f727f6ca44da8f485c2e5da000a2",
)
NK3C_NFC = Personality(**{**vars(NK3A_NFC), "name": "Nitrokey 3C NFC"})
"""The same board behind the other plug: on the bus they are one thing."""

NK3A_MINI = Personality(
    name="Nitrokey 3A Mini",
    chip=Chip.NRF52,
    model=Model.NK3,
    revision=0,
    firmware_pid=0x42B2,
    bootloader_pid=0x42E8,
    product="Nitrokey 3",
    bootloader_maker="Nitrokey",
    bootloader_product="Nitrokey 3 Bootloader",
    bootloader_release=0x0100,
    aaguid="2cd2f727f6ca44da8f485c2e5da000a2",
    signer=_NK3_SIGNER,
)
PASSKEY = Personality(
    name="Nitrokey Passkey",
    chip=Chip.NRF52,
    model=Model.PASSKEY,
    revision=0,
    firmware_pid=0x42F3,
    bootloader_pid=0x42F4,
    product="Nitrokey Passkey",
    bootloader_maker="Nitrokey",
    bootloader_product="Nitrokey Passkey Bootloader",
    bootloader_release=0x0100,
    aaguid="ccebd8aa5e2e4b7aa2a0ee3c7a2dd3c1",
    apps=("fido",),
    has_card=False,
    signer=_PASSKEY_SIGNER,
)
ROWS = (NK3A_NFC, NK3C_NFC, NK3A_MINI, PASSKEY)
