"""The real HID line, through the kernel's hidraw.

The rule: hidapi's libusb backend would take the device away from the kernel's driver, so only
its hidraw backend is used; an opened line is proof of it, for only that one takes such paths.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import hidraw

from console.errors import DeviceError, Garbled, NotPermitted, Silent, Unplugged
from console.events import Device
from console.hardware.lock import Held, hold_device
from console.hardware.rights import NO_RULE


def backend() -> str:
    """Which way hidapi has to the device: "hidraw", or what else was loaded in its place."""
    code = Path(str(hidraw.__file__)).read_bytes()
    return "libusb" if b"libusb_claim_interface" in code else "hidraw"


class Hidraw:
    """A HidLine to one node of one device, held for us alone on the whole machine."""

    def __init__(self, device: Device, path: str) -> None:
        self._port = device.port
        self._path = path
        self._held: Held | None = None
        self._hid = hidraw.device()
        if backend() != "hidraw":
            raise NotPermitted(
                "The HID library here would take the device away from its driver.",
                "Install hidapi 0.15 or later, whose module hidraw does not.",
            )
        try:
            self._held = hold_device(device, path)
            self._hid.open_path(path.encode())
            # Otherwise zero would mean to hidapi: wait for ever.
            self._hid.set_nonblocking(1)
        except OSError as error:
            self.close()
            raise self._meant(error) from error
        except BaseException:
            self.close()
            raise

    def send(self, data: bytes) -> None:
        self.send_all((data,))

    def send_all(self, reports: Sequence[bytes]) -> None:
        try:
            for report in reports:
                if self._hid.write(report) < 0:
                    raise OSError(errno.EIO, "write")
        except (OSError, ValueError) as error:
            raise self._meant(error) from error

    def receive(self, timeout: float, most: int = 64) -> bytes:
        milliseconds = max(1, round(timeout * 1000)) if timeout > 0 else 0
        try:
            report = bytes(self._hid.read(most, milliseconds))
        except (OSError, ValueError) as error:
            raise self._meant(error) from error
        if not report:
            sentence = f"The device in port {self._port} sent nothing in {timeout:g} s."
            raise Silent(sentence, waited=timeout)
        return report

    def close(self) -> None:
        self._hid.close()
        if self._held is not None:
            self._held.let_go()

    def _meant(self, error: Exception) -> DeviceError:
        """hidapi loses the errno: whether the node is there and open to us says more."""
        if not Path(self._path).exists():
            return Unplugged(f"The device in port {self._port} was unplugged.")
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.EACCES, errno.EPERM) or self._held is None:
            return NotPermitted(f"This user may not open the device in port {self._port}.", NO_RULE)
        return Garbled(f"The wire to the device in port {self._port} failed ({error}).")
