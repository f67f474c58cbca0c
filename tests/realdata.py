"""Inputs that nobody here made: looked for beside the checkout, or where REPLUG_REAL_DATA says.

The rule: what is absent is said plainly; where CI says so, absence is a failure.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def real(name: str) -> Path:
    """The file of that name; the test is skipped, or fails in CI, where it is absent."""
    folder = Path(os.environ.get("REPLUG_REAL_DATA") or BESIDE)
    path = folder / name
    if not path.is_file():
        words = f"real input absent: {path} (set REPLUG_REAL_DATA to the folder that holds it)"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return path
