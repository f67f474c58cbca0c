"""What the tests of cards that are not ours share: flows by name, a line to a card, what was said.

The rule: nothing here judges; a test does.
"""

from __future__ import annotations

from console.families.smartcardhsm.client import SmartCardHsm
from console.families.smartcardhsm.simulator import OTHER_SHARE
from console.families.smartcardhsm.simulator_blob import Domain
from tests.families.smartcardhsm.sticks import NEW
from tests.families.smartcardhsm.sticks import SO as SO_HEX

CHECK, BACKUP, RESTORE, RESET, REKEY, UNBLOCK, FLASH = (
    f"smartcardhsm.{name}"
    for name in ("check", "backup", "restore", "reset", "rekey", "unblock", "flash")
)
UNWRAP, SHARES, GENERATE, UPDATE = 0x74, 0x52, 0x46, 0xD7
OTHER_KCV = Domain(1, 0, OTHER_SHARE).check_value.hex()
BY_SO_PIN = {"so_pin_format": "16 hex digits", "so_pin": SO_HEX, "new_pin": NEW}
WISHES = BY_SO_PIN | {"shares": "1"}


def said(view) -> str:
    words = " ".join(f"{told.sentence} {told.advice}" for told in view.said)
    return f"{words} {view.ended.sentence} {view.ended.advice} {view.ended.warnings}"


class Line:
    """A card line straight to a simulated card."""

    def __init__(self, made) -> None:
        self.card = made

    def transmit(self, apdu: bytes) -> bytes:
        self.card.begin(apdu)
        return self.card.work(0.0)


def client(made) -> SmartCardHsm:
    return SmartCardHsm.open(Line(made))
