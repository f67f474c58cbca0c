"""Practice lines of every kind, in this process."""

from __future__ import annotations

from contextlib import closing

import pytest

from console.errors import BadUsage, Garbled, NotPermitted, Silent, Unplugged
from console.events import Card, Node
from console.hardware.lines import Stoppable
from console.hardware.simulated import Hang
from tests.harness import FaultyBus
from tests.practice.wires import Bench, apdu
from tests.simulated_cards import (
    ATR,
    COUNT,
    ECHO,
    MUTE,
    OK,
    SELECT,
    TOUCH,
    WORK,
)

# --- facts ----------------------------------------------------------------------------------


def test_a_reader_is_shown_with_its_card():
    """And without, and with another one."""
    bench = Bench()
    name = "Stripes Zebra 00 00"
    assert bench.device().cards == (Card(name, ATR.hex(), "", 1),)
    assert bench.device().nodes == (Node("practice:1-1", "usb", True), Node(name, "card", True))
    bench.bus.press("remove", "1-1")
    assert bench.device().cards == (Card(name, "", "", 1),)
    bench.bus.press("insert", "1-1")
    assert bench.device().cards == (Card(name, ATR.hex(), "", 2),)
    bench.toy.atr = b""
    assert bench.device().cards[0].state.startswith("The card does not answer")


def test_taking_a_card_out_is_told_and_is_no_new_visit():
    """As PC/SC tells it."""
    bench, seen = Bench(), []
    bench.bus.watch(lambda devices, _: seen.append((devices[0].visit, devices[0].cards[0].atr)))
    bench.bus.press("remove", "1-1")
    assert seen == [("practice-1", ATR.hex()), ("practice-1", "")]


def test_a_device_is_shown_with_the_nodes_its_drivers_would_make():
    """Each port at its communications interface; the speed is its own."""
    device = Bench().device("1-2")
    assert [(node.kind, node.path) for node in device.nodes] == [
        ("usb", "practice:1-2"),
        ("tty", "practice:1-2:1.0"),
        ("tty", "practice:1-2:1.2"),
        ("hidraw", "practice:1-2:1.4"),
        ("hidraw", "practice:1-2:1.5"),
    ]
    assert (device.speed, Bench().device().speed) == ("high", "full")


# --- cards ----------------------------------------------------------------------------------


def test_a_card_answers_and_keeps_its_state_until_it_is_reset():
    """Also in a transaction; its own time is on the clock."""
    bench = Bench()
    line = bench.open("card")
    with line.transaction():
        assert line.transmit(apdu(SELECT)) == OK
        assert line.transmit(apdu(COUNT)) == b"\0\1" + OK
    before = bench.clock.monotonic()
    assert line.transmit(apdu(WORK, 105)) == OK
    assert bench.clock.monotonic() - before == pytest.approx(105, abs=0.2)
    line.reset()
    assert line.transmit(apdu(COUNT)) == b"\1\0" + OK


def test_a_mute_card_is_a_wire_that_failed_and_a_reset_wakes_it():
    """After the time that reader and driver give it; PC/SC cannot tell the two apart."""
    bench = Bench()
    line = bench.open("card")
    before = bench.clock.monotonic()
    with pytest.raises(Garbled, match="80100016"):
        line.transmit(apdu(MUTE))
    assert bench.clock.monotonic() - before == pytest.approx(3.0, abs=0.2)
    line.reset()
    assert line.transmit(apdu(SELECT)) == OK


def test_a_short_reader_takes_no_long_command():
    """libccid refuses what does not fit: 262 bytes."""
    line = Bench().open("card")
    assert len(line.transmit(apdu(ECHO) + bytes(257))) == 263
    with pytest.raises(Garbled):
        line.transmit(apdu(ECHO) + bytes(258))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda bus: bus.press("remove", "1-1"), "The card was taken out of Stripes Zebra 00 00."),
        (lambda bus: bus.pull("1-1"), "The reader Stripes Zebra 00 00 was unplugged."),
    ],
    ids=["card", "reader"],
)
def test_a_pull_in_mid_command_is_a_pull(act, words):
    """The card has not done what it was at, and the transaction ends quietly."""
    bench = Bench()
    line = bench.open("card")
    bench.clock.later(2.0, lambda: act(bench.bus))
    before = bench.clock.monotonic()
    with pytest.raises(Unplugged) as error, line.transaction():
        line.transmit(apdu(WORK, 60))
    assert (error.value.sentence, bench.toy.done) == (words, 0)
    assert bench.clock.monotonic() - before < 2.2
    with pytest.raises(Unplugged):
        line.transmit(apdu(SELECT))
    line.close()


