"""Where the tests' own PC/SC daemon listens must be known before the first call is made."""

import os

import pytest

from tests.hardware.stack import FOLDER, Stack

os.environ["PCSCLITE_CSOCK_NAME"] = str(FOLDER / "pcscd.comm")


@pytest.fixture(scope="session")
def machine():
    """The stack of the tests' own."""
    made = Stack()
    yield made
    made.close()
