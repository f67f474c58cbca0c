"""Boards with an nRF91 modem: its credentials over AT commands, its application over MCUboot."""

from console.events import Device
from console.families import DeadEnd, Family, Mode
from console.families.nrf91.check import CHECK
from console.families.nrf91.flash import FLASH
from console.families.nrf91.flash import HANDS as RECOVERY_HANDS
from console.families.nrf91.rekey import REKEY
from console.families.nrf91.reset import RESET
from console.families.nrf91.restore import RESTORE

NORDIC, SEGGER = "1915", "1366"
KITS = ("9600", "10509", "10510", "10512", "10513", "10520", "10550", "10551")
"""How the serial of a kit's debugger begins, without leading zeros: nRF9160 DK, 9161 DK, 9131 EK,
9151 DK, Thingy:91 X, as Nordic's own tools tell them apart."""
NAMES = ("THINGY91", "PCA20035", "NRFBLEGW")
"""How the serial of a board with a bridge chip begins, whatever its product id."""


def _is_kit(device: Device) -> bool:
    # Every J-Link shows the same ids: the serial alone tells which board it is soldered to.
    return device.vid == SEGGER and device.serial.lstrip("0").startswith(KITS)


def _names_itself(device: Device) -> bool:
    return device.vid == NORDIC and device.serial.upper().startswith(NAMES)


def unit(device: Device) -> str:
    """The serial, in each mode; the IMEI is asked for by every flow, and proves more."""
    return device.serial.upper()


APP = Mode(
    name="app",
    vid=NORDIC,
    pid="910a",
    title="Thingy:91",
    shown="app",
    about="Its bridge chip (nRF52840) shows two serial ports; behind one the modem may answer AT.",
    next="Check it: identity, supply, and the picture of its credentials.",
)
BRIDGE = Mode(
    name="bridge",
    vid="",
    pid="",
    title="nRF91 board behind its bridge chip",
    shown="app",
    about="Its bridge chip shows serial ports; behind one the modem may answer AT.",
    next="Check it: identity, supply, and the picture of its credentials.",
    when=_names_itself,
)
RECOVERY = Mode(
    name="recovery",
    vid=NORDIC,
    pid="520f",
    title="Thingy:91, recovery of its bridge chip",
    shown="recovery",
    about="The bootloader of the nRF52840, the bridge: started with SW4 held. Not the modem's "
    "chip.",
    next="Switch it off and on, without SW4. For the nRF91's own bootloader hold SW3.",
)
KIT = Mode(
    name="dk",
    vid="",
    pid="",
    title="nRF91 kit behind its J-Link",
    shown="kit",
    about="Its debugger shows two or three serial ports; behind one the modem may answer AT.",
    next="Check it: identity, supply, and the picture of its credentials.",
    when=_is_kit,
)
DEAD = DeadEnd(
    signs=(
        "No light at all: charge its battery for half an hour, and use another cable.",
        "Any light: it is alive. Its bridge chip shows it on USB, not the modem: try the switch.",
    ),
    buttons=(
        "Switch it off, wait 5 s, switch it on.",
        "Switch it off, hold SW4, switch it on, let go after 3 s: its bridge's bootloader.",
        *RECOVERY_HANDS[1:2],
    ),
    lost="Return it or replace it; a debug probe may still reach its chips. This record is the "
    "evidence: replug log export last",
)

FAMILY = Family(
    name="nrf91",
    title="nRF91 modems",
    modes=(APP, RECOVERY, BRIDGE, KIT),
    flows=(CHECK, RESTORE, REKEY, RESET, FLASH),
    unit=unit,
    dead=DEAD,
    lines=("tty",),
)
