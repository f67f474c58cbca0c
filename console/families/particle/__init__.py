"""Particle's first generation, the Spark Core: recognised by its ids, repaired in DFU mode."""

from console.events import Device
from console.families import Family, Mode
from console.families.particle import keys
from console.families.particle.check import CHECK
from console.families.particle.rekey import REKEY


def unit(device: Device) -> str:
    """The bootloader's serial; a firmware may show the device id from which that derives."""
    identity = keys.device_id(device.serial)
    return keys.serial_of(identity) if identity else device.serial.upper()


FAMILY = Family(
    name="particle",
    unit=unit,
    title="Spark Core",
    modes=(
        Mode(
            name="dfu",
            vid="1d50",
            pid="607f",
            title="Spark Core in DFU mode",
            shown="DFU",
            about="Its bootloader is waiting, the LED flashes yellow. Nothing runs on it.",
            next="Check its keys, or give it a new one. Tap RESET to start its firmware.",
        ),
        Mode(
            name="app",
            vid="1d50",
            pid="607d",
            title="Spark Core with its firmware",
            shown="app",
            about="Its firmware is running and shows itself on USB.",
            next="Its keys can be read in DFU mode only: start a flow, it tells you the buttons.",
        ),
    ),
    flows=(CHECK, REKEY),
)
