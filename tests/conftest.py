"""Nothing of the person who runs the tests may leak in."""

import pytest


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch, tmp_path):
    """A home and a time zone of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
