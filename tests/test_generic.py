"""The check that any device has: it watches, reads what the kernel wrote, and sends nothing."""

from __future__ import annotations

import pytest

from console.commands.runs import flow_of
from console.errors import NoSuchFlow
from console.events import Device, Node
from console.generic import STEADY_FOR, facts
from console.hardware.kernel import KernelLog, about
from console.run import Request
from tests.floor import MOUSE, floor
from tests.harness import workshop

LOG = """usb 1-1: new full-speed USB device number 3 using xhci_hcd
usb 1-1: SerialNumber: OF-ANOTHER-CUSTOMER
usb 1-1: USB disconnect, device number 3
usb 1-1.4: new full-speed USB device number 9 using xhci_hcd
usb 2-1: device descriptor read/64, error -110
usb 1-1: new full-speed USB device number 4 using xhci_hcd
usb 1-1: device descriptor read/64, error -71
hub 1-0:1.0: USB hub found
usb usb1-port1: unable to enumerate USB device
hid-generic 0003:046D:C077.0001: input: USB HID on usb-0000:00:14.0-1/input0
""".splitlines()


def test_lines_about_a_port_begin_with_the_last_arrival_there():
    """What an earlier customer's device said of itself is none of ours; nor is a longer port."""
    found = about("1-1", LOG)

    assert [
        "usb 1-1: new full-speed USB device number 4 using xhci_hcd",
        "usb 1-1: device descriptor read/64, error -71",
        "usb usb1-port1: unable to enumerate USB device",
    ] == list(found)
    assert found[1:] == KernelLog(found).faults


def test_a_port_behind_a_hub_is_known_by_both_its_names():
    """Its own, and its number at the hub."""
    lines = ("usb 1-1-port4: cannot enable. Maybe the USB cable is bad?", "usb 1-1-port5: x")

    assert lines[:1] == about("1-1.4", lines)
    assert lines[:1] == KernelLog(lines).faults


def test_what_a_device_wrote_into_the_kernels_log_is_only_text():
    """Its product string stands there as it sent it."""
    assert ("usb 1-1: Product: \N{REPLACEMENT CHARACTER}[2J",) == about(
        "1-1", ["usb 1-1: Product: \x1b[2J"]
    )


def test_a_device_in_words_says_what_it_lacks():
    """No name, no serial, no driver, no right to open it."""
    closed = Node("/dev/x", "usb", may_open=False, why="This user may not.")
    bare = Device("1-1", "v", "ffff", "eeee", nodes=(closed,))

    assert (
        "ffff:eeee no name, no serial",
        "no driver has taken it",
        "/dev/x: This user may not.",
    ) == (facts(bare))


def test_a_device_nobody_knows_is_checked_and_nothing_is_sent_to_it(tmp_path):
    """Thirty seconds of the clock's; the bus of this test opens nothing."""
    with floor(tmp_path, MOUSE) as shop:
        began = shop.clock.monotonic()
        view = shop.ended(shop.bench.open_run(Request("generic.check", "1-3", attended=True)))

    assert "no fault found" == view.verdict
    assert "046d:c077 Mouse, no serial" == view.ended.proof[0]
    assert shop.clock.monotonic() - began >= STEADY_FOR


def test_a_device_that_comes_and_goes_has_a_fault(tmp_path):
    """Each leaving and coming is counted; the advice is about cable, port and hub."""
    with workshop(tmp_path, "core-healthy") as shop:
        let_pass = shop.clock.pause

        def slip(seconds):
            let_pass(seconds)
            if any(known.port == "1-1" for known in shop.bench.present()):
                shop.bus.pull("1-1")
                shop.bench.look_again()

        shop.clock.pause = slip
        view = shop.run("generic.check")

    assert "unfinished" == view.verdict
    assert "does not stay on the bus. It left or came once" in view.ended.sentence
    assert "another cable" in view.ended.advice
    assert [] == shop.bus.sent


@pytest.mark.parametrize(
    ("offered", "meant"),
    [
        (("particle.check", "generic.check"), "particle.check"),
        (("generic.check",), "generic.check"),
    ],
)
def test_the_bare_word_means_the_familys_own(offered, meant):
    """What the family knows of it goes before what anybody can see."""
    card = {"port": "1-1", "mark": "", "flows": [{"id": name} for name in offered]}

    assert meant == flow_of(card, "check")["id"]


def test_a_bare_word_of_two_families_is_still_refused():
    """Nobody guesses between two that both know the device; those two are named, and no other."""
    titles = {"a.check": "Ask it", "b.check": "Check it", "b.wipe": "Wipe", "generic.check": "Look"}
    flows = [{"id": name, "title": title} for name, title in titles.items()]
    with pytest.raises(NoSuchFlow, match="several") as caught:
        flow_of({"port": "1-1", "mark": "", "flows": flows}, "check")

    assert "a.check (Ask it), b.check (Check it)." in caught.value.sentence
    assert "replug run a.check 1-1" in caught.value.advice
    assert "generic.check" in caught.value.advice
    assert "wipe" not in f"{caught.value.sentence} {caught.value.advice}"


def test_a_bare_word_for_what_is_not_shown_is_named_in_full_with_it():
    """The advice is a command that works as it stands."""
    flows = [{"id": name, "title": "Flash"} for name in ("a.flash", "b.flash", "b.check")]
    for port, words in (("", "--not-shown"), ("1-2", "1-2 --not-shown")):
        with pytest.raises(NoSuchFlow) as caught:
            flow_of({"port": port, "mark": "", "flows": flows}, "flash", not_shown=True)
        assert f"Name it in full, such as: replug run a.flash {words}" == caught.value.advice
