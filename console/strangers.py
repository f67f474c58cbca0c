"""Devices that are none of a run's: in what is handed over they are "another device".

The rule: pure, and in one place for every format. A customer's record tells nobody of another
customer's device; what was left out is marked, and the chain of hashes stays whole.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace

from console.codec import to_json
from console.events import Device, DeviceJudged, Event
from console.journal import Record
from console.views import RunView, run_view

ANOTHER = "another device"


def hide(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """The records, each with what it may tell others."""
    ours = run_view(records)
    return tuple(replace(record, event=_hidden(record.event, ours)) for record in records)


def lines_for_others(data: bytes, records: tuple[Record, ...]) -> bytes:
    """The journal's own lines; one that was hidden says so and carries the hash of the real one."""
    told = zip(io.BytesIO(data), records, hide(records), strict=True)
    return b"".join(
        line if record.event == shown.event else _instead(line, shown)
        for line, record, shown in told
    )


def _instead(line: bytes, shown: Record) -> bytes:
    head = {name: json.loads(line)[name] for name in ("n", "at", "mono", "boot", "prev")}
    fields = head | to_json(shown.event) | {"redacted": True, "hash": shown.hash}
    return json.dumps(fields).encode() + b"\n"


def _hidden(event: Event, ours: RunView) -> Event:
    if not isinstance(event, DeviceJudged) or not _is_strange(event, ours.seen_as):
        return event
    came = event.device
    why = event.why.replace(came.serial, "another one") if came.serial else event.why
    return DeviceJudged(event.port, Device(event.port, "", "", "", product=ANOTHER), False, why)


def _is_strange(event: DeviceJudged, ours: Iterable[Device]) -> bool:
    """Not taken, and neither our unit in an unexpected mode nor in our port without a name."""
    if event.taken:
        return False
    known = tuple(ours)
    if event.device.serial:
        return all(device.serial != event.device.serial for device in known)
    return all(device.port != event.port for device in known)
