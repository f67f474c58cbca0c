"""Scenarios and files that only the tests of this family need.

The rule: secrets of the tests are theirs and known here, so that a test can look for them anywhere.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from console.families.smartcardhsm import share
from console.families.smartcardhsm.simulator import (
    PIN,
    SHARE,
    SO_PIN,
    HsmStick,
    initialised,
    with_key,
)
from console.families.smartcardhsm.simulator_card import HsmCard
from console.families.smartcardhsm.simulator_rows import HSM_3_4, INSTANT, Firmware
from console.hardware.simulated import Scenario, Unit
from console.toil import Toil, derive
from tests.harness import Workshop

USER = PIN.decode()
SO = SO_PIN.hex()
SO_TEXT = SO_PIN.decode()
NEW = "neuer-kanari-81"
KCV = "e396e9bcc17449f7"
ROUNDS = 50
"""In place of ten million, where a test is not about them."""
SALT = b"salzsalz"


def card(
    serial: str = "DENK0109001",
    firmware: Firmware = HSM_3_4,
    setup: Callable[[HsmCard], HsmCard] = initialised,
    **options: object,
) -> Callable[[], HsmCard]:
    """A card that takes no time, set up by `setup`."""
    return lambda: setup(HsmCard(firmware, serial, pace=INSTANT, **options))


def fresh(made: HsmCard) -> HsmCard:
    """As it left the vendor."""
    return made


def with_ec(made: HsmCard) -> HsmCard:
    return with_key(initialised(made), 1, "web server")


def bench(*cards: Callable[[], HsmCard]) -> Scenario:
    """One stick a port, from 1-1 on."""
    units = (
        Unit(f"1-{at}", lambda pause, make=make: HsmStick(pause, make()))
        for at, make in enumerate(cards, start=1)
    )
    return Scenario("sticks of a test", "Some sticks.", tuple(units))


def of(shop: Workshop, port: str = "1-1") -> HsmCard:
    """The card in a port."""
    return shop.bus.simulator(port).card


def kept(shop: Workshop, port: str) -> dict[str, object]:
    """All of a card that outlives a run: its session is not, and its PIN must not be open."""
    frozen = of(shop, port).freeze()["applet"]
    return {name: value for name, value in frozen.items() if name != "session"}


def backed_up(shop: Workshop, to: Path, port: str = "1-1") -> Path:
    """A folder with the files that a backup of that device gave."""
    view = shop.run("smartcardhsm.backup", port, answers={"pin": USER})
    assert view.verdict == "repaired", view.ended
    to.mkdir(parents=True, exist_ok=True)
    for path in shop.state.artefacts(view.run).glob("*.wrapped.bin"):
        shutil.copy(path, to / path.name)
    return to


def sealed(path: Path, password: bytes, value: bytes = SHARE, salt: bytes = SALT) -> Path:
    """A share file, under a password that was hashed ROUNDS times."""
    material = derive(Toil(password, salt, ROUNDS, share.MATERIAL_SIZE), lambda done, total: None)
    path.write_bytes(share.seal(value, salt, material))
    return path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share files of ROUNDS rounds."""
    monkeypatch.setattr(share, "ROUNDS", ROUNDS)


def spellings(secret: bytes) -> tuple[bytes, ...]:
    """A secret as it could leak."""
    return secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)
