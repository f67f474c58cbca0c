"""The product with one more family laid over it, as whole processes see it.

The rule: a family is a folder, found by being there. So the product is linked into a folder of
the test's own, and the hostile family is put beside the real ones; no file of it is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import Place

ROOT = Path(__file__).parents[2]
FAMILY = '''"""Hostile devices: no mode of theirs is known."""

from console.families import Family

FAMILY = Family("hostile", "Hostile", (), ())
'''
SIMULATOR = '''"""See tests/hostile."""

from tests.hostile.simulator import SCENARIOS

__all__ = ["SCENARIOS"]
'''


def overlay(folder: Path) -> Path:
    """The product in links, with the hostile family."""
    _linked(ROOT / "screens", folder / "screens")
    (folder / "console").mkdir(parents=True)
    for entry in (ROOT / "console").iterdir():
        if entry.name not in ("families", "__pycache__"):
            _linked(entry, folder / "console" / entry.name)
    (folder / "console/families").mkdir()
    for entry in (ROOT / "console/families").iterdir():
        if entry.name != "__pycache__":
            _linked(entry, folder / "console/families" / entry.name)
    ours = folder / "console/families/hostile"
    ours.mkdir()
    (ours / "__init__.py").write_text(FAMILY)
    (ours / "simulator.py").write_text(SIMULATOR)
    return folder


def _linked(what: Path, where: Path) -> None:
    where.parent.mkdir(parents=True, exist_ok=True)
    where.symlink_to(what)


@contextmanager
def hostile_place(root: Path) -> Iterator[Place]:
    """A state directory whose practice bench is the hostile one; what runs there is ended."""
    made = Place(root / "state", "hostile")
    made.environ["PYTHONPATH"] = f"{overlay(root / 'laid over')}:{ROOT}"
    made.environ["PYTHONSAFEPATH"] = "1"  # not the folder that the tests stand in
    try:
        yield made
        told = made.state.log.read_text() if made.state.log.exists() else ""
        assert "Traceback" not in told, told
    finally:
        made.end()
