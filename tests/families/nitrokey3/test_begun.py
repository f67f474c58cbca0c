"""A write that a kill -9 ended: the next run knows it by the key's own id, or says that it cannot.

The rule: real processes, a real bench that dies; the practice hardware lives on.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from console.families.nitrokey3.simulator import HEALTHY, INTERRUPTED_LPC55, MINI, SECOND
from tests.families.nitrokey3.container import release
from tests.families.nitrokey3.test_flash import bench
from tests.processes import Place, ended, place, until

HALF = "contents gone, bootloader alive"


def flash(made: Place, four: str) -> tuple[str, ...]:
    answers = (f"image={release().path}", f"confirm_write={four}")
    return ("run", "flash", "1-1", *(word for one in answers for word in ("--answer", one)))


def said(made: Place, run: str) -> str:
    return " ".join(event["sentence"] for event in made.events(run) if event["event"] == "Told")


@pytest.mark.parametrize(
    ("scenario", "bootloader", "continues"),
    [("nk3-interrupted-lpc55", "42dd", ""), ("nk3-interrupted-nrf52", "42e8", "1")],
)
def test_a_bench_killed_in_the_write_is_gone_on_from(
    tmp_path, scenario: str, bootloader: str, continues: str
) -> None:
    """The LPC55's bootloader has no serial: its UUID finds what was begun, once it is asked."""
    with place(tmp_path, scenario, pace=0.05) as made:
        pid = made.begin_bench()
        four = id_of(made, scenario)[-4:]
        running = made.begin(*flash(made, four), "--json")
        made.wait_for("StepStarted", step="write")
        os.kill(pid, signal.SIGKILL)
        followed = ended(running)
        last = json.loads(followed.stdout.splitlines()[-1])
        assert (last["reason"], last["damage"]) == ("interrupted", HALF)
        until(lambda: made.present() == [bootloader], "its bootloader")
        again = ended(made.begin(*flash(made, four)), limit=240.0)
        second = made.json("runs")[1]

        assert (again.returncode, second["verdict"]) == (0, "repaired"), again
        assert second["continues"] == continues
        assert "I start fresh" in said(made, "1")
        assert "began to write v1.7.2 to this very key" in said(made, "2")
        kept = sorted(path.name for path in made.state.artefacts("1").iterdir())
        assert any(name.startswith("image-v1.7.2-") for name in kept)


def id_of(made: Place, scenario: str) -> str:
    if "lpc55" in scenario:
        return INTERRUPTED_LPC55.uuid.hex().upper()
    device = json.loads(made.replug("devices", "--json").stdout)[0]
    return str(device["serial"])


def test_what_was_seen_to_its_end_is_begun_no_more(tmp_path) -> None:
    with bench(tmp_path, MINI) as shop:
        assert shop.run("nitrokey3.flash").ended.verdict == "repaired"
        again = shop.run("nitrokey3.flash")
    assert not any("began to write" in told.sentence for told in again.said)


def test_another_key_in_the_same_port_is_told_nothing_of_it(tmp_path: Path) -> None:
    """The port proves nothing: the next customer's key sits there."""
    gone = replace(HEALTHY, faults=replace(HEALTHY.faults, mboot=aborted()))
    with bench(tmp_path, gone) as shop:
        assert shop.run("nitrokey3.flash").ended.verdict == "unfinished"
    with bench(tmp_path, replace(INTERRUPTED_LPC55, uuid=SECOND)) as shop:
        other = shop.run("nitrokey3.flash")
    with bench(tmp_path, INTERRUPTED_LPC55) as shop:
        same = shop.run("nitrokey3.flash")
    assert any("I start fresh" in told.sentence for told in other.said)
    assert any("to this very key" in told.sentence for told in same.said)


def aborted():
    return replace(HEALTHY.faults.mboot, abort_at=100_000, abort_status=10106)
