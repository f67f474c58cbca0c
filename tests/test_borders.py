"""The house and its borders, read from the sources: who imports whom, what things are called."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from console import errors

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


# --- who imports whom -----------------------------------------------------------------------


def test_no_module_imports_upwards():
    """A layer knows what lies below it, never what stands on it."""
    ours = [(source, module) for source, module in crossings() if module in modules()]
    wrong = [
        f"{source.place} imports {module}"
        for source, module in ours
        if layer_of(module) > layer_of(source.name)
    ]

    assert wrong == []


def test_no_room_reaches_what_is_closed_to_it():
    """Some borders run inside a layer, or past a neighbour."""
    wrong = [
        f"{source.place} imports {module}"
        for source, module in crossings()
        for room, closed in NEVER.items()
        if lies_in(source.name, room)
        and module != "console"
        and any(lies_in(module, other) for other in closed)
    ]

    assert wrong == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_in_its_room_only(library):
    """USB libraries in hardware, Textual in screens: nowhere else."""
    wrong = [
        source.place
        for source, module in crossings()
        if lies_in(module, library)
        and not any(lies_in(source.name, room) for room in LIBRARIES[library])
    ]

    assert wrong == []


def test_a_family_knows_no_thread_no_clock_and_no_file():
    """So that a flow can be run by a test that owns time."""
    wrong = [
        f"{source.place} imports {module}"
        for source, module in crossings()
        if source.name.startswith("console.families.")
        and any(lies_in(module, never) for never in FAMILIES_NEVER)
    ]

    assert wrong == []


def is_simulator(module: str) -> bool:
    return bool(re.match(r"console\.families\.\w+\.simulator", module))


def test_a_simulator_and_its_familys_client_do_not_know_each_other():
    """What both sides shared, a test could not find to be wrong."""
    within = [
        (source, module)
        for source, module in crossings()
        if source.name.startswith("console.families.")
        and re.match(r"console\.families\.\w+", module)
    ]
    wrong = [
        f"{source.place} imports {module}"
        for source, module in within
        if is_simulator(source.name) != is_simulator(module)
    ]

    assert wrong == []


def test_a_simulator_stands_on_the_wire_alone():
    """It knows the wire's nouns and no line, no protocol code, no flow of ours."""
    wrong = [
        f"{source.place} imports {module}"
        for source, module in crossings()
        if is_simulator(source.name)
        and lies_in(module, "console")
        and not is_simulator(module)
        and not module.startswith("console.hardware.simulated")
        and module not in ("console.errors", "console.protocols.tlv")
    ]

    assert wrong == []


def test_a_family_imports_no_other_family():
    """A new family is a new folder that edits nothing else."""
    wrong = [
        f"{source.place} imports {module}"
        for source, module in crossings()
        if (own := re.match(r"console\.families\.\w+", source.name))
        and re.match(r"console\.families\.\w+", module)
        and not lies_in(module, own[0])
    ]

    assert wrong == []


def test_only_the_clock_reads_clocks():
    """Everybody else is given the time, so that a test can own it."""
    wrong = [
        f"{source.place}:{node.lineno}"
        for source in sources()
        if not source.place.startswith(tuple(CLOCKS))
        for node in ast.walk(source.tree)
        if reads_a_clock(node)
    ]

    assert wrong == []


def reads_a_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name == "time" for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module == "time"
    if not isinstance(node, ast.Attribute) or node.attr not in READS_A_CLOCK:
        return False
    named = node.value.attr if isinstance(node.value, ast.Attribute) else node.value
    name = named if isinstance(named, str) else getattr(named, "id", "")
    return name in ("datetime", "date", "time", "asyncio")


def test_every_exception_to_a_border_is_still_needed():
    """A reason without its import is a hole that nobody guards."""
    real = [(source.name, module) for source in sources() for module in imports(source)]
    unused = [
        known
        for known in EXCEPTIONS
        if not any(lies_in(who, known.who) and whom == known.whom for who, whom in real)
    ]
    unread = [
        place
        for place in CLOCKS
        if not any(
            reads_a_clock(node)
            for source in sources()
            if source.place.startswith(place)
            for node in ast.walk(source.tree)
        )
    ]

    assert (unused, unread) == ([], [])


# --- errors ---------------------------------------------------------------------------------


def exception_classes() -> Iterator[tuple[Source, ast.ClassDef]]:
    """Every class of ours that derives from an exception, of Python's or ours."""
    known = {name for name in dir(errors) if isinstance(getattr(errors, name), type)}
    known |= {name for name in dir(__builtins__) if name.endswith(("Error", "Exception"))}
    known |= {"Exception", "BaseException", "KeyboardInterrupt", "Stall", "Hang"}
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and {_last_name(base) for base in node.bases} & known:
                yield source, node


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_every_error_with_a_sentence_lives_in_errors():
    """Elsewhere only what is private, or named here with its reason."""
    wrong = [
        f"{source.place}: {node.name}"
        for source, node in exception_classes()
        if source.name != "console.errors"
        and not node.name.startswith("_")
        and (source.name, node.name) not in OWN_EXCEPTIONS
    ]

    assert wrong == []


