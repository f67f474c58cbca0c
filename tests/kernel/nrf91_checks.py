"""A Thingy:91 with its two serial ports through a real kernel: found, checked, restored, pulled.

The rule: the command line alone is used, in processes of its own; what it claims is compared
with the simulated modem's store. Its switch is used when a run says that it is waiting for hands.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import socket_board
import usbip
from core_checks import REPLUG, STATE, replug
from socket_board import wait_for
from table import Table
from wire_checks import Wires

from console.families.nrf91.simulator import Thingy
from console.families.nrf91.simulator_rows import MFW_1_3_6, TRACKER, Times
from tests.families.nrf91.modem_bench import CONTENTS, LOST, digest_of, sheet

PORT, NUMBER, BUSID = "1-4", 3, "7-91"
IMEI = "352656100000074"
UNTOUCHED = {pair: digest_of(text) for pair, text in CONTENTS.items() if pair != LOST}
WHOLE = UNTOUCHED | {LOST: digest_of(CONTENTS[LOST])}
LAST_SLICE = b"-----END CERTIFICATE-----"


class Board:
    """The board in port 1-4, where the device of many functions was; made when first used."""

    made: Board | None = None

    def __init__(self, table: Table) -> None:
        self.table = table
        power = usbip.Power()
        contents = {pair: text for pair, text in CONTENTS.items() if pair != LOST}
        # It works on a write for a while, and then answers without being asked once more.
        times = Times(write=2.0)
        self.simulated = Thingy(power.pause, IMEI, MFW_1_3_6, TRACKER, contents, times=times)
        self.export = table.server.export(
            BUSID, self.simulated, usbip.FULL, back=self.plug, power=power
        )

    @classmethod
    def plugged(cls, table: Table) -> Board:
        """The board in its port, both of its serial ports ours to open."""
        if Wires.made is not None and Wires.made.other_export.connection is not None:
            Wires.made.other_export.unplug()
        cls.made = cls.made or cls(table)
        if cls.made.export.connection is None:
            cls.made.plug()
        table.seen.until(lambda seen: len(ttys(seen.at(PORT))) == 2)
        wait_for(lambda: replug("devices").returncode == 0, "the bench")
        return cls.made

    def plug(self) -> None:
        socket_board.plug(self.table.server, BUSID, NUMBER)

    @cached_property
    def checked(self) -> list[dict]:
        """Every event of one check: a run takes its time in an emulated machine."""
        return self.run("check", "--answer", "sheet=")

    def held(self) -> dict[tuple[int, int], str]:
        return {entry.pair: entry.digest for entry in self.simulated.modem.store.entries}

    def run(self, flow: str, *words: str) -> list[dict]:
        """Every event of a run; where it waits for hands the board is switched off and on."""
        told: list[list[dict]] = []

        def begun() -> bool:
            # In an emulated machine a bench may take longer to answer than a person would wait.
            told.append(self._events(flow, *words))
            return bool(told[-1])

        wait_for(begun, "a run")
        return told[-1]

    def _events(self, flow: str, *words: str) -> list[dict]:
        command = [REPLUG, "--state", STATE, "run", f"nrf91.{flow}", PORT, "--yes", "--json"]
        running = subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        events = []
        with running:
            assert running.stdout is not None
            for line in running.stdout:
                events.append(json.loads(line))
                if events[-1]["event"] == "WaitStarted" and events[-1]["hands"]:
                    self.export.press("reset")
        return events

    def restore(self) -> dict:
        """How a restore from a sheet with everything in it ended."""
        with tempfile.TemporaryDirectory() as folder:
            path = sheet(Path(folder), *CONTENTS)
            answers = (f"sheet={path}", "rewrites_at_start=no", "confirm_replace=yes")
            words = [word for answer in answers for word in ("--answer", answer)]
            return self.run("restore", *words)[-1]


def ttys(device) -> list[str]:
    """Serial ports that we may open, in their order on the device."""
    nodes = device.nodes if device else ()
    return [node.path for node in nodes if node.kind == "tty" and node.may_open]


def the_port_of_an_nrf91_modem_is_found_among_two_by_asking(table: Table) -> None:
    Board.plugged(table)
    device = table.seen.at(PORT)
    assert (device.vid, device.pid, device.driver) == ("1915", "910a", "cdc_acm"), device
    events = Board.plugged(table).checked
    (found,) = [e for e in events if e["event"] == "StepDone" and e["step"] == "find"]
    assert found["found"] == ttys(device)[1], (found, device)


def the_store_of_an_nrf91_modem_is_listed_through_the_kernel(table: Table) -> None:
    board = Board.plugged(table)
    events = board.checked
    assert events[-1]["verdict"] == "no fault found", events[-1]
    assert board.simulated.modem.mode == 1, board.simulated.modem.mode
    kept = Path(STATE).rglob(f"credentials-{IMEI}-before.json")
    picture = max(kept, key=lambda path: path.stat().st_mtime)
    listed = json.loads(picture.read_bytes())["credentials"]
    told = {(e["tag"], e["type"]): e["sha256"] for e in listed if e["tag"] < 2**31}
    assert told == UNTOUCHED, told


def an_nrf91_modem_pulled_in_mid_write_is_unfinished_and_the_next_run_restores_it(
    table: Table,
) -> None:
    board = Board.plugged(table)
    board.export.pull = lambda transfer: LAST_SLICE in transfer.data
    ended = board.restore()
    board.export.pull = None
    assert ended["verdict"] == "unfinished", ended
    assert "unplugged" in ended["sentence"], ended
    assert ended["damage"] != "nothing written", ended
    assert board.held() == UNTOUCHED
    table.seen.until(lambda seen: seen.at(PORT) is None)
    Board.plugged(table)
    ended = board.restore()
    assert ended["verdict"] == "repaired", ended
    assert "before and after a power cycle" in ended["sentence"], ended
    assert board.held() == WHOLE
    board.export.unplug()  # the port is the other device's again
    table.seen.until(lambda seen: seen.at(PORT) is None)


NRF91_CHECKS: tuple[Callable[[Table], None], ...] = (
    the_port_of_an_nrf91_modem_is_found_among_two_by_asking,
    the_store_of_an_nrf91_modem_is_listed_through_the_kernel,
    an_nrf91_modem_pulled_in_mid_write_is_unfinished_and_the_next_run_restores_it,
)
