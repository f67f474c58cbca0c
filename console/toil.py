"""Work that takes a computer half a minute: a key from a password, by a process of its own.

The rule: the secret goes through a pipe, never through an argument or the environment; who waits is
told how far it is, may stop it by an exception of its own, and leaves no process behind.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from console.errors import GateClosed

NOTCHES = 100
"""How often progress is told in all."""

Progress = Callable[[int, int], None]
"""Called with what is done, and of how much."""


@dataclass(frozen=True)
class Toil:
    """EVP_BytesToKey with MD5: `size` bytes from a secret and a salt, each block hashed `rounds`
    times (OpenSSL; a block is MD5 over the block before, the secret and the salt)."""

    secret: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    rounds: int
    size: int


def derive(toil: Toil, told: Progress) -> bytes:
    """The work itself, in this very process."""
    md5, made, block = _md5(), b"", b""
    blocks = -(-toil.size // 16)
    total, notch = blocks * toil.rounds, max(1, toil.rounds * blocks // NOTCHES)
    done = 0
    while len(made) < toil.size:
        block = md5(block + toil.secret + toil.salt).digest()
        for start in range(1, toil.rounds, notch):
            for _ in range(start, min(start + notch, toil.rounds)):
                block = md5(block).digest()
            told(done + min(start + notch, toil.rounds), total)
        done += toil.rounds
        made += block
    return made[: toil.size]


def _md5() -> Callable[[bytes], Any]:
    """Python's own MD5 where it has one: twice as fast for 16 bytes as OpenSSL's."""
    try:
        own: Callable[[bytes], Any] = importlib.import_module("_md5").md5
    except ImportError:
        import hashlib

        return hashlib.md5
    return own


def performed(toil: Toil, told: Progress) -> bytes:
    """The same by a process of its own; what `told` raises ends it. Raises GateClosed."""
    child = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        made = _followed(_spoken(toil), child.stdin, child.stdout, told)
    finally:
        child.kill()
        child.communicate()
    if made is None:
        raise GateClosed(
            "The process that computes a key from the password ended early.",
            "Nothing was sent to the device. Run it again; has this machine memory left?",
        )
    return made


def _followed(order: str, to_child: IO[str], from_child: IO[str], told: Progress) -> bytes | None:
    try:
        to_child.write(order)
        to_child.flush()
    except OSError:
        return None
    for line in from_child:
        words = line.split()
        if words[0] == "made":
            return bytes.fromhex(words[1])
        told(int(words[1]), int(words[2]))
    return None


def _spoken(toil: Toil) -> str:
    return json.dumps([toil.secret.hex(), toil.salt.hex(), toil.rounds, toil.size]) + "\n"


def _heard(line: str) -> Toil:
    secret, salt, rounds, size = json.loads(line)
    return Toil(bytes.fromhex(secret), bytes.fromhex(salt), rounds, size)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the pipe to who waits


def main() -> None:
    """The child: one order in, progress and the key out. Who is gone is worked for no more."""
    made = derive(_heard(sys.stdin.readline()), lambda done, total: _say(f"done {done} {total}"))
    _say(f"made {made.hex()}")


if __name__ == "__main__":
    main()
