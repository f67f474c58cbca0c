"""What people said of the ports: a port's label, and the units that are marked hands off.

The rule: one small file, written whole and re-read when a bench starts, so that it survives the
day. A mark sticks to the unit in its port; another unit in that port is not marked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from console.errors import BadUsage, RecordError
from console.state import State, write_private

HANDS_OFF = "hands off"
LONGEST_LABEL = 40
PORT = re.compile(r"[0-9]+-[0-9]+(\.[0-9]+)*")
"""As the kernel names one: bus, port, and the ports of the hubs behind it."""
ANOTHER_NAME = re.compile(r"[0-9]+-[0-9.]+|[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")
"""What no label may look like: a device is also named by its port, or by VID:PID."""


@dataclass(frozen=True)
class PortBook:
    """`labels` are by port; `hands_off` are (port, unit); `jobs` are by what place() gives."""

    labels: Mapping[str, str] = field(default_factory=dict)
    hands_off: frozenset[tuple[str, str]] = frozenset()
    jobs: Mapping[str, str] = field(default_factory=dict)

    def label(self, port: str) -> str:
        return self.labels.get(port, "")

    def mark(self, port: str, unit: str) -> str:
        return HANDS_OFF if (port, unit) in self.hands_off else ""

    def job(self, port: str, unit: str) -> str:
        return self.jobs.get(place(port, unit), "")

    def assigned(self, port: str, unit: str, job: str) -> PortBook:
        """The book with the unit's job; "" takes it out of any."""
        rest = {known: name for known, name in self.jobs.items() if known != place(port, unit)}
        return replace(self, jobs={**rest, place(port, unit): job} if job else rest)

    def port_named(self, words: str) -> str:
        """The port with that label, or the words as they are."""
        named = [port for port, label in self.labels.items() if label == words]
        return named[0] if len(named) == 1 else words

    def port_meant(self, words: str) -> str:
        """The port with that path, plugged or empty, or with that label; "" where neither fits.

        What something was said of is known, too: a reader that is gone can lose its label.
        """
        port = self.port_named(words)
        known = {*self.labels, *(marked for marked, _ in self.hands_off)}
        return port if port in known or PORT.fullmatch(port) else ""

    def labelled(self, port: str, label: str) -> PortBook:
        """The book with the port's new label; "" takes it away. Raises BadUsage."""
        if not label.isprintable() or len(label) > LONGEST_LABEL:
            raise BadUsage(f"A label is plain text of at most {LONGEST_LABEL} letters.")
        if ANOTHER_NAME.fullmatch(label):
            raise BadUsage(f"{label} cannot be a label: it reads as a port, or as VID:PID.")
        taken = [known for known, name in self.labels.items() if name == label and known != port]
        if taken:
            raise BadUsage(f"Port {taken[0]} is called {label} already.", "Take another name.")
        rest = {known: name for known, name in self.labels.items() if known != port}
        return replace(self, labels={**rest, port: label} if label else rest)

    def marked(self, port: str, unit: str) -> PortBook:
        return replace(self, hands_off=self.hands_off | {(port, unit)})

    def cleared(self, port: str, unit: str = "") -> PortBook:
        """The book without the unit's mark, or without any of that port."""
        gone = {one for one in self.hands_off if one[0] == port and unit in ("", one[1])}
        return replace(self, hands_off=self.hands_off - gone)


def place(port: str, unit: str) -> str:
    """What a job sticks to: the unit wherever it sits, or its port if nothing names it."""
    return f"{port} {unit}" if ANOTHER_NAME.fullmatch(unit) else unit


NOTHING_SAID = PortBook()


def read_ports(state: State) -> PortBook:
    """What was said of the ports so far. Raises RecordError if that cannot be read."""
    try:
        return _from_fields(json.loads(state.ports.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return NOTHING_SAID
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        raise RecordError(
            f"The labels and hands-off marks in {state.ports} cannot be read.",
            "Until that file is mended or taken away, no port has a label or a mark.",
        ) from None


def _from_fields(fields: Mapping[str, Any]) -> PortBook:
    labels = {str(port): str(label) for port, label in fields["labels"].items()}
    hands_off = frozenset((str(port), str(unit)) for port, unit in fields["hands_off"])
    jobs = {str(unit): str(job) for unit, job in fields.get("jobs", {}).items()}
    return PortBook(labels, hands_off, jobs)


def write_ports(state: State, book: PortBook) -> None:
    """Keep the book. Raises NoRoom, NotWritable."""
    marks = sorted(book.hands_off)
    fields = {"labels": book.labels, "hands_off": marks, "jobs": book.jobs}
    write_private(state.ports, json.dumps(fields, indent=1).encode())
