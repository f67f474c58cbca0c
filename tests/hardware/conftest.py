"""Where the tests' own PC/SC daemon listens must be known before the first call is made."""

import os

from tests.hardware.stack import FOLDER

os.environ["PCSCLITE_CSOCK_NAME"] = str(FOLDER / "pcscd.comm")
