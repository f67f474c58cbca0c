"""Practice hardware in a state of its own, as the tests of whole commands find it."""

from __future__ import annotations

import pytest

from tests.processes import place


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A bench with a healthy unit, which these tests leave as it is; run 1 was a check."""
    with place(tmp_path_factory.mktemp("bench"), "core-healthy") as made:
        done = made.replug("run", "check", "1-1", "--job", "2243")
        assert done.returncode == 0, done
        yield made


@pytest.fixture
def blank(tmp_path):
    """A unit that has lost its key; nothing was done yet."""
    with place(tmp_path / "state", "core-blank-key") as made:
        yield made


@pytest.fixture
def app(tmp_path):
    """A unit that needs hands before anything can be done."""
    with place(tmp_path / "state", "core-app") as made:
        yield made
