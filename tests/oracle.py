"""Where the hosts of other people live: environments apart from ours, made by tests/run.

The rule: an oracle that is not there is a test that says so; under CI that is a failure.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def oracle(name: str) -> Path:
    """The Python of that environment (tests/oracles/NAME.txt)."""
    place = os.environ.get(f"REPLUG_ORACLES_{name.upper()}", "")
    if place and Path(place).exists():
        return Path(place)
    said = f"no environment of tests/oracles/{name}.txt here: tests/run makes it"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)


def tell(name: str, script: Path, *words: str, timeout: float = 300.0) -> str:
    """What the script said, run by that oracle's Python; its failure is ours."""
    done = subprocess.run(
        [str(oracle(name)), str(script), *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, f"{script.name}: {done.stdout}\n{done.stderr}"
    return done.stdout
