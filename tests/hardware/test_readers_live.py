"""PC/SC as it lives: cards come and go, the daemon dies under us, others hold the card."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from console.bench import Bench
from console.clock import MachineClock
from console.errors import NotPermitted, Refused, Unplugged
from console.events import Device, DeviceJudged, Verdict
from console.families import Family, Mode
from console.flow import Flow, Outcome, Step
from console.guide import Guide
from console.hardware import pcsc
from console.hardware.card import PcscCard
from console.hardware.lines import Traced
from console.hardware.machine import MachineBus
from console.history import view_of
from console.journal import replay
from console.run import Request
from console.state import State
from console.views import RunView
from tests.hardware.stack import ATR, LEAVE, OTHER_ATR, READER, Stack
from tests.hardware.watched import LIMIT, Watched

VERIFY = bytes.fromhex("00200081063132333435") + b"6"


@pytest.fixture
def watched(machine):
    """A running daemon with two empty slots, and somebody who watches."""
    machine.do("start")
    made = Watched(machine)
    made.until_cards("", "")
    yield made
    made.readers.close()
    machine.do("end")


@pytest.fixture
def inserted(watched):
    """A card is in the first slot."""
    watched.do("insert", 0, ATR)
    watched.until_cards(ATR, "")
    return watched


def test_cards_are_told_as_they_come_and_go_and_nothing_is_sent_to_them(watched):
    """The answer to reset names a card; no SELECT on sight."""
    watched.do("insert", 0, ATR)
    watched.until_cards(ATR, "")
    watched.do("insert", 1, OTHER_ATR)
    watched.until_cards(ATR, OTHER_ATR)
    watched.do("remove", 0)
    watched.until_cards("", OTHER_ATR)

    assert watched.do("sent") == []


def test_no_daemon_is_a_state_in_words_and_a_nudge_finds_it_when_it_runs(machine):
    """It is said once, and nothing is tried over and over."""
    watched = Watched(machine)
    watched.until(lambda facts: facts.state)

    assert watched.facts.state == pcsc.NO_SERVICE
    assert watched.quiet(1.0)

    machine.do("start")
    watched.readers.nudge()
    watched.until_cards("", "")

    assert watched.facts.state == ""
    watched.readers.close()
    machine.do("end")


def test_a_daemon_that_is_killed_and_started_again_is_found_again(inserted):
    """Its readers are other visits then: nothing that was open is open still."""
    before = inserted.device()
    inserted.do("kill")
    inserted.until(lambda facts: facts.state == pcsc.NO_SERVICE)

    assert inserted.facts.readers == ()

    inserted.do("start")
    inserted.do("insert", 0, ATR)
    inserted.until_cards(ATR, "")

    assert inserted.device().visit != before.visit


def test_the_daemon_killed_under_an_open_card_is_said_in_words(inserted):
    """The wire is gone; nobody hangs."""
    line = inserted.open()
    assert line.transmit(bytes.fromhex("00a4040000")) == b"\x90\x00"
    inserted.do("kill")

    with pytest.raises(Unplugged, match="The PC/SC service ended"):
        line.transmit(bytes.fromhex("00a4040000"))
    line.close()
    inserted.do("start")


def test_a_card_that_is_pulled_in_a_transaction_is_unplugged(inserted):
    """The command that was under way ends, and the transaction with it."""
    line = inserted.open()

    with pytest.raises(Unplugged, match="The card was taken out"), line.transaction():
        line.transmit(bytes((0x00, LEAVE, 0, 0)))
    line.close()
    inserted.do("remove", 0)
    inserted.until_cards("", "")


def test_another_card_in_the_same_reader_is_not_opened_as_the_one_that_was_shown(inserted):
    """Between the look and the opening somebody exchanged it."""
    shown = inserted.device()
    inserted.do("remove", 0)
    inserted.until_cards("", "")
    inserted.do("insert", 0, OTHER_ATR)
    inserted.until_cards(OTHER_ATR, "")

    with pytest.raises(Unplugged, match="Another card is in"):
        PcscCard(shown, shown.cards[0], MachineClock())


HOLD = """
import sys
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
mode = getattr(scard, sys.argv[1])
code, card, _ = scard.SCardConnect(context, sys.argv[2], mode, 3)
print(code, flush=True)
if sys.stdin.readline() == "reset\\n":
    scard.SCardReconnect(card, mode, 3, scard.SCARD_RESET_CARD)
    print("reset", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def somebody():
    """Starts another program that has the card."""
    started = []

    def start(mode: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, mode, READER]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, **pipes))
        assert started[-1].stdout.readline() == "0\n"
        return started[-1]

    yield start
    for process in started:
        process.communicate(timeout=LIMIT)


