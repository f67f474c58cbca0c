"""A simulated OpenPGP card at its contacts: commands in, time, answers out.

The rule: it is made from published behaviour and knows nothing of our client. A command is done
on a copy, which becomes the card when the command's time has passed; power that goes before has
changed nothing, but for what its `Half` says of a key generation.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from console.families.openpgp import simulator_applet as applet
from console.families.openpgp.simulator_faults import Fault, Half, Kind
from console.families.openpgp.simulator_keys import algorithm
from console.families.openpgp.simulator_rows import Personality
from console.families.openpgp.simulator_state import (
    Chip,
    Effort,
    Memory,
    Session,
    blank,
    thaw_memory,
    thaw_session,
)
from console.families.openpgp.simulator_words import Denied, Sw, end
from console.hardware.simulated_card import Doing
from console.hardware.simulated_command import SHORT_ANSWER, Command, parse

TOUCH_SECONDS = 15.0
"""How long a card waits for a finger."""
CHAINED = 0x10
"""Bit of the class byte: more of this command follows (ISO 7816-4, 5.3.3)."""
LONGEST_CHAIN = 0x2000
GARBAGE = bytes.fromhex("deadbeef")


@dataclass
class Pending:
    """A command under way: what it will have changed and answered when its time has passed.

    `answer` None: nothing, ever. `touch` is how long it still waits for a finger, `power` how
    long it still has power; None: it does not wait, it has it all along.
    """

    memory: Memory
    session: Session
    answer: bytes | None = field(repr=False)
    left: float = 0.0
    touch: float | None = None
    power: float | None = None
    slot: int | None = None
    """The slot that a key is being generated in."""


class OpenPgpCard:
    """One card. `seed` decides how fast it is within what such cards were seen to need."""

    def __init__(
        self,
        row: Personality,
        serial: bytes,
        *,
        seed: int = 0,
        faults: tuple[Fault, ...] = (),
        half: Half = Half.NOTHING,
    ) -> None:
        self.row = row
        self.gone = False
        """It was taken out; it is back with the next reset."""
        self._seed = seed
        self._faults = faults
        self._met = [0] * len(faults)
        self._half = half
        self._chip = Chip(row, blank(row, serial))
        self._pending: Pending | None = None
        self._draws = 0
        self._dead = False

    @property
    def atr(self) -> bytes:
        return self.row.atr

    @property
    def memory(self) -> Memory:
        """What is written in it, for whoever prepares or examines one."""
        return self._chip.memory

    @property
    def doing(self) -> Doing:
        if self._pending is None:
            return Doing.MUTE
        return Doing.WORKING if self._pending.touch is None else Doing.TOUCH

    # --- what a reader does ---------------------------------------------------------------

    def begin(self, command: bytes) -> None:
        self._pending = None
        if not self._dead and not self.gone:
            self._pending = self._undertake(command)

    def work(self, seconds: float) -> bytes | None:
        pending = self._pending
        if pending is None or self._loses_power(pending, seconds):
            return None
        if pending.touch is not None:
            return self._wait_for_touch(pending, seconds)
        pending.left -= seconds
        if pending.left > 0:
            return None
        self._pending = None
        self._become(pending)
        self._dead = pending.answer is None
        return pending.answer

    def reset(self) -> None:
        if self._pending is not None:
            self._cut_off(self._pending)
        self._pending = None
        self._dead = self.gone = False
        self._chip.session = Session()

    def press(self, buttons: str) -> None:
        """ "touch": a finger on it."""
        if buttons not in ("touch", "") or not self.row.button:
            known = "touch" if self.row.button else "none"
            raise ValueError(f'This card has no "{buttons}"; it has: {known}.')
        if self._pending is not None:
            self._pending.touch = None

    def _loses_power(self, pending: Pending, seconds: float) -> bool:
        if pending.power is None:
            return False
        pending.power -= seconds
        if pending.power > 0:
            return False
        self.reset()
        self._dead = True
        return True

    def _wait_for_touch(self, pending: Pending, seconds: float) -> bytes | None:
        assert pending.touch is not None
        pending.touch -= seconds
        if pending.touch > 0:
            return None
        self._pending = None
        return end(b"", self.row.untouched)

    def _cut_off(self, pending: Pending) -> None:
        if pending.slot is None or self._half is Half.NOTHING:
            return
        if self._half is Half.ORPHAN:
            self._chip.memory = pending.memory
        else:
            self._chip.memory.keys[pending.slot] = None

    def _become(self, pending: Pending) -> None:
        self._chip.memory, self._chip.session = pending.memory, pending.session

    # --- one command ----------------------------------------------------------------------

    def _undertake(self, raw: bytes) -> Pending:
        """Do it on a copy."""
        trial = Chip(self.row, copy.deepcopy(self.memory), copy.deepcopy(self._chip.session))
        command = parse(raw)
        if command is None:
            return Pending(trial.memory, trial.session, end(b"", Sw.LENGTH))
        whole = replace(command, cla=command.cla & ~CHAINED)
        struck = self._struck(whole)
        if struck is not None and struck.kind in _BEFORE:
            return self._struck_before(struck)
        answer = self._answer(trial, command)
        if struck is not None and struck.kind is Kind.WRONG_LENGTH:
            size = (len(answer) - 2) % SHORT_ANSWER
            return Pending(self.memory, self._chip.session, end(b"", Sw.EXACT + size))
        pending = Pending(trial.memory, trial.session, answer, self._seconds(trial.effort))
        if trial.effort.operation == "generate" and trial.memory.keys != self.memory.keys:
            pending.slot = _changed(self.memory, trial.memory)
        if trial.effort.touch:
            pending.touch = TOUCH_SECONDS
        if struck is not None:
            _strike(struck, pending)
        return pending

    def _struck_before(self, fault: Fault) -> Pending:
        nothing = Pending(self._chip.memory, self._chip.session, None)
        if fault.kind is Kind.PULLED:
            self.gone = True
            self._chip.session = nothing.session = Session()
        if fault.kind is Kind.REFUSED:
            nothing.answer = end(b"", fault.word or Sw.MEMORY)
        return nothing

    def _struck(self, command: Command) -> Fault | None:
        struck = None
        for number, fault in enumerate(self._faults):
            if fault.meets(command.ins, command.parameters):
                self._met[number] += 1
                if struck is None and fault.strikes(self._met[number]):
                    struck = fault
        return struck

    def _answer(self, chip: Chip, command: Command) -> bytes:
        try:
            whole = self._gathered(chip, command)
            if whole is None:
                return end(b"", Sw.OK)
            if whole.ins == applet.GET_RESPONSE:
                return _rest(chip.session, whole)
            data = applet.perform(chip, whole)
        except Denied as denied:
            return end(b"", denied.sw)
        return _first(chip.session, whole, data)

    def _gathered(self, chip: Chip, command: Command) -> Command | None:
        """The whole command, once the last part of its chain is there (ISO 7816-4, 5.3.3)."""
        session = chip.session
        if command.cla & ~CHAINED:
            raise Denied(Sw.CLASS)
        if command.extended and not self.row.extended:
            raise Denied(Sw.LENGTH)
        if command.ins != applet.GET_RESPONSE:
            session.rest = b""
        header = bytes((command.ins, command.p1, command.p2))
        before = session.chain if session.chain_header == header else b""
        session.chain, session.chain_header = b"", b""
        whole = before + command.data
        if len(whole) > (self.row.extended or LONGEST_CHAIN):
            raise Denied(Sw.LENGTH)
        if not command.cla & CHAINED:
            return replace(command, cla=0, data=whole)
        if not self.row.chaining:
            raise Denied(Sw.NO_CHAINING)
        session.chain, session.chain_header = whole, header
        return None

    def _seconds(self, effort: Effort) -> float:
        """How long it takes: between what was seen, with the long tail of a prime search."""
        if not effort.operation:
            return 0.0
        named = (effort.operation, algorithm(effort.attributes).name)
        shortest, longest = self.row.pace.get(named) or self.row.pace[effort.operation, ""]
        self._draws += 1
        digest = hashlib.sha256(f"{self._seed}/{self._draws}".encode()).digest()
        chance = int.from_bytes(digest[:4], "big") / 2**32
        return float(shortest * (longest / shortest) ** (chance * chance))

    # --- keeping --------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        return {
            "memory": self._chip.memory.freeze(),
            "session": self._chip.session.freeze(),
            "pending": self._pending and _freeze(self._pending),
            "met": list(self._met),
            "draws": self._draws,
            "dead": self._dead,
            "gone": self.gone,
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._chip.memory = thaw_memory(frozen["memory"])
        self._chip.session = thaw_session(frozen["session"])
        self._pending = frozen["pending"] and _thaw(frozen["pending"])
        self._met = [int(count) for count in frozen["met"]]
        self._draws = int(frozen["draws"])
        self._dead = bool(frozen["dead"])
        self.gone = bool(frozen["gone"])


_BEFORE = (Kind.MUTE, Kind.REFUSED, Kind.PULLED)


def _strike(fault: Fault, pending: Pending) -> None:
    """What a fault does to a command that is done all the same."""
    match fault.kind:
        case Kind.SLOW if pending.left:  # what is refused is refused at once
            pending.left = fault.seconds
        case Kind.LOST:
            pending.answer = None
        case Kind.GARBLED:
            pending.answer = GARBAGE
        case Kind.POWER_LOST:
            pending.power = fault.seconds or pending.left / 2


def _changed(before: Memory, after: Memory) -> int:
    pairs = zip(before.keys, after.keys, strict=True)
    return next(slot for slot, (old, new) in enumerate(pairs) if old != new)


def _first(session: Session, command: Command, data: bytes) -> bytes:
    """As much of the data as was asked for; the rest waits for GET RESPONSE."""
    most = command.expected or SHORT_ANSWER
    session.rest = data[most:]
    return end(data[:most], _more(session.rest))


def _rest(session: Session, command: Command) -> bytes:
    if not session.rest:
        raise Denied(Sw.CONDITIONS)
    return _first(session, command, session.rest)


def _more(rest: bytes) -> int:
    if not rest:
        return Sw.OK
    return Sw.MORE + (0 if len(rest) >= SHORT_ANSWER else len(rest))


def _freeze(pending: Pending) -> dict[str, Any]:
    return {
        "memory": pending.memory.freeze(),
        "session": pending.session.freeze(),
        "answer": None if pending.answer is None else pending.answer.hex(),
        "left": pending.left,
        "touch": pending.touch,
        "power": pending.power,
        "slot": pending.slot,
    }


def _thaw(frozen: Mapping[str, Any]) -> Pending:
    answer = frozen["answer"]
    return Pending(
        thaw_memory(frozen["memory"]),
        thaw_session(frozen["session"]),
        None if answer is None else bytes.fromhex(answer),
        float(frozen["left"]),
        frozen["touch"],
        frozen["power"],
        frozen["slot"],
    )
