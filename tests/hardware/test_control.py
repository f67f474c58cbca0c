"""What libusb's errors mean; the line itself is tried in the kernel stage."""

import errno

import pytest
from usb.core import NoBackendError, USBError, USBTimeoutError

from console.clock import MachineClock
from console.errors import Garbled, NotPermitted, Refused, Silent, Unplugged
from console.events import Device, Node
from console.hardware.control import Circumstances, UsbControl, meaning

HERE = Circumstances("1-1.4", waited=5.0)
GONE = Circumstances("1-1.4", gone=True, waited=5.0)


def usb_error(number: int | None) -> USBError:
    return USBError("libusb's words", -1, number)


@pytest.mark.parametrize(
    ("error", "at", "kind"),
    [
        (usb_error(errno.ENODEV), HERE, Unplugged),
        (usb_error(errno.ESHUTDOWN), HERE, Unplugged),
        (usb_error(errno.EIO), GONE, Unplugged),
        (usb_error(errno.EPROTO), GONE, Unplugged),
        (usb_error(errno.EPIPE), GONE, Unplugged),
        (USBTimeoutError("late", -7, errno.ETIMEDOUT), GONE, Unplugged),
        (usb_error(errno.EIO), HERE, Garbled),
        (usb_error(errno.EPROTO), HERE, Garbled),
        (usb_error(errno.ENOENT), HERE, Garbled),
        (usb_error(errno.EOVERFLOW), HERE, Garbled),
        (usb_error(None), HERE, Garbled),
        (ValueError("No matching interface"), HERE, Garbled),
        (NotImplementedError("not on this platform"), HERE, Garbled),
        (usb_error(errno.EPIPE), HERE, Refused),
        (USBTimeoutError("late", -7, errno.ETIMEDOUT), HERE, Silent),
        (usb_error(errno.ETIMEDOUT), HERE, Silent),
        (usb_error(errno.EACCES), HERE, NotPermitted),
        (PermissionError(errno.EACCES, "denied"), HERE, NotPermitted),
        (FileNotFoundError(errno.ENOENT, "no node"), GONE, Unplugged),
        (usb_error(errno.EBUSY), HERE, NotPermitted),
        (NoBackendError("No backend available"), HERE, NotPermitted),
    ],
)
def test_every_library_error_is_one_of_ours(error, at, kind):
    """With a sentence and advice, and none of the library's type."""
    ours = meaning(error, at)
    assert type(ours) is kind
    assert ours.sentence.endswith(".")
    assert ours.advice


def test_a_stall_is_named_for_support():
    """Clients tell it from other refusals by its code."""
    assert meaning(usb_error(errno.EPIPE), HERE).code == "stall"


def test_silence_says_how_long_we_waited():
    """A client decides by it."""
    assert meaning(usb_error(errno.ETIMEDOUT), HERE).waited == 5.0


def test_a_missing_right_comes_with_the_command_that_gives_it():
    """The same for every device: the rules name them all."""
    assert "replug udev | sudo tee" in meaning(usb_error(errno.EACCES), HERE).advice


def test_a_device_that_is_not_there_cannot_be_opened():
    """Whatever sits in its port now, it is another visit."""
    node = Node("/dev/null", "usb", may_open=True)
    past = Device("99-9", "99:1:1", "1d50", "607f", nodes=(node,))
    with pytest.raises(Unplugged):
        UsbControl(past, MachineClock())
