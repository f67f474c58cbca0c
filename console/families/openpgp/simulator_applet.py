"""The application of a simulated OpenPGP card: which command does what, in which state.

The rule: the life cycle decides first (the reference's table of operational, terminated and
corrupted cards), then the command. An answer is data or Denied.
"""

from __future__ import annotations

from collections.abc import Callable

from console.errors import Garbled
from console.families.openpgp import simulator_objects as objects
from console.families.openpgp import simulator_operations as operations
from console.families.openpgp import simulator_pins as pins
from console.families.openpgp.simulator_rows import Wipe
from console.families.openpgp.simulator_state import Chip, Life, Session, blank
from console.families.openpgp.simulator_words import Denied, Sw
from console.hardware.simulated_command import Command

APPLICATION = bytes.fromhex("d27600012401")
SELECT, GET_RESPONSE = 0xA4, 0xC0
ACTIVATE, TERMINATE = 0x44, 0xE6
READABLE_WHEN_CORRUPTED = (0xCA, TERMINATE, ACTIVATE)

Deed = Callable[[Chip, Command], bytes]


def perform(chip: Chip, command: Command) -> bytes:
    """The answer's data; raises Denied. What it changes, it changes in `chip`."""
    if command.ins == SELECT:
        return select(chip, command)
    if not chip.session.selected:
        raise Denied(Sw.INSTRUCTION)
    if command.ins in (ACTIVATE, TERMINATE):
        return _life_cycle(chip, command)
    if chip.memory.life is Life.TERMINATED:
        raise Denied(chip.row.terminated)
    if chip.memory.life is Life.CORRUPTED and command.ins not in READABLE_WHEN_CORRUPTED:
        raise Denied(Sw.EXECUTION)
    deed = DEEDS.get(command.ins) or (YUBIKEY_DEEDS.get(command.ins) if chip.row.firmware else None)
    if deed is None:
        raise Denied(Sw.INSTRUCTION)
    try:
        return deed(chip, command)
    except Garbled:
        raise Denied(Sw.DATA) from None


def select(chip: Chip, command: Command) -> bytes:
    """SELECT by name. It takes back whatever PIN was given."""
    named = command.data == APPLICATION if chip.row.whole_name else _begins(chip, command.data)
    if command.p1 != 0x04 or not named:
        raise Denied(Sw.NOT_FOUND)
    chip.session = Session(selected=True)
    if chip.memory.life is Life.TERMINATED and chip.row.select_terminated != Sw.OK:
        raise Denied(chip.row.select_terminated)
    return chip.row.select


def _begins(chip: Chip, name: bytes) -> bool:
    return len(name) >= 5 and objects.name_of(chip).startswith(name)


# --- life cycle ---------------------------------------------------------------------------


def _life_cycle(chip: Chip, command: Command) -> bytes:
    if not chip.row.life_cycle:
        raise Denied(Sw.INSTRUCTION)
    if command.parameters:
        raise Denied(Sw.PARAMETERS)
    return _activate(chip) if command.ins == ACTIVATE else _terminate(chip)


def _terminate(chip: Chip) -> bytes:
    memory = chip.memory
    if memory.life is Life.TERMINATED:
        if chip.row.terminated_twice != Sw.OK:
            raise Denied(chip.row.terminated_twice)
        return b""
    by_pin = chip.row.admin_terminates and chip.session.admin
    if memory.life is Life.OPERATIONAL and not by_pin and not pins.admin_blocked(chip):
        raise Denied(chip.row.not_terminated)
    if chip.row.wipe is Wipe.TERMINATE:
        _wipe(chip)
        return b""
    memory.life = Life.TERMINATED
    chip.session.lock()
    return b""


def _activate(chip: Chip) -> bytes:
    if chip.memory.life is not Life.TERMINATED:
        if chip.row.active != Sw.OK:
            raise Denied(chip.row.active)
        return b""
    _wipe(chip)
    return b""


def _wipe(chip: Chip) -> None:
    chip.memory = blank(chip.row, chip.memory.serial)
    chip.session = Session(selected=True)


# --- a maker's own ------------------------------------------------------------------------


def _firmware(chip: Chip, command: Command) -> bytes:
    """A YubiKey's version, in BCD."""
    if command.parameters:
        raise Denied(Sw.PARAMETERS)
    return chip.row.firmware


DEEDS: dict[int, Deed] = {
    0x20: pins.verify,
    0x22: operations.environment,
    0x24: pins.change,
    0x2A: operations.security_operation,
    0x2C: pins.reset_retry_counter,
    0x47: operations.key_pair,
    0x84: operations.challenge,
    0x88: operations.authenticate,
    0xA5: objects.select,
    0xCA: objects.get,
    0xCC: objects.get_next,
    0xDA: objects.put,
    0xDB: operations.take_in,
}
YUBIKEY_DEEDS: dict[int, Deed] = {0xF1: _firmware, 0xF2: pins.set_tries}
