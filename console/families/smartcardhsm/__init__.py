"""SmartCard-HSM (Nitrokey HSM 1 and 2): recognised by its answer to reset or its USB ids."""

from console.events import Device
from console.families import Family, Mode
from console.families.smartcardhsm.backup import BACKUP
from console.families.smartcardhsm.check import CHECK
from console.families.smartcardhsm.flash import FLASH
from console.families.smartcardhsm.models import PID, VID, is_hsm
from console.families.smartcardhsm.rekey import REKEY
from console.families.smartcardhsm.reset import RESET
from console.families.smartcardhsm.restore import RESTORE
from console.families.smartcardhsm.unblock import UNBLOCK


def _shows_card(device: Device) -> bool:
    return any(is_hsm(card.atr) for card in device.cards)


def _is_mute(device: Device) -> bool:
    return (device.vid, device.pid) == (VID, PID) and not _shows_card(device)


def unit(device: Device) -> str:
    """The stick's serial; a card in some reader shows none, and the reader's is not its own."""
    return device.serial.strip() if (device.vid, device.pid) == (VID, PID) else ""


FAMILY = Family(
    name="smartcardhsm",
    title="SmartCard-HSM",
    modes=(
        Mode(
            name="card",
            vid="",
            pid="",
            title="SmartCard-HSM",
            shown="card",
            about="Its card is there. I sent it nothing: which version it is, check asks it.",
            next="Check it, back up its keys, or restore them.",
            when=_shows_card,
        ),
        Mode(
            name="mute",
            vid=VID,
            pid=PID,
            title="Nitrokey HSM without its card",
            shown="mute",
            about="Its USB part is there and PC/SC shows no card in it.",
            next="Is pcscd running? Pull it, plug it in again.",
            when=_is_mute,
        ),
    ),
    unit=unit,
    flows=(CHECK, BACKUP, RESTORE, REKEY, UNBLOCK, RESET, FLASH),
    lines=("card",),
)
