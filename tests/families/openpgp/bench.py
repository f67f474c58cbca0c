"""A workshop with one simulated card in it: of any maker, with any past, with any fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from console.families.openpgp.simulator import lived, nitrokey, start
from console.families.openpgp.simulator_card import OpenPgpCard
from console.families.openpgp.simulator_rows import ROWS, Personality
from console.hardware.simulated import Scenario, Unit
from console.journal import replay
from tests.harness import Workshop, workshop

KEYS = Path(__file__).parent / "keys"
SERIAL = "00006FDA"
PASSPHRASE = "geheim"
PINS = {"pin": "123456", "admin_pin": "12345678"}
ADMIN = "0020008308" + b"12345678".hex()
USER = "0020008106" + b"123456".hex()
BY_NAME = {row.name: row for row in ROWS}
WRONG_USER, WRONG_ADMIN = "0020008106" + b"000000".hex(), "0020008308" + b"00000000".hex()
BLOCKED = (WRONG_USER,) * 3 + (WRONG_ADMIN,) * 3
RESETTABLE = tuple(row for row in ROWS if "without life cycle" not in row.name)


def bench(row: Personality, *past: str, gnuk: bool | None = None, **options) -> Scenario:
    """A stick with a card of that maker, which has lived through some commands."""

    def make(pause):
        card = OpenPgpCard(row, bytes.fromhex(SERIAL), **options)
        if past:
            lived(card, *past)
        as_start = "Gnuk" in row.name if gnuk is None else gnuk
        return start(pause, card) if as_start else nitrokey(pause, card)

    return Scenario(row.name, "A card for a test.", (Unit("1-1", make),))


def nothing(_: int) -> None:
    """No fault."""


@contextmanager
def shop_with(
    root: Path, scenario: str | Scenario, fault: Callable[[int], None] = nothing, **answers: str
) -> Iterator[Workshop]:
    """A workshop whose technician answers so; `fault` is called before every transfer."""
    with workshop(root, scenario, answers=PINS | answers) as shop:
        shop.bus.fault = fault
        yield shop


def events(shop: Workshop, run: str, kind: type) -> list:
    """The events of one kind in a run's journal."""
    records = replay(shop.state.journal(run)).records
    return [record.event for record in records if type(record.event) is kind]


def sent(shop: Workshop, ins: int) -> list[bytes]:
    """The commands of one instruction that went out."""
    return [apdu for apdu in shop.bus.sent if apdu[1] == ins]