def test_a_line_reaches_only_the_very_card_it_was_opened_to():
    """The same one put in again is another; so is one that was seen before."""
    bench = Bench()
    device, line = bench.device(), bench.open("card")
    bench.bus.press("remove", "1-1")
    with pytest.raises(NotPermitted, match="in use"):
        bench.bus.open(device, "card")
    bench.bus.press("insert", "1-1")
    with pytest.raises(Unplugged, match="taken out"):
        line.transmit(apdu(SELECT))
    line.close()
    assert bench.open("card").transmit(apdu(SELECT)) == OK


def test_without_a_card_there_is_no_line_to_it():
    """The same sentence as on the real bench; nor in a reader of another name."""
    bench = Bench()
    with pytest.raises(NotPermitted, match="No card answers in Other"):
        bench.open("card", name="Other")
    bench.open("card", name="Stripes Zebra 00 00").close()
    bench.bus.press("remove", "1-1")
    with pytest.raises(NotPermitted, match="No card answers in 1-1"):
        bench.open("card")
    bench.bus.press("insert", "1-1")
    bench.open("card").close()


def test_a_touch_ends_no_command_and_is_what_it_waited_for():
    """Any other word the card does not know is refused, and ends nothing either."""
    bench = Bench()
    line = bench.open("card")
    bench.clock.later(7.0, lambda: bench.bus.press("touch", "1-1"))
    before = bench.clock.monotonic()
    assert line.transmit(apdu(TOUCH)) == OK
    assert bench.clock.monotonic() - before == pytest.approx(7.0, abs=0.2)
    with pytest.raises(BadUsage):
        bench.bus.press("dance", "1-1")
    assert line.transmit(apdu(SELECT)) == OK


def test_a_card_left_in_a_transaction_is_reset():
    """As the PC/SC daemon does when its client dies; a line that is closed in order leaves it."""
    bench = Bench()
    line = bench.open("card")
    with line.transaction():
        line.transmit(apdu(SELECT))
    line.close()
    line = bench.open("card")
    assert line.transmit(apdu(COUNT)) == b"\0\1" + OK
    line._wire.begin_transaction()
    line.close()
    assert bench.open("card").transmit(apdu(COUNT)) == b"\0\0" + OK


# --- HID and serial ---------------------------------------------------------------------------


def test_reports_go_out_and_come_in_with_their_number_first():
    """0 for none; by an endpoint, and by a request where there is no OUT endpoint."""
    bench = Bench()
    with closing(bench.open("hid", "1-2")) as line:
        line.send(b"\0\x10\x20")
        assert line.receive(1.0) == b"\x11\x21"
    with closing(bench.open("hid", "1-2", "practice:1-2:1.5")) as line:
        line.send(b"\0\x10\x20")
        assert line.receive(1.0, 1) == b"\x12"
        line.send(b"\x03\x10")
    assert bench.bus.simulator("1-2").knocks[1].taken == [b"\x10\x20", b"\x03\x10"]


def test_a_report_that_is_refused_or_none_is_garbled():
    """hidapi tells no more than that it failed."""
    line = Bench().open("hid", "1-2")
    for report in (b"\0", b"\0\xff"):
        with pytest.raises(Garbled, match="The wire to the device in port 1-2 failed"):
            line.send(report)


@pytest.mark.parametrize("kind", ["hid", "serial"])
def test_silence_costs_its_timeout(kind):
    """On the clock, and in the error."""
    bench = Bench()
    line = bench.open(kind, "1-2")
    before = bench.clock.monotonic()
    with pytest.raises(Silent, match=r"sent nothing in 2.5 s") as silent:
        line.receive(2.5)
    assert silent.value.waited == 2.5
    assert bench.clock.monotonic() - before == pytest.approx(2.5)


