"""The simulated Nitrokeys through the practice bench's own lines, as a flow gets them."""

from __future__ import annotations

import struct

import pytest

from console.errors import Unplugged
from console.families.nitrokey3 import simulator
from console.practice.local import InProcessBus
from tests.families.nitrokey3.container import release
from tests.harness import VirtualClock

INIT = bytes.fromhex("00ffffffff8600080102030405060708").ljust(65, b"\0")
SELECT = bytes.fromhex("00a4040009a00000084700000001")


class Bench:
    def __init__(self, scenario: str) -> None:
        self.clock = VirtualClock()
        known = {each.name: each for each in simulator.SCENARIOS}
        self.bus = InProcessBus(known[scenario], self.clock)

    def device(self, port: str = "1-1"):
        return next(each for each in self.bus.scan() if each.port == port)

    def open(self, kind: str, port: str = "1-1"):
        return self.bus.open(self.device(port), kind, "")

    def ids(self, port: str = "1-1") -> str:
        device = self.device(port)
        return f"{device.vid}:{device.pid}"

    def update(self, line, word: str = "touch") -> None:
        """UPDATE, up to the first keepalive; then a finger, and the pipe breaks."""
        line.send(INIT)
        channel = line.receive(1.0)[15:19]
        line.send((b"\0" + channel + b"\xd1\0\0").ljust(65, b"\0"))
        assert line.receive(1.0)[4:8].hex() == "bb000102"
        self.bus.press(word, "1-1")
        with pytest.raises(Unplugged):
            while True:
                line.receive(1.0)
        line.close()


def test_a_key_is_shown_with_its_reader_and_its_fido_node():
    """And a bootloader with what its drivers make of it."""
    bench = Bench("nk3-healthy")
    device = bench.device()

    assert sorted(node.kind for node in device.nodes) == ["card", "hidraw", "usb"]
    assert (device.serial, device.speed, bench.ids()) == ("", "full", "20a0:42b2")
    assert device.cards[0].atr == "3b8f01805d4e6974726f6b657900000000006a"

    mini = Bench("nk3-interrupted-nrf52").device()
    assert [node.kind for node in mini.nodes] == ["usb", "tty"]


@pytest.mark.parametrize("word", ["touch", ""])
def test_a_touch_ends_nothing_and_the_key_comes_back_as_its_bootloader(word):
    """Another visit on the same port, at high speed; its chip's number is the firmware's UUID."""
    bench = Bench("nk3-healthy")
    visit = bench.device().visit
    bench.update(bench.open("hid"), word)
    bench.clock.pause(0.4)
    device = bench.device()

    assert (bench.ids(), device.speed, device.serial) == ("20a0:42dd", "high", "")
    assert (device.visit != visit, device.cards) == (True, ())
    line = bench.open("hid")
    line.send(bytes.fromhex("01000c00070000021200000000000000"))
    assert line.receive(1.0)[12:28] == simulator.FIRST


def test_the_bootloader_of_case_1_has_to_be_attached_twice():
    """By hand, and the first time it says nothing."""
    bench = Bench("case-1")
    bench.update(bench.open("hid"))
    bench.clock.pause(60.0)
    assert bench.bus.scan() == ()

    for answers in (False, True):
        bench.bus.press("attach", "1-1")
        bench.clock.pause(0.4)
        line = bench.open("hid")
        line.send(bytes.fromhex("01000c00070000021200000000000000"))
        if answers:
            assert line.receive(1.0)[12:28] == simulator.FIRST
        line.close()


def test_an_interrupted_key_takes_the_vendors_file_over_the_practice_line():
    """Report by report; the image is what was sent, and the firmware comes back."""
    bench = Bench("nk3-interrupted-lpc55")
    data = release().sb2
    line = bench.open("hid")
    line.send(bytes.fromhex("0100080008010001") + struct.pack("<I", len(data)))
    assert line.receive(1.0)[8:12] == bytes(4)
    for at in range(0, len(data), 56):
        part = data[at : at + 56]
        line.send(struct.pack("<BBH", 2, 0, len(part)) + part)
    assert line.receive(5.0)[8:12] == bytes(4)
    assert bench.bus.simulator("1-1").rom.received == data

    line.send(bytes.fromhex("010004000b000000"))
    line.receive(1.0)
    bench.clock.pause(2.0)
    assert bench.ids() == "20a0:42b2"


def test_the_cards_application_answers_on_the_practice_card_line():
    """UUID by the admin application; REBOOT takes the card away."""
    bench = Bench("nk3-healthy")
    line = bench.open("card")

    assert line.transmit(SELECT).hex() == "9000"
    assert line.transmit(bytes.fromhex("00620000"))[:16] == simulator.FIRST
    with pytest.raises(Unplugged):
        line.transmit(bytes.fromhex("00530000"))
    bench.clock.pause(2.0)
    assert bench.ids() == "20a0:42b2"


def test_a_dead_key_is_a_port_with_nothing_in_it():
    """Whatever is done."""
    bench = Bench("nk3-dead")
    assert bench.bus.scan() == ()
    bench.bus.pull("1-1")
    bench.bus.plug("1-1")
    assert bench.bus.scan() == ()
