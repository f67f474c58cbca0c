"""Prints the figures: python -m tests.benchmarks [quick | screen | VMLINUZ]

Without a word: everything, on the kernel that tests/run has unpacked. "quick": the transfers
that our client sends, in this process, in seconds. "screen": bytes and times on a terminal.
VMLINUZ: everything, on that kernel.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import kernel, nk3, screen, transfers
from tests.benchmarks.rows import show
from tests.processes import place

WORDS = ("quick", "screen")


def main(words: list[str]) -> int:
    word = words[0] if words else ""
    if len(words) > 1 or (word and word not in WORDS and not Path(word).is_file()):
        print(__doc__, file=sys.stderr)
        return 2
    if word == "quick":
        quick()
    elif word == "screen":
        on_screen()
    else:
        quick()
        on_screen()
        on_kernel(Path(word) if word else kernel.unpacked())
    return 0


def quick() -> None:
    show(
        "Transfers of a 64 KiB write, in this process; peer: dfu-util's order, played by us",
        transfers.quick(),
    )


def on_screen() -> None:
    for measure in (screen.bytes_sent, screen.storm, screen.first_paint):
        with tempfile.TemporaryDirectory(prefix="replug-figures-") as name:
            pace = None if measure is screen.storm else 1.0
            with place(Path(name), screen.SCENARIO, pace) as here:
                show(f"On a terminal of 80x24 ({screen.load()})", measure(here))
                # The bench first: it would start practice hardware that is ended again.
                for bench in here.benches():
                    os.kill(bench, signal.SIGKILL)


def on_kernel(vmlinuz: Path | None) -> None:
    if vmlinuz is None:
        print("\nNo kernel is unpacked here: run tests/run once, or name a VMLINUZ.")
        return
    show("A 64 KiB write on a real kernel; peer: dfu-util", kernel.rows(vmlinuz))
    show("A Nitrokey's image; peers: hidapi's write in a loop, the vendor's SDK", nk3.rows(vmlinuz))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
