"""The house and its borders, read from the sources: who imports whom."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.sources import (
    CLOCKS,
    EXCEPTIONS,
    FAMILIES_NEVER,
    LIBRARIES,
    NEVER,
    READS_A_CLOCK,
    ROOT,
    crossings,
    imports,
    layer_of,
    lies_in,
    modules,
    sources,
)

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
