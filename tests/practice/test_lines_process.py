"""Practice lines of every kind, through the practice process and its socket."""

from __future__ import annotations

import queue
import threading
from contextlib import closing

import pytest

from console import sockets
from console.clock import MachineClock
from console.errors import BadUsage, Garbled, NotPermitted, Silent, Unplugged
from console.practice.bus import PracticeBus
from console.practice.place import Place
from console.practice.process import PracticeProcess
from tests.practice.wires import BENCH, LIMIT, apdu
from tests.simulated_cards import (
    ATR,
    LONG,
    OK,
    SELECT,
    WORK,
)

# --- through the process --------------------------------------------------------------------


class Process:
    """A practice process of our own scenario, as threads of this one, on a real socket."""

    def __init__(self, root, monkeypatch) -> None:
        root.mkdir(mode=0o700)
        monkeypatch.setattr("console.practice.bus.scenario_named", lambda _: BENCH)
        self.process = PracticeProcess(Place(root), BENCH, MachineClock(), pace=0.05)
        self._listener = sockets.listen(Place(root).socket())
        self._serving = threading.Thread(target=self.process.serve, args=(self._listener,))
        self._serving.start()
        self.bus = PracticeBus(BENCH.name, root, MachineClock())
        self.board = self.process.board
        self._lines: list = []

    def device(self, port: str = "1-1"):
        return next(device for device in self.bus.scan() if device.port == port)

    def open(self, kind: str, port: str = "1-1", name: str = ""):
        self._lines.append(self.bus.open(self.device(port), kind, name))
        return self._lines[-1]

    def end(self) -> None:
        for line in self._lines:
            line.close()
        self.process.stop()
        self._serving.join(LIMIT)
        self._listener.close()


@pytest.fixture
def process(tmp_path, monkeypatch):
    """A process that is ended afterwards."""
    made = Process(tmp_path / "state", monkeypatch)
    yield made
    made.end()


def in_background(act) -> queue.Queue:
    """What act() returns or raises, once it does."""
    box: queue.Queue = queue.Queue()

    def run() -> None:
        try:
            box.put(act())
        except Exception as error:  # noqa: BLE001 - it is what is asked for
            box.put(error)

    threading.Thread(target=run, daemon=True).start()
    return box


def eventually(holds) -> bool:
    """A moment later in another thread."""
    for _ in range(1000):
        if holds():
            return True
        threading.Event().wait(0.01)
    return False


def test_all_kinds_of_lines_go_through_the_socket(process):
    """With the facts that choose them."""
    with closing(process.open("card")) as line, line.transaction():
        assert line.transmit(apdu(LONG, 0, 255))[-3:] == b"\xfe" + OK
        line.reset()
    assert process.device().cards[0].atr == ATR.hex()
    with closing(process_opens(process, "hid")) as line:
        line.send(b"\0\x01\x02")
        assert line.receive(5.0) == b"\x02\x03"
        with pytest.raises(Silent) as silent:
            line.receive(0.1)
        with pytest.raises(Garbled):
            line.send(b"\0\xff")
    with closing(process_opens(process, "serial", "practice:1-2:1.2")) as line:
        line.send(b"abc\n")
        assert line.receive(5.0) == b"bcba\n"
    assert silent.value.waited == 0.1


def process_opens(process: Process, kind: str, name: str = ""):
    """The process hears of a closed line a moment after it was closed."""
    opened: list = []

    def attempt() -> bool:
        try:
            opened.append(process.open(kind, "1-2", name))
        except NotPermitted:
            return False
        return True

    assert eventually(attempt)
    return opened[0]


def test_a_card_that_works_for_minutes_stops_nobody(process):
    """105 s of its time (5 s of ours): others are answered, a hand plugs, presses and is heard."""
    line = process.open("card")
    answer = in_background(lambda: line.transmit(apdu(WORK, 105)))
    toy = process.board.simulator("1-1").card
    assert eventually(lambda: toy.begun)
    with closing(process_opens(process, "hid")) as other:
        other.send(b"\0\x01")
        assert other.receive(5.0) == b"\x02"
    process.board.press("touch", "1-1")
    process.board.pull("1-2")
    assert len(process.bus.scan()) == 1
    assert answer.empty()
    process.board.press("remove", "1-1")
    error = answer.get(timeout=2.0)
    assert isinstance(error, Unplugged)
    assert "taken out" in error.sentence
    assert toy.done == 0


def test_pulling_the_reader_ends_the_command(process):
    """At once, in words."""
    line = process.open("card")
    answer = in_background(lambda: line.transmit(apdu(WORK, 105)))
    assert eventually(lambda: process.board.simulator("1-1").card.begun)
    process.board.pull("1-1")
    error = answer.get(timeout=2.0)
    assert isinstance(error, Unplugged)
    assert "The reader Stripes Zebra 00 00 was unplugged." == error.sentence


def test_a_program_that_dies_lets_the_card_finish_and_then_go(process):
    """The work is done; what was left in a transaction is reset; then others may have it."""
    line = process.open("card")
    line.transmit(apdu(SELECT))
    line._wire.begin_transaction()
    in_background(lambda: line.transmit(apdu(WORK, 20)))
    toy = process.board.simulator("1-1").card
    assert eventually(lambda: len(toy.begun) == 2)
    line.close()
    with pytest.raises(NotPermitted, match="in use by process"):
        process.open("card")
    assert eventually(lambda: not process.board.status()[0]["holder"])
    assert (toy.done, toy.selected) == (1, False)


def test_nonsense_is_answered(process):
    """A deed without a line."""
    with process.bus._connect() as connected:
        for do in ("send", "receive", "transmit", "begin", "reset card"):
            with pytest.raises(BadUsage):
                connected.ask(do)


def test_a_wait_for_bytes_ends_with_the_line(process):
    """A hang-up while the process waits on our behalf frees the device soon."""
    line = process.open("serial", "1-2")
    in_background(lambda: line.receive(600.0))
    threading.Event().wait(0.1)
    line.close()
    assert process_opens(process, "hid") is not None
