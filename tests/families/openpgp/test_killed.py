"""kill -9 while a card makes a key: what is said, and what the next run makes of it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from console import link
from console.practice import bus
from tests.processes import Place, ended, place, until

PINS = {"pin": "123456", "admin_pin": "12345678"}
MAKE = "make-sign"


def brought(folder: Path) -> str:
    """An answers file with all that a new signature key wants."""
    lines = ["[answers]", 'slots = "sign"', 'algorithm = "nistp256"']
    for name, pin in PINS.items():
        (folder / name).write_text(pin)
        lines.append(f'{name} = {{ file = "{folder / name}" }}')
    answers = folder / "answers.toml"
    answers.write_text("\n".join(lines))
    return str(answers)


def memory(made: Place) -> dict:
    """The card's. Ends the practice hardware, which keeps it."""
    bus.stop(made.state.root)
    kept = json.loads((made.state.root / "practice.json").read_text())
    return kept["slots"]["1-1"]["device"]["card"]["memory"]


@pytest.mark.parametrize("pace", [0.01, 0.05])
def test_a_bench_killed_while_a_key_is_made_is_gone_on_from(tmp_path, pace):
    """Interrupted, with what that may have cost; the next run makes the key or adopts it."""
    with place(tmp_path / "state", "case-4", pace=pace) as made:
        answers = brought(tmp_path)
        pid = made.begin_bench()
        running = made.begin("run", "openpgp.rekey", "1-1", "--yes", "--answers", answers)
        made.wait_for("StepStarted", step=MAKE)
        os.kill(pid, signal.SIGKILL)
        followed = ended(running)
        until(lambda: not link.holder(made.state), "the bench to be gone")
        (dead,) = made.json("runs")
        repaired = made.replug("run", "openpgp.rekey", "1-1", "--yes", "--answers", answers)
        _, second = made.json("runs")
        card = memory(made)

    assert followed.returncode == 1, followed
    assert (dead["state"], dead["damage"]) == ("interrupted", "keys may be gone, card alive")
    assert repaired.returncode == 0, repaired
    assert (second["verdict"], second["continues"]) == ("repaired", "1")
    assert card["keys"][0][2] == "generated"
    assert card["fingerprints"][0].strip("0")