def test_a_card_that_another_program_holds_is_refused_with_its_name(inserted, somebody):
    """Whoever uses PC/SC is named, with its process."""
    held = somebody("SCARD_SHARE_EXCLUSIVE")

    with pytest.raises(NotPermitted, match=f"process {held.pid}") as refused:
        inserted.open()

    assert refused.value.sentence.startswith(f"Another program holds the card in {READER}.")


def test_a_card_that_somebody_shares_can_be_shared_but_not_had_alone(inserted, somebody):
    """A browser that looks at the card does not keep us from it, if we share."""
    somebody("SCARD_SHARE_SHARED")

    with pytest.raises(NotPermitted):
        inserted.open()
    line = inserted.open(shared=True)

    assert line.transmit(bytes.fromhex("00a4040000")) == b"\x90\x00"
    line.close()


def test_a_reset_by_another_program_is_told_before_anything_else_is_sent(inserted, somebody):
    """What was unlocked is locked again: a flow must know."""
    other = somebody("SCARD_SHARE_SHARED")
    line = inserted.open(shared=True)
    print("reset", file=other.stdin, flush=True)
    assert other.stdout.readline() == "reset\n"

    with pytest.raises(Refused, match="Another program reset the card") as refused:
        line.transmit(bytes.fromhex("00a4040000"))

    assert refused.value.code == "reset"
    assert line.transmit(bytes.fromhex("00a4040000")) == b"\x90\x00"
    line.close()


def test_a_second_bench_is_refused_by_the_lock_on_the_reader(inserted):
    """Machine-wide, although a reader behind PC/SC has no node of its own."""
    line = inserted.open(shared=True)

    with pytest.raises(NotPermitted, match="is working on this device"):
        inserted.open(shared=True)
    line.close()
    inserted.open().close()


def test_our_own_reset_leaves_the_line_usable_and_the_trace_without_data(inserted):
    """The PIN is in no trace line."""
    told = []
    line = Traced(inserted.open(), told.append, MachineClock().monotonic)
    line.reset()
    with line.transaction():
        line.transmit(VERIFY)

    line.close()
    assert told[-1].startswith("apdu 00 20 00 81 sent 11 got 2 status 9000")
    assert "313233" not in "".join(told).replace(" ", "")


def test_the_bus_tells_readers_beside_usb_and_opens_their_cards(inserted):
    """What a bench sees: one bus, one list, PC/SC's own state beside that of USB."""
    bus = MachineBus(scan=lambda: (), state=lambda: "")
    told: queue.Queue = queue.Queue()
    bus.watch(lambda devices, _: told.put(devices))

    assert [d.cards[0].atr for d in told.get(timeout=LIMIT)] == [ATR, ""]
    assert bus.card_state() == ""

    line = bus.open(bus.scan()[0], "card")
    assert line.transmit(bytes.fromhex("00a4040000")) == b"\x90\x00"
    line.close()
    with pytest.raises(NotPermitted, match="No card answers"):
        bus.open(bus.scan()[1], "card")

    inserted.do("kill")
    while told.get(timeout=LIMIT):
        pass
    assert bus.card_state() == pcsc.NO_SERVICE
    bus.close()
    inserted.do("start")


def test_one_look_without_watching_shows_the_same(inserted):
    """For a command that looks once."""
    (first, second) = MachineBus(scan=lambda: ()).scan()

    assert (first.cards[0].atr, second.cards[0].atr) == (ATR, "")


# --- a run that waits for a card -----------------------------------------------------------------

WAIT = Step("again", "Take the card out and put it in")


