"""Nordic's own tool at a pseudo terminal: PORT and the words of its command line.

A pseudo terminal is in no list of serial ports, so the list is given it; the rest is theirs.
"""

from __future__ import annotations

import sys

from nrfcredstore import cli, comms
from serial.tools.list_ports_common import ListPortInfo


def only(path: str) -> list[ListPortInfo]:
    found = ListPortInfo(path)
    found.hwid = "USB VID:PID=1915:910A SER=THINGY91_ORACLE LOCATION=1-1:1.0"
    return [found]


port = sys.argv[1]
comms.get_comports_fixed_ordering = lambda: only(port)
cli.run(["nrfcredstore", port, *sys.argv[2:]])
