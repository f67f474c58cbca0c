"""Append, follow, replay: the only writer of truth.

The rule: one line an event, each with its number, both clocks, the boot and the hash of the
line before it. A torn last line is dropped; an event not known here is kept; a line changed
afterwards is found.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.clock import Clock
from console.codec import from_json, to_json
from console.errors import TornJournal
from console.events import Event
from console.state import give_back, storage_error, storing, sync_folder


@dataclass(frozen=True)
class Record:
    """One line: the event, its number from 1, when, and its place in the chain of hashes.

    `at` is wall time in UTC (ISO 8601), `mono` seconds of the boot named by `boot`.
    """

    number: int
    at: str
    mono: float
    boot: str
    prev: str
    event: Event
    hash: str


@dataclass(frozen=True)
class Replay:
    """A journal read to its end, or to where it cannot be trusted any more."""

    records: tuple[Record, ...]
    torn: bool = False
    broken: str = ""
    length: int = 0


def encode(number: int, clock: Clock, prev: str, event: Event) -> bytes:
    """The line for an event, without its line end."""
    at = clock.wall().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"n": number, "at": at, "mono": round(clock.monotonic(), 3), "boot": clock.boot}
    line = json.dumps(head | {"prev": prev} | to_json(event), ensure_ascii=True)
    return line.encode()


def decode(line: bytes) -> Record:
    """The record of one line (without its line end). Raises ValueError."""
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("not an object")
        return _record(fields, hashlib.sha256(line).hexdigest())
    except (OverflowError, RecursionError):
        raise ValueError("no line of ours") from None


def _record(fields: dict[str, Any], digest: str) -> Record:
    head = {name: fields.pop(name, None) for name in ("n", "at", "mono", "boot", "prev")}
    if not isinstance(head["n"], int) or not isinstance(head["prev"], str):
        raise ValueError("no number")
    if not isinstance(head["mono"], int | float):
        raise ValueError("no time")
    return Record(
        head["n"],
        str(head["at"]),
        float(head["mono"]),
        str(head["boot"]),
        head["prev"],
        from_json(fields),
        digest,
    )


def replay(path: Path) -> Replay:
    """Every record that can be trusted. Raises TornJournal if the file cannot be read at all."""
    try:
        data = path.read_bytes()
    except OSError:
        raise TornJournal(f"The journal {path.name} cannot be read.") from None
    return read_lines(data)


def read_lines(data: bytes, number: int = 0, prev: str = "") -> Replay:
    """The records in `data`, continuing the chain after line `number` whose hash is `prev`."""
    records: list[Record] = []
    length = 0
    for line in io.BytesIO(data):
        if not line.endswith(b"\n"):
            return Replay(tuple(records), torn=True, length=length)
        try:
            record = decode(line[:-1])
        except ValueError:
            last = length + len(line) == len(data)
            broken = "" if last else f"line {number + 1} cannot be read"
            return Replay(tuple(records), torn=last, broken=broken, length=length)
        if record.number != number + 1 or record.prev != prev:
            broken = f"line {number + 1} does not follow from the line before it"
            return Replay(tuple(records), broken=broken, length=length)
        records.append(record)
        number, prev = record.number, record.hash
        length += len(line)
    return Replay(tuple(records), length=length)


class Journal:
    """The writing end. Opening an existing journal drops its torn last line, nothing else."""

    def __init__(self, path: Path, clock: Clock, reserve: Path | None = None) -> None:
        self.path = path
        self._clock = clock
        self._reserve = reserve
        before = self._before()
        self._number = before.records[-1].number if before.records else 0
        self._prev = before.records[-1].hash if before.records else ""
        self.size = before.length
        with storing(path):
            self._file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
            os.ftruncate(self._file, before.length)
            sync_folder(path.parent)

    def _before(self) -> Replay:
        if not self.path.exists():
            return Replay(())
        before = replay(self.path)
        if before.broken:
            raise TornJournal(f"The journal {self.path.name} was changed: {before.broken}.")
        return before

    def append(self, event: Event, durable: bool = False) -> Record:
        """Write one event; with `durable` it is on disk when this returns.

        Raises NoRoom, NotWritable; then nothing of the line is left behind.
        """
        line = encode(self._number + 1, self._clock, self._prev, event)
        try:
            self._write(line + b"\n", durable)
        except OSError as error:
            if not self._make_room():
                raise storage_error(error, self.path) from None
            self._write_again(line + b"\n", durable)
        record = decode(line)
        self._number, self._prev = record.number, record.hash
        self.size += len(line) + 1
        return record

    def _write(self, line: bytes, durable: bool) -> None:
        written = 0
        try:
            while written < len(line):
                written += os.pwrite(self._file, line[written:], self.size + written)
            if durable:
                os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise

    def _write_again(self, line: bytes, durable: bool) -> None:
        with storing(self.path):
            self._write(line, durable)

    def _make_room(self) -> bool:
        return self._reserve is not None and give_back(self._reserve)

    def close(self) -> None:
        os.close(self._file)


class Tail:
    """The reading end of a journal that grows: each call gives the records since the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._number = 0
        self._prev = ""

    def new(self) -> tuple[Record, ...]:
        """Whole lines only; a line that is being written is left for the next call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return ()
        read = read_lines(data, self._number, self._prev)
        if read.records:
            self._number, self._prev = read.records[-1].number, read.records[-1].hash
        self._offset += read.length
        return read.records
