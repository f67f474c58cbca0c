"""The real USB control line, through libusb.

The rule: libusb's errors end here. meaning() says what each of them is to a technician; no
other line of the program knows an errno of USB.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import usb.core
import usb.util

from console.clock import Clock
from console.errors import DeviceError, Garbled, NotPermitted, Refused, Silent, Unplugged
from console.events import Device
from console.hardware.lock import Held, hold
from console.hardware.rights import NO_RULE
from console.hardware.sightings import visit_at

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds until libusb must know a device that the kernel knows, or the kernel that it left."""
STEP = 0.05

GONE = {errno.ENODEV, errno.ESHUTDOWN, errno.ENXIO}
# A pull is first seen as broken transfers; the hub reports it some 100 ms later.
PERHAPS_GONE = {errno.EIO, errno.EPROTO, errno.EILSEQ, errno.ENOENT, None}
LIBRARY_ERRORS = (OSError, ValueError, NotImplementedError)  # the last: a backend without the call


@dataclass(frozen=True)
class Circumstances:
    """What has to be known besides the error: which port, and whether it is still there."""

    port: str
    gone: bool = False
    waited: float = 0.0


def meaning(error: Exception, at: Circumstances) -> DeviceError:
    """What a library's error means, in our words."""
    if isinstance(error, usb.core.NoBackendError):
        return NotPermitted("libusb is missing on this machine.", "Install libusb-1.0-0.")
    number = _number(error)
    if at.gone or number in GONE:
        return Unplugged(f"The device in port {at.port} was unplugged.")
    if number == errno.ETIMEDOUT:
        sentence = f"The device in port {at.port} gave no answer in {at.waited:g} s."
        return Silent(sentence, waited=at.waited)
    if number == errno.EPIPE:
        return Refused(f"The device in port {at.port} refused a request.", code="stall")
    if number in (errno.EACCES, errno.EPERM):
        return NotPermitted(f"This user may not open the device in port {at.port}.", NO_RULE)
    if number == errno.EBUSY:
        return NotPermitted(
            f"Another program or a driver holds the device in port {at.port}.",
            "Close the program that uses it, then run again.",
        )
    return Garbled(f"The wire to the device in port {at.port} failed ({_name(number, error)}).")


def _number(error: Exception) -> int | None:
    if isinstance(error, usb.core.USBTimeoutError):
        return errno.ETIMEDOUT
    return error.errno if isinstance(error, OSError) else None


def _name(number: int | None, error: Exception) -> str:
    return errno.errorcode.get(number, str(number)) if number else str(error)


class UsbControl:
    """A ControlLine to one visit of one device, held for us alone on the whole machine."""

    def __init__(self, device: Device, clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._held: Held | None = None
        self._usb: Any = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        node = next((node for node in self._device.nodes if node.kind == "usb"), None)
        if node is None or not self._here():
            raise self._unplugged()
        self._held = self._try(lambda: hold(node.path))
        self._usb = self._try(self._find)
        # pyusb opens late: a descriptor read by itself (no bytes on the wire) opens it now.
        self._try(self._usb.get_active_configuration)
        if not self._here():
            raise self._unplugged()

    def _find(self) -> Any:
        bus, number, _ = self._device.visit.split(":")
        until = self._clock.monotonic() + PATIENCE
        while self._here():
            found = usb.core.find(bus=int(bus), address=int(number))
            if found is not None:
                return found
            if self._clock.monotonic() > until:
                # libusb follows udevd's notices, so it can be later than sysfs.
                raise Silent(f"The device in port {self._device.port} is not ready to be opened.")
            self._clock.pause(STEP)
        raise self._unplugged()

    def read(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float
    ) -> bytes:
        def transfer() -> bytes:
            return bytes(
                self._usb.ctrl_transfer(
                    request_type, request, value, index, length, _milliseconds(timeout)
                )
            )

        return self._try(transfer, timeout)

    def write(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: float
    ) -> None:
        def transfer() -> int:
            return int(
                self._usb.ctrl_transfer(
                    request_type, request, value, index, data, _milliseconds(timeout)
                )
            )

        took = self._try(transfer, timeout)
        if took != len(data):
            port = self._device.port
            raise Garbled(f"The device in port {port} took {took} of {len(data)} bytes.")

    def select(self, interface: int, alternate: int) -> None:
        self._try(lambda: self._usb.set_interface_altsetting(interface, alternate))

    def reset(self) -> None:
        try:
            self._usb.reset()
        except LIBRARY_ERRORS as error:
            # Afterwards it may be another device (ENOENT says so) or none: both are a success.
            if _number(error) not in GONE | {errno.ENOENT}:
                raise self._meant(error, 0.0) from error

    def close(self) -> None:
        if self._usb is not None:
            self._dispose()
        if self._held is not None:
            self._held.let_go()

    def _dispose(self) -> None:
        try:
            usb.util.dispose_resources(self._usb)
        except LIBRARY_ERRORS:
            return

    def _try(self, act: Callable[[], T], timeout: float = 0.0) -> T:
        try:
            return act()
        except LIBRARY_ERRORS as error:
            raise self._meant(error, timeout) from error

    def _meant(self, error: Exception, waited: float) -> DeviceError:
        device = self._device
        gone = self._left(_number(error) in PERHAPS_GONE)
        return meaning(error, Circumstances(device.port, gone, waited))

    def _left(self, perhaps: bool) -> bool:
        until = self._clock.monotonic() + (PATIENCE if perhaps else 0.0)
        while self._here() and self._clock.monotonic() < until:
            self._clock.pause(STEP)
        return not self._here()

    def _here(self) -> bool:
        return visit_at(self._device.port) == self._device.visit

    def _unplugged(self) -> Unplugged:
        port = self._device.port
        return Unplugged(f"The device in port {port} was unplugged or replaced by another.")


def _milliseconds(seconds: float) -> int:
    # Zero would mean to libusb: wait for ever.
    return max(1, round(seconds * 1000))
