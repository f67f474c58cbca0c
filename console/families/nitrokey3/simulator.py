"""The practice benches of the Nitrokey 3 and the Passkey.

The rule: data only; a scenario is keys in ports and what is wrong with each.
"""

from __future__ import annotations

from functools import partial

from console.families.nitrokey3.simulator_admin import Contents
from console.families.nitrokey3.simulator_faults import Faults, MbootFaults
from console.families.nitrokey3.simulator_fido2 import Holdings
from console.families.nitrokey3.simulator_key import Build, Mode, NitrokeyThree
from console.families.nitrokey3.simulator_rows import (
    NK3A_MINI,
    NK3A_NFC,
    NK3C_NFC,
    PASSKEY,
    Version,
)
from console.hardware.simulated import Now, Pause, Scenario, SimulatedUsb, Unit, plain_mouse

FIRST = bytes.fromhex("a1c40f5b3d2e4752916b0e8d77f35a01")
SECOND = bytes.fromhex("a1c40f5b3d2e4752916b0e8d77f3b6e2")
THIRD = bytes.fromhex("5e0b7c19f2d84a6683d14c2fa09e71c3")

FOREIGN_INIT = bytes.fromhex(
    "12ce010a87010801128201088284800210341a010020002800300038f0921f42"
    "2408031220" + "5a" * 32 + "48005244080312403c" + "3c" * 63 + "10001a40" + "7e" * 64
)
"""The init packet of another release, as a key holds it that was interrupted in that update."""


def _made(build: Build, pause: Pause, now: Now | None = None) -> SimulatedUsb:
    return NitrokeyThree(pause, build, now)


def unit(port: str, build: Build, plugged: bool = True) -> Unit:
    """A key in a port; its FIDO2 counts its ten seconds by the board's clock."""
    return Unit(port, partial(_made, build), plugged, partial(_made, build))


_IN_USE = Contents(used={"fido", "secrets"})
_KEYS = Holdings(pin_set=True, residents=12)

CASE_1 = Build(
    NK3A_NFC,
    FIRST,
    Version(1, 5, 0),
    holdings=_KEYS,
    contents=_IN_USE,
    faults=Faults(
        mboot=MbootFaults(attach_by_hand=True, mute_attachments=1, final_delay=12.0),
    ),
)
"""The unplugging of the story is left to the technician; the guest's part is all here."""

DEAD = Build(NK3A_NFC, FIRST, Version(1, 5, 0), firmware=False, faults=Faults(dead=True))
INTERRUPTED_LPC55 = Build(
    NK3A_NFC, FIRST, Version(1, 5, 0), mode=Mode.BOOTLOADER, firmware=False, holdings=_KEYS
)
INTERRUPTED_NRF52 = Build(
    NK3A_MINI,
    THIRD,
    Version(1, 2, 2),
    mode=Mode.BOOTLOADER,
    firmware=False,
    init=FOREIGN_INIT,
    holdings=_KEYS,
)
HEALTHY = Build(NK3C_NFC, FIRST, Version(1, 7, 0), holdings=_KEYS, contents=_IN_USE)
TWIN = Build(NK3C_NFC, SECOND, Version(1, 7, 0))
MINI = Build(NK3A_MINI, THIRD, Version(1, 5, 0), holdings=_KEYS, contents=_IN_USE)
SLOW = Build(NK3A_NFC, SECOND, Version(1, 7, 0), faults=Faults(mboot=MbootFaults(rate=8_000.0)))
A_PASSKEY = Build(PASSKEY, THIRD, Version(1, 0, 0), holdings=_KEYS)

SCENARIOS = (
    Scenario(
        "case-1",
        "A Nitrokey 3 to be updated in a guest: its bootloader has to be attached by hand, twice.",
        (unit("1-1", CASE_1),),
        guest=True,
    ),
    Scenario(
        "nk3-dead",
        "The Nitrokey 3 of case 1 afterwards: nothing on USB; a mouse that works lies at 1-2.",
        (unit("1-1", DEAD), Unit("1-2", plain_mouse, plugged=False)),
    ),
    Scenario(
        "nk3-healthy",
        "A Nitrokey 3C NFC and a Nitrokey 3A Mini with nothing wrong with them.",
        (unit("1-1", HEALTHY), unit("1-2", MINI)),
    ),
    Scenario(
        "nk3-interrupted-lpc55",
        "A Nitrokey 3A NFC whose update was interrupted: only its bootloader is alive.",
        (unit("1-1", INTERRUPTED_LPC55),),
    ),
    Scenario(
        "nk3-interrupted-nrf52",
        "A Nitrokey 3A Mini whose update was interrupted, with a part of another release in it.",
        (unit("1-1", INTERRUPTED_NRF52),),
    ),
    Scenario(
        "nk3-twins",
        "Two Nitrokey 3C NFC, alike on the bus: neither has a serial number.",
        (unit("1-1", HEALTHY), unit("1-2", TWIN)),
    ),
    Scenario(
        "nk3-slow",
        "A Nitrokey 3A NFC whose transfer crawls.",
        (unit("1-1", SLOW),),
    ),
    Scenario(
        "nk3-passkey",
        "A Nitrokey Passkey with nothing wrong with it.",
        (unit("1-1", A_PASSKEY),),
    ),
)
