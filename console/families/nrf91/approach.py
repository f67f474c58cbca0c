"""What every flow begins with: the port that speaks to the modem, who it is, what it holds.

The rule: nothing here writes to the store. The functional mode is put back as it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from console.errors import DeviceError, Garbled, GateClosed, NotPermitted, Silent, Unplugged
from console.events import Node
from console.families.nrf91.modem import LOW, MODES, TRIES, Identity, Modem, Supply
from console.families.nrf91.sheet import Sheet
from console.families.nrf91.store import Difference, Picture
from console.flow import Kind, Question, Step
from console.guide import Guide

IN_A_ROW = 3
"""Tries on one port before the next is tried: the right one is not kept waiting by another."""
RUNNING = ("app", "bridge", "dk")
"""Modes in which the board shows its serial ports, whatever runs on it."""
NOTHING = "Nothing is written."

SHEET = Question("sheet", Kind.FILE, "The job sheet (credentials.toml)?")
ASKED_SHEET = Question(
    "sheet", Kind.FILE, "The job sheet (credentials.toml) to compare with? Empty: none.", True
)

READ = Step("sheet", "Check the job sheet and its files", usual="at once")
FIND = Step("find", "Find the port that speaks to the modem", usual="under 15 s")
IDENTIFY = Step("identify", "Ask the modem who it is", usual="under 1 s")
SUPPLY = Step("supply", "Check its supply and its warning", usual="under 3 s")
PICTURE = Step("picture", "Take the picture of its credentials", usual="under 2 s")

NO_AT = (
    "Its firmware must pass AT commands on (AT host, serial modem). Writing such service firmware "
    "replaces the customer's application: do it only with the customer's image in hand."
)


NOISE = (
    "what comes is no text. Its firmware may run this port at another speed than 115200 baud "
    "(some traces: 1000000)."
)


@dataclass(frozen=True)
class Patient:
    """The modem that was found: where, who, how it was, what it held.

    `numbered` says whether it told errors by number (+CMEE); None where it does not say.
    """

    path: str
    identity: Identity
    mode: int
    supply: Supply
    picture: Picture
    numbered: bool | None = None


# --- the port --------------------------------------------------------------------------------


def serial_nodes(guide: Guide) -> tuple[Node, ...]:
    """The serial ports of the device. Raises GateClosed where it has none."""
    nodes = tuple(node for node in guide.device.nodes if node.kind == "tty")
    if not nodes:
        raise GateClosed(
            "It shows no serial port.",
            f"{NOTHING} Wait a moment after plugging in; the driver cdc_acm may be missing.",
        )
    return nodes


def find_port(guide: Guide, tries: int = TRIES) -> str:
    """The path of the port behind which AT is answered. Raises GateClosed, NotPermitted."""
    held: NotPermitted | None = None
    nodes = serial_nodes(guide)
    left = list(nodes)
    for after in range(0, tries, IN_A_ROW):
        for node in tuple(left):
            try:
                if _answers(guide, node.path, min(IN_A_ROW, tries - after), after):
                    return node.path
            except NotPermitted as error:
                held = error
                left.remove(node)
                guide.tell(f"Not asked: {error.sentence}", error.advice)
            except (Silent, Garbled) as error:
                left.remove(node)
                guide.tell(f"{node.path} takes no bytes: {error.sentence}")
    if held is not None:
        raise held
    if bootloader_port(guide):
        raise GateClosed(
            "It is in its bootloader (MCUboot): its firmware does not run.",
            f"{NOTHING} Switch it off and on without a button held, and run again.",
        )
    ports = "its port" if len(nodes) == 1 else f"any of its {len(nodes)} ports"
    raise GateClosed(f"No AT command was answered on {ports}.", f"{NOTHING} {NO_AT}")


def _answers(guide: Guide, path: str, tries: int, after: int) -> bool:
    with guide.serial(path) as line:
        modem = Modem(line, guide.seconds, guide.pause)
        if modem.wake(tries, after):
            return True
        if modem.noisy and not after:
            guide.tell(f"{path}: {NOISE}")
        return False


def bootloader_port(guide: Guide) -> str:
    """The path of the port behind which SMP is answered; "" where there is none."""
    # Loaded here: the library costs a quarter of a second, and every command loads every family.
    from console.families.nrf91.recovery import Recovery

    for node in serial_nodes(guide):
        try:
            with guide.serial(node.path) as line:
                if Recovery(line, guide.seconds).greets():
                    return node.path
        except NotPermitted as error:
            guide.tell(f"Not asked: {error.sentence}", error.advice)
        except (Silent, Garbled) as error:
            guide.tell(f"{node.path} takes no bytes: {error.sentence}")
    return ""


@contextmanager
def modem_at(guide: Guide, path: str) -> Iterator[Modem]:
    """The modem behind the port, its line in step. Raises Silent where it answers no more."""
    with guide.serial(path) as line:
        yield Modem(line, guide.seconds, guide.pause)


# --- the patient -----------------------------------------------------------------------------


def meet(guide: Guide, modem: Modem, path: str) -> Patient:
    """Who it is, how it is supplied, what it holds; the picture is kept as an artefact."""
    identity = guide.step(IDENTIFY, modem.identify, found=str)
    guide.unique(identity.unit)
    mode = modem.mode()
    guide.tell(f"Functional mode {mode} ({MODES.get(mode, 'special')}); it is left so.")
    if identity.guarded is False:
        guide.warn(
            "Its store has no brown-out protection (modem firmware before 1.3.2): a write while "
            "the supply sags can lose another entry.",
            "Use a bench supply or a full battery for every write.",
        )
    elif identity.guarded is None:
        guide.tell("Its firmware's version does not tell whether its store is protected.")
    supply = guide.step(SUPPLY, modem.supply, found=str)
    if supply.watched:
        guide.tell("Until it is switched off it warns below 3.3 V, whatever was set before.")
    elif not supply.millivolts:
        guide.warn(
            "Its firmware tells nothing of its supply.",
            "Use a bench supply or a full battery for every write.",
        )
    if supply.warning:
        # The warning itself switches the radio off.
        put_mode_back(guide, modem, mode)
    picture = guide.step(PICTURE, modem.picture, identity, found=str)
    before = last_known(guide, identity)
    keep(guide, picture, "before")
    if before is not None:
        tell_change(guide, picture.since(before))
    return Patient(path, identity, mode, supply, picture, modem.numbered)


def name_of_artefact(imei: str, moment: str = "") -> str:
    return f"credentials-{imei}-{moment}" + (".json" if moment else "")


def keep(guide: Guide, picture: Picture, moment: str) -> None:
    """Keep the picture in the record: "before", "after" or "after-power-cycle"."""
    about = f"Every tag and type with its digest, {moment.replace('-', ' ')}."
    guide.keep(name_of_artefact(picture.imei, moment), picture.to_json(), about)


def last_known(guide: Guide, identity: Identity) -> Picture | None:
    """The last picture that a run here has kept of this modem."""
    data = guide.last_kept(name_of_artefact(identity.imei))
    return Picture.from_json(data) if data else None


def tell_change(guide: Guide, change: Difference) -> None:
    if change.vanished:
        guide.warn(
            "Since the last picture of this modem here, " + str(change) + ".",
            "If nobody deleted it on purpose, look at its supply and its application.",
        )
    elif change:
        guide.tell(f"Since the last picture of this modem here: {change}.")
    else:
        guide.tell("The same as in the last picture of this modem here.")


def require_supply(patient: Patient) -> None:
    """Raises GateClosed where its supply is too low to write."""
    if patient.supply.low:
        raise GateClosed(
            f"Its supply is too low to write: {patient.supply}; {LOW / 1000:.1f} V is needed.",
            f"{NOTHING} Charge it or use a bench supply, power-cycle it, run again.",
        )


def read_sheet(guide: Guide, path: str) -> Sheet:
    return guide.step(READ, Sheet.read, path, found=str)


# --- the functional mode ---------------------------------------------------------------------


def put_mode_back(guide: Guide, modem: Modem, mode: int) -> None:
    """The functional mode as it was found; what fails here undoes nothing."""
    with guide.tidying():
        try:
            if modem.mode() != mode:
                modem.set_mode(mode)
        except Unplugged:
            guide.tell("It is gone, and with it its functional mode: it starts anew with power.")
        except DeviceError as error:
            guide.warn(
                f"It could not be put back into functional mode {mode}: {error.sentence}",
                "A power cycle puts it back.",
            )
