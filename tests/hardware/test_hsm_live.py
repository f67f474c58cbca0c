"""Our client of the SmartCard-HSM over a real PC/SC stack: pcscd, its virtual reader, a real bench.

The rule: nothing of the practice bench is between the flow and the card; what the flow claims is
compared with what the card holds.
"""

from __future__ import annotations

import queue

import pytest

from console.bench import Bench
from console.clock import MachineClock
from console.families import found
from console.hardware.machine import MachineBus
from console.history import view_of
from console.run import Request
from console.state import State
from tests.realdata import real

LIMIT = 60.0
CARD = "tests.families.smartcardhsm.simulated:awaiting_a_share"


class Live:
    """A bench of the machine's own bus, its cards in the stack's readers."""

    def __init__(self, root, stack) -> None:
        self.do = stack.do
        self.state = State(root / "state")
        self.state.prepare()
        bus = MachineBus(scan=lambda: (), state=lambda: "")
        self.bench = Bench(self.state, bus, MachineClock(), found())
        self._told: queue.Queue[dict] = queue.Queue()
        self.bench.start()
        self.bench.listen(self._told.put)

    def _port(self) -> str:
        """Where the card is, once the bench has been told of it."""
        while True:
            here = (each for each in self.bench.present() if any(c.atr for c in each.cards))
            if (device := next(here, None)) is not None:
                return device.port
            self._told.get(timeout=LIMIT)

    def run(self, flow: str, **answers: str):
        """Performed to its end, nobody there; the view replayed from its journal."""
        request = Request(f"smartcardhsm.{flow}", self._port(), answers=answers)
        run = self.bench.open_run(request)
        while self._told.get(timeout=LIMIT).get("ended") != run:
            pass
        return view_of(self.state, run)


@pytest.fixture
def live(machine, tmp_path):
    """An HSM that waits for its one share, in the first slot."""
    machine.do("start")
    machine.do("insert", 0, CARD)
    made = Live(tmp_path, machine)
    yield made
    made.bench.stop("test over")
    machine.do("end")


def test_a_check_and_the_restore_of_a_real_backup_through_pcscd(live):
    """Share and key by sc-hsm-tool; done is what the card holds. Run again, it writes nothing."""
    seen = live.run("check")
    assert seen.verdict == "no fault found", seen.ended
    assert "DENK0109001" in " ".join(step.found for step in seen.steps)

    answers = {
        "backup": str(real("hsm/wrapped-p256.bin")),
        "shares": str(real("hsm/dkek-share.pbe")),
        "share_passwords": "correct horse",
        "pin": "648219",
    }
    restored = live.run("restore", **answers)
    card = live.do("frozen", 0)["applet"]

    assert restored.verdict == "repaired", restored.ended
    assert "Proven by a signature" in restored.ended.proof[0]
    assert len(card["keys"]) == 1
    assert live.run("check").verdict == "no fault found"
    commands = len(writes(live))
    again = live.run("restore", backup=answers["backup"], pin=answers["pin"])
    assert again.verdict == "repaired", again.ended
    assert len(writes(live)) == commands


def writes(live) -> list[str]:
    """UNWRAP and UPDATE, as the card got them."""
    return [sent for sent in live.do("sent") if sent[2:4] in ("74", "d7")]