def test_an_exception_that_is_not_an_error_of_ours_carries_no_sentence():
    """What cannot be shown to a person is raised without words."""
    names = {name for _, name in OWN_EXCEPTIONS}
    wrong = [
        f"{source.place}:{node.lineno}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and _last_name(node.exc.func) in names
        and any(isinstance(part, ast.Constant | ast.JoinedStr) for part in ast.walk(node.exc))
    ]

    assert wrong == []


def test_no_code_raises_a_bare_python_error_at_a_person():
    """RuntimeError and its like have no advice; only the code's own mistakes are those."""
    bare = {"Exception", "RuntimeError", "SystemError", "IOError"}
    wrong = [
        f"{source.place}:{node.lineno}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and _last_name(node.exc.func if isinstance(node.exc, ast.Call) else node.exc) in bare
    ]

    assert wrong == []


def drawn_tree() -> dict[str, str]:
    """Each error of the docstring's drawing with its parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for text in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"^(?P<lead>    (?:[|] {3}|    |[|`]-- )*)(?P<name>[A-Z]\w+)", text)
        if drawn is None:
            continue
        depth = (len(drawn["lead"]) - 4) // 4
        path[depth:] = [drawn["name"]]
        parents[drawn["name"]] = path[depth - 1] if depth else "Exception"
    return parents


def real_errors() -> dict[str, type[errors.ConsoleError]]:
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ConsoleError)
    }


def test_the_drawn_tree_of_errors_is_the_real_one():
    """The docstring is the map; it may not be stale."""
    real = {name: kind.__bases__[0].__name__ for name, kind in real_errors().items()}

    assert drawn_tree() == real


def test_the_drawn_exit_codes_are_the_real_ones():
    """Each branch of the drawing ends with the code that a command gives for it."""
    lines = (errors.__doc__ or "").splitlines()
    drawn = {
        found[1]: int(found[2])
        for text in lines
        if (found := re.search(r"-- ([A-Z]\w+) .* (\d+)$", text))
    }

    assert drawn == {name: real_errors()[name].exit_code for name in drawn}
    assert len(drawn) >= 9


# --- names, sizes, words --------------------------------------------------------------------


def test_no_file_is_longer_than_five_hundred_lines():
    """What is longer defines more than one noun."""
    too_long = [
        f"{source.place}: {count}"
        for source in sources()
        if (count := len(source.text.splitlines())) > LONGEST
    ]

    assert too_long == []


def test_every_module_says_what_it_is():
    """A docstring each; an empty file has nothing to say."""
    silent = [
        source.place
        for source in sources()
        if source.tree.body and not ast.get_docstring(source.tree)
    ]

    assert silent == []


def test_nothing_is_called_after_what_it_vaguely_does():
    """A module or a class carries the name of the noun it defines."""
    names = [(source.place, source.name.rpartition(".")[2]) for source in sources()]
    names += [
        (source.place, node.name)
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
    ]
    wrong = [
        f"{place}: {name}"
        for place, name in names
        if any(word in FORBIDDEN_WORDS for word in words_of(name))
    ]

    assert wrong == []


def words_of(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def test_the_table_of_words_finds_what_it_looks_for():
    """A test of the test: names are taken apart at capitals and underscores."""
    assert words_of("DeviceManager") == ["device", "manager"]
    assert words_of("io_utils") == ["io", "utils"]
    assert words_of("USBHelper") == ["usb", "helper"]


# --- at run time ----------------------------------------------------------------------------

HEAVY = ("textual", "rich", "jinja2", "asyncio")


def loaded_after(code: str) -> set[str]:
    """The modules a fresh Python has after the code, which may end as a command does."""
    ending = "import sys\ntry:\n    {}\nexcept SystemExit:\n    pass\n"
    script = ending.format(code.replace("\n", "\n    "))
    script += "sys.stderr.write('\\n'.join(['-----', *sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stderr.partition("-----\n")[2].splitlines())


def test_the_command_line_starts_without_screens_and_templates():
    """`replug --help` answers at once, also over a slow line from a small machine."""
    loaded = loaded_after("from console.cli import main\nmain(['--help'])")

    assert loaded & {*HEAVY, "cryptography", "usb", "pyudev"} == set()


def test_listing_devices_loads_neither_screens_nor_templates(tmp_path):
    """The most frequent command costs what it needs."""
    words = ["--state", str(tmp_path / "state"), "devices", "--json"]
    loaded = loaded_after(f"from console.cli import main\nmain({words!r})")

    assert loaded & set(HEAVY) == set()
    assert "console.hardware.machine" in loaded


def test_a_bench_process_loads_neither_screens_nor_templates():
    """It stays for hours beside every screen."""
    loaded = loaded_after("import console.server")

    assert loaded & set(HEAVY) == set()
