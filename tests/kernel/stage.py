"""The kernel stage: one boot of a distribution kernel, then the guest's findings are judged here.

The rule: a check that did not report has failed; the guest's own exit code proves nothing.

    stage.py VMLINUZ
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import guest

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT = 420.0


def boot(vmlinuz: Path, results: Path) -> None:
    """Run the checks in a guest on this machine's own files; its console goes to ours."""
    inside = [sys.executable, str(CHECKOUT / "tests/kernel/guest.py"), str(results)]
    variables = ["env", f"PYTHONPATH={CHECKOUT}", "PYTHONDONTWRITEBYTECODE=1"]
    command = ["vng", "--run", str(vmlinuz), "--user", "root", "--disable-kvm", "--force-9p"]
    command += ["--cpus", "2", "--memory", "1G", "--rwdir", str(results)]
    command += ["--exec", "dmesg -n 4; " + shlex.join(variables + inside)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, cwd=CHECKOUT, start_new_session=True
    ) as emulator:
        try:
            emulator.wait(LIMIT)
        except subprocess.TimeoutExpired:
            print(f"the guest did not end within {LIMIT:g} s")
            os.killpg(emulator.pid, signal.SIGKILL)


def judge(results: Path) -> list[str]:
    """The names of the checks that did not succeed, each with its reason printed."""
    found = {}
    if results.exists():
        outcomes = [json.loads(line) for line in results.read_text().splitlines()]
        found = {outcome["name"]: outcome for outcome in outcomes}
    bad = []
    for name in map(guest.name_of, guest.CHECKS):
        outcome = found.get(name, {"why": "it did not report", "seconds": 0})
        if outcome["why"]:
            bad.append(name)
            print(f"FAILED {name}: {outcome['why']}")
        else:
            print(f"ok {name} ({outcome['seconds']} s)")
    return bad


def main(vmlinuz: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="replug-kernel-") as folder:
        boot(vmlinuz, Path(folder))
        bad = judge(Path(folder) / "results.jsonl")
    print(f"{len(guest.CHECKS) - len(bad)} of {len(guest.CHECKS)} checks in the guest are ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
