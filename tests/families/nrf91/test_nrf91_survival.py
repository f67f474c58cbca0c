"""Kill -9 in the middle of a restore: what the next run finds, and finishes."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from console.clock import MachineClock
from console.practice import bus
from tests.families.nrf91.modem_bench import CONTENTS, LOST, digest_of, sheet
from tests.processes import Place, ended, place, until

PSK = {(9, 3): "00112233445566778899aabbccddeeff", (9, 4): "unit-9"}
WANTED = (LOST, (9, 3), (9, 4))
HALF = "contents gone, bootloader alive"


def restore(made: Place, path: str) -> subprocess.Popen[str]:
    answers = (f"sheet={path}", "rewrites_at_start=no", "confirm_replace=yes")
    words = [word for answer in answers for word in ("--answer", answer)]
    return made.begin("run", "nrf91.restore", "1-1", "--yes", "--json", *words)


def held(made: Place) -> dict[tuple[int, int], str]:
    """What the simulated store holds. Ends the practice hardware, which keeps it."""
    bus.stop(made.state.root)
    kept = json.loads((made.state.root / "practice.json").read_text())
    entries = kept["slots"]["1-1"]["device"]["modem"]["store"]["entries"]
    return {(tag, kind): digest_of(bytes.fromhex(text).decode()) for tag, kind, text in entries}


@pytest.mark.parametrize("times", [1, 2], ids=["in the first write", "in the second"])
def test_a_restore_killed_in_the_middle_is_finished_by_the_next(tmp_path, times):
    """It writes what is missing then, and nothing that is in."""
    path = sheet(tmp_path / "sheet", *WANTED, contents=CONTENTS | PSK)
    with place(tmp_path / "state", "case-5", pace=1.0) as made:
        pid = made.begin_bench()
        running = restore(made, path)
        begun = lambda: [e for e in made.events() if e.get("step") == "write"]  # noqa: E731
        until(lambda: sum(e["event"] == "StepStarted" for e in begun()) >= times, "the write")
        os.kill(pid, signal.SIGKILL)
        followed = ended(running)
        (dead,) = made.json("runs")
        second = restore(made, path)
        made.wait_for("WaitStarted", "2")
        bus.press(made.state.root, MachineClock(), "reset", "1-1")
        done = ended(second)
        first, last = made.json("runs")

        assert (followed.returncode, dead["state"], dead["damage"]) == (1, "interrupted", HALF)
        assert (done.returncode, last["verdict"], last["continues"]) == (0, "repaired", "1")
        assert first["damage"] == HALF
        writes = [e["step"] for e in made.events("2") if e["event"] == "StepDone"].count("write")
        assert writes == len(WANTED) - (times - 1) or writes == len(WANTED) - times
        store = held(made)
        assert {pair: store[pair] for pair in WANTED} == {
            pair: digest_of((CONTENTS | PSK)[pair]) for pair in WANTED
        }
