"""What tests of the nRF91's flows share: job sheets, a technician at the switch, a workshop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.families.nrf91.simulator_contents import store_of_case_5
from console.hardware.simulated import Scenario
from tests.harness import Technician, Workshop

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


class AtTheSwitch(Technician):
    """Switches the board off and on, or with its button held, as the hands are told."""

    def _act(self, view) -> None:
        waits = view.wait
        if waits is not None and waits.hands and waits.since not in self._pressed:
            self._pressed.add(waits.since)
            held = any("SW3" in hand for hand in waits.hands)
            self._bus.press("bootloader" if held else "reset", view.port)
        super()._act(view)


@contextmanager
def bench(root: Path, scenario: str | Scenario, hands: bool = True, **given: str) -> Iterator:
    """A workshop with a technician at the switch, or with one who only answers."""
    shop = Workshop(root, scenario, answers={"retry": "stop"} | given)
    kind = AtTheSwitch if hands else AnswersOnly
    shop.technician.willing = False
    shop.technician = kind(shop.bench, shop.bus, {"retry": "stop"} | given)
    shop.bench.listen(shop.technician.hear)
    try:
        yield shop
    finally:
        shop.bench.stop("test over")


class AnswersOnly(Technician):
    """Answers, and leaves the board where it is."""

    def _act(self, view) -> None:
        if view.wait is not None:
            self._pressed.add(view.wait.since)
        super()._act(view)
