"""The kernel stage: one boot of a distribution kernel, then the guest's findings are judged here.

The rule: a check that did not report has failed; the guest's own exit code proves nothing.

    stage.py VMLINUZ [WORD]     WORD: only the checks with it in their names, and the first;
                                several with commas between them
"""

from __future__ import annotations

import compileall
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import guest

CHECKOUT = Path(__file__).resolve().parents[2]
STDLIB = Path(sysconfig.get_path("stdlib"))
ENVIRONMENT = Path(sys.prefix)
LIMIT = 1800.0
UNUSED = shutil.ignore_patterns(
    *("site-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "config-*")
)
ORACLES = {
    "REPLUG_ORACLES_HOSTS": (
        *("nitrokey*", "fido2*", "cryptography*", "_cffi_backend*", "smartcard", "serial"),
        *("google", "protobuf*", "crcmod", "urllib3", "charset_normalizer", "requests", "idna"),
        *("certifi", "hid*", "semver*", "platformdirs"),
    ),
    "REPLUG_ORACLES_NXP": (
        *("spsdk", "packaging", "platformdirs", "serial", "typing_extensions.py", "crcmod"),
        *("importlib_metadata", "zipp", "yaml", "prettytable", "wcwidth", "filelock", "colorama"),
        *("cryptography*", "_cffi_backend*", "libusbsio", "hid*", "hexdump.py", "click"),
        *("fastjsonschema", "deepmerge", "_ruamel*", "ruamel", "click_command_tree.py", "urllib3"),
        *("chardet", "requests", "charset_normalizer", "idna", "certifi", "libuuu*"),
    ),
}
"""Environments of other people's hosts (tests/oracles), and the packages of each that are used."""
TOLD = (*ORACLES, "REPLUG_REAL_DATA")
"""What the guest is told of this machine's environment."""
CHIP = "lpc55s69"
TOOLS = shutil.ignore_patterns("mypy*", "ruff*", "pip", "setuptools", "hypothesis", "*.so.debug")


def make_image(folder: Path) -> Path:
    """Python, its packages and the checkout as one file.

    The guest reads the machine's files through 9p without a cache, where each look at a path
    costs milliseconds and a program start half a minute; a block device is cached.
    """
    tree, image = folder / "tree", folder / "python.img"
    shutil.copytree(STDLIB, inside(tree, STDLIB), symlinks=True, ignore=UNUSED)
    shutil.copytree(ENVIRONMENT, inside(tree, ENVIRONMENT), symlinks=True, ignore=TOOLS)
    for variable, packages in ORACLES.items():
        copy_oracle(tree, variable, packages)
    for part in ("console", "screens", "tests"):
        shutil.copytree(CHECKOUT / part, inside(tree, CHECKOUT) / part)
    compileall.compile_dir(inside(tree, CHECKOUT), quiet=1)
    make = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(tree), str(image), "800M"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return image


def oracle_at(variable: str) -> Path | None:
    """That environment's folder, if it is here."""
    python = Path(os.environ.get(variable) or "/nowhere")
    return python.parents[1] if python.exists() else None


def copy_oracle(tree: Path, variable: str, packages: tuple[str, ...]) -> None:
    """The used part of an environment; its other packages would be most of the image."""
    place = oracle_at(variable)
    if place is None:
        return
    (site,) = place.glob("lib/python3*/site-packages")
    to = inside(tree, site)
    to.mkdir(parents=True)
    shutil.copy(place / "pyvenv.cfg", inside(tree, place))
    shutil.copytree(place / "bin", inside(tree, place) / "bin", symlinks=True)
    for found in {one for name in packages for one in site.glob(name)}:
        if found.is_dir():
            shutil.copytree(found, to / found.name, symlinks=True, ignore=other_chips)
        else:
            shutil.copy2(found, to)


def other_chips(folder: str, names: list[str]) -> list[str]:
    """SPSDK's tables of the chips that are not ours: its start would read hundreds of them."""
    in_tables = folder.endswith("spsdk/data/devices")
    return [name for name in names if in_tables and name != CHIP]


def inside(tree: Path, place: Path) -> Path:
    return tree / place.relative_to("/")


def script(results: Path, word: str, program: str = "tests/kernel/guest.py") -> str:
    """What the guest's shell does: Python's files from the image, then the checks."""
    oracles = [place for place in map(oracle_at, ORACLES) if place is not None]
    places = (STDLIB, ENVIRONMENT, CHECKOUT, *oracles)
    mounts = [f"mount --bind /mnt{place} {place}" for place in places]
    checks = [sys.executable, str(CHECKOUT / program), str(results), word]
    told = [f"{name}={os.environ[name]}" for name in TOLD if name in os.environ]
    own = ["-u", "PYTHONPYCACHEPREFIX", f"PYTHONPATH={CHECKOUT}", *told]
    run = shlex.join(["env", *own, *checks])
    return " && ".join(["dmesg -n 4", "mount -o ro /dev/vda /mnt", *mounts, run])


def boot(vmlinuz: Path, image: Path, command: str, results: Path) -> None:
    """Run the command in a guest on this machine's own files, and show its console."""
    vng = ["vng", "--run", str(vmlinuz), "--user", "root", "--disable-kvm", "--force-9p"]
    vng += ["--cpus", "2", "--memory", "1G", "--disk", str(image)]
    vng += ["--rwdir", str(results), "--exec", command]
    # Through a pipe: given a file, the emulator would write from its beginning, over our log.
    with subprocess.Popen(
        vng,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        start_new_session=True,
        errors="replace",
    ) as emulator:
        try:
            console, _ = emulator.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            print(f"the guest did not end within {LIMIT:g} s")
            os.killpg(emulator.pid, signal.SIGKILL)
            console, _ = emulator.communicate()
    print("\n".join(line.strip() for line in console.splitlines() if line.strip()), flush=True)


def judge(results: Path, expected: list[str]) -> list[str]:
    """The names of the checks that did not succeed; each check's outcome is printed."""
    lines = results.read_text().splitlines() if results.exists() else []
    found = {outcome["name"]: outcome for outcome in map(json.loads, lines)}
    bad = []
    for name in expected:
        outcome = found.get(name, {"why": "it did not report", "seconds": 0})
        if outcome["why"]:
            bad.append(name)
        word = f"FAILED {name}: {outcome['why']}" if outcome["why"] else f"ok {name}"
        print(f"{word} ({outcome['seconds']} s)")
    return bad


def main(vmlinuz: Path, word: str = "") -> int:
    expected = [guest.name_of(check) for check in guest.chosen(word)]
    with tempfile.TemporaryDirectory(prefix="replug-kernel-") as name:
        results = Path(name) / "results"
        results.mkdir()
        began = time.monotonic()
        image = make_image(Path(name))
        print(f"image: {time.monotonic() - began:.0f} s", flush=True)
        boot(vmlinuz, image, script(results, word), results)
        bad = judge(results / "results.jsonl", expected)
    print(f"{len(expected) - len(bad)} of {len(expected)} checks in the guest are ok")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
