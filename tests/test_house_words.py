"""The house, read from the sources: its errors, and what things are called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from console import errors
from tests.sources import (
    FORBIDDEN_WORDS,
    LONGEST,
    OWN_EXCEPTIONS,
    ROOT,
    Source,
    sources,
)

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
    """What is longer defines more than one noun; tests are rooms, too."""
    rooms = (
        path for room in ("console", "screens", "tests") for path in ROOT.glob(f"{room}/**/*.py")
    )
    counts = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in rooms}
    too_long = [f"{place}: {count}" for place, count in counts.items() if count > LONGEST]

    assert "tests/test_house_words.py" in counts
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
