"""Our flows on a card behind the real PC/SC stack: bus, reader, line, and who else has it."""

from __future__ import annotations

import queue
import threading
import time

import pytest

from console.bench import Bench
from console.clock import MachineClock
from console.families.openpgp import FAMILY
from console.hardware.machine import MachineBus
from console.history import view_of
from console.run import Request
from console.state import State
from tests.families.openpgp.bench import ADMIN, BLOCKED, SERIAL
from tests.hardware.stack import FOLDER, READER, Stack

CARD = "tests.families.openpgp.cards:in_slot"
PINS = {"pin": "123456", "admin_pin": "12345678"}
SIGN = PINS | {"slots": "sign", "algorithm": "nistp256"}
GENERATE = "0047800002b60000"
LIMIT = 60.0


class Behind:
    """A bench over PC/SC alone, and a technician who types what is asked to be typed."""

    def __init__(self, stack: Stack, state: State) -> None:
        self.stack, self.state = stack, state
        self._ended: queue.Queue[str] = queue.Queue()
        self._answered: set[tuple[str, int]] = set()
        self.waits: list[str] = []
        self.left = False
        self.on_wait = lambda: None
        bus = MachineBus(scan=lambda: (), state=lambda: "")
        self.bench = Bench(state, bus, MachineClock(), (FAMILY,))
        self._answers: dict[str, str] = {}
        self.bench.start()
        self.bench.listen(self._hear)

    def _hear(self, message: dict) -> None:
        if "ended" in message:
            self._ended.put(message["ended"])
        view = self.bench.runs().get(message.get("run", ""))
        if view is None:
            return
        asked = view.question
        if asked is not None and (view.run, asked.number) not in self._answered:
            self._answered.add((view.run, asked.number))
            willing = "" if asked.optional else asked.must_type or "yes"
            answer = self._answers.get(asked.id, willing)
            self.bench.answer(view.run, asked.id, answer, "test technician")
        if view.wait is not None and view.wait.what not in self.waits:
            self.waits.append(view.wait.what)
            self.on_wait()

    def run(self, flow: str, **answers: str):
        """Perform a flow on the card in the first slot; the view replayed from its journal."""
        run = self.begin(flow, **answers)
        assert self._ended.get(timeout=LIMIT) == run
        return view_of(self.state, run)

    def begin(self, flow: str, **answers: str) -> str:
        """Have it performed by the bench; its run."""
        self._answers = answers
        (port,) = (d.port for d in self.bench.present() if any(c.atr for c in d.cards))
        return self.bench.open_run(Request(f"openpgp.{flow}", port, attended=True, by="test"))

    def leave(self) -> None:
        if not self.left:
            self.left = True
            self.bench.stop("test over")

    def memory(self) -> dict:
        return self.stack.do("frozen", 0)["memory"]


@pytest.fixture
def behind(machine, tmp_path):
    """Starts the daemon, puts a card of a row in, and opens a bench that sees it."""
    opened = []
    others = set(threading.enumerate())  # of another test's bench, and nothing to this reader

    def start(row: str, *past: str, seconds: float = 0.0) -> Behind:
        machine.do("start")
        machine.do("insert", 0, CARD, row, SERIAL, seconds, *past)
        state = State(tmp_path / "state")
        state.prepare()
        opened.append(Behind(machine, state))
        return opened[-1]

    yield start
    for each in opened:
        each.leave()
    machine.do("end")
    # Whoever still waited for the card gives the reader back before another test asks for it.
    for thread in set(threading.enumerate()) - others:
        if thread.name.startswith("run-"):
            thread.join(LIMIT)
            assert not thread.is_alive(), "a run outlived its bench"


def test_a_card_is_checked_through_pcsc(behind):
    """All that it says of itself came through the reader; no PIN did."""
    shop = behind("ZeitControl 3.3")
    view = shop.run("check")

    assert (view.verdict, view.ended.damage) == ("no fault found", "nothing written")
    assert any(f"serial {SERIAL}" in fact for fact in view.ended.proof)
    assert {command[2:4] for command in shop.stack.do("sent")} <= {"a4", "ca", "47", "c0"}


