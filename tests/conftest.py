"""Nothing of the person who runs the tests may leak in; one PC/SC daemon for all that want one.

Where that daemon listens must be known before the first call is made: a process knows one address.
"""

import os

import pytest

from tests.hardware.stack import FOLDER, Stack, address

os.environ["PCSCLITE_CSOCK_NAME"] = address(FOLDER)


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch, tmp_path):
    """A home and a time zone of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


@pytest.fixture(scope="session")
def machine():
    """The PC/SC stack of the tests' own."""
    made = Stack()
    yield made
    made.close()
