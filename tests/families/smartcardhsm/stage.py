"""Simulated SmartCard-HSMs behind the real PC/SC stack, for the field's own hosts.

The rule: as tests/hardware/stack.py, whose daemon and namespaces it uses; hosts reach it by
the socket in our folder, and find the cards in its two slots.

    stage.py FOLDER      the inner end: start, end, put SLOT FIRMWARE, sent
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from console.families.smartcardhsm.simulator_card import HsmCard
from console.families.smartcardhsm.simulator_rows import INSTANT, by_name
from tests.hardware import stack

POWER_OFF, POWER_ON, RESET = 0, 1, 2


class CardInSlot(stack.VirtualCard):
    """A card that answers for itself."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.card: HsmCard | None = None

    def put(self, card: HsmCard) -> None:
        self.card = card
        self.insert(card.atr)

    def _answer(self, message: bytes) -> bytes:
        assert self.card is not None
        assert self._wire is not None
        # The driver sends length and command apart: an acknowledgement that is put off costs 40 ms.
        self._wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if len(message) == 1:
            if message[0] in (POWER_OFF, POWER_ON, RESET):
                self.card.reset()
            return self.card.atr if message[0] == stack.ASK_ATR else b""
        self.sent.append(message.hex())
        self.card.begin(message)
        answer = self.card.work(0.0)
        if answer is None:
            raise ConnectionError("it is mute")
        return answer


class Inner(stack.Inner):
    """The inner end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._cards = (CardInSlot(stack.PORT), CardInSlot(stack.PORT + 1))

    def put(self, slot: str, firmware: str) -> None:
        row = by_name(firmware)
        self._cards[int(slot)].put(HsmCard(row, f"DENK020000{slot}", pace=INSTANT))


class Hosts(stack.Stack):
    """The outer end; `run` starts a host's program and gives what it wrote."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="replug-hsm-hosts-"))
        inside = stack.INSIDE.format(
            folder=self._folder, python=sys.executable, script=Path(__file__).resolve()
        )
        mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
        self._process = subprocess.Popen(
            ["unshare", *mapped, "--mount", "--net", "sh", "-c", inside],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        )
        self.do("start")

    def run(self, *words: object, typed: str = "") -> str:
        """Everything the program wrote. Its exit code is not looked at: it is 0 on failures too."""
        done = subprocess.run(
            [str(word) for word in words],
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            env={
                **os.environ,
                "PCSCLITE_CSOCK_NAME": str(self._folder / "pcscd.comm"),
                "HOME": str(self._folder),
                "TERM": "dumb",
            },
        )
        return done.stdout + done.stderr


def main() -> None:
    inner = Inner(Path(sys.argv[1]))
    try:
        for line in sys.stdin:
            do, *words = line.split()
            print(json.dumps(getattr(inner, do)(*words) or []), flush=True)
    finally:
        inner.end()


if __name__ == "__main__":
    main()
