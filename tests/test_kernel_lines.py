"""A port's lines in a kernel's own spelling: which belong to the last plug-in, which tell."""

from __future__ import annotations

import pytest

from console.chapter import read_whole
from console.hardware.kernel import KernelLog, about
from console.report import export
from console.run import Request
from console.rungs import kernel_found
from console.ticket import ticket
from tests.harness import workshop

NEW = "usb 1-1: new full-speed USB device number"
GONE = "usb 1-1: USB disconnect, device number 4"
NAMED = (
    "usb 1-1: New USB device found, idVendor=20a0, idProduct=4230, bcdDevice= 1.01",
    "usb 1-1: New USB device strings: Mfr=1, Product=2, SerialNumber=3",
    "usb 1-1: Product: Nitrokey HSM",
    "usb 1-1: Manufacturer: Nitrokey",
    "usb 1-1: SerialNumber: DENK0104711",
)
TRIES = (
    f"{NEW} 5 using xhci_hcd",
    "usb 1-1: device descriptor read/64, error -71",
    "usb 1-1: device descriptor read/64, error -71",
    f"{NEW} 6 using xhci_hcd",
    "usb 1-1: device descriptor read/64, error -110",
    "usb usb1-port1: attempt power cycle",
    f"{NEW} 7 using xhci_hcd",
)
GIVEN_UP = "usb usb1-port1: unable to enumerate USB device"


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("usb 1-1: Device not responding to setup address.", "does not respond"),
        ("usb usb1-port1: Cannot enable. Maybe the USB cable is bad?", "cable or hub"),
        ("usb usb1-port1: Over-current condition", "short circuit"),
    ],
)
def test_a_complaint_is_known_however_the_kernel_spells_it(line, meaning):
    """hub.c and xhci.c begin some of them with a capital."""
    seen = kernel_found(KernelLog(about("1-1", (f"{NEW} 9", line))), "1-1")

    assert (line,) == KernelLog(about("", (line,))).faults
    assert any(meaning in words for words in seen.meanings)
    assert bool(seen.danger) == ("current" in line)


def test_the_failed_tries_of_a_plug_in_count_although_a_later_one_succeeds():
    """Each try is a new device to the kernel; to the bench it is one plug-in."""
    found = about("1-1", (f"{NEW} 4 using xhci_hcd", *NAMED, GONE, *TRIES, *NAMED))

    assert (*TRIES, *NAMED) == found
    assert 3 == len(KernelLog(found).faults)


def test_what_the_hub_says_before_the_first_try_is_of_that_plug_in_only_if_nothing_else_came():
    """A reset that fails comes before the arrival; nobody can say whose it was once one follows."""
    reset = "usb usb1-port1: Cannot enable. Maybe the USB cable is bad?"

    assert (GONE, reset) == about("1-1", (f"{NEW} 4", GONE, reset))
    assert (reset,) == about("1-1", (reset,))


def test_a_device_given_up_before_is_another_plug_in():
    """No disconnect is written of what never came: the good one after it is not to blame."""
    came = (f"{NEW} 8 using xhci_hcd", *NAMED)

    assert came == about("1-1", (*TRIES, GIVEN_UP, *came))
    assert (*TRIES, GIVEN_UP) == about("1-1", (f"{NEW} 3", GIVEN_UP, *TRIES, GIVEN_UP))


def test_after_the_last_disconnect_nothing_of_that_visit_is_left():
    """Only that it left."""
    assert (GONE,) == about("1-1", (f"{NEW} 4 using xhci_hcd", *NAMED, GONE))


def test_a_name_is_no_complaint():
    """A device may be called anything."""
    lines = ("usb 1-1: Product: Overcurrent tester", "usb 1-1: Manufacturer: error -71")

    assert () == KernelLog(lines).faults == about("", lines)
    assert (*TRIES, "usb 1-1: Product: USB disconnect") == about(
        "1-1", (*TRIES, "usb 1-1: Product: USB disconnect")
    )


@pytest.mark.parametrize("end", [(), (GONE,), (GONE, *TRIES, *NAMED)])
def test_the_ladder_tells_nobody_which_device_was_in_the_port(tmp_path, end):
    """It may be another customer's: no serial, no name, no ids of it in anything handed over."""
    driver = "input: Nitrokey HSM as /devices/pci0000:00/usb1/1-1/1-1:1.0/0003:20A0:4230.0001"
    log = about("1-1", (f"{NEW} 4 using xhci_hcd", *NAMED, driver, *end))
    with workshop(tmp_path, "core-dead") as shop:
        shop.bus.kernel_log = lambda port: KernelLog(log)
        run = shop.bench.open_run(Request("particle.check", "1-1", not_shown=True))
        assert shop.technician.ended.get(timeout=60) == run
        told = [export(shop.state, run, fmt).decode() for fmt in ("jsonl", "html", "md")]
        told.append(ticket(read_whole(shop.state, run)[1].records))

    assert "kernel: usb 1-1:" in told[0]
    for text in told:
        for secret in ("DENK0104711", "Nitrokey", "20a0", "20A0", "4230"):
            assert secret not in text, secret
