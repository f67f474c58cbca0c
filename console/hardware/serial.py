"""The real serial line.

The rule: exclusive. The device is locked on the whole machine, and the port refuses every other
opener but root while it is ours. pyserial's errors end here.
"""

from __future__ import annotations

import errno
import fcntl
import select
import termios
from contextlib import suppress
from pathlib import Path

import serial

from console.errors import DeviceError, Garbled, NotPermitted, Silent, Unplugged
from console.events import Device
from console.hardware.lock import Held, hold_device, holder_at, opener
from console.hardware.rights import NO_GROUP

BAUD = 115200
WRITE_PATIENCE = 5.0
"""Seconds until a device that takes no bytes counts as silent."""


class SerialPort:
    """A SerialLine to one tty of one device, held for us alone on the whole machine."""

    def __init__(self, device: Device, path: str, baud: int = BAUD) -> None:
        self._port = device.port
        self._path = path
        self._held: Held | None = None
        try:
            if any(node.kind == "usb" for node in device.nodes):
                self._held = hold_device(device, path)
            self._tty = self._opened(baud)
        except (OSError, ValueError) as error:
            self._let_go()
            raise self._meant(error) from error
        except BaseException:
            self._let_go()
            raise

    def _opened(self, baud: int) -> serial.Serial:
        # Another one that did not ask for the port alone shares its bytes with us unseen.
        self._expect_unused()
        # "exclusive" locks the tty too, so that a tty of no USB device is locked as well.
        # Its own timeout is none: to change it for each read sets up the port anew each time.
        tty = serial.Serial(
            self._path, baud, timeout=0, write_timeout=WRITE_PATIENCE, exclusive=True
        )
        try:
            # That lock stops only who asks for it. From here on the kernel refuses every opener
            # but root's; whoever came in just before is seen now.
            fcntl.ioctl(tty.fileno(), termios.TIOCEXCL)
            self._expect_unused()
        except BaseException:
            _close(tty)
            raise
        return tty

    def _expect_unused(self) -> None:
        user = opener(self._path)
        if user:
            raise _used(user, self._path)

    def send(self, data: bytes) -> None:
        try:
            self._tty.write(data)
        except serial.SerialTimeoutException:
            sentence = f"The device in port {self._port} takes no more bytes."
            raise Silent(sentence, waited=WRITE_PATIENCE) from None
        except (OSError, ValueError) as error:
            raise self._meant(error) from error

    def receive(self, timeout: float, most: int = 4096) -> bytes:
        try:
            ready, _, _ = select.select((self._tty,), (), (), timeout)
            data = bytes(self._tty.read(most)) if ready else b""
        except (OSError, ValueError, TypeError) as error:
            raise self._meant(error) from error
        if not data:
            sentence = f"The device in port {self._port} sent nothing in {timeout:g} s."
            raise Silent(sentence, waited=timeout)
        return data

    def close(self) -> None:
        _close(self._tty)
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.let_go()

    def _meant(self, error: Exception) -> DeviceError:
        if not Path(self._path).exists() or _says(error, "disconnected"):
            return Unplugged(f"The device in port {self._port} was unplugged.")
        number = getattr(error, "errno", None)
        if number in (errno.EACCES, errno.EPERM):
            return NotPermitted(f"This user may not open {self._path}.", NO_GROUP)
        if number in (errno.EBUSY, errno.EAGAIN) or _says(error, "exclusively lock"):
            return _used(opener(self._path) or holder_at(self._path), self._path)
        if number in (errno.EIO, errno.ENXIO, errno.ENODEV):
            return Unplugged(f"The device in port {self._port} was unplugged.")
        return Garbled(f"The wire to the device in port {self._port} failed ({error}).")


def _close(tty: serial.Serial) -> None:
    # It would stay exclusive while anybody else, root, has it open still (ioctl_tty(2)).
    with suppress(OSError):
        fcntl.ioctl(tty.fileno(), termios.TIOCNXCL)
    with suppress(OSError):
        tty.close()


def _used(user: str, path: str) -> NotPermitted:
    sentence = f"{user[0].upper()}{user[1:]} is using {path}."
    return NotPermitted(sentence, "Close it, then run again.")


def _says(error: Exception, words: str) -> bool:
    # pyserial wraps some failures in sentences of its own, without an errno.
    return words in str(error)
