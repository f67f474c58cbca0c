"""The help pages the program shows: plain text of at most 78 columns, one file a subject.

The rule: a page is read before anything is touched, so it says what is safe and what to do next.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def page(subject: str) -> str:
    """The page about the subject; "" if there is none."""
    path = FOLDER / f"{subject}.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""