def reinsert(guide: Guide) -> Outcome:
    """Wait for the card; then the wire to it must work."""

    def wait() -> bool:
        with guide.expect("card", what="the card") as back:
            came = back.wait(limit=LIMIT, hands=("Take the card out.", "Put it in again."))
        if came is not None:
            with guide.card() as line:
                assert line.transmit(bytes.fromhex("00a4040000")) == b"\x90\x00"
        return came is not None

    came = guide.step(WAIT, wait)
    return Outcome(Verdict.REPAIRED if came else Verdict.UNFINISHED, "It came." if came else "No.")


def has_card(device: Device) -> bool:
    return any(card.atr for card in device.cards)


CARDS = Family(
    "cards",
    "Cards",
    (Mode("card", "", "", "A card", "card", when=has_card),),
    (Flow("reinsert", "Put it in again", "", (WAIT,), reinsert),),
)


class Waiting:
    """A bench over the machine's own readers, with a run that waits for its card."""

    def __init__(self, root: Path, stack: Stack) -> None:
        self.do = stack.do
        self.state = State(root / "state")
        self.state.prepare()
        bus = MachineBus(scan=lambda: (), state=lambda: "")
        self.bench = Bench(self.state, bus, MachineClock(), (CARDS,))
        self._told: queue.Queue[dict] = queue.Queue()
        self.bench.start()
        self.bench.listen(self._told.put)
        self.run = self.bench.open_run(Request("cards.reinsert", self._port(), attended=True))
        self.until(lambda view: view.wait)

    def _port(self) -> str:
        return next(device.port for device in self.bench.present() if has_card(device))

    @property
    def view(self) -> RunView:
        return view_of(self.state, self.run)

    def until(self, holds) -> RunView:
        while not holds(self.view):
            self._told.get(timeout=LIMIT)
        return self.view

    def remove(self, slot: int) -> None:
        """Take it out, and wait until the reader says so: its driver looks now and then."""
        self.do("remove", slot)
        self.until(lambda _: not has_card(self.bench.present()[slot]))


@pytest.fixture
def waiting(inserted, tmp_path):
    """The run has armed its wait; the card is still in."""
    made = Waiting(tmp_path, inserted)
    yield made
    made.until(lambda view: view.ended)
    made.bench.stop("test over")


def sentences(view: RunView) -> list[str]:
    return [said.sentence for said in view.said]


def test_a_run_waits_for_a_card_that_is_taken_out_and_put_in_again(waiting):
    """The reader stays all the time; afterwards the card's own wire is opened."""
    waiting.do("remove", 0)
    waiting.until(lambda view: f"The card left {READER}." in sentences(view))
    assert waiting.view.ended is None

    waiting.do("insert", 0, ATR)
    view = waiting.until(lambda view: view.ended)

    assert view.verdict == "repaired"
    assert sentences(view)[-1] == (
        f"Taken: a card with the same answer to reset is in {READER} again."
    )


def test_a_run_that_waits_refuses_another_card_and_takes_its_own(waiting):
    """In the same reader, then in the other slot, then where it belongs."""
    waiting.remove(0)
    waiting.do("insert", 0, OTHER_ATR)
    waiting.until(lambda view: any("another card is in" in words for words in sentences(view)))

    waiting.remove(0)
    waiting.do("insert", 1, ATR)
    waiting.until(lambda view: any("a card came into" in words for words in sentences(view)))

    waiting.remove(1)
    waiting.do("insert", 0, ATR)
    view = waiting.until(lambda view: view.ended)

    assert view.verdict == "repaired"
    assert [event.taken for event in judgements(waiting)] == [False, False, True]


def judgements(waiting: Waiting) -> list[DeviceJudged]:
    records = replay(waiting.state.journal(waiting.run)).records
    return [record.event for record in records if isinstance(record.event, DeviceJudged)]


# --- watching costs nothing -----------------------------------------------------------------------


def wakes() -> int:
    """How often the thread that watches readers has been woken."""
    (thread,) = (t for t in threading.enumerate() if t.name == "readers")
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def test_watching_an_idle_reader_wakes_nobody(inserted):
    """Nothing polls: the thread waits in the daemon."""
    assert inserted.quiet(1.0)
    before = wakes()

    assert inserted.quiet(2.5)
    assert wakes() - before <= 1
