"""The simulated modem on the practice bench: lines opened, cables pulled, buttons used."""

from __future__ import annotations

from contextlib import closing

import pytest

from console.errors import BadUsage, Silent, Unplugged
from console.families.nrf91.simulator import SCENARIOS
from console.practice.local import InProcessBus
from tests.families.nrf91.modem_wire import CASE_5, digest
from tests.harness import VirtualClock

FIRST, SECOND = "practice:1-1:1.0", "practice:1-1:1.2"
LOST = CASE_5[3, 1]
STATE = b"\x06\x09AAsAAAABAAEBAKCxzg==\n"
"""Read the image states: sequence 1, an empty map."""


class Bench:
    """One scenario's unit in port 1-1, and a patient host."""

    def __init__(self, name: str) -> None:
        self.clock = VirtualClock()
        self.bus = InProcessBus(next(each for each in SCENARIOS if each.name == name), self.clock)

    @property
    def device(self):
        (found,) = self.bus.scan()
        return found

    def open(self, path: str = FIRST):
        return closing(self.bus.open(self.device, "serial", path))

    def ask(self, line, command: str, patience: float = 5.0) -> str:
        line.send(command.encode() + b"\r\n")
        heard = b""
        while not heard.endswith((b"OK\r\n", b"ERROR\r\n")) and b"+CME ERROR" not in heard:
            heard += line.receive(patience)
        return heard.decode()

    def ready(self, line) -> None:
        """Until it has nothing more to say."""
        while True:
            try:
                line.receive(3.0)
            except Silent:
                return


def test_two_ports_are_shown_and_a_host_has_to_ask():
    """The healthy one talks AT on its second port."""
    bench = Bench("nrf91-healthy")
    device = bench.device
    assert (device.vid, device.pid, device.product) == ("1915", "910a", "Thingy:91 UART")
    assert [node.path for node in device.nodes if node.kind == "tty"] == [FIRST, SECOND]
    with bench.open(FIRST) as line:
        bench.ready(line)
        line.send(b"AT\r\n")
        with pytest.raises(Silent):
            line.receive(5.0)
    with bench.open(SECOND) as line:
        bench.ready(line)
        assert bench.ask(line, "AT").endswith("OK\r\n")


def test_case_5_is_repaired_by_one_write_and_stays_so():
    """Offline, written, listed; switched off and on; what the firmware rewrites is no loss."""
    bench = Bench("case-5")
    with bench.open() as line:
        bench.ready(line)
        before = bench.ask(line, "AT%CMNG=1")
        bench.ask(line, "AT+CFUN=4")
        assert bench.ask(line, f'AT%CMNG=0,3,1,"{LOST}"').endswith("OK\r\n")
        after = bench.ask(line, "AT%CMNG=1")
    assert digest(LOST) not in before
    assert digest(LOST) in after
    bench.bus.press("reset", "1-1")
    assert bench.bus.scan() == ()
    bench.clock.pause(6.0)
    with bench.open() as line:
        bench.ready(line)
        assert digest(LOST) in bench.ask(line, "AT%CMNG=1")


def test_a_pull_in_the_middle_of_a_write_leaves_half_of_it():
    """The line ends as unplugged; the next list shows a digest that nobody asked for."""
    bench = Bench("case-5")
    with bench.open() as line:
        bench.ready(line)
        bench.ask(line, "AT+CFUN=4")
        bench.clock.later(0.1, lambda: bench.bus.pull("1-1"))
        with pytest.raises(Unplugged):
            bench.ask(line, f'AT%CMNG=0,3,1,"{LOST}"')
    bench.bus.plug("1-1")
    with bench.open() as line:
        bench.ready(line)
        assert digest(LOST[: len(LOST) // 2]) in bench.ask(line, "AT%CMNG=1,3,1")


def test_a_new_key_takes_longer_than_an_impatient_host():
    """Silence costs the host's own patience; the answer still comes."""
    bench = Bench("nrf91-healthy")
    with bench.open(SECOND) as line:
        bench.ready(line)
        bench.ask(line, "AT+CFUN=4")
        line.send(b"AT%KEYGEN=77,2,0\r\n")
        with pytest.raises(Silent) as silent:
            line.receive(1.0)
        assert silent.value.waited == 1.0
        assert line.receive(5.0).startswith(b"%KEYGEN: ")


def test_a_supply_on_the_bench_saves_the_others():
    """On the empty battery the write takes one with it; the press ends nothing."""
    for supply, gone in (("battery", True), ("bench", False)):
        bench = Bench("nrf91-brownout")
        with bench.open() as line:
            bench.ready(line)
            bench.bus.press(supply, "1-1")
            assert bench.ask(line, f'AT%CMNG=0,3,1,"{LOST}"').endswith("OK\r\n")
            listed = bench.ask(line, "AT%CMNG=1")
        assert digest(LOST) in listed
        assert (digest(CASE_5[3, 0]) not in listed) == gone


@pytest.mark.parametrize(
    ("word", "pid", "ports"), [("bootloader", "910a", 2), ("bridge", "520f", 1)]
)
def test_its_buttons_lead_into_two_bootloaders(word, pid, ports):
    """Both answer SMP on the first port."""
    bench = Bench("nrf91-no-at")
    bench.bus.press(word, "1-1")
    bench.clock.pause(6.0)
    device = bench.device
    assert (device.pid, len([node for node in device.nodes if node.kind == "tty"])) == (pid, ports)
    with bench.open() as line:
        line.send(STATE.replace(b"xzg", b"yzg"))
        with pytest.raises(Silent):
            line.receive(1.0)  # no packet: its CRC is wrong
        line.send(STATE)
        assert line.receive(2.0).startswith(b"\x06\x09")
    with pytest.raises(BadUsage, match="it has: reset"):
        bench.bus.press("dance", "1-1")
