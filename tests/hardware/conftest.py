"""PC/SC of the tests' own: where its daemon listens must be known before the first call."""

import os
import tempfile
from pathlib import Path

PCSC_FOLDER = Path(tempfile.mkdtemp(prefix="replug-pcsc-"))
os.environ["PCSCLITE_CSOCK_NAME"] = str(PCSC_FOLDER / "pcscd.comm")
