"""The boards that can be simulated, a row each: ids, names, memories, manners.

The rule: data only, from published behaviour (device-os' bootloaders, lists of dfu-util); it
shares no row with the client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from console.families.particle.simulator_contents import (
    Settings,
    core_serial,
    healthy_memories,
    later_memories,
)
from console.families.particle.simulator_dfu import OK, Faults, Leave, State
from console.families.particle.simulator_flash import Memories

K = 1024


@dataclass(frozen=True)
class Personality:
    """What one kind of board is on the bus. `manners` is how its bootloader behaves when well."""

    name: str
    vid: int
    app_pid: int
    dfu_pid: int
    maker: str
    app_product: str
    dfu_product: str
    serial: Callable[[str], str]
    memories: Callable[[str], Memories]
    manners: Faults = Faults()  # noqa: RUF009 - frozen
    usb: int = 0x0200
    judges_firmware: bool = False


def _own_id(device_id: str) -> str:
    return device_id


CORE = Personality(
    name="Spark Core",
    vid=0x1D50,
    app_pid=0x607D,
    dfu_pid=0x607F,
    maker="Spark Devices     ",
    app_product="Spark Core with WiFi ",
    dfu_product="CORE DFU ",
    serial=core_serial,
    memories=healthy_memories,
    usb=0x0100,
    judges_firmware=True,
)

_STM32 = (16 * K,) * 4 + (64 * K,) + (128 * K,) * 7
_NRF52 = (4 * K,) * 256
_SECOND = Faults(
    # core-v2 takes 1024 bytes in its first releases, 4096 in those seen in the field.
    transfer_size=4096,
    start=(State.IDLE, OK),
    leave=Leave.IDLE,
    layouts=(
        "@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg",
        "@DCT Flash   /0x00000000/01*016Kg",
    ),
)
_THIRD = Faults(
    # Particle's own DfuClassDriver: the erase has an address of its own (usbd_dfu.cpp).
    erase_points=False,
    transfer_size=4096,
    start=(State.IDLE, OK),
    commands=bytes.fromhex("002141fa"),
    layouts=(
        "@Internal Flash   /0x00000000/1*004Ka,47*004Kg,192*004Kg,4*004Kg,4*004Kg,8*004Ka",
        "@DCT Flash   /0x00000000/1*016Ke",
    ),
)

PHOTON_SETTINGS = Settings(
    0x06, False, 0x0800_0000, _STM32, 48 * K, 0x080A_0000, factory=0x080E_0000
)
P1_SETTINGS = Settings(0x08, False, 0x0800_0000, _STM32, 48 * K, 0x080A_0000, factory=0x080E_0000)
ELECTRON_SETTINGS = Settings(
    0x0A, True, 0x0800_0000, _STM32, 48 * K, 0x0808_0000, factory=0x080A_0000
)


def _later(name: str, settings: Settings, manners: Faults) -> Personality:
    return Personality(
        name=name,
        vid=0x2B04,
        app_pid=0xC000 | settings.number,
        dfu_pid=0xD000 | settings.number,
        maker="Particle",
        app_product=name,
        dfu_product=f"{name} DFU Mode",
        serial=_own_id,
        memories=partial(later_memories, settings),
        manners=manners,
    )


def _third(name: str, number: int) -> Personality:
    return _later(name, Settings(number, True, 0, _NRF52, 4 * K, 0x000D_4000), _THIRD)


PHOTON = _later("Photon", PHOTON_SETTINGS, _SECOND)
ROWS: tuple[Personality, ...] = (
    CORE,
    PHOTON,
    _later("P1", P1_SETTINGS, _SECOND),
    _later("Electron", ELECTRON_SETTINGS, _SECOND),
    _third("Argon", 0x0C),
    _third("Boron", 0x0D),
    _third("Xenon", 0x0E),
    _third("A SoM", 0x16),
    _third("B SoM", 0x17),
    _third("X SoM", 0x18),
    _third("B5 SoM", 0x19),
    _third("Tracker", 0x1A),
)
