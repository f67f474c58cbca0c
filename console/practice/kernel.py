"""What a kernel writes of simulated devices that come, fail to come, and leave.

The rule: pure; the words are those of Linux (drivers/usb/core/hub.c), so that who reads the log
of practice hardware learns to read a real one.
"""

from __future__ import annotations

KEPT = 200
"""Lines of the log that a board remembers."""


def arrival(port: str, number: int) -> tuple[str, ...]:
    """Something pulled its data line, and answered."""
    return (f"usb {port}: new full-speed USB device number {number} using practice_hcd",)


def failure(port: str, number: int, error: int) -> tuple[str, ...]:
    """Something pulled its data line, and nothing that it answered made sense (`error`: errno)."""
    hub = f"{port.rpartition('.')[0]}-port" if "." in port else f"usb{port.partition('-')[0]}-port"
    return (
        f"usb {port}: new full-speed USB device number {number} using practice_hcd",
        f"usb {port}: device descriptor read/64, error -{error}",
        f"usb {port}: device descriptor read/64, error -{error}",
        f"usb {port}: device not accepting address {number}, error -{error}",
        f"usb {hub}{port.replace('-', '.').rpartition('.')[2]}: unable to enumerate USB device",
    )


def leaving(port: str, number: int) -> tuple[str, ...]:
    """It was there, and is gone."""
    return (f"usb {port}: USB disconnect, device number {number}",)
