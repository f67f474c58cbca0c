"""One SmartCard-HSM at its contacts: its applet, the time each command takes, its faults.

The rule: what no genuine card does, it does only because a Fault says so. What a command changes
is changed when its time has passed, so a card that loses its power has not done it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from console.families.smartcardhsm import simulator_blob as blob
from console.families.smartcardhsm import simulator_cvc as cvc
from console.families.smartcardhsm.simulator_apdu import Denied, Status, answer, parse
from console.families.smartcardhsm.simulator_applet import Applet, rsa_bits
from console.families.smartcardhsm.simulator_faults import Fault, Faults, Outcome, garbled
from console.families.smartcardhsm.simulator_rows import Firmware, Pace, takes
from console.hardware.simulated_card import Doing
from console.hardware.simulated_command import Command

GENERATE = 0x46


class HsmCard:
    """One card. `seed` decides how lucky its search for primes is; `faults` what goes wrong."""

    def __init__(
        self,
        firmware: Firmware,
        serial: str,
        *,
        pace: Pace = Pace(),  # noqa: B008 - frozen
        seed: int = 1,
        faults: Iterable[Fault] = (),
        root: cvc.Issuer = cvc.ROOT,
        issuer: cvc.Issuer = cvc.ISSUER,
        entropy: blob.Entropy = secrets.token_bytes,
    ) -> None:
        self.applet = Applet(firmware, serial, root, issuer, entropy)
        self.faults = Faults(faults)
        self._pace, self._seed = pace, seed
        self.pulled = False
        """Has a fault taken its power away? Whoever it sits in leaves the bus with it."""
        self._mute = False
        self._command: bytes | None = None
        self._left = 0.0

    @property
    def firmware(self) -> Firmware:
        return self.applet.firmware

    @property
    def atr(self) -> bytes:
        return self.firmware.atr

    def __repr__(self) -> str:
        return f"HsmCard({self.firmware.name}, {self.applet.serial})"

    @property
    def doing(self) -> Doing:
        """A card that works asks for more time; a mute one does not even do that."""
        return Doing.MUTE if self._mute else Doing.WORKING

    def begin(self, command: bytes) -> None:
        self._command = command
        self._left = self._takes(command)

    def work(self, seconds: float) -> bytes | None:
        if self._mute or self._command is None:
            return None
        self._left -= seconds
        if self._left > 0:
            return None
        raw, self._command = self._command, None
        return self._answer(raw)

    def reset(self) -> None:
        self.applet.reset()
        self.pulled = False
        self._mute = False
        self._command = None

    def press(self, buttons: str) -> None:
        raise ValueError("A SmartCard-HSM has no button.")

    def _takes(self, raw: bytes) -> float:
        try:
            command = parse(raw)
            bits = rsa_bits(command) if command.ins == GENERATE else 0
        except Denied:
            return 0.0
        pair = self._pace.pair(bits, self._seed, self.applet.pairs)
        return takes(command, self._pace, pair)

    def _answer(self, raw: bytes) -> bytes | None:
        try:
            if len(raw) > self.firmware.longest:
                raise Denied(Status.WRONG_LENGTH)
            command = parse(raw)
        except Denied as no:
            return answer(status=no.status)
        fault = self.faults.of(command)
        if fault is None:
            return self.applet.perform(command)
        return self._misbehave(fault, command)

    def _misbehave(self, fault: Fault, command: Command) -> bytes | None:
        match fault.outcome:
            case Outcome.REFUSED:
                return answer(status=fault.status)
            case Outcome.GARBLED:
                return garbled(self.applet.perform(command))
            case Outcome.UNANSWERED:
                self.applet.perform(command)
            case Outcome.PULLED:
                self.applet.reset()
                self.pulled = True
        self._mute = True
        return None

    def freeze(self) -> dict[str, Any]:
        return {
            "applet": self.applet.freeze(),
            "faults": self.faults.seen,
            "pulled": self.pulled,
            "mute": self._mute,
            "command": None if self._command is None else self._command.hex(),
            "left": self._left,
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.applet.thaw(frozen["applet"])
        self.faults.seen = list(frozen["faults"])
        self.pulled = frozen["pulled"]
        self._mute = frozen["mute"]
        command = frozen["command"]
        self._command = None if command is None else bytes.fromhex(command)
        self._left = frozen["left"]
