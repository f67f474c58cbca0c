"""What tests of the nRF91's flows share: job sheets, a technician at the switch, a workshop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.families.nrf91.simulator_contents import store_of_case_5
from console.hardware.simulated import Scenario
from console.practice.local import InProcessBus
from console.views import RunView
from tests.harness import workshop

TYPES = ("ca", "cert", "key", "psk", "identity")
CONTENTS = store_of_case_5()
LOST = (3, 1)
RESTORE = "nrf91.restore"


def sheet(root: Path, *pairs: tuple[int, int], contents: Mapping = CONTENTS, **more: str) -> str:
    """A job sheet for these pairs, its files beside it; its path."""
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for tag, kind in pairs:
        name = f"{tag}-{TYPES[kind]}.txt"
        (root / name).write_text(contents[tag, kind] + "\n")
        rows.append(f'[[credential]]\ntag = {tag}\ntype = "{TYPES[kind]}"\nfile = "{name}"\n')
        rows += [f'{key} = "{value}"\n' for key, value in more.items()]
    (root / "credentials.toml").write_text("".join(rows))
    return str(root / "credentials.toml")


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest().upper()


def at_the_switch(bus: InProcessBus, view: RunView) -> None:
    """Off and on, or with its button held, as the hands are told."""
    if view.wait is not None and view.wait.hands:
        held = any("SW3" in hand for hand in view.wait.hands)
        bus.press("bootloader" if held else "reset", view.port)


def hands_off(bus: InProcessBus, view: RunView) -> None:
    """The board is left where it is."""


@contextmanager
def bench(root: Path, scenario: str | Scenario, hands: bool = True, **given: str) -> Iterator:
    """A workshop with a technician at the switch, or with one who only answers."""
    switch = at_the_switch if hands else hands_off
    with workshop(root, scenario, answers={"retry": "stop"} | given, hands=switch) as shop:
        yield shop
