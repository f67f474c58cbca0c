"""The writes on a real kernel: one boot of the virtual bench, dfu-util beside our client.

The rule: a write that did not report is said, and no row is made up for it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.rows import Row, against
from tests.benchmarks.transfers import JOBS, Tally, compare

BENCH = Path(__file__).parents[1] / "kernel"
PROGRAM = "tests/kernel/figures.py"


def unpacked() -> Path | None:
    """The kernel that tests/run has unpacked, the newest."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = sorted(cache.glob("replug-tests/kernel/*/boot/vmlinuz-*"))
    return found[-1] if found else None


def measure(vmlinuz: Path, program: str = PROGRAM) -> list[dict]:
    """Boot and write; what each write cost."""
    sys.path.insert(0, str(BENCH))
    import stage

    with tempfile.TemporaryDirectory(prefix="replug-figures-") as name:
        results = Path(name) / "results"
        results.mkdir()
        image = stage.make_image(Path(name))
        stage.boot(vmlinuz, image, stage.script(results, "", program), results)
        told = results / "results.jsonl"
        return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []


def rows(vmlinuz: Path) -> list[Row]:
    told = {(one["job"], one["who"]): one for one in measure(vmlinuz)}
    found: list[Row] = []
    for number, job in enumerate(JOBS):
        both = [told.get((number, who)) for who in ("ours", "peer")]
        if None in both:
            print(f"{job.name}: the guest did not report; no figure", flush=True)
            continue
        mine, theirs = (_tally(one) for one in both)
        found += compare(job, mine, theirs)
        name = f"{job.name}: seconds from first erase to last block"
        found.append(against(name, mine.seconds, theirs.seconds, 1.0, "s"))
    return found


def _tally(told: dict) -> Tally:
    fields = {name: told[name] for name in Tally.__dataclass_fields__}
    return Tally(**{**fields, "erased": tuple(fields["erased"])})
