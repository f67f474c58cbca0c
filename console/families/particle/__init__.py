"""Particle's boards, from the Spark Core on: recognised by their ids, repaired in DFU mode."""

from collections.abc import Iterator

from console.events import Device
from console.families import DeadEnd, Family, Mode
from console.families.particle import keys
from console.families.particle.approach import OLD_SERIAL, hands
from console.families.particle.check import CHECK
from console.families.particle.flash import FLASH, RESET
from console.families.particle.platforms import CORE, PLATFORMS, Platform, of_ids
from console.families.particle.rekey import REKEY
from console.families.particle.restore import RESTORE


def _modes(platform: Platform) -> Iterator[Mode]:
    yield Mode(
        name=platform.dfu.mode,
        vid=platform.dfu.vid,
        pid=platform.dfu.pid,
        title=f"{platform.name} in DFU mode",
        shown="DFU",
        about="Its bootloader is waiting, the LED flashes yellow. Nothing runs on it.",
        next="Check its keys, or give it a new one. Tap RESET to start its firmware.",
    )
    yield Mode(
        name=platform.app.mode,
        vid=platform.app.vid,
        pid=platform.app.pid,
        title=f"{platform.name} with its firmware",
        shown="app",
        about="Its firmware is running and shows itself on USB.",
        next="Its keys can be read in DFU mode only: start a flow, it tells you the buttons.",
    )


def unit(device: Device) -> str:
    """The serial; a Core's firmware may show the device id from which its bootloader's derives.

    The first Photon bootloaders all show the same one, which names nobody.
    """
    platform = of_ids(device.vid, device.pid)
    identity = keys.device_id(device.serial)
    if identity and platform is not None and platform.derives_serial:
        return keys.serial_of(identity)
    return "" if device.serial == OLD_SERIAL else device.serial.upper()


def sure(device: Device) -> str:
    """As unit(), of serials in the two forms alone that the bootloaders and firmwares make."""
    platform = of_ids(device.vid, device.pid)
    if platform is None or device.serial == OLD_SERIAL:
        return ""
    derived = platform.derives_serial and keys.is_derived(device.serial)
    return unit(device) if derived or keys.device_id(device.serial) else ""


ROM = Mode(
    name="rom",
    vid="0483",
    pid="df11",
    title="the chip's own bootloader (STM32)",
    shown="ROM",
    about="A Photon, P1 or Electron shows this while its pin BOOT0 is held high.",
    next="Free BOOT0 (a jumper, a solder bridge) and plug it in again.",
)
DEAD = DeadEnd(
    signs=(
        "Its LED off: no power. Another cable, then another supply.",
        "Its LED lit in any colour: it is alive; many firmwares show nothing on USB.",
    ),
    buttons=(*hands(CORE)[:3], "On a Photon or P1 the button is SETUP, not MODE."),
    guises=(ROM,),
    lost="Return it or replace it; the firmware cannot be reached without USB. This record is the "
    "evidence: replug log export last",
)

FAMILY = Family(
    name="particle",
    title="Particle boards",
    modes=tuple(mode for platform in PLATFORMS for mode in _modes(platform)),
    flows=(CHECK, REKEY, FLASH, RESET, RESTORE),
    unit=unit,
    sure=sure,
    dead=DEAD,
    lines=("usb",),
)