def test_serial_bytes_are_a_stream_in_both_directions():
    """Two ports of one device, each its own; what was not read waits."""
    bench = Bench()
    with closing(bench.open("serial", "1-2")) as line:
        line.send(b"ab")
        line.send(b"c\n")
        assert line.receive(1.0, 3) == b"acb"
        assert line.receive(1.0) == b"a\n"
        assert bench.bus.simulator("1-2").functions[0].dtr
    assert not bench.bus.simulator("1-2").functions[0].dtr
    with closing(bench.open("serial", "1-2", "practice:1-2:1.2")) as line:
        line.send(b"x\n")
        assert line.receive(1.0) == b"bx\n"


@pytest.mark.parametrize("kind", ["hid", "serial"])
def test_a_pull_while_waiting_ends_the_wait(kind):
    """Long before its timeout."""
    bench = Bench()
    line = bench.open(kind, "1-2")
    bench.clock.later(2.0, lambda: bench.bus.pull("1-2"))
    before = bench.clock.monotonic()
    with pytest.raises(Unplugged):
        line.receive(60.0)
    assert bench.clock.monotonic() - before < 2.2
    with pytest.raises(Unplugged):
        line.send(b"\0\0")
    line.close()


@pytest.mark.parametrize(("word", "error"), [("touch", None), ("reset", BadUsage)])
def test_a_gentle_press_ends_no_transfer_under_way(word, error):
    """A touch while the device works is done meanwhile; any other word ends the work."""
    bench, refused = Bench(), []

    def press() -> None:
        try:
            bench.bus.press(word, "1-2")
        except BadUsage as known:
            refused.append(type(known))

    line = bench.open("hid", "1-2")
    bench.clock.later(1.0, press)
    if error is None:
        line.send(b"\0\xee\x05")
        assert line.receive(1.0)[0] == 0xEF
    else:
        line.send(b"\0\xee\x05")
    assert refused == ([] if error is None else [error])


def test_a_device_that_hangs_is_silent_or_garbled_as_its_line_is():
    """pyserial's write gives up after 5 s, the kernel's after as many."""
    bench = Bench()
    device = bench.bus.simulator("1-2")

    def hang(*_: object) -> None:
        raise Hang

    serial = bench.open("serial", "1-2")
    device.send = device.receive = hang
    with pytest.raises(Silent, match="takes no more bytes"):
        serial.send(b"x")
    with pytest.raises(Silent):
        serial.receive(1.0)
    serial.close()
    hid = bench.open("hid", "1-2")
    with pytest.raises(Garbled):
        hid.send(b"\0x")
    assert bench.clock.monotonic() == pytest.approx(1011.0, abs=0.1)


@pytest.mark.parametrize("kind", ["hid", "serial"])
def test_a_device_without_such_an_interface_has_no_such_line(kind):
    """In the words of the real bench; and lets go of the device."""
    bench = Bench()
    with pytest.raises(NotPermitted, match=f"offers no {kind} line"):
        bench.open(kind)
    with pytest.raises(NotPermitted, match=f"offers no {kind} line"):
        bench.open(kind, "1-2", "practice:1-2:1.9")
    bench.open("card").close()


def test_one_line_at_a_time_holds_the_device():
    """Whatever its kind, as on the real bench."""
    bench = Bench()
    line = bench.open("hid", "1-2")
    with pytest.raises(NotPermitted, match="in use by line 1"):
        bench.open("serial", "1-2")
    line.close()
    line.close()
    bench.open("serial", "1-2").close()


def test_faults_and_eavesdropping_work_on_every_kind_of_line():
    """The n-th transfer of all lines together can be the one before which it is pulled."""
    bench = Bench(FaultyBus)
    with closing(bench.open("card")) as line:
        line.transmit(apdu(SELECT))
    with closing(bench.open("serial", "1-2")) as line:
        line.send(b"x\n")
        line.receive(1.0)
    bench.bus.fault = lambda n: bench.bus.pull("1-2") if n == 5 else None
    line = Stoppable(bench.open("hid", "1-2"), lambda: False)
    line.send(b"\0a")
    with pytest.raises(Unplugged):
        line.receive(1.0)
    assert bench.bus.sent == [apdu(SELECT), b"x\n", b"\0a"]
    assert bench.bus.calls == 5
