"""The card in the firmware's own reader: the admin application by ISO 7816 commands.

The rule: it selects by AID and runs the same application as CTAPHID; its mode comes in P1
(Nitrokey's admin-app). The owner's applications tell what they hold, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.families.nitrokey3.simulator_admin import Admin
from console.families.nitrokey3.simulator_apps import OwnerApps
from console.families.nitrokey3.simulator_touch import Asks, Leave, Presence, Reply, Touch
from console.hardware.simulated import Hang
from console.hardware.simulated_card import Doing
from console.hardware.simulated_command import parse

ATR = bytes.fromhex("3b8f01805d4e6974726f6b657900000000006a")
ADMIN_AID = bytes.fromhex("a00000084700000001")
SELECT = 0xA4
OK, WRONG_LENGTH, NOT_FOUND, UNKNOWN, NOT_SATISFIED = 0x9000, 0x6700, 0x6A82, 0x6D00, 0x6985


def _word(word: int) -> bytes:
    return word.to_bytes(2, "big")


class AdminCard:
    """A SimulatedCard. `leave` takes the key off the bus instead of an answer."""

    def __init__(
        self,
        admin: Admin,
        apps: OwnerApps,
        presence: Presence,
        leave: Callable[[Leave | None], None],
    ) -> None:
        self._admin = admin
        self._apps = apps
        self._presence = presence
        self._leave = leave
        self._selected = False
        self._app = ""
        self._answer: bytes | None = None
        self._asks: Asks | None = None

    @property
    def doing(self) -> Doing:
        return Doing.WORKING if self._asks is None else Doing.TOUCH

    @property
    def atr(self) -> bytes:
        return ATR

    def begin(self, command: bytes) -> None:
        self._forget()
        said = self._call(command)
        if isinstance(said, Asks):
            self._asks = said
            self._presence.ask(said.seconds)
        else:
            self._say(said)

    def work(self, seconds: float) -> bytes | None:
        """Raises Hang: it was touched, and leaves instead of answering."""
        if self._asks is not None:
            asks = self._asks
            match self._presence.wait(seconds):
                case Touch.GIVEN:
                    self._asks = None
                    reply = asks.given()
                    self._say(reply)
                    if reply.leave is not None:
                        raise Hang
                case Touch.LATE:
                    self._asks = None
                    self._say(asks.late)
        answer, self._answer = self._answer, None
        return answer

    def reset(self) -> None:
        self._forget()
        self._selected, self._app = False, ""

    def press(self, buttons: str) -> None:
        if buttons != "touch":
            raise ValueError(f'A Nitrokey has no "{buttons}"; it has: touch.')
        self._presence.touch()

    def _forget(self) -> None:
        if self._asks is not None:
            self._presence.forget()
        self._asks, self._answer = None, None

    def _call(self, raw: bytes) -> Reply | Asks | int | bytes:
        command = parse(raw)
        if command is None:
            return WRONG_LENGTH
        instruction, body = command.ins, command.data
        if instruction == SELECT:
            self._selected, self._app = body == ADMIN_AID, self._apps.named(body)
            if self._app:
                return self._apps.select(self._app)
            return OK if self._selected else NOT_FOUND
        if self._app:
            return self._apps.call(self._app, command)
        if not self._selected:
            return UNKNOWN
        if self._presence.busy:
            return NOT_SATISFIED
        # the old commands look for their mode in P1, the later ones take the body
        return self._admin.call(instruction, bytes((command.p1,)) if instruction < 0x80 else body)

    def _say(self, said: Reply | int | bytes) -> None:
        if isinstance(said, int):
            self._answer = _word(said)
        elif isinstance(said, bytes):
            self._answer = said
        elif said.leave is not None:
            self._leave(said.leave)
        elif said.refusal is not None:
            self._answer = _word(said.refusal.word)
        else:
            self._answer = said.data + _word(OK)

    def freeze(self) -> dict[str, Any]:
        """A command under way is forgotten: its reader is powered anew."""
        return {"selected": self._selected, "app": self._app}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._forget()
        self._selected, self._app = bool(frozen["selected"]), str(frozen["app"])