def test_a_key_is_made_proven_and_named_through_pcsc(behind):
    """The card's own memory has the fingerprint that was told; the wait said what is usual."""
    shop = behind("ZeitControl 3.3", seconds=3.0)
    view = shop.run("rekey", **SIGN)

    assert view.verdict == "repaired", view.ended
    assert shop.memory()["keys"][0][2] == "generated"
    assert shop.memory()["fingerprints"][0].upper() in view.ended.proof[0]
    assert any("nistp256" in what for what in shop.waits)


@pytest.mark.parametrize("past", [(), BLOCKED, (*BLOCKED, "00e60000")], ids=len)
def test_a_card_is_reset_through_pcsc(behind, past):
    """In use, blocked, terminated: it is as new, with the reset line pulled on the way."""
    shop = behind("ZeitControl 3.3", ADMIN, GENERATE, *past)
    view = shop.run("reset")

    assert view.verdict == "repaired", view.ended
    assert shop.memory()["keys"] == [None] * 3


def test_a_user_pin_is_unblocked_through_pcsc(behind):
    """By the admin PIN; the new one is what the card has."""
    shop = behind("ZeitControl 3.3", ADMIN, GENERATE, *BLOCKED[:3])
    view = shop.run("unblock", admin_pin="12345678", new_pin="24681357")

    assert view.verdict == "repaired", view.ended
    assert shop.memory()["pins"]["pw1"][:2] == [b"24681357".hex(), 3]


def test_a_card_that_scdaemon_holds_is_refused_with_its_name(behind):
    """Nothing is sent to it, and after gpgconf --kill it works, as was said."""
    shop = behind("ZeitControl 3.3")
    (shop.stack.do("run", ["true"]), alone(shop))
    shop.stack.do("run", ["gpg", "--card-status"])
    before = len(shop.stack.do("sent"))
    refused = shop.run("check")
    after = len(shop.stack.do("sent"))
    shop.stack.do("run", ["gpgconf", "--kill", "scdaemon"])
    view = shop.run("check")

    assert (refused.verdict, refused.ended.damage) == ("refused", "nothing written")
    assert f"Another program holds the card in {READER}." in refused.ended.sentence
    assert "scdaemon" in refused.ended.sentence.lower()
    assert "gpgconf --kill scdaemon" in refused.ended.advice
    assert (after, view.verdict) == (before, "no fault found")


def alone(shop: Behind) -> None:
    """scdaemon as it comes: it has the card for itself."""
    conf = FOLDER / "home" / ".gnupg" / "scdaemon.conf"
    conf.write_text("disable-ccid\n")


def test_a_card_pulled_while_it_makes_a_key_is_said_and_its_slot_is_as_it_was(behind):
    """The command ends, the run is unfinished, the slot is as it was."""
    shop = behind("ZeitControl 3.3", seconds=20.0)
    shop.on_wait = lambda: shop.stack.do("later", 1.0, "remove", 0)
    view = shop.run("rekey", **SIGN)
    shop.on_wait = lambda: None

    assert view.verdict == "unfinished", view.ended
    assert f"was taken out of {READER}" in view.ended.sentence
    assert shop.memory()["keys"][0] is None


def test_a_card_at_work_for_long_keeps_nobody_from_looking_or_leaving(behind):
    """The bench answers while PC/SC waits for the card, and its end waits for neither."""
    shop = behind("ZeitControl 3.3", seconds=30.0)
    busy, took = threading.Event(), []
    shop.on_wait = busy.set
    shop.begin("rekey", **SIGN)
    assert busy.wait(LIMIT)
    for act in (shop.bench.present, shop.bench.runs, shop.leave):
        began = time.monotonic()
        act()
        took.append(time.monotonic() - began)

    assert max(took) < 5.0, took
    assert shop.memory()["keys"][0] is None
