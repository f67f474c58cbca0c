"""Devices that are none of a run's: in what is handed over they are "another device".

The rule: pure, and in one place for every format. A customer's record tells nobody of another
customer's device; what was left out is marked, and the chain of hashes stays whole.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

from console.codec import to_json
from console.events import Device, DeviceAssigned, DeviceJudged, Event
from console.journal import Record
from console.views import job_view, run_view

ANOTHER = "another device"


def named(device: Device) -> str:
    """The device as sentences call it that is none of the run's; no serial, for these are proof."""
    return f"{device.product or 'a device without a name'} ({device.vid}:{device.pid})"


def hide(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """The records, each with what it may tell others."""
    ours = _ours(records)
    names = _names_of_strangers(records, ours)
    hidden = (_hidden(record.event, ours) for record in records)
    return tuple(
        replace(record, event=_unnamed(event, names))
        for record, event in zip(records, hidden, strict=True)
    )


def _names_of_strangers(records: tuple[Record, ...], ours: tuple[Device, ...]) -> tuple[str, ...]:
    """What other sentences of the run call them: a find, a proof, a question."""
    judged = (record.event for record in records if isinstance(record.event, DeviceJudged))
    strange = {_whole(event.device) for event in judged if _is_strange(event, ours)}
    return tuple(sorted(strange - {_whole(device) for device in ours} - {""}))


def _unnamed(event: Event, names: tuple[str, ...]) -> Event:
    """The event, whose texts say "another device" where they named a stranger."""
    changed: dict[str, Any] = {}
    for name, value in vars(event).items():
        texts = value if isinstance(value, tuple) else (value,)
        if texts and all(isinstance(text, str) for text in texts):
            told = tuple(_without_names(text, names) for text in texts)
            if told != texts:
                changed[name] = told if isinstance(value, tuple) else told[0]
    return replace(event, **changed) if changed else event


def _without_names(text: str, names: tuple[str, ...]) -> str:
    for name in names:
        text = _replaced(text, name, ANOTHER)
    return text


def _ours(records: tuple[Record, ...]) -> tuple[Device, ...]:
    """Our unit in every mode in which it was seen: taken, or known by its serial."""
    taken = run_view(records).seen_as
    serials = {device.serial for device in taken if device.serial}
    judged = (record.event for record in records if isinstance(record.event, DeviceJudged))
    return (*taken, *(event.device for event in judged if event.device.serial in serials))


def hide_moved(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """A job's records, those of a device that belongs to it no longer with no word of it."""
    stays = {unit for unit, _ in job_view(records).units}
    return tuple(
        replace(record, event=replace(event, name=ANOTHER, unit=""))
        if isinstance(event := record.event, DeviceAssigned)
        and (event.unit or event.name) not in stays
        else record
        for record in records
    )


def lines_for_others(data: bytes, records: tuple[Record, ...], shown: tuple[Record, ...]) -> bytes:
    """The journal's own lines; one that was hidden says so and carries the hash of the real one."""
    told = zip(io.BytesIO(data), records, shown, strict=True)
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
    readers = tuple(card.reader for card in came.cards)
    for words in (_whole(came), *readers, came.product, came.maker, ids):
        why = _replaced(why, words, ANOTHER)
    return _replaced(why, came.serial, "another one")


def _whole(device: Device) -> str:
    """As sentences name a device; "" for one that has no name."""
    return named(device) if device.vid else ""


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
