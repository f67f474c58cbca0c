"""What travels between a practice process and who uses it: one JSON object a packet.

The rule: pure; sockets.py carries it. A request has an "id" and says what to "do", its answer
has the same id. What was not asked for has none: {"seen": [...]} and {"bye": true}. Bytes
travel as hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.codec import from_json, to_json
from console.errors import (
    BadUsage,
    BenchError,
    ConsoleError,
    Garbled,
    NoSuchDevice,
    NotPermitted,
    Silent,
    Unplugged,
)
from console.events import Device, DeviceChanged
from console.hardware.simulated import Setup

_ERRORS: dict[str, type[ConsoleError]] = {
    kind.__name__: kind
    for kind in (BadUsage, Garbled, NoSuchDevice, NotPermitted, Silent, Unplugged)
}


def pack_devices(devices: tuple[Device, ...]) -> list[Any]:
    return [to_json(DeviceChanged(device)) for device in devices]


def unpack_devices(packed: list[Any]) -> tuple[Device, ...]:
    events = (from_json(fields) for fields in packed)
    return tuple(event.device for event in events if isinstance(event, DeviceChanged))


def pack_setup(setup: Setup) -> list[int]:
    return [setup.request_type, setup.request, setup.value, setup.index, setup.length]


def unpack_setup(packed: list[int]) -> Setup:
    request_type, request, value, index, length = packed
    return Setup(request_type, request, value, index, length)


def pack_error(error: ConsoleError) -> dict[str, Any]:
    kind = next((name for name, kind in _ERRORS.items() if isinstance(error, kind)), "")
    said = {"error": kind, "sentence": error.sentence, "advice": error.advice}
    return said | ({"waited": error.waited} if isinstance(error, Silent) else {})


def unpack_error(message: Mapping[str, Any]) -> ConsoleError:
    kind = _ERRORS.get(str(message["error"]), BenchError)
    error = kind(str(message["sentence"]), str(message["advice"]))
    if isinstance(error, Silent):
        error.waited = float(message["waited"])
    return error
