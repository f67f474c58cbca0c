"""The house and its borders as tables, and the sources that they are held against."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 500


# --- the tables -----------------------------------------------------------------------------

LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "console",
        "console.errors",
        "console.events",
        "console.codec",
        "console.manual",
        "console.letters",
        "console.offers",
    ),
    ("console.clock", "console.state", "console.sockets", "console.toil"),
    (
        *("console.journal", "console.views", "console.bench_views", "console.run_views"),
        *("console.wording", "console.picture", "console.answers", "console.report"),
        *("console.history", "console.ports", "console.jobs", "console.ticket"),
        *("console.strangers", "console.chapter", "console.markdown", "console.trace"),
    ),
    (
        *("console.hardware", "console.flow", "console.host", "console.guide"),
        "console.reconnect",
        "console.opening",
        "console.arrivals",
        "console.protocols",
    ),
    ("console.families",),
    ("console.generic", "console.ladder", "console.rungs"),
    (
        *("console.cards", "console.run", "console.desk", "console.owner", "console.bench"),
        "console.practice",
    ),
    ("console.again",),
    ("console.server", "console.link", "console.following", "console.cli", "console.commands"),
    ("screens",),
)
"""From the ground up. A room imports its own layer and what lies below; never upwards."""

NEVER: dict[str, tuple[str, ...]] = {
    "console.errors": ("console",),
    "console.events": ("console",),
    "console.clock": ("console",),
    "console.views": ("console.state",),
    "console.hardware": ("console.flow", "console.guide", "console.protocols", "console.state"),
    "console.protocols": ("console.flow", "console.guide", "console.families"),
    "console.flow": ("console.hardware", "console.protocols"),
    "console.guide": ("console.protocols", "console.hardware.control", "console.hardware.watch"),
    "console.reconnect": ("console.protocols", "console.hardware.control"),
    "console.arrivals": ("console.protocols", "console.hardware"),
    "console.families": (
        *("console.bench", "console.run", "console.state", "console.journal", "console.clock"),
        *("console.hardware.control", "console.hardware.watch", "console.hardware.machine"),
        *("console.hardware.lock", "console.hardware.sightings", "console.hardware.pcsc"),
        *("console.hardware.readers", "console.hardware.card", "console.hardware.hid"),
        "console.hardware.winscard",
        "console.hardware.serial",
    ),
    "console.practice": ("console.bench", "console.run", "console.cards"),
    "console.bench": ("console.practice",),
    "console.run": ("console.practice", "console.bench"),
    "console.owner": ("console",),
    "console.cards": ("console.practice", "console.bench", "console.run"),
    "screens": (
        *("console.families", "console.hardware", "console.protocols", "console.flow"),
        *("console.guide", "console.bench", "console.server", "console.cli", "console.commands"),
    ),
}
"""What a room may not reach although the layers would let it."""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "usb": ("console.hardware",),
    "pyudev": ("console.hardware",),
    "hid": ("console.hardware",),
    "smartcard": ("console.hardware",),
    "serial": ("console.hardware",),
    "textual": ("screens",),
    "rich": ("screens",),
    "jinja2": ("console.report",),
    "platformdirs": ("console.state",),
    "cryptography": ("console.families",),
    "fido2": ("console.families",),
    "cbor2": ("console.families",),
    "smp": ("console.families",),
    "pysequoia": ("console.families",),
    "asyncio": ("screens",),
}
"""The only rooms in which a library is imported."""

FAMILIES_NEVER = ("threading", "time", "queue", "socket", "subprocess", "select", "signal", "os")
"""A flow is a plain function: no thread, no clock, no process, no file."""


@dataclass(frozen=True)
class Exempt:
    """An import that crosses a border, and the reason why it may."""

    who: str
    whom: str
    reason: str


EXCEPTIONS = (
    Exempt("console.commands", "screens.app", "the bare `replug` is the screen"),
    Exempt("console.flow", "console.guide", "names a type only (TYPE_CHECKING)"),
)

CLOCKS = {
    "console/clock.py": "the one clock",
    "console/link.py": "a command waits for another process to start: real time, no flow in it",
    "screens/": "a countdown passes with the technician's own time; no flow runs there",
}
"""Who reads a clock or sleeps, and why; a folder stands for all that is in it."""

READS_A_CLOCK = {"now", "utcnow", "today", "monotonic", "sleep", "perf_counter", "time_ns"}

OWN_EXCEPTIONS = {
    ("console.hardware.simulated", "Stall"): "a handshake on the wire; a line makes it Refused",
    ("console.hardware.simulated", "Hang"): "silence on the wire; a line makes it Silent",
    (
        "console.families.smartcardhsm.simulator_apdu",
        "Denied",
    ): "a status word on the wire; the client gives it words",
    ("console.hardware.pcsc", "Failed"): "a code of PC/SC; a line or the readers give it words",
    ("console.families.openpgp.simulator_words", "Denied"): "a status word on the wire",
    ("console.owner", "OwnerGone"): "the bench has ended; it ends the thread that asked",
    ("console.practice.client", "NotRunning"): "a plain no, caught by the practice bus",
}
"""Exceptions that carry no sentence and reach no person."""

FORBIDDEN_WORDS = ("manager", "handler", "helper", "utils", "util", "service", "misc", "common")


# --- reading the sources --------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """One module of the product: its name, where it lies, and what stands in it."""

    name: str
    place: str
    text: str
    tree: ast.Module


@cache
def sources() -> tuple[Source, ...]:
    paths = sorted((*ROOT.glob("console/**/*.py"), *ROOT.glob("screens/**/*.py")))
    return tuple(_source(path) for path in paths)


def _source(path: Path) -> Source:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text()
    return Source(name, str(path.relative_to(ROOT)), text, ast.parse(text))


@cache
def modules() -> frozenset[str]:
    return frozenset(source.name for source in sources())


def imports(source: Source) -> Iterator[str]:
    """Every module the source names in an import, wherever in it that stands."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.place}: relative imports hide a border"
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            ours = [name for name in named if name in modules()]
            yield from ours
            if len(ours) < len(named):
                yield str(node.module)


def lies_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def exempt(who: str, whom: str) -> bool:
    return any(lies_in(who, known.who) and known.whom == whom for known in EXCEPTIONS)


def layer_of(module: str) -> int:
    found = [
        (len(room), number)
        for number, rooms in enumerate(LAYERS)
        for room in rooms
        if (lies_in(module, room) if room != "console" else module == room)
    ]
    assert found, f"{module} has no layer: give it a place in LAYERS"
    return max(found)[1]


def crossings() -> Iterator[tuple[Source, str]]:
    for source in sources():
        for module in imports(source):
            if not exempt(source.name, module):
                yield source, module
