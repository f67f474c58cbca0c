"""The devices: their answers to reset, the production lines, what each firmware does.

The rule: pure tables. The line is decided by the version that the card tells, never by its serial:
the published serial ranges overlap (reference 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass

VID, PID = "20a0", "4230"
HISTORICAL = "815448534d31"
""""THSM1", with its tag, in the historical bytes of every answer to reset of these cards."""

FIXED = (3, 2)
"""From here on UNWRAP takes a key with an algorithm list again."""
BROKEN = (3, 1)
FIRST_WITH_DOMAINS = 3
LATEST_LINE = 4
"""Versions beyond it are no line of this vendor's that is known here: the product of another."""
DEMO = 0x01
PORTAL = "the vendor's PKI-as-a-Service portal"


def is_hsm(atr: str) -> bool:
    """Does the answer to reset (hex) name a SmartCard-HSM?"""
    return HISTORICAL in atr.lower()


@dataclass(frozen=True)
class Version:
    """The version of the applet, and what runs it."""

    major: int
    minor: int
    applet: int | None = None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def pair(self) -> tuple[int, int]:
        return self.major, self.minor

    @property
    def loses_listed_keys(self) -> bool:
        """Does its UNWRAP answer 6F00 to every key that has an algorithm list?"""
        return self.pair == BROKEN

    @property
    def strange(self) -> bool:
        """Is it of no line that is known here?"""
        return self.major > LATEST_LINE

    @property
    def line(self) -> str:
        """Which line it is on, and where that ends."""
        demo = " It is a demo applet, not for use." if self.applet == DEMO else ""
        if self.strange:
            return f"Firmware {self}: no line of the Nitrokey HSM that is known here.{demo}"
        if self.major < 3:
            return (
                f"Firmware {self}: the line of the Nitrokey HSM 1, which has ended. It can never "
                f"become 3.x, not by any update.{demo}"
            )
        return f"Firmware {self}: the line of the Nitrokey HSM 2.{demo}"

    @property
    def never(self) -> str:
        """What can never be updated."""
        if self.strange:
            return "Whether and how it is updated, its own vendor knows."
        if self.major < 3:
            return "Neither the card nor the USB part of this device can be updated."
        return (
            f"The card is updated through {PORTAL} only, which deletes every key and gives the "
            "device another identity; the USB part can never be updated."
        )


TRAP = (
    "Firmware 3.1 exports keys that have an algorithm list and cannot take them back (it answers "
    "6F00). That is a fault of the firmware; the keys and the backup are good."
)
"""Case 2, in words."""
WAY_OUT = (
    "Restore onto a device with firmware 3.2 or later, or onto an HSM 1 (2.x): both take the same "
    "backup. Delete nothing on the source."
)
