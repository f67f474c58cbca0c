"""Devices that are none of a run's: in what is handed over they are "another device".

The rule: pure, and in one place for every format. A customer's record tells nobody of another
customer's device; what was left out is marked, and the chain of hashes stays whole.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

from console.codec import to_json
from console.events import Device, DeviceJudged, Event
from console.journal import Record
from console.views import run_view

ANOTHER = "another device"


def hide(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """The records, each with what it may tell others."""
    ours = _ours(records)
    return tuple(replace(record, event=_hidden(record.event, ours)) for record in records)


def _ours(records: tuple[Record, ...]) -> tuple[Device, ...]:
    """Our unit in every mode in which it was seen: taken, or known by its serial."""
    taken = run_view(records).seen_as
    serials = {device.serial for device in taken if device.serial}
    judged = (record.event for record in records if isinstance(record.event, DeviceJudged))
    return (*taken, *(event.device for event in judged if event.device.serial in serials))


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


def _hidden(event: Event, ours: tuple[Device, ...]) -> Event:
    if not isinstance(event, DeviceJudged) or not _is_strange(event, ours):
        return event
    why = _without(event.device, event.why)
    stranger = Device(event.port, "", "", "", product=ANOTHER)
    return DeviceJudged(event.port, stranger, False, why)


def _without(came: Device, why: str) -> str:
    """The sentence with none of what it says of the stranger: no name, no ids, no serial."""
    ids = f"{came.vid}:{came.pid}" if came.vid else ""
    whole = f"{came.product} ({ids})" if came.product and ids else ""
    readers = tuple(card.reader for card in came.cards)
    for words in (whole, *readers, came.product, came.maker, ids):
        why = _replaced(why, words, ANOTHER)
    return _replaced(why, came.serial, "another one")


def _replaced(text: str, words: str, instead: str) -> str:
    """Whole words only: a device may be called "a"."""
    if not words.strip():
        return text
    return re.sub(rf"(?<!\w){re.escape(words)}(?!\w)", instead, text, flags=re.IGNORECASE)


def _is_strange(event: DeviceJudged, ours: tuple[Device, ...]) -> bool:
    """Not taken, and not our unit in an unexpected mode.

    One without a serial is ours only in our port and with ids that ours has shown.
    """
    if event.taken:
        return False
    came = event.device
    if came.serial:
        return all(device.serial != came.serial for device in ours)
    at_home = any(device.port == came.port for device in ours)
    return not at_home or all((seen.vid, seen.pid) != (came.vid, came.pid) for seen in ours)
